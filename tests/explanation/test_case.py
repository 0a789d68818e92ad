"""Records, samples and rules in words."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config import Statuses
from exporter.explanation.case import braces
from exporter.history import Run, status_of
from exporter.records import Record
from tests.explanation.cases import DAILY, NOW, case, listed, record


@pytest.mark.parametrize(
    ("said", "reading"),
    [
        (("FAIL", 3, 0, 0), "The word FAIL stands in `statuses.failed`: failed, whatever the counts."),
        (("SUCCESS", 3, 0), "The word SUCCESS stands in `statuses.success`, and failed_num is 0: success."),
        (("skip",), "The word skip stands in `statuses.skipped`, and failed_num is absent: skipped."),
        (
            ("SUCCESS", 2, 1),
            (
                "The word SUCCESS stands in `statuses.success`, but failed_num is 1 and success_num 2, and "
                "counts can make it worse: partial."
            ),
        ),
        (
            ("SKIP", None, 4),
            (
                "The word SKIP stands in `statuses.skipped`, but failed_num is 4 and success_num absent, and "
                "counts can make it worse: failed."
            ),
        ),
        (("HALTED", 1, 1), "The word HALTED stands in no class of `statuses`: unknown."),
        (("",), "The empty word stands in no class of `statuses`: unknown."),
        (("RUNNING", 1), "The word RUNNING stands in `statuses.running`: the run is in progress."),
    ],
)
def test_how_a_status_follows_from_a_record(said: tuple[Any, ...], reading: str) -> None:
    """The contract's table, a sentence for each of its fields."""
    run = Record("r", NOW, *said)
    assert case().reading(Run(run, status_of(run, Statuses()))) == reading


def test_a_record_is_told_by_the_names_of_the_api() -> None:
    """What is absent is called so, never 0."""
    assert case().record(record(0, "SUCCESS", 2, 0)) == (
        "record r0: start_time 2022-12-31 09:00:00 +08:00, status SUCCESS, success_num 2, failed_num 0, "
        "skip_num absent"
    )
    assert "status absent" in case().record(record(0, ""))


def test_a_record_that_is_no_longer_among_the_recent_ones() -> None:
    """Only its start is known then."""
    assert case().record_started(NOW) == "a record with start_time 2022-12-31 09:00:00 +08:00"


def test_samples_are_those_of_the_catalogue() -> None:
    """With the metric's own labels, and what a number means beside it."""
    task = case(record(60, "FAIL", 0, 3))
    assert task.samples("workspace_task_last_run_status", "failed") == (
        'workspace_task_last_run_status{status="failed"} 1',
    )
    assert len(task.samples("workspace_task_last_run_status")) == 5
    assert task.samples("workspace_task_last_run_start_timestamp_seconds") == (
        "workspace_task_last_run_start_timestamp_seconds 1672448340 (2022-12-31 08:59:00 +08:00)",
    )
    assert task.samples("workspace_task_grace_seconds") == ("workspace_task_grace_seconds 900 (15m)",)
    assert task.samples("workspace_task_running_since_timestamp_seconds") == (
        "workspace_task_running_since_timestamp_seconds 0 (none)",
    )
    assert task.samples("workspace_task_last_run_skip_num") == ()
    assert task.value("workspace_task_records", 0.5) == "0.500"


def test_labels_are_escaped_as_the_exposition_format_does() -> None:
    """A quote in a result code does not end the label."""
    assert (
        braces(("outcome", "result_code"), ("failed", 'a"\\')) == '{outcome="failed",result_code="a\\"\\\\"}'
    )
    assert braces((), ()) == ""


def test_a_row_of_runs_is_told_by_days() -> None:
    """Runs alike in a row stand together, the oldest first."""
    day = 86_400
    runs = [record(5 * day), record(4 * day), record(3 * day, "FAIL"), record(60, "RUNNING")]
    assert case(*runs).row() == (
        "2 success (2022-12-26 to 2022-12-27), 1 failed (2022-12-28), 1 running (2022-12-31)"
    )
    assert case().row() == "no record"


@pytest.mark.parametrize(
    ("next_run", "sentence"),
    [
        (NOW + 60, " The next one is planned for 2022-12-31 09:01:00 +08:00."),
        (NOW - 60, ""),
        (None, ""),
    ],
)
def test_the_next_run_is_told_while_it_lies_ahead(next_run: float | None, sentence: str) -> None:
    """What the list still says of one that has passed would mislead."""
    assert case(listing=listed(next_run=next_run)).next_run() == sentence


def test_a_schedule_in_the_words_of_the_api() -> None:
    """The fields that it has, and what is known without them."""
    assert case().schedule() == "DAY at 08:00:00 day_interval 1 in Asia/Shanghai"
    assert case(schedule=None).schedule() == "DAY"
    assert case(schedule=None, listing=None).schedule() == "a schedule that could not be read"


def test_a_task_that_was_never_read() -> None:
    """Nothing is known of its runs, and nothing is made up."""
    task = case(history=None, last_poll=None)
    assert (task.last, task.last_status, task.last_start, task.recent) == (None, None, 0.0, ())
    assert task.newest("success") == 0.0
    assert task.known_at == NOW
    assert task.row() == "no record"


def test_a_triggered_task_is_known_by_its_type() -> None:
    """Compared without case and blanks."""
    assert case(listing=listed(scheduled_type=" life_cycle ")).triggered
    assert not case(schedule=DAILY).triggered
