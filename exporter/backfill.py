"""What the live exporter would have shown of a task at a past moment, drawn from its records. Pure.

A value at a moment rests on nothing that came later: a run that had not ended by then was in progress, and of
the runs that had started by then the newest `polling.history` count, as they would have live. What the runs
mean is decided where it always is (`history`, `details`, `expectation`), so the past and the present agree.

A record has no end (api_facts.md, section 0): it is that of the run's last desktop. Of a finished run whose
desktops tell none, only the start is known, so it counts as finished from its start: to show it in progress
for a time that nobody knows would be made up, and could look like a stuck run.

Today's name, thresholds, schedule and words of `statuses` are taken to have held all along. Whether a task
was switched on, or existed without running, no record tells: its samples begin one step before its first run,
and a task that is switched off now is expected to run no later than it last did.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import accumulate

from exporter import expectation
from exporter.config import Config
from exporter.details import RunDetails
from exporter.expectation import Memory
from exporter.history import RUN_STATUSES, History, Run, runs_of, summarize
from exporter.records import Record, Schedule, Task
from exporter.recurrence import occurrences, period_seconds
from exporter.selection import Selected
from exporter.state import Counts, TaskState
from exporter.timestamps import parse_zone, zone_of

LOOK_BACK_SECONDS = 300
"""Prometheus' default look-back: a series with no sample for so long is gone (`--query.lookback-delta`)."""
_BEFORE_SECONDS = 86_400.0
"""So long before the first moment wanted a run may have started and still be in progress then."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run and when it ended (epoch seconds); None while it is in progress."""

    run: Run
    end: float | None
    details: RunDetails | None = None


@dataclass(frozen=True, slots=True)
class TaskPast:
    """Everything that upstream tells of one task; `runs` in order, oldest first.

    `grace` and `max_duration` are in seconds, `listing` and `schedule` are today's answers (None: not read).
    """

    project: str
    task_id: str
    name: str
    project_id: str
    grace: float
    max_duration: float
    listing: Task | None
    schedule: Schedule | None
    runs: tuple[PastRun, ...]


def past_of(
    selected: Selected,
    config: Config,
    *,
    project: str,
    project_id: str,
    schedule: Schedule | None,
    records: Iterable[Record],
    details: Mapping[str, RunDetails],
    now: float,
) -> TaskPast:
    """Return a task's past from what was read of it at `now`; `details` are its runs' by record id."""
    own, listing = selected.config, selected.listing
    grace, limit = (own.grace, own.max_duration) if own else (None, None)
    name = (own and own.name) or (listing and listing.name) or (schedule and schedule.name)
    runs = runs_of(records, config.statuses)
    return TaskPast(
        project=project,
        task_id=selected.task_id,
        name=name or selected.task_id,
        project_id=project_id,
        grace=config.defaults.grace if grace is None else grace,
        max_duration=config.defaults.max_duration if limit is None else limit,
        listing=listing,
        schedule=schedule,
        runs=tuple(_past_run(run, details.get(run.record.id), now) for run in runs),
    )


def details_worth_reading(runs: list[Run], since: float, until: float, max_duration: float) -> list[Record]:
    """Return the finished runs whose desktops matter between two moments, oldest first.

    Those that started in between, or so shortly before that they may have ended in between; and the one
    before these, which is the last run at the beginning.
    """
    finished = [run.record for run in runs if run.status is not None and run.record.start < until]
    since -= max(max_duration, _BEFORE_SECONDS)
    first = next((place for place, record in enumerate(finished) if record.start >= since), len(finished))
    return finished[max(first - 1, 0) :]


