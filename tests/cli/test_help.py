"""--help and --version: what somebody reads who has nothing else."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from exporter.cli.main import cli
from tests.cli.conftest import Invoke

COMMANDS = sorted(cli.commands)


def examples(text: str) -> list[list[str]]:
    """The example lines of a help text, as a shell takes them apart."""
    lines = re.findall(r"^ +(workspace-exporter .*)$", text.rpartition("\n  Example")[2], re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_it_takes(invoke: Invoke, name: str) -> None:
    """Each on a line of its own; click parses it without complaint."""
    outcome = invoke(name, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert "\\b" not in outcome.out
    found = examples(outcome.out)
    assert found
    for words in found:
        assert words[1] == name
        parent = click.Context(cli, **cli.context_settings)
        context = cli.commands[name].make_context(name, words[2:], parent)
        assert not context.args


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_described(name: str) -> None:
    """With a sentence that begins with a capital and ends with a full stop, or with a value."""
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.help[0].isupper()


def test_the_commands_are_listed(invoke: Invoke) -> None:
    """Each with what it does."""
    listed = invoke("--help").out.partition("Commands:\n")[2]
    assert re.findall(r"^  ([a-z-]+)  +\S", listed, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("flags", [("-h",), ("tasks", "-h")])
def test_the_short_flag(invoke: Invoke, flags: tuple[str, ...]) -> None:
    """-h is --help."""
    assert invoke(*flags).out.startswith("Usage: workspace-exporter")
