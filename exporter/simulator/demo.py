"""Worlds to look at and to measure with: a small cast that shows every kind of trouble, and big crowds."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from exporter.simulator import plan as plans
from exporter.simulator.dice import Dice
from exporter.simulator.planting import PlantedRun
from exporter.simulator.world import World

if TYPE_CHECKING:
    from exporter.simulator.plan import Plan

ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "America/Santiago",
    "Australia/Lord_Howe",
    "GMT+8",
    "UTC",
)
_TYPES = ("START", "STOP", "REBOOT", "HIBERNATE", "REBUILD", "EXECUTE_SCRIPT", "CREATE_SNAPSHOT")
_TYPES_BY_WORD = {
    "script": "EXECUTE_SCRIPT",
    "stop": "STOP",
    "reboot": "REBOOT",
    "hibernate": "HIBERNATE",
    "rebuild": "REBUILD",
    "snapshot": "CREATE_SNAPSHOT",
}
_TRIGGERS = ("POST_CREATE_DESKTOP_SUCCESS", "POST_REBUILD_DESKTOP_SUCCESS", "POST_DESKTOP_DISCONNECTED")
_TEAMS = ("finance", "design", "call-centre", "labs", "reception", "engineering", "warehouse", "training")
_MIXED = "failing:0.02,partial:0.03,skipped:0.03,late:0.05"
_MINUTE, _HOUR = 60, 3600


def build_world(
    tasks: int,
    now: float,
    *,
    seed: int = 1,
    history_days: float = 60,
    records: int | None = None,
    behaviour: str = "",
    region: str = "cn-north-4",
) -> World:
    """Return a world of so many tasks with a plausible past, all from the seed.

    Most are healthy with a bad day now and then; one in thirty is in lasting trouble. With `records`, every
    task runs daily and has had that many runs (for measuring); `behaviour` then is the behaviour of them all.
    """
    world = World(seed=seed, region=region)
    for number in range(tasks):
        dice = Dice("task", seed, number)
        days = history_days if records is None else records
        world.add_task(
            (dice.pick(_KINDS) if records is None else _daily)(dice, now),
            now,
            name=f"{dice.pick(_TEAMS)}-{number:05d}",
            behaviour=behaviour or _any_behaviour(dice),
            task_type=dice.pick(_TYPES),
            desktops=dice.between(2, 40),
            history_days=days,
        )
    return world


def demo_world(now: float, *, seed: int = 1, healthy: int = 24, history_days: float = 60) -> World:
    """Return the cast of the demonstration: each kind of trouble once, and healthy tasks around it.

    Schedules are laid around `now` (epoch seconds), so that something starts every two minutes of the first
    hour: the first live failure after about three minutes, a recovery after about six.
    """
    world = World(seed=seed)
    cast = _Cast(world, now, history_days)
    for number in range(healthy):
        team, zone = _TEAMS[number % len(_TEAMS)], ZONES[number % len(ZONES)]
        cast.daily(f"start {team} {number + 1}", (2 * number + 1) * _MINUTE, zone)
    cast.daily("live failure in three minutes", 3 * _MINUTE, "Europe/Berlin", then="failing")
    cast.daily(
        "recovers in six minutes", 6 * _MINUTE, "Asia/Kolkata", since="failing", days=2, then="healthy"
    )
    cast.daily("nightly stop, failing for days", -40 * _MINUTE, "America/Sao_Paulo", since="failing", days=5)
    cast.daily("reboot, partly failed", -20 * _MINUTE, "Asia/Shanghai", since="partial", days=1)
    cast.daily("hibernate, skipped again and again", -50 * _MINUTE, "Europe/Berlin", since="skipped", days=3)
    cast.daily("status that nobody documented", -30 * _MINUTE, "GMT+8", since="unknown", days=1)
    cast.daily("one day good, one day bad", -90 * _MINUTE, "UTC", since="flapping", days=30)
    cast.stuck(cast.daily("rebuild, stuck for hours", -3 * _HOUR, "Asia/Shanghai"))
    cast.miss(cast.daily("start reception, never started today", -25 * _MINUTE, "America/Santiago"))
    cast.others()
    return world


class _Cast:
    """Adds tasks around one instant."""

    def __init__(self, world: World, now: float, history_days: float) -> None:
        self._world = world
        self._now = now
        self._history_days = history_days

    def daily(
        self, name: str, offset: float, zone: str, *, since: str = "", days: float = 0, then: str = ""
    ) -> str:
        """Add a task that runs daily at now + `offset`; it was `since` for `days`, and is `then` from now."""
        now = self._now
        plan = plans.daily(_wall_time(now + offset, zone), zone)
        task_id = self._add(plan, name)
        if since:
            self._world.behave(task_id, since, now - min(days, self._history_days) * plans.SECONDS_A_DAY)
        if then:
            self._world.behave(task_id, then, now)
        return task_id

    def stuck(self, task_id: str) -> None:
        """Let the task's newest run go on for ever."""
        due = self._newest_due(task_id)
        self._world.plant_run(task_id, PlantedRun(due + 4, duration=None, replaces=due))

    def miss(self, task_id: str) -> None:
        """Let the task's newest run never have started."""
        self._world.plant_miss(task_id, self._newest_due(task_id))

    def others(self) -> None:
        """Add the tasks that do not run daily, or not at all."""
        now, world = self._now, self._world
        tomorrow = plans.local_date(plans.daily("00:00:00"), now + plans.SECONDS_A_DAY).isoformat()
        self._add(plans.weekly("2,3,4,5,6", "07:30:00", "Europe/Berlin"), "start of the working day")
        self._add(plans.monthly("1,15,L", "22:00:00", "Asia/Kolkata"), "snapshot at the middle and the end")
        self._add(plans.daily("03:00:00", "Australia/Lord_Howe", every=3), "reboot every third day")
        self._add(plans.once(tomorrow, "12:00:00"), "migration, once")
        often = plans.triggered("POST_DESKTOP_DISCONNECTED", daily_rate=480)
        self._add(often, "hibernate after disconnection", days=1)
        seldom = plans.triggered("POST_REBUILD_DESKTOP_SUCCESS", daily_rate=24)
        self._add(seldom, "script after a rebuild", behaviour="failing:0.3", days=10)
        world.disable(self._add(plans.daily("06:00:00"), "switched off an hour ago"), now - _HOUR)
        self._add(plans.daily("05:00:00", every=7, anchor=tomorrow), "new, has never run", days=0)

    def _add(self, plan: Plan, name: str, *, behaviour: str = "healthy", days: float | None = None) -> str:
        history_days = self._history_days if days is None else days
        return self._world.add_task(
            plan,
            self._now,
            name=name,
            behaviour=behaviour,
            task_type=_type_of(name),
            history_days=history_days,
        )

    def _newest_due(self, task_id: str) -> int:
        plan = self._world.task(task_id, self._now).timeline.chapter(self._now).plan
        return max(plans.between(plan, self._now - 2 * plans.SECONDS_A_DAY, self._now))


