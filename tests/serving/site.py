"""A server of the tests' own, and raw clients that say what no library would."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.serving.crowd import Crowd, Limits
from exporter.serving.http1 import Connection

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE = 30.0
"""Seconds after which a test gives up: no test takes them."""
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Clock:
    """The event loop's clock, which can be put forward: deadlines come without being waited for."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        real = loop.time
        self._ahead = 0.0
        loop.time = lambda: real() + self._ahead  # type: ignore[method-assign]

    async def advance(self, seconds: float) -> None:
        """Put the clock forward, and let what is due happen."""
        self._ahead += seconds
        for _ in range(10):
            await asyncio.sleep(0)


@dataclass
class Raw:
    """A client's side of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def ask(self, data: bytes) -> bytes:
        """Send bytes, and return all that the server sends until it ends."""
        self.send(data)
        return await self.rest()

    async def rest(self) -> bytes:
        """Return all that the server sends until it ends, or resets."""
        parts = []
        async with asyncio.timeout(PATIENCE):
            try:
                while part := await self.reader.read(1 << 16):
                    parts.append(part)
            except ConnectionError:
                pass
        return b"".join(parts)

    async def answer(self) -> tuple[int, bytes]:
        """Return status and body of one answer that gives its length."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            return status(head), await self.reader.readexactly(length)


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the server has no event for each thing a test waits for
            await asyncio.sleep(0)


def status(answer: bytes) -> int:
    """Return the status code of an answer."""
    return int(answer.split(b" ", 2)[1])


@asynccontextmanager
async def raw(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    """Connect; the connection is cut at the end."""
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def site(
    app: ASGIApp, limits: Limits | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, Crowd]]:
    """Serve an application with the connections under test; yields the port and the crowd."""
    crowd = Crowd(app, lambda: tls, limits)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(crowd), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], crowd
    finally:
        server.close()
        await crowd.close(0)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the method, the path and the body of the request."""
    message = await receive()
    body = f"{scope['method']} {scope['path']} ".encode() + message["body"]
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
