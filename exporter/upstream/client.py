"""The Workspace API: one method for each operation, one page or object for each call.

Sources: records_api.txt and api_facts.md, section 0. What happens to a request on its way (turn, signature,
time limit, retries) is the session's and the exchange's; what is asked, and when, is the caller's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import tzinfo
from typing import TypeVar

from exporter.config import Project
from exporter.decode import Page, decode_details, decode_records, decode_schedule, decode_tasks
from exporter.errors import ApiError, BodyError
from exporter.records import TASK_ID, Record, RecordDetail, Schedule, Task
from exporter.upstream.auth.flight import Flight
from exporter.upstream.auth.iam import decode_projects
from exporter.upstream.auth.session import Session
from exporter.upstream.exchange import Exchange, Request

T = TypeVar("T")

MAX_TASKS_PAGE = 50
MAX_RECORDS_PAGE = 100


class Client:
    """One project's upstream. Every call may raise ApiError; `zone` is that of times which carry none."""

    def __init__(
        self,
        project: Project,
        session: Session,
        exchange: Exchange,
        *,
        zone: tzinfo,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._project = project
        self._session = session
        self._exchange = exchange
        self._zone = zone
        self._close = close
        self._found = project.project_id or ""
        self._looking: Flight[str] = Flight()

    async def sign_in(self) -> str:
        """Fetch what is needed to ask anything, and return the project's id."""
        credential = await self._session.sign_in()
        if not self._found:
            self._found = _checked(credential.project_id) or await self._looking.join(self._look_up)
        return self._found

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool = False) -> Page[Task]:
        """Return a page of ListScheduledTasks: `limit` 1 to 50 from index `offset` on.

        Tasks that an event triggers are listed only with `life_cycle`, and the others only without.
        """
        query = _page(offset, limit, MAX_TASKS_PAGE)
        if life_cycle:
            query = (*query, ("scheduled_type", "LIFE_CYCLE"))
        request = await self._request("list_tasks", "", query)
        return await self._session.ask(request, lambda reply: decode_tasks(reply.body, self._zone))

    async def show_task(self, task_id: str) -> Schedule:
        """Return the schedule of a task (ShowScheduledTasks)."""
        request = await self._request("show_task", f"/{_segment(task_id, 'show_task')}")
        return await self._session.ask(request, lambda reply: decode_schedule(reply.body, self._zone))

    async def list_records(self, task_id: str, offset: int, limit: int) -> Page[Record]:
        """Return a page of a task's runs (ListScheduledTasksRecords): `limit` 1 to 100, order unknown."""
        path = f"/{_segment(task_id, 'list_records')}/records"
        request = await self._request("list_records", path, _page(offset, limit, MAX_RECORDS_PAGE))
        return await self._session.ask(request, lambda reply: decode_records(reply.body, self._zone))

    async def list_record_details(
        self, task_id: str, record_id: str, offset: int, limit: int
    ) -> Page[RecordDetail]:
        """Return a page of a run's desktops (ListScheduledTasksRecordsDetails): `limit` 1 to 100."""
        operation = "list_record_details"
        path = f"/{_segment(task_id, operation)}/records/{_segment(record_id, operation)}"
        request = await self._request(operation, path, _page(offset, limit, MAX_RECORDS_PAGE))
        return await self._session.ask(request, lambda reply: decode_details(reply.body, self._zone))

    @property
    def project_id(self) -> str:
        """The project's id; empty until it is known."""
        return self._found

    @property
    def auth_ok(self) -> bool:
        """False while the credentials are refused or missing."""
        return self._session.auth_ok

    @property
    def token_expiry(self) -> tuple[str, float] | None:
        """The kind of credential (token, password, metadata) and its end in epoch seconds, where known."""
        return self._session.credentials.expiry

    @property
    def clock_skew(self) -> float | None:
        """Upstream's clock less ours in seconds, to about a second; None before the first answer."""
        return self._exchange.clock_skew

    async def aclose(self) -> None:
        """End what is under way and close the connections."""
        await self._looking.aclose()
        await self._session.credentials.aclose()
        await self._close()

    async def _request(self, operation: str, path: str, query: tuple[tuple[str, str], ...] = ()) -> Request:
        project_id = await self.sign_in()
        return Request(
            operation,
            self._project.base_url,
            f"/v2/{project_id}/scheduled-tasks{path}",
            query=query,
            project_id=project_id,
        )

    async def _look_up(self) -> str:
        """The id of the project that a region has; asked with keys, which do not say it themselves."""
        region = self._project.region or ""
        request = Request(
            "list_projects", self._project.iam_url or "", "/v3/projects", query=(("name", region),)
        )
        ids = await self._session.ask(request, lambda reply: decode_projects(reply.body))
        if len(ids) != 1:
            count = "no project is" if not ids else f"{len(ids)} projects are"
            raise ApiError(
                f"{count} named {region}: set project_id", label="project", operation="list_projects"
            )
        return _checked(ids[0])


def _checked(project_id: str) -> str:
    if project_id and not TASK_ID.fullmatch(project_id):
        raise BodyError("IAM gave a project id that cannot be one", label="body")
    return project_id


def _page(offset: int, limit: int, most: int) -> tuple[tuple[str, str], ...]:
    """Paging by row index; what a limit of 0 means is unknown, so it is never sent."""
    if offset < 0 or not 1 <= limit <= most:
        raise ValueError(f"offset {offset}, limit {limit}: the API takes from 0, and 1 to {most}")
    return ("offset", str(offset)), ("limit", str(limit))


def _segment(value: str, operation: str) -> str:
    """An id as it may stand in a path: upstream gave it, and other paths are its neighbours."""
    if not TASK_ID.fullmatch(value):
        raise BodyError(
            "an id that cannot stand in a path; nothing was sent", label="body", operation=operation
        )
    return value
