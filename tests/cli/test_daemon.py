"""The daemon without a socket: what a scrape, the page and readiness are given; what a reload exchanges."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.cli import daemon as module
from exporter.cli.daemon import Daemon
from exporter.collaborators import Clocks
from exporter.config import Config, Project
from exporter.configfile import validate
from exporter.errors import ConfigError
from exporter.negotiation import Format
from exporter.selection import Shard
from exporter.simulator import plan as plans
from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.options import Credentials
from exporter.simulator.world import World
from exporter.telemetry import Telemetry
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Observer, Timing

NOW = 1_750_032_000.0
ACCOUNT = Credentials()
KEYS = {"access_key": ACCOUNT.access_key, "secret_key": ACCOUNT.secret_key}
_SECONDS = 10.0


class Town:
    """A simulated cloud and a daemon that polls it once, and again only when `tick` is called."""

    def __init__(self, *names: str, shard: Shard = Shard(), **sections: Any) -> None:  # noqa: B008 - frozen
        self.world = World(seed=1)
        for name in ("north", "south", "west"):
            self.world.add_task(plans.daily("12:00:00"), NOW, name=name, task_id=name, history_days=3)
        self.app = create_app(self.world, clock=SimulatedClock(lambda: NOW), sleep=self._for_ever)
        self.now = NOW
        self.on_file: Callable[[], Config] = lambda: self.config(*names, **sections)
        self.closed: list[str] = []
        self.ended: list[str] = []
        self.closing = asyncio.Event()
        self.closing.set()
        self.built: list[str] = []
        self._tick = asyncio.Event()
        self.telemetry = Telemetry("1.2.3", "abc")
        self.daemon = Daemon(
            self.on_file(),
            read_config=lambda: self.on_file(),  # noqa: PLW0108 - the file changes
            build_client=self._client,
            telemetry=self.telemetry,
            clocks=Clocks(lambda: self.now, lambda: self.now, self._until_tick),
            shard=shard,
        )

    def config(self, *names: str, **sections: Any) -> Config:
        """Return a configuration of projects that each watch the task of their name."""
        place = {
            "region": "cn-north-4",
            "endpoint": "http://127.0.0.1:9",
            "iam_endpoint": "http://127.0.0.1:9",
        }
        projects = [
            {"name": name, **place, "auth": {"aksk": KEYS}, "discovery": {"include": [f"^{name}$"]}}
            for name in names
        ]
        polling = {"requests_per_second": 0, **sections.pop("polling", {})}
        return validate(Config, {"projects": projects, "polling": polling, **sections}, Path())

    async def scrape(self) -> str:
        """Return the metrics."""
        return b"".join(await self.daemon.metrics(Format.TEXT, gzip=False)).decode()

    async def reload(self, *names: str, **sections: Any) -> str | None:
        """Reload with another file."""
        self.on_file = lambda: self.config(*names, **sections)
        return await self.daemon.reload()

    async def attempted(self) -> None:
        """Wait until every project's first cycle has ended."""
        await self.until(lambda: self.daemon.not_ready() is None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let everything go on until something holds."""
        async with asyncio.timeout(_SECONDS):
            while not holds():  # noqa: ASYNC110 - the world under test sets no event
                await asyncio.sleep(0)

    def pollers(self) -> dict[str, object]:
        """Return who polls each project."""
        return {name: running.poller for name, running in self.daemon._projects.items()}

    async def _for_ever(self, _seconds: float) -> None:
        await asyncio.Event().wait()

    async def _until_tick(self, _seconds: float) -> None:
        await self._tick.wait()

    def _client(self, project: Project, config: Config, observer: Observer) -> Client:
        self.built.append(project.name)
        client = build_client(
            project,
            config.polling,
            zone=UTC,
            observer=observer,
            timing=Timing(lambda: self.now, lambda: self.now, self._for_ever, lambda: 0.5),
            transport=httpx.ASGITransport(self.app),
        )
        close = client.aclose

        async def aclose() -> None:
            self.closed.append(project.name)
            await self.closing.wait()
            await close()
            self.ended.append(project.name)

        client.aclose = aclose  # type: ignore[method-assign]
        return client


@asynccontextmanager
async def running(town: Town) -> AsyncIterator[Town]:
    """Run the daemon until every project was attempted, and end it in the end."""
    await town.daemon.start()
    try:
        await town.attempted()
        yield town
    finally:
        await town.daemon.aclose()


def _series(scrape: str, **labels: str) -> list[str]:
    wanted = [f'{name}="{value}"' for name, value in labels.items()]
    return [line for line in scrape.splitlines() if all(pair in line for pair in wanted)]


async def test_it_is_ready_when_every_project_was_attempted() -> None:
    """Until then the reason names those that were not; one whose cloud fails is attempted as well."""
    town = Town("north", "south")
    town.app.state.service.faults.put("403@list")
    await town.daemon.start()
    assert town.daemon.not_ready() == "waiting for the first answer of: north, south"
    await town.attempted()
    await town.daemon.aclose()


async def test_a_scrape_has_tasks_and_exporter_in_both_formats() -> None:
    """Compressed or not; OpenMetrics ends as it must."""
    async with running(Town("north")) as town:
        text = await town.scrape()
        assert 'workspace_task_records{project="north",task_id="north",task_name="north"} 3.0' in text
        assert "workspace_exporter_build_info{" in text
        packed = b"".join(await town.daemon.metrics(Format.OPENMETRICS, gzip=True))
        openmetrics = gzip.decompress(packed).decode()
        assert openmetrics.endswith("# EOF\n")
        assert openmetrics.count("# EOF") == 1
        assert 'workspace_task_records{project="north"' in openmetrics


async def test_the_page_is_given_projects_tasks_and_version() -> None:
    """What people see is what was read."""
    async with running(Town("north", "south", shard=Shard(0, 1))) as town:
        overview = await town.daemon.overview()
    assert [project.name for project in overview.projects] == ["north", "south"]
    assert [project.poll_ok for project in overview.projects] == [True, True]
    assert sorted(task.id for task in overview.tasks) == ["north", "south"]
    assert overview.generated_at == NOW
    assert (overview.shard, overview.reload_error) == ("", "")
    assert re.fullmatch(r"\d+\.\d+\.\d+", overview.version)


async def test_the_page_names_the_shard() -> None:
    """Where there is more than one."""
    async with running(Town("north", shard=Shard(1, 2))) as town:
        assert (await town.daemon.overview()).shard == "1/2"


async def test_the_clock_passes_for_a_scrape_while_a_cycle_hangs() -> None:
    """Data too old is withdrawn though nobody polls."""
    polling = {"max_age": "1h"}
    async with running(Town("north", polling=polling)) as town:
        assert _series(await town.scrape(), task_id="north", status="failed")
        town.now += 3601
        assert not any("last_run" in line for line in _series(await town.scrape(), task_id="north"))


async def test_a_reload_keeps_what_did_not_change() -> None:
    """The very poller and client go on; the new project is begun, the removed one ended."""
    async with running(Town("north", "south")) as town:
        before = town.pollers()
        assert await town.reload("north", "west") is None
        await town.attempted()
        after = town.pollers()
        assert after["north"] is before["north"]
        assert list(after) == ["north", "west"]
        assert (town.built, town.closed) == (["north", "south", "west"], ["south"])
        scrape = await town.scrape()
        assert not _series(scrape, project="south")
        assert _series(scrape, project="west", task_id="west")


async def test_a_project_that_changed_begins_anew() -> None:
    """Its tasks of before are gone with it."""
    async with running(Town("north")) as town:
        town.on_file = lambda: _renamed(town.config("south"), "north")
        assert await town.daemon.reload() is None
        await town.attempted()
        scrape = await town.scrape()
    assert town.closed[0] == "north"
    assert not _series(scrape, task_id="north")
    assert _series(scrape, project="north", task_id="south")


def _renamed(config: Config, name: str) -> Config:
    project = config.projects[0].model_copy(update={"name": name})
    return config.model_copy(update={"projects": (project,)})


@pytest.mark.parametrize(
    "sections",
    [
        {"polling": {"interval": "30s"}},
        {"defaults": {"grace": "1m"}},
        {"statuses": {"failed": ["BROKEN"]}},
        {"time_zone": "Asia/Shanghai"},
    ],
    ids=lambda sections: next(iter(sections)),
)
async def test_what_concerns_every_project_begins_all_anew(sections: dict[str, Any]) -> None:
    """Settings that they share."""
    async with running(Town("north", "south")) as town:
        before = town.pollers()
        assert await town.reload("north", "south", **sections) is None
        after = town.pollers()
    assert all(after[name] is not before[name] for name in before)
    assert sorted(town.closed[:2]) == ["north", "south"]


async def test_a_removed_project_leaves_nothing_though_its_request_is_under_way() -> None:
    """The request that is cancelled with it is not counted under a name that is gone."""
    town = Town("north", "south")
    town.app.state.service.faults.put("stall@list")
    await town.daemon.start()
    try:
        await town.until(lambda: town.app.state.service.tally.in_flight == 2)
        assert await town.reload("north") is None
        assert not _series(await town.scrape(), project="south")
    finally:
        await town.daemon.aclose()
    assert town.app.state.service.tally.in_flight == 0


async def test_a_bad_file_changes_nothing_and_says_why() -> None:
    """The answer, the gauge and the page; the next good one ends it."""
    async with running(Town("north")) as town:
        before = town.pollers()

        def broken() -> Config:
            raise ConfigError("unknown key", key="projcts", source="config.yml")

        town.on_file = broken
        town.now += 5
        assert await town.daemon.reload() == "config.yml: projcts: unknown key"
        scrape = await town.scrape()
        assert "workspace_exporter_config_last_reload_successful 0.0" in scrape
        loaded = "workspace_exporter_config_last_reload_success_timestamp_seconds "
        assert float(scrape.partition(f"\n{loaded}")[2].partition("\n")[0]) == NOW
        assert (await town.daemon.overview()).reload_error == "config.yml: projcts: unknown key"
        assert town.pollers() == before
        assert await town.reload("north") is None
        scrape = await town.scrape()
        assert "workspace_exporter_config_last_reload_successful 1.0" in scrape
        assert float(scrape.partition(f"\n{loaded}")[2].partition("\n")[0]) == NOW + 5
        assert (await town.daemon.overview()).reload_error == ""
        assert town.pollers() == before


async def test_what_else_is_reloaded_comes_along_or_nothing_does() -> None:
    """It is not touched where the file is bad; where it cannot be used itself, nor is the file."""
    async with running(Town("north")) as town:
        asked: list[str] = []

        async def good() -> None:
            asked.append("good")

        async def bad() -> None:
            raise ConfigError("no such user", key="basic_auth_users", source="web.yml")

        def broken() -> Config:
            raise ConfigError("unknown key", key="projcts", source="config.yml")

        before = town.pollers()
        town.on_file = broken
        assert await town.daemon.reload(good) == "config.yml: projcts: unknown key"
        assert asked == []
        town.on_file = lambda: town.config("south")
        assert await town.daemon.reload(bad) == "web.yml: basic_auth_users: no such user"
        assert town.pollers() == before
        assert "workspace_exporter_config_last_reload_successful 0.0" in await town.scrape()
        assert (await town.daemon.overview()).reload_error == "web.yml: basic_auth_users: no such user"
        assert await town.daemon.reload(good) is None
        assert (asked, list(town.pollers())) == (["good"], ["south"])
        assert "workspace_exporter_config_last_reload_successful 1.0" in await town.scrape()


async def test_reloads_come_one_after_the_other() -> None:
    """The configuration that was read last is the one in force, however many ask at once."""
    async with running(Town("north")) as town:
        files = iter([town.config("south"), town.config("west"), town.config("north", "west")])
        town.on_file = lambda: next(files)
        assert await asyncio.gather(*(town.daemon.reload() for _ in range(3))) == [None] * 3
        await town.attempted()
        assert list(town.pollers()) == ["north", "west"]
        assert {
            name for name in ("north", "south", "west") if _series(await town.scrape(), project=name)
        } == {
            "north",
            "west",
        }


async def test_a_reload_that_nobody_waits_for_any_more_is_completed() -> None:
    """The client of `/-/reload` may hang up while a removed project ends."""
    async with running(Town("north", "south")) as town:
        town.closing.clear()
        asked = asyncio.create_task(town.reload("north", "west"))
        await town.until(lambda: town.closed == ["south"])
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert asked.cancelled()
        town.closing.set()
        await town.attempted()
        await town.until(lambda: town.ended == ["south"])
        assert await town.reload("north", "west") is None
        assert not _series(await town.scrape(), project="south")


async def test_a_reload_before_the_start_starts_nothing_twice() -> None:
    """SIGHUP may come while the server is about to listen."""
    town = Town("north", "south")
    assert await town.daemon.reload() is None
    await town.daemon.start()
    await town.attempted()
    assert sorted(town.built) == ["north", "south"]
    await town.daemon.aclose()


async def test_the_end_closes_every_client() -> None:
    """And nothing polls any more."""
    async with running(Town("north", "south")) as town:
        pass
    assert sorted(town.closed) == ["north", "south"]
    assert town.pollers() == {}


def test_phases_spread_projects_shards_and_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own place in the interval, the same at every start."""
    places = {module._phase(project, Shard(index, 3)) for project in ("north", "south") for index in range(3)}
    assert len(places) == 6
    assert all(0 <= place < 1 for place in places)
    assert module._phase("north", Shard(1, 3)) in places
    monkeypatch.setattr(socket, "gethostname", lambda: "another-host")
    assert module._phase("north", Shard(1, 3)) not in places
