"""The exposition against `prometheus_client.generate_latest` on the same families, in one process."""

from __future__ import annotations

import asyncio
import gzip
import resource
import statistics
import time
from collections.abc import Awaitable, Callable
from unittest import mock

from benchmarks.states import make_state
from exporter import exposition
from exporter.exposition import Exposition
from exporter.negotiation import Format
from tests.vanilla import vanilla_body

Figures = dict[str, float]
_REPEATS = 7


def measure(tasks: int) -> Figures:
    """Return seconds and ratios at so many tasks."""
    with mock.patch.object(exposition, "PATIENCE", 1000.0), mock.patch.object(exposition, "COALESCE", 1000.0):
        return asyncio.run(_measure(tasks))


async def _measure(tasks: int) -> Figures:
    states = [make_state(number) for number in range(tasks)]
    before = _memory()
    store = Exposition()
    for state in states:
        store.put(state)
    figures: Figures = {}
    figures["render everything, gzip (s)"] = await _once(lambda: store.body(Format.TEXT, b"", gzip=True))
    figures["memory of the exposition (MiB)"] = _memory() - before
    figures["idle scrape, gzip (s)"] = await _typical(lambda: store.body(Format.TEXT, b"", gzip=True))
    turn = 0

    async def changed(*, compressed: bool) -> None:
        nonlocal turn
        turn += 1
        store.put(make_state(tasks // 2, turn=turn))
        await store.body(Format.TEXT, b"", gzip=compressed)

    figures["scrape after one change, gzip (s)"] = await _typical(lambda: changed(compressed=True))
    await store.body(Format.TEXT, b"", gzip=False)
    figures["idle scrape, identity (s)"] = await _typical(lambda: store.body(Format.TEXT, b"", gzip=False))
    figures["scrape after one change, both kept (s)"] = await _typical(lambda: changed(compressed=False))

    started = time.perf_counter()
    text = vanilla_body(states, Format.TEXT)
    rendered = time.perf_counter()
    gzip.compress(text)
    compressed_at = time.perf_counter()
    figures["generate_latest (s)"] = rendered - started
    figures["generate_latest and gzip.compress (s)"] = compressed_at - started
    figures["samples"] = float(text.count(b"\n") - 2 * text.count(b"# TYPE"))
    figures["body (MB)"] = len(text) / 1e6
    vanilla = figures["generate_latest and gzip.compress (s)"]
    for name, against in (
        ("idle scrape, gzip", vanilla),
        ("scrape after one change, gzip", vanilla),
        ("scrape after one change, both kept", figures["generate_latest (s)"]),
    ):
        figures[f"{name}: times faster"] = against / figures[f"{name} (s)"]
    store.close()
    return figures


async def _once(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def _typical(work: Callable[[], Awaitable[object]]) -> float:
    return statistics.median([await _once(work) for _ in range(_REPEATS)])


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
