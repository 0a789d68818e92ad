"""What polling costs upstream, by the simulated cloud's own count."""

from __future__ import annotations

import math
from collections import Counter

from exporter.simulator.plan import daily, triggered
from exporter.simulator.tally import LIST_DETAILS, LIST_RECORDS, LIST_TASKS, Request
from exporter.simulator.world import World
from tests.endtoend.inside import NOW, Cloud, Process

MINUTE = 60.0
HOUR = 60 * MINUTE


def _world() -> World:
    """120 tasks that run at noon, 20 of which one starts in each third minute from now, and one of events."""
    world = World(seed=1)
    for _ in range(120):
        world.add_task(daily("12:00:00"), NOW, history_days=5)
    for number in range(1, 21):
        world.add_task(daily(f"00:{3 * number - 2:02d}:00"), NOW, history_days=5)
    world.add_task(triggered("POST_DESKTOP_DISCONNECTED", daily_rate=24), NOW, history_days=5)
    return world


def _task(request: Request) -> str:
    return request.path.split("/scheduled-tasks/")[1].split("/")[0]


def _has_run(world: World, task_id: str, now: float) -> bool:
    """Whether a run is due or in progress, or has ended since the cycle before."""
    return any(
        (run.due or run.start) <= now and (run.end or math.inf) > now - MINUTE
        for run in world.runs(task_id, now + HOUR)
    )


def _ended(world: World, since: float, until: float) -> Counter[str]:
    """How many runs of each task ended in a time."""
    tasks = [*world.tasks(until), *world.tasks(until, triggered=True)]
    return +Counter(
        {
            task.id: sum(since < (run.end or math.inf) <= until for run in world.runs(task.id, until))
            for task in tasks
        }
    )


async def test_a_steady_cycle_costs_the_list_and_the_tasks_that_ran_or_whose_turn_it_is() -> None:
    """An hour at 141 tasks: four list calls a cycle, and beside those what the runs account for."""
    world = _world()
    cloud = Cloud(world)
    process = Process(cloud, refresh="1h", details=True)
    for _ in range(2):  # all is read, and then read again where a run was in progress
        await process.cycle()
        cloud.now += MINUTE
    (events,) = (task.id for task in world.tasks(cloud.now, triggered=True))
    in_turn: Counter[str] = Counter()
    details: Counter[str] = Counter()
    began = cloud.now
    while cloud.now < began + HOUR:
        cloud.service.tally.reset()
        await process.cycle()
        seen = cloud.service.tally
        assert seen.operations[LIST_TASKS] == 3 + 1
        assert set(seen.operations) <= {LIST_TASKS, LIST_RECORDS, LIST_DETAILS}
        reads = Counter(_task(request) for request in seen.log if request.operation == LIST_RECORDS)
        assert max(reads.values(), default=0) <= 1
        in_turn.update(task_id for task_id in reads if not _has_run(world, task_id, cloud.now))
        details.update(_task(request) for request in seen.log if request.operation == LIST_DETAILS)
        cloud.now += MINUTE
    await process.end()
    assert in_turn.pop(events, 0) <= 3
    assert max(in_turn.values()) == 1
    assert details == _ended(world, began - MINUTE, cloud.now - MINUTE)
