"""Random histories: what befalls the tasks of a project, how upstream answers, and an exporter that watches.

A history is data (`History`, drawn by `histories`); `telling` plays it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from exporter.errors import ApiError, TransportError
from exporter.simulator import plan as plans
from exporter.simulator.options import Options
from exporter.simulator.plan import Plan
from exporter.simulator.planting import PlantedRun
from tests.stories.upstream import forbidden, malformed, missing, refused, server_error

DAY = 86_400
MAX_AGE = 2 * DAY
OFF = "off "
"""A task whose name begins so is not selected."""


# --- what a history is --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cast:
    """One task: its schedule, how its runs turn out, and for how many days it has existed."""

    plan: Plan
    behaviour: str
    days: float
    desktops: int


@dataclass(frozen=True)
class Do:
    """Something that is done to the task with this number (modulo how many there are)."""

    what: str
    task: int
    value: Any = None


@dataclass(frozen=True)
class Poll:
    """A cycle, in which some calls fail, or the time goes on by so many seconds between two pages."""

    faults: tuple[tuple[str, int, int, int], ...] = ()
    pause: int = 0


@dataclass(frozen=True)
class Step:
    """After so many seconds this happens, and then a cycle."""

    wait: int
    does: tuple[Do, ...]
    poll: Poll


@dataclass(frozen=True)
class History:
    """One history, from `begin` (epoch seconds) on. `listing`: whether the list may be read."""

    begin: int
    seed: int
    listing: bool
    polling: dict[str, Any]
    options: Options
    cast: tuple[Cast, ...]
    steps: tuple[Step, ...]


def timeout() -> ApiError:
    """No answer came."""
    return TransportError("no complete answer", label="timeout")


ERRORS: tuple[Callable[[], ApiError], ...] = (server_error, malformed, timeout, forbidden, missing, refused)
OPERATIONS = ("list_tasks", "list_records", "show_task", "list_record_details")
_BEGINS = tuple(
    int(dt.datetime.fromisoformat(f"{day}T11:20:00+00:00").timestamp())
    for day in (
        "2025-03-29",
        "2025-04-05",
        "2025-06-15",
        "2025-09-06",
        "2025-10-25",
        "2028-02-27",
        "2037-12-31",
    )
)
_STEADY = ("UTC", "Asia/Shanghai", "Asia/Kolkata", "GMT+8")
"""Zones in which a wall time says all."""
_ZONES = (*_STEADY, "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago")
_BEHAVIOURS = (
    "healthy",
    "early",
    "late:0.5",
    "missed:0.3",
    "slow",
    "stuck:0.3",
    "failing:0.3,partial:0.2,skipped:0.2",
    "unknown:0.3,uncounted:0.3",
    "failing:0.1,missed:0.1,stuck:0.1,late:0.2,early:0.1",
)
_WORDS = ("SUCCESS", "FAIL", "SKIP", "FINISH", "finished?")


@st.composite
def _plan(draw: st.DrawFn, begin: int, zones: tuple[str, ...]) -> Plan:
    zone = draw(st.sampled_from(zones))
    minute = draw(st.sampled_from((0, 90, 150, 690, 720, 1439)) | st.integers(0, 1439))
    time = f"{minute // 60:02}:{minute % 60:02}:00"
    date = dt.datetime.fromtimestamp(begin + draw(st.integers(-1, 6)) * DAY, dt.UTC).date().isoformat()
    choices = (
        st.integers(1, 3).map(lambda every: plans.daily(time, zone, every=every)),
        st.sampled_from(("1,7", "2", "1,2,3,4,5,6,7")).map(lambda days: plans.weekly(days, time, zone)),
        st.sampled_from(("1,15,L", "29,30,31", "6,26,27,28")).map(
            lambda days: plans.monthly(days, time, zone)
        ),
        st.just(plans.once(date, time, zone)),
        st.sampled_from((4.0, 48.0, 200.0)).map(
            lambda rate: plans.triggered("POST_CREATE_DESKTOP_SUCCESS", rate, zone)
        ),
    )
    plan = draw(st.one_of(*choices))
    expires = draw(st.none() | st.integers(0, 12).map(lambda half_days: begin + half_days * DAY // 2))
    return replace(plan, expires=expires, later=draw(st.booleans()))


@st.composite
def _cast(draw: st.DrawFn, begin: int, zones: tuple[str, ...], longest: float) -> Cast:
    plan = draw(_plan(begin, zones))
    days = draw(st.sampled_from((0.0, 0.5, 3.0, min(40.0, longest), longest)))
    if plan.triggered and plan.daily_rate > 4:
        days = min(days, 3.0)
    return Cast(plan, draw(st.sampled_from(_BEHAVIOURS)), days, draw(st.sampled_from((0, 1, 10, 250))))


@st.composite
def _does(draw: st.DrawFn, begin: int, zones: tuple[str, ...]) -> Do:
    task = draw(st.integers(0, 3))
    seconds = st.sampled_from((0, 30, 59, 60, 61, 600, 7000))
    planted = st.builds(
        PlantedRun,
        start=seconds,
        duration=st.none() | st.sampled_from((1, 60, 3600)),
        status=st.sampled_from(_WORDS),
        success=st.none() | st.integers(0, 3),
        failed=st.none() | st.integers(0, 3),
        skipped=st.none() | st.integers(0, 3),
    )
    done: Do = draw(
        st.one_of(
            planted.map(lambda run: Do("plant", task, run)),
            planted.map(lambda run: Do("plant", task, run)),
            st.sampled_from(_WORDS).map(lambda word: Do("finish", task, word)),
            st.just(Do("restart", 0)),
            _cast(begin, zones, 3.0).map(lambda cast: Do("create", 0, cast)),
            st.integers(0, 9).map(lambda number: Do("rename", task, f"renamed {number}")),
            st.just(Do("rename", task, f"{OFF}duty")),
            st.just(Do("disable", task)),
            st.just(Do("enable", task)),
            st.just(Do("delete", task)),
            _plan(begin, zones).map(lambda plan: Do("edit", task, plan)),
            st.sampled_from(_BEHAVIOURS).map(lambda behaviour: Do("behave", task, behaviour)),
            _options(steady=zones is _STEADY).map(lambda options: Do("options", 0, options)),
        )
    )
    return done


@st.composite
def _options(draw: st.DrawFn, *, steady: bool) -> Options:
    times = ("observed", "suffix", "rfc3339", *(("naive",) if steady else ()))
    return Options(
        order=draw(st.sampled_from(("newest", "oldest", "unordered"))),
        times=draw(st.sampled_from(times)),
        absent=draw(st.sampled_from(("empty", "null", "missing"))),
        clamp=draw(st.none() | st.sampled_from((1, 2, 7, 30))),
        next_run_stays=draw(st.booleans()),
    )


def readable(options: Options) -> Options:
    """Return options with which fifty pages, the most that are read, hold all records."""
    if options.clamp is not None and options.clamp * 40 < options.retention:
        return replace(options, clamp=30)
    return options


@st.composite
def _poll(draw: st.DrawFn) -> Poll:
    fault = st.tuples(
        st.integers(0, len(OPERATIONS) - 1),
        st.integers(-1, 3),
        st.sampled_from((0, 0, 1, 2)),
        st.integers(0, 5),
    ).map(lambda parts: (OPERATIONS[parts[0]], *parts[1:]))
    faults = draw(st.just(()) | st.lists(fault, max_size=3).map(tuple))
    return Poll(faults, draw(st.sampled_from((0, 0, 0, 1, 20, 400))))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a history."""
    begin = draw(st.sampled_from(_BEGINS))
    zones = draw(st.sampled_from((_STEADY, _ZONES)))
    window = draw(st.sampled_from((5, 12, 50, 100, 101, 150, 250)))
    options = draw(_options(steady=zones is _STEADY))
    if window <= 100:
        options = replace(
            options, retention=draw(st.sampled_from((1000, 8, 30))), in_progress=draw(st.booleans())
        )
    step = st.builds(
        Step,
        wait=st.sampled_from((1, 30, 60, 60, 60, 300, 900, 3600, 6 * 3600, DAY, 3 * DAY)),
        does=st.just(()) | st.lists(_does(begin, zones), max_size=2).map(tuple),
        poll=st.just(Poll()) | _poll(),
    )
    return History(
        begin=begin,
        seed=draw(st.integers(0, 2**16)),
        listing=draw(st.sampled_from((True, True, True, False))),
        polling={
            "history": window,
            "refresh": draw(st.sampled_from(("1m", "15m"))),
            "details": draw(st.booleans()),
            "max_age": f"{MAX_AGE}s",
        },
        options=readable(options),
        cast=tuple(draw(st.lists(_cast(begin, zones, 300.0), min_size=1, max_size=3))),
        steps=tuple(draw(st.lists(step, min_size=1, max_size=20))),
    )


@dataclass(frozen=True)
class StillLife:
    """One moment of some tasks, and several manners in which upstream may answer."""

    begin: int
    seed: int
    window: int
    cast: tuple[Cast, ...]
    manners: tuple[Options, ...]


@st.composite
def still_lifes(draw: st.DrawFn) -> StillLife:
    """Draw a moment and manners; they differ in how the same is said, so not in which next run is named."""
    begin = draw(st.sampled_from(_BEGINS))
    stays = draw(st.booleans())
    manners = _options(steady=True).map(lambda options: replace(readable(options), next_run_stays=stays))
    return StillLife(
        begin=begin,
        seed=draw(st.integers(0, 2**16)),
        window=draw(st.sampled_from((5, 50, 100, 101, 250))),
        cast=tuple(draw(st.lists(_cast(begin, _STEADY, 300.0), min_size=1, max_size=3))),
        manners=tuple(draw(st.lists(manners, min_size=2, max_size=4))),
    )
