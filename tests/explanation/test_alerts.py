"""Which alerts an explanation says fire: those of the rules."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from exporter.config import Statuses
from exporter.explanation import explain
from exporter.explanation.alerts import alerts
from exporter.explanation.case import Case
from tests.explanation.cases import CLOCK, NOW, case, listed, record
from tests.test_judgement import ALERTS, INTERVALS, alerts_of, some_state
from tests.test_judgement import NOW as THEN

ROOT = Path(__file__).parents[2]


def _rules() -> dict[str, str]:
    """The severity of each alert about a task, as rules.yml has it."""
    groups = yaml.safe_load((ROOT / "examples/prometheus/rules.yml").read_text("utf-8"))["groups"]
    rules = (rule for group in groups for rule in group["rules"])
    return {
        rule["alert"]: rule["labels"]["severity"]
        for rule in rules
        if rule.get("alert", "").startswith("WorkspaceTask")
    }


def test_every_alert_of_a_task_is_explained() -> None:
    """Each rule about a task, with its severity; no other."""
    assert {alert.name: alert.severity for alert in alerts(case())} == _rules()


def test_every_runbook_exists() -> None:
    """The explanation leads on to a section that is there."""
    text = (ROOT / "docs" / "runbooks.md").read_text("utf-8")
    for alert in alerts(case()):
        path, _, anchor = alert.runbook.partition("#")
        assert path == "docs/runbooks.md"
        assert f"\n## {alert.name}\n" in text
        assert anchor == alert.name.lower()


def test_what_fires_is_what_the_rules_find() -> None:
    """Thousands of tasks at the edges: what agrees with promtool (test_judgement) is explained."""
    chance = random.Random(1)
    seen: Counter[str] = Counter()
    for number in range(3000):
        task = some_state(chance, number)
        found = alerts(Case(task, Statuses(), THEN, INTERVALS[task.project], CLOCK))
        firing = [alert for alert in found if alert.state == "firing"]
        assert {alert.name for alert in firing} == set(alerts_of(task))
        assert all(alert.what and alert.rule and alert.source and alert.ends for alert in firing)
        assert all(alert.samples for alert in firing)
        assert not any(alert.samples for alert in found if alert.state != "firing")
        assert all(alert.what for alert in found)
        seen.update(alert.name for alert in firing)
    assert set(seen) == set(ALERTS)
    assert min(seen.values()) > 20


def test_those_that_fire_come_first_the_critical_ones_ahead() -> None:
    """At night the first lines are read."""
    failures = [record(ago, "FAIL") for ago in (300, 200, 100)]
    found = alerts(case(*failures, listing=listed(enabled=False)))
    assert [(alert.name, alert.state) for alert in found[:3]] == [
        ("WorkspaceTaskRunFailed", "firing"),
        ("WorkspaceTaskFailingRepeatedly", "firing"),
        ("WorkspaceTaskDisabled", "unknown"),
    ]


def test_of_a_task_that_was_not_read_nothing_is_known() -> None:
    """Neither that an alert fires nor that it is quiet."""
    states = {alert.name: alert.state for alert in alerts(case(history=None, poll_ok=False))}
    assert states.pop("WorkspaceTaskNotFound") == "quiet"
    assert states.pop("WorkspaceTaskDisabled") == "quiet"
    assert set(states.values()) == {"unknown"}


def test_of_a_task_that_does_not_exist_one_alert_fires() -> None:
    """The others have nothing to judge."""
    found = alerts(case(found=False, history=None, listing=None))
    assert [alert.name for alert in found if alert.state == "firing"] == ["WorkspaceTaskNotFound"]
    assert {alert.what for alert in found[1:]} == {"there is no task to judge"}
    assert {alert.state for alert in found[1:]} == {"quiet"}


@pytest.mark.parametrize("word", ["FAIL", "SUCCESS"])
def test_an_explanation_holds_alerts_and_metrics(word: str) -> None:
    """The whole, from the task's state."""
    task = case(record(60, word))
    whole = explain(task.state, statuses=task.statuses, now=NOW, interval=60.0, clock=CLOCK)
    assert (whole.alerts[0].state == "firing") == (word == "FAIL")
    assert len(whole.metrics) == 27
