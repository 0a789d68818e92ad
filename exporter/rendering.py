"""A task's state -> lines of the text exposition format. Pure.

Source: Prometheus' text format 0.0.4 and OpenMetrics 1.0.0; both write a sample the same way (without a
timestamp) and differ in the families' headers only: OpenMetrics names a counter's family without `_total`.
Formatting and escaping are prometheus_client's, byte for byte, labels in alphabetical order.
"""

from __future__ import annotations

from functools import lru_cache

from prometheus_client.utils import floatToGoString

from exporter.catalog import FOUND, TASK_LABELS, TASK_METRICS, MetricType, TaskMetric
from exporter.negotiation import Format
from exporter.state import TaskState

END = {Format.TEXT: b"", Format.OPENMETRICS: b"# EOF\n"}
"""What ends a body of each format."""

Chunks = tuple[bytes, ...]
"""The lines of one task, one item for each of TASK_METRICS; empty where a family has no sample of it."""


def render_task(state: TaskState) -> Chunks:
    """Return the task's lines, family by family; of a task that does not exist, only that it does not."""
    shared = {
        label: f'{label}="{escape(value)}"'
        for label, value in zip(TASK_LABELS, (state.project, state.task_id, state.name), strict=True)
    }
    plain = "{" + ",".join(shared[label] for label in TASK_LABELS) + "}"
    shown = TASK_METRICS if state.found is not False else (TASK_METRICS[FOUND],)
    return tuple(_render(metric, state, shared, plain) if metric in shown else b"" for metric in TASK_METRICS)


def render_header(name: str, kind: MetricType, text: str, form: Format) -> bytes:
    """Return a family's HELP and TYPE lines; `text` has no backslash, newline or quote."""
    family = name.removesuffix("_total") if form is Format.OPENMETRICS and kind == "counter" else name
    return f"# HELP {family} {text}\n# TYPE {family} {kind}\n".encode()


def replace_value(line: bytes, value: float) -> bytes:
    """Return a line with another value: whatever the labels hold, the last space is before the value."""
    return line[: line.rindex(b" ") + 1] + format_value(value).encode() + b"\n"


@lru_cache(maxsize=4096)
def format_value(value: float) -> str:
    """Return a sample's value as Go writes it (`1.6724484e+09`); a task's samples share a few values."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def escape(value: str) -> str:
    """Return a label's value with backslash, newline and quote escaped."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _render(metric: TaskMetric, state: TaskState, shared: dict[str, str], plain: str) -> bytes:
    if not metric.labels:
        return "".join(
            f"{metric.name}{plain} {format_value(value)}\n" for _, value in metric.samples(state)
        ).encode()
    lines = []
    for values, value in metric.samples(state):
        own = {label: f'{label}="{escape(text)}"' for label, text in zip(metric.labels, values, strict=True)}
        labels = shared | own
        joined = ",".join(labels[label] for label in sorted(labels))
        lines.append(f"{metric.name}{{{joined}}} {format_value(value)}\n")
    return "".join(lines).encode()
