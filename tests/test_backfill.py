"""A task's state at any past moment: what the live exporter would have shown then, and nothing from later."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.backfill import Replay, details_worth_reading, past_of, replay
from exporter.config import Config, TaskConfig
from exporter.history import RUN_STATUSES, runs_of, summarize
from exporter.paging import Read
from exporter.records import Record, Schedule, Task
from exporter.selection import Selected
from exporter.state import TaskState
from exporter.tracking import TrackedTask
from tests.pasts import DAILY, DAY, LISTING, MIDNIGHT, NINE, Truth, config, details_of, past, run, truths

CONFIG = config()
MOMENTS = st.one_of(
    st.integers(NINE - DAY, NINE + 7 * DAY).map(float),
    st.sampled_from([NINE + day * DAY + by for day in range(6) for by in (-1.0, 0.0, 60.0, 120.0, 901.0)]),
)


def tracked(runs: list[Truth], known: Config, moment: float) -> TaskState:
    """What the daemon's own bookkeeping makes of the records as upstream would have sent them at a moment."""
    task = TrackedTask("prod", "8d2e", None, known, now=moment, moment=0.0)
    records = [record for truth in runs if (record := truth.known_at(moment))]
    task.listed(replace(LISTING, enabled=None), new=False, project_id="0a1b", now=moment)
    task.records(Read(items=records, total=len(records)), None, now=moment, moment=0.0)
    task.schedule_read(DAILY, now=moment)
    return task.state


def at(replayed: Replay, moment: float) -> tuple[object, ...]:
    """The state at a moment, without what is for people and holds the records' words of today."""
    return comparable(replayed.state_at(moment))


def comparable(state: TaskState) -> tuple[object, ...]:
    """What the metrics are drawn from."""
    assert state.history
    last = state.history.last
    return (
        replace(state.history, recent=(), last=None),
        last and (last.status, last.record),
        state.expected_run,
        state.schedule_period,
        (state.name, state.task_type, state.scheduled_type, state.time_zone, state.grace, state.max_duration),
    )


@given(truths(), MOMENTS, st.sampled_from([1, 2, 5, 100]))
def test_the_state_is_what_the_daemon_would_have_shown(runs: list[Truth], moment: float, window: int) -> None:
    """At any moment: the daemon fed with the records known then, whatever came later."""
    known = config(history=window)
    assert at(replay(past(runs, known), known, 0.0), moment) == comparable(tracked(runs, known, moment))


@given(truths(), MOMENTS)
def test_the_history_is_the_summary_of_the_records_known_then(runs: list[Truth], moment: float) -> None:
    """The naive reading: those that had started, in progress unless they had ended."""
    shown = replay(past(runs, CONFIG), CONFIG, 0.0).state_at(moment).history
    records = [record for truth in runs if (record := truth.known_at(moment))]
    assert shown
    naive = summarize(runs_of(records, CONFIG.statuses), total=len(records), truncated=False)
    assert replace(shown, recent=()) == replace(naive, recent=())


@given(truths(), MOMENTS, MOMENTS)
def test_counters_hold_what_finished_since_the_beginning(
    runs: list[Truth], begin: float, moment: float
) -> None:
    """Each finished run once, from the moment of its end; what had finished before is not counted."""
    counts = replay(past(runs, CONFIG), CONFIG, begin).state_at(moment).counts
    ended = [truth.record for truth in runs if truth.end is not None and begin < truth.end <= moment]
    statuses = [each.status for each in runs_of(ended, CONFIG.statuses)]
    assert counts.runs == tuple(statuses.count(status) for status in RUN_STATUSES)
    sums = [[each.success_num, each.failed_num, each.skip_num] for each in ended]
    assert counts.desktops == tuple(sum(row[place] or 0 for row in sums) for place in range(3))


@given(truths(), MOMENTS, st.integers(1, 2 * DAY))
def test_nothing_changes_but_at_the_changes(runs: list[Truth], moment: float, length: int) -> None:
    """Between two changes the state is that of the earlier one: a sample there holds until the next."""
    replayed = replay(past(runs, CONFIG), CONFIG, 0.0)
    start = int(moment)
    edges = [start, *replayed.changes(start, start + length), start + length]
    for one, two in pairwise(edges):
        assert replayed.state_at(one) == replayed.state_at(two - 1)


