"""Every query of the dashboard, against a real Prometheus that scrapes two replicas on the demo's cloud."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.endtoend.cloud import ACCOUNT, Simulator, simulated
from tests.endtoend.exporters import exporting, project, write_config
from tests.endtoend.processes import ROOT, answers, eventually, free_port, program
from tests.programs import require_program
from tools.dashboard.__main__ import EXAMPLE

Tree = dict[str, Any]
BOARD: Tree = json.loads(EXAMPLE.read_text("utf-8"))
PLANTED = "planted (C++|*)"
"""A task's name that means something else as a regular expression."""
GHOST = "no-such-task"
EVERYTHING: Mapping[str, list[str] | None] = {
    "job": ["workspace-exporter"],
    "instance": None,
    "project": None,
    "task": None,
}
"""What the dashboard is opened with; None is All."""
EMPTY: frozenset[str] = frozenset()
"""Panels that may have no data here: none, since what the demo lacks is planted (a fixed token, throttling,
malformed records, a task that does not exist)."""
_RULES = ROOT / "examples" / "prometheus" / "rules.yml"
_RANGE = 30


@dataclass(frozen=True, slots=True)
class Watch:
    """A running Prometheus, and the addresses of the two replicas that it scrapes."""

    url: str
    replicas: tuple[str, ...]

    def ask(self, path: str, **parameters: Any) -> Any:
        """Return the data of an answer of the HTTP API; fails with Prometheus' own words."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False)
        assert answer.is_success, f"{answer.text}: {parameters}"
        return answer.json()["data"]

    def run(self, target: Tree, chosen: Mapping[str, list[str] | None] = EVERYTHING) -> list[Tree]:
        """Return the series of a panel's query, asked as Grafana asks."""
        expression, now = interpolated(target["expr"], chosen), time.time()
        if target.get("instant"):
            found: list[Tree] = self.ask("query", query=expression, time=now)["result"]
        else:
            span = {"start": now - _RANGE, "end": now, "step": 1}
            found = self.ask("query_range", query=expression, **span)["result"]
        return found

    def number(self, title: str, chosen: Mapping[str, list[str] | None] = EVERYTHING) -> float:
        """Return the only value of a panel that shows one number."""
        (panel,) = (panel for panel in panels() if panel["title"] == title and panel["type"] == "stat")
        (sample,) = self.run(panel["targets"][0], chosen)
        return float(sample["value"][1])


def interpolated(text: str, chosen: Mapping[str, list[str] | None]) -> str:
    """Return a query with its variables replaced, as Grafana's Prometheus data source does it.

    All is the variable's allValue; one value stands alone, several as alternatives, special characters
    escaped for the regular expression and for the string that it stands in. Scrapes are a second apart here.
    """
    text = text.replace("$__rate_interval", "4s").replace("$__range", f"{_RANGE}s")
    for name, values in chosen.items():
        literal = [_escaped(value) for value in values or ()]
        joined = ".+" if values is None else literal[0] if len(literal) == 1 else f"({'|'.join(literal)})"
        text = text.replace(f"${name}", joined)
    assert "$" not in text.replace(r"\\$", "").replace('"$1"', ""), text
    return text


def _escaped(value: str) -> str:
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", r"\\\\"))


def panels() -> Iterator[Tree]:
    """Yield every panel that asks something."""
    for panel in BOARD["panels"]:
        yield from (each for each in (panel, *(panel.get("panels") or ())) if each["type"] != "row")


def quick_rules(text: str) -> str:
    """Return the rules, those for the dashboard each second and three seconds back, not five minutes."""
    tree = yaml.safe_load(text)
    (group,) = (group for group in tree["groups"] if group["name"] == "workspace-desktops")
    assert group["interval"] == "1m"
    group["interval"] = "1s"
    (increase,) = (rule for rule in group["rules"] if rule["record"].endswith(":increase5m"))
    assert increase["expr"].count("offset 5m") == 4
    increase["expr"] = increase["expr"].replace("offset 5m", "offset 3s")
    return json.dumps(tree)


