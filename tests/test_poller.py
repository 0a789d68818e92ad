"""The loop: the order of a cycle, what it costs, what fails it, and how it gets over that."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.config import Config
from exporter.decode import Page
from exporter.errors import CredentialsError
from exporter.records import Record, RecordDetail, Task
from tests.stories.clock import EPOCH
from tests.stories.upstream import forbidden, malformed, missing, refused, server_error
from tests.stories.watch import DAILY, INTERVAL, Watch, configured, listed, record

HOUR, DAY = 3600.0, 86_400.0
NINE = EPOCH + 17 * HOUR
"""The first time that DAILY falls due."""
LISTS = {("list_tasks", ""): 2}
"""What the list of up to fifty tasks costs: they, and the triggered ones."""


def calls(watch: Watch, after: float = INTERVAL) -> dict[tuple[str, str], int]:
    """Make a cycle and return its calls."""
    return dict(watch.cycle(after))


# --- what a cycle costs -------------------------------------------------------------------------------------


def test_a_steady_cycle_costs_the_list_and_the_reads_in_turn_and_nothing_else() -> None:
    """120 timed tasks are three pages, the triggered ones are one; each task is read once in a refresh."""
    watch = Watch(*(f"t{number}" for number in range(120)), details=True)
    watch.add(listed("e", scheduled_type="LIFE_CYCLE"))
    first = watch.cycle()
    assert (first["list_tasks", ""], first.total()) == (3 + 1, 4 + 121 + 120)
    for _ in range(3):
        reads: Counter[str] = Counter()
        for _ in range(15):
            cost = watch.cycle()
            assert cost.pop(("list_tasks", "")) == 4
            assert {operation for operation, _ in cost} <= {"list_records"}
            reads.update(task_id for _, task_id in cost.elements())
        assert reads.pop("e") in {3, 4}
        assert max(reads.values()) == 1
        assert len(reads) >= 119


def test_a_run_costs_a_read_when_it_starts_while_it_goes_on_and_when_it_ends() -> None:
    """And its desktops once; the schedule is not read again for it."""
    watch = Watch(details=True)
    watch.add(listed("a", next_run=NINE))
    watch.cycle()
    watch.clock.pass_time(NINE - watch.clock.epoch() - 30)
    quiet = calls(watch, 0)
    watch.change("a", next_run=NINE + DAY)
    watch.upstream.records["a"] = [record("r1", NINE + 5, "RUNNING")]
    started, going = calls(watch), calls(watch)
    watch.upstream.records["a"] = [record("r1", NINE + 5, "FAIL", failed_num=2)]
    watch.upstream.details["a", "r1"] = [RecordDetail("d", status="FAIL", result_code="X")]
    watch.change("a", last_status="FAIL")
    ended, after = calls(watch), calls(watch)
    read = {**LISTS, ("list_records", "a"): 1}
    assert quiet.keys() <= read.keys()
    assert (started, going, after) == (read, read, LISTS)
    assert ended == {**read, ("list_record_details", "a"): 1}
    assert watch["a"].counts.runs == (0, 0, 1, 0, 0)


def test_a_missed_run_is_looked_for_in_each_cycle_until_one_starts() -> None:
    """Whether upstream moves its next run on or not."""
    watch = Watch()
    watch.add(listed("a", next_run=NINE))
    watch.cycle()
    watch.clock.pass_time(NINE - watch.clock.epoch())
    for cycle in range(5):
        watch.change("a", next_run=NINE + cycle // 3 * DAY)
        assert watch.reads() == ["a"]
    assert watch["a"].expected_run == NINE
    watch.upstream.records["a"] = [record("r1", NINE + 600)]
    watch.cycle()
    assert watch["a"].expected_run == NINE
    assert sum(len(watch.reads()) for _ in range(10)) <= 1


def test_several_runs_between_two_reads_are_all_counted() -> None:
    """Also the failed one that a later success hides."""
    watch = Watch("a")
    watch.cycle()
    watch.upstream.records["a"] = [
        record("r1", EPOCH, "FAIL"),
        record("r2", EPOCH + 5),
        record("r3", EPOCH + 9, "SKIP"),
    ]
    watch.change("a", last_status="SKIP")
    watch.cycle()
    assert watch["a"].counts.runs == (1, 0, 1, 1, 0)


def test_requests_are_made_side_by_side_but_not_too_many() -> None:
    """`concurrency` bounds those of all kinds."""
    watch = Watch(*(f"t{number}" for number in range(60)), concurrency=5)
    watch.upstream.latency = 0.01
    watch.cycle()
    assert watch.upstream.most_in_flight == 5


def test_a_list_that_shows_no_reason_keeps_all_current() -> None:
    """Their last poll is the list's."""
    watch = Watch("a", "b")
    for _ in range(5):
        watch.cycle()
    assert watch.board.last_polls == {"a": watch.clock.epoch(), "b": watch.clock.epoch()}


