"""Transports that stand between the exporter and the cloud, and twist what passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

LISTS = {"list_tasks": "scheduled_tasks", "list_records": "tasks_records", "details": "tasks_records_details"}
Twist = Callable[[str, dict[str, Any]], object]


def operation_of(request: httpx.Request) -> str:
    """Return which of Workspace's operations a request is."""
    parts = request.url.path.strip("/").split("/")[2:]
    return {1: "list_tasks", 2: "show_task", 3: "list_records", 4: "details"}.get(len(parts), "other")


class Twister(httpx.AsyncBaseTransport):
    """Lets `twist` (operation, answer's tree) make another tree of each good answer; None leaves it."""

    def __init__(self) -> None:
        self._inner: httpx.AsyncBaseTransport | None = None
        self.twist: Twist | None = None

    def over(self, inner: httpx.AsyncBaseTransport) -> Twister:
        """Stand before the cloud."""
        self._inner = inner
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, and twist what is answered."""
        assert self._inner
        response = await self._inner.handle_async_request(request)
        operation = operation_of(request)
        if self.twist is None or response.status_code != httpx.codes.OK or operation == "other":
            return response
        body = json.loads(await response.aread())
        twisted = json.dumps(self.twist(operation, body)).encode("utf-8", "replace")
        headers = [(name, value) for name, value in response.headers.items() if name != "content-length"]
        return httpx.Response(response.status_code, headers=headers, content=_Chunks(twisted))


class _Chunks(httpx.AsyncByteStream):
    """A body that is still to be read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> Any:
        yield self._data
