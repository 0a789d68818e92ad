"""A project's signed requests: sign in, take turns, send; renew once when the signature is not accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from exporter.errors import BodyError, CredentialsError, ForbiddenError, NotFoundError, UnauthorizedError
from exporter.upstream.auth.credentials import Credential, Credentials
from exporter.upstream.auth.standing import Standing
from exporter.upstream.exchange import Exchange, Observer, Reply, Request, Timing

T = TypeVar("T")

_SKEW = 600.0
"""Seconds from which on a wrong clock is named as a likely cause: signatures are refused from 900 on."""


class _Outdated(Exception):  # noqa: N818 - no error: the request is signed anew
    """The credential was dropped while its request waited for its turn."""


class Session:
    """Sends requests of one project with its credentials in force."""

    def __init__(
        self,
        credentials: Credentials,
        exchange: Exchange,
        standing: Standing,
        *,
        observer: Observer,
        timing: Timing,
    ) -> None:
        self.credentials = credentials
        self._exchange = exchange
        self._standing = standing
        self._observer = observer
        self._clock = timing.clock
        self.auth_ok = True
        """False from the moment that credentials are refused or missing, until a request is accepted."""

    async def sign_in(self) -> Credential:
        """Return the credential in force, fetching it where needed. Raises ApiError."""
        try:
            return await self.credentials.current()
        except CredentialsError:
            self.auth_ok = False
            raise

    async def ask(self, request: Request, read: Callable[[Reply], T]) -> T:
        """Send a signed request and return what `read` makes of the answer. Raises ApiError.

        CredentialsError (with `retry_at`) means that no request can succeed for now: without anything being
        sent, while refused credentials are not due for another try.
        """
        try:
            return await self._signed(request, read)
        except CredentialsError:
            self.auth_ok = False
            raise

    async def _signed(self, request: Request, read: Callable[[Reply], T]) -> T:
        renewed = False
        while True:
            credential = await self.credentials.current()
            attempt = partial(self._once, credential, request, read)
            try:
                return await self._exchange.persist(attempt)
            except _Outdated:
                continue
            except UnauthorizedError as error:
                refused = error
            if renewed or not await self.credentials.renew(credential):
                raise self._standing.refuse(credential, refused, self._hint())
            renewed = True
            self._observer.retry(refused.label)

    async def _once(self, credential: Credential, request: Request, read: Callable[[Reply], T]) -> T:
        async with self._standing.turn(credential) as again:

            def sign(request: Request) -> Mapping[str, str]:
                if not self.credentials.holds(credential):
                    raise _Outdated
                if not again:  # it may have been refused while this request waited for its turn
                    self._standing.check(credential)
                return credential.headers(request, self._clock())

            try:
                answer = await self._exchange.once(request, read, sign=sign)
            except (BodyError, ForbiddenError, NotFoundError):
                self._accepted(credential)
                raise
            self._accepted(credential)
            return answer

    def _accepted(self, credential: Credential) -> None:
        self.auth_ok = True
        if self.credentials.holds(credential):
            self._standing.accept(credential)
            self.credentials.accepted(credential)

    def _hint(self) -> str:
        skew = self._exchange.clock_skew
        if skew is None or abs(skew) < _SKEW:
            return ""
        return f"; this host's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead'}"
