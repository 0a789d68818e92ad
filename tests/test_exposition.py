"""The exposition: what is kept is always what a render of everything would give."""

from __future__ import annotations

import asyncio
import gzip
import threading
from dataclasses import replace

import pytest

from exporter import exposition as module
from exporter.exposition import Exposition
from exporter.negotiation import Format
from exporter.state import TaskState
from tests.states import task_state
from tests.vanilla import vanilla_body

OWN = b"# HELP own Own.\n# TYPE own gauge\nown 1.0\n"


def tasks(count: int) -> list[TaskState]:
    """So many tasks, each different."""
    return [task_state(task_id=f"t{number:04}", grace=float(number)) for number in range(count)]


async def body(store: Exposition, form: Format = Format.TEXT, *, compressed: bool = False) -> bytes:
    """A whole body, decompressed where it was compressed."""
    whole = b"".join(await store.body(form, b"", gzip=compressed))
    return gzip.decompress(whole) if compressed else whole


def lines(text: bytes) -> list[bytes]:
    """The lines in an order of their own: the order of tasks in a family is not promised."""
    return sorted(text.splitlines())


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("compressed", [False, True])
async def test_bodies_are_those_of_the_client_library(form: Format, compressed: bool) -> None:  # noqa: FBT001
    """Both formats, compressed or not, hold the client library's lines; each family's header stands once."""
    store, states = Exposition(), tasks(200)
    for state in states:
        store.put(state)
    text = await body(store, form, compressed=compressed)
    assert lines(text) == lines(vanilla_body(states, form))
    headers = [line for line in text.splitlines() if line.startswith(b"# ")]
    assert len(headers) == len(set(headers))


async def test_own_metrics_are_fresh_and_last() -> None:
    """The exporter's own metrics stand behind the tasks', before the end of the format."""
    store = Exposition()
    store.put(task_state())
    pieces = await store.body(Format.OPENMETRICS, OWN, gzip=False)
    assert b"".join(pieces).endswith(OWN + b"# EOF\n")
    pieces = await store.body(Format.TEXT, OWN, gzip=True)
    assert gzip.decompress(b"".join(pieces)).endswith(OWN)


async def test_an_unchanged_body_is_the_same_object() -> None:
    """Nothing changed, so nothing is joined or compressed again."""
    store = Exposition()
    store.put(task_state())
    for compressed in (False, True):
        first = await store.body(Format.TEXT, b"", gzip=compressed)
        again = await store.body(Format.TEXT, b"", gzip=compressed)
        assert any(one is two for one, two in zip(first, again, strict=True) if len(one) > 100)


async def test_a_change_is_seen_by_the_next_scrape() -> None:
    """Few tasks are built faster than a scrape's patience."""
    store = Exposition()
    store.put(task_state(grace=1.0))
    await body(store)
    store.put(task_state(grace=77.0))
    assert b"77.0" in await body(store)
    store.remove(("prod", "8d2e"))
    assert b"8d2e" not in await body(store)


async def test_a_body_that_was_asked_for_is_built_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change a build begins without a scrape, so that the next one finds it done."""
    monkeypatch.setattr(module, "COALESCE", 0.0)
    store = Exposition()
    store.put(task_state(grace=1.0))
    await body(store)
    built = asyncio.Event()
    work = store._work

    def watched(*arguments: object) -> object:
        result = work(*arguments)  # type: ignore[arg-type]
        loop.call_soon_threadsafe(built.set)
        return result

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(store, "_work", watched)
    store.put(task_state(grace=77.0))
    await asyncio.wait_for(built.wait(), 10)
    await asyncio.sleep(0)
    store.close()


async def test_a_slow_build_does_not_hold_up_a_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a build takes long, a scrape is given the body before; the next one after it the new one."""
    store = Exposition()
    store.put(task_state(grace=1.0))
    before = await body(store)
    work, go = store._work, threading.Event()

    def slow(*arguments: object) -> object:
        go.wait(10)
        return work(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "_work", slow)
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    store.put(task_state(grace=77.0))
    assert await body(store) == before
    go.set()
    monkeypatch.setattr(module, "PATIENCE", 10.0)
    assert b"77.0" in await body(store)
    store.close()


async def test_a_body_that_nobody_reads_any_more_is_given_up() -> None:
    """One look with curl does not cost a join of everything for ever."""
    store = Exposition()
    store.put(task_state())
    await body(store)
    await body(store, compressed=True)
    store._asked[Format.TEXT, False] -= module.READ_BY + 1
    store.put(task_state(grace=5.0))
    await body(store, compressed=True)
    assert set(store._kept) == {(Format.TEXT, True)}
    store.close()


async def test_what_was_said_before_is_shown_once_it_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what was said during a build, and however short a scrape's patience is."""
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    store, (first, second, third) = Exposition(), tasks(3)
    await store.settle()  # nobody reads, and nothing was said
    store.put(first)
    await body(store)
    store.put(second)
    building = store._build()
    await asyncio.sleep(0)
    store.put(third)
    await store.settle()
    assert building.done()
    assert lines(await body(store)) == lines(vanilla_body([first, second, third], Format.TEXT))
    store.close()


@pytest.mark.parametrize("failing", ["exporter.exposition.render_task", "exporter.metricstore.gzipping.join"])
@pytest.mark.parametrize("put_meanwhile", [False, True])
async def test_a_build_that_breaks_off_loses_nothing(
    failing: str,
    put_meanwhile: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a build was to take in is taken in by the next one, also where it broke off half way through."""
    store, (first, second) = Exposition(), tasks(2)
    store.put(first)
    await body(store, compressed=True)

    def no_memory(*_: object) -> None:
        raise MemoryError

    store.put(second)
    store.touch(("prod", first.task_id), 5.0)
    with monkeypatch.context() as patch:
        # Either nothing is taken in, or all is, and no body made of it.
        patch.setattr(failing, no_memory)
        build = store._build()
        await asyncio.sleep(0)
        newer = replace(first, last_poll=9.0) if put_meanwhile else replace(first, last_poll=5.0)
        if put_meanwhile:
            store.put(newer)
        with pytest.raises(MemoryError):
            await build
    await store._build()
    shown = lines(await body(store, compressed=True))
    assert shown == lines(vanilla_body([newer, second], Format.TEXT))
    store.close()
