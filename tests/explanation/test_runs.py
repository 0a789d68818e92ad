"""The alerts about what a task's runs did."""

from __future__ import annotations

import pytest

from exporter.explanation import runs
from exporter.explanation.case import Why
from tests.explanation.cases import DAY, NOW, case, listed, record


def test_a_failed_run_from_the_page_to_the_field() -> None:
    """What failed, the sample, the rule, the record, and what ends it."""
    task = case(record(3600, "FAIL", 0, 3, 1), listing=listed(next_run=NOW + 3600))
    assert runs.failed(task) == Why(
        what="The last run, started 2022-12-31 08:00:00 +08:00, failed on 3 desktops.",
        samples=(
            'workspace_task_last_run_status{status="failed"} 1',
            "workspace_task_last_run_failed_num 3",
        ),
        rule=(
            "The word FAIL stands in `statuses.failed`: failed, whatever the counts. The last run is the "
            "finished one with the newest start."
        ),
        source=(
            "ListScheduledTasksRecords: record r3600: start_time 2022-12-31 08:00:00 +08:00, status FAIL, "
            "success_num 0, failed_num 3, skip_num 1"
        ),
        ends="A newer run ends otherwise. The next one is planned for 2022-12-31 10:00:00 +08:00.",
    )


def test_a_run_in_progress_does_not_hide_the_failed_one() -> None:
    """The last run is the newest that has finished."""
    assert runs.failed(case(record(7200, "FAIL"), record(60, "RUNNING"))).what == (
        "The last run, started 2022-12-31 07:00:00 +08:00, failed."
    )


def test_a_partial_run_names_how_many_desktops_failed() -> None:
    """One desktop is one, not "1 desktops"."""
    assert runs.partial(case(record(60, "SUCCESS", 2, 1))).what == (
        "The last run, started 2022-12-31 08:59:00 +08:00, failed on 1 desktop and succeeded on others."
    )


def test_an_unknown_word_is_ended_by_the_configuration_or_another_run() -> None:
    """The word itself stands in the source."""
    why = runs.unknown(case(record(60, "HALTED")))
    assert "status HALTED" in why.source
    assert why.ends == "The word is put into a class of `statuses`, or a newer run has a known one."


def test_no_alert_of_the_last_run_without_one() -> None:
    """A task that never ran, or whose last run ended otherwise, says so."""
    assert runs.failed(case()).what == "no run has finished"
    assert runs.partial(case(record(60))).what == (
        "the last run, started 2022-12-31 08:59:00 +08:00, is success"
    )


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("FAIL", "SUCCESS"), "the run of 2022-12-31 08:58:20 +08:00 was failed and is not the last one"),
        (("FAIL", "FAIL"), "no failed run of the last two days was followed by another"),
        (("SUCCESS",), "no failed run of the last two days was followed by another"),
    ],
)
def test_a_superseded_failure_cannot_be_told_from_one_look(words: tuple[str, ...], what: str) -> None:
    """Whether a scrape saw the failed run as the last one, only Prometheus knows."""
    why = runs.superseded(case(*(record(100 - place, word) for place, word in enumerate(words))))
    assert why.what.startswith(what)
    assert why.unsure == (words == ("FAIL", "SUCCESS"))


def test_a_failure_of_long_ago_is_not_superseded() -> None:
    """After two days it is history."""
    assert not runs.superseded(case(record(2 * DAY + 1, "FAIL"), record(60))).unsure


def test_three_unsuccessful_runs_in_a_row() -> None:
    """Since when, and the row itself."""
    failures = [record(days * DAY, "FAIL") for days in (3, 2, 1)]
    why = runs.failing_repeatedly(case(record(4 * DAY), *failures))
    assert why.what == ("3 runs failed, wholly or in part, since the success of 2022-12-27 09:00:00 +08:00.")
    assert why.samples == ("workspace_task_consecutive_unsuccessful_runs 3",)
    assert why.source == (
        "ListScheduledTasksRecords: 1 success (2022-12-27), 3 failed (2022-12-28 to 2022-12-30)"
    )
    assert runs.failing_repeatedly(case(*failures)).what.endswith("and no success can be read.")
    assert runs.failing_repeatedly(case(*failures[:2])).what == (
        "2 unsuccessful runs since the newest success; 3 are needed"
    )


def test_two_skipped_runs_in_a_row() -> None:
    """Desktops in use are why."""
    why = runs.skipped_repeatedly(case(record(2 * DAY, "SKIP"), record(DAY, "SKIP")))
    assert why.what == "The last 2 runs were skipped."
    assert why.samples == ("workspace_task_consecutive_skipped_runs 2",)
    assert runs.skipped_repeatedly(case(record(DAY, "SKIP"))).what == (
        "1 skipped runs in a row; 2 are needed"
    )


def test_a_run_that_does_not_end() -> None:
    """Since when, for how long it may, and by which record."""
    why = runs.stuck(case(record(3 * 3600, "RUNNING")))
    assert why.what == (
        "A run is in progress since 2022-12-31 06:00:00 +08:00; it has 2h, until 2022-12-31 08:00:00 +08:00."
    )
    assert why.source.startswith("ListScheduledTasksRecords: record r10800:")
    assert why.ends == "The run ends: its status is none of RUNNING, WAITING, INIT any more."
    assert runs.stuck(case(record(60))).what == "no run is in progress"


def test_nothing_is_counted_of_a_task_that_was_never_read() -> None:
    """The functions hold without a history, too."""
    unread = case(history=None)
    assert runs.failing_repeatedly(unread).what.startswith("0 ")
    assert runs.skipped_repeatedly(unread).what.startswith("0 ")
    assert runs.stuck(unread).what == "no run is in progress"
