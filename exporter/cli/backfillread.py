"""Reads the pasts of a project's tasks: the whole readable history, its runs' desktops, the schedule.

Each task is handed on as soon as it is read, so that no more of them are held than are being read. At most
5,000 records of a task are read, the newest (`paging.MAX_RECORD_PAGES` pages), whatever `polling.history` is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from exporter.backfill import TaskPast, details_worth_reading, past_of
from exporter.collaborators import Upstream
from exporter.config import Config, Project
from exporter.conversation import converse
from exporter.decode import Page
from exporter.details import RunDetails, summarize_details
from exporter.errors import ApiError, CredentialsError, ForbiddenError, NotFoundError
from exporter.history import runs_of
from exporter.paging import (
    MAX_RECORD_PAGES,
    RECORDS_LIMIT,
    PageRequest,
    Read,
    all_tasks,
    first_details,
    newest_records,
)
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.selection import Selected, Shard, select

MAX_RECORDS = MAX_RECORD_PAGES * RECORDS_LIMIT


@dataclass(slots=True)
class Findings:
    """What the reading came upon, to be told: numbers of tasks and runs, and what could not be read.

    `failed` holds project/id of each task whose read failed, and why.
    """

    tasks: int = 0
    runs: int = 0
    never_ran: int = 0
    not_found: list[str] = field(default_factory=list)
    unended: int = 0
    details_forbidden: bool = False
    unscheduled: int = 0
    cut: list[str] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, ApiError]] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take in what the reading of another project came upon."""
        self.tasks += other.tasks
        self.runs += other.runs
        self.never_ran += other.never_ran
        self.not_found += other.not_found
        self.unended += other.unended
        self.details_forbidden |= other.details_forbidden
        self.unscheduled += other.unscheduled
        self.cut += other.cut
        self.rejected += other.rejected
        self.failed += other.failed


@dataclass(frozen=True, slots=True)
class Span:
    """The time wanted, [since, until), seen at `now` (epoch seconds); with `details`, runs have ends."""

    since: int
    until: int
    now: float
    details: bool


class PastReader:
    """One project's tasks and their pasts."""

    def __init__(
        self, project: Project, config: Config, upstream: Upstream, span: Span, findings: Findings
    ) -> None:
        self._project = project
        self._config = config
        self._upstream = upstream
        self._span = span
        self._findings = findings
        self._may_read_details = span.details

    async def selected(self) -> list[Selected]:
        """Return the selected tasks. Raises ApiError where the list is needed and cannot be read."""
        try:
            tasks = [*await self._listed(life_cycle=False), *await self._listed(life_cycle=True)]
        except ForbiddenError:
            if self._project.discovery:
                raise
            return list(select(self._project, None, Shard()).values())
        return list(select(self._project, tasks, Shard()).values())

    async def read(
        self, tasks: Iterable[Selected], put: Callable[[TaskPast], None], advance: Callable[[], None]
    ) -> None:
        """Read these tasks, `polling.concurrency` at a time, and hand on each. Raises CredentialsError.

        What fails otherwise is tried once more in the end, and then stands in `failed`.
        """
        left: list[Selected] = []
        await self._crew(tasks, put, advance, lambda task, _: left.append(task))
        await self._crew(left, put, advance, self._give_up)

    async def _crew(
        self,
        tasks: Iterable[Selected],
        put: Callable[[TaskPast], None],
        advance: Callable[[], None],
        failed: Callable[[Selected, ApiError], None],
    ) -> None:
        queue = iter(tasks)

        async def work() -> None:
            for task in queue:
                try:
                    past = await self._past(task)
                except CredentialsError:
                    raise
                except ApiError as error:
                    failed(task, error)
                    continue
                if past:
                    put(past)
                advance()

        try:
            async with asyncio.TaskGroup() as crew:
                for _ in range(self._config.polling.concurrency):
                    crew.create_task(work())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    def _give_up(self, task: Selected, error: ApiError) -> None:
        self._findings.failed.append((f"{self._project.name}/{task.task_id}", error))

    async def _past(self, task: Selected) -> TaskPast | None:
        try:
            read = await self._records(task.task_id)
        except NotFoundError:
            if task.listing is not None:
                raise
            self._findings.not_found.append(f"{self._project.name}/{task.task_id}")
            return None
        records = [*read.items, *read.repeats]
        past = past_of(
            task,
            self._config,
            project=self._project.name,
            project_id=self._upstream.project_id,
            schedule=await self._schedule(task),
            records=records,
            details=await self._details(task, records),
            now=self._span.now,
        )
        self._note(past, read)
        return past if past.runs else None

    def _note(self, past: TaskPast, read: Read[Record]) -> None:
        found, span = self._findings, self._span
        starts = [each.run.record.start for each in past.runs]
        found.tasks += 1
        found.runs += sum(span.since <= start < span.until for start in starts)
        found.never_ran += not starts
        found.unended += sum(
            each.run.status is not None and (each.details is None or each.details.duration is None)
            for each in past.runs
            if span.since <= each.run.record.start < span.until
        )
        if read.truncated or (not read.complete and starts and starts[0] > span.since):
            found.cut.append(f"{past.project}/{past.task_id}")

    async def _schedule(self, task: Selected) -> Schedule | None:
        if task.listing and task.listing.scheduled_type.strip().upper() == "LIFE_CYCLE":
            return None
        try:
            return await self._upstream.show_task(task.task_id)
        except CredentialsError:
            raise
        except ApiError as error:
            if error.retryable:
                raise
            self._findings.unscheduled += 1
            return None

    async def _details(self, task: Selected, records: list[Record]) -> dict[str, RunDetails]:
        own = task.config.max_duration if task.config else None
        longest = self._config.defaults.max_duration if own is None else own
        runs = runs_of(records, self._config.statuses)
        wanted = details_worth_reading(runs, self._span.since, self._span.until, longest)
        found = {}
        for record in wanted:
            if not self._may_read_details:
                break
            desktops = await self._desktops(task.task_id, record)
            found[record.id] = summarize_details(record, desktops, self._config.statuses)
        return found

    async def _desktops(self, task_id: str, record: Record) -> list[RecordDetail]:
        def fetch(request: PageRequest) -> Awaitable[Page[RecordDetail]]:
            return self._upstream.list_record_details(task_id, record.id, request.offset, request.limit)

        try:
            return (await converse(first_details(), fetch)).items
        except CredentialsError:
            raise
        except ForbiddenError:
            self._may_read_details = False
            self._findings.details_forbidden = True
            return []
        except ApiError:  # one of very many: it is told how many runs have no known end
            return []

    async def _records(self, task_id: str) -> Read[Record]:
        def fetch(request: PageRequest) -> Awaitable[Page[Record]]:
            return self._upstream.list_records(task_id, request.offset, request.limit)

        return await converse(newest_records(MAX_RECORDS + 1), fetch, self._findings.rejected.update)

    async def _listed(self, *, life_cycle: bool) -> list[Task]:
        def fetch(request: PageRequest) -> Awaitable[Page[Task]]:
            return self._upstream.list_tasks(request.offset, request.limit, life_cycle=life_cycle)

        most = self._config.polling.max_tasks
        read = await converse(all_tasks(most), fetch)
        if read.truncated:
            reason = f"the project has more than max_tasks ({most}) tasks"
            raise ApiError(reason, label="max_tasks", operation="list_tasks")
        return read.items
