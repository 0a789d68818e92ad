"""The simulated cloud over a real socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

_POLL_SECONDS = 0.02
_START_SECONDS = 10.0


@asynccontextmanager
async def serving(app: Starlette, host: str = "127.0.0.1", port: int = 10070) -> AsyncIterator[str]:
    """Serve the application as long as the block lasts; yields its URL once it accepts connections.

    Requests that are under way at the end are cut off.

    Raises:
        OSError: the address cannot be used.
        TimeoutError: nothing listens after ten seconds.

    """
    await _check_free(host, port)
    server = Server(
        app, host, port, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, log_enabled=False
    )
    task = asyncio.create_task(server.serve())
    try:
        await asyncio.wait_for(_listening(task, host, port), _START_SECONDS)
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        with suppress(TimeoutError):
            await task


async def _check_free(host: str, port: int) -> None:
    """Fail now where the address is taken or wrong: the server itself would share a taken port."""
    probe = await asyncio.start_server(lambda *_: None, host, port)
    probe.close()
    await probe.wait_closed()


async def _listening(task: asyncio.Task[None], host: str, port: int) -> None:
    while not task.done():
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(_POLL_SECONDS)
    await task
    raise OSError(f"the server at {host}:{port} ended at once")
