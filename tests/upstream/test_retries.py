"""Which failures are tried again, and when."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import (
    Answer,
    ApiError,
    BodyError,
    CredentialsError,
    StatusError,
    ThrottledError,
    TransportError,
)
from exporter.upstream.ratelimit import LONGEST_WAIT
from exporter.upstream.retries import cost, retry_delay

SERVER = StatusError("x", label="500", answer=Answer(status=500))
CONNECT = TransportError("x", label="connect")
TIMEOUT = TransportError("x", label="timeout")


def throttled(retry_after: float | None = None) -> ThrottledError:
    """A 429."""
    return ThrottledError("x", label="429", answer=Answer(status=429), retry_after=retry_after)


@pytest.mark.parametrize(
    "error",
    [
        BodyError("x", label="body"),
        CredentialsError("x"),
        ApiError("x", label="x"),
        StatusError("x", label="404", answer=Answer(status=404)),
    ],
)
def test_what_is_never_tried_again(error: ApiError) -> None:
    """A malformed answer, refused credentials and a 4xx would only be repeated."""
    assert retry_delay(error, 1, 1, 0.5) is None


@pytest.mark.parametrize("error", [SERVER, CONNECT, throttled()])
def test_three_attempts(error: ApiError) -> None:
    """A request is sent three times at most, with a growing delay."""
    first, second = retry_delay(error, 1, 1, 0.5), retry_delay(error, 2, 2, 0.5)
    assert first is not None
    assert second is not None
    assert first < second
    assert retry_delay(error, 3, 3, 0.5) is None


def test_a_time_out_counts_double() -> None:
    """Two time-outs are enough: the total stays near twice the limit of one request."""
    assert (cost(TIMEOUT), cost(CONNECT), cost(SERVER)) == (2, 1, 1)
    assert retry_delay(TIMEOUT, 1, cost(TIMEOUT), 0.5) is not None
    assert retry_delay(TIMEOUT, 2, 2 * cost(TIMEOUT), 0.5) is None


def test_the_delay_is_jittered() -> None:
    """From half of the delay to all of it."""
    assert retry_delay(SERVER, 1, 1, 0.0) == 0.25
    assert retry_delay(SERVER, 1, 1, 1.0) == 0.5
    assert retry_delay(SERVER, 2, 2, 1.0) == 1.0
    assert retry_delay(throttled(), 1, 1, 1.0) == 2.0


@pytest.mark.parametrize(
    "error", [throttled(3.0), StatusError("x", label="503", answer=Answer(503), retry_after=3.0)]
)
def test_retry_after_is_honoured(error: ApiError) -> None:
    """Upstream's wish is the least that is waited; up to half a second more spreads the readers."""
    assert [retry_delay(error, 1, 1, chance) for chance in (0.0, 0.5, 1.0)] == [3.0, 3.25, 3.5]


def test_a_long_wish_is_handed_on() -> None:
    """A wish longer than five seconds is not slept, but the caller's affair."""
    assert retry_delay(throttled(LONGEST_WAIT), 1, 1, 0.0) == LONGEST_WAIT
    assert retry_delay(throttled(LONGEST_WAIT + 1), 1, 1, 0.0) is None


@settings(deadline=None)
@given(st.integers(1, 2), st.floats(0, 1), st.none() | st.floats(0, 1e6))
def test_delays_are_bounded(attempts: int, chance: float, wish: float | None) -> None:
    """No delay is longer than five and a half seconds."""
    delay = retry_delay(throttled(wish), attempts, attempts, chance)
    assert delay is None or (wish or 0) <= delay <= LONGEST_WAIT + 0.5
