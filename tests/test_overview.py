"""States and cycles as people see them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.config import Statuses
from exporter.configfile import parse_config
from exporter.details import RunDetails, summarize_details
from exporter.errors import Answer, ApiError, StatusError, TransportError
from exporter.history import Run, runs_of, summarize
from exporter.overview import view_error, view_project, view_run, view_task
from exporter.poller import Cycle
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.state import TaskState
from exporter.views import ErrorView, ProjectView, ResultView, RunView, TaskView, Verdict
from tests.config import BASE

NOW = 1_672_448_400.0
STATUSES = Statuses()
PROJECT = parse_config(BASE, {}, Path()).projects[0]
REFUSED = StatusError(
    "HTTP 400",
    label="400",
    operation="list_records",
    answer=Answer(400, "WKS.0001", "bad request", request_id="req-1"),
)

RECORDS = [
    Record("r1", NOW - 3600, "SUCCESS", 3, 0, 0),
    Record("r2", NOW - 1800, "Success", 2, 3, 1),
    Record("r3", NOW - 60, "RUNNING"),
]
DETAILS = summarize_details(
    RECORDS[1],
    [
        RecordDetail("1", desktop_name="ada", status="FAIL", result_code="E1", end=NOW - 1700),
        RecordDetail("2", desktop_name="bob", status="FAIL", result_code="E1", fail_reason="任务冲突"),
        RecordDetail("3", desktop_name="eve", status="FAIL", result_code="E2", fail_reason="no power"),
        RecordDetail("4", desktop_name="kim", status="SKIP", result_code="E1", fail_reason="in use"),
        RecordDetail("5", desktop_name="zoe", status="SUCCESS"),
    ],
    STATUSES,
)
RESULTS = (
    ResultView("failed", "E1", 2, "任务冲突", ("ada", "bob")),
    ResultView("failed", "E2", 1, "no power", ("eve",)),
    ResultView("skipped", "E1", 1, "in use", ("kim",)),
)
STATE = TaskState(
    project="prod",
    task_id="8d2e",
    name="nightly",
    project_id="a",
    grace=900.0,
    max_duration=7200.0,
    listing=Task(
        "8d2e",
        name="nightly",
        task_type="STOP",
        scheduled_type="DAY",
        time_zone="GMT+8",
        enabled=True,
        next_run=NOW + 3600,
    ),
    found=True,
    history=summarize(runs_of(RECORDS, STATUSES), total=3, truncated=False),
    details=DETAILS,
    expected_run=NOW - 60,
    last_poll=NOW - 5,
    poll_ok=True,
)


def test_a_task_whole() -> None:
    """Every field, literally: what the state says and what is judged of it."""
    last = RunView("r2", NOW - 1800, "partial", "Success", 2, 3, 1, 100.0, RESULTS)
    view = view_task(STATE, NOW, 60)
    assert replace(view, runs=tuple(view.runs)) == TaskView(
        project="prod",
        id="8d2e",
        name="nightly",
        verdict=Verdict.PARTIAL,
        reasons=(
            "The last run, started 2022-12-31T00:30:00Z, failed on 3 desktops and succeeded on others.",
        ),
        task_type="STOP",
        scheduled_type="DAY",
        life_cycle_type="",
        time_zone="GMT+8",
        enabled=True,
        found=True,
        last_run=last,
        runs=(
            RunView("r1", NOW - 3600, "success", "SUCCESS", 3, 0, 0),
            last,
            RunView("r3", NOW - 60, "running", "RUNNING"),
        ),
        running_since=NOW - 60,
        next_run=NOW + 3600,
        expected_run=NOW - 60,
        consecutive_unsuccessful=1,
        consecutive_skipped=0,
        last_poll=NOW - 5,
        poll_error=None,
        stale=False,
    )


def test_a_task_that_was_never_read() -> None:
    """None and empty, never 0; a task that may exist is not called missing."""
    blank = TaskState("prod", "8d2e", "8d2e", "", 900.0, 7200.0)
    assert view_task(blank, NOW, 60) == TaskView("prod", "8d2e", "8d2e", Verdict.PENDING)


def test_a_task_that_does_not_exist() -> None:
    """`found` is false, and the verdict says so."""
    blank = TaskState("prod", "8d2e", "own name", "", 900.0, 7200.0, found=False)
    view = view_task(blank, NOW, 60)
    assert (view.found, view.verdict, view.name) == (False, Verdict.NOT_FOUND, "own name")


def test_a_task_without_runs() -> None:
    """An empty history has no last run, and nothing has been running since 0."""
    view = view_task(replace(STATE, history=summarize([], total=0, truncated=False)), NOW, 60)
    assert (view.last_run, len(view.runs), view.running_since) == (None, 0, None)


def test_a_failing_read_is_shown_beside_what_is_known() -> None:
    """The error with code and request id; from 20 minutes on the data is called stale."""
    failing = replace(STATE, poll_ok=False, poll_error=REFUSED)
    view = view_task(failing, NOW, 60)
    assert view.poll_error is not None
    assert (view.poll_error.code, view.poll_error.request_id, view.stale) == ("WKS.0001", "req-1", False)
    assert view.last_run is not None
    assert view_task(failing, NOW + 1196, 60).stale
    assert not view_task(failing, NOW + 1196, 600).stale


def test_the_schedule_tells_what_the_list_does_not() -> None:
    """Without permission to list, the task's type and zone come from its schedule."""
    unlisted = replace(STATE, listing=None, schedule=Schedule(task_type="STOP", scheduled_type="WEEK"))
    view = view_task(unlisted, NOW, 60)
    assert (view.task_type, view.scheduled_type, view.enabled, view.next_run) == ("STOP", "WEEK", None, None)


