"""The row about the exporter itself: is it up, does it poll, what does the API answer."""

from __future__ import annotations

from tools.dashboard import panels, promql
from tools.dashboard.panels import Column, Frame, Panel, Query

_WHO = "{{project}} on {{instance}}"
_PROJECT_INSTANCE = "instance, project"


def health() -> list[Panel]:
    """Return the panels of the row, line by line of 24 grid units."""
    return [*_states(), *_polling(), *_api(), *_credentials(), *_losses(), *_process()]


def _states() -> list[Panel]:
    up = Frame("Up", "Whether Prometheus reaches each exporter.", "none", 6, 6, "WorkspaceExporterDown")
    auth = Frame(
        "Sign-in", "Whether the credentials are accepted.", "none", 6, 6, "WorkspaceExporterAuthFailing"
    )
    reload = Frame(
        "Configuration",
        "Whether the last reload succeeded; otherwise the old configuration is in use.",
        "none",
        6,
        6,
        "WorkspaceExporterConfigReloadFailed",
    )
    reloads = promql.of_instance("workspace_exporter_config_last_reload_successful")
    return [
        panels.truth(
            up, Query(f"min by (instance) ({promql.of_instance('up')})", "{{instance}}"), yes="up", no="down"
        ),
        panels.truth(auth, Query(promql.each_instance("auth_success"), _WHO), yes="accepted", no="refused"),
        panels.truth(
            reload, Query(f"min by (instance) ({reloads})", "{{instance}}"), yes="loaded", no="failed"
        ),
        _versions(),
    ]


def _versions() -> Panel:
    frame = Frame("Versions", "What runs, and since when with its configuration.", panels.AS_TIME, 6, 6)
    build = promql.of_instance("workspace_exporter_build_info")
    loaded = promql.of_instance("workspace_exporter_config_last_reload_success_timestamp_seconds")
    versions = f"max by (instance, version, python_version, revision) ({build})"
    return panels.rows(
        frame,
        Query(f"{versions} * on (instance) group_left () (max by (instance) ({loaded}) * 1000)"),
        columns=(
            Column("instance", "Instance"),
            Column("version", "Version"),
            Column("revision", "Revision"),
            Column("python_version", "Python"),
            Column("Value", "Configured", unit=panels.AS_TIME),
        ),
        sort="instance",
    )


def _polling() -> list[Panel]:
    age = Frame(
        "Age of the last good cycle",
        "Time since the last cycle of each project that succeeded; it stays near the interval. "
        "Red while the last cycle of one has failed.",
        "s",
        8,
        runbook="WorkspaceExporterPollFailing",
    )
    cycle = Frame(
        "Duration of a cycle against the interval",
        "How long the last cycle took. Above the interval, cycles are left out.",
        "s",
        8,
    )
    tasks = Frame("Tasks", "Tasks that each exporter watches, by project.", "short", 8)
    good = promql.each_instance("last_successful_poll_timestamp_seconds")
    return [
        panels.lines(
            age,
            Query(f"time() - ({good} > 0)", _WHO),
            Query(f"1 - {promql.each_instance('poll_success')}", f"{_WHO}: failed", flag=True),
        ),
        panels.lines(
            cycle,
            Query(promql.each_instance("poll_duration_seconds"), _WHO),
            Query(promql.each_instance("poll_interval_seconds"), f"{_WHO}: interval"),
        ),
        panels.lines(tasks, Query(promql.each_instance("tasks"), _WHO)),
    ]


def _api() -> list[Panel]:
    codes = Frame(
        "API calls by code",
        "Requests a second, by HTTP status or kind of failure; of all replicas, since all burden the API.",
        "reqps",
        8,
        runbook="WorkspaceExporterPollFailing",
    )
    operations = Frame("API calls by operation", "Requests a second, by operation.", "reqps", 8)
    requests = promql.rate(promql.of_project("api_requests_total"))
    return [
        panels.lines(codes, Query(f"sum by (code) ({requests})", "{{code}}")),
        panels.lines(operations, Query(f"sum by (operation) ({requests})", "{{operation}}")),
        _retries(),
        _latency(),
        _latency_by_operation(),
    ]


