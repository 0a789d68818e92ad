"""docs/commands.md says what the commands do: its examples run, its flags and JSON are the real ones."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from structlog.testing import capture_logs

from exporter.cli.main import cli
from exporter.telemetry import Telemetry
from exporter.views import Verdict
from tests.cli.cloud import Cloud, cloud_in_thread, write_config
from tests.cli.conftest import Invoke
from tests.cli.outcome import command
from tests.documents.pages import blocks
from tools.replay import replay

DOCUMENT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
EXAMPLES = [
    shlex.split(line)[1:]
    for block in re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
SHORT = {"check-config", "tasks", "runs", "explain"}
"""Those that end by themselves and need nothing but a cloud."""
TASK = "8d2e-0c6a"


@pytest.fixture
def folder(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the configuration of the examples; its task fails."""
    cloud.add_task(TASK, name="nightly stop", behaviour="failing", desktops=3)
    write_config(tmp_path / "config.yml", cloud.project(), polling={"requests_per_second": 0})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def documented(name: str) -> Any:
    """The JSON that the document shows of a command."""
    blocks: list[str] = re.findall(rf"^```json {name}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    (block,) = blocks
    return json.loads(block)


def same_shape(real: Any, shown: Any, path: str = "$") -> None:
    """Assert that both have the same fields, of the same kinds, wherever both say something."""
    if real in (None, []) or shown in (None, []):
        assert isinstance(real, list) == isinstance(shown, list) or None in (real, shown), path
    elif isinstance(shown, dict):
        assert list(real) == list(shown), path
        for key, value in shown.items():
            same_shape(real[key], value, f"{path}.{key}")
    elif isinstance(shown, list):
        for entry in real:
            same_shape(entry, shown[0], f"{path}[]")
    else:
        assert type(real) is type(shown), path
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(shown)):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", real), path


