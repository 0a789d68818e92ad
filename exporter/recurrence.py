"""When a plan's runs are due: the calendar on the wall clock, and both readings of the zone.

Dates are counted on the wall clock, as the API's schedules are written, and only then read in the task's
zone: an occurrence keeps its wall time across a clock change, and arithmetic on aware times would yield times
that do not exist. At most one occurrence falls on a day, always at the same wall time, so that occurrences
in order of their days are also in order of either reading (PEP 495; no zone ever jumped by more than a day).

Every search is bounded: from any moment it looks at one gap of the rule, or at nine years, and no further.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, assert_never

from dateutil import rrule

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_SECONDS = 86_400
NINE_YEARS = 9 * 365 + 3
"""Days; within them every rule that can recur does: 29 February stays away for eight years around 2100."""

_FIRST_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY = date(9998, 12, 31).toordinal()
_MARGIN = 1
"""Days by which an occurrence's own date may differ from the date on the clock at either reading."""


@dataclass(frozen=True, slots=True)
class Once:
    """FIXED_TIME: one day."""

    day: date


@dataclass(frozen=True, slots=True)
class EveryDays:
    """DAY: each day whose proleptic ordinal leaves the remainder `phase` (0 to `interval` - 1).

    `interval` is 1 to `NINE_YEARS`. `phase` is None while nothing tells it: no occurrence is known. It is
    `inferred` when it was drawn from the start of a run, which may have been late, not from upstream's word.
    """

    interval: int
    phase: int | None
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Weekly:
    """WEEK: days of the week, 0 = Monday to 6 = Sunday as in `date.weekday`."""

    weekdays: frozenset[int]


@dataclass(frozen=True, slots=True)
class Monthly:
    """MONTH: months (1 to 12) and days in them (1 to 31, or -1 for the last day); one of them must exist."""

    months: frozenset[int]
    days: frozenset[int]


@dataclass(frozen=True, slots=True)
class Triggered:
    """LIFE_CYCLE: an event starts the task, no time does."""


Rule = Once | EveryDays | Weekly | Monthly | Triggered


