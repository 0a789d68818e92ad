"""Other texts in place of the real ones: the same for the same, in the same order, of the same kind. Pure.

Ids are compared with each other (of two runs that started together the one with the greater id is the last),
stand in paths and are refused when they are malformed. So a pseudonym sorts as what it stands for, and what
makes an id good or bad (api_facts.md, section 0) is good or bad of its pseudonym too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from exporter.records import TASK_ID

_NARROWEST = 3
_LONGEST_ID = 1100
"""The decoder refuses ids of more than 1,024 characters; what is longer than this says no more."""
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]")
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_OUTSIDE_PATHS = "."


class Pseudonyms:
    """Pseudonyms for texts that were all met before the first one is asked for."""

    def __init__(self) -> None:
        self._met: dict[str, bool] = {}
        self._names: dict[str, str] | None = None

    def meet(self, text: str, *, is_id: bool) -> str:
        """Take a text in, and return it; `is_id` where its shape is to be kept, if only once."""
        if self._names is not None:
            raise ValueError("pseudonyms have been given out already")
        self._met[text] = self._met.get(text, False) or is_id
        return text

    def of(self, text: str) -> str:
        """Return the pseudonym of a text that was met; raises KeyError for any other."""
        return self.names[text]

    @property
    def names(self) -> Mapping[str, str]:
        """Every pseudonym by the text that it stands for. From now on no text is taken in."""
        if self._names is None:
            width = max(_NARROWEST, len(str(len(self._met))))
            self._names = {
                text: _as_id(text, f"{number:0{width}}") if self._met[text] else f"text {number:0{width}}"
                for number, text in enumerate(sorted(self._met), start=1)
            }
        return self._names


def _as_id(text: str, number: str) -> str:
    """The number, then the shape of the rest: x for a letter or digit, dash and underscore as they are."""
    rest = _ODD.sub(_OUTSIDE_PATHS, _ALPHANUMERIC.sub("x", text[len(number) : _LONGEST_ID]))
    name = number + rest
    same = bool(TASK_ID.fullmatch(text)) == bool(TASK_ID.fullmatch(name))
    return name if same else name + _OUTSIDE_PATHS
