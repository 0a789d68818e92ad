"""All connections of the server: how many there may be, and who has to go when there are too many.

The one to go is always the one that has kept the server waiting longest. However many clients only hold
connections open, there is room for one that asks and reads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take of the server. Times in seconds, sizes in bytes."""

    header_seconds: float = 5.0
    """From the connection's beginning, or a later request's first byte, to the end of the request; the TLS
    handshake counts."""
    idle_seconds: float = 120.0
    """Between an answer and the next request: longer than a scrape interval, so that scrapers keep theirs."""
    stall_seconds: float = 10.0
    """How long a client may take none of its answer."""
    linger_seconds: float = 1.0
    """How long a client may take to close after the last answer."""
    target_bytes: int = 8192
    """Path and query of a request; more is 414. RFC 9112, section 3, asks for 8000 at least."""
    head_bytes: int = 16384
    """The whole head; more is 431, or 414 where its first line has no end."""
    head_fields: int = 100
    body_bytes: int = 0
    """The body of a request; more is 413. No endpoint of the exporter takes one."""
    connections: int = 1024
    stalled: int = 32
    """Answers that may wait for their clients: each holds its whole text."""


class Member(Protocol):
    """A connection, as seen from here."""

    def abort(self) -> None:
        """End now, answered or not."""

    def retire(self) -> None:
        """End after the next answer."""

    def finish(self) -> None:
        """End after the answer under way, or now."""


class Crowd:
    """The connections of one server, and what they share. `tls` is asked at each one's beginning."""

    def __init__(
        self, app: ASGIApp, tls: Callable[[], ssl.SSLContext | None], limits: Limits | None = None
    ) -> None:
        self.app = app
        self.tls = tls
        self.limits = limits or Limits()
        self._open: dict[Member, None] = {}
        # Both in the order of entry: the first has waited longest.
        self._waiting: dict[Member, None] = {}
        self._stalled: dict[Member, None] = {}
        self._work: deque[Callable[[], None]] = deque()
        self._newest = True
        self._unclosed = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_closed = asyncio.Event()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def stalled(self) -> int:
        """How many answers wait for their clients."""
        return len(self._stalled)

    def add(self, member: Member) -> None:
        """Take a new one in, if need be in place of the one that has been waited for longest."""
        if len(self._open) >= self.limits.connections and self._waiting:
            next(iter(self._waiting)).abort()
        self._unclosed += 1
        self._open[member] = None

    def enter(self, member: Member, *, waiting: bool) -> None:
        """Note that a connection now waits for its client, or no longer does."""
        self._waiting.pop(member, None)
        if waiting:
            self._waiting[member] = None

    def stall(self, member: Member) -> None:
        """Note that a client does not read its answer; with too many of them the first is cut off."""
        self._stalled[member] = None
        if len(self._stalled) > self.limits.stalled:
            next(iter(self._stalled)).abort()

    def flow(self, member: Member) -> None:
        """Note that a client reads again."""
        self._stalled.pop(member, None)

    def forget(self, member: Member) -> None:
        """Count a connection no more: it has been told to end."""
        for group in (self._open, self._waiting, self._stalled):
            group.pop(member, None)

    def lost(self) -> None:
        """Note that a connection's socket is closed."""
        self._unclosed -= 1
        if not self._unclosed:
            self._all_closed.set()

    def work(self, task: asyncio.Task[None]) -> None:
        """Hold an answer's task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def queue(self, work: Callable[[], None]) -> None:
        """Do costly work in its turn: one piece, then everybody else, then the next piece.

        The newest and the oldest piece take turns. When a flood comes, who was there before it and who comes
        after it are both served at once; in the order of arrival the latter would wait for all of it.
        """
        self._work.append(work)
        if len(self._work) == 1:
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        work = self._work.pop() if self._newest else self._work.popleft()
        self._newest = not self._newest
        if self._work:
            asyncio.get_running_loop().call_soon(self._take_turn)
        work()

    def retire(self) -> None:
        """Make each open connection's next answer its last."""
        for member in self._open:
            member.retire()

    async def close(self, grace: float) -> None:
        """End all connections; an answer under way has `grace` seconds. Returns when all are closed."""
        for member in list(self._open):
            member.finish()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for member in list(self._open):
            member.abort()
        while self._unclosed:
            self._all_closed.clear()
            await self._all_closed.wait()
