"""The real programs that some tests start, as a person would have them installed."""

from __future__ import annotations

import os
import shutil

import pytest

_NAMES = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
}


def find_program(name: str) -> str | None:
    """Return the path of a real program; None where it is missing."""
    found = (shutil.which(candidate) for candidate in _NAMES.get(name, (name,)))
    return next((path for path in found if path), None)


def require_program(name: str) -> str:
    """Return the path of a real program; skip the test where it is missing, or fail it when `CI` is set."""
    path = find_program(name)
    if path:
        return path
    message = f"{name} is not installed: this proof needs the real program"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
