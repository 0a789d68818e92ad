"""The systemd unit: accepted, hardened, and the exporter lives with the hardening."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.packaging.cluster import COMMAND, free_port
from tests.packaging.workshop import EXAMPLES, program

UNIT = EXAMPLES / "systemd" / "workspace-exporter.service"
INSTALLED = "/opt/workspace-exporter/bin/workspace-exporter"
MOST_EXPOSED = 1.5
"""Of 10. What is left is the network, which an exporter is for."""


def service() -> dict[str, list[str]]:
    """Return the keys of [Service], each with all its values."""
    section = UNIT.read_text(encoding="utf-8").partition("[Service]\n")[2].partition("\n[")[0]
    found: dict[str, list[str]] = {}
    for line in section.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def local(tmp_path: Path) -> str:
    """Return the unit as a file that starts the command of this machine."""
    file = tmp_path / UNIT.name
    file.write_text(UNIT.read_text(encoding="utf-8").replace(INSTALLED, COMMAND), encoding="utf-8")
    return str(file)


def system_calls(*names: str) -> set[str]:
    """Return the system calls of filter sets, as this systemd knows them."""
    done = subprocess.run(
        [program("systemd-analyze"), "syscall-filter", *names], capture_output=True, text=True, check=True
    )
    found: set[str] = set()
    for line in done.stdout.splitlines():
        word = line.strip()
        if word.startswith("@") and word not in names:
            found |= system_calls(word)
        elif word and not word.startswith(("#", "@")):
            found.add(word)
    return found


def test_the_unit_starts_stops_and_reloads_the_command() -> None:
    """No shell; SIGHUP reloads; a configuration error is not tried again."""
    keys = service()
    (start,) = keys["ExecStart"]
    assert shlex.split(start) == [INSTALLED, "run", "--config.file=/etc/workspace-exporter/config.yml"]
    assert keys["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert keys["RestartPreventExitStatus"] == ["2"]
    assert keys["DynamicUser"] == ["yes"]
    assert "User" not in keys


@pytest.mark.real
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say: no unknown key, no missing program."""
    done = subprocess.run(
        [program("systemd-analyze"), "verify", local(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.real
def test_the_unit_is_hardened(tmp_path: Path) -> None:
    """`systemd-analyze security` finds next to nothing exposed."""
    options = ["security", "--offline=true", "--json=short", local(tmp_path)]
    done = subprocess.run(
        [program("systemd-analyze"), *options, "--threshold=100"], capture_output=True, text=True, check=False
    )
    exposed = sum(float(item["exposure"] or 0) for item in json.loads(done.stdout) if not item["set"])
    assert 0 < exposed <= MOST_EXPOSED


@pytest.mark.real
def test_the_filter_lets_every_system_call_through(tmp_path: Path) -> None:
    """The exporter, watched by strace while it polls and serves, makes no call that the unit forbids."""
    port, log = free_port(), tmp_path / "calls"
    listen = [f"--web.listen-address=127.0.0.1:{port}", f"--simulator.listen-address=127.0.0.1:{free_port()}"]
    strace = [program("strace"), "-f", "-qq", "-I", "waiting", "-o", str(log), COMMAND, "demo", *listen]
    with subprocess.Popen(strace, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_ready(port)
            for path in ("/", "/metrics", "/api/v1/tasks"):
                assert (
                    httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == httpx.codes.OK
                )
        finally:
            process.terminate()
    made = set(re.findall(r"^\d+ +(\w+)\(", log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE))
    assert {"accept4", "openat", "socket"} <= made
    allow, deny = service()["SystemCallFilter"]
    always = system_calls("@default")
    allowed = system_calls(*allow.split()) | always
    denied = system_calls(*deny.removeprefix("~").split()) - always
    assert not made - allowed
    assert not made & denied


def wait_until_ready(port: int) -> None:
    """Wait for the demo; under strace it takes a few seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/-/ready", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the demo is not ready within a minute")
