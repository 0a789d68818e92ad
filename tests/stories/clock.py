"""Time that passes only when a test lets it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from exporter.poller import Clocks

T = TypeVar("T")

EPOCH = 1_750_003_200.0
"""The wall clock at the begin of a test: 2025-06-15T16:00:00Z."""
MOMENT = 5_000.0
"""The monotonic clock at the begin of a test: not the same, so that mixing them up shows."""


class ManualClock:
    """A wall clock and a monotonic clock that only `pass_time`, or somebody's sleep, moves on."""

    def __init__(self, epoch: float = EPOCH) -> None:
        self.passed = 0.0
        self._epoch = epoch

    def epoch(self) -> float:
        """Return the wall clock's time in epoch seconds."""
        return self._epoch + self.passed

    def monotonic(self) -> float:
        """Return the monotonic clock's time in seconds."""
        return MOMENT + self.passed

    async def sleep(self, seconds: float) -> None:
        """Let the time pass, and others run."""
        self.pass_time(seconds)
        await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass."""
        assert seconds >= 0
        self.passed += seconds

    @property
    def clocks(self) -> Clocks:
        """This clock as the poller is handed it."""
        return Clocks(epoch=self.epoch, monotonic=self.monotonic, sleep=self.sleep)


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of which nothing waits for real time."""
    return asyncio.run(coroutine)
