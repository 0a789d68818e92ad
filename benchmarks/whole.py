"""The real programs over loopback: simulator and exporter as processes of their own."""

from __future__ import annotations

import math
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from benchmarks.memory import resident
from tests.endtoend.processes import EXPORTER, answers, eventually, free_port, program

Figures = dict[str, float]
_TICKS = 100
_SCRAPES = 200
_SCRAPE_EVERY = 0.3
_IDLE_SECONDS = 30.0
_STEADY_CYCLES = 3
_FEW = 2000
_REFRESH_SECONDS = 900
_PATIENCE = 600.0


def measure(tasks: int) -> Figures:
    """Return time to ready, first sweep, calls, scrapes, memory, idle CPU and detection delay.

    All the time a refresh at the default pace is under way: every record anew within 15 minutes.
    """
    figures: Figures = {"tasks": float(tasks)}
    seconds = 5.0 if tasks <= _FEW else 30.0
    interval = f"{seconds:g}s"
    with tempfile.TemporaryDirectory() as name, _simulator(Path(name), tasks) as cloud:
        config = _config(Path(name), cloud, interval, f"{_REFRESH_SECONDS}s")
        started = time.perf_counter()
        with _exporter(Path(name), config) as (url, process):
            eventually(lambda: answers(f"{url}/-/ready"), "readiness", _PATIENCE)
            figures["time to ready (s)"] = time.perf_counter() - started
            _first_sweep(url, tasks, figures, started)
            _calls(cloud, url, figures, seconds)
            for encoding in ("gzip", "identity"):
                idle = _scrapes(url, process.pid, encoding)
                figures |= {f"scrape, idle, {name}": value for name, value in idle.items()}
            refreshing = _scrapes(url, process.pid, "gzip", pause=_SCRAPE_EVERY)
            figures |= {f"scrape, during a refresh, {name}": value for name, value in refreshing.items()}
            figures["memory (MiB)"] = resident(process.pid)
            cpu, moment = _cpu(process.pid), time.perf_counter()
            time.sleep(_IDLE_SECONDS)
            waited = time.perf_counter() - moment
            figures[f"idle CPU at an interval of {interval} (% of one core)"] = (
                (_cpu(process.pid) - cpu) / waited * 100
            )
            figures["detection delay (s)"] = _detection(cloud, url)
        figures |= _refreshing(Path(name), cloud, tasks, interval)
    return figures


def _refreshing(folder: Path, cloud: str, tasks: int, interval: str) -> Figures:
    """Scrape while every task is read anew within a minute, and again: fifteen times the default pace."""
    figures: Figures = {}
    config = _config(folder, cloud, interval, "1m")
    with _exporter(folder, config) as (url, process):
        eventually(lambda: answers(f"{url}/-/ready"), "readiness", _PATIENCE)
        eventually(lambda: _detailed(url) >= 0.9 * tasks, "everything", _PATIENCE)
        requests, cpu, started = _requests(cloud), _cpu(process.pid), time.perf_counter()
        scraped = _scrapes(url, process.pid, "gzip", pause=_SCRAPE_EVERY)
        seconds = time.perf_counter() - started
        figures["requests a second, at 15 times the pace"] = (_requests(cloud) - requests) / seconds
        figures["CPU, at 15 times the pace (% of one core)"] = (_cpu(process.pid) - cpu) / seconds * 100
        figures["memory, at 15 times the pace (MiB)"] = resident(process.pid)
    return figures | {f"scrape, at 15 times the pace, {name}": value for name, value in scraped.items()}


def _detailed(url: str) -> int:
    """How many tasks are known down to the duration of their last run."""
    return _metrics(url).count("\nworkspace_task_last_run_duration_seconds{")


def _first_sweep(url: str, tasks: int, figures: Figures, started: float) -> None:
    def swept() -> bool:
        text = _metrics(url)
        return text.count("\nworkspace_task_records{") >= tasks and 'poll_success{project="prod"} 1.0' in text

    eventually(swept, "the first sweep", _PATIENCE)
    figures["first sweep (s)"] = time.perf_counter() - started


