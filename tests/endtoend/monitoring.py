"""Prometheus and Alertmanager as real processes, on the repository's example files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.endtoend.compressed import compressed_rules
from tests.endtoend.processes import ROOT, answers, eventually, free_port, program
from tests.programs import require_program

Tree = dict[str, Any]
_EXAMPLES = ROOT / "examples"
_SECOND = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[Tree]:
        """Return an instant query's result."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, trust_env=False)
        assert answer.is_success, answer.text
        result: list[Tree] = answer.json()["data"]["result"]
        return result

    def raised(self, labels: Mapping[str, str], *, state: str = "firing") -> set[str]:
        """Return the names of the alerts with these labels that were in this state at any evaluation."""
        matchers = ",".join(f'{name}="{value}"' for name, value in labels.items())
        series = f'ALERTS{{alertstate=~"{state}",{matchers}}}'
        found = self.query(f"group by (alertname) (last_over_time({series}[1h]))")
        return {sample["metric"]["alertname"] for sample in found}

    def broken_rules(self) -> list[Tree]:
        """Return the rules whose last evaluation failed."""
        groups = httpx.get(f"{self.url}/api/v1/rules", trust_env=False).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]


@contextmanager
def prometheus(folder: Path, exporters: list[str], alertmanager: str) -> Iterator[Prometheus]:
    """Run Prometheus with the example's files, each second, and with the compressed rules."""
    config = yaml.safe_load((_EXAMPLES / "prometheus" / "prometheus.yml").read_text("utf-8"))
    rules = folder / "rules.yml"
    rules.write_text(compressed_rules((_EXAMPLES / "prometheus" / "rules.yml").read_text("utf-8")), "utf-8")
    config["global"] = _SECOND
    config["rule_files"] = [str(rules)]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = exporters
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config), "utf-8")
    address = f"127.0.0.1:{free_port()}"
    arguments = (
        require_program("prometheus"),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    )
    with program(arguments, folder / "prometheus.log"):
        eventually(lambda: answers(f"http://{address}/-/ready"), "Prometheus")
        yield Prometheus(f"http://{address}")


@contextmanager
def alertmanager(folder: Path, receiver: str) -> Iterator[str]:
    """Run Alertmanager with the example's routes and inhibitions, but no waiting; yields its address."""
    config = yaml.safe_load((_EXAMPLES / "alertmanager" / "alertmanager.yml").read_text("utf-8"))
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    config["receivers"][0]["webhook_configs"][0]["url"] = receiver
    path = folder / "alertmanager.yml"
    path.write_text(json.dumps(config), "utf-8")
    address = f"127.0.0.1:{free_port()}"
    arguments = (
        require_program("alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    with program(arguments, folder / "alertmanager.log"):
        eventually(lambda: answers(f"http://{address}/-/ready"), "Alertmanager")
        yield address