def test_details_belong_to_their_own_run_only() -> None:
    """Those of an earlier run say nothing of this one."""
    first = Run(RECORDS[0], "success")
    assert view_run(first, DETAILS) == RunView("r1", NOW - 3600, "success", "SUCCESS", 3, 0, 0)
    assert view_run(first, None) == view_run(first, DETAILS)
    assert view_run(Run(RECORDS[1], "partial"), DETAILS).results == RESULTS


def test_at_most_three_desktops_are_named_for_each_result() -> None:
    """And a result of which none was kept, such as `unread`, names none."""
    record = Record("r", NOW, "FAIL", failed_num=9)
    desktops = [RecordDetail(str(n), desktop_name=f"d{n}", status="FAIL") for n in range(5)]
    results = view_run(Run(record, "failed"), summarize_details(record, desktops, STATUSES)).results
    assert results == (
        ResultView("failed", "none", 5, "", ("d0", "d1", "d2")),
        ResultView("failed", "unread", 4),
    )
    empty = RunDetails("r", None, (), ())
    assert view_run(Run(record, "failed"), empty).results == ()


@pytest.mark.parametrize(
    ("error", "text", "code", "request_id"),
    [
        (REFUSED, "list_records: HTTP 400: WKS.0001 bad request (request id req-1)", "WKS.0001", "req-1"),
        (StatusError("HTTP 502", label="502", answer=Answer(502)), "HTTP 502", "502", ""),
        (TransportError("no answer", label="timeout", operation="x"), "x: no answer", "timeout", ""),
    ],
)
def test_errors_show_code_message_and_request_id(
    error: ApiError, text: str, code: str, request_id: str
) -> None:
    """Upstream's code, or else the label under which the request was counted."""
    view = view_error(error)
    assert (view.text, view.code, view.request_id) == (text, code, request_id)


def project_view(cycle: Cycle | None, last_success: float | None = None) -> ProjectView:
    """The project after `cycle`."""
    return view_project(PROJECT, cycle, tasks=7, interval=60.0, last_success=last_success)


def test_a_project_before_its_first_cycle() -> None:
    """Nothing is known to have gone well or badly."""
    assert project_view(None) == ProjectView("prod", "cn-north-4", 7, 60.0)


def test_a_project_after_a_good_cycle() -> None:
    """When it ended, and that it was good."""
    assert project_view(Cycle(NOW - 3, NOW), NOW) == ProjectView(
        "prod", "cn-north-4", 7, 60.0, last_poll=NOW, last_success=NOW, poll_ok=True, error=None
    )


def test_a_project_without_a_region() -> None:
    """It has endpoints of its own."""
    own = PROJECT.model_copy(update={"region": None})
    assert view_project(own, None, tasks=0, interval=60.0, last_success=None).region == ""


@pytest.mark.parametrize(
    ("failing", "text"),
    [(1, "The records of 1 task could not be read."), (4, "The records of 4 tasks could not be read.")],
)
def test_a_project_whose_tasks_fail(failing: int, text: str) -> None:
    """Tasks in back-off keep the cycle failed, though it met no error itself."""
    view = project_view(Cycle(NOW - 3, NOW, failing_tasks=failing))
    assert (view.poll_ok, view.error) == (False, ErrorView(text))


def test_a_project_whose_cycle_failed_shows_the_first_problem() -> None:
    """The others are in the log."""
    cycle = Cycle(NOW - 3, NOW, [REFUSED, TransportError("x", label="dns")], failing_tasks=2)
    view = project_view(cycle)
    assert view.poll_ok is False
    assert view.error is not None
    assert view.error == view_error(REFUSED)
