"""The whole list of tasks: what it costs, and that nobody is taken for deleted whom a shift has hidden."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.decode import Page
from exporter.errors import ApiError
from exporter.records import Task
from exporter.tasklist import TaskList, read_task_list
from tests.stories.upstream import server_error


@dataclass
class Lists:
    """Both halves, as upstream holds them; `meanwhile` is told the number of each call after its answer."""

    timed: list[str]
    triggered: list[str] = field(default_factory=list)
    meanwhile: Callable[[int], None] = lambda _: None
    bad: str = ""
    """The id of an entry that cannot be read."""
    asked: list[tuple[int, bool]] = field(default_factory=list)

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        """Answer a page."""
        self.asked.append((offset, life_cycle))
        ids = self.triggered if life_cycle else self.timed
        shown = ids[offset : offset + limit]
        page = tuple(Task(task_id) for task_id in shown if task_id != self.bad)
        answer = Page(page, len(shown), len(ids), Counter(id=1) if self.bad in shown else Counter())
        self.meanwhile(len(self.asked))
        return answer

    def swap(self, task_id: str, new: str) -> None:
        """Delete a timed task, and add another at the end."""
        self.timed.remove(task_id)
        self.timed.append(new)

    def read(self, *known: str, most: int = 1000) -> TaskList:
        """Read the list, of which these ids were known."""
        return asyncio.run(read_task_list(self.list_tasks, most, set(known), lambda _: None))


def names(count: int, prefix: str = "t") -> list[str]:
    """So many ids."""
    return [f"{prefix}{number:03}" for number in range(count)]


def test_a_list_that_holds_all_known_tasks_is_read_once() -> None:
    """Both halves, page by page."""
    lists = Lists(names(120), names(3, "e"))
    assert [task.id for task in lists.read(*names(120), *names(3, "e"))] == names(120) + names(3, "e")
    assert lists.asked == [(0, False), (50, False), (100, False), (0, True)]


def test_a_task_that_slipped_by_is_found_and_the_deleted_one_is_not() -> None:
    """One is deleted and one is added between the first two pages: the total is what it was."""
    lists = Lists(names(70))
    lists.meanwhile = lambda call: lists.swap("t005", "new") if call == 1 else None
    tasks = lists.read(*names(70))
    assert {task.id for task in tasks} == {*names(70), "new"}
    assert (tasks.complete, len(lists.asked)) == (True, 2 * 2 + 1)
    assert {task.id for task in lists.read(*names(70))} == {*names(70), "new"} - {"t005"}


def test_what_slips_by_in_the_second_read_is_known_from_the_first() -> None:
    """A list that shifts in both reads hides two different tasks; each is in one of them."""
    lists = Lists(names(70))
    swaps = {1: ("t005", "new 1"), 4: ("t006", "new 2")}
    lists.meanwhile = lambda call: lists.swap(*swaps[call]) if call in swaps else None
    assert set(names(70)[7:]) <= {task.id for task in lists.read(*names(70))}


def test_a_deleted_task_costs_one_more_read_of_the_half_that_took_several_pages() -> None:
    """The other half came in one answer, in which nothing can shift."""
    lists = Lists(names(60), names(3, "e"))
    assert {task.id for task in lists.read("gone", *names(60))} == {*names(60), *names(3, "e")}
    assert lists.asked == [(0, False), (50, False), (0, True), (0, False), (50, False)]
    lists = Lists(names(3), names(60, "e"))
    assert len(list(lists.read("gone"))) == 63
    assert lists.asked == [(0, False), (0, True), (50, True), (0, True), (50, True)]


def test_a_deleted_task_of_a_short_list_costs_nothing() -> None:
    """One page is one state of the list."""
    lists = Lists(names(50))
    assert "gone" not in {task.id for task in lists.read("gone", *names(50))}
    assert len(lists.asked) == 2


@pytest.mark.parametrize(("most", "bad"), [(60, ""), (1000, "t007")])
def test_a_list_that_proves_no_absence_is_not_read_again(most: int, bad: str) -> None:
    """It was cut, or an entry could not be read: nobody leaves for not being in it."""
    for timed, triggered in ((names(70), names(3, "e")), (names(3, "e"), names(70))):
        lists = Lists(timed, triggered, bad=bad)
        tasks = lists.read("gone", most=most)
        assert (tasks.complete, tasks.truncated, len(lists.asked)) == (False, not bad, 3)


def test_a_second_read_that_fails_is_a_failed_read() -> None:
    """Nothing is concluded from the first."""
    lists = Lists(names(70))

    def fail(call: int) -> None:
        if call == 4:
            raise server_error()

    lists.meanwhile = fail
    with pytest.raises(ApiError):
        lists.read("gone")


@given(
    st.integers(51, 170),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 169)), max_size=3, unique_by=lambda swap: swap[0]),
)
def test_whoever_stays_is_in_the_list(count: int, swaps: list[tuple[int, int]]) -> None:
    """Whatever is swapped while the list is paged for the first time."""
    lists = Lists(names(count))
    known, leaving = names(count), dict(swaps)

    def swap(call: int) -> None:
        victim = f"t{leaving.get(call, 999):03}"
        if victim in lists.timed:
            lists.swap(victim, f"new {call}")

    lists.meanwhile = swap
    there = {task.id for task in lists.read(*known)}
    assert set(lists.timed) & set(known) <= there
