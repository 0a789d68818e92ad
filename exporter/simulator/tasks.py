"""A project and its tasks: what never changes of them, and the timeline of what does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.simulator.timeline import Timeline


class UnknownTaskError(LookupError):
    """The task does not exist: not yet, no longer, or never."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the account: `id` as it stands in paths, `name` is the region's."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Task:
    """One scheduled task. `created` is in epoch seconds, `desktops` how many each run handles."""

    id: str
    task_type: str
    description: str
    desktops: int
    created: float
    timeline: Timeline

    def exists(self, now: float) -> bool:
        """Return whether the service shows the task at that instant."""
        return self.created <= now and not self.timeline.chapter(now).deleted

    def last_status(self, now: float) -> str:
        """Return the API's word for the newest finished run; the empty string where there is none."""
        newest = self.timeline.newest_finished(now)
        return "" if newest is None else newest.status
