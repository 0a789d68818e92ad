"""The row of a project, repeated for each chosen one."""

from __future__ import annotations

from tools.dashboard import panels, promql
from tools.dashboard.panels import Column, Frame, Panel, Query

_CODES = "outcome, result_code"


def of_a_project() -> list[Panel]:
    """Return the panels of a project's row, which is repeated for each chosen project."""
    return [
        _project_ratio(),
        _project_desktops(),
        _project_runs(),
        _worst(),
        _project_codes(),
        _project_tasks(),
    ]


def _project_ratio() -> Panel:
    frame = Frame(
        "Desktops that succeeded",
        "Part of the desktops acted on in the last 1 d and 30 d that succeeded; skipped ones do not count.",
        "percentunit",
        8,
    )
    series = {
        days: promql.recorded(f"project:workspace_task_desktops:success_ratio{days}d") for days in (1, 30)
    }
    queries = (Query(f"max by (project) ({name})", f"{days} d") for days, name in series.items())
    return panels.lines(frame, *queries)


def _project_desktops() -> Panel:
    frame = Frame(
        "Desktops by result, within 5 m",
        "Desktops of the runs that finished within the last 5 minutes, by result, from the recording rules.",
        "short",
        8,
    )
    series = promql.recorded("project_result:workspace_task_desktops:increase5m")
    return panels.lines(frame, Query(f"max by (result) ({series})", "{{result}}"), bars=True)


def _project_runs() -> Panel:
    frame = Frame("Runs finished", "Runs that finished within a step, by status.", "short", 8)
    runs = f"max by (project, task_id, status) ({promql.increase(promql.of_task('runs_total'))})"
    return panels.lines(frame, Query(f"sum by (status) ({runs})", "{{status}}"), bars=True)


def _worst() -> Panel:
    frame = Frame(
        "Longest failing",
        "The 20 tasks with the most failed or partial runs in a row.",
        "short",
        10,
        runbook="WorkspaceTaskFailingRepeatedly",
    )
    return panels.rows(
        frame,
        Query(f"topk(20, {promql.each_task('consecutive_unsuccessful_runs')} > 0)"),
        columns=(*panels.TASK_COLUMNS, Column("Value", "Runs in a row")),
        sort="Value",
        descending=True,
    )


def _project_codes() -> Panel:
    frame = Frame(
        "Result codes",
        "Desktops of the tasks' last runs that failed or were skipped, by result code: the 20 most frequent.",
        "short",
        8,
        runbook="WorkspaceTaskRunFailed",
    )
    codes = promql.each_task("last_run_result_num", by=f"project, task_id, {_CODES}")
    return panels.rows(
        frame,
        Query(f"topk(20, sum by ({_CODES}) ({codes}))"),
        columns=(Column("outcome", "Outcome"), Column("result_code", "Code"), Column("Value", "Desktops")),
        sort="Value",
        descending=True,
    )


def _project_tasks() -> Panel:
    frame = Frame("Tasks by kind", "Tasks by what they do and when, in the API's words.", "short", 6)
    kinds = "task_type, scheduled_type"
    return panels.rows(
        frame,
        Query(f"count by ({kinds}) ({promql.each_task('info', by=f'project, task_id, {kinds}')})"),
        columns=(
            Column("task_type", "Action"),
            Column("scheduled_type", "Schedule"),
            Column("Value", "Tasks"),
        ),
        sort="Value",
        descending=True,
    )
