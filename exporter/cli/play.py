"""`simulate` and `demo`: the exporter without a cloud."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click
from starlette.applications import Starlette

from exporter.cli.logs import Level, LogFormat, configure_logs
from exporter.cli.options import web_options
from exporter.cli.serve import serve
from exporter.cli.wiring import build_daemon, run_loop
from exporter.config import Config
from exporter.configfile import validate
from exporter.errors import ConfigError
from exporter.selection import Shard
from exporter.serving.listen import ListenAddress, parse_listen_address
from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.demo import build_world, demo_world
from exporter.simulator.options import Options
from exporter.simulator.serving import serving
from exporter.simulator.world import World
from exporter.web.application import check_telemetry_path

_SIMULATOR_ADDRESS = "--simulator.listen-address"
_DEMO = """
  The exporter watches a simulated cloud, with every kind of trouble among its tasks.

    {url}/          the status page: what is failing, missed, stuck, and why
    {url}/metrics   what Prometheus scrapes
    {simulator}/simulator/ledger   what the simulator planted, to compare

  Look for workspace_task_last_run_status{{status="failed"}} == 1. The task "live failure in three minutes"
  will fail as it says, and "recovers in six minutes" will recover. Ctrl-C ends it.
"""


@click.command()
@click.option(
    "--listen", default="127.0.0.1:10070", show_default=True, metavar="HOST:PORT", help="Where to listen."
)
@click.option(
    "--tasks", type=click.IntRange(0, 100_000), metavar="N", help="So many tasks; the demo's cast without it."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same world.")
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Simulated seconds in a second.",
)
@click.option(
    "--faults", default="", metavar="SPEC", help="What goes wrong, e.g. 429:0.1,500@list_records:0.05"
)
def simulate(listen: str, tasks: int | None, seed: int, speed: float, faults: str) -> None:
    r"""Serve a simulator of the upstream API: sign-in, tasks, records, details, errors.

    It accepts the credentials that it prints. It guards nothing: keep it on this machine.

    \b
    Example:
      workspace-exporter simulate --tasks 200 --faults 429:0.1
    """
    address = _address(listen, "--listen")

    async def run() -> None:
        app = _simulator(tasks, seed, speed, faults)
        async with _served(app, address, "--listen") as url:
            project = next(iter(app.state.service.worlds.values())).project
            secrets = app.state.service.options.credentials
            click.echo(
                f"The simulated cloud is at {url}: region {project.name}, project_id {project.id}, token "
                f"{secrets.token}, access_key {secrets.access_key}, secret_key {secrets.secret_key}, user "
                f"{secrets.domain_name}/{secrets.user_name} with password {secrets.password}"
            )
            await _signal()

    run_loop(run())


@click.command()
@web_options
@click.option(
    _SIMULATOR_ADDRESS,
    "simulator_address",
    default="127.0.0.1:10070",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the simulated cloud listens.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same tasks.")
def demo(
    listen_address: str,
    web_config: Path | None,
    telemetry_path: str,
    *,
    lifecycle: bool,
    log_level: Level,
    log_format: LogFormat,
    simulator_address: str,
    seed: int,
) -> None:
    r"""Show everything at once: a simulated cloud and the exporter that watches it. No configuration.

    \b
    Example:
      workspace-exporter demo --web.listen-address 127.0.0.1:10068
    """
    configure_logs(log_level, log_format)
    listen = parse_listen_address(listen_address)
    address = _address(simulator_address, _SIMULATOR_ADDRESS)
    check_telemetry_path(telemetry_path)

    async def run() -> None:
        app = _simulator(None, seed, 1.0, "")
        async with _served(app, address, _SIMULATOR_ADDRESS) as simulator:
            config = _demo_config(app, simulator)
            await serve(
                build_daemon(config, lambda: config, Shard()),
                listen=listen,
                web_config=web_config,
                telemetry_path=telemetry_path,
                lifecycle=lifecycle,
                ready=lambda url: click.echo(_DEMO.format(url=url, simulator=simulator)),
            )

    run_loop(run())


def _address(text: str, key: str) -> ListenAddress:
    try:
        return parse_listen_address(text)
    except ConfigError as error:
        raise ConfigError(error.reason, key=key) from None


def _simulator(tasks: int | None, seed: int, speed: float, faults: str) -> Starlette:
    clock = SimulatedClock(time.time, speed=speed)
    now = clock.now()
    world: World = demo_world(now, seed=seed) if tasks is None else build_world(tasks, now, seed=seed)
    try:
        return create_app(world, Options(), faults=faults, seed=seed, clock=clock)
    except ValueError as error:
        raise ConfigError(str(error), key="--faults") from None


@asynccontextmanager
async def _served(app: Starlette, address: ListenAddress, key: str) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(serving(app, address.host or "127.0.0.1", address.port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {address}: {error.strerror or error}", key=key) from None
        yield url


def _demo_config(app: Starlette, url: str) -> Config:
    service = app.state.service
    project = next(iter(service.worlds.values())).project
    secrets = service.options.credentials
    keys = {"access_key": secrets.access_key, "secret_key": secrets.secret_key}
    tree = {
        "projects": [
            {
                "name": "demo",
                "region": project.name,
                "endpoint": url,
                "iam_endpoint": url,
                "auth": {"aksk": keys},
                "discovery": {},
            }
        ],
        "polling": {"interval": "5s", "refresh": "1m", "requests_per_second": 0},
    }
    return validate(Config, tree, Path())


async def _signal() -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
