"""A resolver that hangs holds nobody up."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import httpx
import pytest

from exporter.upstream.connections import Route, http_client
from exporter.upstream.lookups import LookupLoop
from tests.loopback import GOOD, serve

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop."""
    with asyncio.Runner(loop_factory=LookupLoop) as runner:
        return runner.run(main)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Names under `.hang` are not resolved until the event is set; others are, as ever."""
    release, real = threading.Event(), socket.getaddrinfo

    def slow(host: Any, *rest: Any, **hints: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name.endswith(".hang"):
            release.wait(10)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return real(host, *rest, **hints)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    yield release
    release.set()


def test_names_are_resolved() -> None:
    """An ordinary request finds its host."""

    async def main() -> int:
        async with serve(GOOD) as server, http_client(Route(), 2) as http:
            return (await http.get(f"http://localhost:{server.port}/")).status_code

    assert run(main()) == 200


def test_names_that_do_not_exist(hanging: threading.Event) -> None:
    """The resolver's error, and that of a name that cannot be one, reach who asked."""

    async def main(host: str) -> None:
        await asyncio.get_running_loop().getaddrinfo(host, 443)

    hanging.set()
    with pytest.raises(socket.gaierror):
        run(main("unknown.hang"))
    with pytest.raises(UnicodeError):
        run(main("x" * 70 + ".test"))


def test_hanging_names_do_not_delay_others(hanging: threading.Event) -> None:
    """With fifty look-ups that hang, another name is found at once; and the loop ends without them."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        stuck = [asyncio.create_task(loop.getaddrinfo(f"{number}.hang", 443)) for number in range(50)]
        await asyncio.sleep(0)
        begin = time.monotonic()
        await loop.getaddrinfo("127.0.0.1", 443)
        seconds = time.monotonic() - begin
        for task in stuck:
            task.cancel()
        await asyncio.wait(stuck)
        return seconds

    begin = time.monotonic()
    assert run(main()) < 1
    assert time.monotonic() - begin < 5
    assert not hanging.is_set()


def test_an_answer_that_nobody_waits_for(hanging: threading.Event) -> None:
    """A look-up that ends after its waiter was cancelled is dropped."""

    async def main() -> None:
        async with http_client(Route(), 2) as http:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await http.get("http://host.hang/")
            hanging.set()
            for thread in threading.enumerate():
                if thread.name == "lookup":
                    await asyncio.to_thread(thread.join)
            with pytest.raises(httpx.ConnectError):
                await http.get("http://host.hang/")

    run(main())
