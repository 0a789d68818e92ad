"""Many reads whose token is refused at once: one new sign-in serves them all."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from exporter.simulator import plan as plans
from exporter.simulator.world import World
from tests.endtoend.inside import NOW, Cloud, Process

READS = 8


class Together(httpx.AsyncBaseTransport):
    """Holds the requests for records until eight of them are under way, then revokes every token.

    With `staggered`, all but one are held further, until a new token has been given out.
    """

    def __init__(self, cloud: Cloud, *, staggered: bool) -> None:
        self._cloud = cloud
        self._staggered = staggered
        self._inner = cloud.transport()
        self.holding = False
        self.held = 0
        self._all = asyncio.Event()
        self._signed_in = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, when it is time."""
        if self.holding and request.url.path.endswith("/records"):
            self.held += 1
            first = self.held == 1
            if self.held == READS:
                self._cloud.service.identity.revoke_tokens()
                self.holding = False
                self._all.set()
            async with asyncio.timeout(10):
                await self._all.wait()
                if self._staggered and not first:
                    await self._signed_in.wait()
        response = await self._inner.handle_async_request(request)
        if self._all.is_set() and request.url.path == "/v3/auth/tokens":
            self._signed_in.set()
        return response


@pytest.mark.parametrize("staggered", [False, True], ids=["at once", "one first"])
async def test_eight_reads_that_get_a_401_sign_in_once(*, staggered: bool) -> None:
    """The real poller and client: eight 401, one new token, and all eight reads succeed with it.

    Also those whose 401 comes when the new token is there already.
    """
    world = World(seed=1)
    for number in range(READS):
        world.add_task(plans.daily("12:00:00"), NOW, name=f"task {number}", history_days=3)
    cloud = Cloud(world)
    transport = Together(cloud, staggered=staggered)
    process = Process(cloud, "password", transport, concurrency=READS, refresh="1m")
    await process.cycle()
    assert cloud.service.tally.statuses["create_token", 201] == 1

    cloud.service.tally.reset()
    cloud.now += 600
    transport.holding = True
    await process.cycle()
    assert transport.held == READS
    statuses = cloud.service.tally.statuses
    assert statuses["list_records", 401] == READS
    assert statuses["list_records", 200] == READS
    assert cloud.service.tally.operations["create_token"] == 1
    assert statuses["create_token", 201] == 1
    states = list(process.poller.states)
    assert len(states) == READS
    assert all(state.poll_ok and state.last_poll == cloud.now for state in states)
    assert process.client.auth_ok
    await process.end()
