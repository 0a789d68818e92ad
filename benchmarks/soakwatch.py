"""The exporter under observation: started, scraped, read, reconfigured, looked at."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx

from benchmarks.census import Census, least, read_census
from benchmarks.fasttime import FastTime
from benchmarks.memory import resident
from benchmarks.soakfigures import Sample, Sockets, files, series_of
from exporter.simulator.options import Credentials
from tests.endtoend.processes import eventually, free_port, program

CONCURRENCY = 8
"""Of requests upstream; two more connections are for sign-ins."""
PATIENCE = 180.0
_POLLING = {"interval": "20m", "refresh": "8h", "max_age": "12h", "timeout": "1s", "concurrency": CONCURRENCY}
_SCRAPE_EVERY, _PAGE_EVERY, _LOOK_EVERY = 0.25, 1.5, 0.15
_TEXT, _OPENMETRICS = "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"
_READY, _NOT_YET = "/-/ready", 503
"""After a reload a project is new for a moment."""
_PAGES = ("/", "/api/v1/tasks", _READY, "/-/healthy", "/?verdict=failed")
_MOST = 0.99
_DEFECTS = re.compile(r"traceback|internal error|broke off|exception", re.IGNORECASE)


def command(fast: FastTime, port: int, *arguments: str) -> tuple[str, ...]:
    """Return the command of a process that lives in fast time."""
    clock = ("--origin", repr(fast.origin), "--speed", repr(fast.speed))
    return (sys.executable, "-m", "benchmarks.fasttime", *clock, "--listen", f"127.0.0.1:{port}", *arguments)


@dataclass(frozen=True, slots=True)
class Soaked:
    """A running exporter. `folder` holds its configuration, its log and its census."""

    folder: Path
    process: Popen[bytes]
    url: str
    cloud_port: int

    @property
    def defects(self) -> list[str]:
        """The lines of its log that a sound program never writes."""
        lines = (self.folder / "exporter.log").read_text("utf-8").splitlines()
        return [line for line in lines if _DEFECTS.search(line)]

    def reconfigure(self, tree: dict[str, Any]) -> None:
        """Let it take up another configuration."""
        (self.folder / "config.yml").write_text(json.dumps(tree), "utf-8")
        self.process.send_signal(signal.SIGHUP)

    async def sample(self, http: httpx.AsyncClient, day: float, looks: int = 1) -> Sample:
        """Look at it; of several looks the least of each count, which is what is there between two cycles."""
        counts, opened = [], []
        for _ in range(looks):
            await asyncio.sleep(_LOOK_EVERY)
            counts.append(await self._counted())
            opened.append(files(self.process.pid, self.cloud_port))
        sockets = Sockets(min(look.upstream for look in opened), min(look.others for look in opened))
        return Sample(day, resident(self.process.pid), sockets, least(counts), await self.series(http))

    async def series(self, http: httpx.AsyncClient) -> frozenset[str]:
        """Return the series that it shows."""
        return series_of(await self._metrics(http))

    async def settled(self, http: httpx.AsyncClient, tasks: int) -> None:
        """Wait until so many tasks are read, and their runs and desktops, and the last cycle went well."""
        deadline = time.monotonic() + PATIENCE
        while not _is_settled(await self._metrics(http), tasks):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all {tasks} tasks were read within {PATIENCE:.0f} s")
            await asyncio.sleep(_LOOK_EVERY)

    async def names(self, http: httpx.AsyncClient) -> dict[str, str]:
        """Return the names of its tasks by id."""
        tasks = (await http.get(f"{self.url}/api/v1/tasks")).json()["tasks"]
        return {task["id"]: task["name"] for task in tasks}

    async def read(self, happened: Counter[str]) -> None:
        """Scrape it in all formats and read its page, until cancelled; `happened` counts also what fails."""
        await asyncio.gather(self._scrape(happened), self._look(happened))

    async def _scrape(self, happened: Counter[str]) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            while True:
                for accept, encoding in product((_TEXT, _OPENMETRICS), ("gzip", "identity")):
                    headers = {"Accept": accept, "Accept-Encoding": encoding}
                    answer = await http.get(f"{self.url}/metrics", headers=headers)
                    whole = answer.content.endswith(b"# EOF\n") or accept == _TEXT
                    happened["scrapes" if answer.is_success and whole else "scrapes that failed"] += 1
                    await asyncio.sleep(_SCRAPE_EVERY)

    async def _look(self, happened: Counter[str]) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            while True:
                for page in _PAGES:
                    answer = await http.get(f"{self.url}{page}")
                    good = answer.is_success or (page == _READY and answer.status_code == _NOT_YET)
                    happened["pages" if good else f"pages that failed: {page}"] += 1
                    await asyncio.sleep(_PAGE_EVERY)

    async def _counted(self) -> Census:
        file = self.folder / "census.json"
        file.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        await asyncio.to_thread(eventually, file.exists, "the census", PATIENCE)
        return read_census(file)

    async def _metrics(self, http: httpx.AsyncClient) -> str:
        try:
            return (await http.get(f"{self.url}/metrics", headers={"Accept": _TEXT})).text
        except httpx.ConnectError:  # it does not listen yet
            return ""


@contextmanager
def soaked(folder: Path, fast: FastTime, cloud: str) -> Iterator[Soaked]:
    """Run an exporter that watches a cloud, for as long as the block lasts."""
    folder.mkdir()
    config, port = folder / "config.yml", free_port()
    config.write_text(json.dumps(configuration(cloud)), "utf-8")
    arguments = ("exporter", "--config", str(config), "--census", str(folder / "census.json"))
    with program(command(fast, port, *arguments), folder / "exporter.log") as process:
        yield Soaked(folder, process, f"http://127.0.0.1:{port}", int(cloud.rpartition(":")[2]))


def configuration(cloud: str, *, copy: bool = False, **polling: object) -> dict[str, Any]:
    """Return the configuration: all tasks of the cloud, and with `copy` a second project that has some."""
    account = Credentials()
    names = {"domain_name": account.domain_name, "user_name": account.user_name}
    project = {
        "region": "cn-north-4",
        "endpoint": cloud,
        "iam_endpoint": cloud,
        "auth": {"password": {**names, "password": account.password}},
    }
    projects = [{"name": "prod", **project, "discovery": {}}]
    if copy:
        projects.append({"name": "copy", **project, "discovery": {"include": ["^labs-"]}})
    return {"projects": projects, "polling": {**_POLLING, **polling}}


def _is_settled(text: str, tasks: int) -> bool:
    def shown(family: str) -> int:
        return text.count(f"\nworkspace_task_{family}{{")

    # The desktops of a run are read last of all; some run has always just ended.
    whole = shown("info") == shown("records") == tasks
    whole &= shown("last_run_duration_seconds") >= _MOST * shown("last_run_start_timestamp_seconds")
    return whole and '\nworkspace_exporter_poll_success{project="prod"} 1.0\n' in text
