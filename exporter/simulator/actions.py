"""What a script does to one task: (world, task id, simulated now, the script's JSON) -> what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from exporter.simulator.script import OUTCOME, checked, plan_of, planted_run_of
from exporter.simulator.world import World

if TYPE_CHECKING:
    from exporter.simulator.runs import Run

Tree = dict[str, Any]
Action = Callable[[World, str, float, object], Tree]


def _rename(world: World, task_id: str, now: float, body: object) -> Tree:
    world.rename(task_id, checked(body, {"name": (str,)}, "name")["name"], now)
    return {}


def _behave(world: World, task_id: str, now: float, body: object) -> Tree:
    world.behave(task_id, checked(body, {"behaviour": (str,)}, "behaviour")["behaviour"], now)
    return {}


def _edit(world: World, task_id: str, now: float, body: object) -> Tree:
    world.edit(task_id, plan_of(checked(body, {"plan": (dict,)}, "plan")["plan"]), now)
    return {}


def _disable(world: World, task_id: str, now: float, body: object) -> Tree:
    checked(body, {})
    world.disable(task_id, now)
    return {}


def _enable(world: World, task_id: str, now: float, body: object) -> Tree:
    checked(body, {})
    world.enable(task_id, now)
    return {}


def _delete(world: World, task_id: str, now: float, body: object) -> Tree:
    checked(body, {})
    world.delete(task_id, now)
    return {}


def _run(world: World, task_id: str, now: float, body: object) -> Tree:
    upcoming = world.task(task_id, now).timeline.upcoming(now)
    return _told(world.plant_run(task_id, planted_run_of(body, now, upcoming)))


def _finish(world: World, task_id: str, now: float, body: object) -> Tree:
    members = checked(body, {**OUTCOME, "run_id": (str,)}, "run_id")
    run_id = members.pop("run_id")
    for run in world.runs(task_id, now):
        if run.id == run_id:
            return _told(world.finish_run(run, int(now), **members))
    raise LookupError(f"task {task_id} has no run {run_id}")


def _miss(world: World, task_id: str, now: float, body: object) -> Tree:
    due = checked(body, {"due": (int,)}).get("due", world.task(task_id, now).timeline.upcoming(now))
    if due is None:
        raise ValueError("the task has no next occurrence")
    world.plant_miss(task_id, due)
    return {"due": due}


def _told(run: Run) -> Tree:
    return {"id": run.id, "start": run.start, "end": run.end, "status": run.verdict}


ACTIONS: Mapping[str, Action] = {
    "rename": _rename,
    "behave": _behave,
    "edit": _edit,
    "disable": _disable,
    "enable": _enable,
    "delete": _delete,
    "run": _run,
    "finish": _finish,
    "miss": _miss,
}
