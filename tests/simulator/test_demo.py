"""Worlds to look at and to measure with."""

from __future__ import annotations

import tracemalloc
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.demo import ZONES, build_world, demo_world
from exporter.simulator.options import Options
from exporter.simulator.pages import record_page
from exporter.simulator.wire import task_row
from exporter.simulator.world import World
from tests.simulator.client import DAY, NOW


def _by_name(world: World, name: str) -> str:
    for triggered in (False, True):
        for task in world.tasks(NOW, triggered=triggered):
            if name in task.timeline.chapter(NOW).name:
                return task.id
    raise AssertionError(name)


def _newest(world: World, name: str, count: int, now: float = NOW) -> list[str]:
    runs = world.runs(_by_name(world, name), now)
    return [run.verdict if run.finished(now) else "running" for run in islice(runs, count)]


def test_the_demonstration_shows_every_trouble() -> None:
    """Each member of the cast is in the state that its name says."""
    world = demo_world(NOW)
    assert _newest(world, "failing for days", 4) == ["failed"] * 4
    assert _newest(world, "partly failed", 2) == ["partial", "success"]
    assert _newest(world, "skipped again", 3) == ["skipped"] * 3
    assert _newest(world, "nobody documented", 1) == ["unknown"]
    assert _newest(world, "stuck", 2) == ["running", "success"]
    assert set(_newest(world, "one day good", 2)) == {"failed", "success"}
    missed = _by_name(world, "never started today")
    assert [miss.task_id for miss in world.ledger(NOW, NOW - 3600).misses] == [missed]
    off = world.task(_by_name(world, "switched off"), NOW)
    assert not off.timeline.chapter(NOW).enabled
    assert off.timeline.chapter(NOW - 3601).enabled
    assert list(world.runs(_by_name(world, "never run"), NOW)) == []
    assert len(list(world.runs(_by_name(world, "after disconnection"), NOW))) > 400
    assert len(world.tasks(NOW, triggered=True)) == 2


def test_the_demonstration_lives() -> None:
    """Runs start every two minutes; one fails within five minutes, one recovers within ten."""
    world = demo_world(NOW)
    assert _newest(world, "live failure", 1) == ["success"]
    assert _newest(world, "live failure", 1, NOW + 700) == ["failed"]
    assert _newest(world, "recovers", 1) == ["failed"]
    assert _newest(world, "recovers", 1, NOW + 900) == ["success"]
    timed = {task.id for task in world.tasks(NOW)}
    starts = [run.start for run in world.ledger(NOW + 40 * 60, NOW).runs if run.task_id in timed and run.due]
    fresh = sorted(start for start in starts if start > NOW)
    assert len(fresh) >= 20


@settings(max_examples=12, deadline=None)
@given(st.integers(1_600_000_000, 2_000_000_000))
def test_the_demonstration_can_be_given_at_any_time(now: int) -> None:
    """Also on the days when clocks change: building it never fails, and most tasks have a past."""
    world = demo_world(now, healthy=8, history_days=10)
    assert sum(task.timeline.count(now) > 5 for task in world.tasks(now)) >= 14


def test_a_crowd_is_mixed_and_always_the_same() -> None:
    """All kinds of schedules and zones, mostly healthy; the seed decides."""
    world = build_world(200, NOW, seed=3, history_days=25)
    tasks = [*world.tasks(NOW), *world.tasks(NOW, triggered=True)]
    assert len(tasks) == 200
    plans = [task.timeline.chapter(NOW).plan for task in tasks]
    assert {plan.scheduled_type for plan in plans} == {"FIXED_TIME", "DAY", "WEEK", "MONTH", "LIFE_CYCLE"}
    assert {plan.time_zone for plan in plans} == set(ZONES)
    totals = world.ledger(NOW).run_totals()
    verdicts = {
        verdict: sum(n for (_, what), n in totals.items() if what == verdict) for _, verdict in totals
    }
    assert verdicts["success"] > 8 * (verdicts["failed"] + verdicts["partial"] + verdicts["skipped"])
    assert min(verdicts["failed"], verdicts["partial"], verdicts["skipped"]) > 0
    assert world.ledger(NOW).misses
    again = build_world(200, NOW, seed=3, history_days=25)
    assert again.ledger(NOW, NOW - 3 * DAY) == world.ledger(NOW, NOW - 3 * DAY)
    assert build_world(200, NOW, seed=4, history_days=25).ledger(NOW, NOW - DAY) != world.ledger(
        NOW, NOW - DAY
    )


def test_a_crowd_to_measure_with() -> None:
    """With `records` each task runs daily and has had so many runs, all of one behaviour."""
    world = build_world(20, NOW, records=100, behaviour="partial", region="eu-west-101")
    assert world.project.name == "eu-west-101"
    counts = [task.timeline.count(NOW) for task in world.tasks(NOW)]
    assert len(counts) == 20
    assert all(count == pytest.approx(100, abs=1) for count in counts)
    assert {verdict for _, verdict in world.ledger(NOW).run_totals()} == {"partial"}


def test_a_crowd_takes_little_memory() -> None:
    """A task with a hundred records that have all been read costs less than six kilobytes."""
    options, tasks = Options(), 300
    _read_all(build_world(5, NOW, records=100), options)  # what is shared by all is there now
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        world = build_world(tasks, NOW, records=100)
        _read_all(world, options)
        spent = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(world.tasks(NOW)) == tasks
    assert spent / tasks < 6000


def _read_all(world: World, options: Options) -> None:
    for task in world.tasks(NOW):
        runs, total = record_page(task, NOW, options, 0, 100)
        assert len(runs) == min(total, 100)
        task_row(task, NOW, options)
