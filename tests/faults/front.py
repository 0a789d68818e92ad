"""The simulated cloud behind a socket that can be made to behave as no library would."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from starlette.types import ASGIApp

from exporter.simulator.http1 import Connection

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BLOCK = 64 * 1024


class Front:
    """One port: the application while `behaviour` is None, and otherwise that, for each connection.

    `sent` is how many bytes misbehaviour has written until now.
    """

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.behaviour: Behaviour | None = None
        self.sent = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen, on the same port as before where there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more, and cut every connection."""
        if self._server:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection."""
        for task, writer in self._connections.items():
            writer.transport.abort()
            task.cancel()

    def misbehave(self, behaviour: Behaviour) -> None:
        """Cut the connections there are, and do this with each new one."""
        self.behaviour = behaviour
        self.cut()

    async def heal(self) -> None:
        """Serve the application again."""
        self.behaviour = None
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections[task] = writer
        try:
            if self.behaviour:
                await self.behaviour(reader, writer)
            elif self.app:
                await Connection(self.app, reader, writer).run()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            del self._connections[task]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def says(self, *parts: bytes, pause: float = 0.0, then: str = "close") -> Behaviour:
        """Answer a request with these bytes, `pause` seconds apart; then close, reset, or hang for ever."""

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                await self._write(writer, part)
                await asyncio.sleep(pause)
            if then == "hang":
                await reader.read()
            if then == "reset":
                reset(writer)

        return behave

    def repeats(self, first: bytes, block: bytes, most: int, pause: float = 0.0) -> Behaviour:
        """Answer a request with `first`, and then with `block` again and again, `most` bytes in all."""

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await self._write(writer, first)
            for _ in range(most // len(block)):
                await self._write(writer, block)
                if pause:
                    await asyncio.sleep(pause)

        return behave

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.sent += len(data)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset instead of an end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def front(tls: ssl.SSLContext | None = None) -> AsyncIterator[Front]:
    """Open a port of the loopback interface as long as the block lasts."""
    opened = Front()
    await opened.open(tls)
    try:
        yield opened
    finally:
        opened.close()
        while opened._connections:  # noqa: ASYNC110 - they end by themselves, having been cut
            await asyncio.sleep(0)
