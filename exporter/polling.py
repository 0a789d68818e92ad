"""When a task's records are to be read again, and why. Pure.

The list of tasks, read in every cycle, already tells of most changes: fifty tasks a call. Records are read of
those tasks only that it shows to have changed, that are expected to change, or whose turn it is.
Moments are monotonic seconds, but for `now`, which is epoch seconds and compared with the API's times only.

The moment of a read is that at which its cycle decided on it, not that of its answer: cycles begin an
interval apart, however long a read had to wait for its turn. That distance jitters by what a list takes, so
whatever is due within half an interval is due now.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Literal

from exporter.config import Polling
from exporter.paging import RECORDS_LIMIT, TASKS_LIMIT
from exporter.records import Task
from exporter.schedule import EARLY_START_SECONDS

Reason = Literal["new", "changed", "due", "running", "triggered", "unlisted", "retry", "refresh"]
_TRIGGERED_READS = 3
"""A triggered task announces no next run, so it is read this often within one `refresh`."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of one task has come.

    `read_at` is the last successful read of its records, `whole_at` the last one of the whole window of
    `history`, `read_entry` its list entry at the last read; `retry_at` the end of the back-off after a failed
    one. `last_start` (epoch seconds, 0 for none) is the newest start in its records. `uncovered`: a run is
    due by the schedule that no record covers. `overdue`: every run in progress was past its `max_duration`
    when it was last read, so that none is called stuck which nobody looked at since. `phase` (0 to 1) is its
    turn in `refresh`.
    """

    first_seen: float
    phase: float
    read_at: float | None = None
    whole_at: float = 0.0
    read_entry: Task | None = None
    retry_at: float | None = None
    last_start: float = 0.0
    uncovered: bool = False
    running: bool = False
    overdue: bool = False
    triggered: bool = False
    found: bool = True


@dataclass(frozen=True, slots=True)
class Due:
    """A read to make: why, by when (reads are made in this order), and whether of the whole window."""

    reason: Reason
    deadline: float
    whole: bool


def due(progress: Progress, entry: Task | None, *, now: float, moment: float, polling: Polling) -> Due | None:
    """Return whether the task's records are to be read at `moment`.

    `entry` is the task's place in the list, None where the list cannot be read or does not hold it.
    """
    soon = moment + polling.interval / 2
    if progress.retry_at is not None:
        return Due("retry", progress.retry_at, whole=True) if soon >= progress.retry_at else None
    if progress.read_at is None:
        return Due("new", progress.first_seen + polling.refresh, whole=True)
    turn = next_turn(progress.phase, progress.whole_at, polling)
    whole = soon > turn
    reason = _reason(progress, entry, now)
    if reason:
        return Due(reason, progress.read_at + polling.interval, whole)
    if whole:
        return Due("refresh", progress.whole_at + polling.refresh, whole)
    cadence = _cadence(polling)
    if progress.triggered and soon >= progress.read_at + cadence:
        return Due("triggered", progress.read_at + cadence, whole)
    return None


def first_sweep_rank(entry: Task | None, failed: bool, now: float) -> tuple[bool, float]:  # noqa: FBT001
    """Order the first reads: tasks that the list calls failed first, then by the nearest next run."""
    if entry is None or entry.next_run is None:
        return not failed, math.inf
    return not failed, abs(entry.next_run - now)


def phase_of(key: str) -> float:
    """Return a task's turn within `refresh`, between 0 and 1: spread evenly, and the same after a restart."""
    return zlib.crc32(key.encode()) / 2**32


def back_off(failures: int, polling: Polling) -> float:
    """Return the seconds to wait after so many failed reads in a row: doubling, up to `refresh`."""
    return min(polling.interval * 2.0 ** min(failures - 1, 30), max(polling.refresh, polling.interval))


def next_turn(phase: float, read_at: float, polling: Polling) -> float:
    """Return the moment of a task's next refresh: its own turn, or sooner where `refresh` ends before.

    Turns are whole intervals apart and each is taken in the cycle nearest to it, so that a task is read once
    for each of them, and as many tasks in one cycle as in another. A read was for the turn it was nearest to.
    """
    period = _refresh_period(polling)
    offset = phase * period
    turn = (math.floor((read_at + polling.interval / 2 - offset) / period) + 1) * period + offset
    return min(turn, read_at + period)


def overload(*, timed: int, triggered: int, watched: int, events: int, polling: Polling) -> str | None:
    """Return, with the arithmetic, why the configured rate cannot carry the selected tasks; None if it can.

    `timed` and `triggered` are how many tasks of either kind the list holds, `watched` how many of both are
    selected here, `events` how many of those are triggered. Reckoned is a cycle in which nothing runs.
    """
    interval, rate = polling.interval, polling.requests_per_second
    lists = sum(max(1, math.ceil(tasks / TASKS_LIMIT)) for tasks in (timed, triggered))
    in_turn = interval / _refresh_period(polling)
    between = interval / _cadence(polling) - in_turn
    records = watched * math.ceil(polling.history / RECORDS_LIMIT) * in_turn + events * between
    needed = (lists + records) / interval
    if not rate or needed <= rate:
        return None
    return (
        f"in each interval of {interval:g} s, {lists} requests for the list and {records:.0f} for records "
        f"of {watched} tasks are {needed:.3g} a second before any task runs; requests_per_second is {rate:g}"
    )


def _refresh_period(polling: Polling) -> float:
    """The whole intervals that fit in `refresh`, in seconds; at least one."""
    return max(1, math.floor(polling.refresh / polling.interval + _ROUNDING)) * polling.interval


def _cadence(polling: Polling) -> float:
    """How often a triggered task is read, in seconds."""
    return max(polling.interval, polling.refresh / _TRIGGERED_READS)


def _reason(progress: Progress, entry: Task | None, now: float) -> Reason | None:
    if not progress.found:
        return None
    if entry is None:
        return "unlisted"
    if _signal(entry) != _signal(progress.read_entry):
        return "changed"
    if progress.uncovered or _announced(entry, progress.last_start, now):
        return "due"
    if progress.running and not progress.overdue:
        return "running"
    return None


def _announced(entry: Task, last_start: float, now: float) -> bool:
    """Whether the run that the list announced is due and not among the records.

    What a list still says of a task that is switched off, or that has ended before, announces nothing.
    """
    if entry.next_run is None or entry.enabled is False:
        return False
    ended = entry.expires is not None and entry.expires < entry.next_run
    return not ended and last_start + EARLY_START_SECONDS < entry.next_run <= now


def _signal(entry: Task | None) -> tuple[object, ...] | None:
    """What of a list entry tells that a run has started, ended or been moved."""
    return (entry.last_status, entry.next_run, entry.enabled) if entry else None
