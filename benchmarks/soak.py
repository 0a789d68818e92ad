"""`make soak`: a simulated week of trouble in a few minutes, and whether everything comes back afterwards.

Two processes over loopback (`fasttime`). The first simulated day is quiet but for two reloads that read
everything anew, and so is the last; between them `soaktrouble` is at work. All the time the exporter is
scraped in all formats and its page is read. The figures are those of the first day's end again; beside that,
a second exporter is started in the end, and shows no other series (`soakfigures`).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.fasttime import FastTime
from benchmarks.soakfigures import Limits, Sample, left_over, stray_series
from benchmarks.soaktrouble import FAULTS, HOUR, Churn, Cloud, Trouble
from benchmarks.soakwatch import CONCURRENCY, PATIENCE, Soaked, command, configuration, soaked
from tests.endtoend.processes import answers, eventually, free_port, program

WEEK_SPEED = 2016.0
"""A week in five minutes."""
DAY = 24 * HOUR
_SAMPLE_DAYS = 0.25
_LEAST_DAYS = 3.0
_FIRST_DAY = (2, 4, 0, 0)
"""The configurations of its quarters: what most memory is ever needed for, has then been."""
_LOOKS = 12
_COMPARISONS = 20
LIMITS = Limits(upstream=CONCURRENCY + 2, workers=1)


@dataclass(slots=True)
class Course:
    """What was seen: a sample for every six hours, and in the end one of a new process."""

    samples: list[Sample] = field(default_factory=list)
    fresh: Sample | None = None
    happened: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


def main() -> int:
    """Soak, print the figures, and say what did not come back."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--days", type=float, default=7.0, help="simulated days, at least 3 (default: 7)")
    parser.add_argument(
        "--speed", type=float, default=WEEK_SPEED, help="simulated seconds in a second (default: 2016)"
    )
    given = parser.parse_args()
    if given.days < _LEAST_DAYS:
        parser.error("the first day and the last one are quiet: --days is at least 3")
    began = time.monotonic()
    course = soak(given.tasks, given.days, given.speed)
    _show(course, f"{given.tasks} tasks, {given.days:g} days in {time.monotonic() - began:.0f} s")
    for complaint in course.complaints:
        print(complaint)
    print("Not everything came back." if course.complaints else "Everything came back to where it was.")
    return bool(course.complaints)


