"""A naive calendar for tests: it asks every day, and looks offsets up instead of trusting folds."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from exporter.recurrence import EveryDays, Monthly, Occurrence, Once, Plan, Rule, Triggered, Weekly

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONES: list[tzinfo] = [
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("America/Santiago"),
    ZoneInfo("Asia/Shanghai"),
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("Pacific/Apia"),
    UTC,
    timezone(timedelta(hours=8)),
]


def epoch(text: str) -> float:
    """Read an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp()


def is_day(rule: Rule, day: date) -> bool:
    """Tell whether the rule names the day."""
    match rule:
        case Once(day=only):
            return day == only
        case EveryDays(interval=interval, phase=phase):
            return phase is not None and day.toordinal() % interval == phase
        case Weekly(weekdays=weekdays):
            return day.weekday() in weekdays
        case Monthly(months=months, days=days):
            last = calendar.monthrange(day.year, day.month)[1]
            return day.month in months and (day.day in days or (-1 in days and day.day == last))
        case Triggered():
            return False


@lru_cache(maxsize=100_000)
def naive_reading(day: date, at: time, zone: tzinfo) -> Occurrence:
    """Try the offsets in force a day and a half before and after: keep the real ones, or both in a gap."""
    wall = datetime.combine(day, at)
    tried = []
    for hours in (-36, 36):
        offset = (wall.replace(tzinfo=UTC) + timedelta(hours=hours)).astimezone(zone).utcoffset()
        assert offset is not None
        tried.append((wall - offset).replace(tzinfo=UTC))
    real = [moment for moment in tried if moment.astimezone(zone).replace(tzinfo=None) == wall]
    stamps = [moment.timestamp() for moment in real or tried]
    return Occurrence(min(stamps), max(stamps))


def naive_occurrences(plan: Plan, first: date, last: date) -> Iterator[Occurrence]:
    """Ask every day."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        if is_day(plan.rule, day):
            yield naive_reading(day, plan.at, plan.zone)
