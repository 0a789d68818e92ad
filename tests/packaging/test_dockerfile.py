"""What the Dockerfile promises, read from its instructions; test_image.py builds and runs it."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import exporter
from tests.packaging.workshop import ROOT, program

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Instruction:
    """One instruction of a stage (counted from 0), its lines joined."""

    stage: int
    name: str
    text: str


def instructions() -> Iterator[Instruction]:
    """Yield the instructions of the Dockerfile, without comments."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    stage = -1
    for text in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if text.strip():
            name, _, rest = text.strip().partition(" ")
            stage += name == "FROM"
            yield Instruction(stage, name, " ".join(rest.split()))


ALL = list(instructions())
FINAL = [item for item in ALL if item.stage == ALL[-1].stage]


def final(name: str) -> list[str]:
    """Return the texts of the last stage's instructions of one kind."""
    return [item.text for item in FINAL if item.name == name]


def test_two_stages_on_one_slim_base_without_a_digest() -> None:
    """The interpreter of both stages is the same, so that the virtual environment fits."""
    bases = [item.text.split()[0] for item in ALL if item.name == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim", bases[0])


def test_the_process_is_nobody() -> None:
    """The user is numeric, so that Kubernetes can see that it is not root."""
    assert final("USER") == ["65532:65532"]


def test_the_entry_point_and_its_arguments_are_in_exec_form() -> None:
    """No shell stands between the container runtime and the exporter, so signals arrive."""
    (entry,), (arguments,) = final("ENTRYPOINT"), final("CMD")
    assert json.loads(entry) == ["workspace-exporter"]
    assert json.loads(arguments) == ["run", "--config.file=/etc/workspace-exporter/config.yml"]


def test_the_health_check_is_our_own() -> None:
    """HEALTHCHECK runs `workspace-exporter healthcheck`, in exec form too."""
    (check,) = final("HEALTHCHECK")
    assert json.loads(check.partition(" CMD ")[2]) == ["workspace-exporter", "healthcheck"]


def test_dependencies_are_locked_by_hash() -> None:
    """Every pip command installs from a lock file with hashes, or from what the build itself made."""
    commands = [
        part
        for item in ALL
        if item.name == "RUN"
        for part in item.text.split("&&")
        if "/tools/bin/pip " in part
    ]
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command)
        assert "--require-hashes" in words or {"--no-index", "--no-deps"} <= set(words)
        assert "--require-hashes" not in words or [word for word in words if word.startswith("requirements/")]
    (environment,) = [item.text for item in ALL if item.name == "ENV" and item.stage == 0]
    assert "PIP_ONLY_BINARY=:all:" in environment


def test_nothing_is_installed_in_the_last_stage() -> None:
    """The last stage copies the virtual environment, takes the base's installers away, and adds nothing."""
    assert final("COPY") == ["--from=build /opt/workspace-exporter /opt/workspace-exporter"]
    assert not final("ADD")
    (run,) = final("RUN")
    assert run.startswith("find /usr ")
    assert run.endswith("-exec rm -rf {} +")
    assert not re.search(r"apt|pip3? install|curl|wget", run)


def test_labels_follow_the_open_container_specification() -> None:
    """The image says what it is, by the annotation keys of the OCI image specification."""
    labels = dict(re.findall(r'(org\.opencontainers\.image\.[a-z.]+)="([^"]*)"', " ".join(final("LABEL"))))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}title"] == project["name"]
    assert labels[f"{prefix}description"] == project["description"]
    assert labels[f"{prefix}licenses"] == project["license"]
    assert labels[f"{prefix}version"] == "${VERSION}"
    assert labels[f"{prefix}revision"] == "${REVISION}"
    assert labels[f"{prefix}base.name"] == f"docker.io/library/{final('FROM')[0]}"


def test_the_version_is_the_packages() -> None:
    """The label's default is the version of the code that is copied in."""
    assert f"VERSION={exporter.__version__}" in final("ARG")


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    """.dockerignore shuts everything out and lets in exactly what COPY names."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        word
        for item in ALL
        if item.name == "COPY" and "--from=" not in item.text
        for word in item.text.split()[:-1]
    }
    assert allowed == copied
    assert all((ROOT / name).exists() for name in copied)
    ignored = [rule for rule in rules[1:] if not rule.startswith("!")]
    assert any(fnmatch.fnmatch("exporter/__pycache__", rule) for rule in ignored)


@pytest.mark.real
def test_hadolint_finds_nothing() -> None:
    """The linter has no finding, of whatever severity, and no rule is switched off."""
    done = subprocess.run(
        [
            program("hadolint"),
            "--failure-threshold",
            "style",
            "--disable-ignore-pragma",
            str(ROOT / "Dockerfile"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
