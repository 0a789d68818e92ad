"""The host's clock jumps, and comes back: what is told, and that nothing is lost, invented or kept wrong."""

from __future__ import annotations

import re

import pytest

from tests.faults.stage import EVENTS, INTERVAL, MAX_AGE, NIGHTLY, SETTLED, run, stage
from tests.faults.trial import AUTH, POLL, check_well, told

SKEW = "workspace_exporter_clock_skew_seconds"
EXPECTED = "workspace_task_expected_run_timestamp_seconds"
HOUR, DAY = 3600.0, 86_400.0
JUMPS = (-7 * DAY, -DAY, -HOUR, -90.0, 90.0, HOUR, DAY, 7 * DAY, 400 * DAY)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_and_the_way_back(jump: float) -> None:
    """For ten minutes the clock is wrong. It is told within a cycle, and all is as ever a cycle after it."""

    async def main() -> None:
        async with stage() as that, stage() as straight:
            await that.pass_time(3 * INTERVAL)
            for scene in (that, straight):
                for minutes, status in ((0.5, "FAIL"), (2, "SUCCESS"), (6, "SKIP"), (12, "FAIL")):
                    scene.plant(status, minutes)
            that.jump = jump
            await that.pass_time(INTERVAL + SETTLED)
            during = await that.scrape()
            assert abs((during.value(SKEW) or 0.0) + jump) < 2
            assert during.value(POLL) == during.value(AUTH) == 1
            assert during.withdrawable(EVENTS)
            assert during.withdrawable(NIGHTLY)
            await that.until(13)
            during = await that.scrape()
            assert during.runs(EVENTS) == that.truth(EVENTS)
            assert during.runs(NIGHTLY) == that.truth(NIGHTLY)
            that.jump = 0.0
            await that.pass_time(INTERVAL + SETTLED)
            await that.until(25)
            after, reference = await that.scrape(), await straight.scrape()
            check_well(after)
            assert abs(after.value(SKEW) or 0.0) < 2
            for task_id in (EVENTS, NIGHTLY):
                assert after.runs(task_id) == that.truth(task_id)
                assert after.withdrawable(task_id) == reference.withdrawable(task_id)
                assert after.value(EXPECTED, task_id=task_id) == reference.value(EXPECTED, task_id=task_id)
            assert that.heard() == []

    run(main())


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_jump_while_nothing_can_be_read(jump: float) -> None:
    """A jump is no reason to withdraw for ever, nor to keep for ever: the way back restores `max_age`."""

    async def main() -> None:
        async with stage() as that:
            await that.pass_time(3 * INTERVAL)
            last = (await that.scrape()).value("workspace_task_last_poll_timestamp_seconds", task_id=EVENTS)
            assert last
            that.fault("500@api")
            await that.pass_time(INTERVAL)
            that.jump = jump
            await that.pass_time(2 * INTERVAL)
            assert bool((await that.scrape()).withdrawable(EVENTS)) == (jump < 0)
            that.jump = 0.0
            await that.pass_time(last + MAX_AGE - 1 - that.now)
            assert (await that.scrape()).withdrawable(EVENTS)
            await that.pass_time(2)
            assert not (await that.scrape()).withdrawable(EVENTS)

    run(main())


@pytest.mark.parametrize("jump", [-1200.0, 1200.0])
def test_signatures_and_a_jump(jump: float) -> None:
    """Signatures that are 20 minutes off are refused; the log says whose clock is wrong."""

    async def main() -> None:
        async with stage(auth="aksk") as that:
            await that.pass_time(3 * INTERVAL)
            that.jump = jump
            lines = await that.next_lines(INTERVAL + SETTLED)
            which = "behind" if jump < 0 else "ahead"
            assert re.search(rf"; this host's clock is 1(199|200|201) s {which}", told(lines[0]))
            during = await that.scrape()
            assert during.value(AUTH) == 0
            assert abs((during.value(SKEW) or 0.0) + jump) < 2
            that.jump = 0.0
            await that.pass_time(2 * INTERVAL)
            check_well(await that.scrape())

    run(main())