@dataclass(frozen=True, slots=True)
class Plan:
    """When a task should run. Equal plans have equal occurrences: another plan means an edited schedule.

    `at` is the wall time in `zone` (for triggered tasks without meaning; a `ZoneInfo` equals itself only, so
    take it from the cache by its name). `expires` is the last moment (epoch seconds, inclusive) at which an
    occurrence is expected; it is kept for comparison, the searches of this module do not look at it.
    """

    rule: Rule
    at: time
    zone: tzinfo
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One wall time in both its readings, epoch seconds; they differ only where the clock is changed.

    `earliest` is the first moment at which upstream may run the task, `expected` the last one.
    """

    earliest: float
    expected: float


def reading(day: date, at: time, zone: tzinfo) -> Occurrence:
    """Return both readings of a wall time: in a fold each is real, in a gap they lie on either side of it."""
    wall = datetime.combine(day, at, tzinfo=zone)
    first, second = (wall.replace(fold=fold).timestamp() for fold in (0, 1))
    return Occurrence(min(first, second), max(first, second))


def local_day(moment: float, zone: tzinfo) -> date:
    """Return the date on the wall clock at `moment` (epoch seconds); beyond 1970 to 9998, the nearest one."""
    low, high = DAY_SECONDS, (_LAST_DAY - _FIRST_DAY) * DAY_SECONDS
    bounded = low if math.isnan(moment) else min(max(moment, low), high)
    return datetime.fromtimestamp(bounded, zone).date()


def occurrences(plan: Plan, after: float, until: float = math.inf) -> Iterator[Occurrence]:
    """Yield, lazily and in order, the occurrences with `after < expected <= until` (epoch seconds).

    Each step costs microseconds, or as many years as the rule stays silent at about 0.1 ms a year. Nothing
    outside 1970 to 9998 is looked at.
    """
    first = local_day(after, plan.zone).toordinal() - _MARGIN
    last = local_day(until, plan.zone).toordinal() + _MARGIN
    for day in _days(plan.rule, first, last):
        occurrence = reading(day, plan.at, plan.zone)
        if occurrence.expected > until:
            return
        if occurrence.expected > after:
            yield occurrence


def latest(plan: Plan, until: float) -> Occurrence | None:
    """Return the newest occurrence with `expected <= until` (epoch seconds), or None if there is none."""
    end = local_day(until, plan.zone).toordinal() + _MARGIN
    for back in _reaches(plan.rule):
        for day in reversed(list(_days(plan.rule, end - 2 * _MARGIN - back, end))):
            occurrence = reading(day, plan.at, plan.zone)
            if occurrence.expected <= until:
                return occurrence
    return None


def period_seconds(plan: Plan) -> float | None:
    """Return the longest gap between two occurrences, wall-clock days times 86400; None if none recurs.

    A clock change does not count. See `longest_gap` for the years that are looked at.
    """
    days = longest_gap(plan.rule)
    return None if days is None else float(days * DAY_SECONDS)


@lru_cache(maxsize=4096)
def longest_gap(rule: Rule) -> int | None:
    """Return the most days between two neighbouring occurrences; None for one-shot and triggered rules.

    Months are looked at from 2001 to 2009, whatever the time is, so that the answer never changes. Any nine
    years of this century would do: the calendar repeats after four, no rule stays silent for longer than
    four, and so every gap that exists lies whole within eight. (That 2100 has no 29 February is not seen.)
    """
    match rule:
        case Once() | Triggered():
            return None
        case EveryDays(interval=interval):
            return interval
        case Weekly():
            first, last = date(2001, 1, 1), date(2001, 1, 14)
        case Monthly():
            first, last = date(2001, 1, 1), date(2009, 12, 31)
        case _:  # pragma: no cover - mypy proves that nothing is left
            assert_never(rule)
    days = _days(rule, first.toordinal(), last.toordinal())
    return max((later - day).days for day, later in pairwise(days))


def _reaches(rule: Rule) -> tuple[int, ...]:
    """Return how many days to look back for a day of the rule: the usual gap, then the longest there is."""
    gap = longest_gap(rule)
    if gap is None:
        return (_LAST_DAY,)
    return (gap, NINE_YEARS) if isinstance(rule, Monthly) else (gap,)


def _days(rule: Rule, first: int, last: int) -> Iterator[date]:
    """Yield the rule's days from `first` to `last` (proleptic ordinals, inclusive), lazily and in order."""
    first, last = max(first, _FIRST_DAY), min(last, _LAST_DAY)
    start, end = datetime.fromordinal(first), datetime.fromordinal(last)
    match rule:
        case Once(day=day):
            if first <= day.toordinal() <= last:
                yield day
        case EveryDays(interval=interval, phase=phase):
            if phase is not None:  # not by rrule, which walks a long interval month by month
                aligned = first + (phase - first) % interval
                yield from map(date.fromordinal, range(aligned, last + 1, interval))
        case Weekly(weekdays=weekdays):
            weeks = rrule.rrule(rrule.WEEKLY, dtstart=start, until=end, byweekday=tuple(weekdays))
            yield from map(datetime.date, weeks)
        case Monthly():
            months, days = tuple(rule.months), tuple(rule.days)
            found = rrule.rrule(rrule.MONTHLY, dtstart=start, until=end, bymonth=months, bymonthday=days)
            yield from map(datetime.date, found)
        case Triggered():
            return
        case _:  # pragma: no cover - mypy proves that nothing is left
            assert_never(rule)


__all__ = [
    "DAY_SECONDS",
    "NINE_YEARS",
    "EveryDays",
    "Monthly",
    "Occurrence",
    "Once",
    "Plan",
    "Rule",
    "Triggered",
    "Weekly",
    "latest",
    "local_day",
    "longest_gap",
    "occurrences",
    "period_seconds",
    "reading",
]
