"""Full garbage collections by the clock.

Python begins a full collection when what survived has grown by a quarter, whatever is going on: with ten
thousand tasks it takes a quarter of a second, in which nobody is answered, and a sweep sets off several. What
is kept here hardly ever has cycles and goes when it is replaced. So a full collection is made every ten
minutes only, and what was imported, which stays, is left out of it; the younger generations are collected as
ever.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

PERIOD_SECONDS = 600.0
_NEVER = 2**31 - 1


async def collect_by_the_clock(
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep, period: float = PERIOD_SECONDS
) -> None:
    """Make a full collection every `period` seconds and none between, until cancelled."""
    young, middle, full = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(young, middle, _NEVER)
    try:
        while True:
            await sleep(period)
            gc.collect()
    finally:
        gc.set_threshold(young, middle, full)
        gc.unfreeze()