# --- the order of things ------------------------------------------------------------------------------------


def test_the_first_sweep_reads_all_records_before_schedules_and_these_before_details() -> None:
    """Failures first, then the nearest next run."""
    watch = Watch(details=True, concurrency=1)
    runs = [record("r1", EPOCH - HOUR, "FAIL")]
    watch.add(listed("late", next_run=EPOCH + DAY), *runs)
    watch.add(listed("soon", next_run=EPOCH + HOUR), *runs)
    watch.add(listed("failed", next_run=EPOCH + DAY, last_status="FAIL"), *runs)
    asyncio.run(watch.poller.cycle())
    assert watch.upstream.calls == [
        ("list_tasks", ""),
        ("list_tasks", ""),
        *[("list_records", task_id) for task_id in ("failed", "soon", "late")],
        *[("show_task", task_id) for task_id in ("late", "soon", "failed")],
        *[("list_record_details", task_id) for task_id in ("late", "soon", "failed")],
    ]


def test_a_sweep_that_does_not_fit_in_a_cycle_goes_on_in_the_next() -> None:
    """No task is dropped, none is read twice before all were read, and each overrun is counted."""
    watch = Watch(*(f"t{number:03}" for number in range(150)), concurrency=1)
    watch.upstream.latency = 1.0
    order: list[str] = []
    carried = []
    for _ in range(3):
        order += watch.reads(after=0)
        assert watch.poller.last_cycle is not None
        carried.append(watch.poller.last_cycle.carried_over)
    assert order[:150] == [f"t{number:03}" for number in range(150)]
    assert [told.overrun for told in watch.reports.cycles] == [True, True, True]
    assert carried[0] == 150 - (60 - 4) + 150
    assert carried == sorted(carried, reverse=True)
    watch.upstream.latency = 0.0
    watch.cycle(after=0)
    assert (watch.reports.cycles[-1].overrun, watch.ok) == (False, True)
    assert all(watch[f"t{number:03}"].schedule for number in range(150))


def test_what_has_changed_comes_before_what_was_left_over_of_the_sweep() -> None:
    """It has been due for longer."""
    watch = Watch(*(f"t{number:03}" for number in range(150)), concurrency=1)
    watch.upstream.latency = 1.0
    watch.cycle()
    watch.change("t007", last_status="FAIL")
    assert watch.reads(after=0)[0] == "t007"


def test_schedules_do_not_starve_where_records_take_all_the_time() -> None:
    """After the sweep they have half of each cycle until they are read; the records of all go on as well."""
    names = [f"t{number:02}" for number in range(40)]
    watch = Watch(*names, concurrency=1, refresh="1m")
    watch.upstream.latency = 2.0
    reads: Counter[str] = Counter()
    for _ in range(12):
        reads.update(watch.reads(after=0))
    assert all(watch[name].schedule for name in names)
    assert min(reads[name] for name in names) >= 4


def test_however_long_the_list_takes_half_an_interval_is_left_for_what_it_shows() -> None:
    """A slow list alone would otherwise let nothing be read, ever."""
    watch = Watch("a", "b", "c", concurrency=1)
    watch.upstream.latency = 14.0
    assert watch.reads() == ["a", "b", "c"]
    watch = Watch("a", "b", "c", concurrency=1)
    watch.upstream.latency = 40.0
    assert watch.reads() == ["a"]


# --- lists that fail ----------------------------------------------------------------------------------------


def test_without_the_permission_to_list_explicit_tasks_work() -> None:
    """They are read in each cycle, with their schedules; the cycle succeeds."""
    watch = Watch("a", "b", config=configured(tasks=[{"id": "a"}], polling={"details": False}))
    watch.upstream.fail("list_tasks", error=forbidden)
    first = calls(watch)
    assert first == {("list_tasks", ""): 1, ("list_records", "a"): 1, ("show_task", "a"): 1}
    for _ in range(3):
        assert calls(watch) == {("list_tasks", ""): 1, ("list_records", "a"): 1}
    assert watch.ok
    assert (watch["a"].enabled, watch["a"].found, watch["a"].poll_ok) == (None, True, True)


