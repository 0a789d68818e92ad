"""The application: faults as they arrive over HTTP, counting, departing clients."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.simulator import plan as plans
from exporter.simulator.app import create_app
from exporter.simulator.world import World
from tests.simulator.client import ACCOUNT, NOW, Cloud

if TYPE_CHECKING:
    from starlette.types import Message


def _cloud(faults: str = "") -> tuple[Cloud, str]:
    world = World(seed=2)
    task_id = world.add_task(plans.daily("12:00:00"), NOW, history_days=40)
    return Cloud(world, faults=faults), task_id


async def _records(cloud: Cloud, task_id: str, **arguments: object) -> httpx.Response:
    return await cloud.get(f"{cloud.tasks}/{task_id}/records", **arguments)


async def test_by_default_the_time_is_the_real_one() -> None:
    """Without a clock there is nothing to wind."""
    world = World()
    app = create_app(world)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        response = await client.get(
            f"/v2/{world.project.id}/scheduled-tasks?offset=0&limit=1",
            headers={"X-Auth-Token": ACCOUNT.token},
        )
    assert response.json() == {"scheduled_tasks": [], "total_count": 0}


def test_no_world_and_bad_faults_are_refused() -> None:
    """Before anything is served."""
    with pytest.raises(ValueError, match="at least one world"):
        create_app([])
    with pytest.raises(ValueError, match="teapot"):
        create_app(World(), faults="teapot")


async def test_requests_are_counted_as_the_service_sees_them() -> None:
    """By operation and status, refused and failed ones too, without credentials; control calls are not."""
    cloud, task_id = _cloud("500@show:x1")
    await _records(cloud, task_id)
    await cloud.get(f"{cloud.tasks}/{task_id}")
    await cloud.get(f"{cloud.tasks}/{task_id}")
    await cloud.client.get(cloud.tasks, headers={"X-Auth-Token": "invented"})
    tree = await cloud.control("GET", "requests?log=2")
    assert tree["total"] == 4
    assert tree["statuses"] == {
        "list_records": {"200": 1},
        "list_tasks": {"401": 1},
        "show_task": {"200": 1, "500": 1},
    }
    assert [seen["operation"] for seen in tree["log"]] == ["show_task", "list_tasks"]
    assert ACCOUNT.token not in str(tree)
    assert (tree["in_flight"], tree["most_in_flight"]) == (0, 1)
    assert "log" not in await cloud.control("GET", "requests")
    assert (await cloud.control("DELETE", "requests"))["total"] == 0


async def test_a_fault_ends_and_the_truth_returns() -> None:
    """The next two are throttled, the third is answered."""
    cloud, task_id = _cloud("429=3@records:x2")
    answers = [await _records(cloud, task_id) for _ in range(3)]
    assert [(answer.status_code, answer.headers.get("retry-after")) for answer in answers] == [
        (429, "3"),
        (429, "3"),
        (200, None),
    ]


async def test_slow_answers_are_the_truth_after_a_while() -> None:
    """The time is waited for, then everything is as it is."""
    cloud, task_id = _cloud("slow=3s:x1,stall=7s:x1,trickle=4s:x1")
    good = [await _records(cloud, task_id) for _ in range(4)]
    assert [answer.status_code for answer in good] == [200, 504, 200, 200]
    assert good[0].json() == good[2].json() == good[3].json()
    assert cloud.waited[:2] == [3.0, 7.0]
    assert sum(cloud.waited[2:]) == pytest.approx(4, abs=0.5)


async def test_broken_bodies_arrive_broken() -> None:
    """Truncated JSON, an envelope that is none, endless pages, a bomb that httpx unpacks."""
    cloud, task_id = _cloud("truncated:x1,envelope:x1,endless:x1,bomb=1M:x1,huge=1M:x1")
    truncated = await _records(cloud, task_id)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        truncated.json()
    assert (await _records(cloud, task_id)).json()["total_count"] == "many"
    page = await _records(cloud, task_id, offset=5000, limit=20)
    assert page.json()["tasks_records"][0]["id"] == "invented-5000"
    assert page.json()["tasks_records"][0]["status"] == "SUCCESS"
    bomb = await _records(cloud, task_id)
    assert (bomb.headers["content-encoding"], len(bomb.content)) == ("gzip", 2**20)
    assert len((await _records(cloud, task_id)).content) == 2**20


async def test_an_error_is_not_twisted() -> None:
    """A wrong request is answered as such, whatever the fault."""
    cloud, task_id = _cloud("types")
    assert (await _records(cloud, task_id, limit=101)).json()[
        "error_msg"
    ] == "The request parameter is invalid."


async def test_a_redirect_leads_elsewhere() -> None:
    """For clients that follow it, to their harm."""
    cloud, task_id = _cloud("redirect=http://elsewhere.example/x")
    response = await _records(cloud, task_id)
    assert (response.status_code, response.headers["location"]) == (302, "http://elsewhere.example/x")


async def _leave_early(faults: str, after: int) -> list[Message]:
    """Ask for records and hang up after so many messages; return those that were sent."""
    world = World(seed=2)
    task_id = world.add_task(plans.daily("12:00:00"), NOW, history_days=40)

    async def forever(_: float) -> None:
        await asyncio.Event().wait()

    app = create_app(world, faults=faults, sleep=forever)
    sent: list[Message] = []
    enough = asyncio.Event()
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        if asked <= 2:  # some servers tell the end of the body twice
            return {"type": "http.request", "body": b"", "more_body": False}
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) >= after:
            enough.set()

    if not after:
        enough.set()
    path = f"/v2/{world.project.id}/scheduled-tasks/{task_id}/records"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"x-auth-token", ACCOUNT.token.encode()), (b"host", b"simulator")],
    }
    await app(scope, receive, send)
    assert app.state.service.tally.in_flight == 0
    return sent


async def test_clients_that_hang_up_are_let_go() -> None:
    """Before the headers or within the body, a wait ends with the client who waits."""
    assert await _leave_early("timeout=1m", 0) == []
    sent = await _leave_early("stall-body=1m", 2)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["more_body"] is True


async def test_gzip_is_real() -> None:
    """The raw bytes of a bomb unpack with the standard library too."""
    cloud, task_id = _cloud("bomb=64k")
    async with cloud.client.stream("GET", f"{cloud.tasks}/{task_id}/records") as response:
        packed = b"".join([chunk async for chunk in response.aiter_raw()])
    assert len(gzip.decompress(packed)) == 65_536
