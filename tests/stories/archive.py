"""A whole year of a scripted world, worked out beforehand, behind the poller's protocol.

Rows of tasks change at a few thousand instants each, so they are made there and kept in between; nothing is
encoded. Of the requests a share fails, and the client's own rules of retrying (`exporter.upstream.retries`)
tell which of those failures the poller gets to see.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable

from exporter.decode import Page
from exporter.errors import Answer, ApiError, BodyError, NotFoundError, StatusError, TransportError
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.simulator.runs import Run
from exporter.upstream.retries import cost, retry_delay
from tests.stories.lifetimes import Lifetime

_MALFORMED, _TIMED_OUT = 0.2, 0.5
"""The shares of the errors that are not worth a retry, and that are worth one only; the rest is a 502."""


class _Entry:
    """One task: the instants at which its row changes, and what is answered between two of them."""

    def __init__(self, life: Lifetime) -> None:
        self.life = life
        dues = [run.due for run in life.runs if run.due is not None]
        ends = [run.end for run in life.runs if run.end is not None]
        self._instants = sorted({*dues, *ends, *life.misses, *(change.at for change in life.changes)})
        self._row: tuple[int, Task] | None = None
        self._records: dict[tuple[str, bool], Record] = {}

    def row(self, now: float) -> Task:
        """Return the entry of the list."""
        place = bisect_right(self._instants, now)
        if self._row is None or self._row[0] != place:
            self._row = place, self._make(now)
        return self._row[1]

    def _make(self, now: float) -> Task:
        chapter = self.life.chapter(now)
        finished = [run for run in self.life.started(now) if run.finished(now)]
        due = self.life.task.timeline.upcoming(now)
        return Task(
            id=self.life.task.id,
            name=chapter.name,
            task_type=self.life.task.task_type,
            scheduled_type=chapter.plan.scheduled_type,
            life_cycle_type=chapter.plan.life_cycle_type,
            time_zone=chapter.plan.time_zone,
            last_status=finished[-1].status if finished else "",
            enabled=chapter.enabled,
            next_run=None if due is None else float(due),
            expires=None if chapter.plan.expires is None else float(chapter.plan.expires),
        )

    def records(self, now: float) -> list[Record]:
        """Return the records that are kept, newest first."""
        return [self._record(run, over=run.finished(now)) for run in reversed(self.life.started(now))]

    def _record(self, run: Run, *, over: bool) -> Record:
        record = self._records.get((run.id, over))
        if record is None:
            record = Record(run.id, float(run.start), "RUNNING")
            if over:
                record = Record(run.id, float(run.start), run.status, run.success, run.failed, run.skipped)
            self._records[run.id, over] = record
        return record

    def schedule(self, now: float) -> Schedule:
        """Return the answer of ShowScheduledTasks."""
        plan = self.life.chapter(now).plan
        return Schedule(
            scheduled_type=plan.scheduled_type,
            time_zone=plan.time_zone,
            scheduled_time=plan.scheduled_time,
            scheduled_date=plan.scheduled_date,
            day_interval=plan.day_interval,
            week_list=plan.week_list,
            month_list=plan.month_list,
            date_list=plan.date_list,
            expires=plan.expires,
        )


class Archive:
    """Implements `exporter.poller.Upstream`; `errors` is the share of the requests that fail."""

    project_id = "archive"
    auth_ok = True
    token_expiry: tuple[str, float] | None = None
    clock_skew: float | None = None

    def __init__(
        self, lives: Iterable[Lifetime], now: Callable[[], float], *, errors: float, seed: int
    ) -> None:
        self._now = now
        self._errors = errors
        self._chance = random.Random(seed)
        self._entries = {life.task.id: _Entry(life) for life in lives}
        self._shown: tuple[float, tuple[list[Task], list[Task]]] | None = None
        self.requests = self.broken = 0
        self.failed: Counter[str] = Counter()
        """Requests, those of them that failed, and the calls that the poller saw fail, by operation."""

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        """Answer a page of the list."""
        self._ask("list_tasks")
        rows = self._lists(self._now())[life_cycle]
        page = tuple(rows[offset : offset + limit])
        return Page(page, len(page), len(rows), Counter())

    async def show_task(self, task_id: str) -> Schedule:
        """Answer a schedule."""
        self._ask("show_task")
        return self._existing(task_id).schedule(self._now())

    async def list_records(self, task_id: str, offset: int, limit: int) -> Page[Record]:
        """Answer a page of the runs."""
        self._ask("list_records")
        records = self._existing(task_id).records(self._now())
        page = tuple(records[offset : offset + limit])
        return Page(page, len(page), len(records), Counter())

    async def list_record_details(
        self, task_id: str, record_id: str, offset: int, limit: int
    ) -> Page[RecordDetail]:
        """Nobody asks: details are switched off."""
        raise AssertionError((task_id, record_id, offset, limit))

    async def aclose(self) -> None:
        """Nothing is open."""

    def _lists(self, now: float) -> tuple[list[Task], list[Task]]:
        """Return the timed and the triggered tasks; all pages of a cycle are of the same instant."""
        if self._shown is None or self._shown[0] != now:
            rows = [entry.row(now) for entry in self._entries.values() if entry.life.exists(now)]
            triggered = [row for row in rows if row.scheduled_type == "LIFE_CYCLE"]
            self._shown = now, ([row for row in rows if row.scheduled_type != "LIFE_CYCLE"], triggered)
        return self._shown[1]

    def _existing(self, task_id: str) -> _Entry:
        entry = self._entries[task_id]
        if not entry.life.exists(self._now()):
            answer = Answer(status=404, message="The scheduled task does not exist")
            raise NotFoundError("does not exist", label="404", answer=answer)
        return entry

    def _ask(self, operation: str) -> None:
        """Send a request until it succeeds or is given up, as the client does."""
        attempts = spent = 0
        while True:
            self.requests += 1
            if self._chance.random() >= self._errors:
                return
            self.broken += 1
            error = self._error()
            attempts, spent = attempts + 1, spent + cost(error)
            if retry_delay(error, attempts, spent, 0.5) is None:
                self.failed[operation] += 1
                raise error

    def _error(self) -> ApiError:
        kind = self._chance.random()
        if kind < _MALFORMED:
            return BodyError("the answer is not JSON", label="body")
        if kind < _MALFORMED + _TIMED_OUT:
            return TransportError("no complete answer", label="timeout")
        return StatusError("the service failed", label="502", answer=Answer(status=502))
