"""The alerts about what did not happen, and about the task itself."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.explanation import absence
from exporter.explanation.case import Why
from exporter.records import Record
from tests.explanation.cases import DAY, NOW, case, listed, record


def test_a_missed_run_from_the_page_to_the_field() -> None:
    """When it was due, by which schedule, until when it could start, and what started last."""
    task = case(record(25 * 3600, "SUCCESS", 9, 0, 0), expected_run=NOW - 3600)
    assert absence.missed(task) == Why(
        what="A run was due 2022-12-31 08:00:00 +08:00, and none has started.",
        samples=(
            "workspace_task_expected_run_timestamp_seconds 1672444800 (2022-12-31 08:00:00 +08:00)",
            "workspace_task_last_start_timestamp_seconds 1672358400 (2022-12-30 08:00:00 +08:00)",
            "workspace_task_grace_seconds 900 (15m)",
        ),
        rule=(
            "It could start until 2022-12-31 08:15:00 +08:00 (15m of grace). The newest run started "
            "2022-12-30 08:00:00 +08:00, and a run covers what is due up to 60 s after its start."
        ),
        source=(
            "ShowScheduledTasks: DAY at 08:00:00 day_interval 1 in Asia/Shanghai; ListScheduledTasksRecords: "
            "record r90000: start_time 2022-12-30 08:00:00 +08:00, status SUCCESS, success_num 9, "
            "failed_num 0, skip_num 0"
        ),
        ends="A run starts (a due time alone ends nothing), or the schedule is edited.",
    )


def test_a_task_that_missed_its_very_first_run() -> None:
    """There is no record to point at, and no schedule but what the list announced."""
    why = absence.missed(case(expected_run=NOW - 3600, schedule=None))
    assert "No run has started, and a run covers" in why.rule
    assert why.source == "ListScheduledTasks: next_execution_time; ListScheduledTasksRecords: no record"


@pytest.mark.parametrize(
    ("records", "changes", "what"),
    [
        ([], {"expected_run": None, "listing": listed(enabled=False)}, "the task is switched off, so no run"),
        ([], {"listing": listed(scheduled_type="LIFE_CYCLE")}, "an event starts the task, so no time"),
        ([], {"schedule": None}, "its schedule could not be read, so nobody knows"),
        ([], {}, "no run that counts is due yet"),
        ([], {"schedule": None, "listing": listed(next_run=NOW + 60)}, "no run that counts is due yet"),
        (
            [record(3590)],
            {"expected_run": NOW - 3600},
            "a run was due 2022-12-31 08:00:00 +08:00, and the run started 2022-12-31 08:00:10 +08:00 covers",
        ),
        (
            [],
            {"expected_run": NOW - 60},
            "a run was due 2022-12-31 08:59:00 +08:00 and may start until 2022-12-31 09:14:00 +08:00",
        ),
        (
            [],
            {"expected_run": NOW - 7200, "last_poll": NOW - 3600},
            "a run was due 2022-12-31 07:00:00 +08:00, but its records were last read 2022-12-31 08:00:00",
        ),
        (
            [],
            {"expected_run": NOW - 7200, "listing": listed(enabled=False)},
            "a run was due 2022-12-31 07:00:00 +08:00, but the task is switched off",
        ),
    ],
)
def test_why_no_run_is_missed(records: list[Record], changes: dict[str, Any], what: str) -> None:
    """Each way in which nothing is missing, or nobody can tell, has its sentence."""
    why = absence.missed(case(*records, **changes))
    assert why.what.startswith(what)
    assert not why.samples


def test_no_success_for_two_periods() -> None:
    """The newest one, the limit, and the row."""
    why = absence.no_recent_success(case(record(5 * DAY), record(DAY, "FAIL")))
    assert why.what == "The newest success, whole or in part, is of 2022-12-26 09:00:00 +08:00."
    assert [sample.split()[0] for sample in why.samples] == [
        'workspace_task_status_last_timestamp_seconds{status="success"}',
        'workspace_task_status_last_timestamp_seconds{status="partial"}',
        "workspace_task_schedule_period_seconds",
    ]
    assert "(2d2h in all)" in why.rule
    assert absence.no_recent_success(case(record(DAY, "FAIL"))).what == (
        "No run that can be read succeeded, even in part."
    )


@pytest.mark.parametrize(
    ("records", "changes", "what"),
    [
        ([], {}, "no run has finished"),
        ([record(60)], {}, "the last run is success"),
        ([record(60, "SUCCESS", 1, 1)], {}, "the last run is partial"),
        ([record(60, "FAIL")], {"listing": listed(enabled=False)}, "the task is switched off"),
        ([record(9999, "FAIL")], {"last_poll": NOW - 3600}, "its records were last read 2022-12-31 08:00:00"),
        (
            [record(9 * DAY), record(60, "FAIL")],
            {"schedule_period": None},
            "a run succeeded 2022-12-22 09:00:00 +08:00, and without a period nothing is too long ago",
        ),
        (
            [record(DAY), record(60, "FAIL")],
            {},
            "a run succeeded 2022-12-30 09:00:00 +08:00, which is within 2d2h",
        ),
    ],
)
def test_why_success_is_recent_enough(records: list[Record], changes: dict[str, Any], what: str) -> None:
    """Each way in which nothing is missing, or nobody can tell, has its sentence."""
    why = absence.no_recent_success(case(*records, **changes))
    assert why.what.startswith(what)
    assert not why.samples


def test_a_task_that_does_not_exist() -> None:
    """Both operations that say so are named."""
    why = absence.not_found(case(found=False))
    assert why.samples == ("workspace_task_found 0",)
    assert why.source == (
        "ListScheduledTasks: no entry with id 8d2e; ListScheduledTasksRecords: it does not exist"
    )
    assert absence.not_found(case()).what == "the task exists"


@pytest.mark.parametrize(
    ("enabled", "what", "unsure"),
    [
        (True, "the task is switched on", False),
        (False, "the task is switched off: it fires where Prometheus saw it on within the last day", True),
        (None, "the list does not say whether the task is switched on", False),
    ],
)
def test_a_task_that_is_switched_off(enabled: bool | None, what: str, unsure: bool) -> None:  # noqa: FBT001 - a table
    """When it was switched off, one look cannot tell."""
    assert absence.disabled(case(listing=listed(enabled=enabled))) == Why(what, unsure=unsure)
