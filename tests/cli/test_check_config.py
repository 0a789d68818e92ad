"""`check-config FILE`: 0 for a good file, 2 and one line for a wrong one; nothing is asked of the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.cli.outcome import command
from tests.endtoend.processes import ROOT

BAD = sorted((ROOT / "tests" / "config" / "bad").glob("*.yml"))
GOOD = """
projects:
  - name: prod
    region: cn-north-4
    project_id: 0a1b2c3d
    auth: {token: {token: hunter2}}
    tasks: [{id: 8d2e}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A good configuration file."""
    path = tmp_path / "config.yml"
    path.write_text(GOOD, "utf-8")
    return path


def test_a_good_file_is_good(invoke: Invoke, config: Path) -> None:
    """It says so, names the file, and shows no value."""
    outcome = invoke("check-config", config)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{config} is good: 1 project\n", "")


def test_several_projects_are_counted(invoke: Invoke, config: Path) -> None:
    """The plural is one."""
    second = GOOD.replace("name: prod", "name: test").partition("projects:\n")[2]
    config.write_text(GOOD + second, "utf-8")
    assert invoke("check-config", config).out == f"{config} is good: 2 projects\n"


def test_the_example_is_good(invoke: Invoke) -> None:
    """What the documents point to can be used as it stands."""
    assert invoke("check-config", ROOT / "examples" / "config.yml").code == 0


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_mistake_is_one_line_that_names_file_and_key(invoke: Invoke, path: Path) -> None:
    """The first line of each bad file says what the command has to say; no secret stands in it."""
    first = path.read_bytes().partition(b"\n")[0].decode()
    wanted = " ".join(first.removeprefix("# error: ").split()).replace("FOLDER", str(path.parent))
    outcome = invoke("check-config", path)
    outcome.fails_with_one_line(2)
    assert outcome.err == f"workspace-exporter: {path}: {wanted}\n"
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda path: path.write_text("", "utf-8"), "the file must hold a mapping of keys"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
    ids=["missing", "directory", "binary", "empty", "loop"],
)
def test_a_file_that_is_no_configuration(invoke: Invoke, tmp_path: Path, make: object, reason: str) -> None:
    """The line says why."""
    path = tmp_path / "config.yml"
    assert callable(make)
    make(path)
    invoke("check-config", path).fails_with_one_line(2, str(path), reason)


def test_a_secret_file_that_is_missing(invoke: Invoke, config: Path) -> None:
    """It is found out now, not at the first poll; a relative name is relative to the configuration."""
    config.write_text(GOOD.replace("token: hunter2", "token_file: nowhere"), "utf-8")
    invoke("check-config", config).fails_with_one_line(
        2, str(config), "projects[0].auth.token.token_file", "nowhere", "No such file or directory"
    )


def test_variables_come_from_the_environment(
    invoke: Invoke, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set, the file is good; unset, the line names key and variable."""
    config.write_text(GOOD.replace("token: hunter2", 'token: "${EXPORTER_TEST_TOKEN}"'), "utf-8")
    monkeypatch.delenv("EXPORTER_TEST_TOKEN", raising=False)
    invoke("check-config", config).fails_with_one_line(
        2, str(config), "projects[0].auth.token.token", "EXPORTER_TEST_TOKEN", "not set"
    )
    monkeypatch.setenv("EXPORTER_TEST_TOKEN", "hunter2")
    assert invoke("check-config", config).code == 0


def test_without_a_file_it_is_a_usage_error(invoke: Invoke) -> None:
    """The line names what is missing."""
    invoke("check-config").fails_with_one_line(2, "check-config: ", "FILE")


def test_the_shell_sees_code_and_streams(config: Path) -> None:
    """In a process of its own: 0 and stdout, then 2 and stderr."""
    good = command("check-config", config)
    assert (good.code, good.err) == (0, "")
    config.write_text(GOOD.replace("region", "regoin"), "utf-8")
    command("check-config", config).fails_with_one_line(2, str(config), "projects[0].regoin", "unknown key")
