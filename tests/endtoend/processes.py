"""Starting and watching real programs."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

ROOT = Path(__file__).resolve().parents[2]
EXPORTER = (sys.executable, "-m", "exporter")
PATIENCE = 60.0
"""Seconds until a wait is given up: far more than anything takes, so that only a defect meets it."""
_PAUSE = 0.05
T = TypeVar("T")


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
def program(
    arguments: tuple[str, ...], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the block lasts; what it says goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
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
