"""Every gauge of a task is a function of the API's answers, the configuration, and now.

From bytes to bytes: the real client and poller read a simulated cloud that orders, pages, cuts and writes its
answers in each of the ways that the documents leave open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.demo import ZONES, demo_world
from exporter.simulator.options import ABSENCES, ORDERS, TIMES, Options
from exporter.simulator.plan import Plan, daily, monthly, triggered, weekly
from exporter.simulator.world import World
from tests.endtoend.inside import NOW, Cloud, Process

BEHAVIOURS = (
    "healthy",
    "failing:0.3,partial:0.3",
    "skipped:0.5,unknown:0.2",
    "uncounted:0.5",
    "slow:0.5,stuck:0.2",
    "late:0.3,early:0.3,missed:0.2",
)
PLANS = st.one_of(
    st.builds(daily, st.just("03:30:00"), st.sampled_from(ZONES), every=st.integers(1, 3)),
    st.builds(weekly, st.sampled_from(("1", "2,4,6", "7,1")), st.just("23:59:59"), st.sampled_from(ZONES)),
    st.builds(monthly, st.sampled_from(("1", "L", "15,L")), st.just("00:00:00"), st.sampled_from(ZONES)),
    st.builds(triggered, st.just("POST_DESKTOP_DISCONNECTED"), st.floats(0.5, 8), st.sampled_from(ZONES)),
)
TASKS = st.lists(
    st.tuples(PLANS, st.sampled_from(BEHAVIOURS), st.integers(0, 55), st.integers(1, 12)),
    min_size=1,
    max_size=4,
)
HABITS = st.builds(
    Options,
    order=st.sampled_from(ORDERS),
    times=st.sampled_from(TIMES),
    absent=st.sampled_from(ABSENCES),
    clamp=st.none() | st.integers(10, 100),  # fewer, and no read goes so far
)


def _world(seed: int, tasks: Sequence[tuple[Plan, str, int, int]]) -> World:
    world = World(seed=seed)
    for plan, behaviour, days, desktops in tasks:
        world.add_task(plan, NOW, behaviour=behaviour, history_days=days, desktops=desktops)
    return world


async def _read(world: World, options: Options, now: float, history: int = 100) -> str:
    """Return the gauges of an exporter that has just started."""
    process = Process(Cloud(world, options, now), history=history)
    await process.cycle()
    gauges = await process.gauges()
    await process.end()
    return gauges


@settings(max_examples=60)
@given(st.integers(0, 2**32), TASKS, HABITS, st.floats(0, 86_400))
def test_order_paging_and_time_format_change_nothing(
    seed: int, tasks: list[tuple[Plan, str, int, int]], habits: Options, later: float
) -> None:
    """The same records give the same bytes."""

    async def read_both() -> tuple[str, str]:
        world, now = _world(seed, tasks), NOW + later
        return await _read(world, Options(), now), await _read(world, habits, now)

    plain, other = asyncio.run(read_both())
    assert plain.count("workspace_task_records{") == len(tasks)
    assert other == plain


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("order", ORDERS)
async def test_more_records_than_a_page_or_the_window_holds(order: str, times: str) -> None:
    """250 records, a window of 120, pages of seven, thirty and a hundred."""
    world = World(seed=3)
    behaviour = "failing:0.1,partial:0.1,skipped:0.1"
    world.add_task(daily("03:30:00", "Asia/Kolkata"), NOW, behaviour=behaviour, history_days=50)
    busy = triggered("POST_DESKTOP_DISCONNECTED", 5, "Australia/Lord_Howe")
    world.add_task(busy, NOW, behaviour=behaviour, history_days=50)
    plain = await _read(world, Options(), NOW, history=120)
    assert "workspace_task_history_truncated{" in plain
    for clamp in (7, 30, None):
        assert await _read(world, Options(order=order, times=times, clamp=clamp), NOW, history=120) == plain


@settings(max_examples=10)
@given(
    st.integers(0, 2**32), st.sampled_from(ORDERS), st.lists(st.floats(60, 40_000), min_size=1, max_size=4)
)
def test_a_restart_gives_the_same_gauges(seed: int, order: str, steps: list[float]) -> None:
    """An exporter that has watched the demonstration for hours or days, and one that has just started."""

    async def watch_and_restart() -> tuple[str, str]:
        cloud = Cloud(demo_world(NOW, seed=seed, healthy=1, history_days=6), Options(order=order))
        old = Process(cloud, refresh="1m")  # so that each cycle reads every task
        await old.cycle()
        for seconds in steps:
            cloud.now += seconds
            await old.cycle()
        new = Process(cloud)
        await new.cycle()
        gauges = await old.gauges(), await new.gauges()
        await old.end()
        await new.end()
        return gauges

    old, new = asyncio.run(watch_and_restart())
    assert new == old
