"""The house rules that no type checker knows: purity, and documents that say what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from exporter.catalog import EXPORTER_METRICS, TASK_METRICS
from tools.documents import METRICS, ROOT, metrics_document

PURE = (
    "advice",
    "advicewords",
    "anonymising",
    "backfill",
    "backfilltext",
    "catalog",
    "config",
    "counting",
    "decode",
    "details",
    "durations",
    "errors",
    "expectation",
    "explanation/absence",
    "explanation/alerts",
    "explanation/case",
    "explanation/metrics",
    "explanation/runs",
    "failures",
    "fleet",
    "gzipping",
    "history",
    "judgement",
    "metricstore",
    "negotiation",
    "overview",
    "paging",
    "polling",
    "project",
    "pseudonyms",
    "recorded",
    "records",
    "recurrence",
    "rendering",
    "schedule",
    "secrets",
    "section",
    "selection",
    "signin",
    "state",
    "statuses",
    "terminaltext",
    "timestamps",
    "tracking",
    "upstream/auth/iam",
    "upstream/bodies",
    "upstream/masking",
    "upstream/retries",
    "upstream/signing",
    "urls",
    "views",
    "yamltext",
)
_WORLDLY = {
    "asyncio", "httpx", "io", "logging", "os", "random", "select", "shutil", "signal", "socket", "ssl",
    "starlette", "structlog", "subprocess", "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip
_CALLS = {
    "open",
    "now",
    "today",
    "utcnow",
    "read_bytes",
    "read_text",
    "write_text",
    "stat",
    "exists",
    "input",
    "print",
}


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_know_no_clock_socket_or_file(name: str) -> None:
    """What decides is handed the time and the bytes: it imports and calls nothing that reaches the world."""
    tree = ast.parse((ROOT / "exporter" / f"{name}.py").read_text(encoding="utf-8"))
    imported = {
        module
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not {module for module in imported if module in _WORLDLY or module.partition(".")[0] in _WORLDLY}
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert not called & _CALLS


def test_the_metrics_document_is_the_catalogue() -> None:
    """docs/metrics.md is what `make docs` writes."""
    assert METRICS.read_text(encoding="utf-8") == metrics_document()


def test_every_metric_of_the_contract_exists_once() -> None:
    """The names and labels that users' dashboards rely on, literally."""
    named = {metric.name: metric.labels for metric in TASK_METRICS}
    named |= {metric.name: metric.labels for metric in EXPORTER_METRICS}
    assert len(named) == len(TASK_METRICS) + len(EXPORTER_METRICS)
    assert {name: labels for name, labels in named.items() if name.startswith("workspace_task_")} == {
        "workspace_task_last_run_success_num": (),
        "workspace_task_last_run_failed_num": (),
        "workspace_task_last_run_skip_num": (),
        "workspace_task_last_run_status": ("status",),
        "workspace_task_last_run_start_timestamp_seconds": (),
        "workspace_task_last_run_duration_seconds": (),
        "workspace_task_last_run_result_num": ("outcome", "result_code"),
        "workspace_task_last_start_timestamp_seconds": (),
        "workspace_task_status_last_timestamp_seconds": ("status",),
        "workspace_task_consecutive_unsuccessful_runs": (),
        "workspace_task_consecutive_skipped_runs": (),
        "workspace_task_running_runs": (),
        "workspace_task_running_since_timestamp_seconds": (),
        "workspace_task_records": (),
        "workspace_task_history_truncated": (),
        "workspace_task_info": ("project_id", "task_type", "scheduled_type", "life_cycle_type", "time_zone"),
        "workspace_task_enabled": (),
        "workspace_task_found": (),
        "workspace_task_next_run_timestamp_seconds": (),
        "workspace_task_expected_run_timestamp_seconds": (),
        "workspace_task_schedule_period_seconds": (),
        "workspace_task_grace_seconds": (),
        "workspace_task_max_duration_seconds": (),
        "workspace_task_runs_total": ("status",),
        "workspace_task_desktops_total": ("result",),
        "workspace_task_last_poll_timestamp_seconds": (),
        "workspace_task_poll_success": (),
    }
    assert {name: labels for name, labels in named.items() if name.startswith("workspace_exporter_")} == {
        "workspace_exporter_poll_success": ("project",),
        "workspace_exporter_last_successful_poll_timestamp_seconds": ("project",),
        "workspace_exporter_poll_duration_seconds": ("project",),
        "workspace_exporter_poll_interval_seconds": ("project",),
        "workspace_exporter_tasks": ("project",),
        "workspace_exporter_poll_overruns_total": ("project",),
        "workspace_exporter_api_requests_total": ("project", "operation", "code"),
        "workspace_exporter_api_request_duration_seconds": ("project", "operation"),
        "workspace_exporter_api_retries_total": ("project", "reason"),
        "workspace_exporter_auth_success": ("project",),
        "workspace_exporter_token_expiry_timestamp_seconds": ("project", "kind"),
        "workspace_exporter_clock_skew_seconds": ("project",),
        "workspace_exporter_records_rejected_total": ("project", "reason"),
        "workspace_exporter_config_last_reload_successful": (),
        "workspace_exporter_config_last_reload_success_timestamp_seconds": (),
        "workspace_exporter_build_info": ("version", "revision", "python_version"),
    }


def test_the_lock_files_name_no_address() -> None:
    """Hashes yes, where the packages come from no: that is the reader's own setting."""
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert not re.search(r"--(extra-)?index-url|--find-links|https?://", text)


def test_modules_stay_short_enough_to_read() -> None:
    """Past 400 lines there is a second idea inside (catalog.py is a table)."""
    long = {
        str(path.relative_to(ROOT))
        for path in Path(ROOT / "exporter").rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    }
    assert not long
