"""Each finished run counted once, however it was polled. Pure.

A counter says what this process saw: what had finished before a task's first read is not counted, and what
finished since then is, also when several runs finish between two reads or one with an older start comes late.
So the runs already met are remembered, as 8 bytes each, and not only the newest of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from exporter.history import RUN_STATUSES, Run
from exporter.state import Counts

Order = tuple[float, str]


def _no_ids() -> array[int]:
    return array("q")


@dataclass(frozen=True, slots=True)
class Met:
    """The runs of one task that were met, and what was counted.

    `ids` are hashes of the finished runs' ids (good within a process). A run before `floor` lay outside an
    earlier window, so to meet it for the first time does not mean that it is new.
    """

    counts: Counts = field(default_factory=Counts)
    ids: array[int] = field(default_factory=_no_ids)
    floor: Order = (0.0, "")


def meet(before: Met | None, runs: list[Run], *, window: int, truncated: bool, new_task: bool) -> Met:
    """Return what is met and counted after a read.

    `runs` are the newest ones, oldest first, at most `window`; `truncated` says that the read may have missed
    newer ones; `new_task` that the task was missing from an earlier list, so that all its runs are new.
    """
    finished = [run for run in runs if run.status is not None]
    start = before or Met()
    known = set(start.ids)
    fresh = [run for run in finished if hash(run.record.id) not in known and run.order >= start.floor]
    counted = fresh if before is not None or new_task else []
    floor = start.floor
    if len(runs) >= window:
        floor = max(floor, runs[0].order)
    if truncated and runs:
        floor = max(floor, runs[-1].order)
    return Met(_count(start.counts, counted), _remember(start.ids, finished, window), floor)


def _count(before: Counts, runs: Iterable[Run]) -> Counts:
    by_status = list(before.runs)
    success, failed, skipped = before.desktops
    for run in runs:
        if run.status is not None:
            by_status[RUN_STATUSES.index(run.status)] += 1
        success += run.record.success_num or 0
        failed += run.record.failed_num or 0
        skipped += run.record.skip_num or 0
    return Counts(tuple(by_status), (success, failed, skipped))


def _remember(before: array[int], finished: list[Run], window: int) -> array[int]:
    """Remember this window's runs, and as many again of those before: a server may waver."""
    now = [hash(run.record.id) for run in finished]
    current = set(now)
    return array("q", [*now, *[number for number in before if number not in current][:window]])
