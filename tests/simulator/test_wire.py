"""The rows of answers: field names, time formats, absence."""

from __future__ import annotations

import datetime as dt

import pytest

from exporter.simulator import plan as plans
from exporter.simulator.options import Options
from exporter.simulator.plan import Plan
from exporter.simulator.planting import PlantedRun
from exporter.simulator.runs import desktops
from exporter.simulator.tasks import Task
from exporter.simulator.wire import detail_row, record_row, schedule_row, task_row
from exporter.simulator.world import World

_NOW = int(dt.datetime(2022, 12, 31, 0, 0, tzinfo=dt.UTC).timestamp())
_SHANGHAI = Plan(plans.DAY, "Asia/Shanghai", "09:00:00", expires=_NOW + 40 * 86_400)


def _task(plan: Plan = _SHANGHAI, **members: object) -> tuple[World, Task]:
    world = World(seed=3)
    task_id = world.add_task(plan, _NOW, name="night", task_id="t-1", **members)  # type: ignore[arg-type]
    return world, world.task(task_id, _NOW)


def test_a_task_as_the_list_writes_it() -> None:
    """Fields of ListScheduledTasks; times as they were observed live."""
    _, task = _task(history_days=2)
    assert task_row(task, _NOW, Options()) == {
        "id": "t-1",
        "task_name": "night",
        "task_type": "START",
        "scheduled_type": "DAY",
        "enable": True,
        "description": "",
        "priority": 1,
        "time_zone": "Asia/Shanghai",
        "last_status": "SUCCESS",
        "next_execution_time": "2022-12-31 09:00:00 GMT+08:00",
        "expire_time": "2023-02-09 08:00:00 GMT+08:00",
    }


@pytest.mark.parametrize(
    ("times", "start", "upcoming"),
    [
        ("observed", "2022-12-31T01:00:00.000Z", "2022-12-31 09:00:00 GMT+08:00"),
        ("rfc3339", "2022-12-31T01:00:00.000Z", "2022-12-31T01:00:00.000Z"),
        ("suffix", "2022-12-31 09:00:00 GMT+08:00", "2022-12-31 09:00:00 GMT+08:00"),
        ("naive", "2022-12-31 09:00:00", "2022-12-31 09:00:00"),
    ],
)
def test_every_format_says_the_same_time(times: str, start: str, upcoming: str) -> None:
    """The specification's example instant, in each of the formats."""
    world, task = _task()
    run = world.plant_run("t-1", PlantedRun(_NOW + 3600))
    row = record_row(task, run, _NOW + 4000, Options(times=times))
    assert (row["start_time"], row["time_zone"]) == (start, "Asia/Shanghai")
    assert task_row(task, _NOW, Options(times=times))["next_execution_time"] == upcoming


def test_west_of_greenwich_offsets_are_negative() -> None:
    """Also those of half an hour."""
    _, task = _task(plans.daily("09:00:00", "America/St_Johns"))
    row = task_row(task, _NOW, Options(times="suffix"))
    assert row["next_execution_time"] == "2022-12-31 09:00:00 GMT-03:30"


@pytest.mark.parametrize(
    ("absent", "expected"), [("empty", {"last_status": ""}), ("null", {"last_status": None}), ("missing", {})]
)
def test_absence_is_written_as_the_option_says(absent: str, expected: dict[str, object]) -> None:
    """Of a task that never ran: empty, null, or no field at all."""
    world, task = _task(plans.daily("09:00:00"))
    world.disable("t-1", _NOW)
    row = task_row(task, _NOW, Options(absent=absent))
    assert {name: row[name] for name in ("last_status",) if name in row} == expected
    assert row["enable"] is False
    assert row.get("next_execution_time") in {"", None}
    assert "expire_time" not in row or row["expire_time"] in {"", None}


def test_a_missed_next_run_may_stay() -> None:
    """With `next_run_stays` it stands at the missed occurrence until a run starts."""
    world, task = _task()
    due = _NOW + 3600
    world.plant_miss("t-1", due)
    stays, moves = Options(next_run_stays=True, times="rfc3339"), Options(times="rfc3339")
    after = due + 7200

    def upcoming(now: int, options: Options) -> object:
        return task_row(task, now, options)["next_execution_time"]

    assert upcoming(after, moves) == "2023-01-01T01:00:00.000Z"
    assert upcoming(after, stays) == "2022-12-31T01:00:00.000Z"
    assert upcoming(due - 1, stays) == "2022-12-31T01:00:00.000Z"
    assert upcoming(due + 86_400 + 60, stays) == "2023-01-02T01:00:00.000Z"


