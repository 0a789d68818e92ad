"""Marks every test of this folder `packaging`: the `real` ones run in `make test-packaging`."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "packaging: image, chart, compose file, unit, packages")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; the hook sees those of all folders."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.packaging)
