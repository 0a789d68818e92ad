"""The loop of one project: list its tasks, read what changed, fold it in, show it; and again, each interval.

Clock, sleep and client are handed in. What is due is decided in `polling`, what it means in `tracking`; here
is the order of a cycle: the list, the records in order of their deadlines, then schedules, then details. A
cycle that cannot finish within its interval leaves the rest to the next one, where it comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import structlog

from exporter.advice import advise
from exporter.collaborators import Clocks, Observer, Upstream
from exporter.config import Config, Project
from exporter.crew import Crew
from exporter.decode import Page
from exporter.errands import Errands
from exporter.errors import ApiError, CredentialsError, ForbiddenError
from exporter.fleet import Fleet, Publisher
from exporter.polling import Due, overload
from exporter.reader import Reader
from exporter.records import Task
from exporter.selection import Shard
from exporter.state import TaskState
from exporter.tasklist import read_task_list
from exporter.tracking import TrackedTask

__all__ = ["Clocks", "Cycle", "Observer", "ProjectPoller", "Upstream"]

_ANSWER_GRACE = 0.5
"""Seconds after the first answer at which a project counts as attempted: a first sweep may take long."""
_SHOWN_PROBLEMS = 3


@dataclass(slots=True)
class Cycle:
    """How the last cycle went, for people; times in epoch seconds."""

    started: float
    ended: float | None = None
    problems: list[ApiError] = field(default_factory=list)
    failing_tasks: int = 0
    carried_over: int = 0
    list_forbidden: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything that was to be known is known."""
        return not self.problems and not self.failing_tasks


