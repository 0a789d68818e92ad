"""exporter.cli.interpreter: when full collections are made, and how soon the event loop has its turn."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref

import pytest

from exporter.cli.interpreter import SWITCH_SECONDS, keep_responsive


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


async def test_full_collections_are_made_by_the_clock_and_only_then() -> None:
    """What has a cycle is freed at the end of a period; before, survivors set off no full collection."""
    thresholds, switch, waits = gc.get_threshold(), sys.getswitchinterval(), asyncio.Queue[float]()
    gate = asyncio.Semaphore(0)

    async def sleep(seconds: float) -> None:
        waits.put_nowait(seconds)
        await gate.acquire()

    collecting = asyncio.create_task(keep_responsive(sleep, 600.0))
    assert await waits.get() == 600.0
    assert gc.get_freeze_count() > 0
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    before = gc.get_stats()[2]["collections"]
    knot = weakref.ref(Knot())
    kept = [[number] for number in range(200_000)]
    gc.collect(1)
    assert gc.get_stats()[2]["collections"] == before
    del kept
    gate.release()
    assert await waits.get() == 600.0
    assert knot() is None
    assert gc.get_stats()[2]["collections"] == before + 1

    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == switch
