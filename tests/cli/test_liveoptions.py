"""Shell completion: the commands, their flags, and what the configuration knows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from exporter.cli.main import cli
from tests.cli.cloud import Tree, write_config
from tests.cli.outcome import command

NAME, VARIABLE = "workspace-exporter", "_WORKSPACE_EXPORTER_COMPLETE"


def completions(arguments: list[str], incomplete: str) -> list[str]:
    """What is offered after these arguments."""
    found = ShellComplete(cli, {}, NAME, VARIABLE).get_completions(arguments, incomplete)
    return [item.value for item in found]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration of two projects with explicit tasks."""
    tree: Tree = {"region": "cn-north-4", "auth": {"metadata": {}}}
    tasks = [{"id": "8d2e", "name": "nightly stop"}, {"id": "9f00"}]
    projects = [{"name": "prod", "tasks": tasks, **tree}, {"name": "lab", "discovery": {}, **tree}]
    return str(write_config(tmp_path / "config.yml", *projects))


def test_commands_flags_and_choices() -> None:
    """Without any configuration."""
    assert completions([], "ru") == ["run", "runs"]
    assert completions(["tasks"], "--ver") == ["--verdict"]
    assert completions(["tasks", "--verdict"], "st") == ["stuck", "stale"]
    assert completions(["runs", "--output"], "") == ["table", "json"]


def test_projects_of_the_configuration(config: str) -> None:
    """Once the file is named."""
    assert completions(["tasks", "--config.file", config, "--project"], "p") == ["prod"]
    assert completions(["tasks", "--project"], "p") == []


def test_tasks_of_the_configuration(config: str) -> None:
    """Explicit ones, with and without the project; nothing is asked of the cloud."""
    for name in ("runs", "explain"):
        assert completions([name, "--config.file", config], "8") == ["8d2e"]
        assert completions([name, "--config.file", config], "prod/") == ["prod/8d2e", "prod/9f00"]
        assert completions([name], "8") == []


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    """No completion, and no complaint in the middle of a command line."""
    missing = str(tmp_path / "missing.yml")
    assert completions(["runs", "--config.file", missing], "8") == []
    assert completions(["tasks", "--config.file", missing, "--project"], "") == []


@pytest.mark.parametrize(
    ("shell", "sign"),
    [("bash", "complete -o nosort -F"), ("zsh", "#compdef"), ("fish", "complete --no-files")],
)
def test_each_shell_gets_its_script(shell: str, sign: str) -> None:
    """As docs/commands.md tells."""
    outcome = command(environment={VARIABLE: f"{shell}_source", "PATH": "/usr/bin:/bin"})
    assert outcome.code == 0
    assert sign in outcome.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_takes_the_script() -> None:
    """It parses, and asks the command itself."""
    script = command(environment={VARIABLE: "bash_source", "PATH": "/usr/bin:/bin"}).out
    done = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    answer = command(
        environment={
            VARIABLE: "bash_complete",
            "COMP_WORDS": "workspace-exporter expl",
            "COMP_CWORD": "1",
            "PATH": "/usr/bin:/bin",
        }
    )
    assert answer.out == "plain,explain\n"


@pytest.mark.parametrize(
    ("shell", "words", "current", "answer"),
    [
        ("zsh", "workspace-exporter expl", "1", r"plain\nexplain\nTell .+\n"),
        ("fish", "workspace-exporter", "expl", r"plain,explain\tTell .+\n"),
    ],
)
def test_zsh_and_fish_are_answered_with_what_a_command_does(
    shell: str, words: str, current: str, answer: str
) -> None:
    """In the form that their scripts read: the kind, the word, its description."""
    environment = {VARIABLE: f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": current}
    said = command(environment={**environment, "PATH": "/usr/bin:/bin"})
    assert re.fullmatch(answer, said.out), said
