"""The alert rules, their own tests, and the configurations that carry them to a page (contract, section 7).

What the rules decide is proven by promtool on `examples/prometheus/rules_test.yml`; here those proofs are
run, also at another evaluation interval, and the rules are held against the contract, the catalogue of
metrics and the runbooks.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.catalog import EXPORTER_METRICS, TASK_METRICS
from tests.programs import require_program

ROOT = Path(__file__).parents[1]
PROMETHEUS = ROOT / "examples" / "prometheus"
ALERTMANAGER = ROOT / "examples" / "alertmanager" / "alertmanager.yml"
RUNBOOKS = ROOT / "docs" / "runbooks.md"

ALERTS = {
    "WorkspaceTaskRunFailed": "critical",
    "WorkspaceTaskRunPartiallyFailed": "warning",
    "WorkspaceTaskRunFailureSuperseded": "warning",
    "WorkspaceTaskFailingRepeatedly": "critical",
    "WorkspaceTaskRunsSkippedRepeatedly": "warning",
    "WorkspaceTaskRunMissed": "critical",
    "WorkspaceTaskRunStuck": "warning",
    "WorkspaceTaskNoRecentSuccess": "warning",
    "WorkspaceTaskStatusUnknown": "warning",
    "WorkspaceTaskNotFound": "warning",
    "WorkspaceTaskDisabled": "info",
    "WorkspaceExporterDown": "critical",
    "WorkspaceExporterPollFailing": "warning",
    "WorkspaceExporterAuthFailing": "critical",
    "WorkspaceExporterTokenExpiring": "warning",
    "WorkspaceExporterClockSkew": "warning",
    "WorkspaceExporterConfigReloadFailed": "warning",
}
"""The contract's table, literally."""

SAMPLED_LEVELS = {"WorkspaceExporterDown": "5m", "WorkspaceExporterClockSkew": "10m"}
"""The alerts for which the contract asks that a level lasts."""

TASK = {"project", "task_id", "task_name"}
ALERT_LABELS = {
    **{name: TASK for name in ALERTS if name.startswith("WorkspaceTask")},
    **{name: {"instance", "project"} for name in ALERTS if name.startswith("WorkspaceExporter")},
    "WorkspaceExporterDown": {"job", "instance"},
    "WorkspaceExporterConfigReloadFailed": {"instance"},
}
"""The labels that each alert takes from its series; alertname and severity come on top."""


@cache
def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def _rules() -> list[dict[str, Any]]:
    return [rule for group in _load(PROMETHEUS / "rules.yml")["groups"] for rule in group["rules"]]


def _alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in _rules() if "alert" in rule}


def _promtool_cases() -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = _load(PROMETHEUS / "rules_test.yml")["tests"]
    return tests


