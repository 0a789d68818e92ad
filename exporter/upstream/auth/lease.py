"""A credential that ends: fetched when there is none, and renewed ahead of its end while it still works."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from exporter.errors import ApiError, CredentialsError
from exporter.upstream.auth.credentials import Credential
from exporter.upstream.auth.flight import Flight

C = TypeVar("C", bound=Credential)

_PAUSE = 60.0
"""Seconds between two renewals ahead of time."""
_SHORTEST = 1.0
_UNCLEAR = 60.0


@dataclass(frozen=True, slots=True)
class Leased(Generic[C]):
    """A fetched credential, its `lifetime` (seconds from now) and `end` (epoch seconds); None: unsaid."""

    credential: C
    lifetime: float | None
    end: float | None


class Lease(Generic[C]):
    """The `Credentials` of a `kind` (password, metadata) that upstream gives for a time: `fetch` gives one.

    It is renewed in the background from `margin` seconds (at most a quarter of its life) before its end, so
    that neither a slow nor a failed renewal is noticed; past its end, or once it is refused, the next reader
    waits for a new one, and all who come meanwhile wait for the same. A failed fetch is not repeated for
    `pause` seconds. Lifetimes count on the monotonic clock from the moment of arrival: a wrong clock does no
    harm.
    """

    def __init__(
        self,
        kind: str,
        fetch: Callable[[], Awaitable[Leased[C]]],
        *,
        margin: float,
        pause: float,
        monotonic: Callable[[], float],
        log: Any,
    ) -> None:
        self._kind = kind
        self._fetch = fetch
        self._margin = margin
        self._pause = pause
        self._monotonic = monotonic
        self._log = log
        self._flight: Flight[C] = Flight()
        self._held: C | None = None
        self._ends = -math.inf
        self._renew_from = -math.inf
        self._failure: ApiError | None = None
        self._failed_until = -math.inf
        self._told = ""
        self._end: float | None = None

    async def current(self) -> C:
        """Return the credential in force, or fetch one. Raises ApiError."""
        now = self._monotonic()
        if self._held is None or now >= self._ends:
            return await self._flight.join(self._renew)
        if now >= self._renew_from:
            self._flight.start(self._renew)
        return self._held

    def holds(self, credential: Credential) -> bool:
        """Whether `credential` is the one in force."""
        return credential == self._held

    async def renew(self, refused: Credential) -> bool:
        """Fetch another one, unless somebody has already. Raises ApiError."""
        if refused == self._held:
            self._held, self._end = None, None
        return await self.current() != refused

    def accepted(self, credential: Credential) -> None:
        """Nothing to do."""

    @property
    def expiry(self) -> tuple[str, float] | None:
        """The kind, and the end of the credential as upstream said it: epoch seconds."""
        return None if self._end is None else (self._kind, self._end)

    async def aclose(self) -> None:
        """End a fetch that is under way."""
        await self._flight.aclose()

    async def _renew(self) -> C:
        if self._failure is not None and self._monotonic() < self._failed_until:
            raise self._failure.with_traceback(None)
        try:
            leased = await self._fetch()
        except ApiError as error:
            self._take_failure(error)
            raise
        self._failure, self._told = None, ""
        self._take(leased)
        return leased.credential

    def _take(self, leased: Leased[C]) -> None:
        now, lifetime = self._monotonic(), leased.lifetime
        if lifetime is None:
            self._ends = self._renew_from = math.inf
        else:
            lifetime = lifetime if lifetime >= _SHORTEST else _UNCLEAR
            self._ends = now + lifetime
            self._renew_from = self._ends - min(self._margin, lifetime / 4)
        if leased.credential == self._held:  # nothing newer is to be had yet
            self._renew_from = max(self._renew_from, now + _PAUSE)
        self._held, self._end = leased.credential, leased.end

    def _take_failure(self, error: ApiError) -> None:
        now = self._monotonic()
        self._renew_from = now + _PAUSE
        if not isinstance(error, CredentialsError):  # those know themselves when to try again
            self._failure, self._failed_until = error, now + self._pause
        if self._held is not None and now < self._ends and self._told != str(error):
            self._told = str(error)
            self._log.warning("credentials could not be renewed; the old ones still work", error=str(error))