@contextmanager
def scraping(folder: Path, replicas: tuple[str, ...]) -> Iterator[Watch]:
    """Run Prometheus on the replicas, each second."""
    (folder / "rules.yml").write_text(quick_rules(_RULES.read_text("utf-8")), "utf-8")
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "workspace-exporter", "static_configs": [{"targets": replicas}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")
    address = f"127.0.0.1:{free_port()}"
    arguments = (
        require_program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    )
    with program(arguments, folder / "prometheus.log"):
        eventually(lambda: answers(f"http://{address}/-/ready"), "Prometheus")
        yield Watch(f"http://{address}", replicas)


def configure(folder: Path, cloud: Simulator) -> Path:
    """Write the configuration of both replicas: the demo and a task that does not exist; a fixed token."""
    token = {"token": {"token": ACCOUNT.token}}
    nothing = {"include": ["^no such name$"]}
    return write_config(
        folder / "exporter.yml",
        project("demo", cloud, tasks=[{"id": GHOST}], discovery={}),
        project("fixed", cloud, auth=token, project_id=cloud.project_id, discovery=nothing),
    )


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """Run the cloud, two replicas and Prometheus until there is something to see in every panel."""
    require_program("prometheus")
    folder = tmp_path_factory.mktemp("dashboard")
    with ExitStack() as stack:
        cloud = stack.enter_context(simulated(folder, "--seed", "1"))
        task = cloud.add_task(PLANTED, task_id="planted")
        config = configure(folder, cloud)
        addresses = [
            stack.enter_context(exporting(folder / f"{name}.log", config)).address for name in ("one", "two")
        ]
        watch = stack.enter_context(scraping(folder, tuple(addresses)))
        good = "count(workspace_exporter_poll_success == 1) == 4"
        eventually(lambda: watch.ask("query", query=good)["result"], "good cycles of both projects, twice")
        eventually(lambda: _filled(watch, cloud, task), "data in every panel")
        cloud.fault("")
        yield watch


def _filled(watch: Watch, cloud: Simulator, task: str) -> bool:
    """Let a run fail, an answer be malformed and one be refused; whether every query has data by now."""
    cloud.run(task, "FAIL", success=3, failed=2)
    cloud.fault("types@records:x1,429=none@list:x1")
    time.sleep(1)
    return next(silent(watch), None) is None


def silent(watch: Watch) -> Iterator[str]:
    """Yield the queries that have no data."""
    for panel in panels():
        for target in panel["targets"]:
            if panel["title"] not in EMPTY and not watch.run(target):
                yield f"{panel['title']}: {target['expr']}"


def named(labels: Mapping[str, str], legend: str) -> str:
    """Return what Grafana calls a series."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend)


STATES = {
    "start finance 9": "success",
    "nightly stop, failing for days": "failed",
    "reboot, partly failed": "partial",
    "hibernate, skipped again and again": "skipped",
    "status that nobody documented": "unknown",
    "start reception, never started today": "missed",
}
"""What the demo's cast shows, literally."""


@pytest.mark.real
def test_every_query_returns_data(watch: Watch) -> None:
    """No panel is empty, no query is refused, with the variables as the dashboard is opened."""
    assert list(silent(watch)) == []


@pytest.mark.real
def test_alerts_are_found_as_annotations(watch: Watch) -> None:
    """Alerts of tasks and, though they have no task, of the exporter."""
    (annotation,) = BOARD["annotations"]["list"]
    found = {series["metric"]["alertname"] for series in watch.run({"expr": annotation["expr"]})}
    assert found >= {"WorkspaceTaskRunFailed", "WorkspaceTaskRunMissed", "WorkspaceTaskRunStuck"}


@pytest.mark.real
def test_the_variables_offer_what_there_is(watch: Watch) -> None:
    """Each list asked as Grafana asks it, with All chosen before."""
    offered = {}
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            ((selector, label),) = re.findall(r"^label_values\((.*), (\w+)\)$", variable["query"]["query"])
            parameters = {"match[]": interpolated(selector, EVERYTHING)}
            offered[variable["name"]] = set(watch.ask(f"label/{label}/values", **parameters))
    assert offered["job"] == {"workspace-exporter"}
    assert offered["instance"] == set(watch.replicas)
    assert offered["project"] == {"demo", "fixed"}
    assert offered["task"] >= {PLANTED, *STATES}


@pytest.mark.real
def test_a_choice_of_tasks_is_kept_to(watch: Watch) -> None:
    """Several projects and tasks at once, one with a name that is no plain regular expression."""
    tasks = [PLANTED, "reboot, partly failed"]
    chosen = {**EVERYTHING, "project": ["demo", "fixed"], "task": tasks}
    for panel in panels():
        for target in panel["targets"]:
            names = {series["metric"].get("task_name") for series in watch.run(target, chosen)} - {None}
            assert names <= set(tasks), panel["title"]
    (history,) = (panel for panel in panels() if panel["type"] == "status-history")
    shown = {series["metric"]["task_name"] for series in watch.run(history["targets"][0], chosen)}
    assert shown == set(tasks)


@pytest.mark.real
def test_the_timeline_tells_each_state(watch: Watch) -> None:
    """The demo's cast, each in the word and colour that it is known for."""
    (panel,) = (panel for panel in panels() if panel["type"] == "state-timeline")
    words = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    found = {
        series["metric"]["task_name"]: words[series["values"][-1][1]]["text"]
        for series in watch.run(panel["targets"][0])
    }
    assert {name: found.get(name) for name in STATES} == STATES


@pytest.mark.real
def test_two_replicas_are_no_more_than_one(watch: Watch) -> None:
    """Counts of tasks are the same from both as from either, and no series stands twice in a graph."""

    def agreed() -> bool:
        choices = [EVERYTHING, *({**EVERYTHING, "instance": [replica]} for replica in watch.replicas)]
        counts = {tuple(watch.number(title, chosen) for title in titles) for chosen in choices}
        return len(counts) == 1 and all(counts.pop())

    titles = (
        "Failed",
        "Partial",
        "Missed",
        "Stuck",
        "Skipped",
        "Unknown status",
        "Not found",
        "Switched off",
    )
    eventually(agreed, "the replicas to agree, on some of each")
    for panel in (panel for panel in panels() if panel["type"] != "table"):
        names = [
            named(series["metric"], target["legendFormat"])
            for target in panel["targets"]
            for series in watch.run(target)
        ]
        assert len(set(names)) == len(names), panel["title"]
