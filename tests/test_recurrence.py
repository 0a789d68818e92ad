"""Occurrences on the wall clock, and their readings in the task's zone."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.recurrence import (
    NINE_YEARS,
    EveryDays,
    Monthly,
    Occurrence,
    Once,
    Plan,
    Rule,
    Triggered,
    Weekly,
    latest,
    local_day,
    longest_gap,
    occurrences,
    period_seconds,
    reading,
)
from tests.calendar_oracle import ZONES, epoch, is_day, naive_occurrences

BERLIN = ZoneInfo("Europe/Berlin")
ALL_MONTHS = frozenset(range(1, 13))


def rules() -> st.SearchStrategy[Rule]:
    """Any rule; months and days are paired so that a day exists."""
    monthly = st.builds(
        Monthly,
        st.frozensets(st.integers(1, 12), min_size=1),
        st.frozensets(st.one_of(st.just(-1), st.integers(1, 31)), min_size=1),
    ).filter(lambda rule: min(rule.days) <= max({2: 29}.get(month, 30) for month in rule.months))
    every = st.integers(1, 40).flatmap(
        lambda interval: st.builds(EveryDays, st.just(interval), st.integers(0, interval - 1))
    )
    return st.one_of(
        st.builds(Once, st.dates(date(2010, 1, 1), date(2040, 12, 31))),
        every,
        st.builds(Weekly, st.frozensets(st.integers(0, 6), min_size=1)),
        monthly,
        st.just(Triggered()),
    )


def plans() -> st.SearchStrategy[Plan]:
    """Any plan, often at an hour at which clocks are changed."""
    seconds = st.one_of(st.integers(0, 4 * 3600), st.integers(0, 86_399))
    return st.builds(
        Plan,
        rules(),
        seconds.map(lambda second: time(second // 3600, second // 60 % 60, second % 60)),
        st.sampled_from(ZONES),
    )


CHANGES = [
    date(2011, 12, 30),
    date(2025, 3, 30),
    date(2025, 4, 5),
    date(2025, 4, 6),
    date(2025, 9, 7),
    date(2025, 10, 5),
    date(2025, 10, 26),
]
DAYS = st.one_of(st.sampled_from(CHANGES), st.dates(date(2010, 1, 1), date(2040, 12, 31)))


@settings(deadline=None)
@given(plan=plans(), day=DAYS, length=st.integers(0, 500), shift=st.integers(0, 86_399))
def test_occurrences_between_two_moments_equal_a_day_by_day_search(
    plan: Plan, day: date, length: int, shift: int
) -> None:
    """No occurrence is lost, invented or out of order, in any zone, at any bounds."""
    after = datetime.combine(day, time(), UTC).timestamp() + shift
    until = after + length * 86_400
    expected = [
        occurrence
        for occurrence in naive_occurrences(plan, day - timedelta(3), day + timedelta(length + 3))
        if after < occurrence.expected <= until
    ]
    assert list(occurrences(plan, after, until)) == expected


@settings(deadline=None)
@given(plan=plans(), day=DAYS, shift=st.integers(0, 86_399))
def test_latest_equals_a_day_by_day_search(plan: Plan, day: date, shift: int) -> None:
    """The newest occurrence due is the one that a search through ten years finds."""
    until = datetime.combine(day, time(), UTC).timestamp() + shift
    found = latest(plan, until)
    start = (
        day - timedelta(400)
        if found is not None and found.expected > until - 390 * 86_400
        else date(1995, 1, 1)
    )
    due = [each for each in naive_occurrences(plan, start, day + timedelta(3)) if each.expected <= until]
    assert found == (due[-1] if due else None)


@settings(deadline=None)
@given(rule=rules())
def test_longest_gap_equals_a_day_by_day_search_over_nine_years(rule: Rule) -> None:
    """The gap is that of any nine years of this century; here from 2024 on."""
    start = date(2024, 1, 1).toordinal()
    days = [day for day in range(start, start + NINE_YEARS) if is_day(rule, date.fromordinal(day))]
    gaps = [later - day for day, later in pairwise(days)]
    assert longest_gap(rule) == (max(gaps) if gaps else None)


# --- clock changes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "wall", "earliest", "expected"),
    [
        ("Europe/Berlin", "2025-03-30T01:59:59", "2025-03-30T00:59:59Z", "2025-03-30T00:59:59Z"),
        ("Europe/Berlin", "2025-03-30T02:00:00", "2025-03-30T00:00:00Z", "2025-03-30T01:00:00Z"),
        ("Europe/Berlin", "2025-03-30T02:30:00", "2025-03-30T00:30:00Z", "2025-03-30T01:30:00Z"),
        ("Europe/Berlin", "2025-03-30T03:00:00", "2025-03-30T01:00:00Z", "2025-03-30T01:00:00Z"),
        ("Europe/Berlin", "2025-10-26T01:59:59", "2025-10-25T23:59:59Z", "2025-10-25T23:59:59Z"),
        ("Europe/Berlin", "2025-10-26T02:30:00", "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"),
        ("Europe/Berlin", "2025-10-26T03:00:00", "2025-10-26T02:00:00Z", "2025-10-26T02:00:00Z"),
        ("Europe/Berlin", "2038-03-28T02:30:00", "2038-03-28T00:30:00Z", "2038-03-28T01:30:00Z"),
        ("Europe/Berlin", "2061-10-30T02:30:00", "2061-10-30T00:30:00Z", "2061-10-30T01:30:00Z"),
        ("Australia/Lord_Howe", "2025-10-05T02:15:00", "2025-10-04T15:15:00Z", "2025-10-04T15:45:00Z"),
        ("Australia/Lord_Howe", "2025-04-06T01:45:00", "2025-04-05T14:45:00Z", "2025-04-05T15:15:00Z"),
        ("Australia/Lord_Howe", "2025-04-06T02:00:00", "2025-04-05T15:30:00Z", "2025-04-05T15:30:00Z"),
        ("America/Santiago", "2025-09-07T00:30:00", "2025-09-07T03:30:00Z", "2025-09-07T04:30:00Z"),
        ("America/Santiago", "2025-04-05T23:30:00", "2025-04-06T02:30:00Z", "2025-04-06T03:30:00Z"),
        ("America/Santiago", "2025-04-06T00:00:00", "2025-04-06T04:00:00Z", "2025-04-06T04:00:00Z"),
        ("Asia/Shanghai", "2025-03-30T02:30:00", "2025-03-29T18:30:00Z", "2025-03-29T18:30:00Z"),
        ("Asia/Kolkata", "2025-10-26T02:30:00", "2025-10-25T21:00:00Z", "2025-10-25T21:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00", "2011-12-29T20:00:00Z", "2011-12-30T20:00:00Z"),
    ],
)
def test_a_wall_time_has_both_readings_of_its_zone(
    zone: str, wall: str, earliest: str, expected: str
) -> None:
    """The later reading is the expected one; outside a gap or fold the two are the same."""
    local = datetime.fromisoformat(wall)
    occurrence = reading(local.date(), local.time(), ZoneInfo(zone))
    assert occurrence == Occurrence(epoch(earliest), epoch(expected))


@pytest.mark.parametrize(
    ("zone", "day", "at"),
    [
        ("Europe/Berlin", date(2025, 3, 30), time(2, 30)),
        ("Europe/Berlin", date(2025, 10, 26), time(2, 30)),
        ("Australia/Lord_Howe", date(2025, 10, 5), time(2, 15)),
        ("Australia/Lord_Howe", date(2025, 4, 6), time(1, 45)),
        ("America/Santiago", date(2025, 9, 7), time(0, 30)),
        ("America/Santiago", date(2025, 4, 5), time(23, 30)),
        ("Pacific/Apia", date(2011, 12, 30), time(10)),
    ],
)
def test_an_occurrence_is_found_by_its_later_reading(zone: str, day: date, at: time) -> None:
    """Not before it, not after it, on whatever date the clock then stands."""
    plan = Plan(Once(day), at, ZoneInfo(zone))
    both = reading(day, at, plan.zone)
    assert both.earliest < both.expected
    assert list(occurrences(plan, both.expected - 1, both.expected)) == [both]
    assert list(occurrences(plan, both.earliest, both.expected + 1)) == [both]
    assert list(occurrences(plan, both.earliest - 1, both.expected - 1)) == []
    assert list(occurrences(plan, both.expected, both.expected + 86_400)) == []
    assert latest(plan, both.expected) == both
    assert latest(plan, both.expected - 1) is None
    daily = replace(plan, rule=EveryDays(1, 0))
    assert next(occurrences(daily, both.expected - 1)) == both
    before = latest(daily, both.expected - 1)
    assert before == reading(day - timedelta(1), at, plan.zone)


def test_an_interval_keeps_its_wall_time_over_both_clock_changes() -> None:
    """Every second day at 02:30 in Berlin: 48 hours apart on the wall, 47 to 49 in UTC."""
    rule = EveryDays(2, date(2025, 3, 28).toordinal() % 2)
    plan = Plan(rule, time(2, 30), BERLIN)
    spring = islice(occurrences(plan, epoch("2025-03-27T00:00:00Z")), 3)
    assert [each.expected for each in spring] == [
        epoch("2025-03-28T01:30:00Z"),
        epoch("2025-03-30T01:30:00Z"),
        epoch("2025-04-01T00:30:00Z"),
    ]
    autumn = islice(occurrences(plan, epoch("2025-10-23T12:00:00Z")), 3)
    assert [each.expected for each in autumn] == [
        epoch("2025-10-24T00:30:00Z"),
        epoch("2025-10-26T01:30:00Z"),
        epoch("2025-10-28T01:30:00Z"),
    ]


# --- the calendar ----------------------------------------------------------------------------------------


def walls(rule: Rule, after: str, until: str) -> list[str]:
    """Return the days of a rule in UTC as text."""
    plan = Plan(rule, time(), UTC)
    found = occurrences(plan, epoch(after), epoch(until))
    return [datetime.fromtimestamp(each.expected, UTC).date().isoformat() for each in found]


def test_the_last_day_of_every_month() -> None:
    """L is 28 to 31, by month and year."""
    days = walls(Monthly(ALL_MONTHS, frozenset({-1})), "2023-12-31T12:00:00Z", "2025-03-31T12:00:00Z")
    ends = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 28, 31]
    assert [int(day[-2:]) for day in days] == ends


def test_day_31_exists_in_seven_months() -> None:
    """A month without the day is left out, not moved to its end."""
    days = walls(Monthly(ALL_MONTHS, frozenset({31})), "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    assert [day[5:7] for day in days] == ["01", "03", "05", "07", "08", "10", "12"]


def test_day_31_and_last_day_give_one_occurrence_where_they_meet() -> None:
    """A day that is named twice is due once."""
    days = walls(
        Monthly(frozenset({1, 2}), frozenset({31, -1})), "2025-01-01T00:00:00Z", "2025-12-31T00:00:00Z"
    )
    assert days == ["2025-01-31", "2025-02-28"]


def test_29_february_is_due_in_leap_years_and_skips_2100() -> None:
    """Beyond 2038 too; the eight years around 2100 are bridged by the second, longer look."""
    rule = Monthly(frozenset({2}), frozenset({29}))
    assert walls(rule, "2026-01-01T00:00:00Z", "2041-01-01T00:00:00Z") == [
        "2028-02-29",
        "2032-02-29",
        "2036-02-29",
        "2040-02-29",
    ]
    assert walls(rule, "2096-03-01T00:00:00Z", "2105-01-01T00:00:00Z") == ["2104-02-29"]
    plan = Plan(rule, time(), UTC)
    assert latest(plan, epoch("2104-02-28T00:00:00Z")) == reading(date(2096, 2, 29), time(), UTC)


def test_a_week_has_the_named_days() -> None:
    """Monday is 0, as in `date.weekday`."""
    days = walls(Weekly(frozenset({0, 6})), "2025-06-01T12:00:00Z", "2025-06-15T12:00:00Z")
    assert days == ["2025-06-02", "2025-06-08", "2025-06-09", "2025-06-15"]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (EveryDays(1, 0), 1),
        (EveryDays(90, 17), 90),
        (EveryDays(5, None), 5),
        (Weekly(frozenset({0})), 7),
        (Weekly(frozenset({0, 1, 2, 3, 4})), 3),
        (Weekly(frozenset(range(7))), 1),
        (Monthly(ALL_MONTHS, frozenset({-1})), 31),
        (Monthly(ALL_MONTHS, frozenset({1})), 31),
        (Monthly(ALL_MONTHS, frozenset({31})), 61),
        (Monthly(ALL_MONTHS, frozenset({30})), 60),
        (Monthly(ALL_MONTHS, frozenset({29})), 59),
        (Monthly(frozenset({2}), frozenset({29})), 1461),
        (Monthly(frozenset({2}), frozenset({28, 29})), 365),
        (Monthly(frozenset({3}), frozenset({1})), 366),
        (Once(date(2025, 1, 1)), None),
        (Triggered(), None),
    ],
)
def test_the_period_is_the_longest_gap_in_wall_clock_days(rule: Rule, days: int | None) -> None:
    """Clock changes do not count; one-shot and triggered tasks have none; 29 February waits four years."""
    expected = None if days is None else days * 86_400.0
    assert period_seconds(Plan(rule, time(2, 30), BERLIN)) == expected


# --- bounds ----------------------------------------------------------------------------------------------


class CountingZone(tzinfo):
    """UTC, counting how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        """Count."""
        self.asked += 1
        return timedelta(0)

    def dst(self, _moment: datetime | None) -> timedelta:
        """No daylight saving."""
        return timedelta(0)

    def tzname(self, _moment: datetime | None) -> str:
        """Name it."""
        return "counting"


