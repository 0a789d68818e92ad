"""The exporter's own metrics: named by the catalogue, parsable, and gone with their project."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.catalog import EXPORTER_METRICS
from exporter.negotiation import Format
from exporter.telemetry import ProjectTelemetry, Telemetry


def told() -> tuple[Telemetry, ProjectTelemetry]:
    """Telemetry of a project of which everything was told once."""
    telemetry = Telemetry("1.2.3", "abc")
    project = ProjectTelemetry(telemetry, "prod")
    project.started(60.0)
    project.request("list_tasks", "200", 0.2)
    project.retry("503")
    project.rejected({"time": 2})
    project.upstream(auth_ok=True, expiry=("token", 1e9), skew=-1.5)
    project.cycle(ok=True, ended=2e9, seconds=3.5, tasks=7, overrun=True)
    telemetry.reload_successful.set(1)
    telemetry.reload_time.set(5)
    return telemetry, project


def sample(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """The value of one sample of the text format."""
    for family in parse_text(telemetry.render(Format.TEXT).decode()):
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return float(found.value)
    return None


def test_both_formats_parse_and_hold_every_family_of_the_catalogue_once() -> None:
    """Names, types and helps are the catalogue's, in both formats; no created series are added."""
    telemetry, _ = told()
    text = telemetry.render(Format.TEXT).decode()
    families = {family.name: family for family in parse_text(text)}
    for metric in EXPORTER_METRICS:
        name = metric.name.removesuffix("_total") if metric.type == "counter" else metric.name
        assert families[name].documentation == metric.help
        assert families[name].type == metric.type
        assert text.count(f"# TYPE {metric.name} ") == 1
    assert "_created" not in text
    openmetrics = telemetry.render(Format.OPENMETRICS).decode() + "# EOF\n"
    parsed = parse_openmetrics(openmetrics)  # type: ignore[no-untyped-call]
    assert {family.name for family in parsed} == set(families)


def test_what_was_told_is_shown() -> None:
    """Each report ends in its sample."""
    telemetry, _ = told()
    expected = {
        "workspace_exporter_poll_success": 1.0,
        "workspace_exporter_last_successful_poll_timestamp_seconds": 2e9,
        "workspace_exporter_poll_duration_seconds": 3.5,
        "workspace_exporter_poll_interval_seconds": 60.0,
        "workspace_exporter_tasks": 7.0,
        "workspace_exporter_poll_overruns_total": 1.0,
        "workspace_exporter_api_requests_total": 1.0,
        "workspace_exporter_api_request_duration_seconds_sum": 0.2,
        "workspace_exporter_api_retries_total": 1.0,
        "workspace_exporter_auth_success": 1.0,
        "workspace_exporter_token_expiry_timestamp_seconds": 1e9,
        "workspace_exporter_clock_skew_seconds": -1.5,
        "workspace_exporter_records_rejected_total": 2.0,
    }
    assert {name: sample(telemetry, name, project="prod") for name in expected} == expected
    assert sample(telemetry, "workspace_exporter_build_info", version="1.2.3", revision="abc") == 1.0


def test_a_project_that_has_not_polled_yet_is_there_with_zeros() -> None:
    """Last success is 0 until the first, and an overrun counter begins at 0."""
    telemetry = Telemetry("1", "a")
    ProjectTelemetry(telemetry, "new").started(5.0)
    assert sample(telemetry, "workspace_exporter_poll_success", project="new") == 0.0
    assert (
        sample(telemetry, "workspace_exporter_last_successful_poll_timestamp_seconds", project="new") == 0.0
    )
    assert sample(telemetry, "workspace_exporter_poll_overruns_total", project="new") == 0.0


def test_what_is_no_longer_known_is_absent() -> None:
    """An unknown expiry or skew has no series, also after it was known; the last success stays."""
    telemetry, project = told()
    project.upstream(auth_ok=False, expiry=None, skew=None)
    project.cycle(ok=False, ended=3e9, seconds=1.0, tasks=7, overrun=False)
    assert sample(telemetry, "workspace_exporter_token_expiry_timestamp_seconds") is None
    assert sample(telemetry, "workspace_exporter_clock_skew_seconds") is None
    assert sample(telemetry, "workspace_exporter_auth_success") == 0.0
    assert sample(telemetry, "workspace_exporter_last_successful_poll_timestamp_seconds") == 2e9


def test_a_renewed_credential_replaces_the_old_one() -> None:
    """One project has one kind of credential at a time."""
    telemetry, project = told()
    project.upstream(auth_ok=True, expiry=("password", 7e9), skew=0.0)
    name = "workspace_exporter_token_expiry_timestamp_seconds"
    assert sample(telemetry, name, kind="token") is None
    assert sample(telemetry, name, kind="password") == 7e9


def test_a_forgotten_project_leaves_no_series() -> None:
    """A project that was removed from the configuration takes its series along, others stay."""
    telemetry, _ = told()
    ProjectTelemetry(telemetry, "other").started(5.0)
    telemetry.forget_project("prod")
    text = telemetry.render(Format.TEXT).decode()
    assert 'project="prod"' not in text
    assert 'project="other"' in text
