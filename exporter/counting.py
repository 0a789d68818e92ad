"""Each finished run counted once, however it was polled. Pure.

A counter says what this process saw: what had finished before a task's first read is not counted, and what
finished since then is, also when several runs finish between two reads or one with an older start comes late.
So the runs already met are remembered, as 8 bytes each, and not only the newest of them.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

from exporter.history import RUN_STATUSES, Run
from exporter.state import Counts

Order = tuple[float, str]
_OUT_OF_SIGHT = 100
"""So many runs in progress are awaited that a later read did not show: a bound far beyond what a task has."""


def _no_ids() -> array[int]:
    return array("q")


@dataclass(frozen=True, slots=True)
class Met:
    """The runs of one task that were met, and what was counted.

    `ids` are hashes of the finished runs' ids (good within a process), `running` those of runs that were met
    in progress only. A run before `floor` lay outside an earlier window, so to meet it for the first time
    does not mean that it is new. `whole` says that one of the reads missed nothing: what turns up since then
    is new, also where a read between missed it.
    """

    counts: Counts = field(default_factory=Counts)
    ids: array[int] = field(default_factory=_no_ids)
    running: tuple[int, ...] = ()
    floor: Order = (0.0, "")
    whole: bool = False


def meet(before: Met | None, runs: list[Run], *, window: int, truncated: bool, new_task: bool) -> Met:
    """Return what is met and counted after a read.

    `runs` are the newest ones, oldest first, at most `window`; `truncated` says that the read may have missed
    newer ones; `new_task` that the task was missing from an earlier list, so that all its runs are new.
    """
    finished = [run for run in runs if run.status is not None]
    start = before or Met(whole=new_task)
    known, awaited = set(start.ids), set(start.running)
    fresh = [
        run
        for run in finished
        if (key := hash(run.record.id)) in awaited or (key not in known and run.order >= start.floor)
    ]
    counted = fresh if before is not None or new_task else []
    floor = start.floor
    if len(runs) >= window:
        floor = max(floor, runs[0].order)
    if truncated and runs and not start.whole:
        floor = max(floor, runs[-1].order)
    return Met(
        counts=_count(start.counts, counted),
        ids=_remember(start.ids, finished, window),
        running=_await(start, runs),
        floor=floor,
        whole=start.whole or not truncated,
    )


def _count(before: Counts, runs: list[Run]) -> Counts:
    ended = Counter(run.status for run in runs)
    success, failed, skipped = before.desktops
    return Counts(
        runs=tuple(n + ended[status] for n, status in zip(before.runs, RUN_STATUSES, strict=True)),
        desktops=(
            success + sum(run.record.success_num or 0 for run in runs),
            failed + sum(run.record.failed_num or 0 for run in runs),
            skipped + sum(run.record.skip_num or 0 for run in runs),
        ),
    )


def _remember(before: array[int], finished: list[Run], window: int) -> array[int]:
    """Remember this window's runs, and as many again of those before: a server may waver."""
    now = [hash(run.record.id) for run in finished]
    current = set(now)
    return array("q", [*now, *[number for number in before if number not in current][:window]])


def _await(before: Met, runs: list[Run]) -> tuple[int, ...]:
    """Remember the runs in progress until they are met finished, also those out of sight meanwhile."""
    met = {hash(run.record.id): run.status for run in runs}
    ended = {key for key, status in met.items() if status is not None}.union(before.ids)
    out_of_sight = [key for key in before.running if key not in met]
    return tuple(key for key in [*met, *out_of_sight[:_OUT_OF_SIGHT]] if key not in ended)
