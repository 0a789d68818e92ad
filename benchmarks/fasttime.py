"""A cloud and an exporter as processes in which time runs faster: one begin and one speed for all clocks.

`workspace-exporter simulate --speed` lets only the tasks live faster: sign-ins, signatures and the Date
header stay in real time, as a real exporter needs them. Here the exporter's clocks run as fast as the
cloud's, so that tokens end, back-offs pass and data grows old as they would in a week. Sockets know nothing
of it: time limits of requests and clients stay real seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.census import pool_of_one, write_census
from exporter import __version__
from exporter.cli.daemon import Daemon
from exporter.cli.logs import configure_logs
from exporter.cli.serve import serve
from exporter.cli.wiring import run_loop
from exporter.config import Config, Project
from exporter.configfile import read_config
from exporter.poller import Clocks
from exporter.selection import Shard
from exporter.serving.listen import parse_listen_address
from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.demo import build_world
from exporter.simulator.serving import serving
from exporter.telemetry import ProjectTelemetry, Telemetry
from exporter.timestamps import parse_zone
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Timing

BEGIN = 1_750_032_000.0
"""The simulated time at the begin, 2025-06-16 00:00:00 UTC: the same world and week in each run."""


@dataclass(frozen=True, slots=True)
class FastTime:
    """Time that was BEGIN at `origin` (real epoch seconds), and since passes `speed` times as fast."""

    origin: float
    speed: float

    def epoch(self) -> float:
        """Return the epoch seconds."""
        return BEGIN + (time.time() - self.origin) * self.speed

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        await asyncio.sleep(seconds / self.speed)


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fasttime", description=__doc__)
    parser.add_argument("--origin", type=float, required=True)
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--listen", default="127.0.0.1:0")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("cloud").add_argument("--tasks", type=int, default=500)
    exporter = commands.add_parser("exporter")
    exporter.add_argument("--config", type=Path, required=True)
    exporter.add_argument("--census", type=Path, required=True, help="written at each SIGUSR1")
    given = parser.parse_args()
    fast = FastTime(given.origin, given.speed)
    if given.command == "cloud":
        run_loop(_cloud(fast, given.listen, given.tasks))
    else:
        run_loop(_exporter(fast, given.listen, given.config, given.census))


async def _cloud(fast: FastTime, address: str, tasks: int) -> None:
    listen = parse_listen_address(address)
    app = create_app(build_world(tasks, fast.epoch()), clock=SimulatedClock(fast.epoch))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serving(app, listen.host or "127.0.0.1", listen.port):
        await stop.wait()


async def _exporter(fast: FastTime, address: str, file: Path, census: Path) -> None:
    configure_logs("info", "logfmt")

    def read() -> Config:
        return read_config(file, os.environ)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, write_census, census, pool_of_one())
    daemon = Daemon(
        read(),
        read_config=read,
        build_client=_Clients(fast),
        telemetry=Telemetry(__version__, "unknown"),
        clocks=Clocks(fast.epoch, fast.monotonic, fast.sleep),
        shard=Shard(),
    )
    listen = parse_listen_address(address)
    await serve(daemon, listen=listen, web_config=None, telemetry_path="/metrics", lifecycle=False)


@dataclass(frozen=True, slots=True)
class _Clients:
    """Builds clients that live in fast time."""

    fast: FastTime

    def __call__(self, project: Project, config: Config, observer: ProjectTelemetry) -> Client:
        timing = Timing(self.fast.epoch, self.fast.monotonic, self.fast.sleep, random.random)
        zone = parse_zone(config.time_zone)
        return build_client(project, config.polling, zone=zone, observer=observer, timing=timing)


if __name__ == "__main__":
    main()
