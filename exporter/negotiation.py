"""What a scraper can read: its Accept and Accept-Encoding headers -> one exposition format, gzip or not.

Weights and precedence are those of RFC 9110, sections 12.4.2, 12.5.1 and 12.5.3. The headers come from
anyone: no value raises, and one that leaves nothing acceptable gets the text format, as from the
Prometheus client libraries, since a scraper that sends odd headers still wants its metrics.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_HEADER = 2048
"""Characters; a longer value is not looked at. Prometheus 3 sends about 280."""


class Format(enum.Enum):
    """An exposition format that a scrape can be answered in."""

    TEXT = ("text/plain", "0.0.4")
    OPENMETRICS = ("application/openmetrics-text", "1.0.0")

    def __init__(self, media_type: str, version: str) -> None:
        self.media_type = media_type
        self.version = version
        self.content_type = f"{media_type}; version={version}; charset=utf-8"


class _Item(NamedTuple):
    """One member of a list header: `text/plain;version=0.0.4;q=0.5`."""

    name: str
    parameters: dict[str, str]
    weight: float


# Possessive quantifiers: no input makes these backtrack. A quoted string hides the separators in it.
_QUOTED = r'"(?:[^"\\]|\\.)*+"?+'
_MEMBERS = re.compile(rf"(?:{_QUOTED}|[^,])++", re.DOTALL)
_PARTS = re.compile(rf"(?:{_QUOTED}|[^;])++", re.DOTALL)
# RFC 9110 allows three decimals; more do no harm.
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,9})?|1(?:\.0{0,9})?", re.ASCII)
_NAMED = 3


def choose_format(accept: str) -> Format:
    """Return the format that an Accept header (several lines: joined by commas) likes best.

    The higher weight wins; at equal weights a range that names the format wins over a wildcard, then the
    one named first, then text. A range that asks for another version than ours (`version=0.0.1` of
    OpenMetrics, `version=1.0.0` of the text format) does not match; every `escaping` does, because all our
    names are valid without any.
    """
    return _choose(accept) if len(accept) <= MAX_HEADER else Format.TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header prefers gzip to a plain body, or likes both equally.

    No header (the empty string) is a client that may know no coding at all: a plain body.
    """
    return len(accept_encoding) <= MAX_HEADER and _accepts_gzip(accept_encoding)


@lru_cache(maxsize=64)  # a scraper sends the same header every time
def _choose(accept: str) -> Format:
    items = list(_items(accept))
    # max() keeps the first of equals: text.
    best = max(Format, key=lambda candidate: _rank(candidate, items))
    return best if _rank(best, items)[0] > 0 else Format.TEXT


@lru_cache(maxsize=64)
def _accepts_gzip(accept_encoding: str) -> bool:
    weights = {item.name: item.weight for item in _items(accept_encoding)}
    any_other = weights.get("*", 0.0)
    gzip = max((weights[name] for name in ("gzip", "x-gzip") if name in weights), default=any_other)
    identity = weights.get("identity", any_other)
    return gzip > 0 and gzip >= identity


def _rank(candidate: Format, items: list[_Item]) -> tuple[float, bool, int]:
    """Return (weight, named, -position) of the most specific range that matches; zeros for none."""
    matches = [(_specificity(candidate, item), -position, item) for position, item in enumerate(items)]
    specificity, position, item = max(matches, key=lambda match: match[:2], default=(0, 0, None))
    if item is None or not specificity:
        return 0.0, False, 0
    return item.weight, specificity >= _NAMED, position


def _specificity(candidate: Format, item: _Item) -> int:
    """Return how exactly a media range names a format: 0 not at all, 1 `*/*`, 2 a type, 3 both, 4 version."""
    if item.name == "*/*":
        return 1
    if item.name == candidate.media_type.partition("/")[0] + "/*":
        return 2
    if item.name != candidate.media_type:
        return 0
    version = item.parameters.get("version")
    if version is None:
        return _NAMED
    return _NAMED + 1 if version == candidate.version else 0


def _items(header: str) -> Iterator[_Item]:
    for member in _MEMBERS.findall(header):
        parts = _PARTS.findall(member)
        item = _item(parts[0].strip().lower(), parts[1:]) if parts else None
        if item is not None:
            yield item


def _item(name: str, parts: list[str]) -> _Item | None:
    """Return one member; None for one whose weight cannot be read: nobody can say what it asks for."""
    parameters: dict[str, str] = {}
    for part in parts:
        key, _, value = part.partition("=")
        parameters.setdefault(key.strip().lower(), value.strip().strip('"').lower())
    weight = parameters.pop("q", "1")
    if not _WEIGHT.fullmatch(weight):
        return None
    return _Item(name, parameters, float(weight))
