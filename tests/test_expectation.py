"""Which run was expected: what counts, what is covered, and what this process must have seen."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from exporter.expectation import (
    Expected,
    Memory,
    contradicts,
    expected_run,
    next_change,
    observe,
)
from exporter.records import Schedule, Task
from exporter.recurrence import Occurrence
from tests.calendar_oracle import epoch, naive_reading

if TYPE_CHECKING:
    from datetime import tzinfo

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Schedule(scheduled_type="DAY", day_interval=1, scheduled_time="09:00:00")
THIRD_DAY = replace(DAILY, day_interval=3)
ENABLED = Task("t", scheduled_type="DAY", enabled=True)
DISABLED = replace(ENABLED, enabled=False)
HOUR = 3600.0
DAY = 24 * HOUR


def june(day: int, clock: str = "09:00:00") -> float:
    """Return a time of June 2025 in UTC; the schedules here are due at 09:00."""
    return epoch(f"2025-06-{day:02}T{clock}Z")


def missed(at: float) -> Expected:
    """Return the answer for an occurrence without a clock change that no run covers."""
    return Expected(at, covered=False, occurrence=Occurrence(at, at))


def covered(at: float) -> Expected:
    """Return the answer for one that a run covers."""
    return Expected(at, covered=True, occurrence=Occurrence(at, at))


def see(  # a shorter `observe`, in UTC
    memory: Memory | None = None,
    *,
    now: float,
    task: Task | None = ENABLED,
    schedule: Schedule | None = DAILY,
    last_start: float | None = None,
) -> Memory:
    """Observe a task of the zone UTC."""
    return observe(memory, now=now, task=task, schedule=schedule, zone=UTC, last_start=last_start)


# --- covered or missed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        (june(10, "09:00:03"), covered(june(10))),
        (june(10, "11:00:00"), covered(june(10))),
        (june(10, "08:59:00"), covered(june(10))),
        (june(10, "08:58:59"), missed(june(10))),
        (june(9, "09:00:03"), missed(june(10))),
        (june(8, "09:00:03"), missed(june(9))),
    ],
)
def test_a_run_covers_every_occurrence_up_to_a_minute_after_its_start(start: float, answer: Expected) -> None:
    """The oldest uncovered occurrence is expected, or the newest one due when all are covered."""
    memory = see(now=june(10, "12:00:00"), last_start=start)
    assert expected_run(memory, last_start=start, now=june(10, "12:00:00")) == answer


def test_an_occurrence_is_due_at_its_very_second() -> None:
    """Until then the one before is the newest due."""
    start = june(9, "09:00:03")
    memory = see(now=june(9, "12:00:00"), last_start=start)
    assert expected_run(memory, last_start=start, now=june(10) - 0.001) == covered(june(9))
    assert expected_run(memory, last_start=start, now=june(10)) == missed(june(10))


def test_a_missed_run_stays_missed_when_later_ones_fall_due() -> None:
    """However long nobody looks, also when grace is longer than the period, until a run starts."""
    start = june(1, "09:00:03")
    memory = see(now=june(1, "12:00:00"), last_start=start)
    for days in (2, 3, 30, 3650):
        now = june(2, "09:00:00") + (days - 2) * DAY
        memory = see(memory, now=now, last_start=start)
        assert expected_run(memory, last_start=start, now=now) == missed(june(2))
        assert next_change(memory, last_start=start, now=now) is None
    late = june(2) + 3650 * DAY + HOUR
    memory = see(memory, now=late, last_start=late)
    assert expected_run(memory, last_start=late, now=late) == covered(june(2) + 3650 * DAY)


def test_a_missed_run_stays_missed_when_upstream_moves_its_next_run() -> None:
    """An interval keeps its days when next_execution_time goes on by the interval."""
    start = june(1, "09:00:03")
    memory = see(
        now=june(1, "12:00:00"),
        task=replace(ENABLED, next_run=june(4)),
        schedule=THIRD_DAY,
        last_start=start,
    )
    for now, next_run in ((june(4, "09:00:10"), june(7)), (june(7, "09:00:10"), june(10))):
        task = replace(ENABLED, next_run=next_run)
        memory = see(memory, now=now, task=task, schedule=THIRD_DAY, last_start=start)
        assert expected_run(memory, last_start=start, now=now) == missed(june(4))


def test_a_restart_never_resolves_a_missed_run() -> None:
    """Every occurrence since the newest record counts, without any memory."""
    memory = see(now=june(20), last_start=june(10, "09:00:03"))
    assert expected_run(memory, last_start=june(10, "09:00:03"), now=june(20)) == missed(june(11))


@pytest.mark.parametrize(
    ("wall", "zone", "day"),
    [
        ("02:30:00", BERLIN, date(2025, 3, 30)),
        ("02:30:00", BERLIN, date(2025, 10, 26)),
        ("02:30:00", BERLIN, date(2038, 3, 28)),
        ("02:15:00", ZoneInfo("Australia/Lord_Howe"), date(2025, 10, 5)),
        ("01:45:00", ZoneInfo("Australia/Lord_Howe"), date(2025, 4, 6)),
        ("00:30:00", ZoneInfo("America/Santiago"), date(2025, 9, 7)),
        ("23:30:00", ZoneInfo("America/Santiago"), date(2025, 4, 5)),
    ],
)
def test_on_a_clock_change_the_later_reading_is_expected_and_the_earlier_may_be_covered(
    wall: str, zone: tzinfo, day: date
) -> None:
    """Nothing is missed before the later reading; the reported time is one that the run has reached."""
    schedule = replace(DAILY, scheduled_time=wall)
    both = naive_reading(day, time.fromisoformat(wall), zone)
    yesterday = naive_reading(day - timedelta(1), time.fromisoformat(wall), zone)
    assert both.earliest < both.expected

    def answer(start: float, now: float) -> Expected | None:
        memory = observe(None, now=now, task=ENABLED, schedule=schedule, zone=zone, last_start=start)
        return expected_run(memory, last_start=start, now=now)

    before, at = yesterday.expected + 5, both.expected
    assert answer(before, at - 1) == Expected(yesterday.expected, covered=True, occurrence=yesterday)
    assert answer(before, at) == Expected(both.expected, covered=False, occurrence=both)
    for early in (both.earliest - 60, both.earliest, both.expected - 61):
        assert answer(early, at) == Expected(both.earliest, covered=True, occurrence=both)
    for late in (both.expected - 60, both.expected + 5):
        assert answer(late, at + 10) == Expected(both.expected, covered=True, occurrence=both)
    assert answer(both.earliest - 61, at) == Expected(both.expected, covered=False, occurrence=both)


# --- what counts -----------------------------------------------------------------------------------------


def test_the_first_run_ever_missed_is_noticed() -> None:
    """A task that never ran is known because this process saw it before."""
    memory = see(now=june(9, "12:00:00"))
    assert expected_run(memory, last_start=None, now=june(9, "12:00:00")) is None
    assert expected_run(memory, last_start=None, now=june(10)) == missed(june(10))
    memory = see(memory, now=june(12))
    assert expected_run(memory, last_start=None, now=june(12)) == missed(june(10))


def test_occurrences_before_a_never_run_task_was_seen_do_not_count() -> None:
    """Nobody knows whether the task existed then; the very moment of the first sight is not before it."""
    for seen in (june(10), june(10, "09:00:01")):
        memory = see(now=seen)
        assert expected_run(memory, last_start=None, now=seen) is None
        assert expected_run(memory, last_start=None, now=june(11)) == missed(june(11))


def test_the_only_run_of_a_new_task_covers_its_occurrence() -> None:
    """Seen or not before: what a run covers needs no other witness."""
    memory = see(now=june(10, "12:00:00"), last_start=june(10, "09:00:03"))
    assert expected_run(memory, last_start=june(10, "09:00:03"), now=june(10, "12:00:00")) == covered(
        june(10)
    )


def test_a_disabled_task_expects_nothing_and_later_only_what_follows() -> None:
    """Also not what it had missed before; enabled again, the next occurrence is the first that counts."""
    start = june(1, "09:00:03")
    memory = see(now=june(1, "12:00:00"), last_start=start)
    memory = see(memory, now=june(3), task=DISABLED, last_start=start)
    assert expected_run(memory, last_start=start, now=june(3)) is None
    assert next_change(memory, last_start=start, now=june(3)) is None
    for silent in (None, replace(ENABLED, enabled=None)):
        memory = see(memory, now=june(5, "08:00:00"), task=silent, last_start=start)
        assert expected_run(memory, last_start=start, now=june(5)) is None
    memory = see(memory, now=june(5), last_start=start)
    assert expected_run(memory, last_start=start, now=june(5, "12:00:00")) is None
    assert next_change(memory, last_start=start, now=june(5, "12:00:00")) == june(6)
    assert expected_run(memory, last_start=start, now=june(6)) == missed(june(6))
    ran = june(5, "09:00:03")  # an occurrence at the very moment counts neither missed nor covered
    memory = see(memory, now=june(5, "12:00:00"), last_start=ran)
    assert expected_run(memory, last_start=ran, now=june(5, "12:00:00")) is None


def test_after_a_restart_a_long_disabled_task_is_not_told_from_a_missed_one() -> None:
    """Without memory every occurrence since the newest record counts: the price of the rule above."""
    memory = see(now=june(20), last_start=june(10))
    assert expected_run(memory, last_start=june(10), now=june(20)) == missed(june(11))


@pytest.mark.parametrize(
    "edited",
    [
        replace(DAILY, scheduled_time="10:00:00"),
        replace(DAILY, day_interval=2),
        Schedule(scheduled_type="WEEK", week_list="1,2,3,4,5,6,7", scheduled_time="09:00:00"),
        replace(DAILY, expires=june(30)),
    ],
)
def test_when_the_schedule_is_seen_edited_only_later_occurrences_count(edited: Schedule) -> None:
    """The new schedule says nothing of the time before it was made."""
    start, now = june(1, "09:00:03"), june(3, "12:00:00")
    task = replace(ENABLED, next_run=june(4))
    memory = see(now=june(1, "12:00:00"), task=task, last_start=start)
    assert expected_run(memory, last_start=start, now=now) == missed(june(2))
    memory = see(memory, now=now, task=task, schedule=edited, last_start=start)
    assert expected_run(memory, last_start=start, now=now) is None
    due = next_change(memory, last_start=start, now=now)
    assert due is not None
    assert june(4) <= due <= june(4, "10:00:00")
    assert expected_run(memory, last_start=start, now=due) == missed(due)


@pytest.mark.parametrize(
    "same",
    [
        replace(THIRD_DAY, name="renamed", task_type="STOP"),
        replace(THIRD_DAY, scheduled_type="day", scheduled_time="9:00"),
        replace(THIRD_DAY, week_list="1", month_list="x"),
    ],
)
def test_another_name_or_spelling_is_no_edit(same: Schedule) -> None:
    """What decides is when the task is due, not how the answer is written."""
    start = june(1, "09:00:03")
    task = replace(ENABLED, next_run=june(4))
    memory = see(now=june(1, "12:00:00"), task=task, schedule=THIRD_DAY, last_start=start)
    for next_run in (june(7), None):
        task = replace(ENABLED, next_run=next_run)
        memory = see(memory, now=june(5), task=task, schedule=same, last_start=start)
        assert expected_run(memory, last_start=start, now=june(5)) == missed(june(4))


def test_an_interval_that_is_saved_anew_counts_from_then() -> None:
    """Its fields are equal, but the next run has left the old days: those before it were never meant."""
    start = june(1, "09:00:03")
    task = replace(ENABLED, next_run=june(8))
    weekly = replace(DAILY, day_interval=7)
    memory = see(now=june(1, "12:00:00"), task=task, schedule=weekly, last_start=start)
    task = replace(ENABLED, next_run=june(10))
    memory = see(memory, now=june(3, "12:00:00"), task=task, schedule=weekly, last_start=start)
    assert expected_run(memory, last_start=start, now=june(9)) is None
    assert expected_run(memory, last_start=start, now=june(10)) == missed(june(10))


def test_another_interval_is_an_edit_also_where_its_days_were_inferred() -> None:
    """How often is upstream's own word, on whichever days."""
    start, now = june(1, "09:00:03"), june(8)
    memory = see(now=june(1, "12:00:00"), task=None, schedule=THIRD_DAY, last_start=start)
    memory = see(memory, now=now, task=None, schedule=replace(DAILY, day_interval=5), last_start=start)
    assert memory.only_after == now


