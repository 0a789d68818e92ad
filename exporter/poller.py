"""The loop of one project: list its tasks, read what changed, fold it in, show it; and again, each interval.

Clock, sleep and client are handed in. What is due is decided in `polling`, what it means in `tracking`; here
is the order of a cycle: the list, the records in order of their deadlines, then schedules, then details. A
cycle that cannot finish within its interval leaves the rest to the next one, where it comes first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from exporter.config import Config, Project
from exporter.conversation import converse
from exporter.decode import Page
from exporter.errors import ApiError, CredentialsError, ForbiddenError, NotFoundError
from exporter.fleet import Fleet, Publisher
from exporter.paging import (
    PageRequest,
    all_tasks,
    first_details,
    newest_records,
)
from exporter.polling import Due
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.selection import Shard
from exporter.state import TaskState
from exporter.tracking import TrackedTask

Job = Callable[[], Awaitable[None]]
_LIST_GRACE = 0.5
"""Seconds after the first list at which the project counts as attempted: a first sweep may take long."""
_SHOWN_PROBLEMS = 3


class Upstream(Protocol):
    """The operations of the API that the poller uses; each may raise ApiError."""

    @property
    def project_id(self) -> str:
        """The project's id, empty until it is known."""

    @property
    def auth_ok(self) -> bool:
        """False while the credentials are refused."""

    @property
    def token_expiry(self) -> tuple[str, float] | None:
        """Kind and end (epoch seconds) of the credentials in use."""

    @property
    def clock_skew(self) -> float | None:
        """Upstream's clock less ours, in seconds."""

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        """Read a page of the project's tasks, or of its triggered ones."""

    async def show_task(self, task_id: str) -> Schedule:
        """Read a task's schedule."""

    async def list_records(self, task_id: str, offset: int, limit: int) -> Page[Record]:
        """Read a page of a task's runs."""

    async def list_record_details(
        self, task_id: str, record_id: str, offset: int, limit: int
    ) -> Page[RecordDetail]:
        """Read a page of a run's desktops."""

    async def aclose(self) -> None:
        """Close the connections."""


class Observer(Protocol):
    """Where the poller reports of itself."""

    def started(self, interval: float) -> None:
        """The loop begins."""

    def cycle(self, *, ok: bool, ended: float, seconds: float, tasks: int, overrun: bool) -> None:
        """A cycle has ended (epoch seconds)."""

    def upstream(self, *, auth_ok: bool, expiry: tuple[str, float] | None, skew: float | None) -> None:
        """What the client knows of its credentials and of upstream's clock."""

    def rejected(self, reasons: Mapping[str, int]) -> None:
        """Malformed entries were left out."""


