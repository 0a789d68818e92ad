"""The source revision that runs: what the build said, else that of the working copy."""

from __future__ import annotations

import os
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_UNKNOWN = "unknown"
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHOWN = 12


def revision(root: Path = _ROOT) -> str:
    """Return the revision, or `unknown`.

    The environment has it where a build set WORKSPACE_EXPORTER_REVISION (the image does); a clone has it in
    `.git` (https://git-scm.com/docs/gitrepository-layout), of which twelve digits are shown.
    """
    try:
        return os.environ.get("WORKSPACE_EXPORTER_REVISION") or _of_clone(root / ".git")
    except (OSError, UnicodeDecodeError):
        return _UNKNOWN


def _of_clone(git: Path) -> str:
    head = (git / "HEAD").read_text("ascii").strip()
    name = head.removeprefix("ref: ")
    commit = head if name == head else _commit_of(git, name)
    return commit[:_SHOWN] if _HASH.fullmatch(commit) else _UNKNOWN


def _commit_of(git: Path, name: str) -> str:
    """Where a branch stands: a file of its own, or a line in `packed-refs`."""
    loose = git / name
    if loose.is_file():
        return loose.read_text("ascii").strip()
    lines = (git / "packed-refs").read_text("ascii").splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")