class Replay:
    """A task's past, to be asked for its state at any moment.

    `window` is `polling.history`; `zone` that of a schedule which names none; finished runs are counted from
    `counted_from` on (epoch seconds), as by an exporter that was started then.
    """

    def __init__(self, past: TaskPast, *, window: int, zone: tzinfo, counted_from: float) -> None:
        self._past = past
        self._window = window
        self._starts = [each.run.record.start for each in past.runs]
        self._ends = sorted(past.runs, key=_end)
        self._totals = list(accumulate(map(_count, self._ends), _add, initial=Counts()))
        self._end_times = [_end(each) for each in self._ends]
        self._counted_from = counted_from
        self._memory = self._remember(zone)
        plan = self._memory.plan_in_force
        self._period = period_seconds(plan) if plan else None
        self._listing = past.listing and replace(past.listing, enabled=None, next_run=None)

    @property
    def first_start(self) -> float:
        """The start of the first readable run; infinity where there is none."""
        return self._starts[0] if self._starts else math.inf

    def state_at(self, moment: float) -> TaskState:
        """Return what was known of the task at that moment (epoch seconds)."""
        started = self._started(moment)
        runs = [_as_of(each, moment) for each in started]
        history = summarize(runs, total=bisect_right(self._starts, moment), truncated=False)
        last = history.last.record.id if history.last else None
        past = self._past
        return TaskState(
            project=past.project,
            task_id=past.task_id,
            name=past.name,
            project_id=past.project_id,
            grace=past.grace,
            max_duration=past.max_duration,
            listing=self._listing,
            schedule=past.schedule,
            history=history,
            details=next((each.details for each in reversed(started) if each.run.record.id == last), None),
            expected_run=self._expected(history, moment),
            schedule_period=self._period,
            counts=self._counts(moment),
        )

    def changes(self, after: float, until: float) -> list[int]:
        """Return the whole seconds in `after < second < until` from which the state may be another."""
        plan = self._memory.plan_in_force
        due = occurrences(plan, after, until) if plan else ()
        moments = (*_between(self._starts, after, until), *_between(self._end_times, after, until))
        seconds = {math.ceil(each) for each in (*moments, *(each.expected for each in due))}
        return sorted(each for each in seconds if each < until)

    def _started(self, moment: float) -> tuple[PastRun, ...]:
        """The runs in the exporter's window at that moment."""
        end = bisect_right(self._starts, moment)
        return self._past.runs[max(end - self._window, 0) : end]

    def _expected(self, history: History, moment: float) -> float | None:
        newest = self._starts[-1] if self._starts else -math.inf
        switched_off = self._past.listing is not None and self._past.listing.enabled is False
        if switched_off and moment > newest:
            return None
        last_start = history.last_start or None
        memory = replace(self._memory, last_start=last_start)
        expected = expectation.expected_run(memory, last_start=last_start, now=moment)
        return expected.at if expected else None

    def _counts(self, moment: float) -> Counts:
        moments = max(moment, self._counted_from), self._counted_from
        now, before = (self._totals[bisect_right(self._end_times, each)] for each in moments)
        return _subtract(now, before)

    def _remember(self, zone: tzinfo) -> Memory:
        """What is known of the schedule; its days may follow from the next run, or else the newest one."""
        past = self._past
        listing = past.listing and replace(past.listing, enabled=None)
        named = (past.schedule.time_zone if past.schedule else "") or (listing.time_zone if listing else "")
        newest = self._starts[-1] if self._starts else None
        memory = expectation.observe(
            None,
            now=math.inf,
            task=listing,
            schedule=past.schedule,
            zone=zone_of(named, zone),
            last_start=newest,
        )
        return replace(memory, known_since=self.first_start, next_run=None)


def replay(past: TaskPast, config: Config, counted_from: float) -> Replay:
    """Return a task's past as an exporter with this configuration would have seen it."""
    return Replay(
        past,
        window=config.polling.history,
        zone=parse_zone(config.time_zone),
        counted_from=counted_from,
    )


def _past_run(run: Run, details: RunDetails | None, now: float) -> PastRun:
    """A desktop that is said to end in the future ends now at the latest: its run has finished."""
    if run.status is None:
        return PastRun(run, None)
    start = run.record.start
    duration = details.duration if details and details.duration is not None else 0.0
    return PastRun(run, max(min(start + duration, now), start), details)


def _as_of(past: PastRun, moment: float) -> Run:
    ended = past.end is not None and past.end <= moment
    return past.run if ended else replace(past.run, status=None)


def _end(past: PastRun) -> float:
    return math.inf if past.end is None else past.end


def _count(past: PastRun) -> Counts:
    record = past.run.record
    return Counts(
        tuple(int(status == past.run.status) for status in RUN_STATUSES),
        (record.success_num or 0, record.failed_num or 0, record.skip_num or 0),
    )


def _add(one: Counts, two: Counts) -> Counts:
    return Counts(_sums(one.runs, two.runs), _sums(one.desktops, two.desktops))


def _subtract(one: Counts, two: Counts) -> Counts:
    return Counts(_sums(one.runs, two.runs, -1), _sums(one.desktops, two.desktops, -1))


def _sums(one: tuple[int, ...], two: tuple[int, ...], sign: int = 1) -> tuple[int, ...]:
    return tuple(a + sign * b for a, b in zip(one, two, strict=True))


def _between(moments: list[float], after: float, until: float) -> list[float]:
    return moments[bisect_right(moments, after) : bisect_right(moments, until)]