def test_without_the_permission_to_list_discovery_fails_the_cycle() -> None:
    """The explicit tasks beside it are read all the same."""
    config = configured(tasks=[{"id": "a"}], discovery={}, polling={"details": False})
    watch = Watch("a", "b", config=config)
    watch.upstream.fail("list_tasks", error=forbidden)
    assert calls(watch)["list_records", "a"] == 1
    assert not watch.ok
    assert list(watch.board.states) == ["a"]


def test_without_the_list_an_edited_schedule_is_noticed_within_a_refresh() -> None:
    """The show-task answer alone carries it."""
    watch = Watch("a", config=configured(tasks=[{"id": "a"}], polling={"details": False}))
    watch.upstream.fail("list_tasks", error=forbidden)
    shows = sum(calls(watch).get(("show_task", "a"), 0) for _ in range(46))
    assert shows == 4


def test_a_failing_list_keeps_what_it_said_and_fails_the_cycle() -> None:
    """Runs that are due by the schedule are read all the same, and so is what is in its turn."""
    watch = Watch()
    watch.add(listed("a", next_run=NINE))
    watch.cycle()
    watch.upstream.fail("list_tasks")
    assert calls(watch).keys() <= {("list_tasks", ""), ("list_records", "a")}
    assert (watch.ok, watch["a"].next_run) == (False, NINE)
    watch.clock.pass_time(NINE - watch.clock.epoch())
    watch.upstream.records["a"] = [record("r1", NINE)]
    assert calls(watch) == {("list_tasks", ""): 1, ("list_records", "a"): 1}
    assert watch["a"].counts.runs == (1, 0, 0, 0, 0)
    watch.upstream.heal("list_tasks")
    watch.cycle()
    assert watch.ok


