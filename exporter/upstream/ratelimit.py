"""One project's share of the upstream API: how many requests at a time, and how many a minute.

Requests start evenly spaced. Beside that, a request counts from its start until a minute after its end, and
never more than a minute's worth count: so neither the requests started nor those ended (the counter
`workspace_exporter_api_requests_total`) exceed the rate over any minute. A leaky bucket such as aiolimiter's
lets a burst through on top of its rate, and cannot be slowed down; hence this one.

A 429 halves the rate at once (only once for the requests that were already under way), and five minutes
bring it back from nothing to all. Retry-After holds every request of the project back.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from exporter.errors import Answer, ThrottledError

LONGEST_WAIT = 5.0
"""Seconds that a caller is made to wait for upstream's own wish; a longer one is an error at once."""
_MINUTE = 60.0
_ROUNDING = 0.001
"""Seconds on top of a minute, so that no rounding of times makes it a shorter one."""
_SLACK = 0.1
"""Seconds of lateness (of the event loop's timers) that later requests may make good."""
_RECOVERY = 300.0
_LEAST_SHARE = 1 / 32
_MEASURED = 10.0
_LEAST_BASE = 10.0
"""Requests a second that an unlimited project is taken to have sent, at the least, when a 429 comes."""
_TOO_MANY_REQUESTS = 429


class Window:
    """How many requests count at a moment: those under way, and those that ended within `span` seconds.

    Ended requests are kept in at most about 600 pieces, each counted until its newest is old enough.
    """

    def __init__(self, span: float) -> None:
        self.span = span
        self.under_way = 0
        self._ended = 0
        self._pieces: deque[tuple[float, float, int]] = deque()  # oldest end, newest end, how many

    def end(self, now: float) -> None:
        """Take note that a request ended."""
        self._forget(now)
        self.under_way -= 1
        self._ended += 1
        if self._pieces and now - self._pieces[-1][0] < self.span / 600:
            oldest, _, count = self._pieces.pop()
            self._pieces.append((oldest, now, count + 1))
        else:
            self._pieces.append((now, now, 1))

    def ended(self, since: float) -> int:
        """Return how many ended after `since`."""
        return sum(count for _, newest, count in self._pieces if newest > since)

    def wait(self, now: float, limit: int) -> float:
        """Return the seconds until another request may start: infinite until one of those under way ends."""
        self._forget(now)
        if self.under_way >= limit:
            return math.inf
        excess = self.under_way + self._ended - limit + 1
        wait = 0.0
        for _, newest, count in self._pieces:
            if excess <= 0:
                break
            wait = newest + self.span - now
            excess -= count
        return wait

    def _forget(self, now: float) -> None:
        while self._pieces and self._pieces[0][1] <= now - self.span:
            self._ended -= self._pieces.popleft()[2]


@dataclass(slots=True)
class Slot:
    """The right to send one request, from `started` (monotonic seconds)."""

    started: float
    used: bool = True

    def give_back(self) -> None:
        """Say that nothing was sent."""
        self.used = False


class Gate:
    """Lets requests through: `concurrency` at a time, `rate` a second (0: no limit), fewer after a 429.

    A rate whose minute holds no whole number is rounded down; below one a minute it is one request in
    `1 / rate` seconds. `longest_hold` (seconds) caps a Retry-After.
    """

    def __init__(
        self,
        rate: float,
        concurrency: int,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        longest_hold: float = _MINUTE,
    ) -> None:
        self._rate = rate
        self._limit = max(1, math.floor(_MINUTE * rate + 1e-9)) if rate else None
        self._window = Window((max(_MINUTE, 1 / rate) if rate else _MINUTE) + _ROUNDING)
        self._monotonic = monotonic
        self._sleep = sleep
        self._longest_hold = longest_hold
        self._semaphore = asyncio.Semaphore(concurrency)
        self._queue = asyncio.Lock()
        self._ended = asyncio.Event()
        self._next = -math.inf
        self._held_until = -math.inf
        self._base = rate
        self._share = 1.0
        self._cut_at = -math.inf

    @asynccontextmanager
    async def slot(self, *, aside: bool = False) -> AsyncIterator[Slot]:
        """Wait for the right to send one request, and hold it.

        `aside` is for a sign-in, of which there is one at a time: it counts in the rate but waits for no
        other request to end. Raises ThrottledError while upstream wants a longer pause than LONGEST_WAIT.
        """
        async with AsyncExitStack() as stack:
            if not aside:
                await stack.enter_async_context(self._semaphore)
            async with self._queue:
                slot = await self._begin()
            try:
                yield slot
            finally:
                self._end(slot)

    def throttled(self, slot: Slot, retry_after: float | None) -> None:
        """Slow down: the request of this slot was answered with 429."""
        now = self._monotonic()
        if slot.started >= self._cut_at:
            self._cut(now)
        if retry_after is not None:
            self._held_until = max(self._held_until, now + min(retry_after, self._longest_hold))

    def rate_at(self, now: float) -> float:
        """Return the requests a second that are let through at a moment; infinite without a limit."""
        share = self._share_at(now)
        return self._base * share if self._rate or share < 1 else math.inf

    async def _begin(self) -> Slot:
        while (wait := self._wait(self._monotonic())) > 0:
            if math.isinf(wait):
                self._ended.clear()
                await self._ended.wait()
            else:
                await self._sleep(wait)
        now = self._monotonic()
        self._window.under_way += 1
        self._next = max(self._next, now - _SLACK) + 1 / self.rate_at(now)
        return Slot(now)

    def _end(self, slot: Slot) -> None:
        now = self._monotonic()
        if slot.used:
            self._window.end(now)
        else:
            self._window.under_way -= 1
            self._next -= 1 / self.rate_at(now)
        self._ended.set()

    def _wait(self, now: float) -> float:
        held = self._held_until - now
        if held > LONGEST_WAIT:
            raise ThrottledError(
                "upstream asked for a pause",
                label=str(_TOO_MANY_REQUESTS),
                answer=Answer(status=_TOO_MANY_REQUESTS),
                retry_after=held,
            )
        counted = 0.0 if self._limit is None else self._window.wait(now, self._limit)
        return max(held, self._next - now, counted)

    def _share_at(self, now: float) -> float:
        return min(1.0, self._share + (now - self._cut_at) / _RECOVERY)

    def _cut(self, now: float) -> None:
        share = self._share_at(now)
        if not self._rate and share == 1.0:  # without a limit: half of what was sent until now
            self._base = max(_LEAST_BASE, self._window.ended(now - _MEASURED) / _MEASURED)
        self._share = max(_LEAST_SHARE, share / 2)
        self._cut_at = now
        self._next = max(self._next, now + 1 / self.rate_at(now))
