"""The service's habits."""

from __future__ import annotations

import pytest

from exporter.simulator.options import Credentials, Options, changed


def test_options_change_by_name() -> None:
    """Each value must have the type of its default; a whole number may stand for a fraction."""
    options = changed(Options(), {"order": "oldest", "clamp": 20, "clock_skew": 40, "in_progress": False})
    assert options == Options(order="oldest", clamp=20, clock_skew=40, in_progress=False)
    assert changed(options, {"clamp": None, "retention_seconds": 0.5}).retention_seconds == 0.5
    assert changed(options, {}) == options


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ordre": "newest"}, "'ordre' is none of absent, clamp"),
        ({"credentials": {}}, "'credentials' is none of"),
        ({"order": "sideways"}, "'sideways' is none of newest, oldest, unordered"),
        ({"times": "epoch"}, "times 'epoch'"),
        ({"absent": "never"}, "absent 'never'"),
        ({"metadata": "both"}, "metadata 'both'"),
        ({"missing_status": 410}, "missing_status 410 is none of 404, 400"),
        ({"retention": True}, "retention: True is of the wrong type"),
        ({"retention": -1}, "retention is at least 0"),
        ({"clamp": 0}, "clamp at least 1"),
        ({"clamp": "20"}, "wrong type"),
        ({"clock_skew": "1"}, "wrong type"),
        ({"token_lifetime": False}, "wrong type"),
    ],
)
def test_bad_options_are_refused(changes: dict[str, object], message: str) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=message):
        changed(Options(), changes)


def test_credentials_keep_their_secrets_from_logs() -> None:
    """Even those that guard nothing."""
    shown = repr(Credentials())
    assert "demo-user" in shown
    assert not any(secret in shown for secret in ("demo-password", "demo-secret", "demo-token"))
