"""The simulated cloud over a real socket."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.simulator.app import create_app
from exporter.simulator.serving import serving
from exporter.simulator.world import World
from tests.simulator.client import ACCOUNT

if TYPE_CHECKING:
    from exporter.simulator.service import Service


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
    async with serving(create_app(world), port=0) as url, httpx.AsyncClient(base_url=url) as client:
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
    async with serving(app, port=0) as url, httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/v3/projects", timeout=0.2)
        await _in_flight(service, 0)
        stalled = asyncio.create_task(client.get("/v3/projects", timeout=30))
        await _in_flight(service, 1)
    with pytest.raises(httpx.TransportError):
        await stalled


async def test_a_body_that_is_cut_ends_the_connection() -> None:
    """The client sees that it did not get everything; the next request is answered on a new connection."""
    app = create_app(World(), faults="cut@projects:x1")
    headers = {"X-Auth-Token": ACCOUNT.token}
    async with (
        serving(app, port=0) as url,
        httpx.AsyncClient(base_url=url, headers=headers, timeout=5) as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/v3/projects")
        assert (await client.get("/v3/projects")).status_code == 200


async def test_a_taken_port_is_an_error() -> None:
    """At once, not a server that shares it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="address"):
            async with serving(create_app(World()), port=taken.getsockname()[1]):
                pass
