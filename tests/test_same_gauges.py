"""What the API leaves open makes no difference: order, page size and time format of its answers."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from pathlib import Path

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.cli.daemon import Daemon
from exporter.config import Config, Project
from exporter.configfile import validate
from exporter.negotiation import Format
from exporter.poller import Clocks, Upstream
from exporter.selection import Shard
from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.demo import demo_world
from exporter.simulator.options import Options
from exporter.telemetry import Telemetry
from exporter.timestamps import parse_zone
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Observer, Timing

NOW = 1_750_000_000.0
_HERE = Path()
_SINCE_START = re.compile(r"workspace_task_(runs|desktops)_total|workspace_task_last_poll_timestamp")
_OPEN = st.fixed_dictionaries(
    {
        "order": st.sampled_from(["newest", "oldest", "unordered"]),
        "times": st.sampled_from(["naive", "suffix", "rfc3339", "observed"]),
        "clamp": st.sampled_from([None, 50]),
        "absent": st.sampled_from(["empty", "null", "missing"]),
    }
)


@cache
def _expected() -> list[str]:
    return gauges(Options())


def gauges(options: Options) -> list[str]:
    """The gauges of a fresh exporter after one cycle against the demo's cloud with these habits."""
    with capture_logs():
        return asyncio.run(_gauges(options))


async def _gauges(options: Options) -> list[str]:
    app = create_app(demo_world(NOW, healthy=1, history_days=20), options, clock=SimulatedClock(lambda: NOW))

    async def sleep(seconds: float) -> None:
        await asyncio.Event().wait() if seconds >= config.polling.interval / 2 else await asyncio.sleep(0)

    def client(project: Project, config: Config, observer: Observer) -> Upstream:
        timing = Timing(lambda: NOW, lambda: 0.0, sleep, lambda: 0.5)
        transport = httpx.ASGITransport(app)
        zone = parse_zone(config.time_zone)
        return build_client(
            project, config.polling, zone=zone, observer=observer, timing=timing, transport=transport
        )

    account = options.credentials
    project = {
        "name": "prod",
        "region": "cn-north-4",
        "endpoint": "https://cloud.example.test",
        "iam_endpoint": "https://cloud.example.test",
        "auth": {"aksk": {"access_key": account.access_key, "secret_key": account.secret_key}},
        "discovery": {},
    }
    config = validate(Config, {"projects": [project], "polling": {"requests_per_second": 0}}, _HERE)
    daemon = Daemon(
        config,
        read_config=lambda: config,
        build_client=client,
        telemetry=Telemetry("0", "0"),
        clocks=Clocks(epoch=lambda: NOW, monotonic=lambda: 0.0, sleep=sleep),
        shard=Shard(),
    )
    await daemon.start()
    while daemon.not_ready():  # noqa: ASYNC110 - the daemon tells nobody
        await asyncio.sleep(0)
    body = b"".join(await daemon.metrics(Format.TEXT, False)).decode()
    await daemon.aclose()
    assert 'workspace_exporter_poll_success{project="prod"} 1.0' in body
    lines = [line for line in body.splitlines() if line.startswith("workspace_task_")]
    return [line for line in lines if not _SINCE_START.match(line)]


@settings(max_examples=5)
@given(_OPEN)
def test_gauges_are_the_same_whatever_the_answers_look_like(habits: dict[str, object]) -> None:
    """Byte for byte: a fresh exporter, as after a restart, against a cloud with other habits."""
    assert gauges(Options(**habits)) == _expected()  # type: ignore[arg-type]


def test_the_comparison_sees_the_demo_s_troubles() -> None:
    """The gauges compared above are not empty: they hold failures, partial and stuck runs."""
    text = "\n".join(_expected())
    assert re.search(r'last_run_status\{project="prod",status="failed".*\} 1\.0', text)
    assert re.search(r'last_run_status\{project="prod",status="partial".*\} 1\.0', text)
    assert re.search(r"running_since_timestamp_seconds\{.*\} 1\.\d+e\+09", text)
