"""Other texts in place of the real ones: the same for the same; of ids in the same order and kind. Pure.

Ids are compared with each other (of two runs that started together the one with the greater id is the last),
stand in paths and are refused when they are malformed. So their pseudonyms sort as they do, and are good or
bad as they are (api_facts.md, section 0). Any other text shows nothing of itself, not even its place.
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
            ids = sorted(text for text, is_id in self._met.items() if is_id)
            texts = [text for text, is_id in self._met.items() if not is_id]
            numbers = {text: f"{number:0{width}}" for number, text in enumerate([*ids, *texts], start=1)}
            self._names = {
                text: _as_id(text, number) if self._met[text] else f"text {number}"
                for text, number in numbers.items()
            }
        return self._names


def _as_id(text: str, number: str) -> str:
    """The number, then the shape of the rest: x for a letter or digit, dash and underscore as they are."""
    rest = _ODD.sub(_OUTSIDE_PATHS, _ALPHANUMERIC.sub("x", text[len(number) : _LONGEST_ID]))
    name = number + rest
    same = bool(TASK_ID.fullmatch(text)) == bool(TASK_ID.fullmatch(name))
    return name if same else name + _OUTSIDE_PATHS
