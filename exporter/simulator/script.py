"""A script's JSON, checked and turned into the world's own values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.plan import Plan
from exporter.simulator.planting import PlantedRun

if TYPE_CHECKING:
    from collections.abc import Mapping

Types = tuple[type, ...]

_NUMBER: Types = (int, float)
_COUNT: Types = (int, type(None))
PLAN: Mapping[str, Types] = {
    "scheduled_type": (str,),
    "time_zone": (str,),
    "scheduled_time": (str,),
    "scheduled_date": (str,),
    "day_interval": (int,),
    "week_list": (str,),
    "month_list": (str,),
    "date_list": (str,),
    "expires": _COUNT,
    "life_cycle_type": (str,),
    "anchor": (str,),
    "later": (bool,),
    "daily_rate": _NUMBER,
}
TASK: Mapping[str, Types] = {
    "plan": (dict,),
    "name": (str,),
    "behaviour": (str,),
    "task_type": (str,),
    "desktops": (int,),
    "history_days": _NUMBER,
    "enabled": (bool,),
    "description": (str,),
    "task_id": (str,),
}
OUTCOME: Mapping[str, Types] = {"status": (str,), "success": _COUNT, "failed": _COUNT, "skipped": _COUNT}
RUN: Mapping[str, Types] = {
    **OUTCOME,
    "start": (int,),
    "in": _NUMBER,
    "duration": _COUNT,
    "codes": (list,),
    "replaces": (int, str),
    "wire": (dict,),
    "omitted": (list,),
}


def checked(body: object, allowed: Mapping[str, Types], *required: str) -> dict[str, Any]:
    """Return the members of a JSON object.

    Raises:
        ValueError: it is no object, or a member is unknown, of the wrong type, or missing.

    """
    if not isinstance(body, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - to the script it is a bad value
    for name, value in body.items():
        if name not in allowed:
            raise ValueError(f"{name!r} is none of {', '.join(allowed) or 'nothing'}")
        types = allowed[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"{name}: {value!r} is no {' or '.join(kind.__name__ for kind in types)}")
    missing = [name for name in required if name not in body]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    return dict(body)


def plan_of(body: object) -> Plan:
    """Return the plan that a JSON object describes.

    Raises:
        ValueError: it describes none.

    """
    return Plan(**checked(body, PLAN, "scheduled_type"))


def planted_run_of(body: object, now: float, upcoming: int | None) -> PlantedRun:
    """Return the run that a JSON object describes, where `upcoming` is the task's next occurrence.

    Raises:
        ValueError: it describes none.

    """
    members = checked(body, RUN)
    if "replaces" in members:
        members["replaces"] = _occurrence(members["replaces"], upcoming)
    delay = members.pop("in", None)
    if "start" not in members:
        members["start"] = int(now + delay) if delay is not None else members.get("replaces", int(now))
    if "codes" in members:
        members["codes"] = tuple(_code(code) for code in members["codes"])
    if "omitted" in members:
        members["omitted"] = frozenset(map(str, members["omitted"]))
    return PlantedRun(**members)


def _occurrence(replaces: int | str, upcoming: int | None) -> int:
    if isinstance(replaces, int):
        return replaces
    if replaces != "next" or upcoming is None:
        raise ValueError('replaces is the time of an occurrence, or "next" where there is one')
    return upcoming


def _code(code: object) -> tuple[str, str, int]:
    match code:
        case [("failed" | "skipped") as outcome, str(name), int(count)] if count > 0:
            return outcome, name, count
        case _:
            raise ValueError(f"code {code!r} is no [failed or skipped, result code, how many]")
