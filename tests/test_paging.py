"""Paging: whatever the order, shape and honesty of the server's list, the newest records are found."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.decode import Page
from exporter.errors import BodyError
from exporter.paging import (
    MAX_RECORD_PAGES,
    Conversation,
    Identified,
    PageRequest,
    Read,
    all_tasks,
    first_details,
    newest_records,
    order_of,
)
from exporter.records import Record, RecordDetail, Task

T = TypeVar("T", bound=Identified)
Server = Callable[[PageRequest], Page[T]]


def converse(
    conversation: Conversation[T], answer: Callable[[PageRequest], Page[T]]
) -> tuple[Read[T], list[PageRequest]]:
    """Hold a conversation against `answer`; returns its result and what was asked."""
    asked: list[PageRequest] = []
    try:
        request = next(conversation)
        while True:
            asked.append(request)
            assert request.limit > 0
            request = conversation.send(answer(request))
    except StopIteration as stop:
        return stop.value, asked


def serve(items: list[T], *, clamp: int = 100, total: int | None = None) -> Server[T]:
    """A server that holds `items` in this order and gives at most `clamp` a page."""

    def answer(request: PageRequest) -> Page[T]:
        part = tuple(items[request.offset : request.offset + min(request.limit, clamp)])
        return Page(part, len(part), len(items) if total is None else total, Counter())

    return answer


def records(count: int, *, step: float = 60) -> list[Record]:
    """So many records, oldest first."""
    return [Record(f"r{number}", 1_000_000 + number * step) for number in range(count)]


def newest(read: Read[Record], count: int) -> list[str]:
    """The ids of the newest records of a read."""
    return [r.id for r in sorted(read.items, key=lambda r: (r.start, r.id))[-count:]]


def test_a_short_list_costs_one_call() -> None:
    """All records on one page: one request, whatever their order."""
    read, asked = converse(newest_records(100), serve(records(100)))
    assert asked == [PageRequest(0, 100)]
    assert (len(read.items), read.truncated) == (100, False)


def test_descending_reads_the_front_only() -> None:
    """Newest first: one page holds the hundred newest of five thousand."""
    everything = records(5000)
    read, asked = converse(newest_records(100), serve(everything[::-1]))
    assert asked == [PageRequest(0, 100)]
    assert newest(read, 100) == [r.id for r in everything[-100:]]
    assert not read.truncated


def test_ascending_reads_the_first_and_the_last_page() -> None:
    """Oldest first: the first page shows the order, the last one holds the newest."""
    everything = records(5000)
    read, asked = converse(newest_records(100), serve(everything))
    assert asked == [PageRequest(0, 100), PageRequest(4900, 100)]
    assert newest(read, 100) == [r.id for r in everything[-100:]]
    assert not read.truncated


def test_ascending_goes_back_as_far_as_asked() -> None:
    """A longer history takes more pages from the end, backwards."""
    everything = records(1050)
    read, asked = converse(newest_records(250), serve(everything))
    assert asked == [PageRequest(offset, 100) for offset in (0, 950, 850, 750)]
    assert newest(read, 250) == [r.id for r in everything[-250:]]


def test_unordered_is_read_whole() -> None:
    """No order: every page is read, and nothing is truncated."""
    everything = records(730)
    shuffled = random.Random(7).sample(everything, len(everything))
    read, asked = converse(newest_records(100), serve(shuffled))
    assert len(asked) == 8
    assert newest(read, 100) == [r.id for r in everything[-100:]]
    assert not read.truncated


def test_unordered_beyond_the_cap_says_truncated() -> None:
    """A list in no order that is longer than the cap may hide newer records: that is said."""
    shuffled = random.Random(7).sample(records(6000), 6000)
    read, asked = converse(newest_records(100), serve(shuffled))
    assert len(asked) == MAX_RECORD_PAGES
    assert read.truncated


def test_back_to_stops_at_what_is_known() -> None:
    """A read between two refreshes goes back to the newest known record and no further."""
    everything = records(1000)
    for served, offsets in ((everything[::-1], [0]), (everything, [0, 900])):
        read, asked = converse(newest_records(1000, back_to=everything[-5].start), serve(served))
        assert [request.offset for request in asked] == offsets
        assert set(newest(read, 5)) == {r.id for r in everything[-5:]}


@pytest.mark.parametrize(("known", "pages"), [(99, 1), (100, 2), (150, 2), (250, 3)])
def test_back_to_holds_all_that_started_then(known: int, pages: int) -> None:
    """Where the page ends with that very start, another record with it may follow."""
    everything = records(1000)
    _, asked = converse(newest_records(1000, back_to=everything[-known].start), serve(everything[::-1]))
    assert len(asked) == pages


def test_a_front_that_only_looks_ascending_is_found_out() -> None:
    """The first page ascends, the last does not continue it: the list is read whole."""
    everything = records(400)
    deceiving = everything[:100] + everything[300:] + everything[100:300][::-1]
    read, _ = converse(newest_records(100), serve(deceiving))
    assert newest(read, 100) == [r.id for r in everything[-100:]]


@pytest.mark.parametrize(("wanted", "pages"), [(95, 1), (96, 2), (98, 2)])
def test_records_with_the_start_of_the_last_one_wanted_are_looked_for(wanted: int, pages: int) -> None:
    """A tie at the edge of the window is decided by id, so all of the tie are read."""
    everything = [Record(f"r{n // 10:02}{9 - n % 10}", 1_000_000 + n // 10) for n in range(305)]
    read, asked = converse(newest_records(wanted), serve(everything[::-1]))
    assert newest(read, wanted) == [r.id for r in sorted(everything, key=lambda r: (r.start, r.id))[-wanted:]]
    assert len(asked) == pages, "the first page ends within ten records of one start, of which it holds five"


def test_a_tie_without_end_ends_at_the_cap() -> None:
    """Nearly ten thousand records of one start, at the end of an ascending list, read from either side."""
    everything = records(100) + [Record(f"s{n}", 2_000_000) for n in range(9900)]
    read, asked = converse(newest_records(99), serve(everything))
    assert len(asked) == 2 * MAX_RECORD_PAGES
    assert read.truncated


def test_nothing_readable_is_a_failed_read() -> None:
    """Records came and none could be read: the answer says nothing of the task, so it is an error."""
    page: Page[Record] = Page((), 3, 3, Counter(time=3))
    with pytest.raises(BodyError, match="list_records: none of 3 entries") as caught:
        converse(newest_records(100), lambda _: page)
    assert caught.value.label == "body"
    tasks: Page[Task] = Page((), 3, 3, Counter(id=3))
    with pytest.raises(BodyError, match="list_tasks: none of 3 entries"):
        converse(all_tasks(100), lambda _: tasks)
    read, _ = converse(newest_records(100), lambda _: Page((), 0, 0, Counter()))
    assert read.items == []


def test_some_unreadable_records_do_not_matter() -> None:
    """A malformed record counts as seen: it makes the list neither endless nor truncated."""
    one = records(1)[0]
    read, asked = converse(newest_records(100), lambda _: Page((one,), 3, 3, Counter(time=1, id=1)))
    assert len(asked) == 1
    assert not read.truncated
    assert read.rejected == Counter(time=1, id=1)


@pytest.mark.parametrize("total", [0, 5, 10**9])
def test_a_total_that_lies_loses_no_record_and_ends(total: int) -> None:
    """Too small a total is found out by full pages, too large a one by an empty page."""
    everything = records(250)
    read, asked = converse(newest_records(100), serve(everything[::-1], total=total))
    assert newest(read, 100) == [r.id for r in everything[-100:]]
    read, asked = converse(newest_records(100), serve(everything, total=total))
    assert newest(read, 100) == [r.id for r in everything[-100:]]
    assert len(asked) < 20
    assert read.truncated == (total > 250), "then newer ones may be missing at its end"


def test_a_short_page_beyond_a_total_that_is_too_small_is_the_last() -> None:
    """It costs no further call."""
    _, asked = converse(newest_records(300), serve(records(250)[::-1], total=5))
    assert [request.offset for request in asked] == [0, 100, 200]


@pytest.mark.parametrize(("hiding", "reads"), [(0, 1), (1, 2), (2, 3), (9, 3)])
def test_an_unordered_list_that_shows_less_than_its_total_is_read_again(hiding: int, reads: int) -> None:
    """Three times at the most; what is still not seen then is said to be missing."""
    shuffled = random.Random(3).sample(records(90), 90)
    begun = 0

    def answer(request: PageRequest) -> Page[Record]:
        nonlocal begun
        begun += request.offset == 0
        return serve(shuffled[begun <= hiding :], total=90)(request)

    read, _ = converse(newest_records(300), answer)
    assert (begun, len(read.items), read.truncated) == (reads, 89 + (hiding < 3), hiding >= 3)


def test_an_empty_page_ends_a_list_whose_total_is_too_large() -> None:
    """It is asked for once, since the last page before it was no full one."""
    everything = records(250)
    _, asked = converse(newest_records(300), serve(everything[::-1], total=10**9))
    assert [request.offset for request in asked] == [0, 100, 200, 250]


def test_endless_pages_end() -> None:
    """A server that repeats one page for ever is left after a few pages that bring nothing new."""
    same = tuple(records(100))
    read, asked = converse(newest_records(100), lambda _: Page(same, 100, 10**6, Counter()))
    assert len(asked) == 2 + 4, "the front, what should be the end, and the front again until nothing is new"
    assert len(read.items) == 100
    tasks = tuple(Task(f"t{n}") for n in range(50))
    _, listed = converse(all_tasks(20_000), lambda _: Page(tasks, 50, 10**6, Counter()))
    assert len(listed) == 4


def test_endless_new_records_end_at_the_cap() -> None:
    """A server that invents records for ever is left at the cap, and the read is called truncated."""

    def invent(request: PageRequest) -> Page[Record]:
        part = tuple(
            Record(f"x{n}", 1e6 + (n * 7919) % 1000) for n in range(request.offset, request.offset + 100)
        )
        return Page(part, 100, 10**6, Counter())

    read, asked = converse(newest_records(100), invent)
    assert len(asked) == MAX_RECORD_PAGES
    assert read.truncated


def test_a_record_that_arrives_while_paging_is_not_lost() -> None:
    """Newest first and one record more before each page: entries repeat, none is skipped."""
    everything = records(400)
    calls = 0

    def answer(request: PageRequest) -> Page[Record]:
        nonlocal calls
        calls += 1
        return serve(everything[: 350 + calls][::-1], clamp=30)(request)

    read, _ = converse(newest_records(200), answer)
    assert newest(read, 200) == [r.id for r in everything[151:351]]


def test_a_list_that_shrinks_while_it_is_paged_is_read_again() -> None:
    """A deletion shifts entries past an unordered read: the read starts over."""
    shuffled = random.Random(3).sample(records(300), 300)
    calls = 0

    def answer(request: PageRequest) -> Page[Record]:
        nonlocal calls
        calls += 1
        return serve(shuffled if calls == 1 else shuffled[1:])(request)

    read, asked = converse(newest_records(300), answer)
    assert [request.offset for request in asked] == [0, 100, 200, 0, 100, 200]
    assert {r.id for r in read.items} == {r.id for r in shuffled[1:]}
    assert not read.truncated


@pytest.mark.parametrize(("steady", "truncated"), [(3, False), (4, True)])
def test_a_list_that_shrinks_in_each_read_is_taken_as_it_is(steady: int, truncated: bool) -> None:  # noqa: FBT001 - the expectation
    """After three reads, and what they may have missed is said, unless the third found the list at rest."""
    everything = records(300)[::-1]
    reads = calls = 0

    def answer(request: PageRequest) -> Page[Record]:
        nonlocal reads, calls
        reads += request.offset == 0
        calls += reads < steady
        return serve(everything[calls:])(request)

    read, _ = converse(newest_records(300), answer)
    assert (reads, read.truncated) == (3, truncated)


def test_the_same_id_twice_is_kept_as_a_repeat() -> None:
    """A record read while it changed comes twice; both sightings are handed on."""
    page = Page((Record("a", 5.0, "RUNNING"), Record("a", 5.0, "SUCCESS")), 2, 2, Counter())
    read, _ = converse(newest_records(10), lambda _: page)
    assert [r.status for r in read.items + read.repeats] == ["RUNNING", "SUCCESS"]


def test_tasks_are_paged_by_fifty_and_read_again_when_one_may_be_hidden() -> None:
    """120 tasks take three pages; a task deleted in between makes the list start over."""
    tasks = [Task(f"t{n}") for n in range(120)]
    read, asked = converse(all_tasks(20_000), serve(tasks))
    assert [request.offset for request in asked] == [0, 50, 100]
    assert len(read.items) == 120
    calls = 0

    def answer(request: PageRequest) -> Page[Task]:
        nonlocal calls
        calls += 1
        return serve(tasks if calls == 1 else tasks[1:])(request)

    read, asked = converse(all_tasks(20_000), answer)
    assert len(asked) == 6
    assert {t.id for t in read.items} == {t.id for t in tasks[1:]}


def test_a_task_that_a_shift_may_hide_makes_the_list_be_read_again() -> None:
    """One is added at the front and another deleted between two pages: fewer are seen than there are."""
    tasks = [Task(f"t{n}") for n in range(70)]
    calls = 0

    def answer(request: PageRequest) -> Page[Task]:
        nonlocal calls
        calls += 1
        return serve(tasks if calls == 1 else [Task("new"), *tasks[:-1]])(request)

    read, asked = converse(all_tasks(20_000), answer)
    assert [request.offset for request in asked] == [0, 50] * 2
    assert read.items == [Task("new"), *tasks[:-1]]


def test_no_tasks_at_all_are_no_error() -> None:
    """One call."""
    read, asked = converse(all_tasks(20_000), serve(list[Task]()))
    assert (read.items, read.truncated, len(asked)) == ([], False, 1)


def test_two_reads_joined_hold_each_entry_once() -> None:
    """The later sight of it, and then what only the earlier read saw."""
    (earlier, _), (later, _) = (
        converse(all_tasks(20_000), serve([Task(task_id, name) for task_id in ids]))
        for ids, name in (("ab", "before"), ("bc", "after"))
    )
    joined = later.joined(earlier)
    assert [(task.id, task.name) for task in joined.items] == [
        ("b", "after"),
        ("c", "after"),
        ("a", "before"),
    ]
    assert len(joined.joined(earlier).items) == 3


def test_a_full_last_page_costs_no_further_call() -> None:
    """Exactly 100 tasks are two pages, not three: the total is believed where it fits."""
    _, asked = converse(all_tasks(20_000), serve([Task(f"t{n}") for n in range(100)]))
    assert len(asked) == 2


def test_more_tasks_than_allowed_are_cut_and_said() -> None:
    """The most that may be taken bounds memory and calls; the rest is not silently dropped."""
    read, asked = converse(all_tasks(70), serve([Task(f"t{n}") for n in range(200)]))
    assert (len(read.items), read.truncated) == (70, True)
    assert asked == [PageRequest(0, 50), PageRequest(50, 20)]


def test_details_stop_at_a_thousand() -> None:
    """A run's desktops are read up to the documented bound."""
    read, asked = converse(first_details(), serve([RecordDetail(f"d{n}") for n in range(2500)]))
    assert (len(read.items), len(asked)) == (1000, 10)


