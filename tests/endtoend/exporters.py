"""The exporter as a real process."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.endtoend.cloud import AKSK, Simulator
from tests.endtoend.processes import EXPORTER, answers, eventually, program

POLLING = {"interval": "500ms", "refresh": "2s", "requests_per_second": 0}
"""A cycle each half second, and every task's records at least every two seconds."""


class Exporter:
    """A running exporter: its URL, its process, and its log."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = url
        self.process = process
        self.log = log

    @property
    def address(self) -> str:
        """Host and port: Prometheus' label `instance`."""
        return self.url.partition("://")[2]

    @property
    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text("utf-8")

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Read a path."""
        return httpx.get(f"{self.url}{path}", headers=headers, trust_env=False)

    def scrape(self) -> str:
        """Return the metrics."""
        return self.get("/metrics").text


def project(name: str, simulator: Simulator, **changes: object) -> dict[str, Any]:
    """Return a project of the configuration that watches a simulated cloud: all its tasks, or given ones."""
    place = {"region": "cn-north-4", "endpoint": simulator.url, "iam_endpoint": simulator.url}
    selection: dict[str, Any] = {} if "tasks" in changes else {"discovery": {}}
    return {"name": name, **place, "auth": {"aksk": AKSK}, **selection, **changes}


def write_config(path: Path, *projects: dict[str, Any], **sections: object) -> Path:
    """Write a configuration file (JSON is YAML) with short intervals."""
    path.write_text(json.dumps({"projects": projects, "polling": POLLING, **sections}), "utf-8")
    return path


@contextmanager
def started(
    log: Path, config: Path, *flags: str, port: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator[Exporter]:
    """Run `workspace-exporter run` and wait until it listens."""
    arguments = ("--config.file", str(config), "--web.listen-address", f"127.0.0.1:{port}", *flags)
    with program((*EXPORTER, "run", *arguments), log, environment) as process:
        found = eventually(
            lambda: re.search(r'url"?[=:] ?"?(http[^\s"]+)', log.read_text("utf-8")), "the exporter to listen"
        )
        yield Exporter(found[1], process, log)


@contextmanager
def exporting(log: Path, config: Path, *flags: str, port: int = 0) -> Iterator[Exporter]:
    """Run `workspace-exporter run` and wait until it is ready."""
    with started(log, config, *flags, port=port) as exporter:
        eventually(lambda: answers(f"{exporter.url}/-/ready"), "the exporter to be ready")
        yield exporter
