"""Writes docs/metrics.md from the catalogue. `make docs` calls it; a test holds the file equal to it."""

from __future__ import annotations

from pathlib import Path

from exporter.catalog import EXPORTER_METRICS, TASK_LABELS, TASK_METRICS, ExporterMetric, TaskMetric

ROOT = Path(__file__).resolve().parent.parent
METRICS = ROOT / "docs" / "metrics.md"

_HEAD = """# Metrics

Written by `make docs` from `exporter/catalog.py`; change it there.

A value that is not known gives no sample, never 0. Where 0 means "none", the help says so. All times are
Unix seconds, all durations seconds. Gauges of a task are a function of the API's answers, the configuration
and the time: a restart, or which replica answers, changes nothing. Counters begin at 0 when the exporter
starts.

When reads fail, a task's last values stay until `polling.max_age`; then the gauges drawn from its records,
and its expected run, are withdrawn. Counters, poll gauges, info and thresholds remain. A task that is deleted
or no longer selected loses its series in the next cycle; of a configured task that does not exist only
`workspace_task_found` is left.

"""
_TASKS = """## Tasks

Each has the labels `project`, `task_id` and `task_name`, and those in the table. `status` is one of success,
partial, failed, skipped and unknown, and all five are always present.

"""
_EXPORTER = """
## The exporter itself

Beside these there are the usual `process_*` and `python_gc_*` metrics of the Python client library.

"""


def metrics_document() -> str:
    """Return the text of docs/metrics.md."""
    return _HEAD + _TASKS + _table(TASK_METRICS) + _EXPORTER + _table(EXPORTER_METRICS)


def main() -> None:
    """Write the generated documents."""
    METRICS.write_text(metrics_document(), encoding="utf-8")


def _table(metrics: tuple[TaskMetric, ...] | tuple[ExporterMetric, ...]) -> str:
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels if label not in TASK_LABELS[1:])
        rows.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
