"""A simulated cloud and the daemon that watches it, in one event loop whose time costs nothing.

Everything between the API's bytes and the text of a scrape is the real thing; only time, and where a test
says so the network, are the test's own.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, TypeVarTuple, Unpack

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from structlog.testing import capture_logs

from exporter.cli.daemon import Daemon
from exporter.config import Config, Project
from exporter.negotiation import Format
from exporter.poller import Clocks
from exporter.selection import Shard
from exporter.simulator import plan as plans
from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.faults import Faults
from exporter.simulator.options import Credentials
from exporter.simulator.planting import PlantedRun
from exporter.simulator.service import Service
from exporter.simulator.world import World
from exporter.telemetry import Telemetry
from exporter.timestamps import parse_zone
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Observer, Timing

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_750_003_200.0
"""The wall clock at the begin: 2025-06-15T16:00:00Z."""
INTERVAL, REFRESH, TIMEOUT, MAX_AGE = 60.0, 180.0, 10.0, 1200.0
"""The polling of all these tests, in seconds."""
SETTLED = 45.0
"""Seconds within which a cycle has ended, also one whose requests all time out."""
CLOUD = "https://cloud.example.test"
NIGHTLY, EVENTS = "nightly-stop", "after-rebuild"
"""The two tasks of each project: one that the clock starts at 16:10, ten minutes from the begin, and one
that runs when a test says so."""
_ACCOUNT = Credentials()
AUTHS: Mapping[str, Mapping[str, str]] = {
    "token": {"token": _ACCOUNT.token},
    "password": {
        "domain_name": _ACCOUNT.domain_name,
        "user_name": _ACCOUNT.user_name,
        "password": _ACCOUNT.password,
    },
    "aksk": {"access_key": _ACCOUNT.access_key, "secret_key": _ACCOUNT.secret_key},
}


class _Selector(selectors.DefaultSelector):
    """Looks at sockets, and lets the loop's clock leap where nothing has come and no thread is at work."""

    loop: LeapingLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if self.loop.at_work:
            return super().select(1.0)
        # Both ends of a connection are in this loop, so what was sent has come; a moment for the kernel.
        events = super().select(self.loop.patience)
        if not events and timeout is None:
            raise RuntimeError("deadlock: nothing is ready and nothing is scheduled")
        if not events and timeout:
            self.loop.now += timeout
        return events


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only by sleeping; `names` is all that its resolver knows."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.at_work = 0
        self.patience = 0.0
        self.names: dict[str, str] = {}
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return the loop's own time."""
        return self.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run in a thread; meanwhile no time passes."""
        self.at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._worked)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """Join the threads; they may take as long as they need."""
        del timeout
        self.at_work += 1
        await super().shutdown_default_executor()
        self.at_work -= 1

    def _worked(self, _: asyncio.Future[Any]) -> None:
        self.at_work -= 1

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        """Resolve a name without asking the network."""
        name = host.decode() if isinstance(host, bytes) else host
        address = self.names.get(name, name)
        try:
            return socket.getaddrinfo(address, port, **{**hints, "flags": socket.AI_NUMERICHOST})
        except socket.gaierror:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in time that costs nothing."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(main)


def leaping_loop() -> LeapingLoop:
    """Return the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    return loop


@dataclass(frozen=True, slots=True)
class Scrape:
    """The samples of one scrape."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float | None:
        """Return the one sample of a name that has these labels; None where there is none."""
        found = self.all(name, **labels)
        assert len(found) <= 1, f"{name} {labels}: {found}"
        return next(iter(found.values()), None)

    def all(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the samples of a name that have these labels, by the other labels."""
        wanted = labels.items()
        return {
            tuple(sorted(known - wanted)): value
            for (sample, known), value in self.samples.items()
            if sample == name and wanted <= known
        }

    def requests(self, project: str = "prod") -> dict[tuple[str, str], float]:
        """Return `workspace_exporter_api_requests_total` by operation and code."""
        name = "workspace_exporter_api_requests_total"
        counted = self.all(name, project=project)
        return {(dict(labels)["operation"], dict(labels)["code"]): value for labels, value in counted.items()}

    def runs(self, task_id: str, project: str = "prod") -> dict[str, int]:
        """Return `workspace_task_runs_total` by status, of those that are not 0."""
        counted = self.all("workspace_task_runs_total", project=project, task_id=task_id)
        return {dict(labels)["status"]: int(value) for labels, value in counted.items() if value}

    def withdrawable(self, task_id: str, project: str = "prod") -> dict[str, dict[Any, float]]:
        """Return the gauges that are drawn from a task's records: kept until `max_age`, and no longer."""
        names = {name for name, _ in self.samples if name.startswith(_FROM_RECORDS)}
        found = {name: self.all(name, project=project, task_id=task_id) for name in names}
        return {name: samples for name, samples in found.items() if samples}


_FROM_RECORDS = (
    "workspace_task_last_run_",
    "workspace_task_last_start_",
    "workspace_task_status_last_",
    "workspace_task_consecutive_",
    "workspace_task_running_",
    "workspace_task_records",
    "workspace_task_history_truncated",
)


_DULL = ("workspace_exporter_api_request_duration_seconds", "python_", "process_")


