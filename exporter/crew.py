"""Jobs done side by side, a few at a time, until a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

Job = Callable[[], Awaitable[None]]


class Crew:
    """So many workers as the project's `concurrency`; deadlines are moments of `monotonic` (seconds)."""

    def __init__(self, workers: int, monotonic: Callable[[], float]) -> None:
        self._workers = workers
        self._monotonic = monotonic

    async def work(self, jobs: Sequence[Job], deadline: float) -> int:
        """Do the jobs in order, beginning none from `deadline` on; returns how many were not begun.

        The first exception ends the jobs under way and is raised as it is.
        """
        waiting, begun = iter(jobs), 0

        async def worker() -> None:
            nonlocal begun
            for job in waiting:
                if self._monotonic() >= deadline:
                    return
                begun += 1
                await job()

        await _together(worker() for _ in range(min(self._workers, len(jobs))))
        return len(jobs) - begun


async def _together(coroutines: Iterable[Awaitable[None]]) -> None:
    """Await all; an exception, or being cancelled, ends the others before it is raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