def test_days_inferred_from_a_late_run_are_no_edit() -> None:
    """Without list permission an interval follows its runs; being listed again only says it better."""
    memory = see(now=june(1, "12:00:00"), task=None, schedule=THIRD_DAY, last_start=june(1, "09:00:03"))
    late = june(5, "20:00:00")
    memory = see(memory, now=late + 60, task=None, schedule=THIRD_DAY, last_start=late)
    assert memory.only_after == -math.inf
    task = replace(ENABLED, next_run=june(10))
    memory = see(memory, now=june(8), task=task, schedule=THIRD_DAY, last_start=late)
    assert memory.only_after == -math.inf
    assert expected_run(memory, last_start=late, now=june(8)) == missed(june(7))


def test_an_interval_learned_from_the_list_for_the_first_time_is_no_edit() -> None:
    """Known since June 1, its days since June 3: the occurrence between counts."""
    memory = see(now=june(1), task=None, schedule=THIRD_DAY)
    memory = see(memory, now=june(3), task=replace(ENABLED, next_run=june(5)), schedule=THIRD_DAY)
    assert expected_run(memory, last_start=None, now=june(3)) == missed(june(2))


def test_an_interval_keeps_its_days_when_the_list_falls_silent() -> None:
    """The last next run that upstream named is a better anchor than a late run."""
    task = replace(ENABLED, next_run=june(4))
    memory = see(now=june(3), task=task, schedule=THIRD_DAY, last_start=june(1, "09:00:03"))
    late = june(5, "20:00:00")
    for silent in (ENABLED, None):
        memory = see(memory, now=june(6), task=silent, schedule=THIRD_DAY, last_start=late)
        assert expected_run(memory, last_start=late, now=june(8)) == missed(june(7))