def _calls(cloud: str, url: str, figures: Figures, seconds: float) -> None:
    """Count the simulator's own requests: until nothing is left to read, and then of a steady cycle.

    Runs come along in some cycles, so the least of several is the steady cost; the refresh is in all of them.
    """

    def cycles() -> float:
        found = re.search(r"last_successful_poll_timestamp_seconds\{[^}]*\} (\S+)", _metrics(url))
        return float(found[1]) if found else 0.0

    def requests_of_a_cycle() -> float:
        before, requests = cycles(), _requests(cloud)
        eventually(lambda: cycles() > before, "a cycle", _PATIENCE)
        return _requests(cloud) - requests

    figures["requests until all is known"] = 0.0
    counts = [requests_of_a_cycle() for _ in range(2)]
    tasks = figures["tasks"]
    steady = tasks / 50 + 3 + tasks * seconds / _REFRESH_SECONDS + 0.02 * tasks
    while min(counts[-2:]) > steady:
        counts.append(requests_of_a_cycle())
    figures["requests until all is known"] = _requests(cloud)
    figures["requests of a steady cycle"] = min(requests_of_a_cycle() for _ in range(_STEADY_CYCLES))


def _scrapes(url: str, pid: int, encoding: str, *, pause: float = 0.0) -> Figures:
    """Return median and 99th percentile of some scrapes, and the server's CPU for each, in seconds."""
    with httpx.Client(trust_env=False, timeout=60) as client:

        def scrape() -> float:
            time.sleep(pause)
            started = time.perf_counter()
            with client.stream("GET", f"{url}/metrics", headers={"Accept-Encoding": encoding}) as answer:
                for _ in answer.iter_raw():
                    pass
            return time.perf_counter() - started

        scrape()
        cpu = _cpu(pid)
        times = sorted(scrape() for _ in range(_SCRAPES))
        busy = (_cpu(pid) - cpu) / _SCRAPES
    return {
        f"{encoding}, CPU (s)": busy,
        f"{encoding}, p50 (s)": statistics.median(times),
        f"{encoding}, p99 (s)": times[math.ceil(0.99 * len(times)) - 1],
    }


def _detection(cloud: str, url: str) -> float:
    """Seconds from a record that turns FAIL to the sample that says so."""
    body = {
        "plan": {
            "scheduled_type": "DAY",
            "day_interval": 1,
            "time_zone": "UTC",
            "scheduled_time": "00:00:00",
        },
        "name": "detection",
        "history_days": 3,
    }
    task = httpx.post(f"{cloud}/simulator/tasks", json=body, trust_env=False).json()["task_id"]

    known = f'workspace_task_records{{project="prod",task_id="{task}"'
    eventually(lambda: known in _metrics(url), "it", _PATIENCE)
    started = time.perf_counter()
    run = {"in": 0, "duration": 0, "status": "FAIL", "success": 0, "failed": 1}
    httpx.post(f"{cloud}/simulator/tasks/{task}/run", json=run, trust_env=False)
    shown = re.compile(rf'last_run_status\{{project="prod",status="failed",task_id="{task}"[^\n]* 1\.0')
    eventually(lambda: shown.search(_metrics(url)), "the failure", _PATIENCE)
    return time.perf_counter() - started


@contextmanager
def _simulator(folder: Path, tasks: int) -> Iterator[str]:
    port = free_port()
    arguments = (*EXPORTER, "simulate", "--listen", f"127.0.0.1:{port}", "--tasks", str(tasks))
    url = f"http://127.0.0.1:{port}"
    with program(arguments, folder / "simulator.log"):
        eventually(lambda: answers(f"{url}/simulator/clock"), "the simulator", _PATIENCE)
        yield url


@contextmanager
def _exporter(folder: Path, config: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    address = ("--web.listen-address", f"127.0.0.1:{port}")
    arguments = (*EXPORTER, "run", "--config.file", str(config), *address)
    with program(arguments, folder / "exporter.log") as process:
        yield f"http://127.0.0.1:{port}", process


def _config(folder: Path, cloud: str, interval: str, refresh: str) -> Path:
    project: dict[str, Any] = {
        "name": "prod",
        "region": "cn-north-4",
        "endpoint": cloud,
        "iam_endpoint": cloud,
    }
    secret = "demo-secret-key-of-the-simulator-0000001"  # noqa: S105 - the simulator's public key
    project["auth"] = {"aksk": {"access_key": "DEMOACCESSKEY0000001", "secret_key": secret}}
    project["discovery"] = {}
    polling = {"interval": interval, "refresh": refresh, "requests_per_second": 0, "concurrency": 16}
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump({"projects": [project], "polling": polling}), encoding="utf-8")
    return path


def _metrics(url: str) -> str:
    return httpx.get(f"{url}/metrics", trust_env=False, timeout=60).text


def _requests(cloud: str) -> float:
    tree = httpx.get(f"{cloud}/simulator/requests", trust_env=False).json()
    return float(tree["total"])


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
