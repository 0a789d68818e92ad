"""Running commands inside the test's process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from exporter.cli.main import main
from tests.cli.cloud import Cloud, cloud_in_thread
from tests.cli.outcome import Outcome

Invoke = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _unconfigured_logs() -> Iterator[None]:
    """Undo what a command sets up for its process: the next test has another stderr."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def invoke(capfd: pytest.CaptureFixture[str]) -> Invoke:
    """Return what runs the command line and gives its outcome."""

    def run(*arguments: str | Path) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A simulated cloud without tasks, on a loopback port."""
    with cloud_in_thread() as running:
        yield running