def test_another_type_of_schedule_is_an_edit_also_where_days_were_inferred() -> None:
    """From every third day to Mondays, without list permission."""
    start = june(1, "09:00:03")
    memory = see(now=june(1, "12:00:00"), task=None, schedule=THIRD_DAY, last_start=start)
    mondays = Schedule(scheduled_type="WEEK", week_list="2", scheduled_time="09:00:00")
    memory = see(memory, now=june(5), task=None, schedule=mondays, last_start=start)
    assert expected_run(memory, last_start=start, now=june(8)) is None
    assert expected_run(memory, last_start=start, now=june(20)) == missed(june(9))


@pytest.mark.parametrize("source", ["list", "schedule"])
def test_an_expired_task_expects_nothing_after_its_end(source: str) -> None:
    """An occurrence at the very end is expected still; one that was missed before stays missed."""
    task = replace(ENABLED, expires=june(12)) if source == "list" else ENABLED
    schedule = replace(DAILY, expires=june(12)) if source == "schedule" else DAILY
    start, now = june(12, "09:00:03"), june(20)
    memory = see(now=now, task=task, schedule=schedule, last_start=start)
    assert expected_run(memory, last_start=start, now=now) == covered(june(12))
    assert next_change(memory, last_start=start, now=now) is None
    assert next_change(memory, last_start=start, now=june(11)) == june(12)
    start = june(10, "09:00:03")
    memory = see(now=now, task=task, schedule=schedule, last_start=start)
    assert expected_run(memory, last_start=start, now=now) == missed(june(11))
    start = june(11, "09:00:03")
    memory = see(now=now, task=task, schedule=schedule, last_start=start)
    assert expected_run(memory, last_start=start, now=now) == missed(june(12))


