"""Every metric of a task: its samples, and where they come from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from exporter.catalog import TASK_METRICS
from exporter.config import Statuses
from exporter.details import RunDetails
from exporter.errors import ApiError
from exporter.explanation.case import Case
from exporter.explanation.metrics import WHY, Metric, metrics
from exporter.records import Record
from exporter.state import TaskState
from tests.explanation.cases import CLOCK, NOW, case, listed, record
from tests.states import task_states

UNREAD = "Absent: its records could not be read."


def why(name: str, *records: Record, **changes: Any) -> str:
    """The sentence about a metric of such a task."""
    found = {metric.name: metric for metric in metrics(case(*records, **changes))}
    return found[f"workspace_task_{name}"].why


def test_every_metric_of_the_catalogue_is_explained() -> None:
    """None is left out, and none is explained that does not exist."""
    assert [f"workspace_task_{name}" for name in WHY] == [metric.name for metric in TASK_METRICS]


@given(task_states())
def test_the_samples_are_the_catalogues_own(state: TaskState) -> None:
    """As many as a scrape would have, of any task whatever its texts; and each metric has its sentence."""
    found = metrics(Case(state, Statuses(), NOW, 60.0, CLOCK))
    assert [len(metric.samples) for metric in found] == [len(list(m.samples(state))) for m in TASK_METRICS]
    assert all(metric.why for metric in found)
    absent = [metric for metric in found if not metric.samples]
    silent = {"workspace_task_last_run_result_num"}  # read, and no desktop failed
    assert all(metric.why.startswith(("Absent: ", "No ")) for metric in absent if metric.name not in silent)


def test_a_task_that_does_not_exist_has_one_metric() -> None:
    """As in the exposition."""
    assert metrics(case(found=False)) == (
        Metric(
            "workspace_task_found",
            (("", "0"),),
            "ListScheduledTasks does not hold the id, and ListScheduledTasksRecords says that it does not "
            "exist.",
        ),
    )


@pytest.mark.parametrize("field", ["success_num", "failed_num", "skip_num"])
def test_a_count_of_the_last_run(field: str) -> None:
    """From that field of its record; where the API gave none it is absent, and that is said."""
    given = record(60, "SUCCESS", 1, 0, 0)
    assert why(f"last_run_{field}", given) == (
        f"{field} of record r60, the finished run with the newest start."
    )
    assert why(f"last_run_{field}", record(60)) == f"Absent: record r60 has no usable {field}."
    assert why(f"last_run_{field}") == "Absent: no run has finished."
    assert why(f"last_run_{field}", history=None) == UNREAD


def test_the_status_of_the_last_run() -> None:
    """By which word and counts, of which record."""
    assert why("last_run_status", record(60)) == (
        "The word SUCCESS stands in `statuses.success`, and failed_num is absent: success. Record r60."
    )
    assert why("last_run_status") == "No run has finished."
    assert why("last_run_status", history=None) == UNREAD


def test_what_comes_from_the_desktops() -> None:
    """Only where those of the last run were read."""
    read = RunDetails("r60", 130.0, (("failed", "E1", 1),), ())
    details = "ListScheduledTasksRecordsDetails, record r60"
    assert why("last_run_duration_seconds", record(60), details=read) == (
        f"The newest end_time of the desktops less the run's start: {details}."
    )
    assert details in why("last_run_result_num", record(60), details=read)
    endless = RunDetails("r60", None, (), ())
    assert why("last_run_duration_seconds", record(60), details=endless).startswith(
        "Absent: no desktop of record r60"
    )
    for name in ("last_run_duration_seconds", "last_run_result_num"):
        absent = "Absent: the desktops of the last run were not read (`polling.details`, or there is none)."
        assert why(name, record(30), details=read) == absent
        assert why(name, details=read) == absent
        assert why(name, record(60)) == absent


def test_the_newest_start_and_the_runs_in_progress() -> None:
    """A run in progress is the newest, too."""
    running = [record(90), record(60, "RUNNING")]
    assert why("last_start_timestamp_seconds", *running).startswith(
        "start_time of the newest run, in progress or not: record r60:"
    )
    assert why("last_start_timestamp_seconds") == (
        "start_time of the newest run, in progress or not: no record."
    )
    assert why("running_runs", *running).startswith(
        "Records whose status is one of RUNNING, WAITING, INIT; the oldest: record r60:"
    )
    assert why("running_since_timestamp_seconds") == "No record's status is one of RUNNING, WAITING, INIT."


@pytest.mark.parametrize(
    ("records", "changes", "sentence"),
    [
        ([], {"history": None}, UNREAD),
        ([], {}, "Absent: no run that counts is due yet."),
        (
            [record(50)],
            {"expected_run": NOW - 60},
            "the newest occurrence due; the run of 2022-12-31 08:59:10 +08:00 covers it.",
        ),
        ([], {"expected_run": NOW - 60}, "the oldest occurrence due that no run covers."),
    ],
)
def test_the_expected_run(records: list[Record], changes: dict[str, Any], sentence: str) -> None:
    """Which occurrence it is, or why there is none."""
    assert why("expected_run_timestamp_seconds", *records, **changes).endswith(sentence)


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("schedule_period_seconds", {}, "ShowScheduledTasks: DAY at 08:00:00 day_interval 1"),
        ("schedule_period_seconds", {"schedule_period": None}, "Absent: the schedule has no two occurrences"),
        ("enabled", {}, "enable of ListScheduledTasks."),
        ("enabled", {"listing": None}, "Absent: ListScheduledTasks does not tell."),
        ("found", {}, "The list or its records show that it exists."),
        ("found", {"found": None}, "Absent: not known yet."),
        ("next_run_timestamp_seconds", {}, "Absent: ListScheduledTasks names none."),
        (
            "next_run_timestamp_seconds",
            {"listing": listed(next_run=NOW)},
            "next_execution_time of ListScheduledTasks.",
        ),
        ("last_poll_timestamp_seconds", {}, "When this look read its records."),
        ("last_poll_timestamp_seconds", {"last_poll": None}, "Absent: they were never read."),
        ("poll_success", {}, "Its records were read."),
        ("poll_success", {"poll_ok": None}, "Absent: its records were not asked for."),
        (
            "poll_success",
            {"poll_ok": False, "poll_error": ApiError("no answer", label="timeout")},
            "no answer",
        ),
        ("records", {}, "total_count of ListScheduledTasksRecords."),
        ("runs_total", {}, "Counted by a process from its first read on"),
    ],
)
def test_the_other_metrics(name: str, changes: dict[str, Any], sentence: str) -> None:
    """The field, or why there is no sample."""
    assert why(name, **changes).startswith(sentence)
