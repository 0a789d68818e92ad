"""What the tests of the client share: virtual time, a recording observer, answers of a fake upstream."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import pytest

from exporter.config import Polling, Project
from exporter.errors import ApiError
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Timing

T = TypeVar("T")
Handler = (
    Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
)

EPOCH = 1_700_000_000.0
PROJECT_ID = "0a1b2c3d"
BASE = "https://workspace.example.test"
IAM = "https://iam.example.test"
TASK = "8d2e0c6a-aaaa-bbbb-cccc-0123456789ab"
RECORDS = {"tasks_records": [], "total_count": 0}
TASKS = {"scheduled_tasks": [], "total_count": 0}


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: where the loop would sleep, its clock moves on instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("deadlock: nothing is ready and nothing is scheduled")
        if not events and timeout:
            self.loop.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only by sleeping: `asyncio.sleep` and `timeout` cost nothing."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return the loop's own time."""
        return self.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual_timing(*, chance: float = 0.0) -> Timing:
    """The running loop's time; its start is EPOCH."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    return Timing(lambda: EPOCH + loop.time() - begin, loop.time, asyncio.sleep, lambda: chance)


@dataclass
class Observed:
    """An observer that remembers what it was told, and when."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)

    def request(self, operation: str, code: str, seconds: float) -> None:
        """Remember a request."""
        assert seconds >= 0
        self.requests.append((operation, code))
        self.ended.append(asyncio.get_running_loop().time())

    def retry(self, reason: str) -> None:
        """Remember a retry."""
        self.retries.append(reason)

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """How many requests ended so."""
        return Counter(self.requests)


def answer(body: Any = None, status: int = 200, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """An answer as the network gives it: unread, in chunks. `body` is bytes, or a value for JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]

    return httpx.Response(status, headers=dict(headers or {}), content=chunks())


def token_answer(
    number: int = 1, *, issued: float = 0.0, seconds: float = 86_400, project: str | None = PROJECT_ID
) -> httpx.Response:
    """What IAM answers to a good password: `issued-token-N`, from `issued` after EPOCH, for `seconds`."""
    begin, end = (_iam_time(EPOCH + issued + shift) for shift in (0, seconds))
    body: dict[str, Any] = {"issued_at": begin, "expires_at": end}
    if project:
        body["project"] = {"id": project, "name": "cn-north-4"}
    return answer({"token": body}, 201, {"X-Subject-Token": f"issued-token-{number}"})


def _iam_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def project(auth: Mapping[str, Any], **changes: Any) -> Project:
    """A project of the configuration with this `auth`."""
    values: dict[str, Any] = {
        "name": "prod",
        "region": "cn-north-4",
        "endpoint": BASE,
        "iam_endpoint": IAM,
        "auth": auth,
        "discovery": {},
    }
    if "token" in auth:
        values["project_id"] = PROJECT_ID
    return Project.model_validate({**values, **changes})


def client_over(
    handler: Handler,
    auth: Mapping[str, Any],
    *,
    observer: Observed | None = None,
    timing: Timing | None = None,
    polling: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Client:
    """The client of a project whose upstream is `handler`."""
    return build_client(
        project(auth, **changes),
        Polling(**{"requests_per_second": 0.0, **(polling or {})}),
        zone=UTC,
        observer=observer or Observed(),
        timing=timing or virtual_timing(),
        transport=httpx.MockTransport(handler),
    )


async def fail(client: Client) -> ApiError:
    """Ask, and return the error."""
    with pytest.raises(ApiError) as caught:
        await client.list_tasks(0, 50)
    return caught.value
