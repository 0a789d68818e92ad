"""The selected tasks of one project: who joins, who leaves, what is shown of them. No I/O, no clock.

A task that leaves takes its series along at once. What was counted of it is remembered for a while, since a
list that wavers would otherwise count its runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from exporter.config import Config, Project
from exporter.counting import Met
from exporter.errors import NotFoundError
from exporter.polling import Due
from exporter.records import Task
from exporter.selection import Selected, Shard, select
from exporter.state import TaskState
from exporter.tracking import TrackedTask

Key = tuple[str, str]


class Publisher(Protocol):
    """Where a task's state is shown."""

    def put(self, state: TaskState) -> None:
        """Show a task as it is now."""

    def touch(self, key: Key, last_poll: float) -> None:
        """Show that a task's runs were current at `last_poll`, with nothing else changed."""

    def remove(self, key: Key) -> None:
        """Show a task no more."""


class Fleet:
    """The tracked tasks of a project, by id."""

    def __init__(self, project: Project, config: Config, shard: Shard, publisher: Publisher) -> None:
        self._project = project
        self._config = config
        self._shard = shard
        self._publisher = publisher
        self._tasks: dict[str, TrackedTask] = {}
        self._departed: dict[str, tuple[Met, float]] = {}
        self._listed: dict[str, float] | None = None
        """When each task was last in the list (monotonic); None before the first whole list."""
        self._next_change = 0.0

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[TrackedTask]:
        return iter(self._tasks.values())

    @property
    def listed(self) -> set[str]:
        """The ids of the tasks that the list held when it was last read."""
        return {task_id for task_id, task in self._tasks.items() if task.state.listing}

    def list_read(
        self, listed: Iterable[Task], *, complete: bool, project_id: str, now: float, moment: float
    ) -> None:
        """The project's list was read; `complete` where a task that is not in it does not exist.

        It is not where the list was cut at the most tasks that may be taken, or an entry could not be read.
        """
        entries = {task.id: task for task in listed}
        chosen = select(self._project, entries.values(), self._shard)
        earlier = self._listed
        for task_id in [task_id for task_id in self._tasks if task_id not in chosen]:
            if complete or task_id in entries or self._gone(task_id):
                self._leave(task_id, moment)
        for task_id, selected in chosen.items():
            new = complete and earlier is not None and task_id not in earlier
            self._observe(selected, new=new, project_id=project_id, now=now, moment=moment)
        self._remember(entries if complete else None, moment)
        self.advance(now)

    def list_unavailable(self, *, forbidden: bool, project_id: str, now: float, moment: float) -> None:
        """The list could not be read: the configured tasks are watched all the same.

        What the list last said stays, unless reading it is now forbidden.
        """
        for selected in select(self._project, None, self._shard).values():
            if forbidden or selected.task_id not in self._tasks:
                self._observe(selected, new=False, project_id=project_id, now=now, moment=moment)
        self.advance(now)

    def due(self, *, now: float, moment: float, listed: bool) -> list[tuple[TrackedTask, Due]]:
        """Return the tasks whose records are to be read, in the order of their deadlines, new ones first.

        `listed`: the list was just read, so that the tasks which it shows to be current are marked as such.
        """
        found = []
        for task in self._tasks.values():
            due = task.due(now=now, moment=moment)
            if due:
                found.append((task, due))
            if listed:
                self._confirm(task, due, now)

        def urgency(item: tuple[TrackedTask, Due]) -> tuple[object, ...]:
            task, why = item
            return why.deadline, why.reason != "new", task.sweep_rank(now)

        return sorted(found, key=urgency)

    def probes(self, moment: float) -> list[TrackedTask]:
        """Return the tasks in back-off that were not tried since `moment`, the longest untried first."""
        ranked = [(rank, task) for task in self if (rank := task.probe_rank(moment)) is not None]
        return [task for _, task in sorted(ranked, key=lambda item: item[0])]

    def publish(self, task: TrackedTask) -> None:
        """Show a task as it is now."""
        self._publisher.put(task.state)
        self._next_change = min(self._next_change, task.next_change)

    def advance(self, now: float) -> None:
        """Let the clock pass: withdraw what is too old, expect what is due. Cheap until something is."""
        if now < self._next_change:
            return
        for task in self._tasks.values():
            if task.next_change <= now and task.advance(now):
                self._publisher.put(task.state)
        self._next_change = min((task.next_change for task in self._tasks.values()), default=float("inf"))

    def clear(self) -> None:
        """Show none of the project's tasks any more."""
        for task in self._tasks.values():
            self._publisher.remove(task.key)
        self._tasks.clear()

    def _observe(self, selected: Selected, *, new: bool, project_id: str, now: float, moment: float) -> None:
        known = self._tasks.get(selected.task_id)
        task = known or self._join(selected, now=now, moment=moment)
        if selected.listing:
            changed = task.listed(selected.listing, new=new, project_id=project_id, now=now)
        else:
            changed = task.unlisted(project_id=project_id, now=now)
        if changed or not known:
            self.publish(task)

    def _confirm(self, task: TrackedTask, due: Due | None, now: float) -> None:
        withdrawn = task.withdrawn
        if not task.unchanged(due, now):
            return
        if withdrawn:
            self.publish(task)
        else:
            self._publisher.touch(task.key, now)

    def _join(self, selected: Selected, *, now: float, moment: float) -> TrackedTask:
        met, _ = self._departed.pop(selected.task_id, (None, 0.0))
        task = TrackedTask(
            self._project.name,
            selected.task_id,
            selected.config,
            self._config,
            now=now,
            moment=moment,
            met=met,
        )
        self._tasks[selected.task_id] = task
        return task

    def _leave(self, task_id: str, moment: float) -> None:
        task = self._tasks.pop(task_id)
        if task.met:
            self._departed[task_id] = (task.met, moment)
        self._publisher.remove(task.key)

    def _gone(self, task_id: str) -> bool:
        """Whether upstream denied that the task exists when its records were last asked for."""
        return isinstance(self._tasks[task_id].state.poll_error, NotFoundError)

    def _remember(self, entries: Iterable[str] | None, moment: float) -> None:
        """Remember whom the whole list held (None: it was cut), and forget those who left long ago.

        After a list that was cut nobody can tell which tasks are new, until two whole ones were read again.
        """
        horizon = moment - self._config.polling.max_age
        self._departed = {key: item for key, item in self._departed.items() if item[1] >= horizon}
        if entries is None:
            self._listed = None
            return
        seen = {**(self._listed or {}), **dict.fromkeys(entries, moment)}
        self._listed = {task_id: at for task_id, at in seen.items() if at >= horizon}
