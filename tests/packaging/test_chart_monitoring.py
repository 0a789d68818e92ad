"""ServiceMonitor, PrometheusRule and dashboard: what Prometheus and Grafana get."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.chart import VALUES, Manifest, defaults, rendered, template, values_of
from tests.packaging.workshop import CHART, EXAMPLES, program

pytestmark = pytest.mark.real

RULES: Manifest = yaml.safe_load((EXAMPLES / "prometheus" / "rules.yml").read_text(encoding="utf-8"))


def enables(name: str, part: str) -> bool:
    """Return whether a value file switches a part of the chart on."""
    return bool(values_of(name).get(part, {}).get("enabled"))


def groups(**values: Any) -> list[Manifest]:
    """Return the rule groups that the chart renders with these values of `prometheusRule`."""
    found = template({"prometheusRule": {"enabled": True, **values}}).one("PrometheusRule")["spec"]["groups"]
    return list(found)


def alerts(found: list[Manifest]) -> dict[str, Manifest]:
    """Return the alerts of rule groups by name."""
    return {rule["alert"]: rule for group in found for rule in group["rules"] if "alert" in rule}


def test_nothing_of_the_operator_is_rendered_by_default() -> None:
    """The chart installs where the operator's kinds do not exist."""
    kinds = {item["kind"] for item in defaults().objects}
    assert not kinds & {"ServiceMonitor", "PrometheusRule"}


@pytest.mark.parametrize("name", [name for name in VALUES if enables(name, "serviceMonitor")])
def test_the_job_is_called_workspace_exporter(name: str) -> None:
    """Whatever the release, the chart or the Service is called, the job is the one that the alerts know."""
    (endpoint,) = rendered(name).one("ServiceMonitor")["spec"]["endpoints"]
    first = endpoint["relabelings"][0]
    assert first == {"action": "replace", "targetLabel": "job", "replacement": "workspace-exporter"}
    assert not [rule for rule in endpoint["relabelings"][1:] if rule.get("targetLabel") == "job"]


@pytest.mark.parametrize("name", [name for name in VALUES if enables(name, "serviceMonitor")])
def test_each_pod_is_scraped_once(name: str) -> None:
    """The monitor takes exactly one Service of the release, by a port and in a namespace that exist."""
    release = rendered(name)
    spec = release.one("ServiceMonitor")["spec"]
    taken = [
        item
        for item in release.all("Service")
        if spec["selector"]["matchLabels"].items() <= item["metadata"]["labels"].items()
    ]
    (service,) = taken
    assert [port["name"] for port in service["spec"]["ports"]] == [spec["endpoints"][0]["port"]]
    assert spec["namespaceSelector"]["matchNames"] == [service["metadata"]["namespace"]] == ["desktops"]


def test_the_monitor_follows_the_values() -> None:
    """Path, interval, labels, namespace, relabellings are taken over."""
    release = rendered("service-monitor")
    monitor = release.one("ServiceMonitor")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["interval"], endpoint["scrapeTimeout"], endpoint["scheme"]) == ("15s", "5s", "http")
    assert endpoint["relabelings"][1]["targetLabel"] == "node"
    assert endpoint["metricRelabelings"][0]["regex"] == "workspace_task_info"
    values = {"serviceMonitor": {"enabled": True}, "web": {"telemetryPath": "/m"}}
    assert template(values).one("ServiceMonitor")["spec"]["endpoints"][0]["path"] == "/m"


def test_the_monitor_speaks_tls_where_the_exporter_does() -> None:
    """With tls_server_config the scheme is https, and credentials are references to Secrets."""
    (endpoint,) = rendered("web-tls").one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["basicAuth"]["password"] == {"name": "workspace-exporter-scrape", "key": "password"}
    assert endpoint["tlsConfig"]["serverName"] == "workspace-exporter"


def test_the_rules_are_the_examples() -> None:
    """Without changes from the values, every group and rule is that of examples/prometheus/rules.yml."""
    assert groups() == RULES["groups"]


