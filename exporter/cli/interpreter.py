"""How the interpreter is set so that answers come first.

Python begins a full garbage collection when what survived has grown by a quarter, whatever is going on: with
ten thousand tasks it takes a quarter of a second, in which nobody is answered, and a sweep sets off several.
What is kept here hardly ever has cycles and goes when it is replaced. So a full collection is made every ten
minutes only, and what was imported, which stays, is left out of it; the younger generations are collected as
ever.

A worker thread that builds a body keeps the interpreter for five milliseconds before the event loop has it
back, after each of the many system calls that an answer takes; here it is half of one.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable

FULL_COLLECTION_SECONDS = 600.0
SWITCH_SECONDS = 0.0005
_NEVER = 2**31 - 1


async def keep_responsive(
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep, period: float = FULL_COLLECTION_SECONDS
) -> None:
    """Make a full collection every `period` seconds and none between; until cancelled."""
    (young, middle, full), switch = gc.get_threshold(), sys.getswitchinterval()
    gc.freeze()
    gc.set_threshold(young, middle, _NEVER)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        while True:
            await sleep(period)
            gc.collect()
    finally:
        sys.setswitchinterval(switch)
        gc.set_threshold(young, middle, full)
        gc.unfreeze()
