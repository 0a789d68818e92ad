"""The HTTP server: listens, hands requests to an ASGI application, and follows the web configuration.

Everything runs in the caller's event loop; no thread, no signal handler and no logger is set up. A new
certificate, key or client CA is in force for connections that begin after it; those already open get one
more answer and are then closed, so that no scrape fails and no old trust lasts.
"""

from __future__ import annotations

import asyncio
import resource
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from exporter.errors import ConfigError
from exporter.serving.access import Access
from exporter.serving.crowd import Crowd, Limits
from exporter.serving.http1 import Connection
from exporter.serving.listen import BACKLOG, bind
from exporter.serving.websource import WebSettings
from exporter.web.securityheaders import secured

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Collection

    from starlette.types import ASGIApp

    from exporter.serving.listen import ListenAddress
    from exporter.serving.websource import WebConfigSource

_log = structlog.get_logger(__name__)

STOP_SECONDS: Final = 0.5
"""What an answer under way is given at the end: a stop is to take less than a second."""
POLL_SECONDS: Final = 1.0
ACCEPTED_AT_ONCE: Final = 8
RESERVED_FILES: Final = 128
"""File descriptors that connections leave to the rest of the process."""


class WebServer:
    """One listening address and everything behind it."""

    def __init__(
        self,
        app: ASGIApp,
        listen: ListenAddress,
        source: WebConfigSource,
        *,
        open_paths: Collection[str] = (),
        limits: Limits | None = None,
    ) -> None:
        """`open_paths` need no password; `limits` default to what the process's file limit allows."""
        self._listen = listen
        self._source = source
        self._settings = WebSettings()
        self._trouble = ""
        self._server: asyncio.Server | None = None
        self._reading = asyncio.Lock()
        access = Access(app, lambda: self._settings, open_paths=open_paths)
        self._crowd = Crowd(secured(access), lambda: self._settings.tls, limits or _fitting(Limits()))

    @property
    def scheme(self) -> str:
        """`https` or `http`, once started."""
        return "https" if self._settings.tls else "http"

    async def start(self) -> int:
        """Listen, and return the port. Raises ConfigError: the file cannot be used, or the address."""
        self._settings = self._source.load()
        sock = bind(self._listen)
        loop = asyncio.get_running_loop()
        # For asyncio a backlog is also how many connections it takes before anybody else has a turn.
        self._server = await loop.create_server(self._connect, sock=sock, backlog=ACCEPTED_AT_ONCE)
        sock.listen(BACKLOG)
        return _port(sock)

    async def stop(self, grace: float = STOP_SECONDS) -> None:
        """Listen no more, and end all connections; answers under way have `grace` seconds."""
        if self._server is not None:
            self._server.close()
            await self._crowd.close(grace)

    async def watch(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        interval: float = POLL_SECONDS,
    ) -> None:
        """Follow the files for ever; what cannot be used is said once, and the old goes on."""
        while True:
            await sleep(interval)
            try:
                async with self._reading:
                    settings = await asyncio.to_thread(self._source.poll)
            except ConfigError as error:
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    _log.error("web configuration not taken up", error=self._trouble)
                continue
            if settings is not None:
                self._apply(settings)

    async def reload(self) -> None:
        """Take the files up as they are now. Raises ConfigError where they cannot be used: the old stays."""
        async with self._reading:
            try:
                settings = await asyncio.to_thread(self._source.changed)
            except ConfigError as error:
                self._trouble = str(error)  # who asked tells it; `watch` need not
                raise
            if settings is not None:
                self._apply(settings)

    def _apply(self, settings: WebSettings) -> None:
        self._settings = settings
        self._trouble = ""
        self._crowd.retire()
        _log.info("web configuration taken up", tls=settings.tls is not None, users=len(settings.users))

    def _connect(self) -> Connection:
        return Connection(self._crowd)


def _port(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def _fitting(limits: Limits) -> Limits:
    """Return the limits with no more connections than the process may have open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    return replace(limits, connections=max(1, min(limits.connections, soft - RESERVED_FILES)))
