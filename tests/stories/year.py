"""The script of a year of 200 tasks: their schedules, how their runs turn out, and what people do to them.

Time is coarser than in life, so that a year passes in seconds: a poll every two hours instead of every
minute, with the default's proportion of `refresh` to it. Grace and `max_duration` are the defaults.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from exporter.simulator import plan as plans
from exporter.simulator.dice import Dice
from exporter.simulator.plan import Plan
from exporter.simulator.planting import PlantedRun
from exporter.simulator.world import World

HOUR, DAY = 3600, 86_400
BEGIN = int(dt.datetime(2025, 1, 10, 12, 7, 13, tzinfo=dt.UTC).timestamp())
END = BEGIN + 365 * DAY
INTERVAL = 2 * HOUR
REFRESH = 15 * INTERVAL
GRACE, MAX_DURATION = 900, 7200
RESTARTS = 20 * DAY
"""The exporter is restarted so often."""
POLLS = range(BEGIN, END, INTERVAL)
"""The instants of the polls, and of the evaluations that follow them at once."""
TASKS = 200
_ZONES = (
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "GMT+8",
)
_CHANGING_HOURS = ("02:30:00", "02:15:00", "00:10:00", "01:45:00")
"""Times that some zone leaves out or repeats when its clock is changed."""
_BEHAVIOURS = (
    "healthy",
    "failing:0.01,missed:0.01,stuck:0.01",
    "failing:0.02,partial:0.02,missed:0.01,late:0.05,early:0.05",
    "failing:0.03,stuck:0.01,skipped:0.05",
    "missed:0.03,late:0.1,slow:0.05,unknown:0.01",
)
_WITHOUT_STUCK = (_BEHAVIOURS[0], _BEHAVIOURS[2], _BEHAVIOURS[4])
_OLD = 30
"""Days for which most tasks have existed when the year begins."""
_TROUBLED = 10
_CREATED_LATER = 10


def world_of_the_year(seed: int) -> World:
    """Return the world, with everything that will be done to its tasks."""
    world = World(seed=seed)
    dice = Dice("year", seed)
    for number in range(TASKS - _TROUBLED - _CREATED_LATER):
        plan = _plan(number, dice)
        behaviour = dice.pick(_WITHOUT_STUCK if plan.triggered else _BEHAVIOURS)
        task_id = world.add_task(plan, BEGIN, behaviour=behaviour, history_days=_OLD)
        if plan.triggered:
            _troubled_by_events(world, task_id, number)
    for number in range(_TROUBLED):
        _troubled_by_people(world, number)
    for month in range(_CREATED_LATER):
        created = BEGIN + (month + 1) * 30 * DAY + 5000
        world.add_task(_plan(month * 7, dice), created, behaviour=_BEHAVIOURS[month % len(_BEHAVIOURS)])
    return world


def last_restart(now: float) -> float:
    """Return when the process that runs at `now` was started."""
    return now - (now - BEGIN) % RESTARTS


def _plan(number: int, dice: Dice) -> Plan:
    zone, minute = dice.pick(_ZONES), dice.between(0, 1439)
    time = f"{minute // 60:02}:{minute % 60:02}:00"
    if number % 3 == 0:
        time = dice.pick(_CHANGING_HOURS)
    match number % 10:
        case 0 | 1:
            plan = plans.daily(time, zone)
        case 3:
            plan = plans.daily(time, zone, every=dice.between(2, 5))
        case 2 | 4 | 5 | 6:
            plan = plans.weekly(dice.pick(("1", "2,4,6", "7,1")), time, zone)
        case 7:
            plan = plans.monthly(dice.pick(("1,15", "L", "31", "10,20,30")), time, zone)
        case 8:
            day = dt.date(2025, 1, 20) + dt.timedelta(days=dice.between(0, 300))
            plan = plans.once(day.isoformat(), time, zone)
        case _:
            plan = plans.triggered("POST_CREATE_DESKTOP_SUCCESS", dice.pick((0.5, 1.5)), zone)
    return replace(plan, later=dice.chance(0.5))


def _troubled_by_events(world: World, task_id: str, number: int) -> None:
    """Let a triggered task fail and then succeed between two polls, and get stuck for more than a day."""
    at = BEGIN + (40 + number) * DAY + 600
    world.plant_run(task_id, PlantedRun(at, duration=60, status="FAIL", failed=10))
    world.plant_run(task_id, PlantedRun(at + 300, duration=60, status="SUCCESS", success=10))
    world.plant_run(task_id, PlantedRun(at + 50 * DAY, duration=30 * HOUR, status="SUCCESS", success=10))


def _troubled_by_people(world: World, number: int) -> None:
    """Add a daily task that is renamed, broken and repaired, switched off and on, moved, and then deleted.

    Never in an hour in which it is due, nor so that a restart comes before its next run: what a process has
    seen of such a change is lost with it (contract, section 4).
    """
    task_id = world.add_task(plans.daily("03:00:00", "Europe/Berlin"), BEGIN, history_days=_OLD)
    for month in range(1, 11):
        at = BEGIN + (month * 30 + 5 + number % 3) * DAY
        world.rename(task_id, f"task {number}, month {month}", at)
        if month % 5 == 2:
            world.behave(task_id, "failing", at + 10 * DAY)
            world.behave(task_id, "healthy", at + 14 * DAY)
        if month % 3 == 0:
            world.disable(task_id, at + DAY)
            world.enable(task_id, at + (2 + number % 3) * DAY)
        if month % 4 == 1:
            world.edit(task_id, plans.daily(f"0{month % 7}:40:00", "Europe/Berlin"), at + 6 * DAY)
    if number % 2:
        world.delete(task_id, BEGIN + 330 * DAY)