def _type_of(name: str) -> str:
    """The type that a task's name speaks of."""
    words = name.replace(",", " ").split()
    return next((kind for word, kind in _TYPES_BY_WORD.items() if word in words), "START")


def _wall_time(instant: float, zone: str) -> str:
    return f"{dt.datetime.fromtimestamp(instant, plans.zone(zone)):%H:%M:00}"


def _any_time(dice: Dice) -> str:
    return f"{dice.between(0, 23):02d}:{dice.between(0, 59):02d}:00"


def _daily(dice: Dice, _now: float) -> Plan:
    return plans.daily(_any_time(dice), dice.pick(ZONES))


def _weekly(dice: Dice, _now: float) -> Plan:
    days = dice.pick(("2,3,4,5,6", "1,7", "2", "6", "1,2,3,4,5,6,7"))
    return plans.weekly(days, _any_time(dice), dice.pick(ZONES))


def _monthly(dice: Dice, _now: float) -> Plan:
    days = dice.pick(("1", "15", "L", "1,15,L", "29,30,31"))
    return plans.monthly(days, _any_time(dice), dice.pick(ZONES))


def _every_few_days(dice: Dice, _now: float) -> Plan:
    return plans.daily(_any_time(dice), dice.pick(ZONES), every=dice.between(2, 10))


def _once(dice: Dice, now: float) -> Plan:
    day = dt.datetime.fromtimestamp(now, dt.UTC).date() + dt.timedelta(days=dice.between(-20, 20))
    return plans.once(day.isoformat(), _any_time(dice), dice.pick(ZONES))


def _triggered(dice: Dice, _now: float) -> Plan:
    return plans.triggered(dice.pick(_TRIGGERS), dice.pick((0.5, 2.0, 12.0)), dice.pick(ZONES))


_KINDS = (_daily,) * 11 + (_weekly,) * 4 + (_monthly,) * 2 + (_every_few_days, _once, _triggered)


def _any_behaviour(dice: Dice) -> str:
    if dice.chance(1 / 30):
        return dice.pick(("failing", "partial", "skipped", "flapping", "unknown", "uncounted", "missed:0.2"))
    return _MIXED if dice.chance(0.5) else "healthy"
