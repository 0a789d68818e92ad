"""Every metric once: name, type, help, labels, and the function that gives its samples (contract, section 5).

`TASK_METRICS` are pure functions of one task's state. `EXPORTER_METRICS` are kept by `telemetry`, which takes
names, help and labels from here. `docs/metrics.md` is written from this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from exporter.history import RUN_STATUSES, History, Run
from exporter.records import Record
from exporter.state import DESKTOP_RESULTS, TaskState

MetricType = Literal["gauge", "counter", "histogram"]
Sample = tuple[tuple[str, ...], float]
"""The values of a metric's further labels, in the catalogue's order, and the value."""

TASK_LABELS = ("project", "task_id", "task_name")


@dataclass(frozen=True, slots=True)
class TaskMetric:
    """One family with samples for each task; `labels` come on top of TASK_LABELS."""

    name: str
    type: MetricType
    help: str
    samples: Callable[[TaskState], Iterable[Sample]]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExporterMetric:
    """One family about the exporter itself."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ("project",)
    buckets: tuple[float, ...] = ()


def _gauge(name: str, text: str, value: Callable[[TaskState], float | None]) -> TaskMetric:
    """Return a gauge with one sample for each task, and none where the value is not known."""

    def samples(state: TaskState) -> Iterable[Sample]:
        found = value(state)
        return () if found is None else (((), found),)

    return TaskMetric(name, "gauge", text, samples)


def _of_history(value: Callable[[History], float]) -> Callable[[TaskState], float | None]:
    return lambda state: None if state.history is None else value(state.history)


def _last_run(state: TaskState) -> Run | None:
    return state.history.last if state.history else None


def _of_last(value: Callable[[Record], float | None]) -> Callable[[TaskState], float | None]:
    def read(state: TaskState) -> float | None:
        last = _last_run(state)
        return value(last.record) if last else None

    return read


def _last_status(state: TaskState) -> Iterable[Sample]:
    if state.history is None:
        return ()
    status = state.history.last.status if state.history.last else None
    return [((name,), float(name == status)) for name in RUN_STATUSES]


def _newest_by_status(state: TaskState) -> Iterable[Sample]:
    if state.history is None:
        return ()
    return [
        ((name,), start) for name, start in zip(RUN_STATUSES, state.history.newest_by_status, strict=True)
    ]


def _results(state: TaskState) -> Iterable[Sample]:
    last = _last_run(state)
    if state.details is None or last is None or last.record.id != state.details.run_id:
        return ()
    return [((outcome, code), number) for outcome, code, number in state.details.results]


def _duration(state: TaskState) -> float | None:
    last = _last_run(state)
    if state.details is None or last is None or last.record.id != state.details.run_id:
        return None
    return state.details.duration


def _info(state: TaskState) -> Iterable[Sample]:
    said = (state.project_id, state.task_type, state.scheduled_type, state.life_cycle_type, state.time_zone)
    return ((said, 1.0),)


def _runs_total(state: TaskState) -> Iterable[Sample]:
    return [((status,), number) for status, number in zip(RUN_STATUSES, state.counts.runs, strict=True)]


def _desktops_total(state: TaskState) -> Iterable[Sample]:
    return [((result,), n) for result, n in zip(DESKTOP_RESULTS, state.counts.desktops, strict=True)]


def _truth(value: bool | None) -> float | None:  # noqa: FBT001 - a value to convert
    return None if value is None else float(value)


