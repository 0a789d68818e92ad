"""The row about the chosen tasks: their runs, desktops and schedules."""

from __future__ import annotations

from tools.dashboard import panels, promql
from tools.dashboard.overview import STATE_WORDS
from tools.dashboard.panels import Column, Frame, Panel, Query

_NAME = "{{task_name}}"
_CODES = "outcome, result_code"


def of_tasks() -> list[Panel]:
    """Return the panels about the chosen tasks."""
    return [
        _history(),
        _last_run(),
        _desktops(),
        _desktops_by_result(),
        _runs_by_status(),
        _codes(),
        _durations(),
        _starts(),
        _schedule(),
        _newest(),
        _streaks(),
        _records(),
        _confirmed(),
    ]


def _history() -> Panel:
    frame = Frame(
        "Status history",
        "Status of the last run, or that a run is missed, at each step.",
        "none",
        24,
        runbook="WorkspaceTaskRunFailed",
    )
    return panels.history(frame, Query(promql.run_state(), _NAME), mappings=STATE_WORDS)


def _last_run() -> Panel:
    frame = Frame("Last run", "The last finished run of each task, with its counts of desktops.", "short", 24)
    values = (
        Column("Value #A", "State", mappings=[STATE_WORDS]),
        Column("Value #B", "Started", unit=panels.AS_TIME),
        Column("Value #C", "Took", unit="s"),
        Column("Value #D", "Succeeded"),
        Column("Value #E", "Failed"),
        Column("Value #F", "Skipped"),
        Column("Value #G", "In progress"),
    )
    queries = (
        promql.run_state(),
        f"{promql.each_task('last_run_start_timestamp_seconds')} * 1000",
        promql.each_task("last_run_duration_seconds"),
        promql.each_task("last_run_success_num"),
        promql.each_task("last_run_failed_num"),
        promql.each_task("last_run_skip_num"),
        promql.each_task("running_runs"),
    )
    shown = (*panels.TASK_COLUMNS, *values)
    return panels.rows(frame, *map(Query, queries), columns=shown, sort="Value #B", descending=True)


def _desktops() -> Panel:
    frame = Frame("Desktops of the last run", "Counts of the last finished run.", "short", 8)
    names = {"success": "succeeded", "failed": "failed", "skip": "skipped"}
    queries = (
        Query(promql.each_task(f"last_run_{name}_num"), f"{_NAME}: {word}") for name, word in names.items()
    )
    return panels.lines(frame, *queries)


def _desktops_by_result() -> Panel:
    frame = Frame(
        "Desktops finished",
        "Desktops of the runs that finished within a step, by result. Counted since the exporter started.",
        "short",
        8,
    )
    query = f"max by ({promql.TASK}, result) ({promql.increase(promql.of_task('desktops_total'))})"
    return panels.lines(frame, Query(query, f"{_NAME}: {{{{result}}}}"), bars=True)


def _runs_by_status() -> Panel:
    frame = Frame("Runs finished", "Runs that finished within a step, by status.", "short", 8)
    query = f"max by ({promql.TASK}, status) ({promql.increase(promql.of_task('runs_total'))})"
    return panels.lines(frame, Query(query, f"{_NAME}: {{{{status}}}}"), bars=True)


def _codes() -> Panel:
    frame = Frame(
        "Result codes of the last run",
        "Desktops that failed or were skipped, by the API's result code; `unread` are those without details.",
        "short",
        12,
        runbook="WorkspaceTaskRunFailed",
    )
    codes = (Column("outcome", "Outcome"), Column("result_code", "Code"), Column("Value", "Desktops"))
    query = promql.each_task("last_run_result_num", by=f"{promql.TASK}, {_CODES}")
    columns = (*panels.TASK_COLUMNS, *codes)
    return panels.rows(frame, Query(query), columns=columns, sort="Value", descending=True)


