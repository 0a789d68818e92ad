"""A process with a server in it, as the command line makes one: SIGTERM ends it. Started by the tests."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from exporter.serving.listen import parse_listen_address
from exporter.serving.responder import CHUNK_BYTES
from exporter.serving.server import WebServer
from exporter.serving.websource import WebConfigSource

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def app(scope: Scope, _: Receive, send: Send) -> None:
    """Answer at once, or, at /slow, in the middle of an answer never again."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/slow":
        await send({"type": "http.response.body", "body": b"x" * CHUNK_BYTES, "more_body": True})
        await asyncio.Event().wait()
    await send({"type": "http.response.body", "body": b"done"})


async def main(address: str) -> None:
    """Serve until SIGTERM; prints the port."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = WebServer(app, parse_listen_address(address), WebConfigSource(None))
    print(await server.start(), flush=True)  # noqa: T201 - how the test learns it
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
