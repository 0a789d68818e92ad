"""The simulated cloud inside the test's process, at a moment that does not pass; answers cost no waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from exporter.cli.live import World as LiveWorld
from exporter.cli.live import silence_log
from exporter.config import Config, Project
from exporter.configfile import validate
from exporter.poller import Clocks
from exporter.simulator import plan as plans
from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.options import Credentials, Options
from exporter.simulator.service import Service
from exporter.simulator.world import World
from exporter.timestamps import parse_zone
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Observer, Timing

NOW = 1_750_032_000.0
"""2025-06-16 00:00:00 UTC."""
HOUR = 3600
DAY = 86_400
URL = "http://127.0.0.1:9"


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


class Still:
    """A cloud of one project for each world.

    Each look at the monotonic clock of the commands is a second later, so that a cycle which is bound by its
    interval would end early.
    """

    def __init__(
        self, *worlds: World, options: Options | None = None, faults: str = "", epoch: float = NOW
    ) -> None:
        self.worlds: Sequence[World] = worlds or (World(seed=1),)
        self.app = create_app(
            self.worlds, options, faults=faults, clock=SimulatedClock(lambda: NOW), sleep=_no_sleep
        )
        self.service: Service = self.app.state.service
        self.epoch = epoch
        self._ticks = count(1000.0)
        self.closed: list[str] = []

    @property
    def world(self) -> World:
        """The first project's tasks."""
        return self.worlds[0]

    @property
    def live(self) -> LiveWorld:
        """What the commands reach this cloud by; the log is as silent as they make it."""
        silence_log()
        return LiveWorld(self._client, Clocks(lambda: self.epoch, lambda: next(self._ticks), _no_sleep))

    def config(self, *projects: dict[str, Any], **sections: Any) -> Config:
        """Return a configuration: of these changes to each world's project, and these sections."""
        changes = [*projects, *({} for _ in self.worlds[len(projects) :])]
        secrets = Credentials()
        trees = [
            {
                "name": f"p{number}",
                "region": world.project.name,
                "project_id": world.project.id,
                "endpoint": URL,
                "iam_endpoint": URL,
                "auth": {"aksk": {"access_key": secrets.access_key, "secret_key": secrets.secret_key}},
                "discovery": {},
                **change,
            }
            for number, (world, change) in enumerate(zip(self.worlds, changes, strict=True))
        ]
        trees = [{key: value for key, value in tree.items() if value != ""} for tree in trees]
        polling = {"requests_per_second": 0, "interval": "1s", **sections.pop("polling", {})}
        return validate(Config, {"projects": trees, "polling": polling, **sections}, Path())

    def add(self, name: str, *, world: World | None = None, ago: float = 2 * HOUR, **fields: Any) -> str:
        """Add a daily task whose newest occurrence was so many seconds ago; returns its id."""
        at = plans.daily(_clock(NOW - ago), fields.pop("zone", "UTC"))
        known = {"name": name, "history_days": 5, **fields}
        return (world or self.world).add_task(at, NOW, **known)

    def asked(self, operation: str) -> int:
        """How many requests of an operation arrived."""
        return self.service.tally.operations[operation]

    def _client(self, project: Project, config: Config, observer: Observer) -> Client:
        client = build_client(
            project,
            config.polling,
            zone=parse_zone(config.time_zone),
            observer=observer,
            timing=Timing(lambda: NOW, lambda: NOW, _no_sleep, lambda: 0.0),
            transport=httpx.ASGITransport(self.app),
        )
        client.aclose = self._noting(client.aclose, project.name)  # type: ignore[method-assign]
        return client

    def _noting(self, close: Callable[[], Any], name: str) -> Callable[[], Any]:
        async def closing() -> None:
            self.closed.append(name)
            await close()

        return closing


def _clock(moment: float) -> str:
    seconds = int(moment) % DAY
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def unheard(_project: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""
