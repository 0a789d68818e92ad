"""What ShowScheduledTasks says of a task's schedule -> a checked plan (`exporter.recurrence`).

The answer is hostile until it is read: every field is matched whole, and what cannot recur is refused here,
so that no search later has to find out. Sources: the request and answer fields of ShowScheduledTasks
(`api_facts.md`, sections 0 and 1; types are compared without case, since the older API writes `day`).
"""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

from exporter.errors import ExporterError
from exporter.recurrence import (
    NINE_YEARS,
    EveryDays,
    Monthly,
    Once,
    Plan,
    Rule,
    Triggered,
    Weekly,
    local_day,
    reading,
)

if TYPE_CHECKING:
    from datetime import tzinfo

    from exporter.records import Schedule

EARLY_START_SECONDS = 60.0
"""A run covers every occurrence up to a minute after its start."""

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_NUMBER = re.compile(r"\d{1,2}", re.ASCII)
_LONGEST_LIST = 256
_LAST_DAY_OF_MONTH = "L"
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_YEARS = range(1970, 9999)


class ScheduleError(ExporterError):
    """A schedule that names no times; `field` is the API's name of the field at fault, `reason` why."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


def parse(
    schedule: Schedule, zone: tzinfo, *, next_run: float | None = None, last_start: float | None = None
) -> Plan:
    """Return the plan of a schedule whose wall times are in `zone`.

    A DAY interval of two days or more says how often, not on which days: these follow from `next_run` (the
    list's next_execution_time) or, without it, from `last_start` (the newest run), both epoch seconds; with
    neither the plan has no known occurrence. Raises `ScheduleError`, and nothing else.
    """
    kind = schedule.scheduled_type.strip().upper()
    if kind == "LIFE_CYCLE" or (not kind and schedule.life_cycle_type):
        return Plan(Triggered(), time(), zone, schedule.expires)
    readers = {"FIXED_TIME": _once, "DAY": _every, "WEEK": _weekly, "MONTH": _monthly}
    if kind not in readers:
        raise ScheduleError("scheduled_type", f"{_shown(schedule.scheduled_type)} is not known")
    at = _time(schedule.scheduled_time)
    rule = readers[kind](schedule)
    if isinstance(rule, EveryDays):
        rule = _anchored(rule.interval, at, zone, next_run, last_start)
    return Plan(rule, at, zone, schedule.expires)


def _once(schedule: Schedule) -> Rule:
    """FIXED_TIME: `scheduled_date`, yyyy-MM-dd."""
    match = _DATE.fullmatch(schedule.scheduled_date.strip())
    if match is None:
        raise ScheduleError("scheduled_date", f"{_shown(schedule.scheduled_date)} is not yyyy-MM-dd")
    year, month, day = map(int, match.groups())
    if year not in _YEARS:
        raise ScheduleError("scheduled_date", f"the year {year} is out of range")
    try:
        return Once(date(year, month, day))
    except ValueError:
        raise ScheduleError("scheduled_date", f"{_shown(schedule.scheduled_date)} does not exist") from None


def _every(schedule: Schedule) -> Rule:
    """DAY: `day_interval` days, not yet anchored."""
    interval = schedule.day_interval
    if interval is None:
        raise ScheduleError("day_interval", "is missing")
    if not 1 <= interval <= NINE_YEARS:
        raise ScheduleError("day_interval", f"must be 1 to {NINE_YEARS} days")
    return EveryDays(interval, None)


def _weekly(schedule: Schedule) -> Rule:
    """WEEK: `week_list`, 1 = Sunday to 7 = Saturday; here 0 = Monday, as Python counts."""
    days = _numbers("week_list", _items("week_list", schedule.week_list), 7)
    return Weekly(frozenset((day - 2) % 7 for day in days))


def _monthly(schedule: Schedule) -> Rule:
    """MONTH: `month_list` 1 to 12, `date_list` 1 to 31 or L, the last; one of the days must exist."""
    months = _numbers("month_list", _items("month_list", schedule.month_list), 12)
    words = _items("date_list", schedule.date_list.upper())
    days = _numbers("date_list", [word for word in words if word != _LAST_DAY_OF_MONTH], 31)
    if _LAST_DAY_OF_MONTH in words:
        days |= {-1}
    if min(days) > max(_LONGEST_MONTHS.get(month, 31) for month in months):
        raise ScheduleError("date_list", "no month of month_list has such a day")
    return Monthly(months, days)


def _anchored(
    interval: int, at: time, zone: tzinfo, next_run: float | None, last_start: float | None
) -> EveryDays:
    """Choose the days of an interval: the next run is one of them, or else the newest run served one."""
    if interval == 1:
        return EveryDays(1, 0)
    if next_run is not None:
        return EveryDays(interval, _nearest_day(next_run, at, zone) % interval)
    if last_start is not None:
        return EveryDays(interval, _served_day(last_start, at, zone) % interval, inferred=True)
    return EveryDays(interval, None)


def _nearest_day(moment: float, at: time, zone: tzinfo) -> int:
    """Return the ordinal of the day whose reading is nearest: in a gap at midnight not the moment's own."""

    def distance(day: date) -> float:
        return abs(reading(day, at, zone).expected - moment)

    return min(_around(local_day(moment, zone)), key=distance).toordinal()


def _served_day(start: float, at: time, zone: tzinfo) -> int:
    """Return the ordinal of the newest day whose occurrence a run that started then covers."""
    latest_start = start + EARLY_START_SECONDS
    before, day, after = _around(local_day(start, zone))
    served = (each for each in (after, day) if reading(each, at, zone).earliest <= latest_start)
    return next(served, before).toordinal()


def _around(day: date) -> tuple[date, date, date]:
    one = timedelta(days=1)
    return day - one, day, day + one


def _time(text: str) -> time:
    """Read `scheduled_time`, HH:mm:ss; the seconds may be missing."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ScheduleError("scheduled_time", f"{_shown(text)} is not HH:mm:ss")
    hour, minute, second = map(int, match.groups("0"))
    return time(hour, minute, second)


def _items(field: str, text: str) -> list[str]:
    """Split a comma-separated list; an empty one, or one too long to be meant, is an error."""
    if not text.strip():
        raise ScheduleError(field, "is missing")
    if len(text) > _LONGEST_LIST:
        raise ScheduleError(field, f"is longer than {_LONGEST_LIST} characters")
    return [item.strip() for item in text.split(",")]


def _numbers(field: str, items: list[str], highest: int) -> frozenset[int]:
    """Read whole numbers from 1 to `highest`."""
    for item in items:
        if not _NUMBER.fullmatch(item) or not 1 <= int(item) <= highest:
            raise ScheduleError(field, f"{_shown(item)} is not a number from 1 to {highest}")
    return frozenset(map(int, items))


def _shown(text: str) -> str:
    """Return upstream's text short and on one line, for a message."""
    limit = 40
    return repr(text if len(text) <= limit else f"{text[:limit]}…")
