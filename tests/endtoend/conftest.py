"""One running stack for all tests of this package, in each worker that gets some of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.endtoend.scenarios import cast
from tests.endtoend.stack import Stack, everything


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run the real programs until the last of these tests is over: they would slow down all others."""
    with everything(tmp_path_factory.mktemp("stack"), cast()) as running:
        yield running
