"""What holds of a task, and from when on: its name, schedule, behaviour, and whether it is switched on.

A chapter lasts from its instant until the next one begins. An occurrence belongs to the chapter that it falls
into, the begin excluded and the end included.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from exporter.simulator.plan import Plan, next_after

if TYPE_CHECKING:
    from exporter.simulator.behaviours import Behaviour

_NOTHING_KNOWN = (inf, -inf, None)


@dataclass(frozen=True, slots=True)
class Chapter:
    """What holds of the task from the instant `since` on."""

    since: float
    name: str
    plan: Plan
    behaviour: Behaviour
    enabled: bool = True
    deleted: bool = False

    @property
    def runs(self) -> bool:
        """Whether the task runs at all."""
        return self.enabled and not self.deleted


class Chapters:
    """The chapters of one task, in order; `key` tells its events from those of other triggered tasks."""

    __slots__ = ("_chapters", "_key", "_upcoming")

    def __init__(self, key: str, first: Chapter) -> None:
        self._key = key
        self._chapters = [first]
        self._upcoming: tuple[float, float, int | None] = _NOTHING_KNOWN

    @property
    def last(self) -> Chapter:
        """The newest chapter."""
        return self._chapters[-1]

    def check(self, chapter: Chapter) -> None:
        """Return if the chapter may follow.

        Raises:
            ValueError: it would begin before the newest one.

        """
        if chapter.since < self.last.since:
            raise ValueError("changes of a task go forward in time")

    def append(self, chapter: Chapter) -> None:
        """Begin a chapter that may follow."""
        self._chapters.append(chapter)
        self._upcoming = _NOTHING_KNOWN

    def at(self, now: float) -> Chapter:
        """Return what holds at that instant; before its begin, the first chapter."""
        return self._chapters[self._place(now)]

    def of(self, due: float) -> Chapter:
        """Return the chapter that an occurrence belongs to."""
        return self._chapters[max(bisect_left(self._chapters, due, key=_since) - 1, 0)]

    def following(self, after: float) -> int | None:
        """Return the first occurrence after the instant, across all chapters that are known so far."""
        for index in range(self._place(after), len(self._chapters)):
            chapter = self._chapters[index]
            if not chapter.runs:
                continue
            due = next_after(chapter.plan, max(after, chapter.since), key=self._key)
            if due is not None and due <= self._end(index):
                return due
        return None

    def upcoming(self, now: float) -> int | None:
        """Return the next occurrence after that instant, as far as the service knows at that instant."""
        since, until, due = self._upcoming
        if since <= now < until:
            return due
        place = self._place(now)
        chapter = self._chapters[place]
        due = next_after(chapter.plan, now) if chapter.runs and not chapter.plan.triggered else None
        self._upcoming = (now, min(self._end(place), inf if due is None else due), due)
        return due

    def _place(self, now: float) -> int:
        if now >= self.last.since:
            return len(self._chapters) - 1
        return max(bisect_right(self._chapters, now, key=_since) - 1, 0)

    def _end(self, index: int) -> float:
        return self._chapters[index + 1].since if index + 1 < len(self._chapters) else inf


def _since(chapter: Chapter) -> float:
    return chapter.since
