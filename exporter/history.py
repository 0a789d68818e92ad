"""A task's records -> what is known of its runs (contract, section 4). Pure; the order of records is nothing.

The API's word gives a run's class, its counts can only make it worse: a run that reports success and a failed
desktop is partial, since no word for a mixed run is known (api_facts.md, section 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from exporter.config import Statuses
from exporter.records import Record

RunStatus = Literal["success", "partial", "failed", "skipped", "unknown"]
RUN_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)
_BY_SEVERITY: tuple[RunStatus, ...] = ("success", "skipped", "unknown", "partial", "failed")
RECENT_RUNS = 10
"""How many of the newest runs are kept for people to look at."""


@dataclass(frozen=True, slots=True)
class Run:
    """A record and what it means; `status` is None while the run is in progress."""

    record: Record
    status: RunStatus | None

    @property
    def order(self) -> tuple[float, str]:
        """What makes a run newer than another: its start, then its id."""
        return self.record.start, self.record.id


@dataclass(frozen=True, slots=True)
class History:
    """What one look at the newest records of a task tells. Times are epoch seconds, 0 where there is none."""

    last: Run | None
    """The finished run with the newest start; a run in progress never hides it."""
    last_start: float
    """Start of the newest run, finished or not."""
    newest_by_status: tuple[float, ...]
    """Start of the newest run of each of RUN_STATUSES."""
    consecutive_unsuccessful: int
    consecutive_skipped: int
    running: int
    running_since: float
    recent: tuple[Run, ...]
    """The newest runs, the oldest of them first."""
    total: int
    truncated: bool


def status_of(record: Record, statuses: Statuses) -> RunStatus | None:
    """Return a run's status, or None while it is in progress."""
    kind = statuses.class_of(record.status)
    if kind == "running":
        return None
    if kind in {"failed", "unknown"}:
        return "failed" if kind == "failed" else "unknown"
    if not record.failed_num:
        return "success" if kind == "success" else "skipped"
    return "partial" if record.success_num else "failed"


def runs_of(records: Iterable[Record], statuses: Statuses) -> list[Run]:
    """Return the runs, oldest first, each id once.

    An id that comes twice in one read was read while it changed: the finished one is the truth, otherwise the
    later one; of two with the same start the worse, so that the order of records does not matter.
    """
    chosen: dict[str, Run] = {}
    for record in records:
        run = Run(record, status_of(record, statuses))
        known = chosen.get(record.id)
        if known is None or _precedence(run) > _precedence(known):
            chosen[record.id] = run
    return sorted(chosen.values(), key=lambda run: run.order)


def summarize(runs: list[Run], *, total: int, truncated: bool) -> History:
    """Return what `runs` (oldest first) tell; `total` is the API's total_count."""
    finished = [run for run in runs if run.status is not None]
    running = [run for run in runs if run.status is None]
    return History(
        last=finished[-1] if finished else None,
        last_start=runs[-1].record.start if runs else 0.0,
        newest_by_status=tuple(_newest(finished, status) for status in RUN_STATUSES),
        consecutive_unsuccessful=_consecutive_unsuccessful(finished),
        consecutive_skipped=_consecutive_skipped(finished),
        running=len(running),
        running_since=running[0].record.start if running else 0.0,
        recent=tuple(runs[-RECENT_RUNS:]),
        total=total,
        truncated=truncated,
    )


def _precedence(run: Run) -> tuple[bool, float, int, str, tuple[int, ...]]:
    record = run.record
    counts = tuple(-1 if n is None else n for n in (record.failed_num, record.success_num, record.skip_num))
    severity = -1 if run.status is None else _BY_SEVERITY.index(run.status)
    return run.status is not None, record.start, severity, record.status, counts


def _newest(finished: list[Run], status: RunStatus) -> float:
    return next((run.record.start for run in reversed(finished) if run.status == status), 0.0)


def _consecutive_unsuccessful(finished: list[Run]) -> int:
    """Skipped and unknown runs neither count nor end the row: they say nothing of whether the task works."""
    count = 0
    for run in reversed(finished):
        if run.status == "success":
            break
        count += run.status in {"failed", "partial"}
    return count


def _consecutive_skipped(finished: list[Run]) -> int:
    count = 0
    for run in reversed(finished):
        if run.status != "skipped":
            break
        count += 1
    return count
