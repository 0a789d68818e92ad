"""The alerts about what did not happen, and about the task itself. Pure.

As in `explanation.runs`: why an alert fires where it does, and otherwise, in `what`, why not.
"""

from __future__ import annotations

from exporter.durations import format_duration
from exporter.explanation.case import LIST, RECORDS, SCHEDULE, Case, Why
from exporter.judgement import is_stale
from exporter.schedule import EARLY_START_SECONDS


def missed(case: Case) -> Why:
    """WorkspaceTaskRunMissed."""
    expected = case.state.expected_run
    if expected is None:
        return Why(nothing_expected(case))
    due, until = f"a run was due {case.clock(expected)}", case.clock(expected + case.state.grace)
    if expected <= case.last_start + EARLY_START_SECONDS:
        return Why(f"{due}, and the run started {case.clock(case.last_start)} covers it")
    if case.state.enabled is False or is_stale(case.state, case.now, case.interval):
        return Why(f"{due}, but {_muted(case)}")
    if case.known_at <= expected + case.state.grace:
        return Why(f"{due} and may start until {until}")
    newest = (
        f"The newest run started {case.clock(case.last_start)}" if case.last_start else "No run has started"
    )
    return Why(
        what=f"A run was due {case.clock(expected)}, and none has started.",
        samples=(
            *case.samples("workspace_task_expected_run_timestamp_seconds"),
            *case.samples("workspace_task_last_start_timestamp_seconds"),
            *case.samples("workspace_task_grace_seconds"),
        ),
        rule=(
            f"It could start until {until} ({format_duration(case.state.grace)} of grace). {newest}, and a "
            f"run covers what is due up to {EARLY_START_SECONDS:.0f} s after its start."
        ),
        source=f"{schedule_source(case)}; {RECORDS}: {newest_record(case)}",
        ends=f"A run starts (a due time alone ends nothing), or the schedule is edited.{case.next_run()}",
    )


def no_recent_success(case: Case) -> Why:
    """WorkspaceTaskNoRecentSuccess."""
    if case.last_status in {None, "success", "partial"}:
        return Why(f"the last run is {case.last_status}" if case.last else "no run has finished")
    if case.state.enabled is False or is_stale(case.state, case.now, case.interval):
        return Why(_muted(case))
    newest, period = case.newest("success", "partial"), case.state.schedule_period
    allowed = 2 * (period or 0.0) + case.state.max_duration
    if newest and not period:
        return Why(f"a run succeeded {case.clock(newest)}, and without a period nothing is too long ago")
    if newest >= case.known_at - allowed:
        return Why(f"a run succeeded {case.clock(newest)}, which is within {format_duration(allowed)}")
    success = f"The newest success, whole or in part, is of {case.clock(newest)}."
    return Why(
        what=success if newest else "No run that can be read succeeded, even in part.",
        samples=(
            *case.samples("workspace_task_status_last_timestamp_seconds", "success"),
            *case.samples("workspace_task_status_last_timestamp_seconds", "partial"),
            *case.samples("workspace_task_schedule_period_seconds"),
        ),
        rule=(
            "Runs finish, but none well for two periods and max_duration "
            f"({format_duration(allowed)} in all), or never."
        ),
        source=f"{RECORDS}: {case.row()}",
        ends=f"A run succeeds, wholly or in part.{case.next_run()}",
    )


def not_found(case: Case) -> Why:
    """WorkspaceTaskNotFound."""
    if case.state.found is not False:
        return Why("the task exists")
    return Why(
        what="The configuration names a task that does not exist.",
        samples=case.samples("workspace_task_found"),
        rule="An explicit task that the list does not hold, and of whose records the API says the same.",
        source=f"{LIST}: no entry with id {case.state.task_id}; {RECORDS}: it does not exist",
        ends="The id or its project is corrected in the configuration, or the task is taken out of it.",
    )


def disabled(case: Case) -> Why:
    """WorkspaceTaskDisabled."""
    if case.state.enabled is None:
        return Why("the list does not say whether the task is switched on")
    if case.state.enabled:
        return Why("the task is switched on")
    return Why(
        "the task is switched off: it fires where Prometheus saw it on within the last day", unsure=True
    )


def nothing_expected(case: Case) -> str:
    """Why no run is expected."""
    if case.state.enabled is False:
        return "the task is switched off, so no run is expected"
    if case.triggered:
        return "an event starts the task, so no time is expected"
    if case.state.schedule is None and case.state.next_run is None:
        return "its schedule could not be read, so nobody knows when a run is due"
    return "no run that counts is due yet"


def newest_record(case: Case) -> str:
    """The record of the newest run."""
    return case.record_started(case.last_start) if case.last_start else "no record"


def schedule_source(case: Case) -> str:
    """From where it is known when runs are due."""
    return f"{SCHEDULE}: {case.schedule()}" if case.state.schedule else f"{LIST}: next_execution_time"


def _muted(case: Case) -> str:
    """Why nothing that did not happen is reported of it."""
    if case.state.enabled is False:
        return "the task is switched off"
    return f"its records were last read {case.clock(case.known_at)}, too long ago to tell"