def test_a_run_is_in_progress_until_its_last_desktop_ends() -> None:
    """Its outcome is shown from its end on, with its duration; not a second before."""
    replayed = replay(past([run(NINE, "FAIL", failed_num=2)], CONFIG), CONFIG, 0.0)
    before, after = replayed.state_at(NINE + 119), replayed.state_at(NINE + 120)
    assert before.history
    assert (before.history.running, before.history.last, before.details) == (1, None, None)
    assert after.history
    assert after.history.last
    assert (after.history.running, after.history.last.status) == (0, "failed")
    assert after.details
    assert after.details.duration == 120.0


def test_without_details_a_run_counts_as_finished_from_its_start() -> None:
    """A record has no end; to show the run in progress for some time would be made up."""
    replayed = replay(past([run(NINE, "FAIL")], CONFIG, details=False), CONFIG, 0.0)
    state = replayed.state_at(NINE)
    assert state.history
    assert state.history.running == 0
    assert state.history.last
    assert state.history.last.status == "failed"
    assert state.details is None


def test_a_desktop_that_ends_in_the_future_does_not_hold_a_finished_run() -> None:
    """The record says that the run has finished, so it had when it was read."""
    replayed = replay(past([run(NINE, lasts=9.0 * DAY)], CONFIG, now=NINE + 60.0), CONFIG, 0.0)
    history = replayed.state_at(NINE + 60).history
    assert history
    assert history.running == 0


def test_a_missed_run_is_expected_until_the_next_one() -> None:
    """The occurrence without a run stands from its time on, and ends with the run that covers it."""
    replayed = replay(past([run(NINE), run(NINE + 2.0 * DAY)], CONFIG), CONFIG, 0.0)
    expected = [replayed.state_at(NINE + day * DAY - by).expected_run for day in (1, 2) for by in (1, -1)]
    assert expected == [NINE, NINE + DAY, NINE + DAY, NINE + 2 * DAY]


def test_of_a_task_that_is_switched_off_nothing_is_expected_after_its_last_run() -> None:
    """When it was switched off is not known; that it still ran is."""
    listing = replace(LISTING, enabled=False, next_run=None)
    runs = [run(NINE), run(NINE + 2.0 * DAY)]
    replayed = replay(past(runs, CONFIG, listing=listing), CONFIG, 0.0)
    moments = [NINE + DAY + 1, NINE + 2 * DAY, NINE + 2 * DAY + 1]
    expected = [replayed.state_at(moment).expected_run for moment in moments]
    assert expected == [NINE + DAY, NINE + 2 * DAY, None]


def test_of_what_happens_now_nothing_is_told_of_the_past() -> None:
    """Enabled, found, next run and polls are absent at any past moment."""
    state = replay(past([run(NINE)], CONFIG), CONFIG, 0.0).state_at(NINE + 500)
    assert (state.enabled, state.found, state.next_run, state.last_poll, state.poll_ok) == (None,) * 5


@pytest.mark.parametrize(
    "schedule", [None, replace(DAILY, scheduled_time="soon"), replace(DAILY, time_zone="Mars/Base")]
)
def test_without_a_schedule_nothing_is_expected(schedule: Schedule | None) -> None:
    """An unreadable schedule, one of an unknown zone or none at all gives no occurrence."""
    listing = replace(LISTING, time_zone="", next_run=NINE + 1.5 * DAY)
    replayed = replay(past([run(NINE)], CONFIG, schedule=schedule, listing=listing), CONFIG, 0.0)
    state = replayed.state_at(NINE + 2 * DAY)
    assert (state.expected_run, state.schedule_period) == (None, None)
    assert replayed.changes(MIDNIGHT, MIDNIGHT + DAY) == [NINE, NINE + 120]


def test_the_days_of_an_interval_are_those_of_the_next_run_or_else_of_the_newest_run() -> None:
    """As they are live."""
    third = replace(DAILY, day_interval=3)
    listing = replace(LISTING, next_run=NINE + 3.0 * DAY)
    for named, expected in ((listing, NINE), (None, NINE + DAY)):
        runs = [run(NINE), run(NINE + DAY)]
        replayed = replay(past(runs, CONFIG, schedule=third, listing=named), CONFIG, 0.0)
        assert replayed.state_at(NINE + 2 * DAY).expected_run == expected


