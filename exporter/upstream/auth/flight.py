"""One call at a time for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from exporter.errors import ApiError

T = TypeVar("T")


class Flight(Generic[T]):
    """At most one call is under way; everyone who asks meanwhile gets its outcome.

    Who is cancelled stops waiting at once, and the call goes on for the others (and to its end, if there are
    none), so that a cancelled poll leaves no half-made sign-in behind. `aclose` ends it.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[T | ApiError] | None = None

    async def join(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what the call under way gives, or that of a new one. Raises the call's ApiError."""
        outcome = await asyncio.shield(self._begin(call))
        if isinstance(outcome, ApiError):
            raise outcome.with_traceback(None)
        return outcome

    def start(self, call: Callable[[], Awaitable[T]]) -> None:
        """Begin the call unless one is under way, and wait for nothing."""
        _ = self._begin(call)

    def _begin(self, call: Callable[[], Awaitable[T]]) -> asyncio.Task[T | ApiError]:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(_outcome(call))
        return self._task

    async def aclose(self) -> None:
        """Cancel the call under way, and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


async def _outcome(call: Callable[[], Awaitable[T]]) -> T | ApiError:
    try:
        return await call()
    except ApiError as error:
        return error
