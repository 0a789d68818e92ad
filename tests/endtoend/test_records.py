"""What odd records and answers become in the exposition: the real client and poller, from bytes to bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.simulator.options import Options
from exporter.simulator.plan import daily
from exporter.simulator.planting import PlantedRun
from exporter.simulator.world import World
from tests.endtoend.inside import NOW, Cloud, Process

START = int(NOW) - 7200
TASK = "8d2e"


class Bench:
    """One task without runs but those that are planted, and an exporter that reads it."""

    def __init__(self, options: Options | None = None) -> None:
        self.world = World(seed=1)
        plan = daily("22:00:00", "Asia/Shanghai")
        self.world.add_task(plan, NOW, behaviour="missed", history_days=2000, task_id=TASK, name="night")
        self.cloud = Cloud(self.world, options)
        self.process = Process(self.cloud, refresh="1m")

    def run(self, status: str = "SUCCESS", start: int = START, **fields: Any) -> None:
        """Plant a run of three desktops that took a minute."""
        counts = {"success": 3, "failed": 0, "skipped": 0}
        self.world.plant_run(TASK, PlantedRun(start, **{"status": status, **counts, **fields}))

    async def read(self, *, fails: bool = False) -> dict[str, float]:
        """Poll once, a minute later; return the samples by family, and status or reason."""
        self.cloud.now += 60
        await self.process.poller.cycle()
        assert self.process.poller.last_cycle
        assert bool(self.process.poller.last_cycle.problems) == fails
        return _samples(await self.process.scrape())


def _samples(scrape: str) -> dict[str, float]:
    found = {}
    for line in scrape.splitlines():
        sample = re.fullmatch(r"workspace_(?:task|exporter)_(\w+)\{(.*)\} (\S+)", line)
        if sample:
            told = re.search(r'(?:status|reason)="(\w+)"', sample[2])
            found[f"{sample[1]} {told[1]}" if told else sample[1]] = float(sample[3])
    return found


def _status(samples: dict[str, float]) -> list[str]:
    """Return the statuses that are 1; all five are always there."""
    shown = {name: value for name, value in samples.items() if name.startswith("last_run_status ")}
    assert len(shown) == 5
    return [name.split(" ")[1] for name, value in shown.items() if value == 1]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A task and an exporter."""
    running = Bench()
    yield running
    await running.process.end()


async def test_the_specifications_example() -> None:
    """SUCCESS with a failed and a skipped desktop, 2022-12-31 09:00:00 in Asia/Shanghai."""
    bench = Bench(Options(times="naive"))
    bench.run(start=1672448400, success=1, failed=1, skipped=1)
    samples = await bench.read()
    assert _status(samples) == ["partial"]
    assert samples["last_run_start_timestamp_seconds"] == 1672448400
    counts = [samples[f"last_run_{kind}_num"] for kind in ("success", "failed", "skip")]
    assert counts == [1, 1, 1]
    await bench.process.end()


async def test_a_run_in_progress_hides_neither_the_failure_nor_its_counts(bench: Bench) -> None:
    """It shows beside it."""
    bench.run("FAIL", success=1, failed=2)
    bench.run(start=START + 600, duration=None)
    samples = await bench.read()
    assert _status(samples) == ["failed"]
    assert samples["last_run_start_timestamp_seconds"] == START
    assert (samples["last_run_success_num"], samples["last_run_failed_num"]) == (1, 2)
    assert (samples["running_runs"], samples["running_since_timestamp_seconds"]) == (1, START + 600)
    assert samples["last_start_timestamp_seconds"] == START + 600


async def test_an_unknown_word_is_unknown_and_no_success(bench: Bench) -> None:
    """Whatever its counts say."""
    bench.run("ABNORMAL")
    samples = await bench.read()
    assert _status(samples) == ["unknown"]
    assert samples["status_last_timestamp_seconds unknown"] == START
    assert samples["status_last_timestamp_seconds success"] == 0


async def test_missing_counts_are_absent_not_zero(bench: Bench) -> None:
    """A count that was not said has no sample."""
    bench.run(omitted=frozenset({"success_num", "failed_num", "skip_num"}))
    samples = await bench.read()
    assert _status(samples) == ["success"]
    assert not any(f"last_run_{kind}_num" in samples for kind in ("success", "failed", "skip"))


@pytest.mark.parametrize("count", [-1, "3", 1.5, True, 10**30])
async def test_an_impossible_count_is_absent_and_counted_and_hides_no_run(
    bench: Bench, count: object
) -> None:
    """The others stay as they are."""
    bench.run("FAIL", failed=2, success=0, wire={"success_num": count})
    samples = await bench.read()
    assert _status(samples) == ["failed"]
    assert "last_run_success_num" not in samples
    assert samples["last_run_failed_num"] == 2
    assert samples["records_rejected_total count"] == 1


@pytest.mark.parametrize(
    ("reason", "wire"),
    [
        ("time", {"start_time": "yesterday"}),
        ("time", {"start_time": ""}),
        ("time", {"start_time": "2025-06-15 22:00:00", "time_zone": "Middle-earth/Shire"}),
        ("time", {"start_time": "2025-02-30 22:00:00"}),
        ("time", {"start_time": 5}),
        ("id", {"id": ""}),
        ("id", {"id": 7}),
    ],
)
async def test_a_record_that_cannot_be_read_is_left_out_and_counted(
    bench: Bench, reason: str, wire: dict[str, object]
) -> None:
    """The good one before it is not lost, and nothing becomes 0."""
    bench.run("FAIL", failed=3, success=0)
    bench.run(start=START + 600, wire=wire)
    samples = await bench.read()
    assert _status(samples) == ["failed"]
    assert samples["last_run_start_timestamp_seconds"] == START
    rejected = {name: value for name, value in samples.items() if "rejected" in name}
    assert rejected == {f"records_rejected_total {reason}": 1}


@pytest.mark.parametrize(
    "fault", ["envelope", "html", "empty", "truncated", "deep=1000", "types", "500", "cut"]
)
async def test_an_answer_that_is_none_changes_nothing(bench: Bench, fault: str) -> None:
    """The values of the last good read stay; the failed read shows, and is over with the fault."""
    bench.run("FAIL", failed=3, success=0)
    good = await bench.read()
    bench.run(start=START + 600)
    bench.cloud.service.faults.put(f"{fault}@records")
    samples = await bench.read(fails=True)
    moving = {"last_poll_timestamp_seconds", "poll_success"}
    task = {
        name for name in good if name.startswith(("last_run", "status", "runs_total", "records", "running"))
    }
    assert {name: samples[name] for name in task - moving} == {name: good[name] for name in task - moving}
    assert samples["poll_success"] == 0
    bench.cloud.service.faults.put("")
    samples = await bench.read()
    assert samples["poll_success"] == 1
    assert _status(samples) == ["success"]
    assert samples["runs_total success"] == 1