def _retries() -> Panel:
    frame = Frame(
        "Retries and rate limit",
        "Requests that were sent again, by reason, and answers 429 (too many requests).",
        "reqps",
        8,
        runbook="WorkspaceExporterPollFailing",
    )
    limited = promql.rate(promql.of_project("api_requests_total", 'code="429"'))
    return panels.lines(
        frame,
        Query(
            f"sum by (reason) ({promql.rate(promql.of_project('api_retries_total'))})", "again: {{reason}}"
        ),
        Query(f"sum by (project) ({limited})", "429: {{project}}"),
    )


def _latency() -> Panel:
    frame = Frame(
        "Time of an API call", "Quantiles over all operations, and the mean; body included.", "s", 12
    )
    name = "api_request_duration_seconds"
    buckets = f"sum by (le) ({promql.rate(promql.of_project(f'{name}_bucket'))})"
    total, count = (f"sum({promql.rate(promql.of_project(f'{name}_{part}'))})" for part in ("sum", "count"))
    quantiles = (
        Query(f"histogram_quantile({quantile}, {buckets})", f"{quantile:.0%}")
        for quantile in (0.5, 0.9, 0.99)
    )
    return panels.lines(frame, *quantiles, Query(f"{total} / ({count} > 0)", "mean"))


def _latency_by_operation() -> Panel:
    frame = Frame("Time of an API call by operation", "95 % of the calls are faster; body included.", "s", 12)
    buckets = promql.rate(promql.of_project("api_request_duration_seconds_bucket"))
    query = f"histogram_quantile(0.95, sum by (operation, le) ({buckets}))"
    return panels.lines(frame, Query(query, "{{operation}}"))


def _credentials() -> list[Panel]:
    skew = Frame(
        "Clock skew",
        "The API's clock less the exporter's. From 15 minutes on, signed requests are refused.",
        "s",
        12,
        runbook="WorkspaceExporterClockSkew",
    )
    expiry = Frame(
        "Credentials end in",
        "Time until tokens and temporary keys end. Only a fixed token (kind token) is not renewed by itself.",
        "s",
        12,
        runbook="WorkspaceExporterTokenExpiring",
    )
    ends = promql.each_instance("token_expiry_timestamp_seconds", by=f"{_PROJECT_INSTANCE}, kind")
    return [
        panels.lines(skew, Query(promql.each_instance("clock_skew_seconds"), _WHO), least=None),
        panels.lines(expiry, Query(f"{ends} - time()", f"{_WHO}: {{{{kind}}}}"), least=None),
    ]


def _losses() -> list[Panel]:
    overruns = Frame("Overruns", "Cycles within a step that took longer than the interval.", "short", 12)
    rejected = Frame("Rejected records", "Malformed entries met within a step, by reason.", "short", 12)
    late = promql.increase(promql.of_project("poll_overruns_total"))
    bad = promql.increase(promql.of_project("records_rejected_total"))
    return [
        panels.lines(overruns, Query(f"sum by ({_PROJECT_INSTANCE}) ({late})", _WHO), bars=True),
        panels.lines(
            rejected,
            Query(f"max by (project, reason) ({bad})", "{{project}}: {{reason}}"),
            bars=True,
        ),
    ]


def _process() -> list[Panel]:
    memory = Frame("Memory", "Resident memory of each exporter.", "bytes", 12)
    cpu = Frame("Processor", "Processor seconds used in a second.", "percentunit", 12)
    seconds = promql.rate(promql.of_instance("process_cpu_seconds_total"))
    resident = promql.of_instance("process_resident_memory_bytes")
    return [
        panels.lines(memory, Query(f"max by (instance) ({resident})", "{{instance}}")),
        panels.lines(cpu, Query(f"max by (instance) ({seconds})", "{{instance}}")),
    ]
