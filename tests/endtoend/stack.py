"""Starts the real programs with the repository's own examples, at intervals that a test can wait for."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.endtoend.receiver import Receiver, receiving
from tests.programs import require_program

ROOT = Path(__file__).resolve().parents[2]
EXPORTER = (sys.executable, "-m", "exporter")
PATIENCE = 60.0
"""Seconds until a wait is given up: far more than anything takes, so that only a defect meets it."""
_PAUSE = 0.1
T = TypeVar("T")
Tree = dict[str, Any]


def eventually(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Look until there is something to see; fails, saying what was waited for."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(_PAUSE)
    raise AssertionError(f"waited {patience:.0f} s in vain for {what}")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def program(arguments: tuple[str, ...], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the block lasts; what it says goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(url: str) -> bool:
    """Whether a GET of `url` succeeds."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False


class Simulator:
    """The simulated cloud and its script's way in."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: object = None) -> Tree:
        """Use the control path; returns its JSON."""
        answer = httpx.request(method, f"{self.url}/simulator/{path}", json=body, trust_env=False)
        assert answer.is_success, answer.text
        tree: Tree = answer.json()
        return tree

    def add_task(self, name: str, **fields: object) -> str:
        """Add a daily task that will not run by itself while a test lasts; returns its id."""
        yesterday = time.gmtime(time.time() - 7200)
        plan = {"scheduled_type": "DAY", "day_interval": 1, "time_zone": "UTC"}
        plan["scheduled_time"] = time.strftime("%H:%M:%S", yesterday)
        body = {"plan": plan, "name": name, "history_days": 3, "behaviour": "healthy", **fields}
        return str(self.call("POST", "tasks", body)["task_id"])

    def run(self, task_id: str, **fields: object) -> Tree:
        """Plant a run that ends at once unless told otherwise."""
        return self.call("POST", f"tasks/{task_id}/run", {"in": 0, "duration": 0, **fields})


@contextmanager
def simulated(folder: Path) -> Iterator[Simulator]:
    """Run `workspace-exporter simulate` with no tasks but those that the test adds."""
    port = free_port()
    arguments = (*EXPORTER, "simulate", "--listen", f"127.0.0.1:{port}", "--tasks", "0")
    with program(arguments, folder / "simulator.log"):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(f"{url}/simulator/clock"), "the simulator")
        yield Simulator(url)


def write_config(folder: Path, simulator: str, **polling: object) -> Path:
    """Write a configuration that watches everything in the simulated cloud, each second."""
    config = {
        "projects": [
            {
                "name": "prod",
                "region": "cn-north-4",
                "endpoint": simulator,
                "iam_endpoint": simulator,
                "auth": {
                    "aksk": {
                        "access_key": "DEMOACCESSKEY0000001",
                        "secret_key": "demo-secret-key-of-the-simulator-0000001",
                    }
                },
                "discovery": {},
            }
        ],
        "polling": {"interval": "1s", "refresh": "2s", "requests_per_second": 0, **polling},
    }
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


class Exporter:
    """A running exporter: its URL, its process, and its log."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = url
        self.process = process
        self.log = log

    def scrape(self, **headers: str) -> str:
        """Return the metrics."""
        return httpx.get(f"{self.url}/metrics", headers=headers, trust_env=False).text


@contextmanager
def exporting(folder: Path, config: Path, *flags: str, port: int = 0) -> Iterator[Exporter]:
    """Run `workspace-exporter run` and wait until it is ready."""
    log = folder / "exporter.log"
    address = ("--web.listen-address", f"127.0.0.1:{port}")
    with program((*EXPORTER, "run", "--config.file", str(config), *address, *flags), log) as process:
        url = eventually(
            lambda: re.search(r"url=(\S+)", log.read_text(encoding="utf-8")), "the exporter to listen"
        )[1]
        eventually(lambda: answers(f"{url}/-/ready"), "the exporter to be ready")
        yield Exporter(url, process, log)


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def alerts(self, name: str) -> list[Tree]:
        """Return the alerts of a rule that are pending or firing."""
        tree = httpx.get(f"{self.url}/api/v1/alerts", trust_env=False).json()
        return [alert for alert in tree["data"]["alerts"] if alert["labels"]["alertname"] == name]

    def query(self, expression: str) -> list[Tree]:
        """Return an instant query's result."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, trust_env=False)
        result: list[Tree] = answer.json()["data"]["result"]
        return result


@contextmanager
def watching(folder: Path, exporters: list[str], receiver: str) -> Iterator[Prometheus]:
    """Run Prometheus and Alertmanager on the example files, with short intervals."""
    with ExitStack() as stack:
        alertmanager = f"127.0.0.1:{free_port()}"
        stack.enter_context(_alertmanager(folder, alertmanager, receiver))
        example = ROOT / "examples" / "prometheus" / "prometheus.yml"
        config = yaml.safe_load(example.read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(example.parent / "rules.yml")]
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
        config["scrape_configs"][0]["static_configs"][0]["targets"] = exporters
        path = folder / "prometheus.yml"
        path.write_text(json.dumps(config), encoding="utf-8")
        address = f"127.0.0.1:{free_port()}"
        arguments = (
            require_program("prometheus"),
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={address}",
        )
        stack.enter_context(program(arguments, folder / "prometheus.log"))
        eventually(lambda: answers(f"http://{address}/-/ready"), "Prometheus")
        yield Prometheus(f"http://{address}")


@contextmanager
def _alertmanager(folder: Path, address: str, receiver: str) -> Iterator[None]:
    example = ROOT / "examples" / "alertmanager" / "alertmanager.yml"
    config = yaml.safe_load(example.read_text(encoding="utf-8"))
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    config["receivers"][0]["webhook_configs"][0]["url"] = receiver
    path = folder / "alertmanager.yml"
    path.write_text(json.dumps(config), encoding="utf-8")
    arguments = (
        require_program("alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    with program(arguments, folder / "alertmanager.log"):
        eventually(lambda: answers(f"http://{address}/-/ready"), "Alertmanager")
        yield


@contextmanager
def everything(folder: Path) -> Iterator[tuple[Simulator, Exporter, Prometheus, Receiver]]:
    """Run all of it, each program on the next one's output."""
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        simulator = stack.enter_context(simulated(folder))
        config = write_config(folder, simulator.url)
        exporter = stack.enter_context(exporting(folder, config))
        target = exporter.url.removeprefix("http://")
        yield simulator, exporter, stack.enter_context(watching(folder, [target], receiver.url)), receiver