TASK_METRICS: tuple[TaskMetric, ...] = (
    _gauge(
        "workspace_task_last_run_success_num",
        "Desktops that the last run finished successfully; absent when the API gave no count.",
        _of_last(lambda record: record.success_num),
    ),
    _gauge(
        "workspace_task_last_run_failed_num",
        "Desktops that failed in the last run; absent when the API gave no count.",
        _of_last(lambda record: record.failed_num),
    ),
    _gauge(
        "workspace_task_last_run_skip_num",
        "Desktops that the last run skipped; absent when the API gave no count.",
        _of_last(lambda record: record.skip_num),
    ),
    TaskMetric(
        "workspace_task_last_run_status",
        "gauge",
        "1 for the status of the last finished run, 0 for the others; all 0 when no run has finished.",
        _last_status,
        ("status",),
    ),
    _gauge(
        "workspace_task_last_run_start_timestamp_seconds",
        "Start of the last finished run; absent when none has finished.",
        _of_last(lambda record: record.start),
    ),
    _gauge(
        "workspace_task_last_run_duration_seconds",
        "From the start of the last run to the end of its last desktop; absent without details.",
        _duration,
    ),
    TaskMetric(
        "workspace_task_last_run_result_num",
        "gauge",
        "Desktops of the last run by outcome and result code (the ten most frequent of each outcome).",
        _results,
        ("outcome", "result_code"),
    ),
    _gauge(
        "workspace_task_last_start_timestamp_seconds",
        "Start of the newest run, finished or in progress; 0 when there is none in the readable history.",
        _of_history(lambda history: history.last_start),
    ),
    TaskMetric(
        "workspace_task_status_last_timestamp_seconds",
        "gauge",
        "Start of the newest run with this status; 0 when there is none in the readable history.",
        _newest_by_status,
        ("status",),
    ),
    _gauge(
        "workspace_task_consecutive_unsuccessful_runs",
        "Newest finished runs that failed or were partial, back to the newest success.",
        _of_history(lambda history: history.consecutive_unsuccessful),
    ),
    _gauge(
        "workspace_task_consecutive_skipped_runs",
        "Newest finished runs in a row that were skipped.",
        _of_history(lambda history: history.consecutive_skipped),
    ),
    _gauge(
        "workspace_task_running_runs",
        "Runs in progress.",
        _of_history(lambda history: history.running),
    ),
    _gauge(
        "workspace_task_running_since_timestamp_seconds",
        "Start of the oldest run in progress; 0 when none is.",
        _of_history(lambda history: history.running_since),
    ),
    _gauge(
        "workspace_task_records",
        "Records that the API says it holds for the task (total_count).",
        _of_history(lambda history: history.total),
    ),
    _gauge(
        "workspace_task_history_truncated",
        "1 when newer records may exist than could be read.",
        _of_history(lambda history: float(history.truncated)),
    ),
    TaskMetric(
        "workspace_task_info",
        "gauge",
        "Always 1; what the task is, in the API's words.",
        _info,
        ("project_id", "task_type", "scheduled_type", "life_cycle_type", "time_zone"),
    ),
    _gauge(
        "workspace_task_enabled",
        "Whether the task is switched on; absent when the list of tasks cannot be read.",
        lambda state: _truth(state.enabled),
    ),
    _gauge(
        "workspace_task_found",
        "0 when the task does not exist upstream.",
        lambda state: _truth(state.found),
    ),
    _gauge(
        "workspace_task_next_run_timestamp_seconds",
        "The API's next_execution_time; absent when it gives none.",
        lambda state: state.next_run,
    ),
    _gauge(
        "workspace_task_expected_run_timestamp_seconds",
        "The oldest occurrence already due that no run covers; when all are covered, the newest one due.",
        lambda state: state.expected_run,
    ),
    _gauge(
        "workspace_task_schedule_period_seconds",
        "Longest gap between two occurrences of the schedule, in wall-clock days.",
        lambda state: state.schedule_period,
    ),
    _gauge(
        "workspace_task_grace_seconds",
        "How late a run of the task may start.",
        lambda state: state.grace,
    ),
    _gauge(
        "workspace_task_max_duration_seconds",
        "How long a run of the task may stay in progress.",
        lambda state: state.max_duration,
    ),
    TaskMetric(
        "workspace_task_runs_total",
        "counter",
        "Finished runs seen since the exporter started, each once, by status.",
        _runs_total,
        ("status",),
    ),
    TaskMetric(
        "workspace_task_desktops_total",
        "counter",
        "Desktops of the finished runs seen since the exporter started, by result.",
        _desktops_total,
        ("result",),
    ),
    _gauge(
        "workspace_task_last_poll_timestamp_seconds",
        "When the task's runs were last known to be current.",
        lambda state: state.last_poll,
    ),
    _gauge(
        "workspace_task_poll_success",
        "Whether the last attempt to read the task's records succeeded.",
        lambda state: _truth(state.poll_ok),
    ),
)

