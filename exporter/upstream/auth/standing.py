"""Whether upstream accepts a project's credentials, and when refused ones may be tried again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from exporter.errors import Answer, ApiError, CredentialsError
from exporter.failures import is_locked

LOCK_AFTER = 5
"""Refused signatures in a row that an access key survives (api_facts.md, section 4b)."""


class Standing:
    """The state of one project's credentials: unproven, proven, or refused.

    A refused credential is used by one request in `pace` seconds, a function of how often in a row it was
    refused; a changed one is tried at once. With `cautious`, an unproven one is used by one request at a time
    until one is accepted: many readers that start together with a wrong key would lock it.
    """

    def __init__(
        self,
        pace: Callable[[int], float],
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        cautious: bool = False,
    ) -> None:
        self._pace = pace
        self._clock = clock
        self._monotonic = monotonic
        self._cautious = cautious
        self._alone = asyncio.Lock()
        self._proven: object = None
        self._refused: object = None
        self._failures = 0
        self._next_try = -math.inf
        self._reason = ""
        self._operation = ""
        self._answer = Answer()

    @asynccontextmanager
    async def turn(self, credential: object) -> AsyncIterator[bool]:
        """Hold the right to use `credential` for one request; gives whether it is the try of a refused one.

        Raises CredentialsError while it is refused and not due for another try.
        """
        async with AsyncExitStack() as stack:
            if self._cautious and credential != self._proven:
                await stack.enter_async_context(self._alone)
                if credential == self._proven:
                    await stack.aclose()
            self.check(credential)
            again = credential == self._refused
            if again:
                self._next_try = self._monotonic() + self._pace(self._failures)
            yield again

    def check(self, credential: object) -> None:
        """Raise CredentialsError while `credential` is refused and not due for another try."""
        if credential == self._refused and self._monotonic() < self._next_try:
            raise self._error()

    def accept(self, credential: object) -> None:
        """Take note that upstream accepted `credential`."""
        self._proven = credential
        self._refused = None
        self._failures = 0

    def refuse(self, credential: object, error: ApiError, hint: str = "") -> CredentialsError:
        """Take note that upstream refused `credential` with `error`; return what to raise."""
        self._failures += 1
        if is_locked(error.answer):
            self._failures = max(self._failures, LOCK_AFTER)
        self._proven = None
        self._refused = credential
        self._next_try = self._monotonic() + self._pace(self._failures)
        self._reason = f"{error.reason}{hint}"
        self._operation, self._answer = error.operation, error.answer
        return self._error()

    def _error(self) -> CredentialsError:
        return CredentialsError(
            self._reason,
            label=str(self._answer.status),
            operation=self._operation,
            answer=self._answer,
            retry_at=self._clock() + self._next_try - self._monotonic(),
        )
