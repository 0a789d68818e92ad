"""The alerts about what a task's runs did. Pure.

Each function tells why its alert fires where it does, and otherwise, in `what`, why not. Whether it does is
decided elsewhere (`exporter.judgement`).
"""

from __future__ import annotations

from dataclasses import replace

from exporter.durations import format_duration
from exporter.explanation.case import RECORDS, Case, Why
from exporter.history import RunStatus
from exporter.judgement import FAILING_REPEATEDLY, SKIPPED_REPEATEDLY

_TWO_DAYS = 2 * 86_400.0


def failed(case: Case) -> Why:
    """WorkspaceTaskRunFailed."""
    return _last_run(case, "failed", f"failed{_on_desktops(case)}")


def partial(case: Case) -> Why:
    """WorkspaceTaskRunPartiallyFailed."""
    return _last_run(case, "partial", f"failed{_on_desktops(case)} and succeeded on others")


def unknown(case: Case) -> Why:
    """WorkspaceTaskStatusUnknown."""
    why = _last_run(case, "unknown", "ended with a word that the configuration does not know")
    return replace(why, ends="The word is put into a class of `statuses`, or a newer run has a known one.")


def superseded(case: Case) -> Why:
    """WorkspaceTaskRunFailureSuperseded."""
    statuses: tuple[RunStatus, ...] = ("failed", "partial")
    for status in statuses:
        newest = case.newest(status)
        if newest > case.now - _TWO_DAYS and case.last_status != status:
            ran = f"the run of {case.clock(newest)} was {status} and is not the last one"
            return Why(f"{ran}: it fires for an hour where no scrape saw that run as the last", unsure=True)
    return Why("no failed run of the last two days was followed by another")


def failing_repeatedly(case: Case) -> Why:
    """WorkspaceTaskFailingRepeatedly."""
    count = case.history.consecutive_unsuccessful if case.history else 0
    if count < FAILING_REPEATEDLY:
        return Why(f"{count} unsuccessful runs since the newest success; {FAILING_REPEATEDLY} are needed")
    success = case.newest("success")
    since = f"since the success of {case.clock(success)}" if success else "and no success can be read"
    return Why(
        what=f"{count} runs failed, wholly or in part, {since}.",
        samples=case.samples("workspace_task_consecutive_unsuccessful_runs"),
        rule=f"{FAILING_REPEATEDLY} or more; skipped and unknown runs neither count nor end the row.",
        source=f"{RECORDS}: {case.row()}",
        ends=f"A run succeeds on every desktop.{case.next_run()}",
    )


def skipped_repeatedly(case: Case) -> Why:
    """WorkspaceTaskRunsSkippedRepeatedly."""
    count = case.history.consecutive_skipped if case.history else 0
    if count < SKIPPED_REPEATEDLY:
        return Why(f"{count} skipped runs in a row; {SKIPPED_REPEATEDLY} are needed")
    return Why(
        what=f"The last {count} runs were skipped.",
        samples=case.samples("workspace_task_consecutive_skipped_runs"),
        rule=f"{SKIPPED_REPEATEDLY} or more in a row. Desktops in use are skipped unless the task is forced.",
        source=f"{RECORDS}: {case.row()}",
        ends=f"A run is not skipped.{case.next_run()}",
    )


def stuck(case: Case) -> Why:
    """WorkspaceTaskRunStuck."""
    since = case.history.running_since if case.history else 0.0
    if not since:
        return Why("no run is in progress")
    until, allowed = case.clock(since + case.state.max_duration), format_duration(case.state.max_duration)
    return Why(
        what=f"A run is in progress since {case.clock(since)}; it has {allowed}, until {until}.",
        samples=(
            *case.samples("workspace_task_running_since_timestamp_seconds"),
            *case.samples("workspace_task_max_duration_seconds"),
        ),
        rule=f"In progress for longer than max_duration ({allowed}), which ended {until}.",
        source=f"{RECORDS}: {case.record_started(since)}",
        ends=f"The run ends: its status is none of {', '.join(case.statuses.running)} any more.",
    )


def _last_run(case: Case, status: RunStatus, did: str) -> Why:
    if case.last is None:
        return Why("no run has finished")
    start = case.clock(case.last.record.start)
    if case.last_status != status:
        return Why(f"the last run, started {start}, is {case.last_status}")
    return Why(
        what=f"The last run, started {start}, {did}.",
        samples=(
            *case.samples("workspace_task_last_run_status", status),
            *case.samples("workspace_task_last_run_failed_num"),
        ),
        rule=f"{case.reading(case.last)} The last run is the finished one with the newest start.",
        source=f"{RECORDS}: {case.record(case.last.record)}",
        ends=f"A newer run ends otherwise.{case.next_run()}",
    )


def _on_desktops(case: Case) -> str:
    count = case.last.record.failed_num if case.last else None
    return "" if count is None else f" on {count} desktop{'' if count == 1 else 's'}"
