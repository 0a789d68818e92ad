"""What is read of a task beside its records, schedules and details: in waves that grow while they succeed.

So an operation that fails, or that nobody may use, costs one request in a cycle instead of one for each task.
It is tried on another task each time: one that fails for itself does not keep the others waiting.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from exporter.crew import Crew
from exporter.errors import ApiError, CredentialsError
from exporter.reader import Failed
from exporter.tracking import TrackedTask


class Errands:
    """Reads of one kind; `read` reads of one task."""

    def __init__(
        self, crew: Crew, monotonic: Callable[[], float], read: Callable[[TrackedTask], Awaitable[None]]
    ) -> None:
        self._crew = crew
        self._monotonic = monotonic
        self._read = read
        self._failed_at: dict[str, float] = {}

    async def run(self, tasks: Iterable[TrackedTask], deadline: float, failed: Failed) -> int:
        """Read of these tasks, the latest failures last; returns how many the deadline left.

        `failed` is told of each ApiError, but for CredentialsError: that is raised, since nothing else can
        succeed either.
        """
        waiting = sorted(tasks, key=lambda task: self._failed_at.get(task.state.task_id, -math.inf))
        wanted = {task.state.task_id for task in waiting}
        self._failed_at = {key: at for key, at in self._failed_at.items() if key in wanted}
        size = 1
        while waiting:
            wave, waiting = waiting[:size], waiting[size:]
            failures: list[str] = []
            jobs = [partial(self._try, task, failures, failed) for task in wave]
            left = await self._crew.work(jobs, deadline)
            if left:
                return left + len(waiting)
            if 2 * len(failures) > len(wave):
                break
            size *= 2
        return 0

    async def _try(self, task: TrackedTask, failures: list[str], failed: Failed) -> None:
        key = task.state.task_id
        try:
            await self._read(task)
        except CredentialsError:
            raise
        except ApiError as error:
            failures.append(key)
            self._failed_at[key] = self._monotonic()
            failed(task, error)
        else:
            self._failed_at.pop(key, None)
