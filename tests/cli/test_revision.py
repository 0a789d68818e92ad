"""The revision: from the build, from a clone, or unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cli.revision import revision

VARIABLE = "WORKSPACE_EXPORTER_REVISION"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def git(tmp_path: Path) -> Path:
    """The folder `.git` of a clone on the branch main."""
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n", "ascii")
    return git


@pytest.fixture(autouse=True)
def _no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no build have said anything."""
    monkeypatch.delenv(VARIABLE, raising=False)


def test_the_build_knows_best(git: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its word is shown as it is."""
    monkeypatch.setenv(VARIABLE, "v1-dirty")
    assert revision(git.parent) == "v1-dirty"


def test_a_branch_of_a_clone(git: Path) -> None:
    """Loose or packed: where it stands."""
    (git / "packed-refs").write_text(
        f"# pack-refs\n{COMMIT[::-1]} refs/heads/x\n{COMMIT} refs/heads/main\n", "ascii"
    )
    assert revision(git.parent) == COMMIT[:12]
    (git / "refs/heads/main").write_text(f"{COMMIT[::-1]}\n", "ascii")
    assert revision(git.parent) == COMMIT[::-1][:12]


def test_a_commit_by_itself(git: Path) -> None:
    """A clone that is on no branch."""
    (git / "HEAD").write_text(f"{COMMIT}\n", "ascii")
    assert revision(git.parent) == COMMIT[:12]


@pytest.mark.parametrize("head", ["", "ref: refs/heads/gone", "ref: HEAD", "not a commit", "ünknown"])
def test_anything_else_is_unknown(git: Path, head: str, tmp_path: Path) -> None:
    """No clone, a branch without a commit, a file that says something else."""
    (git / "HEAD").write_text(head, "utf-8")
    assert revision(git.parent) == "unknown"
    (git / "packed-refs").write_text("# pack-refs\n", "ascii")
    assert revision(git.parent) == "unknown"
    assert revision(tmp_path / "elsewhere") == "unknown"
