"""The live commands in a process of their own, in front of a real terminal: colour, width, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.cloud import Cloud, cloud_in_thread, write_config
from tests.endtoend.processes import EXPORTER, ROOT

_SECONDS = 20.0
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def configured(cloud: Cloud, folder: Path) -> Path:
    """A configuration of the simulated cloud."""
    return write_config(
        folder / "config.yml",
        cloud.project(),
        polling={"requests_per_second": 0, "timeout": "60s"},
    )


def on_terminal(*arguments: str | Path, columns: int, changes: Mapping[str, str] | None = None) -> str:
    """Run a command whose stdout and stderr are one terminal so wide; returns what the terminal was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR", "CI"}}
    environment = {**kept, "TERM": "xterm-256color", **(changes or {})}
    process = subprocess.Popen(
        [*EXPORTER, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    sent = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while part := terminal.read(65536):
                sent += part
        except OSError:  # the other end is closed: Linux says so with EIO
            pass
    assert process.wait(_SECONDS) == 0, sent
    return sent.decode().replace("\r\n", "\n")


def test_tasks_on_a_terminal(cloud: Cloud, tmp_path: Path) -> None:
    """Coloured, within its width, with the number of tasks; progress leaves nothing behind."""
    for number in range(5):
        cloud.add_task(name=f"task {number}", behaviour="failing" if number else "healthy")
    sent = on_terminal("tasks", "--config.file", configured(cloud, tmp_path), columns=60)
    plain = ESCAPE.sub("", sent)
    assert "\x1b[1;31mfailed\x1b[0m" in sent
    assert "10/10" in plain
    assert "\n5 tasks: 4 failed, 1 ok\n" in plain
    lines = plain.rpartition("\r")[2].split("\n")
    assert max(map(len, lines)) <= 60
    assert not any("━" in line for line in lines[1:])


def test_no_color_on_a_terminal(cloud: Cloud, tmp_path: Path) -> None:
    """Not one style in what stays on the screen (https://no-color.org)."""
    task = cloud.add_task(behaviour="failing")
    path = configured(cloud, tmp_path)
    sent = on_terminal("explain", "--config.file", path, task, columns=80, changes={"NO_COLOR": "1"})
    assert "FIRING  WorkspaceTaskRunFailed  critical\n" in sent
    assert not re.search(r"\x1b\[[0-9;]*m", sent.partition("failed  task")[2])


@pytest.mark.parametrize("command", [("tasks",), ("runs", "8d2e", "--details"), ("explain", "8d2e")])
def test_ctrl_c_ends_quietly(command: tuple[str, ...], tmp_path: Path) -> None:
    """Exit code 130 at once, no traceback, nothing half printed."""
    with cloud_in_thread(faults="stall=60s@records") as cloud:
        cloud.add_task("8d2e")
        path = configured(cloud, tmp_path)
        process = subprocess.Popen(
            [*EXPORTER, command[0], "--config.file", str(path), *command[1:]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + _SECONDS
        while not cloud.service.tally.operations["list_records"]:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=_SECONDS)
    assert process.returncode == 130
    assert (out, err.strip()) == (b"", b"")


def test_a_reader_that_goes_away(cloud: Cloud, tmp_path: Path) -> None:
    """`tasks | head -1` leaves no word of it; whether the writer notices is the system's affair."""
    for number in range(200):
        cloud.add_task(name=f"task {number:03d} {'x' * 900}")
    process = subprocess.Popen(
        [*EXPORTER, "tasks", "--config.file", str(configured(cloud, tmp_path))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(_SECONDS) in {0, 1}
    assert err == b""