@pytest.mark.parametrize(
    ("plan", "fields"),
    [
        (
            plans.once("2023-01-05", "08:00:00"),
            {"scheduled_date": "2023-01-05", "scheduled_time": "08:00:00"},
        ),
        (plans.daily("08:00:00", every=3), {"day_interval": 3, "scheduled_time": "08:00:00"}),
        (plans.weekly("1,7", "08:00:00"), {"week_list": "1,7", "scheduled_time": "08:00:00"}),
        (
            plans.monthly("1,L", "08:00:00", month_list="1,6"),
            {"month_list": "1,6", "date_list": "1,L", "scheduled_time": "08:00:00"},
        ),
        (
            plans.triggered("POST_REBUILD_DESKTOP_SUCCESS"),
            {"life_cycle_type": "POST_REBUILD_DESKTOP_SUCCESS", "life_cycle_exec_period": 0, "wait_time": 0},
        ),
    ],
)
def test_schedules_as_show_writes_them(plan: Plan, fields: dict[str, object]) -> None:
    """Each kind has its own fields, none of the others'; state of the task is not shown here."""
    _, task = _task(plan)
    row = schedule_row(task, _NOW, Options())
    specific = {
        "scheduled_date",
        "scheduled_time",
        "day_interval",
        "week_list",
        "month_list",
        "date_list",
        "life_cycle_type",
        "life_cycle_exec_period",
        "wait_time",
    }
    assert {name: value for name, value in row.items() if name in specific} == fields
    assert not row.keys() & {"last_status", "next_execution_time", "enable"}
    assert (row["id"], row["time_zone"], row["scheduled_type"]) == ("t-1", "UTC", plan.scheduled_type)


def test_a_record_under_way_and_after() -> None:
    """RUNNING with what is done so far, then the final words; a script's task says so."""
    world, task = _task(task_type="EXECUTE_SCRIPT", desktops=10)
    run = world.plant_run("t-1", PlantedRun(_NOW, duration=100, failed=2, skipped=0))
    running = record_row(task, run, _NOW + 50, Options())
    assert running["status"] == "RUNNING"
    assert running["execute_task_id"] == "t-1"
    assert [running[name] for name in ("success_num", "failed_num", "skip_num")] != [8, 2, 0]
    done = record_row(task, run, _NOW + 100, Options())
    assert [done[name] for name in ("status", "success_num", "failed_num", "skip_num")] == [
        "SUCCESS",
        8,
        2,
        0,
    ]


def test_a_script_may_bend_a_record() -> None:
    """Fields replaced and left out, also counts that do not exist."""
    world, task = _task()
    bent = PlantedRun(_NOW, wire={"status": 7, "extra": []}, omitted=frozenset({"time_zone", "skip_num"}))
    row = record_row(task, world.plant_run("t-1", bent), _NOW + 60, Options())
    assert (row["status"], row["extra"]) == (7, [])
    assert not row.keys() & {"time_zone", "skip_num"}


def test_a_triggered_record_names_its_trigger() -> None:
    """life_cycle_type is there for triggered tasks only."""
    world, task = _task(plans.triggered("POST_CREATE_DESKTOP_SUCCESS"))
    row = record_row(task, world.plant_run("t-1", PlantedRun(_NOW)), _NOW, Options())
    assert row["life_cycle_type"] == "POST_CREATE_DESKTOP_SUCCESS"
    assert "execute_task_id" not in row


def test_records_keep_the_zone_of_their_time() -> None:
    """An edit of the task's zone does not rewrite its past."""
    world, task = _task()
    run = world.plant_run("t-1", PlantedRun(_NOW))
    world.edit("t-1", plans.daily("09:00:00", "Europe/Berlin"), _NOW + 60)
    assert record_row(task, run, _NOW + 120, Options())["time_zone"] == "Asia/Shanghai"


def test_a_desktop_with_its_reason() -> None:
    """Result code and reason of a failed one, its times in the record's zone."""
    world, task = _task()
    planted = PlantedRun(_NOW, success=0, failed=1, codes=(("failed", "WKS.00010302", 1),))
    run = world.plant_run("t-1", planted)
    row = detail_row(task, run, next(desktops(run, _NOW + 60)), Options(times="naive"))
    assert row | {"id": "", "desktop_id": "", "desktop_name": ""} == {
        "id": "",
        "record_id": run.id,
        "desktop_id": "",
        "desktop_name": "",
        "exec_status": "FAIL",
        "time_zone": "Asia/Shanghai",
        "result_code": "WKS.00010302",
        "fail_reason": "任务冲突",
        "start_time": "2022-12-31 08:00:00",
        "end_time": "2022-12-31 08:01:00",
    }
    waiting = detail_row(task, run, next(desktops(run, _NOW - 1)), Options(absent="null"))
    assert (waiting["exec_status"], waiting["start_time"], waiting["end_time"]) == ("WAITING", None, None)