@given(
    count=st.integers(0, 400),
    wanted=st.integers(1, 300),
    clamp=st.integers(1, 100),
    order=st.sampled_from(["newest", "oldest", "none"]),
    seed=st.integers(0, 5),
)
def test_any_order_and_page_size_gives_the_same_newest(
    count: int, wanted: int, clamp: int, order: str, seed: int
) -> None:
    """The newest records do not depend on how the server lists and pages them, up to the cap."""
    everything = records(count)
    listed = {"newest": everything[::-1], "oldest": everything}.get(
        order, random.Random(seed).sample(everything, count)
    )
    read, asked = converse(newest_records(wanted), serve(listed, clamp=clamp))
    if count < clamp * MAX_RECORD_PAGES:
        assert newest(read, wanted) == [r.id for r in everything[-wanted:]]
        assert not read.truncated
    assert len(asked) <= 2 * MAX_RECORD_PAGES


def test_order_of_needs_enough_to_tell() -> None:
    """Seven records in a row may be chance, equal starts say nothing, eight falling ones are an order."""
    assert order_of(records(7)) == "undecided"
    assert order_of([Record(f"r{n}", 5.0) for n in range(50)]) == "undecided"
    assert order_of(records(8)) == "ascending"
    assert order_of(records(8)[::-1]) == "descending"
    assert order_of([*records(3), Record("z", 1.0)]) == "unordered"
