"""One call at a time for all who ask at the same time."""

from __future__ import annotations

import asyncio

import pytest

from exporter.errors import ApiError
from exporter.upstream.auth.flight import Flight
from tests.upstream.fakes import run


class Calls:
    """A slow call that counts how often it was made."""

    def __init__(self, error: ApiError | None = None) -> None:
        self.begun = self.ended = 0
        self.error = error

    async def __call__(self) -> int:
        """Make the call."""
        self.begun += 1
        await asyncio.sleep(10)
        self.ended += 1
        if self.error:
            raise self.error
        return self.begun


def test_all_get_one_outcome() -> None:
    """Eight who ask at once cause one call; who asks afterwards, another."""

    async def main() -> tuple[list[int], int]:
        flight: Flight[int] = Flight()
        call = Calls()
        outcomes = await asyncio.gather(*(flight.join(call) for _ in range(8)))
        return outcomes, await flight.join(call)

    assert run(main()) == ([1] * 8, 2)


def test_all_get_one_error() -> None:
    """A failed call fails for all who waited, each with a fresh traceback."""

    async def main() -> tuple[list[object], int]:
        flight: Flight[int] = Flight()
        call = Calls(ApiError("no", label="x"))
        outcomes = await asyncio.gather(*(flight.join(call) for _ in range(8)), return_exceptions=True)
        return list(outcomes), call.begun

    outcomes, begun = run(main())
    assert all(isinstance(outcome, ApiError) for outcome in outcomes)
    assert begun == 1


def test_who_is_cancelled_stops_at_once() -> None:
    """A cancelled waiter waits no longer; the call goes on for the others, and to its end without any."""

    async def main() -> tuple[float, int, int]:
        flight: Flight[int] = Flight()
        call = Calls()
        now = asyncio.get_running_loop().time
        begin = now()
        first, second = (asyncio.create_task(flight.join(call)) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.wait([first])
        waited = now() - begin
        assert first.cancelled()
        outcome = await second
        alone = asyncio.create_task(flight.join(call))
        await asyncio.sleep(1)
        alone.cancel()
        await asyncio.sleep(20)
        return waited, outcome, call.ended

    assert run(main()) == (1.0, 1, 2)


def test_start_waits_for_nothing() -> None:
    """A call may be begun in the background; who asks then waits for that one."""

    async def main() -> tuple[int, int]:
        flight: Flight[int] = Flight()
        call = Calls()
        flight.start(call)
        flight.start(call)
        return await flight.join(call), call.begun

    assert run(main()) == (1, 1)


def test_the_end() -> None:
    """`aclose` ends the call under way, and is harmless without one."""

    async def main() -> int:
        flight: Flight[int] = Flight()
        call = Calls()
        await flight.aclose()
        flight.start(call)
        await asyncio.sleep(1)
        await flight.aclose()
        await flight.aclose()
        await asyncio.sleep(20)
        return call.ended

    assert run(main()) == 0


def test_a_defect_is_not_hidden() -> None:
    """What is no ApiError reaches who asked."""

    async def broken() -> int:
        raise ZeroDivisionError

    async def main() -> None:
        await Flight[int]().join(broken)

    with pytest.raises(ZeroDivisionError):
        run(main())
