"""Whether a task's schedule is to be read again, because the list says something else than it does. Pure.

The list shows no schedule, but its next run, which moves on with each run; so it is only a new one where the
schedule as it was read would have said another.
"""

from __future__ import annotations

from exporter.expectation import Memory, contradicts
from exporter.records import Task
from exporter.recurrence import occurrences
from exporter.schedule import EARLY_START_SECONDS


def in_doubt(memory: Memory, before: Task, entry: Task, now: float) -> bool:
    """Return whether the entry of the list that followed `before` shows an edited schedule.

    `memory` knows the schedule as it was read, and `entry` already; `now` is in epoch seconds.
    """
    if _fields(before) != _fields(entry) or (entry.enabled and not before.enabled):
        return True
    if entry.next_run == before.next_run:
        return False
    if before.next_run is not None and before.next_run > now + EARLY_START_SECONDS:
        return True
    if memory.problem:
        return True
    plan = memory.plan
    if plan is None or entry.next_run is None:
        return False
    left_out = occurrences(plan, now + EARLY_START_SECONDS, entry.next_run - EARLY_START_SECONDS)
    return contradicts(memory) or next(left_out, None) is not None


def _fields(entry: Task) -> tuple[object, ...]:
    return entry.scheduled_type, entry.life_cycle_type, entry.time_zone, entry.expires