@pytest.mark.parametrize(
    "rule", [EveryDays(1, 0), Weekly(frozenset(range(7))), Monthly(ALL_MONTHS, frozenset({1, -1}))]
)
def test_the_next_and_the_newest_occurrence_are_found_without_walking_the_years_between(rule: Rule) -> None:
    """A daily task that has not run for thirty years costs as little as one that ran yesterday."""
    zone = CountingZone()
    plan = Plan(rule, time(9), zone)
    first = next(occurrences(plan, epoch("2025-01-01T00:00:00Z"), epoch("2055-01-02T00:00:00Z")))
    newest = latest(plan, epoch("2055-01-02T00:00:00Z"))
    assert first.expected == epoch("2025-01-01T09:00:00Z")
    assert newest is not None
    assert newest.expected == epoch("2055-01-01T09:00:00Z")
    assert zone.asked < 100


@pytest.mark.parametrize(
    "rule", [Once(date(2025, 1, 1)), EveryDays(3, None), Triggered(), Weekly(frozenset({1}))]
)
@pytest.mark.parametrize("moment", [-math.inf, -1e300, -1.0, 0.0, 1e12, 1e300, math.inf, math.nan])
def test_absurd_moments_are_answered(rule: Rule, moment: float) -> None:
    """Neither an exception nor a long search, wherever a clock or an answer has gone."""
    plan = Plan(rule, time(23, 59, 59), BERLIN)
    assert date(1970, 1, 1) <= local_day(moment, BERLIN) <= date(9999, 1, 1)
    assert len(list(occurrences(plan, moment, moment + 86_400 * 7))) <= 2
    newest = latest(plan, moment)
    assert newest is None or newest.expected <= moment


def test_nothing_is_due_before_the_first_or_after_the_last_occurrence() -> None:
    """A one-shot is found from any distance, once."""
    plan = Plan(Once(date(2025, 1, 1)), time(9), UTC)
    only = Occurrence(epoch("2025-01-01T09:00:00Z"), epoch("2025-01-01T09:00:00Z"))
    assert latest(plan, only.expected) == latest(plan, only.expected + 1e10) == only
    assert latest(plan, only.expected - 1) is None
    assert list(occurrences(plan, 0.0)) == [only]
    assert list(occurrences(plan, only.expected)) == []
    assert list(occurrences(plan, only.expected + 1, only.expected)) == []
    assert list(occurrences(replace(plan, rule=Once(date(1969, 12, 31))), -1e9)) == []


def test_an_interval_without_an_anchor_has_no_known_occurrence() -> None:
    """Which days it falls on is not guessed; how often is known."""
    plan = Plan(EveryDays(3, None), time(9), UTC)
    assert list(occurrences(plan, 0.0)) == []
    assert latest(plan, 2e9) is None
    assert period_seconds(plan) == 3 * 86_400