def test_the_lists_word_on_expiry_is_the_fresher_one() -> None:
    """The show-task answer is cached; its own end is used where the list names none."""
    schedule = replace(DAILY, expires=june(12))
    memory = see(now=june(10), task=replace(ENABLED, expires=june(11)), schedule=schedule)
    assert next_change(memory, last_start=june(13), now=june(11)) is None
    memory = see(memory, now=june(10, "12:00:00"), task=replace(ENABLED, expires=june(14)), schedule=schedule)
    assert next_change(memory, last_start=june(13), now=june(13)) == june(14)
    memory = see(memory, now=june(11), task=replace(ENABLED, expires=june(16)), schedule=None)
    assert next_change(memory, last_start=june(15), now=june(15)) == june(16)


def test_a_task_whose_end_is_moved_counts_from_then() -> None:
    """While it was expired nothing was due, whatever the new end allows."""
    start = june(5, "09:00:03")
    memory = see(now=june(5), task=replace(ENABLED, expires=june(6, "00:00:00")), last_start=start)
    task = replace(ENABLED, expires=june(30))
    memory = see(memory, now=june(10, "12:00:00"), task=task, last_start=start)
    assert expected_run(memory, last_start=start, now=june(10, "12:00:00")) is None
    assert expected_run(memory, last_start=start, now=june(20)) == missed(june(11))


