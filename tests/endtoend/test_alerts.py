"""Every alert of the contract, on the real thing: it fires as it should, spares the healthy twin, resolves.

From the simulated cloud's answers through exporter, Prometheus and Alertmanager to the receiver of pages; in
compressed time (see `compressed`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from tests.endtoend.exporter_scenarios import EXPORTER_SCENARIOS, Trouble
from tests.endtoend.processes import ROOT, eventually
from tests.endtoend.receiver import Alert
from tests.endtoend.scenarios import TASK_SCENARIOS
from tests.endtoend.stack import GHOST, Stack

ALERTS = (
    "WorkspaceTaskRunFailed",
    "WorkspaceTaskRunPartiallyFailed",
    "WorkspaceTaskRunFailureSuperseded",
    "WorkspaceTaskFailingRepeatedly",
    "WorkspaceTaskRunsSkippedRepeatedly",
    "WorkspaceTaskRunMissed",
    "WorkspaceTaskRunStuck",
    "WorkspaceTaskNoRecentSuccess",
    "WorkspaceTaskStatusUnknown",
    "WorkspaceTaskNotFound",
    "WorkspaceTaskDisabled",
    "WorkspaceExporterDown",
    "WorkspaceExporterPollFailing",
    "WorkspaceExporterAuthFailing",
    "WorkspaceExporterTokenExpiring",
    "WorkspaceExporterClockSkew",
    "WorkspaceExporterConfigReloadFailed",
)
"""The alerts covered: the contract's table, none left out."""


def test_no_alert_is_left_out() -> None:
    """The alerts covered are those of the rules file, and each has its scenario."""
    rules = yaml.safe_load((ROOT / "examples" / "prometheus" / "rules.yml").read_text("utf-8"))
    defined = [rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    assert sorted(ALERTS) == sorted(defined)
    assert sorted(ALERTS) == sorted([*TASK_SCENARIOS, *EXPORTER_SCENARIOS])


@pytest.mark.real
@pytest.mark.parametrize("alert", ALERTS)
def test_alert(stack: Stack, alert: str) -> None:
    """It fires with the contract's labels, is never raised for the healthy twin, and resolves."""
    if alert in TASK_SCENARIOS:
        scenario = TASK_SCENARIOS[alert]
        trouble = _task_trouble(stack, alert)
        severity, also, twin_may = scenario.severity, scenario.also, scenario.twin
    else:
        severity, also = EXPORTER_SCENARIOS[alert].severity, EXPORTER_SCENARIOS[alert].also
        trouble, twin_may = EXPORTER_SCENARIOS[alert].play(stack), frozenset()
    expected = {"alertname": alert, "severity": severity, **trouble.labels}

    page = eventually(lambda: stack.receiver.find("firing", **expected), f"the page of {alert}")
    assert page["labels"] == expected
    _check_annotations(page, alert, trouble.labels)
    eventually(lambda: stack.prometheus.query(trouble.twin_seen()), f"the twin of {alert} to be seen")

    trouble.recover()
    eventually(lambda: stack.receiver.find("resolved", **expected), f"the end of {alert}")
    assert stack.prometheus.raised(_identity(trouble.labels)) - also == {alert}
    assert stack.prometheus.raised(_identity(trouble.twin), state="firing|pending") <= twin_may
    assert stack.receiver.find("firing", alertname=alert, **trouble.twin) is None
    assert stack.prometheus.broken_rules() == []


def _task_trouble(stack: Stack, alert: str) -> Trouble:
    sick, twin = alert, f"{alert}-twin"
    recover = TASK_SCENARIOS[alert].play(stack.cloud, sick, twin)
    name = "ghost" if sick == GHOST else f"task {sick}"
    return Trouble(
        labels={"project": "prod", "task_id": sick, "task_name": name},
        twin={"project": "prod", "task_id": twin},
        twin_seen=lambda: f'workspace_task_records{{task_id="{twin}"}} == {stack.cloud.runs(twin)}',
        recover=recover,
    )


def _identity(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what tells the alerts of this task, project or instance: an instance's own have no project."""
    return {"project": "", **{name: value for name, value in labels.items() if name != "task_name"}}


def _check_annotations(page: Alert, alert: str, labels: Mapping[str, str]) -> None:
    """They name what is in trouble, and no template has failed."""
    summary, description = page["annotations"]["summary"], page["annotations"]["description"]
    named = labels.get("task_name") or labels.get("project") or labels["instance"]
    assert named in f"{summary} {description}"
    assert "<" not in f"{summary} {description}", "a template failed, or a value was missing"
    assert page["annotations"]["runbook_url"].endswith(f"docs/runbooks.md#{alert.lower()}")
