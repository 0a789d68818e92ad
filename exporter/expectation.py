"""When a task should have run: the oldest occurrence that is due and that no run covers.

Three questions are kept apart. Which occurrences are there? (`exporter.recurrence`; where the schedule cannot
be read, the `next_execution_time`s that were seen and fell due.) Which of them count? Only those that the
task was known before, and those after it was last seen disabled or edited: what this process saw is a small
value, `Memory`, folded from one observation to the next by `observe`. Which are covered? A run covers every
occurrence up to a minute after its start; so what the newest start does not cover, no older run does, and
that one number stands for all runs, finished or in progress: a run in progress has started, and lateness, not
success, is the question here.

Where the clock is changed an occurrence has two readings. The later one is expected, the earlier one may be
covered. `Expected.at` is chosen so that, whatever the reading, the occurrence is covered if and only if the
newest start plus a minute reaches `at`: an alert needs no more than the two numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.recurrence import EveryDays, Occurrence, Plan, latest, occurrences
from exporter.schedule import EARLY_START_SECONDS, ScheduleError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from exporter.records import Schedule, Task

_MOST_FALLEN = 64
"""Remembered next_execution_times: the oldest and the newest matter, the rest are for runs in between."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What this process has seen of one task; times in epoch seconds.

    `known_since` is when it first saw the task, `only_after` when it last saw an edited schedule, or the task
    enabled again. `plan` is the last schedule that could be read; while `problem` is not empty the newest one
    could not, and `next_run` alone is known. `fallen` are the next runs that fell due before upstream moved
    on, `anchor` the last one upstream named, `last_start` the newest start ever read. The fields `enabled`,
    `scheduled_type` and `expires` are the list's last word; None and "" where it never had one.
    """

    known_since: float
    only_after: float = -math.inf
    enabled: bool | None = None
    scheduled_type: str = ""
    expires: float | None = None
    next_run: float | None = None
    anchor: float | None = None
    fallen: tuple[float, ...] = ()
    last_start: float | None = None
    plan: Plan | None = None
    problem: str = ""

    @property
    def plan_in_force(self) -> Plan | None:
        """The plan, unless the newest schedule could not be read."""
        return None if self.problem else self.plan

    @property
    def expects(self) -> bool:
        """Whether the task may have occurrences: not switched off, nor triggered by what the list says."""
        return self.enabled is not False and self.scheduled_type.strip().upper() != "LIFE_CYCLE"


@dataclass(frozen=True, slots=True)
class Expected:
    """The value of `workspace_task_expected_run_timestamp_seconds` and what it rests on."""

    at: float
    """Epoch seconds: the expected (later) reading; the earlier one where a run has covered only that."""
    covered: bool
    occurrence: Occurrence


def observe(
    memory: Memory | None,
    *,
    now: float,
    task: Task | None = None,
    schedule: Schedule | None = None,
    zone: tzinfo | None = None,
    last_start: float | None = None,
) -> Memory:
    """Fold what is known of a task at `now` (epoch seconds) into what was seen before.

    `task` is its entry of the list, None while listing is forbidden; `schedule` the cached ShowScheduledTasks
    answer, None without that permission, and `zone` its time zone, None if that is unknown; `last_start` the
    newest start of any run, finished or in progress. A None tells nothing and undoes nothing. The same
    observation twice changes nothing, so that it may be folded as often as is convenient.
    """
    seen = memory or Memory(known_since=now)
    if task is not None:
        seen = _fold_task(seen, task, now)
    if last_start is not None and last_start <= now:
        newest = last_start if seen.last_start is None else max(last_start, seen.last_start)
        uncovered = tuple(moment for moment in seen.fallen if not _reaches(newest, moment))
        seen = replace(seen, last_start=newest, fallen=uncovered or seen.fallen[-1:])
    if schedule is not None:
        seen = _fold_schedule(seen, schedule, zone, now)
    return seen


def expected_run(memory: Memory, *, last_start: float | None, now: float) -> Expected | None:
    """Return the oldest occurrence due at `now` that no run covers, or else the newest one due.

    `last_start` is the newest start of any run in the readable history, None only when that was read and is
    empty. None: nothing is expected (triggered, disabled, not yet due) or nothing that counts is known.
    """
    if not memory.expects:
        return None
    horizon = _horizon(memory, now)
    missed = _oldest_uncovered(memory, last_start, horizon)
    if missed is not None:
        return Expected(missed.expected, covered=False, occurrence=missed)
    newest = _newest(memory, horizon)
    if newest is None or last_start is None or newest.earliest <= memory.only_after:
        return None
    for at in (newest.expected, newest.earliest):
        if _reaches(last_start, at):
            return Expected(at, covered=True, occurrence=newest)
    return None  # the run that covered it is no longer in the history


def next_change(memory: Memory, *, last_start: float | None, now: float) -> float | None:
    """Return when, after `now`, the answer of `expected_run` may next change though nothing is observed.

    That is the next occurrence to fall due before the task expires. None while one is missed, for the oldest
    stays the oldest, and where nothing is expected.
    """
    if not memory.expects:
        return None
    expected = expected_run(memory, last_start=last_start, now=now)
    if expected is not None and not expected.covered:
        return None
    coming = next(_occurrences(memory, now, _horizon(memory, math.inf)), None)
    return None if coming is None else coming.expected


def contradicts(memory: Memory) -> bool:
    """Tell whether upstream's own next run is none of the plan's occurrences, give or take a minute.

    Then the plan is out of date, or the schedule does not mean what the API document is taken to say, and
    the expected run rests on sand: worth a word wherever it is shown.
    """
    plan, moment = memory.plan_in_force, memory.next_run
    if plan is None or moment is None or not memory.expects:
        return False
    slack, longest_fold = EARLY_START_SECONDS, 86_400.0
    near = occurrences(plan, moment - slack - 1, moment + slack + longest_fold)
    readings = (reading for each in near for reading in (each.earliest, each.expected))
    return all(abs(reading - moment) > slack for reading in readings)


def _reaches(start: float, moment: float) -> bool:
    """Tell whether a run that started at `start` covers an occurrence at `moment`."""
    return moment <= start + EARLY_START_SECONDS


def _horizon(memory: Memory, now: float) -> float:
    """Return `now`, or the moment of expiry if that is past; the list's word on it is the fresher one."""
    expires = memory.expires
    if expires is None and memory.plan is not None:
        expires = memory.plan.expires
    return now if expires is None else min(now, expires)


