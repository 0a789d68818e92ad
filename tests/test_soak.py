"""After a week of trouble everything is as it was: no object, task, thread or series is left over.

The week passes inside of one process, with a clock moved by hand; `make soak` lets it pass in real ones. What
the soak makes of its figures is held here as well: a measurement that cannot fail proves nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import structlog

from benchmarks.census import Census, least, living, pool_of_one, take_census
from benchmarks.soakfigures import Limits, Sample, Sockets, left_over, series_of, stray_series
from exporter.simulator import plan as plans
from exporter.simulator.plan import Plan
from exporter.simulator.world import World
from tests.endtoend.inside import NOW, Cloud, Process

HOUR = 3600.0
INTERVAL = 4 * HOUR
A_DAY = 6
"""Cycles."""
TASKS = 25
FAULTS = (
    "500:0.5",
    "401:0.5",
    "403@records:0.5",
    "403@list",
    "429=3:0.3",
    "429=600:0.3",
    "502:0.5",
    "truncated:0.5",
    "types:0.5",
    "cut:0.5",
    "404@records:0.5",
    "500@iam,401@api",
)


class Soaked:
    """A cloud, an exporter that watches it, and what people do to the cloud."""

    def __init__(self) -> None:
        self.world = World(seed=3)
        self.ids = [self._add(number) for number in range(TASKS)]
        self.cloud = Cloud(self.world)
        self.process = Process(
            self.cloud,
            "password",
            sleep=self._sleep,
            interval=f"{INTERVAL:.0f}s",
            refresh="12h",
            max_age="24h",
            history=2,  # so small that a few days fill what is remembered of a task
        )
        self._begin = NOW
        self._cycles = 0
        self._chance = random.Random(1)
        self._extra: list[str] = []
        self._changed: set[str] = set()

    async def quiet(self, days: int) -> None:
        """Let days pass in which nothing is wrong but what is already there."""
        for _ in range(days * A_DAY):
            await self._cycle()

    async def troubled(self, days: int) -> None:
        """Let days pass in which something is changed, and goes wrong, in every cycle; then make it good."""
        for number in range(days * A_DAY):
            self.cloud.service.faults.put(FAULTS[number % len(FAULTS)] if number % 3 else "")
            self._change()
            if number % 10 == 0:
                self.cloud.service.identity.revoke_tokens()
            await self._cycle()
        self.cloud.service.faults.put("")
        self._undo()

    async def _cycle(self) -> None:
        self._cycles += 1
        self.cloud.now = max(self.cloud.now, self._begin + self._cycles * INTERVAL)
        await self.process.poller.cycle()
        await self.process.scrape()

    async def _sleep(self, seconds: float) -> None:
        self.cloud.now += seconds
        await asyncio.sleep(0)

    def _add(self, number: int, at: float = NOW) -> str:
        return self.world.add_task(_plan(number), at, name=f"task {number}", history_days=10)

    def _change(self) -> None:
        now, place = self.cloud.now, self._chance.randrange(TASKS)
        task_id = self.ids[place]
        match self._chance.randrange(5):
            case 0:
                self._extra.append(self._add(self._chance.randrange(TASKS), now))
            case 1:
                self.world.delete(task_id, now)
                self._changed.discard(task_id)
                self.ids[place] = self._add(place, now)
            case 2:
                self.world.disable(task_id, now)
                self._changed.add(task_id)
            case 3:
                self.world.rename(task_id, f'another\n"name" {now}', now)
                self._changed.add(task_id)
            case _:
                self.world.behave(task_id, "failing:0.5,missed:0.2,partial:0.2", now)
                self._changed.add(task_id)

    def _undo(self) -> None:
        now = self.cloud.now
        for task_id in self._extra:
            self.world.delete(task_id, now)
        for place, task_id in enumerate(self.ids):
            if task_id in self._changed:
                self.world.rename(task_id, f"task {place}", now)
                self.world.behave(task_id, "healthy", now)
                self.world.enable(task_id, now)


def _plan(number: int) -> Plan:
    if number % 8 == 7:
        return plans.triggered("POST_CREATE_DESKTOP_SUCCESS", 2.0)
    return plans.daily(f"{number % 24:02}:40:00", "UTC")


@contextmanager
def _silence() -> Iterator[None]:
    """Let the many failed cycles of a test go unsaid; what must never be said is still an error."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)


_BY_CHANCE = {
    "exporter.details.DesktopFailure",
    "exporter.details.RunDetails.failures[]",
    "exporter.details.RunDetails.results[]",
    "workspace_task_last_run_result_num",
}
"""What there is for each desktop that the last run of a task did not do: a healthy one skips one at times."""


@dataclass(frozen=True, slots=True)
class Living:
    """What there is: our objects and what they hold, series by family, asyncio's tasks, threads."""

    objects: Counter[str]
    families: Counter[str]
    tasks: int
    threads: int


async def _living(soaked: Soaked, pool: ThreadPoolExecutor) -> Living:
    families = Counter(series.partition("{")[0] for series in series_of(await soaked.process.scrape()))
    census = take_census(pool, ("exporter",))
    objects = Counter(
        {
            name: number
            for name, number in census.objects.items()
            if name not in _BY_CHANCE and not name.startswith("exporter.simulator.")
        }
    )
    for name in list(families):
        if name in _BY_CHANCE or not name.startswith("workspace_task_"):
            del families[name]
    return Living(objects, families, census.asyncio_tasks, census.threads)


