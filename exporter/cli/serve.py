"""Runs a daemon behind its web server until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog

from exporter import __version__
from exporter.cli.daemon import Daemon
from exporter.cli.interpreter import keep_responsive
from exporter.serving.listen import ListenAddress
from exporter.serving.server import WebServer
from exporter.serving.websource import WebConfigSource
from exporter.web.application import UNGUARDED_PATHS, Site, create_app

STOP_SECONDS = 0.8
"""What is given to everything under way: a stop is to take less than a second."""


async def serve(
    daemon: Daemon,
    *,
    listen: ListenAddress,
    web_config: Path | None,
    telemetry_path: str,
    lifecycle: bool,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads. Raises ConfigError where the server cannot start.

    `ready` is told the address once the server listens. A reload takes up both configuration files, or none.
    """

    async def reload() -> str | None:
        return await daemon.reload(server.reload)

    log = structlog.get_logger()
    site = Site(
        metrics=daemon.metrics,
        overview=daemon.overview,
        not_ready=daemon.not_ready,
        reload=reload,
        lifecycle=lifecycle,
        telemetry_path=telemetry_path,
    )
    source = WebConfigSource(web_config)
    server = WebServer(create_app(site), listen, source, open_paths=UNGUARDED_PATHS)
    stop = _on_signals(reload)
    port = await server.start()
    url = f"{server.scheme}://{_host(listen)}:{port}"
    log.info("listening", url=url, version=__version__)
    beside = [asyncio.create_task(work) for work in (server.watch(), keep_responsive())]
    try:
        await daemon.start()
        ready(url)
        await stop.wait()
        log.info("stopping")
    finally:
        for task in beside:
            task.cancel()
        ending = asyncio.gather(server.stop(), daemon.aclose(), return_exceptions=True)
        await asyncio.wait({ending}, timeout=STOP_SECONDS)


def _on_signals(reload: Callable[[], Coroutine[Any, Any, str | None]]) -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    reloads: set[asyncio.Task[str | None]] = set()

    def begin_reload() -> None:
        task = loop.create_task(reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, begin_reload)
    return stop


def _host(listen: ListenAddress) -> str:
    host = listen.host or "localhost"
    return f"[{host}]" if ":" in host else host
