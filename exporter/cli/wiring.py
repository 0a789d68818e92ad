"""How the parts are put together, once for all commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from exporter import __version__
from exporter.cli.daemon import Daemon
from exporter.cli.revision import revision
from exporter.config import Config, Project
from exporter.poller import Clocks
from exporter.selection import Shard
from exporter.telemetry import Telemetry
from exporter.timestamps import parse_zone
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Observer, Tap
from exporter.upstream.lookups import LookupLoop

T = TypeVar("T")
SYSTEM_CLOCKS = Clocks(epoch=time.time, monotonic=time.monotonic, sleep=asyncio.sleep)


class Unheard:
    """An observer of a client for a command that keeps no metrics."""

    def request(self, operation: str, code: str, seconds: float) -> None:
        """A request ended."""

    def retry(self, reason: str) -> None:
        """A request is sent again."""


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine on a loop whose look-ups of names hold nobody up."""
    with asyncio.Runner(loop_factory=LookupLoop) as runner:
        return runner.run(main)


def client_of(project: Project, config: Config, observer: Observer, tap: Tap | None = None) -> Client:
    """Return the client of a project; `tap` is told what came of each request."""
    zone = parse_zone(config.time_zone)
    return build_client(project, config.polling, zone=zone, observer=observer, tap=tap)


def build_daemon(config: Config, read_config: Callable[[], Config], shard: Shard) -> Daemon:
    """Return the daemon for a configuration; `read_config` reads the file anew for a reload."""
    return Daemon(
        config,
        read_config=read_config,
        build_client=client_of,
        telemetry=Telemetry(__version__, revision()),
        clocks=SYSTEM_CLOCKS,
        shard=shard,
    )
