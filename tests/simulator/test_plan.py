"""The simulator's own calendar, against dates worked out by hand."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator import plan as plans
from exporter.simulator.plan import Plan


def _at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


def _walls(plan: Plan, since: str, count: int) -> list[str]:
    """Return the first occurrences after an instant (wall time of the plan's zone), as wall times."""
    zone = ZoneInfo(plan.time_zone)
    found = plans.between(plan, _at(since, plan.time_zone), float("inf"))
    return [f"{dt.datetime.fromtimestamp(due, zone):%Y-%m-%d %H:%M}" for due in islice(found, count)]


def test_once_runs_once() -> None:
    """A FIXED_TIME plan has its one instant, in its own zone, and nothing after."""
    plan = plans.once("2025-03-01", "09:30:00", "Asia/Shanghai")
    due = _at("2025-03-01 09:30:00", "Asia/Shanghai")
    assert plans.next_after(plan, 0) == due
    assert plans.next_after(plan, due - 1) == due
    assert plans.next_after(plan, due) is None
    assert plans.falls_on(plan, dt.date(2025, 3, 1))
    assert not plans.falls_on(plan, dt.date(2025, 3, 2))


def test_every_third_day_counts_from_its_anchor() -> None:
    """Days are counted on the calendar, across the ends of months and changes of the clock."""
    plan = plans.daily("08:00:00", "Europe/Berlin", every=3, anchor="2025-03-28")
    assert _walls(plan, "2025-03-27 00:00", 4) == [
        "2025-03-28 08:00",
        "2025-03-31 08:00",
        "2025-04-03 08:00",
        "2025-04-06 08:00",
    ]


def test_weekdays_count_from_sunday() -> None:
    """1 is Sunday, 7 is Saturday (ShowScheduledTasks, week_list)."""
    plan = plans.weekly("1,7,4", "10:00:00")
    assert _walls(plan, "2025-06-01 12:00", 4) == [  # a Sunday, after ten
        "2025-06-04 10:00",
        "2025-06-07 10:00",
        "2025-06-08 10:00",
        "2025-06-11 10:00",
    ]


def test_months_have_the_last_day_that_they_have() -> None:
    """L is the 28th to the 31st; a day that a month has not is left out."""
    plan = plans.monthly("30,L", "00:00:00")
    assert _walls(plan, "2024-01-31 00:00", 5) == [
        "2024-02-29 00:00",
        "2024-03-30 00:00",
        "2024-03-31 00:00",
        "2024-04-30 00:00",
        "2024-05-30 00:00",
    ]


def test_chosen_months_only() -> None:
    """29 February comes in leap years, also over the leap year that 2100 is not."""
    plan = plans.monthly("29", "12:00:00", month_list="2")
    assert _walls(plan, "2095-01-01 00:00", 2) == ["2096-02-29 12:00", "2104-02-29 12:00"]


def test_a_date_that_never_comes_is_none() -> None:
    """30 February has no occurrence, and the search for it ends."""
    assert plans.next_after(plans.monthly("30", "12:00:00", month_list="2"), 0) is None


def test_expired_plans_run_no_more() -> None:
    """The last occurrence falls at or before `expires`."""
    last = _at("2025-05-03 06:00")
    plan = Plan(plans.DAY, scheduled_time="06:00:00", expires=last)
    assert list(plans.between(plan, _at("2025-05-01 07:00"), _at("2026-01-01 00:00"))) == [
        last - 86_400,
        last,
    ]


@pytest.mark.parametrize(
    ("zone", "time", "day", "earlier", "later"),
    [
        # Left out: 02:30 on 2025-03-30 is read with either offset.
        ("Europe/Berlin", "02:30:00", "2025-03-30", "2025-03-30T00:30Z", "2025-03-30T01:30Z"),
        # Repeated: 02:30 on 2025-10-26 comes twice.
        ("Europe/Berlin", "02:30:00", "2025-10-26", "2025-10-26T00:30Z", "2025-10-26T01:30Z"),
        # Half an hour: 02:15 on 2025-10-05 is left out, 01:45 on 2025-04-06 comes twice.
        ("Australia/Lord_Howe", "02:15:00", "2025-10-05", "2025-10-04T15:15Z", "2025-10-04T15:45Z"),
        ("Australia/Lord_Howe", "01:45:00", "2025-04-06", "2025-04-05T14:45Z", "2025-04-05T15:15Z"),
        # Midnight itself is left out on 2025-09-07.
        ("America/Santiago", "00:00:00", "2025-09-07", "2025-09-07T03:00Z", "2025-09-07T04:00Z"),
        ("Asia/Kolkata", "02:30:00", "2025-03-30", "2025-03-29T21:00Z", "2025-03-29T21:00Z"),
    ],
)
def test_clock_changes_have_two_readings(zone: str, time: str, day: str, earlier: str, later: str) -> None:
    """A wall time that is left out or repeated has an earlier and a later reading; any other has one."""
    plan = plans.daily(time, zone)
    expected = (dt.datetime.fromisoformat(earlier).timestamp(), dt.datetime.fromisoformat(later).timestamp())
    assert plans.readings(plan, dt.date.fromisoformat(day)) == expected


def test_the_service_may_run_at_either_reading() -> None:
    """`later` chooses the reading at which the run starts."""
    after = dt.datetime.fromisoformat("2025-10-25T12:00Z").timestamp()
    late = Plan(plans.DAY, "Europe/Berlin", "02:30:00")
    early = Plan(plans.DAY, "Europe/Berlin", "02:30:00", later=False)
    assert plans.next_after(late, after) == dt.datetime.fromisoformat("2025-10-26T01:30Z").timestamp()
    assert plans.next_after(early, after) == dt.datetime.fromisoformat("2025-10-26T00:30Z").timestamp()


@settings(max_examples=150)
@given(
    st.dates(dt.date(1990, 1, 1), dt.date(2060, 12, 31)),
    st.times(),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "UTC"]),
)
def test_readings_agree_with_the_zone(day: dt.date, time: dt.time, zone: str) -> None:
    """Each reading is the wall time under one of the two folds, on ordinary days and on those of a change."""
    wall = dt.datetime.combine(day, time.replace(microsecond=0, fold=0), ZoneInfo(zone))
    folds = {int(wall.replace(fold=fold).timestamp()) for fold in (0, 1)}
    plan = plans.daily(f"{time:%H:%M:%S}", zone)
    assert set(plans.readings(plan, day)) == folds


