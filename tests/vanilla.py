"""The same families by the ordinary way, prometheus_client's: the oracle of the exposition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import exposition as text_format
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporter.catalog import TASK_LABELS, TASK_METRICS, TaskMetric
from exporter.negotiation import Format
from exporter.state import TaskState


class VanillaCollector(Collector):
    """All families of some tasks, as the client library takes them."""

    def __init__(self, states: Iterable[TaskState]) -> None:
        self._states = list(states)

    def collect(self) -> Iterator[Metric]:
        """Yield the families in the catalogue's order."""
        for metric in TASK_METRICS:
            yield _family(metric, self._states)


def vanilla_body(states: Iterable[TaskState], form: Format) -> bytes:
    """Return the client library's body for these tasks."""
    collector = VanillaCollector(states)
    if form is Format.TEXT:
        return text_format.generate_latest(collector)
    body: bytes = openmetrics.generate_latest(collector)  # type: ignore[no-untyped-call]
    return body


def vanilla_lines(metric: TaskMetric, states: Iterable[TaskState]) -> str:
    """Return the client library's sample lines of one family."""

    class One(Collector):
        def collect(self) -> Iterator[Metric]:
            yield _family(metric, states)

    lines = text_format.generate_latest(One()).decode().split("\n")
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def _family(metric: TaskMetric, states: Iterable[TaskState]) -> Metric:
    name = metric.name.removesuffix("_total") if metric.type == "counter" else metric.name
    family = Metric(name, metric.help, metric.type)
    for state in states:
        shared = dict(zip(TASK_LABELS, (state.project, state.task_id, state.name), strict=True))
        for values, value in metric.samples(state):
            family.add_sample(metric.name, shared | dict(zip(metric.labels, values, strict=True)), value)
    return family
