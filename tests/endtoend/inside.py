"""Poller, client and simulated cloud in one process, at a time that moves by hand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import httpx

from exporter.collaborators import Clocks
from exporter.config import Config
from exporter.configfile import validate
from exporter.exposition import Exposition
from exporter.negotiation import Format
from exporter.poller import ProjectPoller
from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.options import Credentials, Options
from exporter.simulator.service import Service
from exporter.simulator.world import World
from exporter.telemetry import ProjectTelemetry, Telemetry
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Timing

NOW = 1_750_032_000.0
"""2025-06-16 00:00:00 UTC: no zone of the simulator changes its clock within two months of it."""
URL = "http://127.0.0.1:9"
ACCOUNT = Credentials()
AUTHS = {
    "password": {
        "domain_name": ACCOUNT.domain_name,
        "user_name": ACCOUNT.user_name,
        "password": ACCOUNT.password,
    },
    "aksk": {"access_key": ACCOUNT.access_key, "secret_key": ACCOUNT.secret_key},
}
_COUNTER = re.compile(r"workspace_task_\w+_total\{")


class Cloud:
    """A simulated cloud at a simulated moment."""

    def __init__(self, world: World, options: Options | None = None, now: float = NOW) -> None:
        self.now = now
        self.app = create_app(world, options, clock=SimulatedClock(lambda: self.now), sleep=_no_sleep)
        self.service: Service = self.app.state.service

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return the way to it."""
        return httpx.ASGITransport(self.app)


class Process:
    """What one start of the exporter keeps in memory: it is lost with it.

    `sleep` is what its pauses are; without it none takes any time, so that a pause after a 429 never ends.
    """

    def __init__(
        self,
        cloud: Cloud,
        auth: str = "aksk",
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        **polling: Any,
    ) -> None:
        self._cloud = cloud
        sleep = sleep or _no_sleep
        config = _config(auth, polling)
        (project,) = config.projects
        self._telemetry = Telemetry("0", "0")
        observer = ProjectTelemetry(self._telemetry, project.name)
        self._exposition = Exposition()
        self.client = build_client(
            project,
            config.polling,
            zone=UTC,
            observer=observer,
            timing=Timing(self._clock, self._clock, sleep, lambda: 0.5),
            transport=transport or cloud.transport(),
        )
        self.poller = ProjectPoller(
            project,
            config,
            upstream=self.client,
            publisher=self._exposition,
            observer=observer,
            clocks=Clocks(self._clock, self._clock, sleep),
        )

    async def cycle(self) -> None:
        """Poll once, without any failure."""
        await self.poller.cycle()
        assert self.poller.last_cycle
        assert self.poller.last_cycle.problems == []

    async def gauges(self) -> str:
        """Return every line about tasks but the counters."""
        self.poller.advance()
        lines = (await self.scrape()).splitlines(keepends=True)
        return "".join(
            line for line in lines if line.startswith("workspace_task") and not _COUNTER.match(line)
        )

    async def scrape(self) -> str:
        """Return the metrics."""
        own = self._telemetry.render(Format.TEXT)
        return b"".join(await self._exposition.body(Format.TEXT, own, gzip=False)).decode()

    async def end(self) -> None:
        """End it."""
        self._exposition.close()
        await self.client.aclose()

    def _clock(self) -> float:
        return self._cloud.now


def _config(auth: str, polling: dict[str, Any]) -> Config:
    project = {"name": "prod", "region": "cn-north-4", "endpoint": URL, "iam_endpoint": URL, "discovery": {}}
    tree = {
        "projects": [{**project, "auth": {auth: AUTHS[auth]}}],
        "polling": {"requests_per_second": 0, **polling},
        "time_zone": "UTC",
    }
    return validate(Config, tree, Path())


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)
