"""When a task's records are read again: every reason, every non-reason, and how evenly the turns lie."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from exporter.config import Polling
from exporter.polling import (
    Due,
    Progress,
    back_off,
    due,
    first_sweep_rank,
    next_turn,
    overload,
    phase_of,
)
from exporter.records import Task

NOW = 1_750_000_000.0
MOMENT = 50_000.0
"""Both clocks at the time of each question here; they differ, so that mixing them up shows."""
POLLING = Polling()
"""An interval of 60 s, a refresh of 900 s."""
ENTRY = Task("t", last_status="SUCCESS", enabled=True, next_run=NOW + 3600)
READ = Progress(
    first_seen=0.0,
    phase=0.5,
    read_at=MOMENT - 60,
    whole_at=MOMENT - 60,
    read_entry=ENTRY,
    last_start=NOW - 7200,
)
"""A task that was read in the last cycle and whose turn is far away."""


def _polling(**durations: str) -> Polling:
    return Polling.model_validate(durations)


def ask(progress: Progress = READ, entry: Task | None = ENTRY, polling: Polling = POLLING) -> Due | None:
    """Ask for a task at NOW and MOMENT."""
    return due(progress, entry, now=NOW, moment=MOMENT, polling=polling)


def reason(progress: Progress = READ, entry: Task | None = ENTRY, polling: Polling = POLLING) -> str | None:
    """Return only why."""
    found = ask(progress, entry, polling)
    return found.reason if found else None


# --- reasons ------------------------------------------------------------------------------------------------


def test_a_task_that_was_just_read_and_has_not_changed_is_not_read() -> None:
    """The list alone keeps it current."""
    assert ask() is None


def test_a_task_never_read_is_new_and_due_within_refresh() -> None:
    """The first sweep may take as long as a refresh does, and reads the whole window."""
    assert ask(Progress(first_seen=MOMENT - 10, phase=0.5)) == Due("new", MOMENT - 10 + 900, whole=True)


@pytest.mark.parametrize(
    "change",
    [
        {"last_status": "FAIL"},
        {"last_status": ""},
        {"next_run": NOW + 7200},
        {"next_run": None},
        {"enabled": False},
    ],
)
def test_a_change_that_tells_of_a_run_is_a_reason(change: dict[str, Any]) -> None:
    """The last status, the next run and the switch tell that something happened."""
    assert ask(entry=replace(ENTRY, **change)) == Due("changed", MOMENT, whole=False)


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"task_type": "STOP"}, {"time_zone": "UTC"}, {"expires": NOW + 9e6}]
)
def test_a_change_that_tells_of_no_run_is_no_reason(change: dict[str, Any]) -> None:
    """A task renamed or edited has not run."""
    assert ask(entry=replace(ENTRY, **change)) is None


def test_a_change_is_one_only_against_the_entry_at_the_last_read() -> None:
    """An entry that wavers and is back as it was read shows nothing new."""
    assert reason(replace(READ, read_entry=replace(ENTRY, last_status="FAIL"))) == "changed"
    assert reason(replace(READ, read_entry=None)) == "changed"  # it was not listed then


@pytest.mark.parametrize(
    ("next_run", "last_start", "expected"),
    [
        (NOW, NOW - 7200, "due"),
        (NOW - 1800, NOW - 7200, "due"),
        (NOW - 1800, NOW - 1800 - 61, "due"),
        (NOW - 1800, NOW - 1800 - 60, None),
        (NOW - 1800, NOW - 1700, None),
        (NOW + 0.5, NOW - 7200, None),
        (None, NOW - 7200, None),
    ],
)
def test_an_announced_run_that_no_record_covers_is_a_reason(
    next_run: float | None, last_start: float, expected: str | None
) -> None:
    """From its very second on, until a run is seen that started up to a minute before it or later."""
    entry = replace(ENTRY, next_run=next_run)
    assert reason(replace(READ, read_entry=entry, last_start=last_start), entry) == expected


@pytest.mark.parametrize("fields", [{"enabled": False}, {"expires": NOW - 3600}])
def test_what_a_list_still_says_of_a_task_that_is_off_or_over_announces_nothing(
    fields: dict[str, Any],
) -> None:
    """Otherwise a task switched off would be read in every cycle for ever."""
    entry = replace(ENTRY, next_run=NOW - 1800, **fields)
    assert ask(replace(READ, read_entry=entry), entry) is None


def test_an_announced_run_before_the_end_counts_and_an_unknown_switch_is_on() -> None:
    """Only a switch that says so is off."""
    entry = replace(ENTRY, next_run=NOW - 1800, enabled=None, expires=NOW - 1800)
    assert reason(replace(READ, read_entry=entry), entry) == "due"


def test_an_expected_run_that_no_record_covers_is_a_reason() -> None:
    """Also where upstream has moved its next run on."""
    assert reason(replace(READ, uncovered=True)) == "due"


def test_a_run_in_progress_is_followed_until_it_is_overdue() -> None:
    """One that is stuck is left to the refresh."""
    assert reason(replace(READ, running=True)) == "running"
    assert reason(replace(READ, running=True, overdue=True)) is None


def test_a_task_that_the_list_does_not_show_is_read_in_each_cycle() -> None:
    """Nothing else can tell that it ran; one that does not exist is only looked for in its turn."""
    assert ask(entry=None) == Due("unlisted", MOMENT, whole=False)
    assert ask(replace(READ, found=False), None) is None
    past = replace(READ, found=False, read_at=MOMENT - 900, whole_at=MOMENT - 900)
    assert reason(past, None) == "refresh"


@pytest.mark.parametrize(("since_read", "expected"), [(269, None), (270, "triggered"), (300, "triggered")])
def test_a_triggered_task_has_a_third_of_refresh_for_its_cadence(
    since_read: float, expected: str | None
) -> None:
    """Within half an interval of its 300 s: cycles jitter."""
    triggered = replace(READ, triggered=True, read_at=MOMENT - since_read, whole_at=MOMENT - 60)
    found = ask(triggered)
    assert found == (expected and Due("triggered", MOMENT - since_read + 300, whole=False))


def test_the_cadence_of_triggered_tasks_is_at_least_the_interval() -> None:
    """A refresh of two intervals does not make a task due twice in one."""
    polling = _polling(interval="60s", refresh="120s")
    triggered = replace(READ, triggered=True, whole_at=MOMENT)
    assert reason(replace(triggered, read_at=MOMENT - 29), polling=polling) is None
    assert reason(replace(triggered, read_at=MOMENT - 60), polling=polling) == "triggered"


def test_a_failed_read_is_repeated_once_its_back_off_has_passed() -> None:
    """Whatever else would be a reason; the back-off is rounded to the nearest cycle."""
    waiting = replace(READ, retry_at=MOMENT + 31, uncovered=True)
    assert ask(waiting, None) is None
    assert ask(replace(waiting, retry_at=MOMENT + 30)) == Due("retry", MOMENT + 30, whole=True)
    assert ask(Progress(first_seen=0.0, phase=0.0, retry_at=MOMENT + 31)) is None


def test_deadlines_put_what_changed_before_what_is_refreshed_before_what_is_new() -> None:
    """A change is due an interval after the last read, which was long ago, a refresh within a whole one."""
    long_ago = replace(READ, read_at=MOMENT - 800, whole_at=MOMENT - 800, phase=(MOMENT % 900) / 900)
    found = [
        ask(long_ago, replace(ENTRY, last_status="FAIL")),
        ask(long_ago),
        ask(Progress(first_seen=MOMENT, phase=0.0)),
    ]
    assert [one.reason for one in found if one] == ["changed", "refresh", "new"]
    deadlines = [one.deadline for one in found if one]
    assert deadlines == sorted(deadlines)


# --- the whole window --------------------------------------------------------------------------------------


def test_a_read_for_another_reason_is_whole_where_it_is_the_tasks_turn_as_well() -> None:
    """A task that is read in every cycle would otherwise never have its whole window replaced."""
    late = replace(READ, whole_at=MOMENT - 900)
    assert ask(replace(late, running=True)) == Due("running", MOMENT, whole=True)
    assert ask(replace(READ, running=True)) == Due("running", MOMENT, whole=False)


def test_the_turn_comes_before_the_cadence_of_a_triggered_task() -> None:
    """Both at once is a refresh."""
    both = replace(READ, triggered=True, read_at=MOMENT - 300, whole_at=MOMENT - 900)
    assert reason(both) == "refresh"


# --- turns --------------------------------------------------------------------------------------------------


def test_the_next_turn_is_the_tasks_own_place_in_refresh_or_sooner() -> None:
    """A read counts for the turn nearest to it, and never is the next one more than a refresh away."""
    assert next_turn(0.5, 9_000.0, POLLING) == 9_450.0
    assert next_turn(0.5, 9_419.0, POLLING) == 9_450.0
    assert next_turn(0.5, 9_420.0, POLLING) == 10_320.0
    assert next_turn(0.5, 9_460.0, POLLING) == 10_350.0


def _simulate(
    tasks: int, cycles: int, polling: Polling, *, jitter: float = 0.0, ran: float = 0.0
) -> tuple[list[int], dict[int, list[float]]]:
    """Refresh tasks for a while; return the reads of each cycle and the moments at which each was read.

    Cycles begin late by up to `jitter` seconds; of the tasks, the share `ran` is read for another reason.
    """
    chance = random.Random(7)
    state = [Progress(first_seen=0.0, phase=phase_of(f"prod\0task-{number}")) for number in range(tasks)]
    per_cycle, moments = [], {number: list[float]() for number in range(tasks)}
    for cycle in range(cycles):
        moment = cycle * polling.interval + chance.uniform(0, jitter)
        per_cycle.append(0)
        for number, progress in enumerate(state):
            found = due(progress, ENTRY, now=NOW, moment=moment, polling=polling)
            if found or chance.random() < ran:
                per_cycle[-1] += found is not None
                moments[number].append(moment)
                state[number] = replace(progress, read_at=moment, whole_at=moment, read_entry=ENTRY)
    return per_cycle, moments


def test_ten_thousand_tasks_do_not_bunch() -> None:
    """After the sweep of the first cycle every cycle refreshes a fifteenth of them, give or take a tenth."""
    per_cycle, _ = _simulate(10_000, 35, POLLING)
    assert per_cycle[0] == 10_000
    assert all(600 <= reads <= 734 for reads in per_cycle[1:]), per_cycle


@pytest.mark.parametrize(("jitter", "ran"), [(0.0, 0.0), (0.5, 0.0), (5.0, 0.0), (5.0, 0.02)])
def test_every_task_is_read_once_in_each_refresh_and_not_more_often(jitter: float, ran: float) -> None:
    """However the cycles jitter and whatever else is read: no gap is longer, few are shorter."""
    per_cycle, moments = _simulate(200, 300, POLLING, jitter=jitter, ran=ran)
    gaps = Counter(
        round((later - read) / 60) for reads in moments.values() for read, later in pairwise(reads)
    )
    assert max(gaps) == 15
    ideal = 200 * 60 / 900
    steady = per_cycle[15:]
    assert sum(steady) / len(steady) <= ideal * 1.03


@pytest.mark.parametrize(
    ("interval", "refresh", "cycles"),
    [("60s", "60s", 1), ("60s", "30s", 1), ("60s", "100s", 1), ("60s", "150s", 2), ("100ms", "300ms", 3)],
)
def test_the_cycles_between_two_refreshes_fit_in_refresh(interval: str, refresh: str, cycles: int) -> None:
    """Whole intervals, rounded down, and at least one."""
    polling = _polling(interval=interval, refresh=refresh)
    _, moments = _simulate(20, 40, polling)
    for reads in moments.values():
        gaps = {round((later - read) / polling.interval) for read, later in pairwise(reads[2:])}
        assert gaps == {cycles}


def test_a_tasks_turn_survives_a_restart() -> None:
    """It follows from the key alone, and is a share of `refresh`."""
    assert phase_of("prod\0task-1") == phase_of("prod\0task-1") != phase_of("prod\0task-2")
    assert all(0 <= phase_of(str(number)) < 1 for number in range(1000))


# --- the first sweep, the back-off, the load ----------------------------------------------------------------


def test_the_first_sweep_reads_failures_first_then_the_nearest_next_run() -> None:
    """Past or to come; a task without a next run comes last of its kind, in the list or not."""
    failed = (replace(ENTRY, next_run=NOW + 90), True)
    order: list[tuple[Task | None, bool]] = [failed]
    order += [(replace(ENTRY, next_run=NOW + seconds), False) for seconds in (-30, 60, -500, 9000)]
    order += [(replace(ENTRY, next_run=None), False), (None, False)]
    mixed = [*order[3:5], *order[:3], *order[5:]]
    assert sorted(mixed, key=lambda each: first_sweep_rank(each[0], each[1], NOW)) == order


def test_the_back_off_doubles_up_to_refresh() -> None:
    """A refresh shorter than the interval does not make it shorter than that."""
    assert [back_off(failures, POLLING) for failures in (1, 2, 3, 4, 5, 6, 9999)] == [
        60,
        120,
        240,
        480,
        900,
        900,
        900,
    ]
    assert back_off(5, _polling(interval="60s", refresh="30s")) == 60


def test_a_rate_that_carries_the_tasks_is_no_news() -> None:
    """A thousand tasks are 21 pages and 67 reads in a minute; no limit carries anything."""
    assert overload(timed=1000, triggered=0, watched=1000, events=0, polling=POLLING) is None
    just = Polling(requests_per_second=2 / 60)  # an empty list of either kind is a request
    assert overload(timed=0, triggered=0, watched=0, events=0, polling=just) is None
    unlimited = Polling(requests_per_second=0.0)
    assert overload(timed=10**6, triggered=0, watched=10**6, events=0, polling=unlimited) is None


def test_a_rate_that_cannot_carry_the_tasks_is_told_with_the_arithmetic() -> None:
    """200 pages of timed tasks and one of triggered ones, and a fifteenth of the tasks, in each interval."""
    assert overload(timed=10_000, triggered=0, watched=10_000, events=0, polling=POLLING) == (
        "in each interval of 60 s, 201 requests for the list and 667 for records of 10000 tasks are "
        "14.5 a second before any task runs; requests_per_second is 10"
    )


def test_the_load_reckons_with_pages_triggers_and_the_tasks_of_other_shards() -> None:
    """A window of 250 records is three pages; a triggered task is read three times in a refresh."""
    polling = Polling(history=250, requests_per_second=0.1)
    told = overload(timed=40, triggered=60, watched=30, events=15, polling=polling)
    assert told == (
        "in each interval of 60 s, 3 requests for the list and 8 for records of 30 tasks are 0.183 a second "
        "before any task runs; requests_per_second is 0.1"
    )
