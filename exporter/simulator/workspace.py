"""The four operations of Workspace, with the limits that their documents state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.simulator.answers import Answer, gateway_error, workspace_error
from exporter.simulator.pages import find_run, matching_tasks, record_page
from exporter.simulator.runs import desktops
from exporter.simulator.service import refusal
from exporter.simulator.tasks import UnknownTaskError
from exporter.simulator.wire import detail_row, record_row, schedule_row, task_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.options import Options
    from exporter.simulator.service import Call, Service
    from exporter.simulator.tasks import Task
    from exporter.simulator.world import World

    _Operation = Callable[[World, float, Options, Call], Answer]

MISSING_TASK = "The scheduled task does not exist"
_FILTERS = ("task_name", "task_type", "scheduled_type", "life_cycle_type", "last_status")


class _BadRequestError(Exception):
    """An argument that the document does not allow."""


@dataclass(frozen=True, slots=True)
class _Limits:
    """What `limit` may be, and what it is where it is left out (`None`: it may not be, nor may offset)."""

    lowest: int
    highest: int
    default: int | None = None


_TASK_LIMITS = _Limits(1, 50)
_RECORD_LIMITS = _Limits(0, 100, default=10)
_DETAIL_LIMITS = _Limits(0, 100)


def list_tasks(service: Service, call: Call) -> Answer:
    """Answer ListScheduledTasks."""
    return _guarded(service, call, _list_tasks)


def show_task(service: Service, call: Call) -> Answer:
    """Answer ShowScheduledTasks."""
    return _guarded(service, call, _show_task)


def list_records(service: Service, call: Call) -> Answer:
    """Answer ListScheduledTasksRecords."""
    return _guarded(service, call, _list_records)


def list_details(service: Service, call: Call) -> Answer:
    """Answer ListScheduledTasksRecordsDetails."""
    return _guarded(service, call, _list_details)


def _guarded(service: Service, call: Call, operation: _Operation) -> Answer:
    """Let an operation answer those who may ask, with the documented errors."""
    project_id = call.parameters["project_id"]
    refused = refusal(service, call, project_id)
    if refused is not None:
        return refused
    world = service.worlds.get(project_id)
    if world is None:
        return gateway_error(403, "APIGW.0302", "The user has no such project", call.request_id)
    try:
        return operation(world, service.clock.now(), service.options, call)
    except _BadRequestError as error:
        return workspace_error(400, "WKS.00010001", "The request parameter is invalid.", str(error))
    except UnknownTaskError:
        return workspace_error(service.options.missing_status, "WKS.00010002", MISSING_TASK)


def _list_tasks(world: World, now: float, options: Options, call: Call) -> Answer:
    arguments = call.arguments
    offset, limit = _page(arguments, _TASK_LIMITS, options)
    filters = {name: arguments[name] for name in _FILTERS if arguments.get(name)}
    tasks = matching_tasks(world, now, filters)
    rows = [task_row(task, now, options) for task in tasks[offset : offset + limit]]
    return Answer(200, {"scheduled_tasks": rows, "total_count": len(tasks)})


def _show_task(world: World, now: float, options: Options, call: Call) -> Answer:
    return Answer(200, schedule_row(_task(world, now, call), now, options))


def _list_records(world: World, now: float, options: Options, call: Call) -> Answer:
    offset, limit = _page(call.arguments, _RECORD_LIMITS, options)
    task = _task(world, now, call)
    runs, total = record_page(task, now, options, offset, limit)
    rows = [record_row(task, run, now, options) for run in runs]
    return Answer(200, {"tasks_records": rows, "total_count": total})


def _list_details(world: World, now: float, options: Options, call: Call) -> Answer:
    offset, limit = _page(call.arguments, _DETAIL_LIMITS, options)
    task = _task(world, now, call)
    run = find_run(task, call.parameters["record_id"], now, options)
    if run is None:
        status = options.missing_status
        return workspace_error(status, "WKS.00010003", "The execution record does not exist")
    rows = [detail_row(task, run, desktop, options) for desktop in desktops(run, now, offset, limit)]
    return Answer(200, {"tasks_records_details": rows, "total_count": run.desktops})


def _task(world: World, now: float, call: Call) -> Task:
    return world.task(call.parameters["task_id"], now)


def _page(arguments: Mapping[str, str], limits: _Limits, options: Options) -> tuple[int, int]:
    offset = _whole(arguments, "offset", 0 if limits.default is not None else None)
    limit = _whole(arguments, "limit", limits.default)
    if not limits.lowest <= limit <= limits.highest:
        raise _BadRequestError(f"limit must be between {limits.lowest} and {limits.highest}")
    return offset, limit if options.clamp is None else min(limit, options.clamp)


def _whole(arguments: Mapping[str, str], name: str, default: int | None) -> int:
    text = arguments.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdecimal()):
        raise _BadRequestError(f"{name} must be a whole number of at least 0")
    return int(text)