@settings(max_examples=60)
@given(st.integers(0, 4_000_000_000), st.sampled_from([0.5, 3.0, 480.0]), st.integers())
def test_events_come_at_their_rate(since: int, rate: float, key: int) -> None:
    """A triggered task has events in order, about as many as its rate says, and the same ones every time."""
    plan = plans.triggered("POST_DESKTOP_DISCONNECTED", rate)
    days = 20 / rate
    events = list(plans.between(plan, since, since + days * 86_400, key=key))
    assert events == sorted(set(events))
    assert 18 <= len(events) <= 22
    assert events == list(plans.between(plan, since, since + days * 86_400, key=key))


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("GMT+8", 8),
        ("GMT+08:00", 8),
        ("UTC-3", -3),
        ("UTC+0530", 5.5),
        ("GMT", 0),
        ("UTC", 0),
        ("Asia/Tokyo", 9),
    ],
)
def test_zones_are_read_as_people_write_them(name: str, hours: float) -> None:
    """East is positive, unlike in IANA's Etc/GMT+8."""
    assert plans.zone(name).utcoffset(dt.datetime(2025, 1, 1)) == dt.timedelta(hours=hours)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"scheduled_type": "HOURLY"}, "HOURLY"),
        ({"scheduled_type": "DAY", "time_zone": "Mars/Base"}, "Mars/Base"),
        ({"scheduled_type": "DAY", "time_zone": "../etc"}, "etc"),
        ({"scheduled_type": "DAY", "scheduled_time": "25:00:00"}, "25:00:00"),
        ({"scheduled_type": "DAY", "day_interval": 0}, "day_interval"),
        ({"scheduled_type": "LIFE_CYCLE", "daily_rate": 0}, "daily_rate"),
        ({"scheduled_type": "FIXED_TIME"}, "isoformat"),
        ({"scheduled_type": "DAY", "anchor": "soon"}, "isoformat"),
        ({"scheduled_type": "WEEK"}, "empty"),
        ({"scheduled_type": "WEEK", "week_list": "0"}, "outside 1 to 7"),
        ({"scheduled_type": "WEEK", "week_list": "L"}, "outside 1 to 7"),
        ({"scheduled_type": "MONTH", "month_list": "13", "date_list": "1"}, "outside 1 to 12"),
        ({"scheduled_type": "MONTH"}, "empty"),
    ],
)
def test_impossible_plans_are_refused(members: dict[str, object], text: str) -> None:
    """A plan that cannot be is a ValueError that says what is wrong."""
    with pytest.raises(ValueError, match=text):
        Plan(**members)  # type: ignore[arg-type]


def test_a_months_plan_without_months_runs_in_all() -> None:
    """An empty month_list means every month."""
    plan = Plan(plans.MONTH, date_list="1")
    assert _walls(plan, "2025-01-15 00:00", 2) == ["2025-02-01 00:00", "2025-03-01 00:00"]


def test_triggered_tasks_fall_on_no_day() -> None:
    """A triggered plan has no day of its own."""
    assert not plans.falls_on(plans.triggered("POST_CREATE_DESKTOP_SUCCESS"), dt.date(2025, 1, 1))
