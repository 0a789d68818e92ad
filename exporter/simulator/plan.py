"""When a task runs: a calendar of the simulator's own, which only walks from day to day.

It shares nothing with the exporter's calendar, so that each can be held against the other. Fields and their
spelling are those of ShowScheduledTasks: `week_list` counts 1 = Sunday to 7 = Saturday, `date_list` holds
days of the month and `L` for the last one. Wall-clock values are in `time_zone`; instants are whole epoch
seconds.
"""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from exporter.simulator.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXED_TIME, DAY, WEEK, MONTH, LIFE_CYCLE = "FIXED_TIME", "DAY", "WEEK", "MONTH", "LIFE_CYCLE"
SCHEDULED_TYPES = (FIXED_TIME, DAY, WEEK, MONTH, LIFE_CYCLE)
LAST_DAY = "L"
SECONDS_A_DAY = 86_400

_ONE_DAY = dt.timedelta(days=1)
_EPOCH = dt.date(1970, 1, 1).toordinal()
_MONTHS = range(1, 13)
_WEEKDAYS = range(1, 8)
_DAYS = range(1, 32)
# 29 February is up to eight years away (1896 to 1904, 2096 to 2104): nine years hold every date there is.
_FARTHEST_DAYS = 9 * 366
_OFFSET = re.compile(r"(?:GMT|UTC)(?:([+-])(\d{1,2})(?::?([0-5]\d))?)?")


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule of a task; what does not belong to its `scheduled_type` is left empty.

    `expires` is the last instant at which an occurrence may fall. `anchor` (`yyyy-MM-dd`) is a day on which
    a task of every `day_interval` days runs. A wall time that a clock change repeats or leaves out has two
    readings; `later` says at which of them the service starts the run. `daily_rate` is how often a triggered
    (LIFE_CYCLE) task is triggered a day, on average.
    """

    scheduled_type: str
    time_zone: str = "UTC"
    scheduled_time: str = "00:00:00"
    scheduled_date: str = ""
    day_interval: int = 1
    week_list: str = ""
    month_list: str = ""
    date_list: str = ""
    expires: int | None = None
    life_cycle_type: str = ""
    anchor: str = ""
    later: bool = True
    daily_rate: float = 4.0

    def __post_init__(self) -> None:
        if self.scheduled_type not in SCHEDULED_TYPES:
            known = ", ".join(SCHEDULED_TYPES)
            raise ValueError(f"scheduled_type {self.scheduled_type!r} is none of {known}")
        zone(self.time_zone)
        _clock(self.scheduled_time)
        if self.day_interval < 1:
            raise ValueError("day_interval is at least 1")
        if self.daily_rate <= 0:
            raise ValueError("daily_rate is more than 0")
        if self.scheduled_type == FIXED_TIME or self.scheduled_date:
            dt.date.fromisoformat(self.scheduled_date)
        if self.anchor:
            dt.date.fromisoformat(self.anchor)
        _numbers(self.week_list, _WEEKDAYS, empty=self.scheduled_type != WEEK)
        _numbers(self.month_list, _MONTHS, empty=True)
        _numbers(self.date_list, _DAYS, empty=self.scheduled_type != MONTH)

    @property
    def triggered(self) -> bool:
        """Whether events start this task, not the clock."""
        return self.scheduled_type == LIFE_CYCLE


def once(date: str, time: str, time_zone: str = "UTC") -> Plan:
    """Return a plan of a single run, on the `yyyy-MM-dd` at the `HH:mm:ss`."""
    return Plan(FIXED_TIME, time_zone, time, scheduled_date=date)


def daily(time: str, time_zone: str = "UTC", *, every: int = 1, anchor: str = "") -> Plan:
    """Return a plan of a run on every so many days."""
    return Plan(DAY, time_zone, time, day_interval=every, anchor=anchor)


def weekly(week_list: str, time: str, time_zone: str = "UTC") -> Plan:
    """Return a plan of a run on some days of the week (`"1,7"`: Sunday and Saturday)."""
    return Plan(WEEK, time_zone, time, week_list=week_list)


def monthly(date_list: str, time: str, time_zone: str = "UTC", *, month_list: str = "") -> Plan:
    """Return a plan of a run on some days (`"1,15,L"`) of some months (`"1,7"`; empty: of all)."""
    months = month_list or ",".join(map(str, _MONTHS))
    return Plan(MONTH, time_zone, time, month_list=months, date_list=date_list)


def triggered(life_cycle_type: str, daily_rate: float = 4.0, time_zone: str = "UTC") -> Plan:
    """Return a plan that events start, `daily_rate` times a day on average."""
    return Plan(LIFE_CYCLE, time_zone, life_cycle_type=life_cycle_type, daily_rate=daily_rate)


@lru_cache(maxsize=1024)
def zone(name: str) -> dt.tzinfo:
    """Return the zone of an IANA name, or of `GMT+8`, `GMT+08:00`, `UTC+0530` (east is positive).

    Raises:
        ValueError: nobody knows such a zone.

    """
    fixed = _OFFSET.fullmatch(name)
    if fixed:
        sign, hours, minutes = fixed.groups()
        offset = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return dt.timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time_zone {name!r} is not known") from None


def readings(plan: Plan, day: dt.date) -> tuple[int, int]:
    """Return the earlier and the later instant at which the plan's wall time can be read on that day.

    They are equal but for a time that a change of the clock leaves out or repeats (PEP 495).
    """
    offset = _steady_offset(plan.time_zone, day)
    if offset is not None:
        clock = _clock(plan.scheduled_time)
        seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
        instant = (day.toordinal() - _EPOCH) * SECONDS_A_DAY + seconds - offset
        return instant, instant
    wall = dt.datetime.combine(day, _clock(plan.scheduled_time), zone(plan.time_zone))
    first, second = int(wall.timestamp()), int(wall.replace(fold=1).timestamp())
    return min(first, second), max(first, second)


def falls_on(plan: Plan, day: dt.date) -> bool:
    """Return whether a run is planned for that day of the plan's own zone, whatever `expires` says."""
    match plan.scheduled_type:
        case "FIXED_TIME":
            return day.isoformat() == plan.scheduled_date
        case "DAY":
            return plan.day_interval == 1 or (day.toordinal() - _anchor(plan)) % plan.day_interval == 0
        case "WEEK":
            return day.isoweekday() % 7 + 1 in _numbers(plan.week_list, _WEEKDAYS)
        case "MONTH":
            months = _numbers(plan.month_list, _MONTHS, empty=True)
            if months and day.month not in months:
                return False
            days = _numbers(plan.date_list, _DAYS)
            return day.day in days or (0 in days and day.day == monthrange(day.year, day.month)[1])
        case _:
            return False


