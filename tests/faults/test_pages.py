"""Lists that shift while they are paged, or never end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.simulator import plan as plans
from exporter.simulator.planting import PlantedRun
from tests.faults.between import Twister
from tests.faults.stage import EPOCH, EVENTS, INTERVAL, NIGHTLY, SETTLED, run, stage
from tests.faults.trial import POLL, check_well, gained


@pytest.mark.parametrize(
    ("order", "every"),
    [("newest", 1), ("oldest", 1), ("unordered", 5), ("unordered", 1)],
)
@pytest.mark.parametrize(("retention", "history"), [(240, 250), (1000, 20)])
def test_records_shift_while_they_are_paged(order: str, every: int, retention: int, history: int) -> None:
    """A run starts after a page, and old ones are deleted: each run is counted once, in any order.

    `every` is how many pages lie between two shifts.
    """

    async def main() -> None:
        twister = Twister()
        async with stage(between=twister.over, polling={"history": history}) as that:
            that.service.options = replace(that.service.options, order=order, retention=retention)
            for number in range(230):
                planted = PlantedRun(start=int(EPOCH) - 7200 - 60 * number, duration=1, status="FAIL")
                that.worlds[0].plant_run(EVENTS, planted)
            await that.pass_time(2 * INTERVAL)
            left, pages = 25, 0

            def shift(operation: str, tree: dict[str, Any]) -> object:
                nonlocal left, pages
                pages += operation == "list_records"
                if operation == "list_records" and left and pages % every == 0:
                    left -= 1
                    that.plant("SUCCESS" if left % 2 else "FAIL", 0, seconds=0)
                return tree

            twister.twist = shift
            await that.pass_time((12 + 15 * every) * INTERVAL)
            after = await that.scrape()
            check_well(after)
            assert left == 0
            assert after.runs(EVENTS) == that.truth(EVENTS) == {"success": 12, "failed": 13}
            assert after.runs(NIGHTLY) == that.truth(NIGHTLY)

    run(main())


@pytest.mark.parametrize("added", [False, True])
def test_tasks_shift_while_the_list_is_paged(*, added: bool) -> None:
    """A task is deleted (and another `added`) between two pages: nobody who stays loses its series."""

    async def main() -> None:
        twister = Twister()
        async with stage(between=twister.over) as that:
            world, daily = that.worlds[0], plans.daily("03:00:00")
            for number in range(70):
                world.add_task(daily, EPOCH, name=f"{number}", history_days=1, task_id=f"task-{number:03d}")
            await that.pass_time(2 * INTERVAL)
            pages = 0

            def shift(operation: str, tree: dict[str, Any]) -> object:
                nonlocal pages
                pages += operation == "list_tasks" and tree["total_count"] > 50
                if operation == "list_tasks" and pages % 5 == 1 and pages < 50:
                    world.delete(f"task-{pages // 5:03d}", that.now)
                    if added:
                        world.add_task(daily, that.now, history_days=0, task_id=f"new-{pages:03d}")
                    pages += 1
                return tree

            twister.twist = shift
            scrape = await that.scrape()
            for _ in range(22):
                await that.pass_time(INTERVAL)
                scrape = await that.scrape()
                shown = scrape.all("workspace_task_last_run_status", status="success")
                names = {dict(labels)["task_id"] for labels in shown}
                assert {f"task-{number:03d}" for number in range(20, 70)} <= names
            assert pages >= 50
            assert scrape.value("workspace_exporter_tasks") == 2 + 70 - (0 if added else 10)
            check_well(scrape)

    run(main())


def test_a_list_without_end() -> None:
    """It is read up to `max_tasks`; those known stay, and what was invented leaves a cycle after its end."""

    async def main() -> None:
        async with stage(polling={"max_tasks": 120}) as that:
            await that.pass_time(2 * INTERVAL)
            before = await that.scrape()
            that.heard()
            that.fault("endless@list")
            lines = await that.next_lines(2 * INTERVAL)
            assert "more than max_tasks (120) tasks; the rest is not watched" in str(lines[0]["problems"])
            await that.pass_time(5 * INTERVAL)
            during = await that.scrape()
            assert during.value(POLL) == 0
            assert during.value("workspace_exporter_tasks") == 2 + 120
            assert during.withdrawable(NIGHTLY)
            assert gained(during, before)["list_tasks", "200"] <= 7 * 6
            that.fault("")
            await that.pass_time(INTERVAL + SETTLED)
            after = await that.scrape()
            check_well(after)
            assert after.value("workspace_exporter_tasks") == 2
            assert not after.all("workspace_task_info", task_id="invented-0")

    run(main())


@pytest.mark.parametrize("operation", ["records", "details"])
def test_records_without_end(operation: str) -> None:
    """They are read up to a cap, in each cycle that has a reason to; the truth is back a cycle after."""

    async def main() -> None:
        async with stage() as that:
            await that.pass_time(2 * INTERVAL)
            before = await that.scrape()
            that.fault(f"endless@{operation}")
            that.plant("SUCCESS", 0.1)
            await that.pass_time(INTERVAL)
            during = await that.scrape()
            counted = gained(during, before)
            name = {"records": "list_records", "details": "list_record_details"}[operation]
            assert counted[name, "200"] <= {"records": 2 * 50, "details": 2 * 10}[operation]
            that.fault("")
            await that.pass_time(INTERVAL + SETTLED)
            after = await that.scrape()
            check_well(after)
            for task_id in (EVENTS, NIGHTLY):
                last = "workspace_task_last_run_start_timestamp_seconds"
                newest = max(run_.start for run_ in that.worlds[0].runs(task_id, that.now))
                assert after.value(last, task_id=task_id) == newest
            assert after.value("workspace_task_records", task_id=EVENTS) == 2
            assert that.heard() == []

    run(main())
