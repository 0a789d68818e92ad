"""The simulated cloud as one ASGI application: IAM, metadata service and Workspace on one port.

::

    app = create_app(World(...), Options(...), faults="429:0.1")
    app.state.service      the `Service` behind it: worlds, faults, tally, options, identity

The paths below `/simulator/` are the script's way in (see `control`); the rest is as the API documents say.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.simulator import iam, sabotage, tally, twisting, workspace
from exporter.simulator.answers import Answer, gateway_error
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.control import control_routes
from exporter.simulator.dice import hex_digits
from exporter.simulator.options import Options
from exporter.simulator.service import Call, Service
from exporter.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from starlette.types import Receive, Scope, Send

    from exporter.simulator.faults import Fault

    Handler = Callable[[Service, Call], Answer]
    Sleep = Callable[[float], Awaitable[object]]

_GOOD = range(200, 300)
_TASKS = "/v2/{project_id}/scheduled-tasks"
_ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("POST", "/v3/auth/tokens", tally.CREATE_TOKEN, iam.create_token),
    ("GET", "/v3/auth/tokens", tally.SHOW_TOKEN, iam.show_token),
    ("GET", "/v3/projects", tally.LIST_PROJECTS, iam.list_projects),
    ("PUT", "/meta-data/latest/api/token", tally.METADATA, iam.metadata_token),
    ("GET", "/openstack/latest/securitykey", tally.METADATA, iam.security_key),
    ("GET", _TASKS, tally.LIST_TASKS, workspace.list_tasks),
    ("GET", f"{_TASKS}/{{task_id}}", tally.SHOW_TASK, workspace.show_task),
    ("GET", f"{_TASKS}/{{task_id}}/records", tally.LIST_RECORDS, workspace.list_records),
    ("GET", f"{_TASKS}/{{task_id}}/records/{{record_id}}", tally.LIST_DETAILS, workspace.list_details),
)


def create_app(
    worlds: World | Sequence[World],
    options: Options | None = None,
    *,
    faults: str = "",
    seed: int = 1,
    clock: SimulatedClock | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Starlette:
    """Return the application in front of one world, or of several projects' worlds.

    Without a clock the simulated time is the real one. `sleep` (seconds) is what slow answers wait with.

    Raises:
        ValueError: the faults cannot be read, or there is no world.

    """
    known = [worlds] if isinstance(worlds, World) else list(worlds)
    clock = clock or SimulatedClock(time.time)
    service = Service(known, clock, options or Options(), faults, seed)
    app = Starlette(
        routes=[
            *(
                Route(path, _Endpoint(service, operation, handler, sleep), methods=[method])
                for method, path, operation, handler in _ROUTES
            ),
            *control_routes(service),
        ],
        exception_handlers={404: _not_published, 405: _not_published},
    )
    app.state.service = service
    return app


class _Endpoint:
    """One operation over HTTP: counted, let go wrong where a fault strikes, and answered."""

    def __init__(self, service: Service, operation: str, handler: Handler, sleep: Sleep) -> None:
        self._service = service
        self._operation = operation
        self._handler = handler
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = self._call(request, await request.body())
        seen = tally.Request(self._service.wall(), self._operation, call.path, call.query)
        self._service.tally.arrive(seen)
        try:
            await self._respond(call, receive, send)
        finally:
            self._service.tally.leave()

    def _call(self, request: Request, body: bytes) -> Call:
        self._service.answered += 1
        return Call(
            operation=self._operation,
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            arguments=dict(parse_qsl(request.url.query, keep_blank_values=True)),
            parameters=request.path_params,
            headers={name.decode().lower(): _decoded(value) for name, value in request.headers.raw},
            body=body,
            request_id=hex_digits(32, "request", self._service.answered),
        )

    async def _respond(self, call: Call, receive: Receive, send: Send) -> None:
        fault = self._service.faults.draw(self._operation, call.path)
        if fault is not None and await self._gone(sabotage.delay(fault), receive):
            return
        answer = self._answer(call, fault)
        self._service.tally.answer(self._operation, answer.status)
        body = answer.body()
        chunks: Iterable[sabotage.Chunk] = [(0.0, body)]
        headers = {"content-type": answer.media_type, "x-request-id": call.request_id}
        headers["date"] = formatdate(self._service.wall(), usegmt=True)
        headers |= answer.headers
        if fault is None:
            headers["content-length"] = str(len(body))
        else:
            chunks = sabotage.chunks(fault, body)
            headers |= sabotage.headers(fault, body)
        await send({"type": "http.response.start", "status": answer.status, "headers": _encoded(headers)})
        for seconds, chunk in chunks:
            if await self._gone(seconds, receive):
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _answer(self, call: Call, fault: Fault | None) -> Answer:
        if fault is None:
            return self._handler(self._service, call)
        wrong = sabotage.instead(fault, self._operation, self._service.wall(), call.request_id)
        if wrong is not None:
            return wrong
        answer = self._handler(self._service, replace(call, arguments=twisting.asked(fault, call.arguments)))
        return twisting.twisted(fault, answer, call.arguments) if answer.status in _GOOD else answer

    async def _gone(self, seconds: float, receive: Receive) -> bool:
        """Wait so many seconds; return whether the client left meanwhile."""
        if not seconds:
            return False
        pause = asyncio.ensure_future(self._sleep(seconds))
        departure = asyncio.ensure_future(_departure(receive))
        try:
            done, _ = await asyncio.wait({pause, departure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            departure.cancel()
            await asyncio.wait({pause, departure})
        return pause not in done


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _not_published(_request: Request, error: Exception) -> Response:
    """Answer as the gateway does where no API is published: an unknown path, or another method."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    answer = gateway_error(status, "APIGW.0101", "The API does not exist or has not been published")
    return Response(answer.body(), status, media_type=answer.media_type)


def _decoded(value: bytes) -> str:
    """Return a header's text: the official client sends UTF-8."""
    return value.decode("utf-8", "replace")


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