def _oldest_uncovered(memory: Memory, last_start: float | None, horizon: float) -> Occurrence | None:
    """Return the first occurrence up to `horizon` that counts and that no run, now or ever read, covers."""
    starts = [start for start in (last_start, memory.last_start) if start is not None]
    known = max(starts) + EARLY_START_SECONDS if starts else memory.known_since
    floor = max(known, memory.only_after)
    later = _occurrences(memory, floor, horizon)
    return next((occurrence for occurrence in later if occurrence.earliest > floor), None)


def _occurrences(memory: Memory, after: float, until: float) -> Iterator[Occurrence]:
    """Yield the occurrences known of the task with `after < expected <= until`, in order."""
    plan = memory.plan_in_force
    if plan is not None:
        yield from occurrences(plan, after, until)
    else:
        yield from (Occurrence(moment, moment) for moment in _next_runs(memory) if after < moment <= until)


def _newest(memory: Memory, horizon: float) -> Occurrence | None:
    """Return the newest occurrence due at `horizon`."""
    plan = memory.plan_in_force
    if plan is not None:
        return latest(plan, horizon)
    due = [moment for moment in _next_runs(memory) if moment <= horizon]
    return Occurrence(due[-1], due[-1]) if due else None


def _next_runs(memory: Memory) -> tuple[float, ...]:
    """Return what the list alone tells of occurrences: the next runs that it has named, in order."""
    named = {*memory.fallen} if memory.next_run is None else {*memory.fallen, memory.next_run}
    return tuple(sorted(named))


def _fold_task(seen: Memory, task: Task, now: float) -> Memory:
    """Fold one entry of the list."""
    only_after, fallen = seen.only_after, seen.fallen
    if seen.enabled is False and task.enabled:
        only_after = now
    if seen.next_run is not None and task.next_run != seen.next_run:
        if _reaches(now, seen.next_run):
            fallen = tuple(sorted({*fallen, seen.next_run}))
        elif seen.plan_in_force is None:
            only_after = now  # moved before it fell due: the only sign of an edited schedule there is here
    return replace(
        seen,
        only_after=only_after,
        enabled=seen.enabled if task.enabled is None else task.enabled,
        scheduled_type=task.scheduled_type or seen.scheduled_type,
        expires=task.expires,
        next_run=task.next_run,
        anchor=seen.anchor if task.next_run is None else task.next_run,
        fallen=(*fallen[: _MOST_FALLEN - 1], *fallen[-1:]) if len(fallen) > _MOST_FALLEN else fallen,
    )


def _fold_schedule(seen: Memory, schedule: Schedule, zone: tzinfo | None, now: float) -> Memory:
    """Fold a ShowScheduledTasks answer; one that cannot be read leaves the last plan for comparison."""
    if zone is None:
        return replace(seen, problem=str(ScheduleError("time_zone", "is not known")))
    try:
        plan = parse(schedule, zone, next_run=seen.anchor, last_start=seen.last_start)
    except ScheduleError as error:
        return replace(seen, problem=str(error))
    if seen.expires is not None:
        plan = replace(plan, expires=seen.expires)
    edited = seen.plan is not None and _differ(seen.plan, plan)
    return replace(seen, plan=plan, problem="", only_after=now if edited else seen.only_after)


def _differ(old: Plan, new: Plan) -> bool:
    """Tell an edited schedule; days that were only inferred from a run are no statement of upstream's."""
    rules = (old.rule, new.rule)
    if any(isinstance(rule, EveryDays) and (rule.inferred or rule.phase is None) for rule in rules):
        old, new = _without_phase(old), _without_phase(new)
    return old != new


def _without_phase(plan: Plan) -> Plan:
    """Return the plan with its interval only, whichever days it falls on."""
    if not isinstance(plan.rule, EveryDays):
        return plan
    return replace(plan, rule=EveryDays(plan.rule.interval, None))
