"""A project's share of upstream: never over the rate, fewer after a 429, so many at a time."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import ThrottledError
from exporter.upstream.ratelimit import LONGEST_WAIT, Gate, Window
from tests.upstream.fakes import run


def gate(rate: float, concurrency: int = 8, longest_hold: float = 60.0) -> Gate:
    """A gate on the running loop's (virtual) time."""
    loop = asyncio.get_running_loop()
    return Gate(rate, concurrency, monotonic=loop.time, sleep=asyncio.sleep, longest_hold=longest_hold)


def most_in_a_minute(moments: list[float]) -> int:
    """The greatest number of moments in any half-open window of 60 seconds."""
    moments = sorted(moments)
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 60.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def flood(
    limit: Gate, *, seconds: float, latency: float, refuse: bool = False, workers: int = 50
) -> tuple[list[float], list[float]]:
    """Send as much as the gate lets through; returns when requests started and when they ended."""
    now = asyncio.get_running_loop().time
    until = now() + seconds
    started: list[float] = []
    ended: list[float] = []

    async def worker() -> None:
        while now() < until:
            async with limit.slot() as slot:
                if now() >= until:
                    slot.give_back()
                    return
                started.append(now())
                await asyncio.sleep(latency)
                if refuse:
                    limit.throttled(slot, None)
            ended.append(now())

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker())
    return started, ended


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from([0.02, 0.05, 0.3, 0.5, 1.0, 2.5, 10.0]),
    latency=st.sampled_from([0.0, 0.01, 0.3, 5.0, 20.0]),
    refuse=st.booleans(),
    concurrency=st.sampled_from([1, 3, 8]),
)
def test_never_over_the_rate_in_any_minute(
    rate: float,
    latency: float,
    refuse: bool,  # noqa: FBT001 - generated
    concurrency: int,
) -> None:
    """Neither requests started nor requests ended exceed the rate over any minute, also in a storm of 429."""

    async def main() -> tuple[list[float], list[float]]:
        return await flood(gate(rate, concurrency), seconds=200, latency=latency, refuse=refuse)

    started, ended = run(main())
    assert most_in_a_minute(started) <= math.floor(60 * rate)
    assert most_in_a_minute(ended) <= math.floor(60 * rate)


def test_the_rate_is_used() -> None:
    """With quick answers nearly all of the rate is to be had, evenly spread."""

    async def main() -> list[float]:
        return (await flood(gate(10), seconds=300, latency=0.05))[0]

    started = run(main())
    assert len(started) >= 0.98 * 10 * 300
    first = [moment - started[0] for moment in started if moment < started[0] + 1]
    assert len(first) <= 12


@pytest.mark.parametrize(("rate", "gap"), [(0.5, 2.0), (0.1, 10.0), (0.01, 100.0), (0.001, 1000.0)])
def test_fractions(rate: float, gap: float) -> None:
    """Rates below one a second, and below one a minute, space the requests."""

    async def main() -> list[float]:
        return (await flood(gate(rate), seconds=5 * gap, latency=0.0, workers=1))[0]

    started = run(main())
    gaps = [after - before for before, after in pairwise(started)]
    assert gaps
    assert all(measured == pytest.approx(gap, abs=0.2) for measured in gaps)


@pytest.mark.parametrize(
    ("rate", "limit"), [(2.05, 123), (8.2, 492), (0.3, 18), (0.99, 59), (0.001, 1), (0, None)]
)
async def test_what_a_minute_holds_is_a_whole_number(rate: float, limit: int | None) -> None:
    """Rounded down, at least one, and not by the error of a product: 60 * 2.05 is a little less than 123."""
    assert gate(rate)._limit == limit


def test_a_slow_answer_counts_from_its_end_below_one_a_minute_too() -> None:
    """Else two answers would come within the time of one request."""

    async def main() -> list[float]:
        limit, now = gate(0.01), asyncio.get_running_loop().time
        ended = []
        for latency in (90.0, 1.0):
            async with limit.slot():
                await asyncio.sleep(latency)
            ended.append(now())
        return ended

    first, second = run(main())
    assert second - first == pytest.approx(101.0, abs=0.01)


