"""The service's objects as its answers write them: field names, time formats, and how absence is written.

Sources: ListScheduledTasks, ShowScheduledTasks, ListScheduledTasksRecords, ListScheduledTasksRecordsDetails.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from exporter.simulator.behaviours import REASONS
from exporter.simulator.plan import zone
from exporter.simulator.runs import progress

if TYPE_CHECKING:
    from exporter.simulator.options import Options
    from exporter.simulator.plan import Plan
    from exporter.simulator.runs import Desktop, Run
    from exporter.simulator.tasks import Task

Row = dict[str, object]

_SCRIPT = "EXECUTE_SCRIPT"


def task_row(task: Task, now: float, options: Options) -> Row:
    """Return the task as ListScheduledTasks writes it."""
    chapter = task.timeline.chapter(now)
    plan = chapter.plan
    row: Row = {
        "id": task.id,
        "task_name": chapter.name,
        "task_type": task.task_type,
        "scheduled_type": plan.scheduled_type,
        "enable": chapter.enabled,
        "description": task.description,
        "priority": 1,
        "time_zone": plan.time_zone,
    }
    _put(row, options, "last_status", task.last_status(now))
    _put(row, options, "next_execution_time", _offset_time(_next_run(task, now, options), plan, options))
    _put(row, options, "expire_time", _offset_time(plan.expires, plan, options))
    return row | _trigger(plan)


def schedule_row(task: Task, now: float, options: Options) -> Row:
    """Return the task as ShowScheduledTasks writes it: without last_status, next_execution_time, enable."""
    chapter = task.timeline.chapter(now)
    plan = chapter.plan
    row: Row = {
        "id": task.id,
        "task_name": chapter.name,
        "task_type": task.task_type,
        "scheduled_type": plan.scheduled_type,
        "force_execute": False,
        "description": task.description,
        "apply_objects": [{"object_type": "ALL_DESKTOPS", "object_id": "", "object_name": ""}],
        "time_zone": plan.time_zone,
    }
    _put(row, options, "expire_time", _offset_time(plan.expires, plan, options))
    return row | _schedule(plan) | _trigger(plan)


def record_row(task: Task, run: Run, now: float, options: Options) -> Row:
    """Return the run as ListScheduledTasksRecords writes it at that instant."""
    plan = task.timeline.chapter(run.start).plan
    state = progress(run, now)
    row: Row = {
        "id": run.id,
        "start_time": _instant_time(run.start, plan, options),
        "task_type": task.task_type,
        "scheduled_type": plan.scheduled_type,
        "status": state.status,
        "time_zone": plan.time_zone,
    }
    counts = (("success_num", state.success), ("failed_num", state.failed), ("skip_num", state.skipped))
    row |= {field: count for field, count in counts if count is not None}
    if plan.triggered:
        row["life_cycle_type"] = plan.life_cycle_type
    if task.task_type == _SCRIPT:
        row |= {"execute_task_id": task.id, "execute_object_type": "SCRIPT"}
    row |= run.wire or {}
    return {field: value for field, value in row.items() if field not in run.omitted}


def detail_row(task: Task, run: Run, desktop: Desktop, options: Options) -> Row:
    """Return one desktop of the run as ListScheduledTasksRecordsDetails writes it."""
    plan = task.timeline.chapter(run.start).plan
    row: Row = {
        "id": desktop.id,
        "record_id": run.id,
        "desktop_id": desktop.desktop_id,
        "desktop_name": desktop.name,
        "exec_status": desktop.status,
        "time_zone": plan.time_zone,
    }
    _put(row, options, "result_code", desktop.code)
    _put(row, options, "fail_reason", REASONS.get(desktop.code, ""))
    _put(row, options, "start_time", _instant_time(desktop.start, plan, options))
    _put(row, options, "end_time", _instant_time(desktop.end, plan, options))
    return row


def _schedule(plan: Plan) -> Row:
    match plan.scheduled_type:
        case "FIXED_TIME":
            return {"scheduled_date": plan.scheduled_date, "scheduled_time": plan.scheduled_time}
        case "DAY":
            return {"day_interval": plan.day_interval, "scheduled_time": plan.scheduled_time}
        case "WEEK":
            return {"week_list": plan.week_list, "scheduled_time": plan.scheduled_time}
        case "MONTH":
            days = {"month_list": plan.month_list, "date_list": plan.date_list}
            return {**days, "scheduled_time": plan.scheduled_time}
        case _:
            return {}


def _trigger(plan: Plan) -> Row:
    if not plan.triggered:
        return {}
    return {"life_cycle_type": plan.life_cycle_type, "life_cycle_exec_period": 0, "wait_time": 0}


def _next_run(task: Task, now: float, options: Options) -> int | None:
    """Return next_execution_time: the next occurrence, or the missed one at which it stays."""
    if options.next_run_stays and task.timeline.chapter(now).enabled:
        newest = next(task.timeline.newest_first(now), None)
        missed = task.timeline.misses(task.created if newest is None else newest.start, now)
        if missed:
            return missed[0]
    return task.timeline.upcoming(now)


def _put(row: Row, options: Options, field: str, value: str) -> None:
    if value or options.absent == "empty":
        row[field] = value
    elif options.absent == "null":
        row[field] = None


def _instant_time(instant: int | None, plan: Plan, options: Options) -> str:
    """Return a time of a record or a detail; live they are RFC 3339 in UTC."""
    times = "rfc3339" if options.times == "observed" else options.times
    return _time(instant, plan, times)


def _offset_time(instant: int | None, plan: Plan, options: Options) -> str:
    """Return a time of a task; live they are wall time with an offset."""
    times = "suffix" if options.times == "observed" else options.times
    return _time(instant, plan, times)


def _time(instant: int | None, plan: Plan, times: str) -> str:
    if instant is None:
        return ""
    if times == "rfc3339":
        return f"{dt.datetime.fromtimestamp(instant, dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"
    wall = dt.datetime.fromtimestamp(instant, zone(plan.time_zone))
    text, offset = f"{wall:%Y-%m-%d %H:%M:%S}", f"{wall:%z}"
    return text if times == "naive" else f"{text} GMT{offset[:3]}:{offset[3:5]}"
