"""The life of one task in a scripted world, worked out once from the simulator's ledger."""

from __future__ import annotations

from bisect import bisect_right

from exporter.simulator.chapters import Chapter
from exporter.simulator.runs import Run
from exporter.simulator.tasks import Task
from exporter.simulator.world import World

RETENTION = 12
"""How many records upstream keeps of a task."""


class Lifetime:
    """A task until a given time; the world must not be changed any more. Times are epoch seconds."""

    def __init__(self, world: World, task: Task, until: float) -> None:
        ledger = world.ledger(until, task_id=task.id)
        self.task = task
        self.runs = sorted(ledger.runs, key=lambda run: (run.start, run.id))
        self._starts = [run.start for run in self.runs]
        self.misses = [] if self.chapter(until).plan.triggered else [miss.due for miss in ledger.misses]
        """The occurrences at which it did not run; an event that starts nothing is no occurrence."""
        self.changes = ledger.changes

    def chapter(self, now: float) -> Chapter:
        """Return what holds of the task: its name, schedule and switch."""
        return self.task.timeline.chapter(now)

    def exists(self, now: float) -> bool:
        """Whether upstream shows the task."""
        return self.task.created <= now < self.task.timeline.deleted

    def started(self, now: float) -> list[Run]:
        """Return the runs that have started and whose records are kept, oldest first."""
        count = bisect_right(self._starts, now)
        return self.runs[max(count - RETENTION, 0) : count]


def lifetimes(world: World, until: float) -> list[Lifetime]:
    """Return the lives of all tasks that there ever were."""
    return [Lifetime(world, task, until) for task in world._tasks.values()]
