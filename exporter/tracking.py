"""One task as this process follows it: every observation folded into its state.

This file owns the life of a task between two reads. What is observed comes in through the methods named
after it (`listed`, `records`, `records_failed`, …) with the clock's time as an argument; what is known comes
out as a TaskState. The decisions themselves are made elsewhere: history, counting, expectation, polling.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import tzinfo

from exporter import counting, expectation, polling, window
from exporter.config import Config, TaskConfig
from exporter.counting import Met
from exporter.details import RunDetails, summarize_details
from exporter.doubt import in_doubt
from exporter.errors import ApiError
from exporter.expectation import Memory
from exporter.history import History, Run, runs_of, summarize
from exporter.paging import Read
from exporter.polling import Due, Progress
from exporter.records import TASK_ID, Record, RecordDetail, Schedule, Task
from exporter.recurrence import period_seconds
from exporter.schedule import EARLY_START_SECONDS
from exporter.state import Counts, TaskState
from exporter.timestamps import parse_zone, zone_of

_EVENTS = Schedule(scheduled_type="LIFE_CYCLE", time_zone="UTC")
"""The schedule of every triggered task: none."""


class TrackedTask:
    """What is known of one task. Wall-clock times are epoch seconds (`now`), moments monotonic seconds."""

    def __init__(
        self,
        project: str,
        task_id: str,
        own: TaskConfig | None,
        config: Config,
        *,
        now: float,
        moment: float,
        met: Met | None = None,
    ) -> None:
        self._config = config
        self._own = own
        self._new = False
        self._met = met
        self._memory = expectation.observe(None, now=now)
        self._progress = Progress(first_seen=moment, phase=polling.phase_of(f"{project}\0{task_id}"))
        self._failures = 0
        self._attempted_at = -math.inf
        self._not_before = -math.inf
        self._history: History | None = None
        self._kept: list[Run] = []
        self._details_of: Record | None = None
        self._details: RunDetails | None = None
        self._schedule_in_doubt = True
        self._schedule_at = -math.inf
        self._reckoned_from: tuple[Memory, float | None] | None = None
        self._reckoned_at = math.inf
        self._reckoned: tuple[float | None, float] = (None, math.inf)
        self.next_change = math.inf
        """When the state changes by itself: data becomes too old, or a run falls due (epoch seconds)."""
        self.key = (project, task_id)
        self._last_poll: float | None = None
        self._state = TaskState(
            project=project,
            task_id=task_id,
            name=task_id,
            project_id="",
            grace=_chosen(own.grace if own else None, config.defaults.grace),
            max_duration=_chosen(own.max_duration if own else None, config.defaults.max_duration),
            counts=met.counts if met else Counts(),
        )

    @property
    def state(self) -> TaskState:
        """What is known. Most tasks are only confirmed in a cycle: of those it is made when looked at."""
        if self._state.last_poll != self._last_poll:
            self._state = replace(self._state, last_poll=self._last_poll)
        return self._state

    # What is wanted

    def due(self, *, now: float, moment: float) -> Due | None:
        """Whether its records are to be read, why and by when."""
        uncovered = self._uncovered(now)
        if uncovered != self._progress.uncovered:
            self._progress = replace(self._progress, uncovered=uncovered)
        return polling.due(
            self._progress, self._state.listing, now=now, moment=moment, polling=self._config.polling
        )

    def sweep_rank(self, now: float) -> tuple[bool, float]:
        """The place among new tasks: what the list calls failed first, then the nearest next run."""
        entry = self.state.listing
        failed = entry is not None and self._config.statuses.class_of(entry.last_status) == "failed"
        return polling.first_sweep_rank(entry, failed, now)

    def back_to(self, due: Due) -> float | None:
        """How far back a read needs to go (epoch seconds); None for the whole window of `history`."""
        return None if due.whole else window.back_to(self._kept)

    @property
    def met(self) -> Met | None:
        """The runs already counted, for the case that the task comes back."""
        return self._met

    @property
    def withdrawn(self) -> bool:
        """Whether nothing is shown of its records: they were never read, or too long ago."""
        return self._state.history is None

    @property
    def failing(self) -> bool:
        """Whether the last read of its records failed."""
        return self._failures > 0

    def probe_rank(self, moment: float) -> float | None:
        """Since when its records have not been tried, where they may be although their back-off lasts."""
        waits = self.failing and self._attempted_at < moment and self._not_before <= moment
        return self._attempted_at if waits else None

    @property
    def triggered(self) -> bool:
        """Whether events start it, not the clock."""
        return self._state.scheduled_type.strip().upper() == "LIFE_CYCLE"

    @property
    def schedule_wanted(self) -> bool:
        """Whether the schedule is to be read: never read, or the list shows what it does not say.

        A task that the list calls triggered has none.
        """
        if not self._schedule_in_doubt or self._state.found is False:
            return False
        return not (self.triggered and self._state.listing is not None)

    @property
    def details_wanted(self) -> Record | None:
        """The finished run whose desktops are to be read, if any; none whose id could not stand in a path."""
        last = self._history.last if self._history else None
        if not self._config.polling.details or last is None or last.record == self._details_of:
            return None
        return last.record if TASK_ID.fullmatch(last.record.id) else None

    # What is observed

    def listed(self, entry: Task, *, project_id: str, now: float, new: bool) -> bool:
        """The project's list holds the task; `new` where an earlier list did not.

        Returns whether that changed anything.
        """
        self._new |= new
        before = self._state.listing
        changed = entry != before
        if self._state.found is False:
            self._forget()
        if changed:
            self._change(listing=entry, found=True, project_id=project_id)
            if self.triggered:  # there is nothing to read, and no schedule of before that still holds
                self._change(schedule=None, schedule_period=None)
            schedule = _EVENTS if self.triggered else self.state.schedule
            zone = self._zone(schedule) if schedule else None
            plan = self._memory.plan
            self._memory = expectation.observe(
                self._memory, now=now, task=entry, schedule=schedule, zone=zone
            )
            # An interval whose days the next run has moved may be no longer the same interval.
            self._schedule_in_doubt |= plan != self._memory.plan
            self._schedule_in_doubt |= before is None or in_doubt(self._memory, before, entry, now)
            self._derive(now)
        return changed

    def unlisted(self, *, project_id: str, now: float) -> bool:
        """The list cannot be read, or does not hold the task: only its records can tell whether it exists.

        Nothing shows an edited schedule then, so it is read again once in each `refresh`.
        Returns whether that changed anything.
        """
        self._schedule_in_doubt |= now >= self._schedule_at + self._config.polling.refresh
        changed = self._state.listing is not None or self._state.project_id != project_id
        if changed:
            self._set(now, listing=None, project_id=project_id)
        return changed

    def unchanged(self, due: Due | None, now: float) -> bool:
        """The list was read and may show that the runs are still current; returns whether it does."""
        known = self._progress.read_at is not None and not self.failing and self._state.listing is not None
        if not known or (due and due.reason not in {"refresh", "triggered"}):
            return False
        self._last_poll = now
        if self._state.history is None:
            self._derive(now)
        return True

    def records(self, read: Read[Record], back_to: float | None, *, now: float, moment: float) -> None:
        """Its records were read: all of the window, or those from `back_to` on.

        `moment` is that at which the read was decided on.
        """
        size = self._config.polling.history
        fresh = runs_of([*read.items, *read.repeats], self._config.statuses)
        runs = window.merge(self._kept, fresh, back_to, size)
        self._met = counting.meet(self._met, runs, window=size, truncated=read.truncated, new_task=self._new)
        self._kept = window.keep(runs, size)
        self._history = summarize(runs, total=read.total, truncated=read.truncated)
        self._failures = 0
        newest_in_progress = max((run.record.start for run in runs if run.status is None), default=0.0)
        self._progress = replace(
            self._progress,
            read_at=moment,
            whole_at=moment if back_to is None else self._progress.whole_at,
            read_entry=self.state.listing,
            retry_at=None,
            last_start=self._history.last_start,
            running=self._history.running > 0,
            overdue=newest_in_progress < now - self._state.max_duration,
            triggered=self.triggered,
            found=True,
        )
        self._memory = expectation.observe(self._memory, now=now, last_start=self._last_start)
        self._set(now, found=True, counts=self._met.counts, last_poll=now, poll_ok=True, poll_error=None)

    def records_failed(self, error: ApiError, *, now: float, moment: float) -> None:
        """Its records could not be read: what is known stays, and the next attempt comes later each time."""
        self._failures += 1
        self._attempted_at, self._not_before = moment, moment + (error.retry_after or 0.0)
        back_off = moment + polling.back_off(self._failures, self._config.polling)
        self._progress = replace(self._progress, retry_at=max(back_off, self._not_before))
        self._set(now, poll_ok=False, poll_error=error)

    def missing(self, *, now: float, moment: float) -> None:
        """Upstream says that it does not exist."""
        self._forget()
        self._failures = 0
        self._progress = replace(self._progress, read_at=moment, whole_at=moment, retry_at=None, found=False)
        self._set(now, found=False, poll_ok=True, poll_error=None)

    def schedule_read(self, schedule: Schedule, *, now: float) -> None:
        """Its schedule was read."""
        self._schedule_in_doubt, self._schedule_at = False, now
        zone = self._zone(schedule)
        self._memory = expectation.observe(self._memory, now=now, schedule=schedule, zone=zone)
        plan = self._memory.plan_in_force
        period = period_seconds(plan) if plan else None
        self._set(now, schedule=schedule, schedule_period=period, name=schedule.name or self.state.name)

    def details_read(self, record: Record, details: list[RecordDetail], *, now: float) -> None:
        """The desktops of `record`'s run were read."""
        self._details_of = record
        self._details = summarize_details(record, details, self._config.statuses)
        self._set(now)

    def advance(self, now: float) -> bool:
        """Let the clock pass; returns whether the state is another."""
        before = self.state
        self._derive(now)
        return self.state != before

    # How it fits together

    @property
    def _last_start(self) -> float | None:
        return (self._history.last_start or None) if self._history else None

    def _uncovered(self, now: float) -> bool:
        """Whether a run is due that no record covers, also while that is not shown because it is too old."""
        expected = self._state.expected_run
        if self._history is not None and self._state.history is None:
            missed = expectation.expected_run(self._memory, last_start=self._last_start, now=now)
            expected = missed.at if missed else None
        return expected is not None and expected > (self._last_start or 0.0) + EARLY_START_SECONDS

    def _zone(self, schedule: Schedule) -> tzinfo | None:
        listed = self.state.listing.time_zone if self.state.listing else ""
        return zone_of(schedule.time_zone or listed, parse_zone(self._config.time_zone))

    def _forget(self) -> None:
        """The task is gone, or back as another: of its runs only those counted are remembered."""
        self._history = self._details_of = self._details = None
        self._kept = []
        self._progress = replace(self._progress, read_at=None)
        self._schedule_in_doubt = True
        self._change(listing=None, schedule=None, schedule_period=None, last_poll=None, poll_ok=None)

    def _change(self, **changes: object) -> None:
        self._state = replace(self.state, **changes)  # type: ignore[arg-type]
        self._last_poll = self._state.last_poll

    def _set(self, now: float, **changes: object) -> None:
        self._change(**changes)
        self._derive(now)

    def _derive(self, now: float) -> None:
        """Work out what follows from the observations at `now`, and until when it does."""
        polled, max_age = self._last_poll, self._config.polling.max_age
        current = self._history is not None and polled is not None and now < polled + max_age
        expected = None
        self.next_change = math.inf
        if current and polled is not None:
            expected, until = self._reckon(now)
            self.next_change = min(polled + max_age, until)
        self._change(
            name=self._name(),
            history=self._history if current else None,
            details=self._details if current else None,
            expected_run=expected,
        )

    def _reckon(self, now: float) -> tuple[float | None, float]:
        """Return the expected run and until when it stays; most reads show nothing that changes it."""
        basis = (self._memory, self._last_start)
        if basis != self._reckoned_from or not self._reckoned_at <= now < self._reckoned[1]:
            memory, last_start = basis
            expected = expectation.expected_run(memory, last_start=last_start, now=now)
            change = expectation.next_change(memory, last_start=last_start, now=now)
            self._reckoned = expected.at if expected else None, math.inf if change is None else change
            self._reckoned_from, self._reckoned_at = basis, now
        return self._reckoned

    def _name(self) -> str:
        own = self._own.name if self._own else None
        listed = self.state.listing.name if self.state.listing else ""
        return own or listed or self.state.name


def _chosen(own: float | None, default: float) -> float:
    return default if own is None else own