@pytest.mark.parametrize(
    ("scheduled", "listed", "early"),
    [("Asia/Shanghai", "UTC", 8), ("", "Asia/Shanghai", 8), ("", "", 0), ("", None, 0)],
)
def test_wall_times_are_in_the_schedules_zone_or_the_lists_or_the_configurations(
    scheduled: str, listed: str | None, early: int
) -> None:
    """As they are live."""
    listing = None if listed is None else replace(LISTING, time_zone=listed)
    schedule = replace(DAILY, time_zone=scheduled)
    replayed = replay(past([run(NINE)], CONFIG, schedule=schedule, listing=listing), CONFIG, 0.0)
    assert replayed.state_at(NINE).expected_run == NINE - early * 3600


def test_the_tasks_own_thresholds_and_name_go_before_all_others() -> None:
    """A threshold of 0 is one; nothing but its id names a task of which nothing else is known."""

    def read(own: TaskConfig | None, listing: Task | None = None) -> tuple[str, float, float]:
        found = past_of(
            Selected("8d2e", own, listing),
            CONFIG,
            project="prod",
            project_id="0a1b",
            schedule=None,
            records=[],
            details={},
            now=NINE,
        )
        return found.name, found.grace, found.max_duration

    assert read(None) == ("8d2e", 900.0, 7200.0)
    assert read(None, LISTING) == ("nightly stop", 900.0, 7200.0)
    own = TaskConfig.model_validate({"id": "8d2e", "name": "mine", "grace": "0s", "max_duration": "5m"})
    assert read(own, LISTING) == ("mine", 0.0, 300.0)


def test_without_its_schedule_a_task_is_described_by_the_list() -> None:
    """Its type, but not that it is switched on, nor its next run."""
    state = replay(past([run(NINE)], CONFIG, schedule=None), CONFIG, 0.0).state_at(NINE)
    assert (state.task_type, state.scheduled_type) == ("STOP", "DAY")
    assert (state.enabled, state.next_run) == (None, None)


def test_the_begin_is_the_first_run() -> None:
    """Whatever is told of it."""
    assert replay(past([run(NINE + DAY), run(NINE)], CONFIG), CONFIG, 0.0).first_start == NINE


def test_desktops_without_an_end_tell_none_of_the_run() -> None:
    """It counts as finished from its start."""
    truth = run(NINE)
    known = past_of(
        Selected("8d2e", None, LISTING),
        CONFIG,
        project="prod",
        project_id="0a1b",
        schedule=DAILY,
        records=[truth.record],
        details={truth.record.id: details_of(replace(truth, end=None), CONFIG)},
        now=NINE + DAY,
    )
    assert [each.end for each in known.runs] == [NINE]


def test_a_task_that_is_only_configured_has_a_past_too() -> None:
    """Without the list its name comes from the schedule."""
    replayed = replay(past([run(NINE)], CONFIG, listing=None), CONFIG, 0.0)
    assert (replayed.state_at(NINE).name, replayed.state_at(NINE).schedule) == ("nightly stop", DAILY)
    assert replayed.state_at(NINE + DAY).expected_run == NINE + DAY


def test_details_are_read_of_what_matters_in_the_time_asked_for() -> None:
    """Runs inside, those that may reach into it, the last one before; none in progress and none after."""
    days = [run(NINE + day * DAY) for day in range(6)]
    running = run(NINE + 4.5 * DAY, lasts=None)
    runs = runs_of([each.record for each in (*days, running)], CONFIG.statuses)

    def wanted(since: float, until: float, longest: float = 0.0) -> list[Record]:
        return details_worth_reading(runs, since, until, longest)

    records = [each.record for each in days]
    assert wanted(NINE + 3.5 * DAY, NINE + 5.0 * DAY) == records[2:5]
    assert wanted(NINE + 4.0 * DAY, NINE + 5.0 * DAY) == records[2:5]
    assert wanted(NINE + 4.0 * DAY + 1, NINE + 5.0 * DAY) == records[3:5]
    assert wanted(NINE + 3.5 * DAY, NINE + 5.5 * DAY, 3.0 * DAY) == records[0:]
    assert wanted(NINE + 9.0 * DAY, NINE + 10.0 * DAY) == records[5:]
    assert wanted(NINE - 9.0 * DAY, NINE - 8.0 * DAY) == []
    assert wanted(NINE - 9.0 * DAY, NINE + 5.5 * DAY) == records


def test_a_task_without_runs_has_no_begin() -> None:
    """There is nothing to show of it."""
    assert replay(past([], CONFIG), CONFIG, 0.0).first_start == float("inf")