@dataclass(slots=True)
class Cycle:
    """How the last cycle went, for people; times in epoch seconds."""

    started: float
    ended: float | None = None
    problems: list[ApiError] = field(default_factory=list)
    failing_tasks: int = 0
    carried_over: int = 0
    list_forbidden: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything that was to be known is known."""
        return not self.problems and not self.failing_tasks


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, as it is handed in: epoch seconds, monotonic seconds, and a sleep."""

    epoch: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class ProjectPoller:
    """Keeps one project's tasks current; one project's trouble is its own."""

    def __init__(
        self,
        project: Project,
        config: Config,
        *,
        upstream: Upstream,
        publisher: Publisher,
        observer: Observer,
        clocks: Clocks,
        shard: Shard = Shard(),  # noqa: B008 - frozen
        phase: float = 0.0,
    ) -> None:
        self.project = project
        self._settings = config.polling
        self._upstream = upstream
        self._observer = observer
        self._clocks = clocks
        self._phase = phase
        self._fleet = Fleet(project, config, shard, publisher)
        self._log = structlog.get_logger().bind(project=project.name)
        self._first_list: float | None = None
        self.last_cycle: Cycle | None = None
        self.last_success: float | None = None

    @property
    def states(self) -> Iterator[TaskState]:
        """The tasks as they are shown."""
        return (task.state for task in self._fleet)

    @property
    def attempted(self) -> bool:
        """Whether the first attempt upstream has ended, however it ended."""
        if self.last_cycle is not None:
            return True
        return self._first_list is not None and self._clocks.monotonic() - self._first_list >= _LIST_GRACE

    def advance(self) -> None:
        """Let the clock pass, also while a cycle hangs."""
        self._fleet.advance(self._clocks.epoch())

    async def run(self) -> None:
        """Poll until cancelled: at once, and then at the same phase of each interval."""
        interval = self._settings.interval
        self._observer.started(interval)
        started = self._clocks.monotonic()
        await self.cycle()
        wait = (self._phase * interval - self._clocks.epoch()) % interval
        tick = started + (wait or interval)
        while True:
            now = self._clocks.monotonic()
            if now > tick:
                tick += ((now - tick) // interval + 1) * interval
            await self._clocks.sleep(tick - now)
            tick += interval
            await self.cycle()

    async def cycle(self) -> None:
        """Make one cycle; never raises but when cancelled."""
        started = self._clocks.monotonic()
        cycle = Cycle(self._clocks.epoch())
        try:
            await self._poll(cycle, started)
        except CredentialsError as error:
            cycle.problems.append(error)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the watch; it is shown like a failed read
            self._log.exception("a cycle broke off")
            cycle.problems.append(ApiError(f"internal error ({type(error).__name__})", label="internal"))
        self._finish(cycle, self._clocks.monotonic() - started)

    def close(self) -> None:
        """Show none of the project's tasks any more."""
        self._fleet.clear()

    async def _poll(self, cycle: Cycle, started: float) -> None:
        await self._read_list(cycle)
        listed = self._clocks.monotonic()
        self._first_list = self._first_list or listed
        # However long the list took, half an interval is left for what it showed.
        deadline = max(started + self._settings.interval, listed + self._settings.interval / 2)
        await self._read_due(cycle, deadline)
        await self._read_further(cycle, deadline)

    async def _read_list(self, cycle: Cycle) -> None:
        most = self._settings.max_tasks
        try:
            plain, triggered = [
                await converse(all_tasks(most), self._list_page(life_cycle=which), self._tasks_rejected)
                for which in (False, True)
            ]
        except CredentialsError:
            raise
        except ApiError as error:
            self._list_failed(cycle, error)
            return
        complete = not (plain.truncated or triggered.truncated)
        if not complete:
            reason = f"the project has more than max_tasks ({most}) tasks; the rest is not watched"
            cycle.problems.append(ApiError(reason, label="max_tasks", operation="list_tasks"))
        now, moment = self._clocks.epoch(), self._clocks.monotonic()
        self._fleet.list_read(
            [*plain.items, *triggered.items],
            complete=complete,
            project_id=self._upstream.project_id,
            now=now,
            moment=moment,
        )
        self._fleet.confirm(now=now, moment=moment)

    def _list_failed(self, cycle: Cycle, error: ApiError) -> None:
        cycle.list_forbidden = isinstance(error, ForbiddenError)
        if self.project.discovery or not cycle.list_forbidden:
            cycle.problems.append(error)
        self._fleet.list_unavailable(
            forbidden=cycle.list_forbidden,
            project_id=self._upstream.project_id,
            now=self._clocks.epoch(),
            moment=self._clocks.monotonic(),
        )

    async def _read_due(self, cycle: Cycle, deadline: float) -> None:
        due = self._fleet.due(now=self._clocks.epoch(), moment=self._clocks.monotonic())
        if await self._read_all(due, cycle, deadline):
            moment = self._clocks.monotonic()
            recovered = [(task, Due("retry", moment)) for task in self._fleet if task.failing]
            for task, _ in recovered:
                task.retry_now(moment)
            await self._read_all(recovered, cycle, deadline)
        cycle.failing_tasks = sum(task.failing for task in self._fleet)

    async def _read_all(self, due: Iterable[tuple[TrackedTask, Due]], cycle: Cycle, deadline: float) -> bool:
        """Read the records of these tasks; returns whether one that was failing has recovered."""
        recovered = False

        def job(task: TrackedTask, why: Due) -> Job:
            async def read() -> None:
                nonlocal recovered
                failing = task.failing
                await self._read_records(task, why, cycle)
                recovered |= failing and not task.failing

            return read

        cycle.carried_over += await self._work([job(task, why) for task, why in due], deadline)
        return recovered

    async def _read_records(self, task: TrackedTask, due: Due, cycle: Cycle) -> None:
        task_id, back_to = task.state.task_id, task.back_to(due)
        conversation = newest_records(self._settings.history, back_to=back_to)

        def fetch(request: PageRequest) -> Awaitable[Page[Record]]:
            return self._upstream.list_records(task_id, request.offset, request.limit)

        try:
            read = await converse(conversation, fetch, self._observer.rejected)
        except CredentialsError:
            raise
        except NotFoundError:
            task.missing(now=self._clocks.epoch(), moment=self._clocks.monotonic())
        except ApiError as error:
            self._log.debug("records could not be read", task=task_id, error=str(error))
            task.records_failed(error, now=self._clocks.epoch(), moment=self._clocks.monotonic())
            if len(cycle.problems) < _SHOWN_PROBLEMS:
                cycle.problems.append(error)
        else:
            task.records(read, back_to, now=self._clocks.epoch(), moment=self._clocks.monotonic())
        self._fleet.publish(task)

    async def _read_further(self, cycle: Cycle, deadline: float) -> None:
        """Read schedules, then details; a missing permission is tried on one task a cycle."""
        schedules = [task for task in self._fleet if task.schedule_wanted]
        await self._read_kind(schedules, self._read_schedule, cycle, deadline)
        unread = [task for task in self._fleet if task.details_wanted]
        await self._read_kind(unread, self._read_details, cycle, deadline)

    async def _read_kind(
        self,
        tasks: list[TrackedTask],
        read: Callable[[TrackedTask], Awaitable[None]],
        cycle: Cycle,
        deadline: float,
    ) -> None:
        forbidden = False

        def job(task: TrackedTask) -> Job:
            async def attempt() -> None:
                nonlocal forbidden
                if forbidden:
                    return
                try:
                    await read(task)
                except NotFoundError:
                    return
                except CredentialsError:
                    raise
                except ApiError as error:
                    forbidden |= isinstance(error, ForbiddenError)
                    self._log.debug("could not be read", task=task.state.task_id, error=str(error))
                    if len(cycle.problems) < _SHOWN_PROBLEMS:
                        cycle.problems.append(error)
                    return
                self._fleet.publish(task)

            return attempt

        cycle.carried_over += await self._work([job(task) for task in tasks], deadline)

    async def _read_schedule(self, task: TrackedTask) -> None:
        schedule = await self._upstream.show_task(task.state.task_id)
        task.schedule_read(schedule, now=self._clocks.epoch())

    async def _read_details(self, task: TrackedTask) -> None:
        record = task.details_wanted
        if record is None:
            return

        def fetch(request: PageRequest) -> Awaitable[Page[RecordDetail]]:
            return self._upstream.list_record_details(
                task.state.task_id, record.id, request.offset, request.limit
            )

        read = await converse(first_details(), fetch, self._observer.rejected)
        task.details_read(record, read.items, now=self._clocks.epoch())
        details = task.state.details
        if details and details.failures:
            self._log.info(
                "desktops of the last run did not succeed",
                task=task.state.task_id,
                task_name=task.state.name,
                run=record.id,
                desktops=[f"{f.name} {f.outcome} {f.result_code}: {f.reason}" for f in details.failures],
            )

    async def _work(self, jobs: list[Job], deadline: float) -> int:
        """Do the jobs in order, some at a time, until `deadline`; returns how many are left."""
        waiting = iter(jobs)
        left = len(jobs)

        async def worker() -> None:
            nonlocal left
            for job in waiting:
                if self._clocks.monotonic() >= deadline:
                    return
                left -= 1
                await job()

        if jobs:
            workers = min(self._settings.concurrency, len(jobs))
            await _together(worker() for _ in range(workers))
        return left

    def _list_page(self, *, life_cycle: bool) -> Callable[[PageRequest], Awaitable[Page[Task]]]:
        def fetch(request: PageRequest) -> Awaitable[Page[Task]]:
            return self._upstream.list_tasks(request.offset, request.limit, life_cycle=life_cycle)

        return fetch

    def _tasks_rejected(self, reasons: Counter[str]) -> None:
        self._observer.rejected({"task": reasons.total()})

    def _finish(self, cycle: Cycle, seconds: float) -> None:
        cycle.ended = self._clocks.epoch()
        self._fleet.advance(cycle.ended)
        overrun = seconds > self._settings.interval
        if cycle.ok:
            self.last_success = cycle.ended
        else:
            self._log.warning(
                "a cycle failed",
                problems=[str(problem) for problem in cycle.problems],
                failing_tasks=cycle.failing_tasks,
            )
        if overrun or cycle.carried_over:
            self._log.warning("a cycle overran", seconds=round(seconds, 3), left=cycle.carried_over)
        self.last_cycle = cycle
        self._observer.upstream(
            auth_ok=self._upstream.auth_ok,
            expiry=self._upstream.token_expiry,
            skew=self._upstream.clock_skew,
        )
        self._observer.cycle(
            ok=cycle.ok, ended=cycle.ended, seconds=seconds, tasks=len(self._fleet), overrun=overrun
        )


async def _together(coroutines: Iterable[Awaitable[None]]) -> None:
    """Await all; the first exception ends the others and is raised as it is, not in a group."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