def test_every_alert_can_be_switched_off() -> None:
    """Each alert goes by its name alone, and takes neither another alert nor a recording rule with it."""
    names = list(alerts(RULES["groups"]))
    for name in names[::4]:
        found = groups(alerts={name: {"enabled": False}})
        assert list(alerts(found)) == [other for other in names if other != name]
    everything = groups(alerts={name: {"enabled": False} for name in names})
    assert not alerts(everything)
    records = [rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule]
    assert [rule["record"] for group in everything for rule in group["rules"]] == records


def test_the_schema_knows_every_alert() -> None:
    """The names that values may use are exactly the alerts of the rules file."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    known = schema["properties"]["prometheusRule"]["properties"]["alerts"]["properties"]
    assert set(known) == set(alerts(RULES["groups"]))


def test_every_alert_can_be_changed() -> None:
    """Labels, annotations and `for` are replaced or extended; everything else stays as it was."""
    change = {"labels": {"severity": "page"}, "annotations": {"dashboard": "https://g"}, "for": "15m"}
    names = list(alerts(RULES["groups"]))
    found = alerts(groups(alertLabels={"team": "desktops"}, alerts=dict.fromkeys(names, change)))
    for name, original in alerts(RULES["groups"]).items():
        assert found[name]["labels"] == original["labels"] | {"team": "desktops", "severity": "page"}
        assert found[name]["annotations"] == original["annotations"] | {"dashboard": "https://g"}
        assert found[name]["for"] == "15m"
        assert found[name]["expr"] == original["expr"]


def test_runbooks_get_the_address_where_they_are_published() -> None:
    """`runbookBaseUrl` is put in front of a relative runbook_url, and not of one that is whole already."""
    own = {"annotations": {"runbook_url": "https://other.example.com/x"}}
    changes = {"WorkspaceExporterDown": own}
    found = alerts(groups(runbookBaseUrl="https://wiki.example.com/", alerts=changes))
    for name, original in alerts(RULES["groups"]).items():
        expected = "https://wiki.example.com/" + original["annotations"]["runbook_url"]
        if name == "WorkspaceExporterDown":
            expected = "https://other.example.com/x"
        assert found[name]["annotations"]["runbook_url"] == expected


@pytest.mark.parametrize("name", [name for name in VALUES if enables(name, "prometheusRule")])
def test_the_rendered_rules_pass_promtool(name: str, tmp_path: Path) -> None:
    """What the operator would hand to Prometheus is a rules file without complaint."""
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(rendered(name).one("PrometheusRule")["spec"]), encoding="utf-8")
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (counted,) = re.findall(r"(\d+) rules found", done.stdout)
    assert int(counted) > 15


def test_the_dashboard_is_the_example() -> None:
    """The sidecar finds a ConfigMap with exactly examples/grafana/dashboard.json in it."""
    dashboard = rendered("dashboard").named("ConfigMap", "we-workspace-exporter-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["metadata"]["annotations"] == {"grafana_folder": "Desktops"}
    assert dashboard["metadata"]["namespace"] == "monitoring"
    text = (EXAMPLES / "grafana" / "dashboard.json").read_text(encoding="utf-8")
    assert dashboard["data"]["workspace-exporter.json"] == text
    assert len(text) < 900_000, "a ConfigMap holds at most 1 MiB"


def test_the_dashboard_links_to_where_the_runbooks_are_published() -> None:
    """With `runbookBaseUrl` the variable Runbooks begins with that address, and nothing else changes."""
    base = 'https://wiki.example.com/a"b?c=1&d='
    values = {"dashboard": {"enabled": True}, "prometheusRule": {"runbookBaseUrl": f"{base}/"}}
    found = template(values).named("ConfigMap", "we-workspace-exporter-dashboard")["data"]
    board = json.loads(found["workspace-exporter.json"])
    original = json.loads((EXAMPLES / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    (variable,) = [each for each in original["templating"]["list"] if each["name"] == "runbooks"]
    place = f"{base}/{variable['query']}"
    assert variable["query"] == "docs/runbooks.md"
    variable |= {"query": place, "current": {"text": place, "value": place, "selected": True}}
    assert board == original