_PLACES = {metric.name: place for place, metric in enumerate(TASK_METRICS)}
FOUND = _PLACES["workspace_task_found"]
"""The one family that a task has which does not exist upstream; its place in TASK_METRICS."""
LAST_POLL = _PLACES["workspace_task_last_poll_timestamp_seconds"]
"""The one family that changes for every task in every cycle; its place in TASK_METRICS."""

POLL_SUCCESS = ExporterMetric(
    "workspace_exporter_poll_success",
    "gauge",
    "Whether the project's last cycle succeeded: the list, and the last read of every selected task.",
)
LAST_SUCCESSFUL_POLL = ExporterMetric(
    "workspace_exporter_last_successful_poll_timestamp_seconds",
    "gauge",
    "End of the project's last successful cycle; 0 until the first.",
)
POLL_DURATION = ExporterMetric(
    "workspace_exporter_poll_duration_seconds", "gauge", "How long the project's last cycle took."
)
POLL_INTERVAL = ExporterMetric(
    "workspace_exporter_poll_interval_seconds", "gauge", "Time between the starts of two cycles."
)
TASKS = ExporterMetric("workspace_exporter_tasks", "gauge", "Tasks of the project that are selected here.")
POLL_OVERRUNS = ExporterMetric(
    "workspace_exporter_poll_overruns_total", "counter", "Cycles that took longer than the interval."
)
API_REQUESTS = ExporterMetric(
    "workspace_exporter_api_requests_total",
    "counter",
    "Requests sent upstream, by operation and by HTTP status or kind of failure.",
    ("project", "operation", "code"),
)
API_REQUEST_DURATION = ExporterMetric(
    "workspace_exporter_api_request_duration_seconds",
    "histogram",
    "Time of one request upstream, body included.",
    ("project", "operation"),
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
API_RETRIES = ExporterMetric(
    "workspace_exporter_api_retries_total",
    "counter",
    "Requests that were sent again, by reason.",
    ("project", "reason"),
)
AUTH_SUCCESS = ExporterMetric(
    "workspace_exporter_auth_success", "gauge", "0 while the project's credentials are refused."
)
TOKEN_EXPIRY = ExporterMetric(
    "workspace_exporter_token_expiry_timestamp_seconds",
    "gauge",
    "When the credentials in use end; absent where unknown.",
    ("project", "kind"),
)
CLOCK_SKEW = ExporterMetric(
    "workspace_exporter_clock_skew_seconds", "gauge", "The API's Date header less the local clock."
)
RECORDS_REJECTED = ExporterMetric(
    "workspace_exporter_records_rejected_total",
    "counter",
    "Malformed entries of upstream's answers, each time one was met, by reason.",
    ("project", "reason"),
)
RELOAD_SUCCESSFUL = ExporterMetric(
    "workspace_exporter_config_last_reload_successful",
    "gauge",
    "Whether the last attempt to load the configuration succeeded.",
    (),
)
RELOAD_TIME = ExporterMetric(
    "workspace_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration in force was loaded.",
    (),
)
BUILD_INFO = ExporterMetric(
    "workspace_exporter_build_info",
    "gauge",
    "Always 1; the version that runs.",
    ("version", "revision", "python_version"),
)

EXPORTER_METRICS: tuple[ExporterMetric, ...] = (
    POLL_SUCCESS,
    LAST_SUCCESSFUL_POLL,
    POLL_DURATION,
    POLL_INTERVAL,
    TASKS,
    POLL_OVERRUNS,
    API_REQUESTS,
    API_REQUEST_DURATION,
    API_RETRIES,
    AUTH_SUCCESS,
    TOKEN_EXPIRY,
    CLOCK_SKEW,
    RECORDS_REJECTED,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    BUILD_INFO,
)