def test_no_limit() -> None:
    """A rate of 0 limits nothing but how many at a time."""

    async def main() -> tuple[int, float]:
        limit, now = gate(0, concurrency=8), asyncio.get_running_loop().time
        before = now()
        started, _ = await flood(limit, seconds=10, latency=0.1)
        return len(started), now() - before

    count, seconds = run(main())
    assert count == pytest.approx(8 * 10 / 0.1, rel=0.02)
    assert seconds < 11


def test_so_many_at_a_time() -> None:
    """Never more than `concurrency` are under way; a sign-in needs no free place."""

    async def main() -> tuple[int, float]:
        limit, now = gate(0, concurrency=3), asyncio.get_running_loop().time
        under_way = most = 0

        async def read() -> None:
            nonlocal under_way, most
            async with limit.slot():
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(10)
                under_way -= 1

        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(read())
            await asyncio.sleep(1)
            before = now()
            async with limit.slot(aside=True):
                waited = now() - before
        return most, waited

    assert run(main()) == (3, 0.0)


def test_a_429_slows_down_at_once_and_recovers_slowly() -> None:
    """One 429 halves the rate, a second one of the same moment does not; five minutes bring it back."""

    async def main() -> list[float]:
        limit, loop = gate(10), asyncio.get_running_loop()
        rates = [limit.rate_at(loop.time())]
        async with limit.slot() as first, limit.slot() as second:
            await asyncio.sleep(0.1)
            limit.throttled(first, None)
            rates.append(limit.rate_at(loop.time()))
            limit.throttled(second, None)
            rates.append(limit.rate_at(loop.time()))
        async with limit.slot() as third:
            limit.throttled(third, None)
            rates.append(limit.rate_at(loop.time()))
        await asyncio.sleep(30)
        rates.append(limit.rate_at(loop.time()))
        await asyncio.sleep(300)
        rates.append(limit.rate_at(loop.time()))
        return rates

    before, once, same, twice, later, recovered = run(main())
    assert (before, once, same, recovered) == (10, 5, 5, 10)
    assert twice == pytest.approx(2.5, abs=0.05)
    assert later == pytest.approx(3.5, abs=0.05)


def test_after_a_429_the_next_request_waits_its_share() -> None:
    """However long ago the last one was sent; half of the configured rate, however little was sent."""

    async def main() -> tuple[float, float]:
        limit, loop = gate(100), asyncio.get_running_loop()
        async with limit.slot() as slot:
            await asyncio.sleep(10)
            limit.throttled(slot, None)
        before = loop.time()
        async with limit.slot():
            return limit.rate_at(before), loop.time() - before

    assert run(main()) == pytest.approx((50, 1 / 50))


def test_a_storm_does_not_stop_everything() -> None:
    """In a storm of 429 requests still start, a thirty-second of the rate at the least."""

    async def main() -> list[float]:
        return (await flood(gate(10), seconds=600, latency=0.05, refuse=True))[0]

    started = run(main())
    assert 600 * 10 / 40 < len(started) < 600 * 10 / 10


def test_a_429_slows_down_without_a_limit_too() -> None:
    """Where no rate is configured, half of what was sent until then is a limit for a while."""

    async def main() -> tuple[float, float, float, float]:
        limit, loop = gate(0, concurrency=2), asyncio.get_running_loop()
        await flood(limit, seconds=30, latency=0.1, workers=2)
        async with limit.slot() as slot:
            limit.throttled(slot, None)
        cut = limit.rate_at(loop.time())
        started, _ = await flood(limit, seconds=10, latency=0.0)
        await asyncio.sleep(20)
        async with limit.slot() as slot:
            limit.throttled(slot, None)
        again = limit.rate_at(loop.time())
        await asyncio.sleep(300)
        return cut, len(started) / 10, again, limit.rate_at(loop.time())

    cut, sent, again, later = run(main())
    assert cut == pytest.approx(10, rel=0.05)
    assert again == pytest.approx(20 * (0.5 + 30 / 300) / 2, rel=0.05), "the limit is that of the first 429"
    assert sent == pytest.approx(10, rel=0.1)
    assert later == math.inf