class ProjectPoller:
    """Keeps one project's tasks current; one project's trouble is its own."""

    def __init__(
        self,
        project: Project,
        config: Config,
        *,
        upstream: Upstream,
        publisher: Publisher,
        observer: Observer,
        clocks: Clocks,
        shard: Shard = Shard(),  # noqa: B008 - frozen
        phase: float = 0.0,
    ) -> None:
        self.project = project
        self._settings = config.polling
        self._upstream = upstream
        self._observer = observer
        self._clocks = clocks
        self._phase = phase
        self._fleet = Fleet(project, config, shard, publisher)
        self._log = structlog.get_logger().bind(project=project.name)
        self._crew = Crew(config.polling.concurrency, clocks.monotonic)
        self._reader = Reader(
            upstream,
            observer,
            clocks,
            history=config.polling.history,
            publish=self._fleet.publish,
            log=self._log,
        )
        self._schedules = Errands(self._crew, clocks.monotonic, self._reader.schedule)
        self._details = Errands(self._crew, clocks.monotonic, self._reader.details)
        self._crowded = False
        self._load_told = False
        self._first_answer: float | None = None
        self.last_cycle: Cycle | None = None
        self.last_success: float | None = None

    @property
    def states(self) -> Iterator[TaskState]:
        """The tasks as they are shown."""
        return (task.state for task in self._fleet)

    @property
    def attempted(self) -> bool:
        """Whether the first attempt upstream has ended, however it ended."""
        if self.last_cycle is not None:
            return True
        since = self._first_answer
        return since is not None and self._clocks.monotonic() - since >= _ANSWER_GRACE

    def advance(self) -> None:
        """Let the clock pass, also while a cycle hangs."""
        self._fleet.advance(self._clocks.epoch())

    async def run(self) -> None:
        """Poll until cancelled: at once, then at the same phase of each interval, rather late than not."""
        interval = self._settings.interval
        self._observer.started(interval)
        wait = (self._phase * interval - self._clocks.epoch()) % interval
        tick = self._clocks.monotonic() + (wait or interval)
        await self.cycle()
        while True:
            now = self._clocks.monotonic()
            if now < tick:
                await self._clocks.sleep(tick - now)
            else:
                tick += (now - tick) // interval * interval
            tick += interval
            await self.cycle()

    async def cycle(self) -> None:
        """Make one cycle; never raises but when cancelled."""
        started = self._clocks.monotonic()
        cycle = Cycle(self._clocks.epoch())
        try:
            await self._poll(cycle, started)
        except CredentialsError as error:
            cycle.problems.append(error)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the watch; it is shown like a failed read
            self._log.exception("a cycle broke off")
            cycle.problems.append(ApiError(f"internal error ({type(error).__name__})", label="internal"))
        self._finish(cycle, self._clocks.monotonic() - started)

    def close(self) -> None:
        """Show none of the project's tasks any more."""
        self._fleet.clear()

    async def _poll(self, cycle: Cycle, started: float) -> None:
        listed = await self._read_list(cycle)
        now, moment = self._clocks.epoch(), self._clocks.monotonic()
        # However long the list took, half an interval is left for what it showed.
        deadline = max(started + self._settings.interval, moment + self._settings.interval / 2)
        due = self._fleet.due(now=now, moment=moment, listed=listed)
        if self._crowded and not any(why.reason == "new" for _, why in due):
            await self._read_further(cycle, (moment + deadline) / 2)
        left = await self._read_all(due, cycle, moment, deadline)
        await self._probe(cycle, moment, deadline)
        cycle.failing_tasks = sum(task.failing for task in self._fleet)
        cycle.carried_over = left + await self._read_further(cycle, deadline)
        # Records took all the time: in the next cycle, what comes after them has the first half of it.
        self._crowded = left > 0

    async def _read_list(self, cycle: Cycle) -> bool:
        most = self._settings.max_tasks
        try:
            tasks = await read_task_list(self._list_page, most, self._fleet.listed, self._tasks_rejected)
        except CredentialsError:
            raise
        except ApiError as error:
            self._list_failed(cycle, error)
            return False
        if tasks.truncated:
            reason = f"the project has more than max_tasks ({most}) tasks; the rest is not watched"
            cycle.problems.append(ApiError(reason, label="max_tasks", operation="list_tasks"))
        now, moment = self._clocks.epoch(), self._clocks.monotonic()
        self._fleet.list_read(
            tasks,
            complete=tasks.complete,
            project_id=self._upstream.project_id,
            now=now,
            moment=moment,
        )
        self._tell_load(timed=len(tasks.timed.items), triggered=len(tasks.triggered.items))
        return True

    async def _list_page(self, offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        page = await self._upstream.list_tasks(offset, limit, life_cycle=life_cycle)
        if self._first_answer is None:
            self._first_answer = self._clocks.monotonic()
        return page

    def _list_failed(self, cycle: Cycle, error: ApiError) -> None:
        cycle.list_forbidden = isinstance(error, ForbiddenError)
        if self.project.discovery or not cycle.list_forbidden:
            cycle.problems.append(error)
        self._fleet.list_unavailable(
            forbidden=cycle.list_forbidden,
            project_id=self._upstream.project_id,
            now=self._clocks.epoch(),
            moment=self._clocks.monotonic(),
        )

    def _tell_load(self, *, timed: int, triggered: int) -> None:
        """Say once, at the first list, when the rate cannot carry the selected tasks."""
        if self._load_told:
            return
        self._load_told = True
        too_much = overload(
            timed=timed,
            triggered=triggered,
            watched=len(self._fleet),
            events=sum(task.triggered for task in self._fleet),
            polling=self._settings,
        )
        if too_much:
            self._log.warning("the configured rate cannot carry the selected tasks", arithmetic=too_much)

    async def _probe(self, cycle: Cycle, moment: float, deadline: float) -> None:
        """Try a few of the tasks in back-off all the same, and ever more while they answer.

        So a failure that is over, of one task or of all, is over here within a cycle of its end.
        """
        probes = self._settings.concurrency
        while wave := self._fleet.probes(moment)[:probes]:
            tried = [(task, Due("retry", moment, whole=True)) for task in wave]
            await self._read_all(tried, cycle, moment, deadline)
            if 2 * sum(task.failing for task in wave) > len(wave):
                return
            probes *= 2

    async def _read_all(
        self, due: Iterable[tuple[TrackedTask, Due]], cycle: Cycle, moment: float, deadline: float
    ) -> int:
        """Read the records of these tasks, as was decided at `moment`; returns how many the deadline left."""
        note = partial(self._note, cycle)
        jobs = [partial(self._reader.records, task, why, moment, note) for task, why in due]
        return await self._crew.work(jobs, deadline)

    def _note(self, cycle: Cycle, task: TrackedTask, error: ApiError) -> None:
        self._log.debug("could not be read", task=task.state.task_id, error=str(error))
        if len(cycle.problems) < _SHOWN_PROBLEMS:
            cycle.problems.append(error)

    async def _read_further(self, cycle: Cycle, deadline: float) -> int:
        """Read schedules, then details; returns how many the deadline left."""
        note = partial(self._note, cycle)
        schedules = [task for task in self._fleet if task.schedule_wanted]
        left = await self._schedules.run(schedules, deadline, note)
        unread = [task for task in self._fleet if task.details_wanted]
        return left + await self._details.run(unread, deadline, note)

    def _tasks_rejected(self, reasons: Counter[str]) -> None:
        self._observer.rejected({"task": reasons.total()})

    def _finish(self, cycle: Cycle, seconds: float) -> None:
        cycle.ended = self._clocks.epoch()
        self._fleet.advance(cycle.ended)
        overrun = seconds > self._settings.interval or cycle.carried_over > 0
        if cycle.ok:
            self.last_success = cycle.ended
        else:
            self._log.warning(
                "a cycle failed",
                problems=[str(problem) for problem in cycle.problems],
                failing_tasks=cycle.failing_tasks,
                advice=list(dict.fromkeys(advise(problem).hint for problem in cycle.problems)),
            )
        if overrun:
            self._log.warning("a cycle overran", seconds=round(seconds, 3), left=cycle.carried_over)
        self.last_cycle = cycle
        self._observer.upstream(
            auth_ok=self._upstream.auth_ok,
            expiry=self._upstream.token_expiry,
            skew=self._upstream.clock_skew,
        )
        self._observer.cycle(
            ok=cycle.ok, ended=cycle.ended, seconds=seconds, tasks=len(self._fleet), overrun=overrun
        )
