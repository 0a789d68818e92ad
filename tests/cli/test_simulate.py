"""`simulate`: a cloud that accepts what it prints, for as long as it is wanted."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.cloud import write_config
from tests.cli.conftest import Invoke
from tests.endtoend.cloud import simulated
from tests.endtoend.processes import EXPORTER, eventually, program


def test_what_it_prints_is_accepted(tmp_path: Path, invoke: Invoke) -> None:
    """Each way to sign in, with the printed values alone; then SIGTERM ends it with 0."""
    log = tmp_path / "log"
    with program((*EXPORTER, "simulate", "--listen", "127.0.0.1:0", "--tasks", "3"), log) as process:
        line = eventually(lambda: re.search(r"The simulated cloud is at .*\n", log.read_text("utf-8")), "it")[
            0
        ]
        told = re.fullmatch(
            r"The simulated cloud is at (\S+): region (\S+), project_id (\S+), token (\S+), "
            r"access_key (\S+), secret_key (\S+), user (\S+)/(\S+) with password (\S+)\n",
            line,
        )
        assert told
        url, region, project_id, token, access, secret, domain, user, password = told.groups()
        ways = {
            "token": {"token": token},
            "password": {"domain_name": domain, "user_name": user, "password": password},
            "aksk": {"access_key": access, "secret_key": secret},
            "metadata": {"endpoint": url},
        }
        common: dict[str, Any] = {"region": region, "endpoint": url, "iam_endpoint": url, "discovery": {}}
        projects = [
            {"name": kind, **common, "project_id": project_id, "auth": {kind: way}}
            for kind, way in ways.items()
        ]
        outcome = invoke("check-config", "--probe", write_config(tmp_path / "config.yml", *projects))
        assert outcome.code == 0, outcome
        assert outcome.out.count("selected: 3 tasks") == len(ways)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert log.read_text("utf-8") == line


def test_the_seed_decides_the_world(tmp_path: Path) -> None:
    """Two with the same seed show the same tasks; another seed shows others."""
    flags = ("--tasks", "5", "--seed")
    with (
        simulated(tmp_path, *flags, "7", name="one") as one,
        simulated(tmp_path, *flags, "7", name="two") as two,
        simulated(tmp_path, *flags, "8", name="three") as three,
    ):
        names = [
            [run["task_id"] for run in cloud.call("GET", "ledger")["runs"]] for cloud in (one, two, three)
        ]
    assert names[0] == names[1] != names[2]


def test_the_speed_is_that_of_its_clock(tmp_path: Path) -> None:
    """An hour a second."""
    with simulated(tmp_path, "--tasks", "0", "--speed", "3600") as cloud:
        before = cloud.call("GET", "clock")
        after = eventually(
            lambda: now if (now := cloud.call("GET", "clock"))["now"] > before["now"] + 900 else None, "time"
        )
    assert after["now"] - before["now"] == pytest.approx(3600 * (after["wall"] - before["wall"]), rel=0.01)


def test_faults_strike_from_the_beginning(tmp_path: Path) -> None:
    """`--faults` is what the control path would set."""
    with simulated(tmp_path, "--tasks", "0", "--faults", "503@list:x1") as cloud:
        path = f"{cloud.url}/v2/{cloud.project_id}/scheduled-tasks?offset=0&limit=1"
        statuses = [
            httpx.get(path, headers={"X-Auth-Token": "demo-token"}, trust_env=False).status_code for _ in "12"
        ]
    assert statuses == [503, 200]


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (("--faults", "nonsense"), ("--faults", "nonsense")),
        (("--faults", "500@nowhere"), ("--faults", "nowhere")),
        (("--tasks", "-1"), ("simulate: ", "--tasks")),
        (("--tasks", "many"), ("simulate: ", "--tasks")),
        (("--speed", "0"), ("simulate: ", "--speed")),
        (("--listen", "nowhere"), ("--listen", "[HOST]:PORT")),
        (("--listen", "127.0.0.1:70000"), ("--listen", "65535")),
    ],
)
def test_wrong_flags_are_usage_errors(invoke: Invoke, flags: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """Before anything listens: one line that names the flag."""
    invoke("simulate", *flags).fails_with_one_line(2, *parts)


def test_a_taken_port_is_an_error(invoke: Invoke) -> None:
    """The line names the flag and the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        invoke("simulate", "--listen", address).fails_with_one_line(2, "--listen", address, "in use")


def test_it_writes_nothing_else(tmp_path: Path) -> None:
    """Requests are counted, not logged: `GET /simulator/requests`."""
    with simulated(tmp_path) as cloud:
        cloud.add_task("quiet")
        assert json.loads(httpx.get(f"{cloud.url}/simulator/requests", trust_env=False).text)["total"] == 0
    assert (tmp_path / "simulator.log").read_text("utf-8").count("\n") == 1
