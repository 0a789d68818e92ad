"""The command itself: what it is, what it says of wrong usage, and how its own defects look."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import click
import pytest

from exporter import __version__
from exporter.cli.main import cli, entry_point
from exporter.errors import ConfigError, ExporterError
from tests.cli.conftest import Invoke
from tests.cli.outcome import command
from tests.endtoend.processes import EXPORTER, ROOT

COMMANDS = sorted(cli.commands)


def test_version_names_program_revision_and_python() -> None:
    """What a bug report needs stands in one line."""
    outcome = command("--version", environment={**os.environ, "WORKSPACE_EXPORTER_REVISION": "0123abc"})
    assert outcome.code == 0
    assert outcome.out == (
        f"workspace-exporter, version {__version__} (revision: 0123abc, Python {platform.python_version()})\n"
    )


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_the_commands(invoke: Invoke, flag: str) -> None:
    """Every command stands in the overview, with a sentence of its own."""
    outcome = invoke(flag)
    assert outcome.code == 0
    for name in COMMANDS:
        (line,) = [line for line in outcome.out.splitlines() if line.split()[:1] == [name]]
        assert len(line.split()) > 3


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example(invoke: Invoke, name: str) -> None:
    """Each option is explained, and an example shows the whole."""
    outcome = invoke(name, "--help")
    assert outcome.code == 0
    assert f"workspace-exporter {name}" in outcome.out.partition("Example")[2]
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_a_missing_command_is_a_usage_error(invoke: Invoke) -> None:
    """Nothing to do is no success."""
    invoke().fails_with_one_line(2, "a command is missing", "--help")


def test_an_unknown_command_is_a_usage_error(invoke: Invoke) -> None:
    """The line names it."""
    invoke("nonsense").fails_with_one_line(2, "nonsense", "; see workspace-exporter --help\n")


def test_what_is_missing_is_named_with_where_to_look(invoke: Invoke) -> None:
    """An argument or a flag that has to be there; the command's own help shows an example."""
    invoke("run").fails_with_one_line(
        2, "run: Missing option '--config.file'; see workspace-exporter run --help"
    )
    invoke("check-config").fails_with_one_line(2, "'FILE'; see workspace-exporter check-config --help")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_flag_is_a_usage_error(invoke: Invoke, name: str) -> None:
    """The line names the command and the flag."""
    invoke(name, "--nonsense").fails_with_one_line(2, f"{name}: ", "--nonsense")


def test_python_dash_m_is_the_same_command() -> None:
    """`python -m exporter` hands its exit code on."""
    command("nonsense").fails_with_one_line(2, "nonsense")


class _BrokenError(Exception):
    """A defect."""


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("why", key="a.b", source="file.yml"), 2, "workspace-exporter: file.yml: a.b: why\n"),
        (ExporterError("it failed\nover two lines"), 1, "workspace-exporter: it failed over two lines\n"),
        (click.ClickException("not so"), 1, "workspace-exporter: not so\n"),
        (click.UsageError("not thus."), 2, "workspace-exporter: fail: not thus\n"),
        (KeyboardInterrupt(), 130, "\n"),
    ],
)
def test_errors_become_exit_codes_and_one_line(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    """2 for the user's configuration or usage, 1 for what failed, 130 for Ctrl-C; never a traceback."""

    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setitem(cli.commands, "fail", fail)
    outcome = invoke("fail")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", line)


def test_a_defect_shows_its_place_but_no_value(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody expected may hold a secret: only its type and where it was raised are told."""

    @click.command()
    def fail() -> None:
        raise _BrokenError("hunter2")

    monkeypatch.setitem(cli.commands, "fail", fail)
    outcome = invoke("fail")
    outcome.fails_with_one_line(1, "internal error: _BrokenError at test_main.py:", "please report it")
    assert "hunter2" not in outcome.err


def test_a_command_may_return_its_exit_code(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that fails says so on stdout and by its code alone."""

    @click.command()
    def check() -> int:
        return 1

    monkeypatch.setitem(cli.commands, "check", check)
    outcome = invoke("check")
    assert (outcome.code, outcome.err) == (1, "")


def test_a_reader_that_goes_away_is_no_defect() -> None:
    """`workspace-exporter --help | head -0`: no traceback, no complaint."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*EXPORTER, "--help"], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, timeout=30, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_console_script_exits_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """`workspace-exporter` takes its arguments from the process."""
    monkeypatch.setattr(sys, "argv", ["workspace-exporter", "--version"])
    with pytest.raises(SystemExit) as exit_:
        entry_point()
    assert exit_.value.code == 0