async def test_after_a_week_of_trouble_everything_is_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    """A week of churn and faults leaves no object of ours, nothing in one, no task, thread or series."""
    pool = pool_of_one()
    with _silence():
        soaked = Soaked()
        await soaked.quiet(days=3)
        before = await _living(soaked, pool)
        await soaked.troubled(days=7)
        troubled = await _living(soaked, pool)
        await soaked.quiet(days=3)
        after = await _living(soaked, pool)
    assert after.objects - before.objects == Counter()
    assert (after.families, after.tasks, after.threads) == (before.families, before.tasks, before.threads)
    assert troubled.objects - before.objects
    assert troubled.families != before.families
    assert soaked.process.poller.last_cycle
    assert soaked.process.poller.last_cycle.ok
    assert capsys.readouterr() == ("", "")
    await soaked.process.end()
    assert living(("asyncio",))["asyncio.events.TimerHandle"] == 0


def _sample(**changes: Any) -> Sample:
    """Return a sample of a process in which nothing is left over, but for these changes."""
    census = Census({"exporter.fleet.Fleet": 1, "exporter.tracking.TrackedTask": 500}, 4, 1, 2)
    series = frozenset({'workspace_task_info{task_id="a"}', 'workspace_exporter_tasks{project="prod"}'})
    return replace(Sample(1.0, 80.0, Sockets(8, 10), census, series), **changes)


def _census(**changes: Any) -> dict[str, Any]:
    return {"census": replace(_sample().census, **changes)}


SERIES = _sample().series


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"resident": 91.0}, "resident memory (MiB): 91, where at most 90 is right"),
        ({"files": Sockets(8, 11)}, "file descriptors: 11, where 10 is right"),
        ({"files": Sockets(11, 10)}, "connections to the cloud: 11, where at most 10 is right"),
        (_census(asyncio_tasks=5), "asyncio tasks: 5, where 4 is right"),
        (_census(threads=2), "threads: 2, where 1 is right"),
        (_census(workers=7), "worker threads: 7, where at most 6 is right"),
        (
            _census(objects={"exporter.tracking.TrackedTask": 546}),
            "objects of exporter.tracking.TrackedTask: 546, where about 500 are right",
        ),
        (
            _census(objects={"exporter.fleet.Fleet": 3}),
            "objects of exporter.fleet.Fleet: 3, where about 1 are right",
        ),
        (
            _census(objects={"exporter.fleet.Fleet._listed[]": 21}),
            "objects of exporter.fleet.Fleet._listed[]: 21, where about 0 are right",
        ),
        (
            _census(objects={"exporter.poller.Cycle": 1}),
            "objects of exporter.poller.Cycle: 1, where about 0 are right",
        ),
        ({"series": SERIES | {'workspace_task_info{task_id="b"}'}}, "tasks: 2, where 1 is right"),
        (
            {"series": SERIES | {'workspace_exporter_api_requests_total{code="x y"}'}},
            "label code='x y' of workspace_exporter_api_requests_total{code=\"x y\"}",
        ),
        (
            {"series": SERIES | {f"workspace_exporter_{number}" for number in range(300)}},
            "301 series of the exporter's own",
        ),
    ],
)
def test_the_soak_names_what_did_not_come_back(changes: dict[str, Any], complaint: str) -> None:
    """Each figure that is not what it was is a complaint of its own, and only it."""
    limits = Limits(upstream=10, workers=6)
    assert left_over(_sample(), _sample(), _sample(), limits) == []
    assert left_over(_sample(), _sample(**changes), _sample(), limits) == [complaint]


def test_the_soak_names_series_that_only_one_process_shows() -> None:
    """A series of a task that a new process does not show is left over, one that only it shows is missing.

    The exporter's own follow from its past, and the expected run may.
    """
    expected = "workspace_task_expected_run_timestamp_seconds{}"
    last = frozenset({"workspace_task_a", "workspace_task_b", "workspace_exporter_a"})
    fresh = frozenset({"workspace_task_a", "workspace_task_c", "workspace_exporter_b", expected})
    assert stray_series(last, last) == set()
    assert stray_series(last, fresh) == {
        "series left over: workspace_task_b",
        "series missing: workspace_task_c",
    }


def test_a_series_that_stands_there_twice_is_no_exposition() -> None:
    """A scrape is read as names and labels; the same ones twice are an error."""
    assert series_of('# HELP a b\na{b="c d"} 1\na 2.0\n') == {'a{b="c d"}', "a"}
    with pytest.raises(ValueError, match="twice"):
        series_of("a 1\na 2\n")


def test_the_least_of_several_looks_is_what_is_there_between_two_cycles() -> None:
    """Of each count the least is taken; what one of the looks did not see at all is nothing."""
    looks = [Census({"a": 2, "b": 1}, 5, 1, 2), Census({"a": 1}, 4, 2, 1)]
    assert least(looks) == Census({"a": 1, "b": 0}, 4, 1, 1)


class _Holder:
    __slots__ = ("held", "unset")

    def __init__(self, held: object) -> None:
        self.held = held


def test_the_census_counts_what_objects_hold() -> None:
    """Objects count by their class, and so do the entries of their lists, also where these are mere texts."""
    holders = [_Holder(["x", "y"]), _Holder({"z": 1}), _Holder("no list")]
    found = living(("tests",))
    name = f"{_Holder.__module__}._Holder"
    assert (found[name], found[f"{name}.held[]"]) == (len(holders), 3)
