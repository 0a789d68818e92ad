"""An upstream in memory: lists of tasks, records, schedules and desktops, paged as the API pages them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from exporter.decode import Page
from exporter.errors import (
    Answer,
    ApiError,
    BodyError,
    CredentialsError,
    ForbiddenError,
    NotFoundError,
    StatusError,
)
from exporter.records import Record, RecordDetail, Schedule, Task

T = TypeVar("T")
Call = tuple[str, str]
"""An operation and the task that it was about (empty for the list)."""

PROJECT_ID = "0a1b2c3d"


def server_error() -> ApiError:
    """A 500, which passes."""
    return StatusError("the service failed", label="500", answer=Answer(status=500))


def forbidden() -> ApiError:
    """A 403: a permission is missing."""
    return ForbiddenError("not allowed", label="403", answer=Answer(status=403))


def missing() -> ApiError:
    """A 404: no such task."""
    return NotFoundError("does not exist", label="404", answer=Answer(status=404))


def malformed() -> ApiError:
    """An answer that is no JSON."""
    return BodyError("the answer is not JSON", label="body")


def refused() -> ApiError:
    """A sign-in that was refused."""
    return CredentialsError("the password is wrong")


class ListUpstream:
    """Implements `exporter.poller.Upstream` over what the test puts into it.

    `tasks` is what the list shows, in its order; a task with `scheduled_type` LIFE_CYCLE stands in the list
    of triggered ones. `records` are in the order in which they are to be answered. A task whose records are
    not there does not exist. `latency` is slept in each call, with `sleep`. `page_cap` shortens pages.
    """

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.tasks: list[Task] = []
        self.records: dict[str, list[Record]] = {}
        self.schedules: dict[str, Schedule] = {}
        self.details: dict[tuple[str, str], list[RecordDetail]] = {}
        self.calls: list[Call] = []
        self.latency = 0.0
        self.page_cap = 1000
        self.in_flight = self.most_in_flight = 0
        self.closed = False
        self._sleep = sleep
        self._always: dict[Call, Callable[[], ApiError]] = {}
        self._once: dict[Call, deque[ApiError]] = defaultdict(deque)
        self.meanwhile: Callable[[str, str, int], None] = lambda _operation, _task_id, _offset: None
        """Called after each answer was taken, before it is given: what upstream does between two pages."""

    # What the test says

    def fail(self, operation: str, task_id: str = "", error: Callable[[], ApiError] = server_error) -> None:
        """Let a call fail from now on; without a task, whatever it is about."""
        self._always[operation, task_id] = error

    def heal(self, operation: str, task_id: str = "") -> None:
        """Let it succeed again."""
        self._always.pop((operation, task_id), None)

    def fail_next(self, operation: str, task_id: str = "", error: ApiError | None = None) -> None:
        """Let the next such call fail."""
        self._once[operation, task_id].append(error or server_error())

    def take_calls(self) -> Counter[Call]:
        """Return the calls made since they were last taken."""
        calls, self.calls = Counter(self.calls), []
        return calls

    # What the poller asks

    @property
    def project_id(self) -> str:
        """The project's id."""
        return PROJECT_ID

    @property
    def auth_ok(self) -> bool:
        """Whether no sign-in is refused."""
        return ("sign_in", "") not in self._always

    @property
    def token_expiry(self) -> tuple[str, float] | None:
        """Nothing is known of the credentials."""
        return None

    @property
    def clock_skew(self) -> float | None:
        """Upstream's clock is right."""
        return 0.0

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        """Answer a page of the timed, or the triggered, tasks."""
        assert 1 <= limit <= 50
        await self._take("list_tasks", "", offset)
        wanted = [task for task in self.tasks if (task.scheduled_type == "LIFE_CYCLE") == life_cycle]
        return self._page(wanted, offset, limit)

    async def show_task(self, task_id: str) -> Schedule:
        """Answer the schedule."""
        await self._take("show_task", task_id, 0)
        if task_id not in self.schedules:
            raise missing()
        return self.schedules[task_id]

    async def list_records(self, task_id: str, offset: int, limit: int) -> Page[Record]:
        """Answer a page of the runs."""
        assert 1 <= limit <= 100
        await self._take("list_records", task_id, offset)
        if task_id not in self.records:
            raise missing()
        page = self._page(self.records[task_id], offset, limit)
        self.meanwhile("list_records", task_id, offset)
        return page

    async def list_record_details(
        self, task_id: str, record_id: str, offset: int, limit: int
    ) -> Page[RecordDetail]:
        """Answer a page of the desktops."""
        assert 1 <= limit <= 100
        await self._take("list_record_details", task_id, offset)
        if (task_id, record_id) not in self.details:
            raise missing()
        return self._page(self.details[task_id, record_id], offset, limit)

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True

    async def _take(self, operation: str, task_id: str, offset: int) -> None:
        """Count the call, let its time pass, and let it fail where it shall; `offset` is for who looks."""
        del offset
        self.calls.append((operation, task_id))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._sleep(self.latency)
        finally:
            self.in_flight -= 1
        for key in (("sign_in", ""), (operation, task_id), (operation, "")):
            if self._once[key]:
                raise self._once[key].popleft()
            if key in self._always:
                error = self._always[key]()
                raise error

    def _page(self, entries: Sequence[T], offset: int, limit: int) -> Page[T]:
        page = tuple(entries[offset : offset + min(limit, self.page_cap)])
        return Page(page, len(page), len(entries), Counter())
