"""What the poller is handed: the API, somebody to report to, and time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from exporter.decode import Page
from exporter.records import Record, RecordDetail, Schedule, Task


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


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, as it is handed in: epoch seconds, monotonic seconds, and a sleep."""

    epoch: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
