"""`demo`: everything at once, without configuration or credentials; and its scrape as the tools want it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.cli.conftest import Invoke
from tests.cli.outcome import command
from tests.endtoend.processes import EXPORTER, answers, eventually, program
from tests.programs import require_program

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PORTS = ("--web.listen-address", "127.0.0.1:0", "--simulator.listen-address", "127.0.0.1:0")


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demonstration, what it printed, and the process."""

    url: str
    printed: str
    process: subprocess.Popen[bytes]

    def scrape(self, accept: str = "text/plain") -> str:
        """Return the metrics."""
        return httpx.get(f"{self.url}/metrics", headers={"Accept": accept}, trust_env=False).text


def _last_statuses(scrape: str) -> set[str]:
    return set(re.findall(r'workspace_task_last_run_status\{.*status="(\w+)".*\} 1\.0', scrape))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the demonstration until each kind of trouble can be seen, and end it with Ctrl-C."""
    log = tmp_path_factory.mktemp("demo") / "log"
    with program((*EXPORTER, "demo", *PORTS, "--log.level", "warning"), log) as process:
        url = eventually(lambda: re.search(r"(http://\S+)/metrics", log.read_text("utf-8")), "the URLs")[1]
        eventually(lambda: answers(f"{url}/-/ready"), "the demo to be ready")
        running = Demo(url, log.read_text("utf-8"), process)
        wanted = {"success", "partial", "failed", "skipped", "unknown"}
        eventually(lambda: _last_statuses(running.scrape()) >= wanted, "every kind of last run")
        yield running
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert "Traceback" not in log.read_text("utf-8")


def test_it_prints_where_to_look_and_for_what(demo: Demo) -> None:
    """Each URL that it prints answers, and what it tells to look for is there."""
    urls = re.findall(r"http://\S+", demo.printed)
    assert len(urls) == 3
    assert all(answers(url) for url in urls)
    assert 'workspace_task_last_run_status{status="failed"} == 1' in demo.printed


def test_it_shows_every_kind_of_trouble_and_healthy_tasks(demo: Demo) -> None:
    """Failed, partial, skipped for days, unknown, missed, stuck, disabled; and successes."""
    scrape = demo.scrape()
    assert {"success", "partial", "failed", "skipped", "unknown"} <= _last_statuses(scrape)
    stuck = re.findall(r"workspace_task_running_since_timestamp_seconds\{.*stuck.*\} (\S+)", scrape)
    assert [float(value) > 0 for value in stuck] == [True]
    assert re.search(r"workspace_task_enabled\{.*switched off.*\} 0\.0", scrape)

    def told() -> bool:
        tree = httpx.get(f"{demo.url}/api/v1/tasks", trust_env=False).json()
        verdicts = {task["verdict"] for task in tree["tasks"]}
        return {"ok", "failed", "partial", "missed", "stuck", "no_success", "unknown"} <= verdicts

    eventually(told, "every verdict, once the schedules are read too")


@pytest.mark.real
@pytest.mark.parametrize("accept", ["text/plain", "*/*"])
def test_promtool_has_no_complaint(demo: Demo, accept: str) -> None:
    """`promtool check metrics` is silent on a scrape."""
    promtool = require_program("promtool")
    scrape = demo.scrape(accept).encode()
    done = subprocess.run([promtool, "check", "metrics"], input=scrape, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_openmetrics_scrape_parses(demo: Demo) -> None:
    """With prometheus_client's own parser of OpenMetrics; both formats hold the same families."""
    parsed = text_string_to_metric_families(demo.scrape(OPENMETRICS))  # type: ignore[no-untyped-call]
    families = {family.name: family for family in parsed}
    assert families["workspace_task_runs"].type == "counter"
    assert families["workspace_exporter_api_request_duration_seconds"].type == "histogram"
    typed = re.findall(r"^# TYPE (\S+)", demo.scrape(), re.MULTILINE)
    assert {name.removesuffix("_total") for name in typed} == families.keys()


def test_help_works_before_anything_listens() -> None:
    """It takes the flags of `run` that make sense."""
    outcome = command("demo", "--help")
    assert outcome.code == 0
    assert "--web.listen-address" in outcome.out


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (("--web.listen-address", "nowhere"), ("--web.listen-address",)),
        (("--simulator.listen-address", "nowhere"), ("--simulator.listen-address",)),
        (("--web.telemetry-path", "metrics"), ("--web.telemetry-path",)),
        (("--seed", "x"), ("demo: ", "--seed")),
        (("--log.level", "loud"), ("demo: ", "--log.level")),
    ],
)
def test_wrong_flags_are_usage_errors(invoke: Invoke, flags: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """One line that names the flag."""
    invoke("demo", *flags).fails_with_one_line(2, *parts)


@pytest.mark.parametrize("flag", ["--web.listen-address", "--simulator.listen-address"])
def test_a_taken_port_is_an_error_of_its_own_flag(flag: str) -> None:
    """Each of the two addresses by its name."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = command("demo", *PORTS, "--log.level", "error", flag, address)
    outcome.fails_with_one_line(2, flag, address, "in use")


def test_what_the_readme_greps_for_is_there(demo: Demo) -> None:
    """The command behind the pipe, as the README has it, finds tasks whose last run failed."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (pattern,) = re.findall(r"^curl -s \S+/metrics \| grep '(.+)'$", readme, re.MULTILINE)
    done = subprocess.run(["grep", pattern], input=demo.scrape(), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all('status="failed"' in line and line.endswith(" 1.0") for line in done.stdout.splitlines())