def _run(*command: str | Path) -> str:
    """Run a program that must succeed; returns all that it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# The programs that read these files for real


@pytest.mark.real
def test_prometheus_accepts_its_configuration_and_the_rules() -> None:
    """Promtool finds no fault with prometheus.yml, nor with the rules that it names."""
    output = _run(require_program("promtool"), "check", "config", PROMETHEUS / "prometheus.yml")
    assert f"{len(_rules())} rules found" in output


@pytest.mark.real
def test_alertmanager_accepts_its_configuration() -> None:
    """Amtool finds no fault with alertmanager.yml."""
    _run(require_program("amtool"), "check-config", ALERTMANAGER)


@pytest.mark.real
@pytest.mark.parametrize("severity", sorted(set(ALERTS.values())))
def test_every_severity_reaches_the_receiver(severity: str) -> None:
    """An alert of each severity is routed to the one receiver of the example."""
    amtool = require_program("amtool")
    labels = f"severity={severity}"
    output = _run(amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}", labels)
    assert "operations" in output.split()


@pytest.mark.real
@pytest.mark.parametrize("interval", ["1m", "30s"])
def test_the_promtool_tests_pass_at_any_evaluation_interval(interval: str, tmp_path: Path) -> None:
    """Every alert fires, stays and ends as rules_test.yml says, however often the rules are evaluated."""
    shutil.copy(PROMETHEUS / "rules.yml", tmp_path)
    tests = (PROMETHEUS / "rules_test.yml").read_text("utf-8")
    tests = re.sub(r"(?m)^evaluation_interval: 1m$", f"evaluation_interval: {interval}", tests)
    assert f"evaluation_interval: {interval}" in tests
    (tmp_path / "rules_test.yml").write_text(tests, "utf-8")
    _run(require_program("promtool"), "test", "rules", tmp_path / "rules_test.yml")


# The contract


def test_the_alerts_are_those_of_the_contract_with_their_severities() -> None:
    """No alert is missing, none is added, and severity is the only label that a rule sets."""
    assert {name: rule["labels"] for name, rule in _alerts().items()} == {
        name: {"severity": severity} for name, severity in ALERTS.items()
    }


def test_for_stands_only_where_a_level_is_sampled() -> None:
    """Gauges that the exporter derives from the whole history need no `for`; two sampled levels do."""
    assert {name: rule["for"] for name, rule in _alerts().items() if "for" in rule} == SAMPLED_LEVELS


def test_no_alert_delays_its_end() -> None:
    """keep_firing_for would delay true ends as well; alerts hold themselves over gaps instead."""
    held = {"workspace_task:held_alerts", "workspace_exporter:held_alerts"}
    assert not [name for name, rule in _alerts().items() if "keep_firing_for" in rule]
    for name, rule in _alerts().items():
        if name not in {"WorkspaceTaskRunFailureSuperseded", "WorkspaceExporterDown"}:
            assert any(f'{series}{{alertname="{name}"}}' in rule["expr"] for series in held), name


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_expected_and_refused_by_a_promtool_test(name: str) -> None:
    """The tests of each alert name it while it fires, with exact labels and annotations, and an end to it."""
    firing, ended, annotated = 0, 0, 0
    for case in _promtool_cases():
        expected = case.get("promql_expr_test", [])
        named = [f'alertname="{name}",alertstate="firing"' in str(each["exp_samples"]) for each in expected]
        firing += sum(named)
        ended += sum(before and not after for before, after in pairwise(named))
        for each in case.get("alert_rule_test", []):
            if each["alertname"] == name:
                annotated += len(each["exp_alerts"])
                for alert in each["exp_alerts"]:
                    assert set(alert["exp_labels"]) - {"severity"} <= ALERT_LABELS[name]
    assert firing
    assert ended
    assert annotated


@pytest.mark.parametrize("name", ALERTS)
def test_no_label_of_an_alert_changes_from_run_to_run(name: str) -> None:
    """What fires carries the labels of the task or of the instance, and nothing that a run brings along."""
    pattern = re.compile(rf'ALERTS{{alertname="{name}",alertstate="firing",([^}}]*)}}')
    text = (PROMETHEUS / "rules_test.yml").read_text("utf-8")
    found = pattern.findall(text)
    assert found
    for labels in found:
        names = set(re.findall(r"(\w+)=", labels)) - {"severity"}
        assert names <= ALERT_LABELS[name]
        if name != "WorkspaceExporterDown":  # "no such target" has no instance
            assert names == ALERT_LABELS[name]


# Metrics


def test_every_metric_in_the_rules_is_in_the_catalogue() -> None:
    """A rule that reads a series which nobody exposes would be silent for ever."""
    exposed = {metric.name for metric in TASK_METRICS} | {metric.name for metric in EXPORTER_METRICS}
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    text = (PROMETHEUS / "rules.yml").read_text("utf-8")
    text = re.sub(r"(?m)^\s*#.*$", "", text)
    used = set(re.findall(r"[a-z_]*:?workspace_(?:task|exporter)(?:_[a-z0-9_]+|:)[a-z0-9_:]*", text))
    assert len(used & exposed) > len(ALERTS)
    assert used - exposed == recorded


def test_every_series_of_the_promtool_tests_is_in_the_catalogue() -> None:
    """The tests feed the rules what the exporter exposes: the same names and the same labels."""
    labels = {metric.name: {*TASK, *metric.labels} for metric in TASK_METRICS}
    labels |= {metric.name: {*metric.labels} for metric in EXPORTER_METRICS}
    labels["up"] = {"job"}
    for case in _promtool_cases():
        for series in case["input_series"]:
            name, _, inside = series["series"].partition("{")
            assert set(re.findall(r"(\w+)=", inside)) == labels[name] | {"instance"}, series["series"]


# Annotations and runbooks


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_its_annotations(name: str) -> None:
    """Summary, description and runbook_url; promtool 2.42 leaves alertname empty, so none refers to it."""
    annotations = _alerts()[name]["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
    assert "First " in annotations["description"]
    assert "alertname" not in str(annotations)
    assert len(annotations["summary"]) < 120


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_a_runbook(name: str) -> None:
    """One section for each alert: meaning, impact, how to check, how to fix, in this order and not empty."""
    text = RUNBOOKS.read_text("utf-8")
    sections = re.findall(rf"(?ms)^## {name}\n(.*?)(?=^## |\Z)", text)
    assert len(sections) == 1
    parts = re.split(r"(?m)^\*\*(.+?)\.\*\*", sections[0])
    assert parts[1::2] == ["Meaning", "Impact", "How to check", "How to fix"]
    assert all(len(part.split()) >= 5 for part in parts[2::2])
    assert f"| [{name}](#{name.lower()}) | {ALERTS[name]} |" in text


def test_no_link_inside_the_runbooks_is_dead() -> None:
    """Every anchor in the runbooks is a heading there."""
    text = RUNBOOKS.read_text("utf-8")
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"(?m)^## (.+)$", text)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


# Prometheus and Alertmanager


def test_prometheus_scrapes_the_exporter_under_the_name_that_the_rules_know() -> None:
    """The job is called workspace-exporter and has the exporter's default address."""
    (job,) = _load(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    assert job["job_name"] == "workspace-exporter"
    assert job["static_configs"] == [{"targets": ["localhost:10068"]}]


def test_alertmanager_groups_by_project_and_tells_the_end() -> None:
    """A storm in one project is one notification; ends are sent too."""
    config = _load(ALERTMANAGER)
    assert config["route"]["group_by"] == ["project"]
    assert not [route for route in config["route"]["routes"] if "group_by" in route]
    for receiver in config["receivers"]:
        assert all(webhook["send_resolved"] for webhook in receiver["webhook_configs"])


def test_alertmanager_inhibits_by_labels_that_both_alerts_have() -> None:
    """`equal` also matches where a label is missing on both sides, which would silence strangers."""
    for rule in _load(ALERTMANAGER)["inhibit_rules"]:
        names = set(ALERTS)
        for side in ("source_matchers", "target_matchers"):
            chosen = {name for name in names if _matches(rule[side], name)}
            assert chosen
            for name in chosen:
                assert set(rule["equal"]) <= ALERT_LABELS[name], (rule, name)


def _matches(matchers: list[str], alertname: str) -> bool:
    """Apply the alertname matchers of Alertmanager's syntax."""
    for matcher in matchers:
        label, operator, value = re.fullmatch(r'(\w+) (=|!=|=~) "(.*)"', matcher).groups()  # type: ignore[union-attr]
        if label != "alertname":
            continue
        same = re.fullmatch(value, alertname) if operator == "=~" else value == alertname
        if bool(same) == (operator == "!="):
            return False
    return True
