"""Jobs done side by side: in order, so many at once, none begun too late, none left behind."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from exporter.crew import Crew


class Yard:
    """Jobs that wait for each other to be let go, and a clock."""

    def __init__(self, workers: int) -> None:
        self.now = 0.0
        self.crew = Crew(workers, lambda: self.now)
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []

    async def job(self, number: int, seconds: float = 1.0) -> None:
        """Take a while."""
        self.begun.append(number)
        try:
            await asyncio.sleep(0)
            self.now += seconds
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        self.ended.append(number)


@pytest.mark.parametrize("workers", [1, 3, 50])
async def test_all_jobs_are_begun_in_order(workers: int) -> None:
    """However many workers there are."""
    yard = Yard(workers)
    assert await yard.crew.work([partial(yard.job, number) for number in range(10)], 1e9) == 0
    assert yard.begun == list(range(10))
    assert sorted(yard.ended) == list(range(10))


async def test_no_job_is_no_work() -> None:
    """Nothing is left of nothing."""
    assert await Crew(3, lambda: 0.0).work([], 0.0) == 0


async def test_nothing_is_begun_from_the_deadline_on() -> None:
    """What was begun ends; the others are counted."""
    yard = Yard(1)
    assert await yard.crew.work([partial(yard.job, number) for number in range(10)], 3.0) == 7
    assert yard.ended == [0, 1, 2]
    assert await yard.crew.work([partial(yard.job, 99)], 3.0) == 1


async def test_the_first_exception_ends_the_others_and_is_raised_itself() -> None:
    """Not a group of them, and nothing goes on behind the caller's back."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("as it is")

    async def wait() -> None:
        await yard.job(1)
        await asyncio.Event().wait()

    yard = Yard(3)
    with pytest.raises(LookupError, match="as it is"):
        await yard.crew.work([wait, fail, wait], 1e9)
    assert len(asyncio.all_tasks()) == 1


async def test_being_cancelled_ends_all_jobs_before_it_returns() -> None:
    """No task of the crew outlives it."""
    yard = Yard(2)
    gate = asyncio.Event()

    async def wait() -> None:
        try:
            await gate.wait()
        finally:
            yard.cancelled.append(1)

    working = asyncio.create_task(yard.crew.work([wait, wait, wait], 1e9))
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert yard.cancelled == [1, 1]
    assert len(asyncio.all_tasks()) == 1