def test_a_one_shot_counts_like_any_occurrence() -> None:
    """Not due, missed, late, and nothing ever after."""
    once = Schedule(scheduled_type="FIXED_TIME", scheduled_date="2025-06-10", scheduled_time="09:00:00")
    memory = see(now=june(1), schedule=once)
    assert expected_run(memory, last_start=None, now=june(9)) is None
    assert next_change(memory, last_start=None, now=june(9)) == june(10)
    assert expected_run(memory, last_start=None, now=june(30)) == missed(june(10))
    memory = see(memory, now=june(10, "09:30:00"), schedule=once, last_start=june(10, "09:20:00"))
    assert expected_run(memory, last_start=june(10, "09:20:00"), now=june(30)) == covered(june(10))
    assert next_change(memory, last_start=june(10, "09:20:00"), now=june(30)) is None


@pytest.mark.parametrize(
    ("task", "schedule"),
    [
        (replace(ENABLED, scheduled_type="LIFE_CYCLE", next_run=june(10)), None),
        (replace(ENABLED, scheduled_type="life_cycle"), DAILY),
        (None, Schedule(scheduled_type="LIFE_CYCLE")),
        (replace(ENABLED, scheduled_type="", next_run=june(10)), Schedule(scheduled_type="LIFE_CYCLE")),
    ],
)
def test_a_triggered_task_expects_nothing(task: Task | None, schedule: Schedule | None) -> None:
    """Whether the list says so or the show-task answer."""
    memory = see(now=june(1), task=task, schedule=schedule, last_start=june(2))
    assert expected_run(memory, last_start=june(2), now=june(20)) is None
    assert next_change(memory, last_start=june(2), now=june(2)) is None
    if task is not None:
        memory = see(memory, now=june(3), task=replace(task, scheduled_type=""), schedule=schedule)
        assert expected_run(memory, last_start=june(2), now=june(20)) is None


def test_without_list_permission_the_schedule_alone_is_enough() -> None:
    """An interval then follows the newest run; without one its days are unknown."""
    start = june(1, "09:00:03")
    memory = see(now=june(1, "12:00:00"), task=None, schedule=THIRD_DAY, last_start=start)
    assert expected_run(memory, last_start=start, now=june(8)) == missed(june(4))
    unknown = see(now=june(1, "12:00:00"), task=None, schedule=THIRD_DAY)
    assert expected_run(unknown, last_start=None, now=june(8)) is None
    assert next_change(unknown, last_start=None, now=june(8)) is None


def test_records_that_upstream_drops_do_not_make_their_occurrences_missed() -> None:
    """How long records are kept is unknown: what a run once covered is not expected again."""
    start = june(10, "09:00:03")
    memory = see(now=june(9, "12:00:00"))
    memory = see(memory, now=june(10, "12:00:00"), last_start=start)
    memory = see(memory, now=june(11, "08:00:00"))
    assert expected_run(memory, last_start=None, now=june(11, "08:00:00")) is None
    assert expected_run(memory, last_start=None, now=june(11)) == missed(june(11))
    memory = see(memory, now=june(11, "08:00:00"), last_start=june(9, "09:00:03"))
    assert expected_run(memory, last_start=june(9, "09:00:03"), now=june(11, "08:00:00")) is None


