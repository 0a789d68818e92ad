"""The daemon: pollers, exposition and telemetry behind the functions that the web application is handed."""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from exporter import __version__
from exporter.advice import advise
from exporter.config import Config, Project
from exporter.errors import ConfigError
from exporter.exposition import Exposition
from exporter.negotiation import Format
from exporter.overview import view_project, view_task
from exporter.poller import Clocks, ProjectPoller, Upstream
from exporter.selection import Shard
from exporter.telemetry import ProjectTelemetry, Telemetry
from exporter.views import Overview, TaskView

_BATCH = 500
"""Tasks viewed at a time: a few milliseconds of work, so that a scrape can go between two."""
ClientBuilder = Callable[[Project, Config, ProjectTelemetry], Upstream]


async def _nothing() -> None:
    pass


@dataclass(slots=True)
class _Running:
    """One project's poller and what belongs to it."""

    poller: ProjectPoller
    client: Upstream
    loop: asyncio.Task[None]


class Daemon:
    """Everything that polls and is scraped; the configuration can be exchanged while it runs.

    `read_config` reads and checks the file anew; it raises ConfigError.
    """

    def __init__(
        self,
        config: Config,
        *,
        read_config: Callable[[], Config],
        build_client: ClientBuilder,
        telemetry: Telemetry,
        clocks: Clocks,
        shard: Shard,
    ) -> None:
        self._config = config
        self._read_config = read_config
        self._build_client = build_client
        self._telemetry = telemetry
        self._clocks = clocks
        self._shard = shard
        self._exposition = Exposition()
        self._projects: dict[str, _Running] = {}
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[str | None]] = set()
        self._reload_error = ""
        self._log = structlog.get_logger()

    async def start(self) -> None:
        """Begin to poll."""
        for project in self._config.projects:
            if project.name not in self._projects:  # a reload may have been quicker
                self._projects[project.name] = self._run(project, self._config)
        self._loaded()

    async def aclose(self) -> None:
        """Stop polling and close all connections."""
        await asyncio.gather(*(self._stop(name) for name in list(self._projects)))
        self._exposition.close()

    async def metrics(self, form: Format, gzip: bool) -> tuple[bytes, ...]:  # noqa: FBT001 - the web's protocol
        """Return the body of a scrape, in pieces."""
        for running in self._projects.values():
            running.poller.advance()
        return await self._exposition.body(form, self._telemetry.render(form), gzip=gzip)

    async def overview(self) -> Overview:
        """Return what the status page shows, giving way to scrapes meanwhile."""
        now, interval = self._clocks.epoch(), self._config.polling.interval
        pollers = [running.poller for running in self._projects.values()]
        views: dict[str, list[TaskView]] = {}
        for poller in pollers:
            views[poller.project.name] = seen = []
            states = list(poller.states)  # tasks may come and go meanwhile
            for start in range(0, len(states), _BATCH):
                seen += [view_task(state, now, interval) for state in states[start : start + _BATCH]]
                await asyncio.sleep(0)
        return Overview(
            generated_at=now,
            version=__version__,
            projects=tuple(
                view_project(
                    poller.project,
                    poller.last_cycle,
                    tasks=len(views[poller.project.name]),
                    interval=interval,
                    last_success=poller.last_success,
                )
                for poller in pollers
            ),
            tasks=tuple(view for of_project in views.values() for view in of_project),
            shard=str(self._shard) if self._shard.count > 1 else "",
            reload_error=self._reload_error,
        )

    def not_ready(self) -> str | None:
        """Return why a scrape would not yet tell anything, or None."""
        waiting = [name for name, running in self._projects.items() if not running.poller.attempted]
        return f"waiting for the first answer of: {', '.join(waiting)}" if waiting else None

    async def reload(self, also: Callable[[], Awaitable[None]] = _nothing) -> str | None:
        """Take up the configuration file as it is; returns why it cannot be, and then nothing changes.

        `also` takes up whatever else belongs to a reload, once the file is known to be good; a ConfigError of
        it is a reason like another. Who is cancelled stops waiting; what has begun is not left half done.
        """
        task = asyncio.create_task(self._reload(also))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)
        return await asyncio.shield(task)

    async def _reload(self, also: Callable[[], Awaitable[None]]) -> str | None:
        async with self._reloading:
            try:
                config = await asyncio.to_thread(self._read_config)
                await also()
                gone = set(self._projects)
                endings = self._exchange(config)
            except ConfigError as error:
                self._reload_error = str(error)
                self._telemetry.reload_successful.set(0)
                self._log.error(
                    "configuration not reloaded", error=self._reload_error, advice=advise(error).hint
                )
                return self._reload_error
            await asyncio.gather(*endings)
            await self._exposition.settle()
            self._forget(gone - self._projects.keys())
            self._loaded()
            self._log.info("configuration reloaded", projects=len(config.projects))
            return None

    def _exchange(self, config: Config) -> list[asyncio.Task[None]]:
        """Replace what changed, and return the endings of what was replaced."""
        before = self._config
        shared = _shared(before) == _shared(config)
        kept = {project.name for project in config.projects if shared and project in before.projects}
        gone = [name for name in self._projects if name not in kept]
        endings = [asyncio.create_task(self._end(self._projects.pop(name))) for name in gone]
        self._projects = {
            project.name: self._projects.get(project.name) or self._run(project, config)
            for project in config.projects
        }
        self._config = config
        return endings

    def _forget(self, projects: set[str]) -> None:
        """Drop the series of projects that have ended: their last requests count only as they end."""
        for name in projects:
            self._telemetry.forget_project(name)

    def _run(self, project: Project, config: Config) -> _Running:
        observer = ProjectTelemetry(self._telemetry, project.name)
        client = self._build_client(project, config, observer)
        poller = ProjectPoller(
            project,
            config,
            upstream=client,
            publisher=self._exposition,
            observer=observer,
            clocks=self._clocks,
            shard=self._shard,
            phase=_phase(project.name, self._shard),
        )
        return _Running(poller, client, asyncio.create_task(poller.run()))

    async def _stop(self, name: str) -> None:
        await self._end(self._projects.pop(name))

    async def _end(self, running: _Running) -> None:
        running.poller.close()
        running.loop.cancel()
        await asyncio.gather(running.loop, return_exceptions=True)
        await running.client.aclose()

    def _loaded(self) -> None:
        self._reload_error = ""
        self._telemetry.reload_successful.set(1)
        self._telemetry.reload_time.set(self._clocks.epoch())


def _shared(config: Config) -> tuple[object, ...]:
    """What of the configuration concerns every project."""
    return config.polling, config.defaults, config.statuses, config.time_zone


def _phase(project: str, shard: Shard) -> float:
    """A place in the interval for each instance: replicas, shards and projects spread their cycles."""
    return zlib.crc32(f"{socket.gethostname()}\0{shard.index}\0{project}".encode()) / 2**32