def next_after(plan: Plan, instant: float, *, key: object = "") -> int | None:
    """Return the first occurrence after the instant, or none where there is none within nine years.

    `key` distinguishes one triggered task from another: their events depend on it alone.
    """
    if plan.triggered:
        found: int | None = _next_event(plan, instant, key)
    elif plan.scheduled_type == FIXED_TIME:
        found = _reading(plan, dt.date.fromisoformat(plan.scheduled_date))
    else:
        found = _next_day(plan, instant)
    if found is None or found <= instant or (plan.expires is not None and found > plan.expires):
        return None
    return found


def between(plan: Plan, since: float, until: float, *, key: object = "") -> Iterator[int]:
    """Yield the occurrences of (since, until], oldest first."""
    due = next_after(plan, since, key=key)
    while due is not None and due <= until:
        yield due
        due = next_after(plan, due, key=key)


def local_date(plan: Plan, instant: float) -> dt.date:
    """Return the day on which the instant falls in the plan's zone."""
    return dt.datetime.fromtimestamp(instant, zone(plan.time_zone)).date()


def _reading(plan: Plan, day: dt.date) -> int:
    return readings(plan, day)[plan.later]


def _next_day(plan: Plan, instant: float) -> int | None:
    # A day early: a time that the clock leaves out shortly before midnight is read on the day after.
    day = local_date(plan, instant) - _ONE_DAY
    for _ in range(_FARTHEST_DAYS):
        if falls_on(plan, day) and (due := _reading(plan, day)) > instant:
            return due
        day += _ONE_DAY
    return None


def _next_event(plan: Plan, instant: float, key: object) -> int:
    """Return the next event: one in each slot of an average gap, somewhere within it."""
    gap = max(int(SECONDS_A_DAY / plan.daily_rate), 1)
    slot = int(instant // gap)
    while (event := slot * gap + Dice("event", key, slot).between(0, gap - 1)) <= instant:
        slot += 1
    return event


def _anchor(plan: Plan) -> int:
    return dt.date.fromisoformat(plan.anchor).toordinal() if plan.anchor else 0


@lru_cache(maxsize=65_536)
def _steady_offset(time_zone: str, day: dt.date) -> int | None:
    """Return the zone's offset in seconds where it holds all day: on all but a few days of a year.

    All tasks of a zone share it, which makes their calendars ten times as fast.
    """
    midnight = dt.datetime.combine(day, dt.time(), zone(time_zone))
    edges = (midnight, midnight.replace(fold=1), midnight + _ONE_DAY, (midnight + _ONE_DAY).replace(fold=1))
    offsets = {edge.utcoffset() for edge in edges}
    offset = offsets.pop()
    return int(offset.total_seconds()) if offset is not None and not offsets else None


@lru_cache(maxsize=4096)
def _clock(text: str) -> dt.time:
    return dt.datetime.strptime(text, "%H:%M:%S").time()  # noqa: DTZ007 - a wall time; its zone is the plan's


@lru_cache(maxsize=4096)
def _numbers(text: str, allowed: range, *, empty: bool = False) -> frozenset[int]:
    """Return the numbers of a list such as `1,2,L`; the last day of the month is 0."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    found = set()
    for word in words:
        if word == LAST_DAY and allowed is _DAYS:
            found.add(0)
        elif word.isdecimal() and int(word) in allowed:
            found.add(int(word))
        else:
            raise ValueError(f"{word!r} in {text!r} is outside {allowed.start} to {allowed.stop - 1}")
    if not found and not empty:
        raise ValueError("the list of days is empty")
    return frozenset(found)
