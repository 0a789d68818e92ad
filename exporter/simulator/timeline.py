"""All runs of one task, in the order of their start: generated from the seed as far as somebody looked.

What is kept of a generated run is its start and its due time, sixteen bytes; everything else follows from the
seed when it is asked for. Planted runs are kept as they are.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from math import inf
from typing import TYPE_CHECKING

from exporter.simulator.behaviours import LONGEST_SECONDS, MAX_EARLY_SECONDS, MAX_LATE_SECONDS
from exporter.simulator.chapters import Chapter, Chapters
from exporter.simulator.dice import Dice, identifier
from exporter.simulator.plan import SECONDS_A_DAY
from exporter.simulator.runs import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.behaviours import Outcome

_RECENT_DAYS = (0.25, 2, 9)


class Timeline:
    """The runs of one task, as they follow from its chapters, its seed and what was scripted."""

    __slots__ = (
        "_chapters",
        "_cursor",
        "_desktops",
        "_key",
        "_missed",
        "_next",
        "_planted",
        "_refs",
        "_settled",
        "_starts",
        "_task_id",
    )

    def __init__(self, seed: int, task_id: str, desktops: int, first: Chapter) -> None:
        self._key = f"{seed}/{task_id}"
        self._task_id = task_id
        self._desktops = desktops
        self._chapters = Chapters(self._key, first)
        self._starts = array("q")
        self._refs = array("q")  # the due time of a generated run; -1 - n stands for the planted run n
        self._planted: list[Run] = []
        self._missed = array("q")
        self._settled: dict[int, bool] = {}  # occurrences that a script decided: whether they are missed
        self._cursor = first.since
        self._next = self._chapters.following(first.since)

    def chapter(self, now: float) -> Chapter:
        """Return what holds of the task at that instant; before its begin, the first chapter."""
        return self._chapters.at(now)

    @property
    def deleted(self) -> float:
        """When the task is deleted; infinity where it is not."""
        last = self._chapters.last
        return last.since if last.deleted else inf

    def begin(self, chapter: Chapter, *, cancels: bool) -> None:
        """Begin a chapter; where it `cancels`, runs that are due but have not started never start.

        With the task, the runs that were planted for later go.

        Raises:
            ValueError: it would begin before the one that is last so far.

        """
        self._chapters.check(chapter)
        self._extend(chapter.since)
        self._retract(chapter.since, cancels=cancels, planted=chapter.deleted)
        self._chapters.append(chapter)
        self._cursor = min(self._cursor, chapter.since)
        self._next = self._chapters.following(self._cursor)

    def count(self, now: float) -> int:
        """Return how many runs have started by that instant."""
        self._extend(now)
        return bisect_right(self._starts, now)

    def run(self, index: int) -> Run:
        """Return a run by its place in the order of starts; those that `count` counted exist."""
        ref = self._refs[index]
        return self._planted[-1 - ref] if ref < 0 else self._generate(ref)

    def newest_first(self, now: float) -> Iterator[Run]:
        """Yield the runs that have started by that instant."""
        return map(self.run, range(self.count(now) - 1, -1, -1))

    def overlapping(self, since: float, until: float) -> Iterator[Run]:
        """Yield the runs that had started by `until` and were not over by `since`, oldest first."""
        count = self.count(until)
        first = bisect_left(self._starts, since - LONGEST_SECONDS)
        for index in range(count):
            if index >= first or self._refs[index] < 0:
                run = self.run(index)
                if not run.finished(since):
                    yield run

    def newest_finished(self, now: float) -> Run | None:
        """Return the finished run with the newest start.

        Lists ask this of every task, most of whose records nobody ever reads: as long as nothing was
        generated or scripted, the last days suffice. A run that starts within the longest lateness of their
        begin could have been overtaken by one that was due before.
        """
        if not self._starts and not self._settled:
            for days in _RECENT_DAYS:
                since = now - days * SECONDS_A_DAY
                recent = [run for run in self._recent(since, now) if run.finished(now)]
                newest = max(recent, key=_start, default=None)
                if newest is not None and newest.start > since + MAX_LATE_SECONDS:
                    return newest
        return next((run for run in self.newest_first(now) if run.finished(now)), None)

    def upcoming(self, now: float) -> int | None:
        """Return the next occurrence after that instant, as far as the service knows at that instant."""
        return self._chapters.upcoming(now)

    def misses(self, since: float, until: float) -> list[int]:
        """Return the due times of (since, until] at which no run starts although one should."""
        self._extend(until)
        return list(self._missed[bisect_right(self._missed, since) : bisect_right(self._missed, until)])

    def occurs(self, due: int) -> bool:
        """Return whether the task is to run at that instant."""
        return self._chapters.following(due - 1) == due

    def settle(self, due: int, *, missed: bool) -> None:
        """Take an occurrence out of the seed's hands: it is missed, or a planted run stands for it."""
        if due in self._refs:
            self._drop(self._refs.index(due))
        if due in self._missed:
            self._missed.remove(due)
        self._settled[due] = missed
        if missed and due <= self._cursor:
            insort(self._missed, due)

    def plant(self, run: Run) -> None:
        """Add a run."""
        self._planted.append(run)
        self._insert(run.start, -len(self._planted))

    def replace(self, run: Run) -> None:
        """Put a run in the place of the one with the same id and start.

        Raises:
            LookupError: there is no such run.

        """
        self._extend(run.start)
        for index in range(bisect_left(self._starts, run.start), bisect_right(self._starts, run.start)):
            if self.run(index).id == run.id:
                self._freeze(index, run)
                return
        raise LookupError(f"task {self._task_id} has no run {run.id}")

    def _recent(self, since: float, now: float) -> Iterator[Run]:
        due = self._chapters.following(since)
        while due is not None and due <= now + MAX_EARLY_SECONDS:
            if self._outcome(due) is not None:
                yield self._generate(due)
            due = self._chapters.following(due)

    def _extend(self, until: float) -> None:
        horizon = until + MAX_EARLY_SECONDS
        if horizon <= self._cursor:
            return
        while self._next is not None and self._next <= horizon:
            self._admit(self._next)
            self._next = self._chapters.following(self._next)
        self._cursor = horizon

    def _admit(self, due: int) -> None:
        outcome = None
        if due not in self._settled:
            outcome = self._outcome(due)
            if outcome is not None:
                self._insert(due + outcome.lateness, due)
        if outcome is None and self._settled.get(due, True):
            self._missed.append(due)

    def _outcome(self, due: int) -> Outcome | None:
        behaviour = self._chapters.of(due).behaviour
        return behaviour.outcome(Dice(self._key, due), self._desktops, due)

    def _generate(self, due: int) -> Run:
        outcome = self._outcome(due)
        assert outcome is not None, "only occurrences that are met are kept"  # noqa: S101 - an invariant
        start = due + outcome.lateness
        return Run(
            task_id=self._task_id,
            id=identifier("run", self._key, due),
            start=start,
            end=None if outcome.duration is None else start + outcome.duration,
            due=due,
            status=outcome.status,
            success=outcome.success,
            failed=outcome.failed,
            skipped=outcome.skipped,
            codes=outcome.codes,
        )

    def _insert(self, start: int, ref: int) -> None:
        index = bisect_right(self._starts, start)
        self._starts.insert(index, start)
        self._refs.insert(index, ref)

    def _drop(self, index: int) -> None:
        del self._starts[index], self._refs[index]

    def _freeze(self, index: int, run: Run) -> None:
        """Keep a generated run as it is now, whatever the seed would make of it from here on."""
        ref = self._refs[index]
        if ref < 0:
            self._planted[-1 - ref] = run
            return
        self._settled[ref] = False
        self._planted.append(run)
        self._refs[index] = -len(self._planted)

    def _retract(self, since: float, *, cancels: bool, planted: bool) -> None:
        """Forget what was generated (and `planted`) beyond the instant; what has started stays."""
        for index in range(len(self._starts) - 1, -1, -1):
            start, ref = self._starts[index], self._refs[index]
            if ref < 0:
                if planted and start > since:
                    self._drop(index)
            elif start > since and (cancels or ref > since):
                self._drop(index)
            elif ref > since:
                self._freeze(index, self.run(index))
        del self._missed[bisect_right(self._missed, since) :]


def _start(run: Run) -> int:
    return run.start
