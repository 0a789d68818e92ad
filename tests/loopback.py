"""Raw servers on loopback, for what only a socket can do wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GOOD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n"
    b'{"scheduled_tasks": [], "total_count":0}'
)


@dataclass
class Loopback:
    """A server; `heads` are the request heads it saw."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address without TLS."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serve(
    *behaviours: bytes | Behaviour,
    tls: ssl.SSLContext | None = None,
    keep: bool = False,
    wait: bool = True,
    host: str = "127.0.0.1",
) -> AsyncIterator[Loopback]:
    """Answer the first connection's request by the first behaviour, and so on; the last one repeats.

    Bytes are sent as they are and the connection closed; `keep` leaves it open for further requests. Without
    `wait` they are sent before anything was asked.
    """
    seen = Loopback()
    handlers: set[asyncio.Task[None]] = set()
    turns = iter(behaviours)
    current = behaviours[-1]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            handlers.add(task)
        try:
            while True:
                if wait:
                    seen.heads.append(await reader.readuntil(b"\r\n\r\n"))
                behaviour = next(turns, current)
                if isinstance(behaviour, bytes):
                    writer.write(behaviour)
                    await writer.drain()
                else:
                    await behaviour(reader, writer)
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        await server.wait_closed()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
