"""Queries of the dashboard: every selector carries the dashboard's variables, every name is in the catalogue.

Two replicas report the same tasks, so whatever is said of a task is `max by (project, task_id, task_name)`.
What is said of the exporter keeps the label `instance`, so that one replica in trouble is not hidden.
"""

from __future__ import annotations

from exporter.catalog import EXPORTER_METRICS, TASK_METRICS

TASK = "project, task_id, task_name"
STATES = ("success", "skipped", "unknown", "partial", "failed", "missed")
"""States of a task from good to bad; the number of each in `run_state` is its place, from 1."""

_TASK_NAMES = frozenset(metric.name for metric in TASK_METRICS)
_EXPORTER_NAMES = frozenset(
    metric.name + suffix
    for metric in EXPORTER_METRICS
    for suffix in (("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",))
)
_OWN_NAMES = frozenset({"up", "process_resident_memory_bytes", "process_cpu_seconds_total"})
_SCRAPED = ('job=~"$job"', 'instance=~"$instance"')
_PROJECT = 'project=~"$project"'
_TASK = 'task_name=~"$task"'


def of_task(metric: str, *matchers: str) -> str:
    """Return the selector of a task's metric; KeyError when the catalogue has no such name."""
    return _selector(_known(f"workspace_task_{metric}", _TASK_NAMES), *_SCRAPED, _PROJECT, _TASK, *matchers)


def of_project(metric: str, *matchers: str) -> str:
    """Return the selector of an exporter's metric with the label `project`; KeyError likewise."""
    name = _known(f"workspace_exporter_{metric}", _EXPORTER_NAMES)
    return _selector(name, *_SCRAPED, _PROJECT, *matchers)


def of_instance(metric: str, *matchers: str) -> str:
    """Return the selector of a whole exporter's metric, given by its full name; KeyError likewise."""
    return _selector(_known(metric, _EXPORTER_NAMES | _OWN_NAMES), *_SCRAPED, *matchers)


def recorded(name: str, *matchers: str) -> str:
    """Return the selector of a recording rule's series, which have lost `job` and `instance`."""
    return _selector(name, _PROJECT, *matchers)


def task_alerts() -> str:
    """Return the selector of the firing alerts of tasks."""
    return _selector("ALERTS", 'alertname=~"WorkspaceTask.+"', 'alertstate="firing"', _PROJECT, _TASK)


def all_alerts() -> str:
    """Return the selector of all firing alerts; some of the exporter's have no project, and none a task."""
    anything = ('project=~"$project|"', 'task_name=~"$task|"')
    return _selector("ALERTS", 'alertname=~"Workspace.*"', 'alertstate="firing"', *anything)


def each_task(metric: str, *matchers: str, by: str = TASK) -> str:
    """Return one sample for each task, whatever the number of replicas."""
    return f"max by ({by}) ({of_task(metric, *matchers)})"


def each_instance(metric: str, *, by: str = "instance, project") -> str:
    """Return one sample for each instance and project of an exporter's metric."""
    return f"max by ({by}) ({of_project(metric)})"


def last_status(status: str) -> str:
    """Return for each task whether its last run has this status: 1 or 0."""
    return each_task("last_run_status", f'status="{status}"')


def missed() -> str:
    """Return for each task with a schedule whether a run is overdue: 1 or 0.

    As the alert WorkspaceTaskRunMissed decides it: an occurrence that no run covers (one covers every
    occurrence up to a minute after its start), not even in data that was read after the end of grace.
    """
    expected, start = each_task("expected_run_timestamp_seconds"), each_task("last_start_timestamp_seconds")
    known, grace = each_task("last_poll_timestamp_seconds"), each_task("grace_seconds")
    return f"({expected} > bool {start} + 60) * ({expected} < bool {known} - {grace})"


def stuck() -> str:
    """Return for each task whether a run is in progress longer than its max_duration: 1 or 0."""
    since, limit = each_task("running_since_timestamp_seconds"), each_task("max_duration_seconds")
    return f"({since} > bool 0) * ({since} < bool time() - {limit})"


def run_state() -> str:
    """Return for each task the worst of what is true of it, as the place in STATES, from 1."""
    runs = (f"{number} * ({_last_run(state)} == 1)" for number, state in enumerate(STATES[:-1], start=1))
    return f"max by ({TASK}) ({' or '.join(runs)} or {len(STATES)} * (({missed()}) == 1))"


def least_successful(number: int) -> str:
    """Return the tasks with the least time after a success in the dashboard's range, and those missed now.

    A choice for each step of its own would let lines come and go; so the whole range is looked at, from
    its end.
    """
    share = f"avg_over_time({_last_run('success')}[$__range] @ end())"
    return f"bottomk({number}, max by (project, task_id) ({share})) or (({missed()}) == 1)"


def increase(selector: str) -> str:
    """Return what a counter gained in the width of a step (at least four scrapes)."""
    return f"increase({selector}[$__rate_interval])"


def rate(selector: str) -> str:
    """Return a counter's rate per second."""
    return f"rate({selector}[$__rate_interval])"


def _last_run(status: str) -> str:
    return of_task("last_run_status", f'status="{status}"')


def _selector(name: str, *matchers: str) -> str:
    return f"{name}{{{', '.join(matchers)}}}"


def _known(name: str, names: frozenset[str]) -> str:
    if name not in names:
        raise KeyError(f"the catalogue has no {name}")
    return name
