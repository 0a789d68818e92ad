"""A secret that cannot be printed by accident."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from exporter.secrets import Secret, may_be_read_by_others


def test_neither_value_nor_length_is_shown() -> None:
    """`repr`, `str`, formats, and the repr of what holds it; the file's name is no secret."""
    for secret in (Secret("hunter2"), Secret("hunter2-and-much-longer")):
        assert str(secret) == f"{secret}" == "<secret>"
        assert repr(secret) == "Secret(file=None)"
        assert repr([secret]) == "[Secret(file=None)]"
    assert repr(Secret(file=Path("/run/token"))) == "Secret(file=PosixPath('/run/token'))"


def test_secrets_compare_by_value() -> None:
    """A reload finds out whether a project has changed."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret(file=Path("a")) != Secret("a")


def test_a_secret_cannot_be_changed() -> None:
    """It is handed around."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Secret("a").value = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("mode", "owner", "open_wide"),
    [(0o640, 65532, True), (0o440, 0, False), (0o444, 0, True), (0o400, 0, False), (0o604, 65532, True)],
)
def test_a_file_of_another_s_may_be_read_by_its_group(mode: int, owner: int, open_wide: bool) -> None:  # noqa: FBT001 - a parameter
    """Kubernetes mounts a secret as root's, readable by the pod's group: that is no carelessness."""
    assert may_be_read_by_others(mode, owner, 65532) is open_wide