def soak(tasks: int, days: float, speed: float) -> Course:
    """Run it all."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, fast, port = Path(name), FastTime(time.time(), speed), free_port()
        cloud = f"http://127.0.0.1:{port}"
        arguments = command(fast, port, "cloud", "--tasks", str(tasks))
        stack.enter_context(program(arguments, folder / "cloud.log"))
        eventually(lambda: answers(f"{cloud}/simulator/clock"), "the cloud", PATIENCE)
        exporter = stack.enter_context(soaked(folder / "soaked", fast, cloud))
        course = Course()
        asyncio.run(_Week(course, fast, cloud, exporter, tasks, days).pass_by(folder, stack))
        course.complaints += [f"its log: {line}" for line in exporter.defects]
    happened = course.happened
    course.complaints += [f"{what}: {times}" for what, times in happened.items() if "failed" in what]
    put = FAULTS[: happened["faults put"] - 1]  # the last one may have been cut short
    faults = [f"fault: {re.split('[=@:]', spec)[0]}" for spec in put]
    course.complaints += [f"never happened: {fault}" for fault in faults if not happened[fault]]
    return course


@dataclass(frozen=True, slots=True)
class _Week:
    """The days, one after the other."""

    course: Course
    fast: FastTime
    cloud: str
    exporter: Soaked
    tasks: int
    days: float

    async def pass_by(self, folder: Path, stack: ExitStack) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http, asyncio.TaskGroup() as group:
            await self.exporter.settled(http, self.tasks)
            begin, names = self.fast.epoch(), await self.exporter.names(http)
            reading = group.create_task(self.exporter.read(self.course.happened))
            for number, configured in enumerate(_FIRST_DAY):
                self._reload(configured)
                await self._days(http, begin, number * _SAMPLE_DAYS, (number + 1) * _SAMPLE_DAYS)
            await self.exporter.settled(http, self.tasks)
            self.course.samples[-1] = first = await self.exporter.sample(http, 1.0, _LOOKS)
            await self._trouble(http, begin, names)
            await self._days(http, begin, self.days - 1, self.days)
            await self.exporter.settled(http, self.tasks)
            fresh = stack.enter_context(soaked(folder / "fresh", self.fast, self.cloud))
            await fresh.settled(http, self.tasks)
            await self._compare(http, fresh, first)
            reading.cancel()

    async def _trouble(self, http: httpx.AsyncClient, begin: float, names: dict[str, str]) -> None:
        cloud, happened = Cloud(self.cloud), self.course.happened
        trouble = Trouble(
            cloud,
            Churn(cloud, names, happened),
            self.fast,
            port=int(self.exporter.url.rpartition(":")[2]),
            reload=self._reload,
            configurations=len(self._configurations),
            happened=happened,
        )
        async with asyncio.TaskGroup() as group:
            making = group.create_task(trouble.run())
            await self._days(http, begin, 1.0, self.days - 1)
            trouble.stop()
            await making
        await trouble.undo()
        await cloud.aclose()

    async def _days(self, http: httpx.AsyncClient, begin: float, since: float, until: float) -> None:
        """Let days pass, with a sample at each quarter of one."""
        for number in range(int((until - since) / _SAMPLE_DAYS)):
            day = since + (number + 1) * _SAMPLE_DAYS
            await self.fast.sleep(begin + day * DAY - self.fast.epoch())
            self.course.samples.append(await self.exporter.sample(http, day))

    async def _compare(self, http: httpx.AsyncClient, fresh: Soaked, first: Sample) -> None:
        """Hold both exporters against each other; a series is stray that is stray each time."""
        strays: set[str] | None = None
        for _ in range(_COMPARISONS):
            found = stray_series(*await asyncio.gather(self.exporter.series(http), fresh.series(http)))
            strays = found if strays is None else strays & found
            if not strays:
                break
            await self.fast.sleep(HOUR)
        last = self.course.samples[-1] = await self.exporter.sample(http, self.days, _LOOKS)
        new = self.course.fresh = await fresh.sample(http, self.days, _LOOKS)
        self.course.complaints += [*left_over(first, last, new, LIMITS), *sorted(strays or ())]

    @property
    def _configurations(self) -> tuple[dict[str, object], ...]:
        """That of the begin; the same again; one that reads everything anew; a bad one; one project more."""
        good = configuration(self.cloud)
        return (
            good,
            good,
            configuration(self.cloud, refresh="7h"),
            {**good, "pollling": {}},
            configuration(self.cloud, copy=True),
        )

    def _reload(self, number: int) -> None:
        self.exporter.reconfigure(self._configurations[number])


def _show(course: Course, title: str) -> None:
    table = Table(title=title)
    for column in ("day", "RSS (MiB)", "files", "to the cloud", "threads", "workers", "asyncio tasks"):
        table.add_column(column, justify="right")
    for column in ("tasks", "series of tasks", "own series", "objects"):
        table.add_column(column, justify="right")
    for sample in course.samples:
        table.add_row(f"{sample.day:g}", *_row(sample))
    if course.fresh:
        table.add_row("fresh", *_row(course.fresh))
    console = Console(width=120)
    console.print(table)
    console.print(", ".join(f"{what} {times}" for what, times in sorted(course.happened.items())))


def _row(sample: Sample) -> list[str]:
    census = sample.census
    figures = (
        sample.files.others,
        sample.files.upstream,
        census.threads,
        census.workers,
        census.asyncio_tasks,
        sample.tasks,
        len(sample.of_tasks),
        len(sample.own),
        sample.objects,
    )
    return [f"{sample.resident:.1f}", *map(str, figures)]


if __name__ == "__main__":
    sys.exit(main())
