"""The first row: what is wrong now, what comes next, and what was."""

from __future__ import annotations

from tools.dashboard import panels, promql
from tools.dashboard.panels import Column, Frame, Panel, Query

MOST = 50
"""Tasks in the timeline; more lines than that nobody reads."""
_ALERTS = (
    "WorkspaceTaskRunFailed",
    "WorkspaceTaskRunPartiallyFailed",
    "WorkspaceTaskRunFailureSuperseded",
    "WorkspaceTaskFailingRepeatedly",
    "WorkspaceTaskRunsSkippedRepeatedly",
    "WorkspaceTaskRunMissed",
    "WorkspaceTaskRunStuck",
    "WorkspaceTaskNoRecentSuccess",
    "WorkspaceTaskStatusUnknown",
    "WorkspaceTaskNotFound",
    "WorkspaceTaskDisabled",
)
_SEVERITIES = panels.words(
    {
        "critical": ("critical", panels.BAD),
        "warning": ("warning", panels.WARNING),
        "info": ("info", panels.NEUTRAL),
    }
)
_COLORS = (panels.GOOD, "light-blue", "purple", panels.WARNING, panels.BAD, "dark-red")
STATE_WORDS = panels.words(
    {
        str(number): (state, color)
        for number, (state, color) in enumerate(zip(promql.STATES, _COLORS, strict=True), start=1)
    }
)
"""What `promql.run_state` says, in words and colours."""


def overview() -> list[Panel]:
    """Return the panels of the row, line by line of 24 grid units."""
    return [*_counts(), _alerts(), _ratio(1), _ratio(30), _timeline(), _statuses(), _next_runs()]


def _counts() -> list[Panel]:
    return [
        _count("Failed", "failed", "WorkspaceTaskRunFailed", panels.BAD),
        _count("Partial", "partial", "WorkspaceTaskRunPartiallyFailed", panels.WARNING),
        _tasks(
            "Missed",
            "Tasks that were due and whose run has not started within grace.",
            promql.missed(),
            "WorkspaceTaskRunMissed",
            panels.BAD,
        ),
        _tasks(
            "Stuck",
            "Tasks with a run in progress for longer than their max_duration.",
            promql.stuck(),
            "WorkspaceTaskRunStuck",
            panels.WARNING,
        ),
        _count("Skipped", "skipped", "WorkspaceTaskRunsSkippedRepeatedly", panels.WARNING),
        _count("Unknown status", "unknown", "WorkspaceTaskStatusUnknown", panels.WARNING),
        _tasks(
            "Not found",
            "Configured tasks that do not exist upstream.",
            f"1 - {promql.each_task('found')}",
            "WorkspaceTaskNotFound",
            panels.WARNING,
        ),
        _tasks(
            "Switched off",
            "Tasks that are disabled upstream.",
            f"1 - {promql.each_task('enabled')}",
            "WorkspaceTaskDisabled",
            panels.NEUTRAL,
        ),
    ]


def _count(title: str, status: str, runbook: str, color: str) -> Panel:
    told = f"Tasks whose last finished run has the status {status}. A run in progress changes nothing."
    return _tasks(title, told, promql.last_status(status), runbook, color)


def _tasks(title: str, description: str, truths: str, runbook: str, color: str) -> Panel:
    frame = Frame(title, description, "short", 3, 4, runbook)
    return panels.number(frame, Query(f"sum({truths})"), color=color)


def _alerts() -> Panel:
    """Return the table of firing alerts; the anchor is made by a mapping, since PromQL has no lower case."""
    frame = Frame(
        "Firing alerts",
        "Alerts of tasks that fire now. Needs the project's alert rules in Prometheus. "
        "Click a task to see only it, the last column for what to do.",
        "none",
        16,
        runbook="WorkspaceTaskRunFailed",
    )
    firing = f"max by (alertname, severity, {promql.TASK}) ({promql.task_alerts()})"
    return panels.rows(
        frame,
        Query(f'label_replace({firing}, "runbook", "$1", "alertname", "(.*)")'),
        columns=(
            Column(
                "severity",
                "Severity",
                mappings=[_SEVERITIES],
            ),
            Column("alertname", "Alert"),
            Column("project", "Project"),
            Column("task_name", "Task", link=panels.OF_ROW),
            Column(
                "runbook",
                "Runbook",
                link=f"{panels.RUNBOOKS}#${{__value.text}}",
                mappings=[panels.words({name: (name.lower(), panels.NEUTRAL) for name in _ALERTS})],
            ),
        ),
        sort="severity",
    )


def _ratio(days: int) -> Panel:
    frame = Frame(
        f"Desktops that succeeded, {days} d",
        f"Part of the desktops acted on in the last {days} d that succeeded, by project; skipped desktops "
        "count on neither side. From the project's recording rules; empty until runs have finished.",
        "percentunit",
        4,
    )
    series = promql.recorded(f"project:workspace_task_desktops:success_ratio{days}d")
    return panels.ratio(frame, Query(f"max by (project) ({series})", "{{project}}"))


def _timeline() -> Panel:
    frame = Frame(
        "State of the tasks",
        f"Status of each task's last run, or that a run is missed. The {MOST} tasks with the least time "
        "after a success in this range, and all that are missed. Narrow it by the variables, or click one.",
        "none",
        24,
        14,
    )
    query = f"{promql.run_state()} and on (project, task_id) ({promql.least_successful(MOST)})"
    return panels.timeline(frame, Query(query, "{{project}} / {{task_name}}"), mappings=STATE_WORDS)


def _statuses() -> Panel:
    frame = Frame(
        "Tasks by status of the last run",
        "How many tasks have a last run of each status; tasks with no finished run are in none of them.",
        "short",
        12,
    )
    tasks = promql.each_task("last_run_status", by=f"{promql.TASK}, status")
    return panels.lines(frame, Query(f"sum by (status) ({tasks})", "{{status}}"), bars=True)


def _next_runs() -> Panel:
    frame = Frame("Next runs", "The next 25 runs by the API's own plan.", panels.AS_TIME, 12)
    query = f"bottomk(25, {promql.each_task('next_run_timestamp_seconds')}) * 1000"
    return panels.rows(
        frame,
        Query(query),
        Query(query),
        columns=(
            Column("project", "Project"),
            Column("task_name", "Task", link=panels.OF_ROW),
            Column("Value #A", "At", unit=panels.AS_TIME),
            Column("Value #B", "In", unit=panels.AS_DISTANCE),
        ),
        sort="Value #A",
    )