def test_a_short_pause_is_waited_for() -> None:
    """Retry-After holds back every request of the project."""

    async def main() -> float:
        limit, loop = gate(0), asyncio.get_running_loop()
        async with limit.slot() as slot:
            limit.throttled(slot, 4.0)
        before = loop.time()
        async with limit.slot():
            return loop.time() - before

    assert run(main()) == pytest.approx(4.0)


def test_a_long_pause_is_refused_at_once() -> None:
    """Nobody is made to sleep for longer than five seconds: the error says how long the pause still is."""

    async def main() -> tuple[float | None, float]:
        limit, loop = gate(0, longest_hold=60.0), asyncio.get_running_loop()
        async with limit.slot() as slot:
            limit.throttled(slot, 3600.0)
        await asyncio.sleep(10)
        with pytest.raises(ThrottledError) as caught:
            await limit.slot().__aenter__()
        assert (caught.value.label, caught.value.answer.status) == ("429", 429)
        await asyncio.sleep(50 - LONGEST_WAIT + 0.1)
        before = loop.time()
        async with limit.slot():
            return caught.value.retry_after, loop.time() - before

    retry_after, waited = run(main())
    assert retry_after == pytest.approx(50.0)
    assert waited == pytest.approx(LONGEST_WAIT - 0.1)


def test_what_was_given_back_does_not_count() -> None:
    """A turn that was not used is free for the next."""

    async def main() -> float:
        limit, loop = gate(1), asyncio.get_running_loop()
        before = loop.time()
        for _ in range(100):
            async with limit.slot() as slot:
                slot.give_back()
        return loop.time() - before

    assert run(main()) < 2


def test_cancelled_waiters_leave_nothing_behind() -> None:
    """Who is cancelled while waiting, or while sending, takes no place with him."""

    async def main() -> int:
        limit = gate(0.5, concurrency=2)

        async def read() -> None:
            async with limit.slot():
                await asyncio.sleep(1000)

        tasks = [asyncio.create_task(read()) for _ in range(10)]
        await asyncio.sleep(3)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        started, _ = await flood(limit, seconds=100, latency=0.0)
        return len(started)

    assert run(main()) == pytest.approx(50, abs=3)


@pytest.mark.parametrize(
    ("under_way", "ends", "limit", "wait"),
    [
        (0, [], 1, 0.0),
        (1, [], 1, math.inf),
        (2, [10.0], 2, math.inf),
        (1, [10.0], 3, 0.0),
        (0, [1.0, 5.0], 3, 0.0),
        (0, [1.0, 5.0], 2, 60.0 + 1.0 - 10.0),
        (0, [1.0, 5.0], 1, 60.0 + 5.0 - 10.0),
        (1, [1.0, 5.0], 2, 60.0 + 5.0 - 10.0),
        (0, [1.0, 1.09, 5.0], 2, 60.0 + 1.09 - 10.0),
        (0, [1.0, 1.1, 5.0], 3, 60.0 + 1.0 - 10.0),
        (0, [-50.05, -49.97, 5.0], 3, 0.03),
        (0, [-50.0, 5.0], 2, 0.0),
        (0, [-49.9, 5.0], 2, 0.1),
    ],
)
def test_the_window_tells_how_long_to_wait(
    under_way: int, ends: list[float], limit: int, wait: float
) -> None:
    """At 10 s, with a span of 60 s: until as many have been forgotten as make room for one.

    Ends within a tenth of a second are forgotten together, with the newest of them.
    """
    window = Window(60.0)
    window.under_way = under_way + len(ends)
    for moment in ends:
        window.end(moment)
    assert window.under_way == under_way
    assert window.wait(10.0, limit) == pytest.approx(wait)
    assert window.ended(since=5.0) == sum(moment > 5.0 for moment in ends)


def test_the_window_forgets() -> None:
    """Memory is bounded: a hundred thousand requests are kept in some hundred pieces."""
    window = Window(60.0)
    for number in range(100_000):
        window.under_way += 1
        window.end(number / 1000)
    assert len(window._pieces) <= 650
    assert window.ended(since=39.999) == pytest.approx(60_000, abs=100)
    assert window.wait(100.0, limit=10**6) == 0
    assert window.wait(200.0, limit=1) == 0
