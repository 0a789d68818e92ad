"""Where things are, and the programs and modules that only these tests need."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.programs import require_program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "workspace-exporter"
EXAMPLES = ROOT / "examples"
FETCHED = ROOT / ".cache" / "bin"


def program(name: str) -> str:
    """Return the path of a real program: the workshop's own, one of this Python's, or any on the PATH."""
    for folder in (FETCHED, Path(sys.executable).parent):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    return require_program(name)


def module(name: str) -> Any:
    """Return a module of the packaging tests; where it is missing, skip, or fail when `CI` is set."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        message = f"the Python module {name} is not installed: this proof needs it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
