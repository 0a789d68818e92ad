"""ShowScheduledTasks' fields, as upstream may write them, read into plans."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import ExporterError
from exporter.records import Schedule
from exporter.recurrence import (
    NINE_YEARS,
    EveryDays,
    Monthly,
    Once,
    Plan,
    Rule,
    Triggered,
    Weekly,
    latest,
    occurrences,
    period_seconds,
)
from exporter.schedule import ScheduleError, parse
from tests.calendar_oracle import epoch

BERLIN = ZoneInfo("Europe/Berlin")
SANTIAGO = ZoneInfo("America/Santiago")

ONCE = Schedule(scheduled_type="FIXED_TIME", scheduled_date="2025-02-28", scheduled_time="09:00:00")
DAY = Schedule(scheduled_type="DAY", day_interval=1, scheduled_time="09:00:00")
WEEK = Schedule(scheduled_type="WEEK", week_list="1,2,7", scheduled_time="09:00:00")
MONTH = Schedule(scheduled_type="MONTH", month_list="1,3,12", date_list="1,2,28,L", scheduled_time="09:00:00")


@pytest.mark.parametrize(
    ("schedule", "rule"),
    [
        (ONCE, Once(date(2025, 2, 28))),
        (DAY, EveryDays(1, 0)),
        (WEEK, Weekly(frozenset({6, 0, 5}))),
        (MONTH, Monthly(frozenset({1, 3, 12}), frozenset({1, 2, 28, -1}))),
        (replace(DAY, scheduled_type="day"), EveryDays(1, 0)),
        (replace(WEEK, scheduled_type=" Week "), Weekly(frozenset({6, 0, 5}))),
        (replace(WEEK, week_list=" 7, 07 ,1"), Weekly(frozenset({5, 6}))),
        (replace(MONTH, date_list="l"), Monthly(frozenset({1, 3, 12}), frozenset({-1}))),
        (replace(MONTH, month_list="2", date_list="29"), Monthly(frozenset({2}), frozenset({29}))),
        *(
            (
                replace(MONTH, month_list=f"{month}", date_list="30"),
                Monthly(frozenset({month}), frozenset({30})),
            )
            for month in (4, 6, 9, 11)
        ),
        (replace(MONTH, month_list="2,3", date_list="31"), Monthly(frozenset({2, 3}), frozenset({31}))),
        (replace(MONTH, month_list="2", date_list="30,L"), Monthly(frozenset({2}), frozenset({30, -1}))),
        (replace(ONCE, scheduled_date="1970-01-01"), Once(date(1970, 1, 1))),
        (replace(ONCE, scheduled_date="9998-12-31"), Once(date(9998, 12, 31))),
        (replace(WEEK, week_list="1," * 127 + " 1"), Weekly(frozenset({6}))),
        (replace(DAY, life_cycle_type="POST_CREATE_DESKTOP_SUCCESS"), EveryDays(1, 0)),
        (replace(DAY, day_interval=3288), EveryDays(3288, None)),
        (Schedule(scheduled_type="LIFE_CYCLE"), Triggered()),
        (Schedule(life_cycle_type="POST_CREATE_DESKTOP_SUCCESS"), Triggered()),
    ],
)
def test_each_type_of_schedule_is_read(schedule: Schedule, rule: Rule) -> None:
    """Types and L without case, lists with spaces; 1 is Sunday upstream and 6 here."""
    assert parse(schedule, BERLIN).rule == rule


def test_time_zone_and_expiry_are_carried() -> None:
    """The plan is complete: equal plans have equal occurrences."""
    plan = parse(replace(DAY, scheduled_time="23:59:58", expires=1.5e9), BERLIN)
    assert plan == Plan(EveryDays(1, 0), time(23, 59, 58), BERLIN, 1.5e9)


@pytest.mark.parametrize("text", ["09:05:00", "9:05:00", "09:05", "9:05", " 09:05:00 "])
def test_a_scheduled_time_may_lack_its_seconds_or_a_leading_zero(text: str) -> None:
    """What can be read in one way only is read."""
    assert parse(replace(DAY, scheduled_time=text), BERLIN).at == time(9, 5)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Schedule(), "scheduled_type: '' is not known"),
        (replace(DAY, scheduled_type="HOUR"), "scheduled_type: 'HOUR' is not known"),
        (replace(DAY, scheduled_type="X" * 40), f"scheduled_type: '{'X' * 40}' is not known"),
        (replace(DAY, scheduled_type="X" * 99), f"scheduled_type: '{'X' * 40}…' is not known"),
        (replace(DAY, scheduled_type="a\nb"), "scheduled_type: 'a\\nb' is not known"),
        (replace(DAY, scheduled_time=""), "scheduled_time: '' is not HH:mm:ss"),
        (replace(DAY, scheduled_time="24:00:00"), "scheduled_time: '24:00:00' is not HH:mm:ss"),
        (replace(DAY, scheduled_time="09:60:00"), "scheduled_time: '09:60:00' is not HH:mm:ss"),
        (replace(DAY, scheduled_time="9"), "scheduled_time: '9' is not HH:mm:ss"),
        (
            replace(DAY, scheduled_time="\u0660\u0669:00:00"),
            "scheduled_time: '\u0660\u0669:00:00' is not HH:mm:ss",
        ),
        (replace(DAY, day_interval=None), "day_interval: is missing"),
        (replace(DAY, day_interval=0), f"day_interval: must be 1 to {NINE_YEARS} days"),
        (replace(DAY, day_interval=-1), f"day_interval: must be 1 to {NINE_YEARS} days"),
        (replace(DAY, day_interval=3289), "day_interval: must be 1 to 3288 days"),
        (replace(DAY, day_interval=10**30), f"day_interval: must be 1 to {NINE_YEARS} days"),
        (replace(ONCE, scheduled_date=""), "scheduled_date: '' is not yyyy-MM-dd"),
        (replace(ONCE, scheduled_date="28.02.2025"), "scheduled_date: '28.02.2025' is not yyyy-MM-dd"),
        (replace(ONCE, scheduled_date="2025-02-30"), "scheduled_date: '2025-02-30' does not exist"),
        (replace(ONCE, scheduled_date="2025-00-10"), "scheduled_date: '2025-00-10' does not exist"),
        (replace(ONCE, scheduled_date="1969-12-31"), "scheduled_date: the year 1969 is out of range"),
        (replace(ONCE, scheduled_date="0001-01-01"), "scheduled_date: the year 1 is out of range"),
        (replace(ONCE, scheduled_date="9999-12-31"), "scheduled_date: the year 9999 is out of range"),
        (replace(WEEK, week_list=""), "week_list: is missing"),
        (replace(WEEK, week_list=" "), "week_list: is missing"),
        (replace(WEEK, week_list="9,x"), "week_list: '9' is not a number from 1 to 7"),
        (replace(WEEK, week_list="0"), "week_list: '0' is not a number from 1 to 7"),
        (replace(WEEK, week_list="1,"), "week_list: '' is not a number from 1 to 7"),
        (replace(WEEK, week_list="1,-2"), "week_list: '-2' is not a number from 1 to 7"),
        (replace(WEEK, week_list="1," * 9999), "week_list: is longer than 256 characters"),
        (replace(MONTH, month_list=""), "month_list: is missing"),
        (replace(MONTH, month_list="13"), "month_list: '13' is not a number from 1 to 12"),
        (replace(MONTH, month_list="L"), "month_list: 'L' is not a number from 1 to 12"),
        (replace(MONTH, date_list=""), "date_list: is missing"),
        (replace(MONTH, date_list="32"), "date_list: '32' is not a number from 1 to 31"),
        (replace(MONTH, date_list="L1"), "date_list: 'L1' is not a number from 1 to 31"),
        (replace(MONTH, month_list="2", date_list="30"), "date_list: no month of month_list has such a day"),
        (replace(MONTH, month_list="2,4,6,9,11", date_list="31"), "date_list: no month of month_list has"),
    ],
)
def test_a_schedule_that_names_no_times_is_refused_with_field_and_reason(
    schedule: Schedule, message: str
) -> None:
    """The reason is one short line, whatever upstream sent."""
    with pytest.raises(ScheduleError) as caught:
        parse(schedule, BERLIN)
    assert str(caught.value).startswith(message)
    assert str(caught.value) == f"{caught.value.field}: {caught.value.reason}"
    assert isinstance(caught.value, ExporterError)


def every(interval: int, at: str = "09:00:00") -> Schedule:
    """Return a DAY schedule."""
    return Schedule(scheduled_type="DAY", day_interval=interval, scheduled_time=at)


def due(plan: Plan, after: str, until: str) -> list[str]:
    """Return the expected times of a plan in UTC."""
    found = occurrences(plan, epoch(after), epoch(until))
    return [datetime.fromtimestamp(each.expected, UTC).isoformat()[:-6] for each in found]


def test_an_interval_is_anchored_on_the_next_run_in_both_directions() -> None:
    """Every third day, at the scheduled wall time on either side of a clock change."""
    plan = parse(
        every(3), BERLIN, next_run=epoch("2025-03-31T07:00:00Z"), last_start=epoch("2025-03-27T08:00:00Z")
    )
    assert due(plan, "2025-03-24T00:00:00Z", "2025-04-04T00:00:00Z") == [
        "2025-03-25T08:00:00",
        "2025-03-28T08:00:00",
        "2025-03-31T07:00:00",
        "2025-04-03T07:00:00",
    ]


@pytest.mark.parametrize(
    ("start", "day"),
    [
        ("2025-06-10T09:00:04Z", date(2025, 6, 10)),
        ("2025-06-10T08:59:00Z", date(2025, 6, 10)),
        ("2025-06-10T08:58:59Z", date(2025, 6, 9)),
        ("2025-06-11T08:00:00Z", date(2025, 6, 10)),
    ],
)
def test_without_a_next_run_an_interval_is_anchored_on_the_newest_run(start: str, day: date) -> None:
    """The run served the newest occurrence that it covers: one up to a minute after its start."""
    plan = parse(every(5), UTC, last_start=epoch(start))
    assert plan.rule == EveryDays(5, day.toordinal() % 5, inferred=True)


def test_the_newest_run_may_have_served_the_earlier_reading_or_the_coming_midnight() -> None:
    """The same rule as for coverage: the earlier of two readings, and a minute's leeway across days."""
    between = parse(every(5, "02:30:00"), BERLIN, last_start=epoch("2025-10-26T00:40:00Z"))
    assert between.rule == EveryDays(5, date(2025, 10, 26).toordinal() % 5, inferred=True)
    early = parse(every(5, "00:00:00"), UTC, last_start=epoch("2025-06-09T23:59:30Z"))
    assert early.rule == EveryDays(5, date(2025, 6, 10).toordinal() % 5, inferred=True)


