"""The lines of all tasks, once, and their compressed parts: what the bodies of a scrape are made of. Pure.

Tasks live in buckets by a hash of their key, so that a changed task means a new text and new compressed parts
for its bucket only, and a restart gives the same order. A body is never joined here: it is a list of what is
kept, so that it costs no memory of its own.
"""

from __future__ import annotations

import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TypeVar

from exporter import gzipping
from exporter.catalog import LAST_POLL, TASK_METRICS
from exporter.gzipping import Part
from exporter.negotiation import Format
from exporter.rendering import Chunks, render_header, replace_value

Key = tuple[str, str]
"""Project and task id."""

_TASKS_IN_BUCKET = 48
_FAMILIES = range(len(TASK_METRICS))
Item = TypeVar("Item")


class _Bucket:
    """Some tasks' lines, family by family in one text each, and the compressed part where it is current."""

    __slots__ = ("_lengths", "keys", "parts", "texts")

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.texts = [b"" for _ in _FAMILIES]
        self._lengths = [array("I") for _ in _FAMILIES]
        self.parts: list[Part | None] = [None for _ in _FAMILIES]

    def lines(self, family: int) -> dict[Key, bytes]:
        """One family's lines by task."""
        text, ends = self.texts[family], accumulate(self._lengths[family], initial=0)
        return {key: text[start:end] for key, (start, end) in zip(self.keys, pairwise(ends), strict=True)}

    def update(self, changes: Mapping[Key, Chunks | None]) -> list[int]:
        """Take in tasks' lines (None: the task is gone); returns the families that changed."""
        gone = {key for key, chunks in changes.items() if chunks is None}
        keys = sorted({*self.keys, *changes} - gone)
        changed = []
        for family in _FAMILIES:
            lines = self.lines(family)
            lines |= {key: chunks[family] for key, chunks in changes.items() if chunks}
            if self._set(family, [lines[key] for key in keys]):
                changed.append(family)
        self.keys = keys
        return changed

    def touch(self, polled: Mapping[Key, float]) -> list[int]:
        """Take in moments of polls (epoch seconds); returns the families that changed."""
        lines = self.lines(LAST_POLL)
        lines |= {key: replace_value(lines[key], at) for key, at in polled.items() if lines.get(key)}
        return [LAST_POLL] if self._set(LAST_POLL, list(lines.values())) else []

    def part(self, family: int) -> Part:
        """The compressed lines of one family."""
        part = self.parts[family]
        if part is None:
            part = self.parts[family] = gzipping.compress(self.texts[family])
        return part

    def split(self, home: Mapping[Key, int], number: int) -> _Bucket:
        """Keep the tasks at home in bucket `number`; returns a bucket of the others."""
        other = _Bucket()
        mine = [key for key in self.keys if home[key] == number]
        others = [key for key in self.keys if home[key] != number]
        for family in _FAMILIES:
            lines = self.lines(family)
            self._set(family, [lines[key] for key in mine])
            other._set(family, [lines[key] for key in others])
        self.keys, other.keys = mine, others
        return other

    def _set(self, family: int, lines: Sequence[bytes]) -> bool:
        text = b"".join(lines)
        self._lengths[family] = array("I", map(len, lines))
        if text == self.texts[family]:
            return False
        self.texts[family], self.parts[family] = text, None
        return True


class MetricStore:
    """Every task's lines. Not thread-safe: one caller at a time."""

    def __init__(self) -> None:
        self._buckets = [_Bucket()]
        self._families: list[Part | None] = [None for _ in _FAMILIES]
        self._headers = {
            form: [render_header(m.name, m.type, m.help, form) for m in TASK_METRICS] for form in Format
        }
        self._header_parts = {
            form: [gzipping.compress(text) for text in headers] for form, headers in self._headers.items()
        }

    def update(self, changes: Mapping[Key, Chunks | None]) -> bool:
        """Take in tasks' lines (None: the task is gone); returns whether a body is different now."""
        changed = [
            family
            for number, of_bucket in self._by_bucket(changes).items()
            for family in self._buckets[number].update(of_bucket)
        ]
        self._grow()
        return self._changed(changed)

    def touch(self, polled: Mapping[Key, float]) -> bool:
        """Take in the moments (epoch seconds) at which tasks' runs were current, with nothing else changed.

        Returns whether a body is different now.
        """
        return self._changed(
            family
            for number, of_bucket in self._by_bucket(polled).items()
            for family in self._buckets[number].touch(of_bucket)
        )

    def identity(self, form: Format) -> tuple[bytes, ...]:
        """The whole body but its end, uncompressed, in pieces."""
        return tuple(piece for family in _FAMILIES for piece in self._pieces(form, family))

    def compressed(self, form: Format) -> Part:
        """The whole body but its end, compressed."""
        headers = self._header_parts[form]
        return gzipping.join(part for f in _FAMILIES for part in (headers[f], self._family(f)))

    def _changed(self, families: Iterable[int]) -> bool:
        changed = set(families)
        for family in changed:
            self._families[family] = None
        return bool(changed)

    def _pieces(self, form: Format, family: int) -> Iterator[bytes]:
        yield self._headers[form][family]
        yield from (text for bucket in self._buckets if (text := bucket.texts[family]))

    def _family(self, family: int) -> Part:
        part = self._families[family]
        if part is None:
            part = self._families[family] = gzipping.join(bucket.part(family) for bucket in self._buckets)
        return part

    def _by_bucket(self, items: Mapping[Key, Item]) -> dict[int, dict[Key, Item]]:
        found: dict[int, dict[Key, Item]] = defaultdict(dict)
        for key, item in items.items():
            found[self._home(key)][key] = item
        return found

    def _home(self, key: Key) -> int:
        return zlib.crc32("\0".join(key).encode()) % len(self._buckets)

    def _grow(self) -> None:
        """Have twice as many buckets where they are too full, one split after the other."""
        while sum(len(bucket.keys) for bucket in self._buckets) > len(self._buckets) * _TASKS_IN_BUCKET:
            before = list(self._buckets)
            self._buckets += before  # so that a key's home is that among twice as many
            for number, bucket in enumerate(before):
                home = {key: self._home(key) for key in bucket.keys}
                self._buckets[number + len(before)] = bucket.split(home, number)
            self._families = [None for _ in _FAMILIES]
