"""The simulated cloud over a real socket."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from granian.errors import FatalError
from starlette.applications import Starlette

from exporter.simulator.app import create_app
from exporter.simulator.serving import _listening, serving
from exporter.simulator.world import World
from tests.simulator.client import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.simulator.service import Service


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _in_flight(service: Service, wanted: int) -> None:
    """Return once so many requests are under way; fail after five seconds."""
    async with asyncio.timeout(5):
        while True:
            if service.tally.in_flight == wanted:
                return
            await asyncio.sleep(0.01)


async def test_it_answers_while_the_block_lasts() -> None:
    """Requests arrive over TCP; afterwards nobody listens."""
    world = World()
    async with serving(create_app(world), port=free_port()) as url, httpx.AsyncClient(base_url=url) as client:
        headers = {"X-Auth-Token": ACCOUNT.token}
        query = {"offset": "0", "limit": "1"}
        path = f"/v2/{world.project.id}/scheduled-tasks"
        response = await client.get(path, headers=headers, params=query)
        assert response.json() == {"scheduled_tasks": [], "total_count": 0}
        assert response.headers.get_list("date") == [response.headers["date"]]
    async with httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(path)


async def test_a_client_that_gives_up_is_let_go() -> None:
    """A stalled answer does not outlive its reader, and the end of the block cuts off what is under way."""
    app = create_app(World(), faults="timeout=60s@all")
    service: Service = app.state.service
    async with serving(app, port=free_port()) as url, httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/v3/projects", timeout=0.2)
        await _in_flight(service, 0)
        stalled = asyncio.create_task(client.get("/v3/projects", timeout=30))
        await _in_flight(service, 1)
    with pytest.raises(httpx.TransportError):
        await stalled


async def test_a_taken_port_is_an_error() -> None:
    """At once, not a server that shares it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="address"):
            async with serving(create_app(World()), port=taken.getsockname()[1]):
                pass


async def test_a_server_that_fails_says_so() -> None:
    """An application that does not start is an error at once, and so is a server that ends."""

    @asynccontextmanager
    async def broken(_: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("no")
        yield

    with pytest.raises(FatalError):
        async with serving(Starlette(lifespan=broken), port=free_port()):
            pass
    over = asyncio.create_task(asyncio.sleep(0))
    await over
    with pytest.raises(OSError, match="ended at once"):
        await _listening(over, "127.0.0.1", free_port())
