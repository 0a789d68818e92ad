"""Which rows a page holds."""

from __future__ import annotations

import pytest

from exporter.simulator import plan as plans
from exporter.simulator.options import Options
from exporter.simulator.pages import find_run, matching_tasks, record_page
from exporter.simulator.planting import PlantedRun
from exporter.simulator.tasks import Task
from exporter.simulator.world import World

_DAY = 86_400
_NOW = 1_750_000_000 // _DAY * _DAY


def _world(history_days: int = 25) -> tuple[World, Task]:
    world = World(seed=5)
    task_id = world.add_task(plans.daily("12:00:00"), _NOW, history_days=history_days, name="One")
    return world, world.task(task_id, _NOW)


def _starts(task: Task, options: Options, page: int = 10) -> list[int]:
    """Return the starts of all records, read in pages."""
    found: list[int] = []
    while True:
        runs, total = record_page(task, _NOW, options, len(found), page)
        found += [run.start for run in runs]
        if not runs:
            assert len(found) == total
            return found


def test_records_come_in_the_order_of_the_option() -> None:
    """Newest first, oldest first, or neither, but always the same rows, and pages that fit together."""
    _, task = _world()
    newest = _starts(task, Options())
    assert newest == sorted(newest, reverse=True)
    assert len(newest) == 25
    assert _starts(task, Options(order="oldest")) == newest[::-1]
    scattered = _starts(task, Options(order="unordered"))
    assert scattered not in (newest, newest[::-1])
    assert sorted(scattered) == newest[::-1]
    assert _starts(task, Options(order="unordered"), page=3) == scattered


@pytest.mark.parametrize("order", ["newest", "oldest", "unordered"])
def test_old_records_are_forgotten(order: str) -> None:
    """By number and by age, the newest stay; both ways of paging agree."""
    _, task = _world()
    everything = sorted(_starts(task, Options()))
    assert sorted(_starts(task, Options(order=order, retention=7))) == everything[-7:]
    aged = Options(order=order, retention_seconds=5 * _DAY)
    assert sorted(_starts(task, aged)) == everything[-5:]
    assert _starts(task, Options(order=order, retention=0)) == []


def test_runs_under_way_may_be_hidden() -> None:
    """Without `in_progress` they appear once they are over."""
    world, task = _world()
    running = world.plant_run(task.id, PlantedRun(_NOW - 10, duration=60))
    assert record_page(task, _NOW, Options(), 0, 1)[0] == [running]
    hidden = Options(in_progress=False)
    runs, total = record_page(task, _NOW, hidden, 0, 100)
    assert running not in runs
    assert total == 25
    assert find_run(task, running.id, _NOW, Options()) == running
    assert find_run(task, running.id, _NOW, hidden) is None
    assert find_run(task, running.id, _NOW + 60, hidden) == running


def test_a_forgotten_record_is_not_found() -> None:
    """Its details go with it."""
    world, task = _world()
    oldest = list(world.runs(task.id, _NOW))[-1]
    assert find_run(task, oldest.id, _NOW, Options()) == oldest
    assert find_run(task, oldest.id, _NOW, Options(retention=24)) is None


def test_lists_are_filtered() -> None:
    """Every filter of ListScheduledTasks; triggered tasks only where they are asked for."""
    world, task = _world()
    failing = world.add_task(
        plans.weekly("1", "00:00:00"),
        _NOW,
        name="Two",
        behaviour="failing",
        history_days=30,
        task_type="STOP",
    )
    event = world.add_task(plans.triggered("POST_CREATE_DESKTOP_SUCCESS"), _NOW)

    def found(**filters: str) -> list[str]:
        return [match.id for match in matching_tasks(world, _NOW, filters)]

    assert found() == [task.id, failing]
    assert found(scheduled_type="LIFE_CYCLE") == [event]
    assert found(scheduled_type="LIFE_CYCLE", life_cycle_type="POST_CREATE_DESKTOP_SUCCESS") == [event]
    assert found(scheduled_type="LIFE_CYCLE", life_cycle_type="OTHER") == []
    assert found(scheduled_type="WEEK") == [failing]
    assert found(task_name="ONE") == [task.id]
    assert found(task_type="STOP") == [failing]
    assert found(last_status="FAIL") == [failing]
    assert found(last_status="FAIL", task_name="one") == []
