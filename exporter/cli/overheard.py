"""A project's upstream that remembers, for a command, what the poller was told through it."""

from __future__ import annotations

from exporter.decode import Page
from exporter.poller import Upstream
from exporter.records import Record, RecordDetail, Schedule, Task


class Overheard:
    """Passes every call on. `listed` are the tasks of the list by id.

    `records` are those of the tasks that were read, where `keep_records` asks for them: of one task that is
    little, of all too much.
    """

    def __init__(self, upstream: Upstream, *, keep_records: bool) -> None:
        self._upstream = upstream
        self._keep_records = keep_records
        self.listed: dict[str, Task] = {}
        self.records: list[Record] = []

    @property
    def project_id(self) -> str:
        """The project's id, empty until it is known."""
        return self._upstream.project_id

    @property
    def auth_ok(self) -> bool:
        """False while the credentials are refused."""
        return self._upstream.auth_ok

    @property
    def token_expiry(self) -> tuple[str, float] | None:
        """Kind and end (epoch seconds) of the credentials in use."""
        return self._upstream.token_expiry

    @property
    def clock_skew(self) -> float | None:
        """Upstream's clock less ours, in seconds."""
        return self._upstream.clock_skew

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        """Read a page of the project's tasks, or of its triggered ones."""
        page = await self._upstream.list_tasks(offset, limit, life_cycle=life_cycle)
        self.listed.update((task.id, task) for task in page.items)
        return page

    async def show_task(self, task_id: str) -> Schedule:
        """Read a task's schedule."""
        return await self._upstream.show_task(task_id)

    async def list_records(self, task_id: str, offset: int, limit: int) -> Page[Record]:
        """Read a page of a task's runs."""
        page = await self._upstream.list_records(task_id, offset, limit)
        if self._keep_records:
            self.records += page.items
        return page

    async def list_record_details(
        self, task_id: str, record_id: str, offset: int, limit: int
    ) -> Page[RecordDetail]:
        """Read a page of a run's desktops."""
        return await self._upstream.list_record_details(task_id, record_id, offset, limit)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._upstream.aclose()