def test_without_any_anchor_the_days_of_an_interval_are_unknown() -> None:
    """Never run and not listed: how often, but not when."""
    plan = parse(every(5), UTC)
    assert plan.rule == EveryDays(5, None)


@pytest.mark.parametrize("next_run", ["2025-09-07T03:30:00Z", "2025-09-07T04:30:00Z"])
def test_an_anchor_in_a_gap_at_midnight_keeps_its_day(next_run: str) -> None:
    """00:30 is missing in Santiago on 7 September: one reading is 23:30 of the day before."""
    plan = parse(every(2, "00:30:00"), SANTIAGO, next_run=epoch(next_run))
    assert plan.rule == EveryDays(2, date(2025, 9, 7).toordinal() % 2, inferred=False)


@pytest.mark.parametrize("anchor", [-math.inf, -1e300, -1e12, 0.0, 1e13, 1e300, math.inf])
def test_an_absurd_anchor_is_survived(anchor: float) -> None:
    """A next run or a start far outside any calendar gives some anchor, and no exception."""
    for plan in (parse(every(7), BERLIN, next_run=anchor), parse(every(7), BERLIN, last_start=anchor)):
        assert latest(plan, 2e9) is not None


fragments = st.sampled_from(
    ["", "0", "1", "2", "29", "30", "31", "L", "x", ",", " ", "-", ":", "09:00:00", "2025-02-29", "\u0663"]
)
texts = st.one_of(
    st.lists(fragments, max_size=6).map("".join),
    st.lists(fragments, max_size=4).map(",".join),
    st.text(max_size=8),
)
schedules = st.builds(
    Schedule,
    life_cycle_type=st.sampled_from(["", "POST_DESKTOP_DISCONNECTED"]),
    scheduled_type=st.one_of(
        st.sampled_from(["FIXED_TIME", "DAY", "WEEK", "MONTH", "LIFE_CYCLE", "month"]), texts
    ),
    scheduled_time=st.one_of(st.sampled_from(["00:00:00", "02:30:00", "23:59:59"]), texts),
    scheduled_date=st.one_of(st.dates().map(str), texts),
    day_interval=st.one_of(st.none(), st.integers(), st.integers(0, 40)),
    week_list=st.one_of(st.sampled_from(["1", "1,7"]), texts),
    month_list=st.one_of(st.sampled_from(["2", "1,2,3,4,5,6,7,8,9,10,11,12"]), texts),
    date_list=st.one_of(st.sampled_from(["29", "30", "31", "L"]), texts),
    expires=st.one_of(st.none(), st.floats()),
)
moments = st.one_of(st.none(), st.floats(allow_nan=False), st.floats(1e9, 4e9))


@settings(deadline=None)
@given(schedule=schedules, next_run=moments, last_start=moments, now=st.floats(1e9, 4e9))
def test_whatever_upstream_says_gives_a_usable_plan_or_a_schedule_error(
    schedule: Schedule, next_run: float | None, last_start: float | None, now: float
) -> None:
    """Every plan that is accepted can be asked; if it has a period and an anchor, it recurs within it."""
    try:
        plan = parse(schedule, BERLIN, next_run=next_run, last_start=last_start)
    except ScheduleError:
        return
    period = period_seconds(plan)
    newest = latest(plan, now)
    following = next(occurrences(plan, now), None)
    if period is None or (isinstance(plan.rule, EveryDays) and plan.rule.phase is None):
        return
    assert newest is not None
    assert following is not None
    clock_changes = 2 * 3600
    assert following.expected - newest.expected <= period + clock_changes
