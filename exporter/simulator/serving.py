"""The simulated cloud over a real socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from exporter.simulator.http1 import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

_BACKLOG = 1024


@asynccontextmanager
async def serving(app: ASGIApp, host: str = "127.0.0.1", port: int = 10070) -> AsyncIterator[str]:
    """Serve the application as long as the block lasts; yields its URL, with the real port for port 0.

    Requests that are under way at the end are cut off.

    Raises:
        OSError: the address cannot be used.

    """
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(Connection(app, reader, writer).run())
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, host, port, backlog=_BACKLOG)
    try:
        bound = server.sockets[0].getsockname()[1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        server.close()
        under_way = list(connections)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await server.wait_closed()
