"""What goes wrong with the exporter itself and comes right again, for each alert about it; a healthy twin."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.endtoend.cloud import ACCOUNT
from tests.endtoend.stack import Stack, put_secret

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Trouble that has been brought about.

    `labels` are those that tell the alert's series, `twin` those of the healthy one. `twin_seen` gives an
    expression that has a result once Prometheus knows what the twin went through. `recover` ends the trouble.
    """

    labels: Labels
    twin: Labels
    twin_seen: Callable[[], str]
    recover: Callable[[], object]


@dataclass(frozen=True, slots=True)
class ExporterScenario:
    """One alert's scenario; `also` are alerts that the trouble may rightly raise besides."""

    severity: str
    play: Callable[[Stack], Trouble]
    also: frozenset[str] = frozenset()


def _of(stack: Stack, project: str) -> Labels:
    return {"instance": stack.second.address, "project": project}


def _series(name: str, labels: Labels) -> str:
    matchers = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{matchers}}}"


def _down(stack: Stack) -> Trouble:
    job = {"job": "workspace-exporter"}
    twin = {**job, "instance": stack.main.address}
    stack.mortal.kill()
    return Trouble(
        {**job, "instance": stack.mortal.address},
        twin,
        lambda: f"{_series('up', twin)} == 1",
        stack.mortal.start,
    )


def _poll_failing(stack: Stack) -> Trouble:
    """One task's records cannot be read for long; the twin's, for a moment."""
    twin = _of(stack, "steady")
    stack.cloud.fault("500@records/flaky,500@records/steady:x2")
    failed = _series("workspace_exporter_api_requests_total", {**twin, "code": "500"})
    return Trouble(_of(stack, "flaky"), twin, lambda: f"{failed} >= 2", lambda: stack.cloud.fault(""))


def _auth_failing(stack: Stack) -> Trouble:
    """All tokens are revoked; one of two passwords is the wrong one when it is needed."""
    twin = _of(stack, "admitted")
    put_secret(stack.folder / "denied", "not the password")
    stack.other.call("DELETE", "tokens")
    signed_in = _series(
        "workspace_exporter_api_requests_total", {**twin, "operation": "create_token", "code": "201"}
    )
    return Trouble(
        _of(stack, "denied"),
        twin,
        lambda: f"{signed_in} >= 2",
        lambda: put_secret(stack.folder / "denied", ACCOUNT.password),
    )


def _token_expiring(stack: Stack) -> Trouble:
    """A token of an hour, and one of three hours."""
    twin = _of(stack, "lasting")
    put_secret(stack.folder / "lasting", stack.cloud.token(3 * 3600))
    put_secret(stack.folder / "fixed", stack.cloud.token(3600))
    ends = _series("workspace_exporter_token_expiry_timestamp_seconds", {**twin, "kind": "token"})
    return Trouble(
        _of(stack, "fixed"),
        twin,
        lambda: f"{ends} < time() + 4 * 3600",
        lambda: put_secret(stack.folder / "fixed", stack.cloud.token(86_400)),
    )


def _clock_skew(stack: Stack) -> Trouble:
    """One cloud's clock is a minute ahead, the other one's ten seconds."""
    twin = _of(stack, "lasting")
    stack.cloud.option(clock_skew=10)
    stack.other.option(clock_skew=60)

    def recover() -> None:
        stack.cloud.option(clock_skew=0)
        stack.other.option(clock_skew=0)

    skew = _series("workspace_exporter_clock_skew_seconds", twin)
    return Trouble(_of(stack, "skewed"), twin, lambda: f"{skew} > 5", recover)


def _reload_failed(stack: Stack) -> Trouble:
    """Both reload; one file has become unreadable as a configuration."""
    good = stack.second_config.read_text("utf-8")
    twin = {"instance": stack.main.address}
    asked = time.time()
    stack.second_config.write_text("projects: [", "utf-8")
    for exporter in (stack.main, stack.second):
        exporter.process.send_signal(signal.SIGHUP)

    def recover() -> None:
        stack.second_config.write_text(good, "utf-8")
        stack.second.process.send_signal(signal.SIGHUP)

    loaded = _series("workspace_exporter_config_last_reload_success_timestamp_seconds", twin)
    return Trouble({"instance": stack.second.address}, twin, lambda: f"{loaded} >= {asked}", recover)


EXPORTER_SCENARIOS: Mapping[str, ExporterScenario] = {
    "WorkspaceExporterDown": ExporterScenario("critical", _down),
    "WorkspaceExporterPollFailing": ExporterScenario("warning", _poll_failing),
    "WorkspaceExporterAuthFailing": ExporterScenario(
        "critical", _auth_failing, also=frozenset({"WorkspaceExporterPollFailing"})
    ),
    "WorkspaceExporterTokenExpiring": ExporterScenario("warning", _token_expiring),
    "WorkspaceExporterClockSkew": ExporterScenario("warning", _clock_skew),
    "WorkspaceExporterConfigReloadFailed": ExporterScenario("warning", _reload_failed),
}