def parse(text: str) -> Scrape:
    """Return what a scrape says, but for its histogram; no series may come twice."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith(_DULL))
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{key} comes twice"
            samples[key] = sample.value
    return Scrape(samples)


@dataclass
class Stage:
    """The cloud, the daemon, and their time. `jump` is how far the exporter's wall clock is ahead."""

    worlds: list[World]
    app: Starlette
    daemon: Daemon
    jump: float = 0.0
    log: list[Any] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    """The hosts that were asked, as the transport saw them."""

    @property
    def service(self) -> Service:
        """The cloud behind its application."""
        service: Service = self.app.state.service
        return service

    @property
    def now(self) -> float:
        """The cloud's wall clock, which is right."""
        return self.service.clock.wall()

    def fault(self, spec: str) -> None:
        """Let this go wrong from now on; the empty text ends all faults."""
        self.service.faults = Faults(spec)

    async def heal(self) -> None:
        """End all faults."""
        self.fault("")

    async def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass."""
        await asyncio.sleep(seconds)

    async def until(self, minute: float) -> None:
        """Let time pass until so many minutes after the begin."""
        await asyncio.sleep(EPOCH + 60 * minute - self.now)

    async def scrape(self) -> Scrape:
        """Read the metrics as Prometheus does."""
        return parse(b"".join(await self.daemon.metrics(Format.TEXT, False)).decode())

    def heard(self) -> list[Any]:
        """Return the log lines from warnings on since the last call."""
        lines = [entry for entry in self.log if entry["log_level"] not in {"debug", "info"}]
        self.log.clear()
        return lines

    async def next_lines(self, seconds: float) -> list[Any]:
        """Let time pass until something is to be heard, so many seconds at the most; return it."""
        for _ in range(int(seconds)):
            await asyncio.sleep(1)
            if lines := self.heard():
                return lines
        return []

    def plant(self, status: str, minutes: float, *, world: int = 0, seconds: int = 30) -> None:
        """Let the event-started task run so many minutes from now."""
        start = int(self.now + 60 * minutes)
        self.worlds[world].plant_run(EVENTS, PlantedRun(start=start, duration=seconds, status=status))

    def truth(self, task_id: str, world: int = 0) -> dict[str, int]:
        """Return how many runs really ended since the begin, by status."""
        counts: dict[str, int] = {}
        for run_ in self.worlds[world].ledger(self.now, EPOCH + 1, task_id=task_id).finished:
            counts[run_.verdict] = counts.get(run_.verdict, 0) + 1
        return counts


def world_of(name: str) -> World:
    """Return a project's world: both tasks have run before."""
    world = World(seed=3, region=name)
    world.add_task(
        plans.daily("16:10:00"), EPOCH, name="nightly stop", history_days=20, task_id=NIGHTLY, desktops=3
    )
    world.add_task(
        plans.triggered("POST_REBUILD_DESKTOP_SUCCESS", daily_rate=1e-6),
        EPOCH,
        name="after a rebuild",
        history_days=2,
        task_id=EVENTS,
        desktops=3,
    )
    world.plant_run(EVENTS, PlantedRun(start=int(EPOCH) - 7200, status="FAIL"))
    return world


def config_of(
    worlds: Mapping[str, World], address: str, auth: str, changes: Mapping[str, Any], **project: Any
) -> Config:
    """Return the configuration of projects over these worlds. A fixed token is good for the first one."""
    projects = [
        {
            "name": name,
            "region": world.project.name,
            "project_id": world.project.id,
            "endpoint": address,
            "iam_endpoint": address,
            "auth": {auth: AUTHS[auth]},
            "discovery": {},
            **project,
        }
        for name, world in worlds.items()
    ]
    durations = {"interval": INTERVAL, "refresh": REFRESH, "timeout": TIMEOUT, "max_age": MAX_AGE}
    polling = {name: f"{seconds:.0f}s" for name, seconds in durations.items()}
    return Config.model_validate({"projects": projects, "polling": {**polling, **changes}})


@asynccontextmanager
async def stage(
    *names: str,
    auth: str = "token",
    address: str = CLOUD,
    between: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None,
    network: bool = False,
    polling: Mapping[str, Any] | None = None,
    **project: Any,
) -> AsyncIterator[Stage]:
    """Watch a project `prod`, or projects of these names, until the block ends.

    `between` puts something between the exporter and the cloud. With `network` requests take the real way to
    `address`, whatever is there.
    """
    loop = leaping_loop()
    begin = loop.time()

    def wall() -> float:
        return EPOCH + loop.time() - begin

    worlds = {name: world_of(name) for name in names or ("prod",)}
    app = create_app(list(worlds.values()), clock=SimulatedClock(wall))
    config = config_of(worlds, address, auth, polling or {}, **project)
    cloud = None if network else Watched(httpx.ASGITransport(app))
    way = between(cloud) if between and cloud else cloud
    loop.patience = 0.001 if network else 0.0

    def epoch() -> float:
        return wall() + that.jump

    def client(project: Project, config: Config, observer: Observer) -> Client:
        timing = Timing(epoch, loop.time, asyncio.sleep, lambda: 0.5)
        return build_client(
            project,
            config.polling,
            zone=parse_zone(config.time_zone),
            observer=observer,
            timing=timing,
            transport=way,
        )

    daemon = Daemon(
        config,
        read_config=lambda: config,
        build_client=client,
        telemetry=Telemetry("0", "test"),
        clocks=Clocks(epoch=epoch, monotonic=loop.time, sleep=asyncio.sleep),
        shard=Shard(),
    )
    that = Stage(list(worlds.values()), app, daemon, hosts=cloud.hosts if cloud else set())
    with capture_logs() as that.log:
        await daemon.start()
        try:
            yield that
        finally:
            await daemon.aclose()


class Watched(httpx.AsyncBaseTransport):
    """Passes requests on, and remembers whom they were for."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.hosts: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        self.hosts.add(request.url.host)
        return await self._inner.handle_async_request(request)
