"""Reads tasks live, for a person who asks: a cycle of the daemon's own poller, without the daemon.

What a task's records mean is thus decided by the same code, and once. What differs is patience: a cycle of
the daemon ends with its interval, this one when everything that was asked for has been read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from exporter.cli.overheard import Overheard
from exporter.config import Config, Project
from exporter.errors import ApiError
from exporter.fleet import Key
from exporter.overview import view_project
from exporter.poller import Clocks, ProjectPoller, Upstream
from exporter.selection import Shard
from exporter.state import TaskState
from exporter.upstream.exchange import Observer
from exporter.views import ProjectView

Wanted = Callable[[str, str], bool]
"""Whether a task is asked for, by its id and its name; the name is empty until it is known."""
Changed = Callable[[str, int, int], None]
"""Is told how far the reading of a project is: its name, steps done, steps in all."""
ClientBuilder = Callable[[Project, Config, Observer], Upstream]

_PATIENCE = 30 * 86_400.0
"""Seconds for a look: longer than any takes."""
_CYCLES = 2
"""A failure that may pass is given so many cycles."""
_SILENT = "critical"
"""Nothing here logs at this level."""


@dataclass(frozen=True, slots=True)
class World:
    """What a look reaches the world by; handed in, so that tests own it."""

    build_client: ClientBuilder
    clocks: Clocks


class Look:
    """One project, read once: the `states` of the tasks that were asked for, as the daemon would know them.

    `known` holds the names of all selected tasks by id; `rejected` counts malformed entries by reason, each
    time one was met. The `upstream` is usable until the look is closed.
    """

    def __init__(
        self,
        project: Project,
        config: Config,
        world: World,
        *,
        wanted: Wanted,
        changed: Changed,
        keep_records: bool = False,
    ) -> None:
        self.project = project
        self.known: dict[str, str] = {}
        listener = _Listener()
        self.rejected = listener.reasons
        self.upstream = Overheard(world.build_client(project, config, listener), keep_records=keep_records)
        self._own = {task.id: task.name for task in project.tasks if task.name}
        self._wanted = wanted
        self._poller = ProjectPoller(
            project,
            _patient(config),
            upstream=self.upstream,
            publisher=_Meter(project.name, changed),
            observer=listener,
            clocks=world.clocks,
            shard=_AskedFor(holds_task=self._asked_for),
        )

    async def take(self) -> None:
        """Read; what fails is found in `problems`."""
        for _ in range(_CYCLES):
            await self._poller.cycle()
            if not any(problem.retryable for problem in self.problems):
                return

    @property
    def states(self) -> list[TaskState]:
        """The tasks that were asked for."""
        return list(self._poller.states)

    @property
    def problems(self) -> list[ApiError]:
        """What failed in the last cycle, the first three of it."""
        return self._poller.last_cycle.problems if self._poller.last_cycle else []

    @property
    def unread(self) -> int:
        """How many of the tasks' records could not be read."""
        return sum(state.poll_ok is False for state in self.states)

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is known."""
        return not self.problems and not self.unread

    def view(self, interval: float) -> ProjectView:
        """Return the project as the status page would show it; `interval` is that of polling in seconds."""
        return view_project(
            self.project,
            self._poller.last_cycle,
            tasks=len(self.states),
            interval=interval,
            last_success=self._poller.last_success,
        )

    def _asked_for(self, task_id: str) -> bool:
        listed = self.upstream.listed.get(task_id)
        name = self._own.get(task_id) or (listed.name if listed else "")
        self.known[task_id] = name
        return self._wanted(task_id, name)


@asynccontextmanager
async def looks(
    projects: Sequence[Project],
    config: Config,
    world: World,
    *,
    wanted: Wanted,
    changed: Changed,
    keep_records: bool = False,
) -> AsyncIterator[list[Look]]:
    """Look at these projects side by side; gives what was found, and closes the connections in the end."""
    async with AsyncExitStack() as stack:
        taken = []
        for project in projects:
            look = Look(project, config, world, wanted=wanted, changed=changed, keep_records=keep_records)
            stack.push_async_callback(look.upstream.aclose)
            taken.append(look)
        await asyncio.gather(*(look.take() for look in taken))
        yield taken


def silence_log() -> None:
    """Let the log say nothing: what goes wrong is told by the command, once."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_SILENT))


@dataclass(frozen=True, slots=True)
class _AskedFor(Shard):
    """A share of the tasks that is not K/N, but what a person asked for."""

    holds_task: Callable[[str], bool] = bool

    def holds(self, project: str, task_id: str) -> bool:
        """Whether the task is to be read."""
        del project
        return self.holds_task(task_id)


class _Meter:
    """Shows states to nobody, but counts how far the reading is: records and schedule of each task."""

    def __init__(self, project: str, changed: Changed) -> None:
        self._project = project
        self._changed = changed
        self._steps: dict[Key, tuple[int, int]] = {}
        self._done = self._total = 0

    def put(self, state: TaskState) -> None:
        """Count what is known of a task by now."""
        key = state.project, state.task_id
        scheduled = state.scheduled_type.strip().upper() != "LIFE_CYCLE"
        done = (state.poll_ok is not None) + (scheduled and state.schedule is not None)
        before_done, before_total = self._steps.get(key, (0, 0))
        self._steps[key] = done, 1 + scheduled
        self._done += done - before_done
        self._total += 1 + scheduled - before_total
        self._changed(self._project, self._done, self._total)

    def touch(self, key: Key, last_poll: float) -> None:
        """Nothing new."""

    def remove(self, key: Key) -> None:
        """Nothing to show any more; what was read stays read."""


class _Listener:
    """Observes client and poller for no metrics; only malformed entries are counted."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    def rejected(self, reasons: Mapping[str, int]) -> None:
        """Malformed entries were left out."""
        self.reasons.update(reasons)

    def request(self, operation: str, code: str, seconds: float) -> None:
        """A request ended."""

    def retry(self, reason: str) -> None:
        """A request is sent again."""

    def started(self, interval: float) -> None:
        """The loop begins."""

    def cycle(self, *, ok: bool, ended: float, seconds: float, tasks: int, overrun: bool) -> None:
        """A cycle has ended."""

    def upstream(self, *, auth_ok: bool, expiry: tuple[str, float] | None, skew: float | None) -> None:
        """The client knows so much of its credentials and of upstream's clock."""


def _patient(config: Config) -> Config:
    """The same configuration, but for how long a cycle may take and for how long data is good."""
    polling = config.polling.model_copy(update={"interval": _PATIENCE, "max_age": _PATIENCE})
    return config.model_copy(update={"polling": polling})