def test_every_command_has_its_section_and_example() -> None:
    """Nothing is left out, nothing is made up."""
    assert set(SECTIONS) == {*cli.commands, "Shell completion"}
    assert {words[0] for words in EXAMPLES} == set(cli.commands)


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_flags_are_those_of_the_command(name: str) -> None:
    """Each flag in its section, and no flag that does not exist (backfill has a document of its own)."""
    options = [option for option in cli.commands[name].params if isinstance(option, click.Option)]
    real = {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
    prose = re.sub(r"^```.*?^```", "", SECTIONS[name], flags=re.MULTILINE | re.DOTALL)
    shown = set(re.findall(r"`(--?[a-z][a-z.-]*)", prose))
    assert shown <= real | {"--output"}
    if name != "backfill":
        assert {flag for flag in real if flag.startswith("--")} <= shown


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_every_example_is_taken(words: list[str]) -> None:
    """Click parses it without complaint."""
    parent = click.Context(cli, **cli.context_settings)
    context = cli.commands[words[0]].make_context(words[0], words[1:], parent)
    assert not context.args


@pytest.mark.parametrize("words", [words for words in EXAMPLES if words[0] in SHORT], ids=" ".join)
@pytest.mark.usefixtures("folder")
def test_every_short_example_runs(words: list[str], invoke: Invoke) -> None:
    """Against the simulated cloud, with exit code 0, and something to read."""
    outcome = invoke(*words)
    assert (outcome.code, outcome.err) == (0, "")
    assert "nightly stop" in outcome.out or "is good" in outcome.out


@pytest.mark.usefixtures("folder")
def test_from_the_page_to_the_reason_in_two_commands(invoke: Invoke) -> None:
    """The two at the top name the alert, and the desktops with their reasons."""
    first, second = EXAMPLES[:2]
    assert "FIRING  WorkspaceTaskRunFailed" in invoke(*first).out
    told = invoke(*second).out
    assert len(re.findall(r"^desk-\S+ +failed +\S+\.\d+ +\S", told, re.MULTILINE)) >= 3


@pytest.mark.usefixtures("folder")
def test_the_json_of_tasks(invoke: Invoke) -> None:
    """Every field that comes is documented, in this order; every documented one comes."""
    real = json.loads(invoke("tasks", "--config.file", "config.yml", "--output", "json").out)
    shown = documented("tasks")
    same_shape(real, shown)
    for run in real["tasks"][0]["runs"]:
        same_shape(run, shown["tasks"][0]["last_run"])
        assert (run["duration_seconds"], run["results"]) == (None, [])


def test_the_json_of_an_error(invoke: Invoke, tmp_path: Path) -> None:
    """Where the list is forbidden, the project's error has all that is shown of one."""
    with cloud_in_thread(faults="403@list") as cloud:
        path = write_config(tmp_path / "config.yml", cloud.project(), polling={"requests_per_second": 0})
        outcome = invoke("tasks", "--config.file", path, "--output", "json")
    assert outcome.code == 1
    real, shown = (tree["projects"][0]["error"] for tree in (json.loads(outcome.out), documented("tasks")))
    same_shape(real, shown)
    assert real["cause"].startswith(shown["cause"].rstrip("…"))
    assert real["next_step"].startswith(shown["next_step"].rstrip("… "))


@pytest.mark.usefixtures("folder")
def test_the_json_of_runs(invoke: Invoke) -> None:
    """With details every field has a value; without them those of the desktops are null."""
    flags = ("runs", "--config.file", "config.yml", "--output", "json", TASK)
    real = json.loads(invoke(*flags, "--details").out)
    same_shape(real, documented("runs"))
    assert None not in real["runs"][0].values()
    without = json.loads(invoke(*flags).out)["runs"][0]
    unread = ("duration_seconds", "desktops_read", "desktops_unread", "desktops")
    assert {key for key, value in without.items() if value is None} == set(unread)


@pytest.mark.usefixtures("folder")
def test_the_json_of_a_recording(invoke: Invoke) -> None:
    """Its fields down to the answers, the answers' own, and that the example can be replayed."""
    invoke("check-config", "--probe", "--record", "answers.json", "config.yml")
    real, shown = json.loads(Path("answers.json").read_bytes()), documented("recording")
    same_shape(real["settings"], shown["settings"])
    assert list(real) == list(shown)
    (project,), (shown_project,) = real["projects"], shown["projects"]
    assert list(project) == list(shown_project)
    assert list(project["answers"][0]) == list(shown_project["answers"][0])
    with capture_logs():
        text = replay(shown, Telemetry("0", "0"))
    assert 'workspace_exporter_tasks{project="project-1"} 1.0' in text


def test_the_verdicts_are_those_there_are() -> None:
    """In their order, worst first."""
    rows = re.findall(r"^\| `([a-z_]+)` \|", SECTIONS["tasks"], re.MULTILINE)
    assert rows == [verdict.value for verdict in Verdict]


def test_the_completion_lines_print_scripts() -> None:
    """One line for each shell that click knows."""
    lines = re.findall(r"_WORKSPACE_EXPORTER_COMPLETE=(\w+)_source workspace-exporter", DOCUMENT)
    assert lines == ["bash", "zsh", "fish"]
    for shell in lines:
        environment = {"_WORKSPACE_EXPORTER_COMPLETE": f"{shell}_source", "PATH": "/usr/bin:/bin"}
        outcome = command(environment=environment)
        assert outcome.code == 0
        assert "_WORKSPACE_EXPORTER_COMPLETE" in outcome.out


README = [words[1:] for block in blocks("README.md") if block.language == "sh" for words in block.commands]


@pytest.mark.parametrize("words", [words for words in README if words and words[0] in SHORT], ids=" ".join)
@pytest.mark.usefixtures("folder")
def test_the_readme_s_commands_run(words: list[str], invoke: Invoke) -> None:
    """Those that end by themselves, against the simulated cloud."""
    outcome = invoke(*words)
    assert (outcome.code, outcome.err) == (0, "")
    assert "nightly stop" in outcome.out or "is good" in outcome.out
