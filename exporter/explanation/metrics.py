"""Every metric of a task: its samples, and why they have their values. Pure.

The samples are the catalogue's own; a sentence for each metric says from which record, field and rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.catalog import FOUND, TASK_METRICS
from exporter.explanation.absence import newest_record, nothing_expected, schedule_source
from exporter.explanation.case import DETAILS, LIST, RECORDS, SCHEDULE, Case, braces
from exporter.schedule import EARLY_START_SECONDS

_PREFIX = "workspace_task_"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: samples as (labels in braces, value in words), none where it is absent, and `why`."""

    name: str
    samples: tuple[tuple[str, str], ...]
    why: str


def metrics(case: Case) -> tuple[Metric, ...]:
    """Return every metric of a task, in the catalogue's order; of one that does not exist, what is left."""
    shown = TASK_METRICS if case.state.found is not False else (TASK_METRICS[FOUND],)
    return tuple(
        Metric(
            metric.name,
            tuple(
                (braces(metric.labels, labels), case.value(metric.name, value))
                for labels, value in metric.samples(case.state)
            ),
            WHY[metric.name.removeprefix(_PREFIX)](case),
        )
        for metric in shown
    )


def _of_last(case: Case, field: str) -> str:
    if case.history is None:
        return "Absent: its records could not be read."
    if case.last is None:
        return "Absent: no run has finished."
    record = case.last.record
    if getattr(record, field, 0) is None:
        return f"Absent: record {record.id} has no usable {field}."
    return f"{field} of record {record.id}, the finished run with the newest start."


def _of_history(text: Callable[[Case], str]) -> Callable[[Case], str]:
    return lambda case: text(case) if case.history else "Absent: its records could not be read."


def _last_status(case: Case) -> str:
    if case.last is None:
        return "No run has finished."
    return f"{case.reading(case.last)} Record {case.last.record.id}."


def _details(case: Case, said: str) -> str:
    details = case.state.details
    if case.last is None or details is None or details.run_id != case.last.record.id:
        return "Absent: the desktops of the last run were not read (`polling.details`, or there is none)."
    return said.format(record=details.run_id)


def _duration(case: Case) -> str:
    said = f"The newest end_time of the desktops less the run's start: {DETAILS}, record {{record}}."
    if case.state.details and case.state.details.duration is None:
        said = "Absent: no desktop of record {record} has an end_time that is not before its start."
    return _details(case, said)


def _results(case: Case) -> str:
    said = f"exec_status and result_code of the desktops: {DETAILS}, record {{record}}"
    return _details(case, f"{said}; `unread` is what its counts hold beyond them.")


def _newest(case: Case) -> str:
    return f"start_time of the newest run, in progress or not: {newest_record(case)}."


def _running(case: Case) -> str:
    words, since = ", ".join(case.statuses.running), case.history.running_since if case.history else 0.0
    if not since:
        return f"No record's status is one of {words}."
    return f"Records whose status is one of {words}; the oldest: {case.record_started(since)}."


def _expected(case: Case) -> str:
    expected = case.state.expected_run
    if expected is None:
        unread = "its records could not be read"
        return f"Absent: {nothing_expected(case) if case.history else unread}."
    if expected <= case.last_start + EARLY_START_SECONDS:
        covered = f"the newest occurrence due; the run of {case.clock(case.last_start)} covers it"
    else:
        covered = "the oldest occurrence due that no run covers"
    return f"{schedule_source(case)}: {covered}."


def _period(case: Case) -> str:
    if case.state.schedule_period is None:
        return "Absent: the schedule has no two occurrences, or could not be read."
    return f"{SCHEDULE}: {case.schedule()}; the longest gap between two occurrences, in whole days."


def _info(_: Case) -> str:
    return f"Always 1; the words of {LIST}, or else of {SCHEDULE}."


def _enabled(case: Case) -> str:
    return f"enable of {LIST}." if case.state.enabled is not None else f"Absent: {LIST} does not tell."


def _found(case: Case) -> str:
    if case.state.found is False:
        return f"{LIST} does not hold the id, and {RECORDS} says that it does not exist."
    return "The list or its records show that it exists." if case.state.found else "Absent: not known yet."


def _next_run(case: Case) -> str:
    return f"next_execution_time of {LIST}." if case.state.next_run else f"Absent: {LIST} names none."


def _counted(_: Case) -> str:
    return "Counted by a process from its first read on, so all 0 in a single look like this one."


def _last_poll(case: Case) -> str:
    return "When this look read its records." if case.state.last_poll else "Absent: they were never read."


def _poll_success(case: Case) -> str:
    if case.state.poll_ok is None:
        return "Absent: its records were not asked for."
    return str(case.state.poll_error) if case.state.poll_error else "Its records were read."


WHY: dict[str, Callable[[Case], str]] = {
    "last_run_success_num": lambda case: _of_last(case, "success_num"),
    "last_run_failed_num": lambda case: _of_last(case, "failed_num"),
    "last_run_skip_num": lambda case: _of_last(case, "skip_num"),
    "last_run_status": _of_history(_last_status),
    "last_run_start_timestamp_seconds": lambda case: _of_last(case, "start_time"),
    "last_run_duration_seconds": _duration,
    "last_run_result_num": _results,
    "last_start_timestamp_seconds": _of_history(_newest),
    "status_last_timestamp_seconds": _of_history(
        lambda _: f"start_time of the newest run of each status in {RECORDS}; 0: none can be read."
    ),
    "consecutive_unsuccessful_runs": _of_history(
        lambda case: f"Failed and partial runs back to the newest success; oldest first: {case.row()}."
    ),
    "consecutive_skipped_runs": _of_history(
        lambda case: f"Newest finished runs in a row that were skipped; oldest first: {case.row()}."
    ),
    "running_runs": _of_history(_running),
    "running_since_timestamp_seconds": _of_history(_running),
    "records": _of_history(lambda _: f"total_count of {RECORDS}."),
    "history_truncated": _of_history(
        lambda _: f"1 where {RECORDS} held back records that may be newer than those read."
    ),
    "info": _info,
    "enabled": _enabled,
    "found": _found,
    "next_run_timestamp_seconds": _next_run,
    "expected_run_timestamp_seconds": _expected,
    "schedule_period_seconds": _period,
    "grace_seconds": lambda _: "grace of the task in the configuration, or else of `defaults`.",
    "max_duration_seconds": lambda _: "max_duration of the task in the configuration, or else of `defaults`.",
    "runs_total": _counted,
    "desktops_total": _counted,
    "last_poll_timestamp_seconds": _last_poll,
    "poll_success": _poll_success,
}
"""The sentence for each metric of the catalogue, without their common prefix."""
