"""What the simulated service knows: a project's tasks and their runs, at any simulated time.

Nothing here reads a clock: each question carries its instant, each change the instant from which on it holds.
Changes of one task go forward in time. The same seed, script and instant give the same answer, in whatever
order the questions come.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from exporter.simulator import ledger as words
from exporter.simulator.behaviours import parse_behaviour
from exporter.simulator.chapters import Chapter
from exporter.simulator.dice import hex_digits, identifier
from exporter.simulator.ledger import Change, Ledger, Miss
from exporter.simulator.plan import SECONDS_A_DAY, local_date
from exporter.simulator.planting import PlantedRun, grow
from exporter.simulator.runs import Run
from exporter.simulator.tasks import Project, Task, UnknownTaskError
from exporter.simulator.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.simulator.plan import Plan


class World:
    """The tasks of one project. `seed` decides everything that no script decides."""

    def __init__(self, *, seed: int = 1, region: str = "cn-north-4", project_id: str = "") -> None:
        self.seed = seed
        self.project = Project(project_id or hex_digits(32, "project", seed, region), region)
        self._tasks: dict[str, Task] = {}
        self._changes: list[Change] = []
        self._instants: list[float] = []
        self._shown: tuple[float, float, list[Task], list[Task]] = (inf, -inf, [], [])
        self._planted = 0

    # Questions

    def tasks(self, now: float, *, triggered: bool = False) -> Sequence[Task]:
        """Return the timed, or the triggered, tasks of that instant, in the order of their addition."""
        since, until, timed, events = self._shown
        if not since <= now < until:
            timed, events = [], []
            for task in self._tasks.values():
                if task.exists(now):
                    (events if task.timeline.chapter(now).plan.triggered else timed).append(task)
            place = bisect_right(self._instants, now)
            until = self._instants[place] if place < len(self._instants) else inf
            self._shown = (now, until, timed, events)
        return events if triggered else timed

    def task(self, task_id: str, now: float) -> Task:
        """Return a task.

        Raises:
            UnknownTaskError: it does not exist at that instant.

        """
        task = self._tasks.get(task_id)
        if task is None or not task.exists(now):
            raise UnknownTaskError(task_id)
        return task

    def runs(self, task_id: str, now: float) -> Iterator[Run]:
        """Yield the runs of a task that have started by that instant, newest first."""
        return self._task(task_id).timeline.newest_first(now)

    def ledger(self, until: float, since: float = -inf, *, task_id: str | None = None) -> Ledger:
        """Return what happened in (since, until], to one task or to all, also to those deleted meanwhile.

        A run that was in progress when its task was deleted never ends: nobody can have seen it end.
        """
        tasks = self._tasks.values() if task_id is None else [self._task(task_id)]
        return Ledger(
            since=since,
            until=until,
            runs=tuple(run for task in tasks for run in _started(task, since, until)),
            misses=tuple(Miss(task.id, due) for task in tasks for due in task.timeline.misses(since, until)),
            changes=tuple(
                change
                for change in self._changes
                if since < change.at <= until and task_id in {None, change.task_id}
            ),
        )

    # Scripts

    def add_task(
        self,
        plan: Plan,
        at: float,
        *,
        name: str = "",
        behaviour: str = "healthy",
        task_type: str = "START",
        desktops: int = 10,
        history_days: float = 0,
        enabled: bool = True,
        description: str = "",
        task_id: str = "",
    ) -> str:
        """Add a task at that instant, as if it had existed for `history_days` by then; return its id.

        `behaviour` is written as in `behaviours`; `desktops` is how many each run handles.

        Raises:
            ValueError: the behaviour cannot be read, or the id is taken.

        """
        since = at - history_days * SECONDS_A_DAY
        number = len(self._tasks)
        task_id = task_id or identifier("task", self.seed, number)
        if task_id in self._tasks:
            raise ValueError(f"there is a task {task_id} already")
        name = name or f"task {number:05d}"
        chapter = Chapter(since, name, _anchored(plan, since), parse_behaviour(behaviour), enabled)
        timeline = Timeline(self.seed, task_id, desktops, chapter)
        self._tasks[task_id] = Task(task_id, task_type, description, desktops, since, timeline)
        self._note(task_id, since, words.ADDED, name)
        return task_id

    def rename(self, task_id: str, name: str, at: float) -> None:
        """Give the task another name."""
        self._begin(task_id, at, lambda chapter: replace(chapter, name=name), words.RENAMED, name)

    def behave(self, task_id: str, behaviour: str, at: float) -> None:
        """Let the runs that fall due from here on turn out differently."""
        parsed = parse_behaviour(behaviour)
        self._begin(task_id, at, lambda chapter: replace(chapter, behaviour=parsed), words.BEHAVED, behaviour)

    def edit(self, task_id: str, plan: Plan, at: float) -> None:
        """Give the task another schedule; a run that is due but has not started never starts."""
        anchored = _anchored(plan, at)
        note = plan.scheduled_type
        self._begin(task_id, at, lambda chapter: replace(chapter, plan=anchored), words.EDITED, note)

    def disable(self, task_id: str, at: float) -> None:
        """Switch the task off."""
        self._begin(task_id, at, lambda chapter: replace(chapter, enabled=False), words.DISABLED)

    def enable(self, task_id: str, at: float) -> None:
        """Switch the task on."""
        self._begin(task_id, at, lambda chapter: replace(chapter, enabled=True), words.ENABLED)

    def delete(self, task_id: str, at: float) -> None:
        """Delete the task and all that the service tells of it; the ledger remembers."""
        self._begin(task_id, at, lambda chapter: replace(chapter, deleted=True), words.DELETED)

    def plant_run(self, task_id: str, planted: PlantedRun) -> Run:
        """Plant a run and return it as it will have been once it is over.

        It should lie ahead: one that began before somebody asked appears as if out of nothing, and an
        occurrence that is replaced after its run began loses that run.

        Raises:
            UnknownTaskError: the task does not exist when the run starts.
            ValueError: the task does not run at the occurrence that it replaces.

        """
        task = self.task(task_id, planted.start)
        if planted.replaces is not None:
            self._settle(task, planted.replaces, missed=False)
        self._planted += 1
        run = grow(planted, task, self.seed, self._planted)
        task.timeline.plant(run)
        return run

    def finish_run(
        self,
        run: Run,
        end: int,
        *,
        status: str = "SUCCESS",
        success: int | None = None,
        failed: int | None = None,
        skipped: int | None = None,
    ) -> Run:
        """End a run at that instant, with this status; counts that are not given stay as planned."""
        ended = replace(
            run,
            end=end,
            status=status,
            success=run.success if success is None else success,
            failed=run.failed if failed is None else failed,
            skipped=run.skipped if skipped is None else skipped,
        )
        self._task(run.task_id).timeline.replace(ended)
        return ended

    def plant_miss(self, task_id: str, due: int) -> None:
        """Let no run start at that occurrence.

        Raises:
            ValueError: the task does not run then.

        """
        self._settle(self._task(task_id), due, missed=True)

    def _settle(self, task: Task, due: int, *, missed: bool) -> None:
        if not task.timeline.occurs(due):
            raise ValueError(f"task {task.id} does not run at {due}")
        task.timeline.settle(due, missed=missed)

    def _begin(self, task_id: str, at: float, change: Callable[[Chapter], Chapter], *note: str) -> None:
        """Begin a chapter; a change of when the task runs cancels what is due but has not started."""
        timeline = self.task(task_id, at).timeline
        before = timeline.chapter(at)
        after = replace(change(before), since=at)
        timeline.begin(after, cancels=_when(before) != _when(after))
        self._note(task_id, at, *note)

    def _task(self, task_id: str) -> Task:
        if task_id not in self._tasks:
            raise UnknownTaskError(task_id)
        return self._tasks[task_id]

    def _note(self, task_id: str, at: float, kind: str, note: str = "") -> None:
        self._changes.append(Change(task_id, at, kind, note))
        insort(self._instants, at)
        self._shown = (inf, -inf, [], [])


def _anchored(plan: Plan, at: float) -> Plan:
    """Let a task of every so many days begin with the day on which it was made, where it says no other."""
    return plan if plan.anchor else replace(plan, anchor=local_date(plan, at).isoformat())


def _when(chapter: Chapter) -> tuple[Plan, bool, bool]:
    return chapter.plan, chapter.enabled, chapter.deleted


def _started(task: Task, since: float, until: float) -> list[Run]:
    deleted = task.timeline.deleted
    return [
        run if run.end is None or run.end <= deleted else replace(run, end=None)
        for run in task.timeline.overlapping(since, until)
    ]
