"""What the exporter knows of one task at one moment: the input of the metrics, the page and the commands."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.details import RunDetails
from exporter.errors import ApiError
from exporter.history import RUN_STATUSES, History
from exporter.records import Schedule, Task

DESKTOP_RESULTS = ("success", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Counts:
    """Finished runs by RUN_STATUSES and desktops by DESKTOP_RESULTS, since this process knows the task."""

    runs: tuple[int, ...] = (0,) * len(RUN_STATUSES)
    desktops: tuple[int, ...] = (0,) * len(DESKTOP_RESULTS)


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task. Times are epoch seconds, durations seconds; None is "not known", never 0.

    `history`, `details` and `expected_run` are None before the first read and once they are older than
    `max_age`; `listing` is None where the project's list cannot be read or does not hold the task.
    """

    project: str
    task_id: str
    name: str
    project_id: str
    grace: float
    max_duration: float
    listing: Task | None = None
    schedule: Schedule | None = None
    found: bool | None = None
    history: History | None = None
    details: RunDetails | None = None
    expected_run: float | None = None
    schedule_period: float | None = None
    counts: Counts = Counts()
    last_poll: float | None = None
    poll_ok: bool | None = None
    poll_error: ApiError | None = None

    @property
    def task_type(self) -> str:
        """The task's type as upstream writes it, from the list or else the schedule."""
        return self._said("task_type")

    @property
    def scheduled_type(self) -> str:
        """The schedule's type as upstream writes it."""
        return self._said("scheduled_type")

    @property
    def life_cycle_type(self) -> str:
        """The event that triggers a LIFE_CYCLE task."""
        return self._said("life_cycle_type")

    @property
    def time_zone(self) -> str:
        """The task's time zone as upstream writes it."""
        return self._said("time_zone")

    @property
    def enabled(self) -> bool | None:
        """Whether the task is switched on; None where the list does not say."""
        return self.listing.enabled if self.listing else None

    @property
    def next_run(self) -> float | None:
        """The API's next_execution_time."""
        return self.listing.next_run if self.listing else None

    def _said(self, field: str) -> str:
        listed = getattr(self.listing, field) if self.listing else ""
        return listed or (getattr(self.schedule, field) if self.schedule else "")
