"""Reads beside the records: waves that grow while they succeed, and who comes first."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from exporter.crew import Crew
from exporter.errands import Errands
from exporter.errors import ApiError, CredentialsError
from exporter.tracking import TrackedTask
from tests.stories.upstream import forbidden, refused, server_error
from tests.stories.watch import configured

NEVER = 1e9
CONFIG = configured()


def _task(task_id: str) -> TrackedTask:
    return TrackedTask("prod", task_id, None, CONFIG, now=0.0, moment=0.0)


class Shop:
    """Errands whose reads fail for the tasks in `bad`; each read takes a second."""

    def __init__(self, workers: int = 8) -> None:
        self.now = 0.0
        self.bad: set[str] = set()
        self.error = server_error
        self.read: list[str] = []
        self.told: list[str] = []
        self.errands = Errands(Crew(workers, self.monotonic), self.monotonic, self._read)

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    async def run(self, tasks: Iterable[str], deadline: float = NEVER) -> tuple[list[str], int]:
        """Run the errands; return what was read, in order, and how many are left."""
        self.read, self.told = [], []
        left = await self.errands.run(map(_task, tasks), deadline, self._failed)
        return self.read, left

    async def _read(self, task: TrackedTask) -> None:
        self.read.append(task.state.task_id)
        self.now += 1
        if task.state.task_id in self.bad:
            raise self.error()

    def _failed(self, task: TrackedTask, error: ApiError) -> None:
        assert error.label == self.error().label
        self.told.append(task.state.task_id)


async def test_all_are_read_where_nothing_fails() -> None:
    """In the order given."""
    shop = Shop()
    names = [f"t{number:02}" for number in range(37)]
    assert await shop.run(names) == (names, 0)
    assert shop.told == []
    assert await shop.run([]) == ([], 0)


async def test_an_operation_that_fails_costs_one_read_each_time_of_another_task() -> None:
    """As one that nobody may use: no task is tried twice before all were."""
    shop = Shop()
    shop.error = forbidden
    shop.bad = {"a", "b", "c"}
    tried = [(await shop.run("abc"))[0] for _ in range(6)]
    assert tried == [["a"], ["b"], ["c"], ["a"], ["b"], ["c"]]


async def test_one_that_fails_for_itself_keeps_nobody_waiting() -> None:
    """The next time it comes last; the others are read at once."""
    shop = Shop()
    shop.bad = {"a"}
    assert await shop.run("abcdefgh") == (["a"], 0)
    assert shop.told == ["a"]
    read, left = await shop.run("abcdefgh")
    assert (sorted(read), read[-1], left) == (list("abcdefgh"), "a", 0)
    assert (await shop.run("a"))[0] == ["a"]


async def test_waves_grow_while_at_least_half_succeed() -> None:
    """One, two, four, eight; a failure among many stops nothing, most of a wave does."""
    shop = Shop()
    names = [f"t{number:02}" for number in range(40)]
    shop.bad = {*names[1:2], *names[3:5], *names[7:12]}
    read, left = await shop.run(names)
    assert (read, left) == (names[:15], 0)


async def test_a_failure_is_forgotten_with_a_success_or_with_the_wish() -> None:
    """Then a task is one like any other."""
    shop = Shop()
    shop.bad = {"a"}
    await shop.run("ab")
    shop.bad = set()
    await shop.run("ab")
    assert (await shop.run("ab"))[0] == ["a", "b"]
    shop.bad = {"a"}
    await shop.run("ab")
    await shop.run("b")
    assert (await shop.run("ab"))[0] == ["a"]


async def test_what_the_deadline_left_is_counted() -> None:
    """Those of the wave under way, and those of the waves to come; waves that a failure stopped are not."""
    shop = Shop(workers=1)
    names = [f"t{number}" for number in range(10)]
    assert await shop.run(names, deadline=5.0) == (names[:5], 5)
    assert await shop.run(names, deadline=5.0) == ([], 10)
    shop.bad = set(names)
    assert await shop.run(names) == (["t0"], 0)


async def test_a_refused_sign_in_ends_everything() -> None:
    """It is the project's trouble, not the task's."""
    shop = Shop()
    shop.bad, shop.error = {"a"}, refused
    with pytest.raises(CredentialsError):
        await shop.run("abc")
    assert (shop.read, shop.told) == (["a"], [])
