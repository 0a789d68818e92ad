"""exporter.web.pagequery: reading query strings, and what they select."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.views import RunView, TaskView, Verdict
from exporter.web.pagequery import PAGE_SIZE, Query, parse_query, select
from tests.page import sample


def names(query: str) -> list[str]:
    """Return the names of the sample's tasks that a query string selects."""
    return [task.name[:24] for task in select(sample.TASKS, parse_query(query.encode())).tasks]


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        (b"", Query()),
        (b"state=failed&project=prod&q=stop&sort=-last&page=3", Query("failed", "prod", "stop", "-last", 3)),
        (b"state=trouble", Query(state="trouble")),
        (b"state=nonsense&sort=nonsense&page=nonsense", Query()),
        (b"page=0", Query()),
        (b"page=-1", Query()),
        (b"page=1e3", Query()),
        (b"page=%D9%A3", Query()),  # a digit, but not ours
        (b"page=999999", Query(page=999999)),
        (b"page=1000000", Query()),
        (b"page=99999999999999999999", Query()),
        (b"sort=--name", Query()),
        (b"q=a%00b%0Ac%1B%7F", Query(text="abc")),
        (b"q=%FF%FE", Query(text="\ufffd\ufffd")),
        (b"q=++x+y++", Query(text="x y")),
        (b"q=first&q=second", Query(text="first")),
        (b"q=" + b"x" * 500, Query(text="x" * 200)),
        (b"&".join(b"q=x" for _ in range(21)), Query()),
        (b"\xff=\xff", Query()),
        (b"x" * 10_000, Query()),
    ],
)
def test_a_query_string_is_read_as_far_as_it_makes_sense(query_string: bytes, expected: Query) -> None:
    """Wrong values are as absent; texts are bounded and free of control characters."""
    assert parse_query(query_string) == expected


@given(st.binary(max_size=300))
def test_no_query_string_raises(query_string: bytes) -> None:
    """Nor does what it selects, nor the address that it is linked by, which reads back as the same."""
    query = parse_query(query_string)
    selection = select(sample.TASKS, query)
    assert 1 <= selection.page <= selection.pages
    assert parse_query(query.url(page=query.page).removeprefix("?").encode()) == query


def test_everything_comes_worst_first_then_by_name() -> None:
    """The order in which somebody who was paged reads."""
    tasks = select(sample.TASKS, Query()).tasks
    assert [task.verdict for task in tasks] == sorted((t.verdict for t in tasks), key=lambda v: v.severity)
    assert [task.name[:12] for task in tasks if task.verdict is Verdict.OK] == ["evening stop"] * 3
    assert names("state=ok")[1:] == ["evening stop, Beijing", "evening stop, Santiago"]


def test_state_selects_and_is_counted_without_itself() -> None:
    """The counts tell what other states would show."""
    selection = select(sample.TASKS, Query(state="failed"))
    assert [task.verdict for task in selection.tasks] == [Verdict.FAILED]
    assert sum(selection.counts.values()) == len(sample.TASKS)
    assert selection.counts[Verdict.OK] == 3
    assert selection.counts[Verdict.FAILED] == 1
    trouble = select(sample.TASKS, Query(state="trouble"))
    assert len(trouble.tasks) == trouble.troubled == 9


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=FRANKFURT", ["hibernate, Frankfurt"]),
        ("q=stop+evening+beijing", ["evening stop, Beijing"]),
        ("q=hibernate", ["hibernate, Frankfurt"]),
        ("q=create_snapshot", ["snapshot of finance desk"]),
        ("q=emea", ["hibernate, Frankfurt"]),
        ("project=emea-desktops", ["hibernate, Frankfurt"]),
        ("project=emea", []),
        ("q=hostile", ["<script>window.pwned = 1"]),
        ("q=nothing+like+it", []),
        ("project=prod&state=missed&q=weekly", ["weekly rebuild of the tr"]),
    ],
)
def test_words_and_project_select(query: str, expected: list[str]) -> None:
    """Every word must occur, without case, in name, id, project or type; the project is exact."""
    assert names(query) == expected


def test_sorting_by_time_puts_the_unknown_last_either_way() -> None:
    """A task without a next run is not the soonest."""
    soonest = select(sample.TASKS, Query(sort="next")).tasks
    latest = select(sample.TASKS, Query(sort="-next")).tasks
    known = [task for task in soonest if task.next_run is not None]
    assert [task.next_run for task in soonest][-3:] == [None] * 3 == [task.next_run for task in latest][-3:]
    assert latest[0] == known[-1]
    assert latest[0].name == "first of the quarter"


def test_sorting_by_last_start_counts_runs_in_progress() -> None:
    """The newest run is the newest, finished or not."""

    def ran(name: str, *starts: float) -> TaskView:
        runs = tuple(RunView(str(start), start, "running") for start in starts)
        return TaskView("p", name, name, Verdict.RUNNING, runs=runs)

    tasks = (ran("a", 1.0, 6.5), ran("b", 7.0), ran("c"), ran("d", 6.0))
    assert [task.name for task in select(tasks, Query(sort="-last")).tasks] == ["b", "a", "d", "c"]
    assert [task.name for task in select(tasks, Query(sort="last")).tasks] == ["d", "a", "b", "c"]


def test_names_sort_without_case() -> None:
    """And backwards."""
    forward = [task.name for task in select(sample.TASKS, Query(sort="name")).tasks]
    assert forward == sorted(forward, key=str.casefold)
    assert [task.name for task in select(sample.TASKS, Query(sort="-name")).tasks] == forward[::-1]


def test_pages_cover_everything_once() -> None:
    """A page beyond the last is the last."""
    tasks = sample.many(PAGE_SIZE * 2 + 1).tasks
    pages = [select(tasks, Query(page=number)) for number in (1, 2, 3)]
    assert [len(page.shown) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 1]
    assert {task.id for page in pages for task in page.shown} == {task.id for task in tasks}
    assert [page.first for page in pages] == [0, PAGE_SIZE, 2 * PAGE_SIZE]
    beyond = select(tasks, Query(page=77))
    assert (beyond.page, beyond.pages, beyond.shown) == (3, 3, pages[2].shown)
    assert select((), Query()).pages == 1


def test_addresses_say_only_what_differs() -> None:
    """A changed filter starts again on page 1."""
    query = Query(state="failed", text="a b&c", page=4)
    assert query.url() == "?state=failed&q=a+b%26c"
    assert query.url(page=2) == "?state=failed&q=a+b%26c&page=2"
    assert query.url(state="", text="") == "?"
    assert Query().url(project="\ud800") == "?project=%3F", "half a pair, which a configuration may hold"
    assert Query().page == 1
    assert replace(query, sort="-next").url(state="") == "?q=a+b%26c&sort=-next"
