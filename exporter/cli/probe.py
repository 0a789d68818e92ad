"""Asks the cloud what a configuration needs of it: sign-in, list, schedule, records, details."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from exporter.advice import ACTIONS, advise
from exporter.config import Config, Project
from exporter.conversation import converse
from exporter.decode import Page
from exporter.errors import ApiError, ForbiddenError, NotFoundError
from exporter.history import runs_of
from exporter.paging import RECORDS_LIMIT, PageRequest, all_tasks
from exporter.records import Record, Task
from exporter.selection import Selected, Shard, select
from exporter.terminaltext import safe
from exporter.timestamps import format_utc
from exporter.upstream.client import Client

T = TypeVar("T")
_SHOWN_NAMES = 5


class Probe:
    """One project's questions, told line by line to `say`; upstream's words in them are made safe."""

    def __init__(self, project: Project, config: Config, client: Client, say: Callable[[str], None]) -> None:
        self._project = project
        self._config = config
        self._client = client
        self._tell = say
        self._good = True
        self.selected: list[Selected] = []
        """The tasks that the configuration selects; none before the project has been asked for them."""

    async def run(self) -> bool:
        """Ask everything; returns whether the exporter could poll this project without failing."""
        project_id = await self._ask("sign-in", self._client.sign_in())
        if project_id is None:
            return False
        self._say(f"  sign-in: good, project_id {project_id}")
        listed = await self._list()
        self.selected = list(select(self._project, listed, Shard()).values())
        self._say(f"  selected: {_count(len(self.selected), 'task')}")
        if listed and not self.selected:
            named = ", ".join(repr(task.name or task.id) for task in listed[:_SHOWN_NAMES])
            self._say(f"    nothing would be watched: `discovery` fits no name; there are: {named}")
        task = _worth_asking(self.selected)
        if task:
            await self._read(task)
        return self._good

    async def _list(self) -> list[Task] | None:
        tasks: list[Task] = []
        for life_cycle in (False, True):
            read = await self._ask(
                "list of tasks", self._list_all(life_cycle), needed=self._project.discovery is not None
            )
            if read is None:
                return None
            tasks += read
            kind = "triggered task" if life_cycle else "task"
            self._say(f"  list of tasks: {_count(len(read), kind)}")
        return tasks

    async def _list_all(self, life_cycle: bool) -> list[Task]:  # noqa: FBT001 - which of two lists
        def fetch(request: PageRequest) -> Awaitable[Page[Task]]:
            return self._client.list_tasks(request.offset, request.limit, life_cycle=life_cycle)

        return (await converse(all_tasks(self._config.polling.max_tasks), fetch)).items

    async def _read(self, selected: Selected) -> None:
        task_id = selected.task_id
        schedule = await self._ask("schedule", self._client.show_task(task_id))
        if schedule:
            self._say(
                f"  schedule of {task_id}: {schedule.scheduled_type} in {schedule.time_zone or 'no zone'}"
            )
        page = await self._ask("records", self._client.list_records(task_id, 0, RECORDS_LIMIT))
        if page is None:
            return
        self._say(f"  records of {task_id}: {len(page.items)} of {page.total} read")
        for reason, number in sorted(page.rejected.items()):
            self._say(f"  records of {task_id}: {number} left out ({reason})")
        finished = [run for run in runs_of(page.items, self._config.statuses) if run.status]
        if finished and self._config.polling.details:
            await self._details(task_id, finished[-1].record)

    async def _details(self, task_id: str, record: Record) -> None:
        details = self._client.list_record_details(task_id, record.id, 0, RECORDS_LIMIT)
        page = await self._ask("details", details)
        if page:
            when = format_utc(record.start)
            self._say(f"  details of the run of {when}: {len(page.items)} of {_count(page.total, 'desktop')}")

    def _say(self, line: str) -> None:
        self._tell(safe(line))

    async def _ask(self, what: str, answer: Awaitable[T], *, needed: bool = True) -> T | None:
        try:
            return await answer
        except ForbiddenError as error:
            action = ACTIONS.get(error.operation, error.operation)
            self._say(f"  {what}: the permission {action} is missing ({error})")
            self._good &= not needed
            self._advise(error)
        except NotFoundError as error:
            self._say(f"  {what}: {error}")
            self._advise(error)
        except ApiError as error:
            self._say(f"  {what}: {error}")
            self._advise(error)
            self._good = False
        return None

    def _advise(self, error: ApiError) -> None:
        advice = advise(error)
        self._say(f"    likely cause: {advice.cause}")
        self._say(f"    next step: {advice.next_step}")


def _worth_asking(selected: Sequence[Selected]) -> Selected | None:
    """The task with the most to tell: one that has run, if the list says so."""
    ran = [task for task in selected if task.listing and task.listing.last_status]
    return next(iter([*ran, *selected]), None)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
