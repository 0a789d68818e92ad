"""The client against the simulated cloud: each kind of `auth`, each operation, and its faults."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Any

import httpx
import pytest

from exporter.config import Polling, Project
from exporter.errors import ApiError, CredentialsError, NotFoundError
from exporter.simulator import plan as plans
from exporter.simulator.app import create_app
from exporter.simulator.faults import Faults
from exporter.simulator.options import Credentials, Options
from exporter.simulator.serving import serving
from exporter.simulator.world import World
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import SYSTEM_TIMING, build_client
from exporter.upstream.exchange import Timing
from tests.upstream.fakes import Observed

ACCOUNT = Credentials()
AUTHS: dict[str, dict[str, Any]] = {
    "token": {"token": ACCOUNT.token},
    "password": {
        "domain_name": ACCOUNT.domain_name,
        "user_name": ACCOUNT.user_name,
        "password": ACCOUNT.password,
    },
    "aksk": {"access_key": ACCOUNT.access_key, "secret_key": ACCOUNT.secret_key},
    "metadata": {},
}


def no_sleep(_: float) -> asyncio.Future[None]:
    """Sleep not at all."""
    return asyncio.ensure_future(asyncio.sleep(0))


TIMING = Timing(SYSTEM_TIMING.clock, SYSTEM_TIMING.monotonic, no_sleep, lambda: 0.0)


def project_at(address: str, kind: str, world: World, **auth: str) -> Project:
    """The configuration of a simulated project."""
    return Project.model_validate(
        {
            "name": "prod",
            "region": world.project.name,
            "endpoint": address,
            "iam_endpoint": address,
            "project_id": world.project.id if kind == "token" else None,
            "auth": {kind: {**AUTHS[kind], **auth}},
            "discovery": {},
        }
    )


def over(
    kind: str, world: World, options: Options | None = None, auth: dict[str, str] | None = None
) -> tuple[Client, Observed]:
    """A client of a simulated project."""
    observed = Observed()
    app = create_app(world, options)
    client = build_client(
        project_at("https://cloud.example.test", kind, world, **(auth or {})),
        Polling(requests_per_second=0.0),
        zone=UTC,
        observer=observed,
        timing=TIMING,
        transport=httpx.ASGITransport(app),
    )
    return client, observed


def simulated() -> tuple[World, str]:
    """A project with one daily task that has run for forty days."""
    world, now = World(seed=2), SYSTEM_TIMING.clock()
    task_id = world.add_task(plans.daily("12:00:00"), now, name="start", history_days=40)
    return world, task_id


async def fail(client: Client) -> ApiError:
    """Ask, and return the error."""
    with pytest.raises(ApiError) as caught:
        await client.list_tasks(0, 50)
    return caught.value


@pytest.mark.parametrize("kind", AUTHS)
async def test_every_operation_with_every_kind_of_auth(kind: str) -> None:
    """The simulator verifies what was written apart from it: tokens, signatures, the metadata service."""
    world, task_id = simulated()
    client, observed = over(kind, world)
    page = await client.list_tasks(0, 50)
    assert [(task.id, task.name, task.enabled) for task in page.items] == [(task_id, "start", True)]
    assert (await client.list_tasks(0, 50, life_cycle=True)).total == 0
    assert (await client.show_task(task_id)).scheduled_time == "12:00:00"
    records = await client.list_records(task_id, 30, 100)
    assert records.received == records.total - 30
    details = await client.list_record_details(task_id, records.items[0].id, 0, 100)
    assert details.total == 10
    with pytest.raises(NotFoundError):
        await client.list_records("00000000-0000-0000-0000-000000000000", 0, 100)
    assert client.project_id == world.project.id
    assert client.auth_ok
    assert client.clock_skew is not None
    assert abs(client.clock_skew) < 2
    expiry = client.token_expiry
    if kind == "token":
        await asyncio.sleep(0.05)
        expiry = client.token_expiry
    assert (expiry[0] if expiry else None) == (kind if kind != "aksk" else None)
    codes = {code for operation, code in observed.requests if operation != "list_records"}
    assert codes <= {"200", "201"}
    await client.aclose()


async def test_the_metadata_service_without_tokens() -> None:
    """The plain variant."""
    world, _ = simulated()
    client, observed = over("metadata", world, Options(metadata="plain"))
    await client.list_tasks(0, 50)
    await client.aclose()
    assert observed.requests[:2] == [("metadata", "404"), ("metadata", "200")]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("token", {"token": "canary-wrong"}),
        ("password", {"password": "canary-wrong"}),
        ("aksk", {"secret_key": "canary-wrong"}),
    ],
)
async def test_wrong_credentials(kind: str, wrong: dict[str, str]) -> None:
    """They are refused once, and not sent again."""
    world, _ = simulated()
    client, observed = over(kind, world, auth=wrong)
    error = await fail(client)
    again = await fail(client)
    await client.aclose()
    assert isinstance(error, CredentialsError)
    assert str(again) == str(error)
    assert [code for _, code in observed.requests] == ["401"]
    assert not client.auth_ok
    assert "canary" not in str(error)


async def test_a_wrong_clock() -> None:
    """The gateway refuses signatures that are twenty minutes off, and we say whose clock it is."""
    world, _ = simulated()
    client, _ = over("aksk", world, Options(clock_skew=1200.0))
    error = await fail(client)
    await client.aclose()
    assert "this host's clock is 1200 s behind" in str(error) or "1201 s behind" in str(error)


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ("500@list", ["500"] * 3),
        ("502@list", ["502"] * 3),
        ("503@list:x1", ["503", "200"]),
        ("429=1@list:x1", ["429", "200"]),
        ("429=date@list:x1", ["429", "200"]),
        ("429=none@list:x1", ["429", "200"]),
        ("429=60@list", ["429"]),
        ("403@list", ["403"]),
        ("html@list", ["body"]),
        ("empty@list", ["body"]),
        ("truncated@list", ["body"]),
        ("cut@list", ["protocol"] * 3),
        ("envelope@list", ["body"]),
        ("deep@list", ["body"]),
        ("huge=20M@list", ["body"]),
        ("bomb=50M@list", ["body"]),
        ("timeout=60s@list", ["timeout"] * 2),
        ("trickle=60s@list", ["timeout"] * 2),
        ("stall-body=60s@list", ["timeout"] * 2),
        ("redirect=http://127.0.0.1:9/@list", ["302"]),
        ("types@list", ["200"]),
        ("401@list:x1", ["401"]),
    ],
)
async def test_faults_over_real_sockets(fault: str, codes: list[str]) -> None:
    """Each fault gives the documented code, a bounded number of requests, and recovery at its end."""
    world, _ = simulated()
    app = create_app(world, faults=fault)
    observed = Observed()
    limit = "300ms" if "timeout" in codes else "10s"
    async with serving(app, port=0) as address:
        project = project_at(address, "token", world)
        client = build_client(
            project,
            Polling.model_validate({"requests_per_second": 0.0, "timeout": limit, "interval": "1s"}),
            zone=UTC,
            observer=observed,
            timing=TIMING,
        )
        outcome = await asyncio.gather(client.list_tasks(0, 50), return_exceptions=True)
        seen = [code for operation, code in observed.requests if operation == "list_tasks"]
        app.state.service.faults = Faults("", seed=1)
        await asyncio.sleep(0 if codes[-1] not in {"401", "429"} else 1)
        page = await client.list_tasks(0, 50)
        await client.aclose()
    assert seen == codes
    assert isinstance(outcome[0], ApiError) == (codes[-1] != "200")
    assert page.total == 1
    assert client.auth_ok