def _durations() -> Panel:
    frame = Frame(
        "Duration of runs",
        "How long the last run took, how long a run has been in progress, and how long one may be.",
        "s",
        12,
        runbook="WorkspaceTaskRunStuck",
    )
    return panels.lines(
        frame,
        Query(promql.each_task("last_run_duration_seconds"), f"{_NAME}: last run"),
        Query(
            f"time() - ({promql.each_task('running_since_timestamp_seconds')} > 0)",
            f"{_NAME}: in progress",
        ),
        Query(promql.each_task("max_duration_seconds"), f"{_NAME}: max_duration"),
    )


def _starts() -> Panel:
    frame = Frame(
        "Expected and last start",
        "How long ago the newest run started and how long ago one was expected. "
        "Where the expected one is younger, and older than grace, it is missed.",
        "s",
        12,
        runbook="WorkspaceTaskRunMissed",
    )
    return panels.lines(
        frame,
        Query(f"time() - ({promql.each_task('last_start_timestamp_seconds')} > 0)", f"{_NAME}: last start"),
        Query(f"time() - {promql.each_task('expected_run_timestamp_seconds')}", f"{_NAME}: expected"),
    )


def _schedule() -> Panel:
    frame = Frame(
        "Schedule",
        "When a run was expected, when the newest one started, when the next one is planned.",
        panels.AS_TIME,
        12,
        runbook="WorkspaceTaskRunMissed",
    )
    times = ("expected_run_timestamp_seconds", "last_start_timestamp_seconds", "next_run_timestamp_seconds")
    queries = (
        *(f"({promql.each_task(name)} > 0) * 1000" for name in times),
        promql.each_task("schedule_period_seconds"),
        promql.each_task("grace_seconds"),
        promql.each_task("enabled"),
    )
    values = (
        *(
            Column(f"Value #{place}", title, unit=panels.AS_TIME)
            for place, title in zip("ABC", ("Expected", "Last start", "Next run"), strict=True)
        ),
        Column("Value #D", "Period", unit="s"),
        Column("Value #E", "Grace", unit="s"),
        Column(
            "Value #F",
            "Enabled",
            mappings=[panels.words({"1": ("yes", panels.GOOD), "0": ("no", panels.NEUTRAL)})],
        ),
    )
    return panels.rows(frame, *map(Query, queries), columns=(*panels.TASK_COLUMNS, *values), sort="Value #C")


def _newest() -> Panel:
    frame = Frame(
        "Newest run of each status",
        "When a run with this status last started, as far as the readable history goes back.",
        panels.AS_TIME,
        8,
        runbook="WorkspaceTaskNoRecentSuccess",
    )
    newest = promql.each_task("status_last_timestamp_seconds", by=f"{promql.TASK}, status")
    return panels.rows(
        frame,
        Query(f"({newest} > 0) * 1000"),
        columns=(
            *panels.TASK_COLUMNS,
            Column("status", "Status"),
            Column("Value", "Started", unit=panels.AS_TIME),
        ),
        sort="Value",
        descending=True,
    )


def _streaks() -> Panel:
    frame = Frame(
        "Runs in a row without success",
        "Failed and partial runs since the newest success, and skipped runs in a row.",
        "short",
        8,
        runbook="WorkspaceTaskFailingRepeatedly",
    )
    return panels.lines(
        frame,
        Query(promql.each_task("consecutive_unsuccessful_runs"), f"{_NAME}: unsuccessful"),
        Query(promql.each_task("consecutive_skipped_runs"), f"{_NAME}: skipped"),
    )


def _records() -> Panel:
    frame = Frame(
        "Records",
        "Records that the API holds, red while newer ones may exist than could be read.",
        "short",
        8,
    )
    return panels.lines(
        frame,
        Query(promql.each_task("records"), f"{_NAME}: records"),
        Query(promql.each_task("history_truncated"), f"{_NAME}: truncated", flag=True),
    )


def _confirmed() -> Panel:
    frame = Frame(
        "Age of what is known",
        "Time since the task's runs were last known to be current; red while one's last read has failed.",
        "s",
        24,
        runbook="WorkspaceExporterPollFailing",
    )
    return panels.lines(
        frame,
        Query(f"time() - {promql.each_task('last_poll_timestamp_seconds')}", f"{_NAME}: age"),
        Query(f"1 - {promql.each_task('poll_success')}", f"{_NAME}: failed", flag=True),
    )
