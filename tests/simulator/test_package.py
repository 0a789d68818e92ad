"""The package as a whole: what its modules may import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import exporter.simulator

_MODULES = sorted(Path(exporter.simulator.__file__).parent.glob("*.py"))
_OUTSIDE = {"app", "control", "http1", "serving"}
"""The modules that talk to the world, or to those who do."""
_IMPURE = {"asyncio", "os", "pathlib", "random", "secrets", "socket", "starlette", "h11", "time"}


def _imports(module: Path) -> set[str]:
    """Return the dotted names that the module imports, those for type checkers too."""
    names = set[str]()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.stem)
def test_the_simulator_stands_alone(module: Path) -> None:
    """It shares no code with the exporter, so that each can be held against the other."""
    ours = {name for name in _imports(module) if name.split(".")[0] == "exporter"}
    assert all(name.startswith("exporter.simulator") for name in ours)


@pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.stem)
def test_the_world_has_no_clock_and_no_socket(module: Path) -> None:
    """Whatever decides is pure: time is an argument, chance comes from the seed."""
    if module.stem not in _OUTSIDE:
        assert not {name.split(".")[0] for name in _imports(module)} & _IMPURE
