"""Checking a user's password against its bcrypt hash, at a cost that a stranger cannot make the exporter pay.

bcrypt is slow on purpose (70 ms at cost 10). Hence: one check at a time, off the event loop; a short queue,
of which one client address gets a part; and good answers kept, so that a scraper pays once. How long a
refusal takes tells nothing about which users there are.
"""

from __future__ import annotations

import asyncio
import enum
import hmac
import os
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_PASSWORD_BYTES: Final = 72
"""bcrypt looks at no more; a longer password is refused rather than cut."""
MAX_WAITING: Final = 32
MAX_WAITING_OF_ONE: Final = 4
MAX_KEPT: Final = 256


class Verdict(enum.Enum):
    """What became of a check. BUSY: too many are waiting, nothing was looked at."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BUSY = "busy"


class PasswordCheck:
    """The checks of one server. `compare(password, hash)` is bcrypt's, and runs in a thread."""

    def __init__(self, compare: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._compare = compare
        self._secret = os.urandom(32)
        self._kept: OrderedDict[bytes, None] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting: Counter[str] = Counter()

    async def check(self, users: Mapping[str, bytes], name: str, password: bytes, origin: str) -> Verdict:
        """Return whether this is the user's password; `users` maps names to hashes, `origin` is the address.

        A kept answer belongs to the hash that it was given for: with another hash it is worth nothing.
        """
        if len(password) > MAX_PASSWORD_BYTES:
            return Verdict.REFUSED
        hashed = users.get(name) or self._stand_in(users, name)
        proof = self._proof(name.encode(), hashed, password)
        if self._recall(proof):
            return Verdict.ACCEPTED
        if self._waiting.total() >= MAX_WAITING or self._waiting[origin] >= MAX_WAITING_OF_ONE:
            return Verdict.BUSY
        self._waiting[origin] += 1
        try:
            async with self._turn:
                # Several scrapes of one scraper may have come at once: the first has answered for all.
                good = self._recall(proof) or await asyncio.to_thread(self._compare, password, hashed)
        finally:
            self._leave(origin)
        if not good or name not in users:
            return Verdict.REFUSED
        self._keep(proof)
        return Verdict.ACCEPTED

    def _stand_in(self, users: Mapping[str, bytes], name: str) -> bytes:
        """Return a hash for a user that does not exist, as costly as that of one that does.

        Where the users' costs differ, each unknown name always gets the same one of them.
        """
        costs = sorted(hashed[4:6] for hashed in users.values())
        drawn = int.from_bytes(self._proof(name.encode())[:8], "big")
        cost = int(costs[drawn % len(costs)])
        return bcrypt.gensalt(cost) + b"." * 31

    def _proof(self, *parts: bytes) -> bytes:
        """Return a digest of the parts, each with its length before it: no two lists have the same one."""
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._secret, framed, "sha256")

    def _recall(self, proof: bytes) -> bool:
        if proof not in self._kept:
            return False
        self._kept.move_to_end(proof)
        return True

    def _keep(self, proof: bytes) -> None:
        self._kept[proof] = None
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def _leave(self, origin: str) -> None:
        self._waiting[origin] -= 1
        if not self._waiting[origin]:
            del self._waiting[origin]
