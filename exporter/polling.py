"""When a task's records are to be read again, and why. Pure.

The list of tasks, read in every cycle, already tells of most changes: fifty tasks a call. Records are read of
those tasks only that it shows to have changed, that are expected to change, or whose turn it is.
Moments are monotonic seconds, but for `now`, which is epoch seconds and compared with the API's times only.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Literal

from exporter.config import Polling
from exporter.records import Task
from exporter.schedule import EARLY_START_SECONDS

Reason = Literal["new", "changed", "due", "running", "triggered", "unlisted", "retry", "refresh"]
_TRIGGERED_READS = 3
"""A triggered task announces no next run, so it is read this often within one `refresh`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of one task has come.

    `read_at` is the last successful read of its records, `read_entry` its list entry at that read;
    `retry_at` the end of the back-off after a failed one. `last_start` (epoch seconds, 0 for none) is the
    newest start in its records. `uncovered`: a run is due by the schedule that no record covers.
    `overdue`: the oldest run in progress is past its `max_duration`. `phase` (0 to 1) is its turn in
    `refresh`.
    """

    first_seen: float
    phase: float
    read_at: float | None = None
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
    """A read to make: why, and by when (reads are made in this order)."""

    reason: Reason
    deadline: float


def due(progress: Progress, entry: Task | None, *, now: float, moment: float, polling: Polling) -> Due | None:
    """Return whether the task's records are to be read at `moment`.

    `entry` is the task's place in the list, None where the list cannot be read or does not hold it.
    """
    if progress.retry_at is not None:
        return Due("retry", progress.retry_at) if moment >= progress.retry_at else None
    if progress.read_at is None:
        return Due("new", progress.first_seen + polling.refresh)
    reason = _reason(progress, entry, now)
    if reason:
        return Due(reason, progress.read_at + polling.interval)
    return _in_turn(progress, progress.read_at, moment, polling)


def _in_turn(progress: Progress, read_at: float, moment: float, polling: Polling) -> Due | None:
    cadence = max(polling.interval, polling.refresh / _TRIGGERED_READS)
    if progress.triggered and moment + polling.interval / 2 >= read_at + cadence:
        return Due("triggered", read_at + cadence)
    if moment + polling.interval > _next_turn(progress, read_at, polling):
        return Due("refresh", read_at + polling.refresh)
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
    """Whether the run that the list announced is due and not among the records."""
    return entry.next_run is not None and last_start + EARLY_START_SECONDS < entry.next_run <= now


def _signal(entry: Task | None) -> tuple[object, ...] | None:
    """What of a list entry tells that a run has started, ended or been moved."""
    return (entry.last_status, entry.next_run, entry.enabled) if entry else None


def _next_turn(progress: Progress, read_at: float, polling: Polling) -> float:
    """The latest moment for the next read in turn: the task's own turn (one in each `refresh`), or sooner.

    A read in the last cycle before a turn was that turn's, since the next cycle would have come too late.
    """
    refresh, offset = polling.refresh, progress.phase * polling.refresh
    turn = (math.floor((read_at + polling.interval - offset) / refresh) + 1) * refresh + offset
    return min(turn, read_at + refresh)