def test_a_start_in_the_future_is_not_remembered() -> None:
    """A record with an absurd time silences the task only while it is there."""
    memory = see(now=june(9, "12:00:00"), last_start=epoch("2999-01-01T00:00:00Z"))
    assert memory.last_start is None
    memory = see(memory, now=june(10, "12:00:00"), last_start=june(9, "09:00:03"))
    assert expected_run(memory, last_start=june(9, "09:00:03"), now=june(10)) == missed(june(10))


# --- next_execution_time alone -----------------------------------------------------------------------------


def listed(
    memory: Memory | None, now: float, next_run: float | None, last_start: float | None = None
) -> Memory:
    """Observe a task that may be listed but not shown."""
    task = replace(ENABLED, next_run=next_run)
    return see(memory, now=now, task=task, schedule=None, last_start=last_start)


def test_without_show_permission_a_next_run_that_fell_due_is_expected() -> None:
    """Upstream moving on does not undo it, further ones do not hide it, a run ends it."""
    start = june(1, "09:00:03")
    memory = listed(None, june(1, "12:00:00"), june(2), start)
    assert expected_run(memory, last_start=start, now=june(2) - 1) is None
    assert next_change(memory, last_start=start, now=june(2) - 1) == june(2)
    assert expected_run(memory, last_start=start, now=june(2)) == missed(june(2))
    for day in (2, 3, 4):
        memory = listed(memory, june(day, "09:00:30"), june(day + 1), start)
        assert expected_run(memory, last_start=start, now=june(day, "10:00:00")) == missed(june(2))
    start = june(3, "10:00:00")
    memory = listed(memory, june(4, "11:00:00"), june(5), start)
    assert expected_run(memory, last_start=start, now=june(4, "11:00:00")) == missed(june(4))
    start = june(4, "12:00:00")
    memory = listed(memory, june(4, "12:30:00"), june(5), start)
    assert expected_run(memory, last_start=start, now=june(4, "12:30:00")) == covered(june(4))
    assert next_change(memory, last_start=start, now=june(4, "12:30:00")) == june(5)


def test_without_show_permission_a_next_run_is_due_at_its_very_second() -> None:
    """A run that came up to a minute early covers it from then on; what is due changes by itself no more."""
    start = june(2, "08:59:30")
    memory = listed(None, june(1), june(2), start)
    assert expected_run(memory, last_start=start, now=june(2)) == covered(june(2))
    assert next_change(memory, last_start=start, now=june(2)) is None


def test_without_show_permission_the_newest_of_several_covered_next_runs_is_expected() -> None:
    """Also before the list, which may fail, has moved on from it."""
    memory = listed(None, june(1), june(2))
    memory = listed(memory, june(2, "09:00:30"), june(3))
    start = june(3, "09:00:03")
    assert expected_run(memory, last_start=start, now=june(3, "10:00:00")) == covered(june(3))


def test_without_show_permission_a_never_run_task_must_have_been_seen_before() -> None:
    """A next run already past when the task is first seen proves nothing; nor does one after expiry."""
    memory = listed(None, june(3), june(2))
    assert expected_run(memory, last_start=None, now=june(4)) is None
    memory = listed(memory, june(4), june(5))
    assert expected_run(memory, last_start=None, now=june(5)) == missed(june(5))
    task = replace(ENABLED, next_run=june(5), expires=june(4))
    memory = see(now=june(3), task=task, schedule=None)
    assert expected_run(memory, last_start=None, now=june(6)) is None


def test_without_show_permission_a_next_run_that_moves_before_it_is_due_is_an_edit() -> None:
    """Earlier misses are dropped with it; a minute is left for two clocks to differ."""
    start = june(1, "09:00:03")
    memory = listed(None, june(1, "12:00:00"), june(2), start)
    memory = listed(memory, june(2, "09:00:30"), june(3), start)
    memory = listed(memory, june(2, "12:00:00"), june(6), start)
    assert expected_run(memory, last_start=start, now=june(5)) is None
    assert expected_run(memory, last_start=start, now=june(6)) == missed(june(6))
    ahead = listed(None, june(1, "12:00:00"), june(2), start)
    ahead = listed(ahead, june(2, "08:59:30"), june(3), start)
    assert expected_run(ahead, last_start=start, now=june(2) - 1) is None
    assert expected_run(ahead, last_start=start, now=june(2)) == missed(june(2))


