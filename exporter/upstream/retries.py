"""When a request that failed is sent again: an error and what was tried -> a delay. Pure."""

from __future__ import annotations

from exporter.errors import ApiError, ThrottledError
from exporter.upstream.ratelimit import LONGEST_WAIT

_BUDGET = 3
_FIRST_DELAY = 0.5
_FIRST_DELAY_THROTTLED = 2.0
"""The vendor's advice after a 429 is to wait two to five seconds (api_facts.md, section 5)."""


def cost(error: ApiError) -> int:
    """Return what a failed attempt costs: one, and two for one that took all its time."""
    return 2 if error.label == "timeout" else 1


def retry_delay(error: ApiError, attempts: int, spent: int, chance: float) -> float | None:
    """Return the seconds to wait before the next attempt; None where the error is to be handed on.

    `attempts` were made, which cost `spent` of a budget of three (so a request is sent three times at most,
    and twice where it timed out); `chance` is a random number from 0 to 1. The delay doubles each time, and
    is jittered so that many readers spread. Upstream's own wish (Retry-After) is the least that is waited;
    one longer than LONGEST_WAIT is the caller's affair.
    """
    if not error.retryable or spent >= _BUDGET:
        return None
    first = _FIRST_DELAY_THROTTLED if isinstance(error, ThrottledError) else _FIRST_DELAY
    delay = min(first * 2.0 ** (attempts - 1), LONGEST_WAIT) * (1 + chance) / 2
    if error.retry_after is None:
        return delay
    if error.retry_after > LONGEST_WAIT:
        return None
    return max(delay, error.retry_after + chance * _FIRST_DELAY)
