"""What the exporter counts and measures of itself: prometheus_client's metrics, made from the catalogue."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import exposition as text_format
from prometheus_client.openmetrics import exposition as openmetrics

from exporter import catalog
from exporter.catalog import ExporterMetric
from exporter.negotiation import Format
from exporter.rendering import END


class Telemetry:
    """The exporter's own metrics in a registry of their own. Rendered fresh for each scrape: they are few."""

    def __init__(self, version: str, revision: str) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        self.poll_success = self._gauge(catalog.POLL_SUCCESS)
        self.last_successful_poll = self._gauge(catalog.LAST_SUCCESSFUL_POLL)
        self.poll_duration = self._gauge(catalog.POLL_DURATION)
        self.poll_interval = self._gauge(catalog.POLL_INTERVAL)
        self.tasks = self._gauge(catalog.TASKS)
        self.poll_overruns = self._counter(catalog.POLL_OVERRUNS)
        self.api_requests = self._counter(catalog.API_REQUESTS)
        self.api_request_duration = self._histogram(catalog.API_REQUEST_DURATION)
        self.api_retries = self._counter(catalog.API_RETRIES)
        self.auth_success = self._gauge(catalog.AUTH_SUCCESS)
        self.token_expiry = self._gauge(catalog.TOKEN_EXPIRY)
        self.clock_skew = self._gauge(catalog.CLOCK_SKEW)
        self.records_rejected = self._counter(catalog.RECORDS_REJECTED)
        self.reload_successful = self._gauge(catalog.RELOAD_SUCCESSFUL)
        self.reload_time = self._gauge(catalog.RELOAD_TIME)
        self._gauge(catalog.BUILD_INFO).labels(version, revision, platform.python_version()).set(1)
        prometheus_client.ProcessCollector(registry=self._registry)
        prometheus_client.GCCollector(registry=self._registry)

    def render(self, form: Format) -> bytes:
        """Return the metrics in the exposition format, without its end."""
        if form is Format.TEXT:
            return text_format.generate_latest(self._registry)
        body: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return body.removesuffix(END[form])

    def forget_project(self, project: str) -> None:
        """Drop every series of a project that is no longer configured."""
        for metric in vars(self).values():
            if isinstance(metric, Counter | Gauge | Histogram) and "project" in metric._labelnames:  # noqa: SLF001 - no public name
                metric.remove_by_labels({"project": project})

    def set_or_drop(self, gauge: Gauge, labels: Mapping[str, str], value: float | None) -> None:
        """Set a gauge, or remove its series where the value is not known."""
        if value is None:
            gauge.remove_by_labels(dict(labels))
        else:
            gauge.labels(**labels).set(value)

    def _gauge(self, metric: ExporterMetric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self._registry)

    def _counter(self, metric: ExporterMetric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self._registry)

    def _histogram(self, metric: ExporterMetric) -> Histogram:
        return Histogram(
            metric.name, metric.help, metric.labels, registry=self._registry, buckets=metric.buckets
        )


class ProjectTelemetry:
    """The metrics of one project: what the client and the poller report to."""

    def __init__(self, telemetry: Telemetry, project: str) -> None:
        self._telemetry = telemetry
        self._project = project

    def request(self, operation: str, code: str, seconds: float) -> None:
        """Count one request upstream that ended with `code` after `seconds`."""
        self._telemetry.api_requests.labels(self._project, operation, code).inc()
        self._telemetry.api_request_duration.labels(self._project, operation).observe(seconds)

    def retry(self, reason: str) -> None:
        """Count one request that is sent again."""
        self._telemetry.api_retries.labels(self._project, reason).inc()

    def rejected(self, reasons: Mapping[str, int]) -> None:
        """Count malformed entries."""
        for reason, number in reasons.items():
            self._telemetry.records_rejected.labels(self._project, reason).inc(number)

    def started(self, interval: float) -> None:
        """Show the project before its first cycle."""
        self._telemetry.poll_interval.labels(self._project).set(interval)
        self._telemetry.poll_success.labels(self._project).set(0)
        self._telemetry.last_successful_poll.labels(self._project).set(0)
        self._telemetry.poll_overruns.labels(self._project)
        self._telemetry.tasks.labels(self._project).set(0)

    def cycle(self, *, ok: bool, ended: float, seconds: float, tasks: int, overrun: bool) -> None:
        """Show how a cycle went; `ended` is epoch seconds."""
        self._telemetry.poll_success.labels(self._project).set(ok)
        self._telemetry.poll_duration.labels(self._project).set(seconds)
        self._telemetry.tasks.labels(self._project).set(tasks)
        if ok:
            self._telemetry.last_successful_poll.labels(self._project).set(ended)
        if overrun:
            self._telemetry.poll_overruns.labels(self._project).inc()

    def upstream(self, *, auth_ok: bool, expiry: tuple[str, float] | None, skew: float | None) -> None:
        """Show what the client knows of its credentials and of upstream's clock."""
        telemetry, project = self._telemetry, {"project": self._project}
        telemetry.auth_success.labels(self._project).set(auth_ok)
        telemetry.set_or_drop(telemetry.clock_skew, project, skew)
        telemetry.token_expiry.remove_by_labels(project)
        if expiry:
            kind, epoch = expiry
            telemetry.token_expiry.labels(self._project, kind).set(epoch)