def test_a_task_that_no_longer_has_a_next_run_keeps_the_one_that_fell_due() -> None:
    """A one-shot has none afterwards; one that was taken back before counts no more."""
    memory = listed(listed(None, june(1), june(2)), june(2, "09:05:00"), None)
    assert expected_run(memory, last_start=None, now=june(3)) == missed(june(2))
    memory = listed(listed(None, june(1), june(2)), june(1, "12:00:00"), None)
    assert expected_run(memory, last_start=None, now=june(3)) is None


def test_remembered_next_runs_are_bounded() -> None:
    """A task that nobody runs for years holds a handful of times: the oldest missed and the newest."""
    memory = listed(None, june(1), june(2))
    for day in range(200):
        memory = listed(memory, june(2, "09:00:30") + day * DAY, june(3) + day * DAY)
    assert len(memory.fallen) == 64
    assert expected_run(memory, last_start=None, now=june(2) + 300 * DAY) == missed(june(2))
    assert memory.fallen[-1] == june(2) + 199 * DAY
    start = june(3) + 199 * DAY
    memory = listed(memory, start, june(3) + 200 * DAY, start)
    assert memory.fallen == (start,)


@pytest.mark.parametrize(
    ("schedule", "zone", "problem"),
    [
        (replace(DAILY, scheduled_time="soon"), UTC, "scheduled_time: 'soon' is not HH:mm:ss"),
        (DAILY, None, "time_zone: is not known"),
    ],
)
def test_a_schedule_that_cannot_be_read_leaves_the_next_run(
    schedule: Schedule, zone: tzinfo | None, problem: str
) -> None:
    """The reason is kept; the schedule read again as it was is no edit."""
    start = june(1, "09:00:03")
    memory = see(now=june(1, "12:00:00"), task=replace(ENABLED, next_run=june(2)), last_start=start)
    task = replace(ENABLED, next_run=june(4))
    memory = observe(memory, now=june(3), task=task, schedule=schedule, zone=zone, last_start=start)
    assert memory.problem == problem
    assert memory.plan_in_force is None
    assert expected_run(memory, last_start=start, now=june(3)) == missed(june(2))
    memory = see(memory, now=june(4), task=task, last_start=start)
    assert (memory.problem, memory.only_after) == ("", -math.inf)
    assert expected_run(memory, last_start=start, now=june(4)) == missed(june(2))


@pytest.mark.parametrize(
    ("next_run", "answer"),
    [
        (june(10), False),
        (june(10, "09:01:00"), False),
        (june(10, "08:59:00"), False),
        (june(10, "09:01:01"), True),
        (june(10, "01:00:00"), True),
        (None, False),
    ],
)
def test_a_next_run_that_the_schedule_does_not_hold_contradicts_it(
    next_run: float | None,
    answer: bool,  # noqa: FBT001 - the expectation
) -> None:
    """Reality then differs from the API document, or the cached schedule is old."""
    memory = see(now=june(9), task=replace(ENABLED, next_run=next_run))
    assert contradicts(memory) is answer


def test_either_reading_of_a_clock_change_agrees_with_the_schedule() -> None:
    """Upstream may mean either; a disabled or unread schedule is not judged."""
    schedule = replace(DAILY, scheduled_time="02:30:00")
    for moment in ("2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"):
        task = replace(ENABLED, next_run=epoch(moment))
        memory = observe(None, now=june(1), task=task, schedule=schedule, zone=BERLIN)
        assert contradicts(memory) is False
    task = replace(ENABLED, next_run=june(10, "01:00:00"))
    assert contradicts(see(now=june(9), task=replace(task, enabled=False))) is False
    assert contradicts(see(now=june(9), task=task, schedule=None)) is False