def test_a_list_that_fails_on_its_second_page_changes_nothing() -> None:
    """Nobody leaves, nobody joins."""
    watch = Watch(*(f"t{number:02}" for number in range(60)))
    watch.cycle()
    watch.delete("t00")
    watch.add(listed("new"))

    async def second_page_fails(offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        if offset:
            raise malformed()
        return await type(watch.upstream).list_tasks(watch.upstream, offset, limit, life_cycle=life_cycle)

    watch.upstream.list_tasks = second_page_fails  # type: ignore[method-assign]
    watch.cycle()
    assert not watch.ok
    assert ("t00" in watch.board.states, "new" in watch.board.states) == (True, False)


def test_a_long_list_is_read_once_more_before_a_task_leaves_and_then_no_more() -> None:
    """The cycle after it costs what it did before, also where a configured task is shown as not found."""
    tasks = [f"t{number:02}" for number in range(60)]
    config = configured(tasks=[{"id": "t07"}], discovery={}, polling={"details": False})
    watch = Watch(*tasks, config=config)
    watch.cycle()
    assert calls(watch)["list_tasks", ""] == 3
    watch.delete("t07")
    watch.delete("t08")
    assert calls(watch)["list_tasks", ""] == 3 + 2
    assert (watch["t07"].found, "t08" in watch.board.states) == (False, False)
    assert calls(watch)["list_tasks", ""] == 3


def test_a_list_longer_than_max_tasks_is_cut_and_said_to_be() -> None:
    """The first tasks are watched; the cycle fails, since the others are not."""
    watch = Watch(*(f"t{number:03}" for number in range(70)), max_tasks=60)
    assert calls(watch)["list_tasks", ""] == 3
    assert len(watch.board.states) == 60
    assert not watch.ok
    assert watch.poller.last_cycle is not None
    assert "more than max_tasks (60)" in str(watch.poller.last_cycle.problems[0])


# --- records that fail --------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [server_error, malformed, forbidden])
def test_a_task_that_cannot_be_read_fails_the_cycle_and_keeps_its_values(error: Any) -> None:
    """The others are not affected, and it is read again as soon as its trouble is over."""
    watch = Watch("a", "b")
    watch.upstream.records["a"] = [record("r1", EPOCH, "FAIL")]
    watch.cycle()
    before = watch["a"]
    watch.upstream.fail("list_records", "a", error)
    watch.change("a", last_status="X")
    watch.change("b", last_status="X")
    for _ in range(10):
        watch.cycle()
        assert not watch.ok
        assert (watch["a"].poll_ok, watch["a"].history) == (False, before.history)
        assert (watch["b"].poll_ok, watch.board.last_polls["b"]) == (True, watch.clock.epoch())
    assert watch.board.last_polls["a"] == before.last_poll
    watch.upstream.heal("list_records", "a")
    watch.cycle()
    assert watch.ok
    assert (watch["a"].poll_ok, watch["a"].poll_error) == (True, None)


def test_a_read_that_is_cut_short_changes_nothing() -> None:
    """The first page came, the second did not: neither the runs nor the counts are taken."""
    watch = Watch("a", history=250)
    runs = [record(f"r{number:03}", EPOCH - number * HOUR) for number in range(150)]
    watch.upstream.records["a"] = runs
    watch.cycle()
    before = watch["a"]
    watch.upstream.records["a"] = [record(f"x{n}", EPOCH + n, "FAIL") for n in range(120, 0, -1)] + runs
    watch.change("a", last_status="FAIL")

    async def second_page_fails(task_id: str, offset: int, limit: int) -> Page[Record]:
        if offset:
            raise malformed()
        return await type(watch.upstream).list_records(watch.upstream, task_id, offset, limit)

    watch.upstream.list_records = second_page_fails  # type: ignore[method-assign]
    watch.cycle()
    assert (watch["a"].history, watch["a"].counts) == (before.history, before.counts)
    assert watch["a"].poll_ok is False
    del watch.upstream.list_records
    watch.cycle()
    assert watch["a"].counts.runs == (0, 0, 120, 0, 0)


def test_an_outage_of_the_records_costs_little_and_is_over_within_a_cycle_of_its_end() -> None:
    """A few of the failing tasks are tried, beside those whose turn or retry it is: not half of all."""
    names = [f"t{number:03}" for number in range(300)]
    watch = Watch(*names)
    watch.cycle()
    watch.upstream.fail("list_records")
    for _ in range(60):
        cost = watch.cycle()
        assert cost["list_records", ""] == 0
        tried = sum(number for (operation, _), number in cost.items() if operation == "list_records")
        assert tried <= 150
        assert not watch.ok
    assert sum(watch[name].poll_ok is False for name in names) == 300
    watch.upstream.heal("list_records")
    read = Counter(watch.reads())
    assert read == dict.fromkeys(names, 1)
    assert watch.ok


def test_tasks_that_fail_for_themselves_do_not_pull_each_other_along() -> None:
    """One that recovers does not make hundreds of hopeless ones be tried in the same cycle."""
    names = [f"t{number:03}" for number in range(300)]
    watch = Watch(*names)
    for name in names[:200]:
        watch.upstream.fail("list_records", name)
    for _ in range(40):
        watch.cycle()
    watch.upstream.heal("list_records", names[0])
    tried = Counter(task_id for _ in range(15) for task_id in watch.reads())
    assert watch[names[0]].poll_ok
    assert sum(tried[name] for name in names[:200]) <= 15 * 8 + 200


@pytest.mark.parametrize("failing", [1, 8])
def test_a_few_failing_tasks_are_tried_in_each_cycle(failing: int) -> None:
    """So that a single task is back within a cycle of the end of its fault."""
    names = [f"t{number}" for number in range(failing)]
    watch = Watch(*names, "good")
    watch.cycle()
    for name in names:
        watch.upstream.fail("list_records", name)
        watch.change(name, last_status="FAIL")
    for _ in range(20):
        assert set(names) <= set(watch.reads())
    for name in names:
        watch.upstream.heal("list_records", name)
    watch.cycle()
    assert watch.ok


def test_a_probe_neither_overruns_nor_is_left_over() -> None:
    """It is made where there is time for it."""
    watch = Watch("a", "b", concurrency=1)
    watch.upstream.fail("list_records", "a")
    for _ in range(4):
        watch.cycle()
    watch.change("b", last_status="FAIL")
    watch.upstream.latency = 30.0
    assert watch.reads(after=0) == ["b"]
    assert watch.poller.last_cycle is not None
    assert watch.poller.last_cycle.carried_over == 0


def test_refused_credentials_end_the_cycle_at_once() -> None:
    """Nothing else is asked; the tasks did not fail, and keep what is known of them."""
    watch = Watch("a", "b")
    watch.cycle()
    watch.upstream.fail("sign_in", error=refused)
    assert calls(watch) == {("list_tasks", ""): 1}
    assert (watch.ok, watch.reports.auth_ok) == (False, False)
    assert [watch[name].poll_ok for name in "ab"] == [True, True]
    watch.upstream.heal("sign_in")
    watch.cycle()
    assert (watch.ok, watch.reports.auth_ok) == (True, True)


@pytest.mark.parametrize("operation", ["list_records", "show_task", "list_record_details"])
def test_credentials_refused_in_the_middle_end_the_cycle_too(operation: str) -> None:
    """Whatever was being read; in the next cycle everything is read that was not."""
    watch = Watch(details=True, concurrency=2)
    names = [f"t{number}" for number in range(20)]
    for name in names:
        watch.add(listed(name), record("r1", EPOCH))
        watch.upstream.details[name, "r1"] = []
    watch.upstream.fail_next(operation, error=CredentialsError("the password is wrong"))
    cost = watch.cycle()
    assert sum(number for (kind, _), number in cost.items() if kind == operation) <= 5
    assert not watch.ok
    watch.cycle()
    assert watch.ok
    assert all(watch[name].details and watch[name].schedule for name in names)


def test_a_defect_fails_the_cycle_and_not_the_watch() -> None:
    """It is logged, shown like a failed read, and the next cycle is made."""
    watch = Watch("a")

    async def defect(*_: object, **__: object) -> Page[Task]:
        raise RuntimeError("a defect")

    watch.upstream.list_tasks = defect  # type: ignore[method-assign]
    with capture_logs() as logs:
        watch.cycle()
    assert not watch.ok
    assert watch.poller.last_cycle is not None
    assert str(watch.poller.last_cycle.problems[0]) == "internal error (RuntimeError)"
    assert [entry["event"] for entry in logs] == ["a cycle broke off", "a cycle failed"]
    del watch.upstream.list_tasks
    watch.cycle()
    assert watch.ok


def test_malformed_entries_are_told() -> None:
    """Those of records by their reasons, those of the list as tasks."""
    watch = Watch("a")

    async def odd_list(offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        page = await type(watch.upstream).list_tasks(watch.upstream, offset, limit, life_cycle=life_cycle)
        odd = int(not life_cycle)
        return Page(page.items, page.received + odd, page.total + odd, Counter(id=odd, type=odd))

    async def odd_records(task_id: str, offset: int, limit: int) -> Page[Record]:
        del task_id, offset, limit
        return Page((record("r1", EPOCH),), 3, 3, Counter(time=2))

    watch.upstream.list_tasks = odd_list  # type: ignore[method-assign]
    watch.upstream.list_records = odd_records  # type: ignore[method-assign]
    watch.cycle()
    assert watch.reports.reasons == {"task": 2, "time": 2}


# --- tasks that come and go ---------------------------------------------------------------------------------


def test_a_configured_task_that_does_not_exist_is_shown_as_such_and_fails_nothing() -> None:
    """Once it exists it is read, and all its runs are news."""
    watch = Watch("b", config=configured(tasks=[{"id": "a", "name": "mine"}], polling={"details": False}))
    assert calls(watch)["list_records", "a"] == 1
    assert (watch["a"].found, watch["a"].name, watch.ok) == (False, "mine", True)
    assert sum(len(watch.reads()) for _ in range(15)) == 1
    watch.add(listed("a"), record("r1", EPOCH))
    watch.cycle()
    assert (watch["a"].found, watch["a"].counts.runs) == (True, (1, 0, 0, 0, 0))


def test_a_deleted_task_loses_its_series_in_the_next_cycle() -> None:
    """A configured one is shown as not found instead."""
    config = configured(tasks=[{"id": "a"}], discovery={}, polling={"details": False})
    watch = Watch("a", "b", config=config)
    watch.cycle()
    watch.delete("a")
    watch.delete("b")
    watch.cycle()
    assert list(watch.board.states) == ["a"]
    assert (watch["a"].found, watch.ok) == (False, True)


def test_a_task_deleted_between_the_list_and_its_records_is_not_shown_as_missing() -> None:
    """The list said otherwise a moment ago; the next one tells, and until then its values stay."""
    watch = Watch("a", "b")
    watch.cycle()
    watch.upstream.fail("list_records", "a", missing)
    watch.change("a", last_status="FAIL")
    watch.cycle()
    assert (watch["a"].found, watch["a"].history is not None, watch.ok) == (True, True, False)
    watch.delete("a")
    watch.cycle()
    assert (list(watch.board.states), watch.ok) == (["b"], True)


def test_switching_a_task_off_and_on_reads_it_and_then_its_schedule() -> None:
    """Switched off it is not read in each cycle, although its next run stays in the list."""
    watch = Watch()
    watch.add(listed("a", next_run=NINE))
    watch.cycle()
    watch.clock.pass_time(NINE - watch.clock.epoch() - 30)
    watch.change("a", enabled=False)
    watch.cycle()
    assert watch["a"].enabled is False
    assert sum(len(watch.reads()) for _ in range(15)) == 1
    watch.change("a", enabled=True, next_run=NINE + DAY)
    cost = calls(watch)
    assert (cost["list_records", "a"], cost["show_task", "a"]) == (1, 1)
    assert watch["a"].expected_run is None


def test_an_edited_schedule_is_read_once() -> None:
    """The list shows another next run long before the one that it showed."""
    watch = Watch()
    watch.add(listed("a", next_run=NINE))
    watch.cycle()
    watch.upstream.schedules["a"] = replace(DAILY, scheduled_time="12:00:00")
    watch.change("a", next_run=NINE + 3 * HOUR)
    assert calls(watch)["show_task", "a"] == 1
    for _ in range(3):
        assert ("show_task", "a") not in watch.cycle()


# --- schedules and details that fail ------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["show_task", "list_record_details"])
@pytest.mark.parametrize("error", [forbidden, server_error])
def test_a_failing_schedule_or_details_read_costs_one_call_a_cycle(operation: str, error: Any) -> None:
    """It fails the cycle, not the task; of another task each time, and all are read when it works again."""
    names = [f"t{number:02}" for number in range(20)]
    watch = Watch(details=True)
    for name in names:
        watch.add(listed(name), record("r1", EPOCH, "FAIL"))
        watch.upstream.details[name, "r1"] = [RecordDetail("d", status="FAIL", result_code="X")]
    watch.upstream.fail(operation, error=error)
    tried: Counter[str] = Counter()
    for _ in range(20):
        cost = [task_id for kind, task_id in watch.cycle().elements() if kind == operation]
        assert len(cost) == 1
        assert not watch.ok
        tried.update(cost)
    assert tried == dict.fromkeys(names, 1)
    assert all(watch[name].poll_ok for name in names)
    watch.upstream.heal(operation)
    watch.cycle()
    assert watch.ok
    assert all(watch[name].schedule and watch[name].details for name in names)


def test_a_task_whose_details_fail_for_themselves_keeps_nobody_waiting() -> None:
    """The others are read; it is tried in each cycle, once."""
    watch = Watch(details=True)
    for name in "abcdef":
        watch.add(listed(name), record("r1", EPOCH))
        watch.upstream.details[name, "r1"] = []
    watch.upstream.fail("list_record_details", "a", malformed)
    for _ in range(3):
        assert watch.cycle()["list_record_details", "a"] == 1
        assert not watch.ok
    assert all(watch[name].details for name in "bcdef")


def test_details_that_upstream_has_dropped_are_asked_for_once() -> None:
    """The record is still there, its desktops are not: that is all there is to know, and no failure."""
    watch = Watch(details=True)
    watch.add(listed("a"), record("r1", EPOCH, "FAIL", failed_num=3))
    assert watch.cycle()["list_record_details", "a"] == 1
    assert ("list_record_details", "a") not in watch.cycle()
    assert watch.ok
    details = watch["a"].details
    assert details is not None
    assert (details.duration, details.results) == (None, (("failed", "unread", 3),))


def test_the_reasons_of_a_failed_run_are_logged_once() -> None:
    """With the task, the run, and each desktop's name, result code and reason; what ended alike together."""
    watch = Watch(details=True)
    watch.add(listed("a"), record("r1", EPOCH, "FAIL", failed_num=2))
    watch.add(listed("b"), record("r1", EPOCH))
    reason = RecordDetail("d", desktop_name="pc-7", status="FAIL", result_code="X1", fail_reason="任务冲突")
    same = replace(reason, id="e", desktop_name="pc-8")
    watch.upstream.details = {("a", "r1"): [reason, same], ("b", "r1"): [RecordDetail("d", status="SUCCESS")]}
    with capture_logs() as logs:
        for _ in range(16):
            watch.cycle()
    assert logs == [
        {
            "event": "desktops of the last run did not succeed",
            "log_level": "info",
            "project": "prod",
            "task": "a",
            "task_name": "name of a",
            "run": "r1",
            "first": ["failed X1: 任务冲突 (pc-7, pc-8)"],
        }
    ]


# --- old data -----------------------------------------------------------------------------------------------


def test_old_data_is_withdrawn_while_upstream_fails_and_comes_back_with_it() -> None:
    """At max_age, also where nobody scrapes."""
    watch = Watch("a", max_age="1h")
    watch.upstream.records["a"] = [record("r1", EPOCH)]
    watch.cycle()
    watch.upstream.fail("list_tasks")
    watch.upstream.fail("list_records")
    for _ in range(59):
        watch.cycle()
        assert watch["a"].history is not None
    watch.cycle()
    assert (watch["a"].history, watch["a"].found) == (None, True)
    watch.upstream.heal("list_tasks")
    watch.upstream.heal("list_records")
    watch.cycle()
    assert watch["a"].history is not None


def test_old_data_is_withdrawn_also_while_a_cycle_hangs() -> None:
    """A scrape lets the clock pass."""
    watch = Watch("a", max_age="1h")
    watch.upstream.records["a"] = [record("r1", EPOCH)]
    watch.cycle()

    async def hang(_seconds: float) -> None:
        watch.clock.pass_time(3599)
        watch.poller.advance()
        assert watch["a"].history is not None
        watch.clock.pass_time(1)
        watch.poller.advance()
        assert watch["a"].history is None

    watch.upstream._sleep = hang
    watch.upstream.fail("sign_in", error=refused)
    watch.cycle(after=0)
    assert watch["a"].history is None


# --- the loop -----------------------------------------------------------------------------------------------


class Stop(Exception):  # noqa: N818 - the test's own way out of a loop without an end
    """Enough cycles were made."""


async def _run(watch: Watch, cycles: int, seconds: list[float] | None = None) -> list[float]:
    """Run the loop for so many cycles, which take `seconds` each; return when each began."""
    began: list[float] = []
    poller = watch.poller
    lengths = iter(seconds or [])

    async def cycle() -> None:
        if len(began) == cycles:
            raise Stop
        began.append(watch.clock.epoch() - EPOCH)
        watch.clock.pass_time(next(lengths, 0.0))

    poller.cycle = cycle  # type: ignore[method-assign]
    with pytest.raises(Stop):
        await poller.run()
    return began


async def test_cycles_begin_at_once_and_then_at_the_same_phase_of_each_interval() -> None:
    """The begin of these tests is 00 s of a minute; a phase of a half is 30 s."""
    assert await _run(Watch(phase=0.5), 4) == [0, 30, 90, 150]
    assert await _run(Watch(phase=0.0), 4) == [0, 60, 120, 180]
    assert await _run(Watch(phase=0.25), 4, [10, 5, 5, 5]) == [0, 15, 75, 135]


async def test_a_cycle_that_ends_late_is_followed_at_once() -> None:
    """Not by an idle interval; then the phase holds again."""
    assert await _run(Watch(), 5, [0, 60.5, 1, 1, 1]) == [0, 60, 120.5, 180, 240]
    assert await _run(Watch(), 6, [0, 61, 61, 61, 1, 1]) == [0, 60, 121, 182, 243, 300]
    assert await _run(Watch(), 5, [0, 400, 1, 1, 1]) == [0, 60, 460, 480, 540]


async def test_a_first_sweep_that_takes_long_does_not_move_the_phase() -> None:
    """It is reckoned from the begin."""
    assert await _run(Watch(phase=0.5), 4, [100]) == [0, 100, 150, 210]
    assert await _run(Watch(phase=0.5), 3, [20]) == [0, 30, 90]


async def test_the_loop_reports_its_interval_before_anything_is_asked() -> None:
    """So that a project is shown from the first scrape on."""
    watch = Watch(interval="30s")
    await _run(watch, 0)
    assert (watch.reports.interval, watch.upstream.calls) == (30.0, [])


def test_a_cycle_tells_when_it_ended_how_long_it_took_and_what_it_watched() -> None:
    """One that took longer than the interval overran."""
    watch = Watch("a", "b", concurrency=1)
    watch.upstream.latency = 2.0
    watch.cycle()
    watch.upstream.latency = 31.0
    watch.cycle()
    first, second = watch.reports.cycles
    assert (first.ok, first.ended, first.seconds, first.tasks, first.overrun) == (
        True,
        EPOCH + 72,
        12.0,
        2,
        False,
    )
    assert (second.seconds, second.overrun) == (62.0 + 31, True)
    assert watch.poller.last_success == second.ended


async def test_the_first_attempt_has_ended_with_the_cycle_or_a_moment_after_an_answer() -> None:
    """A sweep may take long, a scrape shall not wait for it; nor for a host that is not there."""
    watch = Watch("a")
    gate, hanging = asyncio.Event(), asyncio.Event()

    async def hang(_seconds: float) -> None:
        if len(watch.upstream.calls) == 2:  # the list's second page
            hanging.set()
            await gate.wait()

    watch.upstream._sleep = hang
    assert not watch.poller.attempted
    cycle = asyncio.create_task(watch.poller.cycle())
    await hanging.wait()
    assert not watch.poller.attempted
    watch.clock.pass_time(1)
    assert watch.poller.attempted
    gate.set()
    await cycle
    watch.restart()
    watch.upstream.fail("list_tasks")
    assert not watch.poller.attempted
    await watch.poller.cycle()
    assert watch.poller.attempted


async def test_a_cycle_can_be_cancelled_in_the_middle() -> None:
    """Nothing of it goes on, nothing is half known, and the next one does what was left."""
    watch = Watch(*(f"t{number}" for number in range(20)), concurrency=4)
    gate, hanging = asyncio.Event(), asyncio.Event()
    seen = 0

    async def hang(_seconds: float) -> None:
        nonlocal seen
        seen += watch.upstream.calls[-1][0] == "list_records"
        if seen > 10:
            if watch.upstream.in_flight == 4:
                hanging.set()
            await gate.wait()

    watch.upstream._sleep = hang
    cycle = asyncio.create_task(watch.poller.cycle())
    await hanging.wait()
    cycle.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cycle
    assert len(asyncio.all_tasks()) == 1
    assert watch.reports.cycles == []
    read = [task_id for task_id, state in watch.board.states.items() if state.history]
    assert len(read) == 10
    gate.set()
    watch.upstream.calls.clear()
    await watch.poller.cycle()
    again = [task_id for operation, task_id in watch.upstream.calls if operation == "list_records"]
    assert sorted([*read, *again]) == sorted(watch.board.states)
    assert watch.ok


async def test_closing_takes_everything_off_the_board() -> None:
    """Also while a cycle is under way."""
    watch = Watch("a", "b")
    await watch.poller.cycle()
    assert [state.task_id for state in watch.poller.states] == ["a", "b"]
    watch.poller.close()
    assert (watch.board.states, list(watch.poller.states)) == ({}, [])


# --- the warning about the rate -----------------------------------------------------------------------------


def _warnings(config: Config | None = None, tasks: int = 3, **settings: Any) -> list[str]:
    watch = Watch(*(f"t{number}" for number in range(tasks)), config=config, **settings)
    with capture_logs() as logs:
        for _ in range(3):
            watch.cycle()
    return [entry["arithmetic"] for entry in logs if "rate cannot carry" in entry["event"]]


def test_a_rate_that_cannot_carry_the_tasks_is_told_once_after_the_first_list() -> None:
    """With the arithmetic, by which the reader can choose what to change."""
    (told,) = _warnings(tasks=300, requests_per_second=0.2)
    assert told == (
        "in each interval of 60 s, 7 requests for the list and 20 for records of 300 tasks are 0.45 a second "
        "before any task runs; requests_per_second is 0.2"
    )


def test_a_rate_that_carries_them_is_not_mentioned() -> None:
    """Nor is one that carries the few tasks that are selected here."""
    assert _warnings(tasks=300, requests_per_second=0.5) == []
    few = configured(tasks=[{"id": "t1"}], polling={"requests_per_second": 0.2})
    assert _warnings(few, tasks=300) == []


def test_the_warning_waits_for_the_first_list_that_can_be_read() -> None:
    """Before, nobody knows how many tasks there are."""
    watch = Watch(*(f"t{number}" for number in range(300)), requests_per_second=0.1)
    watch.upstream.fail("list_tasks")
    with capture_logs() as logs:
        watch.cycle()
    assert not any("rate" in entry["event"] for entry in logs)
    watch.upstream.heal("list_tasks")
    with capture_logs() as logs:
        watch.cycle()
    assert any("rate cannot carry" in entry["event"] for entry in logs)
