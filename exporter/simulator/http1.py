"""One HTTP/1.1 connection of the simulated cloud: h11 reads the protocol, the application answers.

It is only as strict as a test's server must be; the exporter's own server is another matter. In particular
an answer may break off before its announced length, which ends the connection as a real fault would.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

import h11

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Message, Scope

_READ_BYTES = 64 * 1024


class Connection:
    """A client's connection, served until one of the two sides ends it."""

    def __init__(self, app: ASGIApp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._app = app
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self._body: bytes | None = None
        self._bodiless = False
        self._start: h11.Response | None = None

    async def run(self) -> None:
        """Answer one request after the other."""
        try:
            while (request := await self._request()) is not None:
                await self._app(_scope(request), self._receive, self._send)
                if {self._http.our_state, self._http.their_state} != {h11.DONE}:
                    break
                self._http.start_next_cycle()
        except (h11.ProtocolError, OSError):
            pass  # either side broke off, as faults do on purpose
        finally:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _request(self) -> h11.Request | None:
        """Read the next request and its body; none where the client has ended."""
        request, body = None, b""
        while True:
            event = self._http.next_event()
            match event:
                case h11.NEED_DATA:
                    self._http.receive_data(await self._reader.read(_READ_BYTES))
                case h11.Request():
                    request = event
                    self._bodiless = event.method == b"HEAD"
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    self._body = body
                    return request
                case _:
                    return None

    async def _receive(self) -> Message:
        """Give the application the body once, and then the client's departure."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        while data := await self._reader.read(_READ_BYTES):
            self._http.receive_data(data)
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        """Send a part of the answer; its head goes out together with what comes first of its body."""
        if message["type"] == "http.response.start":
            status = message["status"]
            self._start = h11.Response(
                status_code=status, headers=list(message["headers"]), reason=_reason(status)
            )
            return
        data = b""
        if self._start is not None:
            data += self._http.send(self._start) or b""
            self._start = None
        if message.get("body") and not self._bodiless:
            data += self._http.send(h11.Data(data=message["body"])) or b""
        if not message.get("more_body"):
            data += self._http.send(h11.EndOfMessage()) or b""
        self._writer.write(data)
        await self._writer.drain()


def _scope(request: h11.Request) -> Scope:
    raw_path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "scheme": "http",
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
    }


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
