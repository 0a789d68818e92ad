"""Wrong types at every field of every operation, one after the other, through the whole exporter."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator import plan as plans
from tests.faults.between import LISTS, Twister
from tests.faults.stage import EPOCH, EVENTS, INTERVAL, NIGHTLY, SETTLED, Stage, run, stage
from tests.faults.trial import TASK_POLL, check_recovery, check_well

WRONG: tuple[object, ...] = (
    None,
    True,
    -1,
    10**400,
    "",
    'a"b\\c\nd',
    "\ud800",
    "9999-99-99 99:99:99",
    "0001-01-01T00:00:00Z",
    "x" * 5000,
    [[]],
    {"nested": {}},
)
FIELDS = {
    "list_tasks": [
        *(
            "task_name",
            "task_type",
            "scheduled_type",
            "life_cycle_type",
            "time_zone",
            "last_status",
            "enable",
        ),
        *("next_execution_time", "expire_time"),
    ],
    "show_task": [
        *("task_name", "task_type", "scheduled_type", "life_cycle_type", "time_zone", "scheduled_time"),
        *("scheduled_date", "day_interval", "week_list", "month_list", "date_list", "expire_time"),
    ],
    "list_records": ["status", "success_num", "failed_num", "skip_num"],
    "details": [
        *("id", "record_id", "desktop_id", "desktop_name", "exec_status", "result_code", "fail_reason"),
        *("start_time", "end_time", "time_zone"),
    ],
}
"""The fields that the API document names and that an entry can do without."""
NEEDED = [("list_records", "id"), ("list_records", "start_time"), ("list_records", "time_zone")]
"""An entry without these is left out."""


class Shaped:
    """One field of one operation's answers holds one value."""

    def __init__(self, operation: str, name: str) -> None:
        self.operation = operation
        self.name = name
        self.value: object = None
        self.used = 0

    def __call__(self, operation: str, tree: dict[str, Any]) -> object:
        """Twist a tree."""
        if operation != self.operation:
            return tree
        rows = tree[LISTS[operation]] if operation in LISTS else [tree]
        for row in rows:
            row[self.name] = self.value
            self.used += 1
        return tree


async def each_value(that: Stage, twister: Twister, shaped: Shaped) -> None:
    """Let each wrong value stand there for two cycles, in which every operation is called."""
    await that.pass_time(2 * INTERVAL)
    twister.twist = shaped
    for number, shaped.value in enumerate(WRONG):
        that.plant("SUCCESS", 0.1)
        that.worlds[0].edit(NIGHTLY, plans.daily(f"03:00:{number:02d}"), that.now)
        shaped.used = 0
        await that.pass_time(2 * INTERVAL)
        assert shaped.used > 0
        scrape = await that.scrape()
        assert scrape.value("workspace_exporter_tasks") == 2
        events = [line["event"] for line in that.heard()]
        assert set(events) <= {"a cycle failed"}, (shaped.value, events)
        await that.daemon.overview()


@pytest.mark.parametrize(
    ("operation", "name"), [(operation, name) for operation, names in FIELDS.items() for name in names]
)
def test_a_field_of_the_wrong_type(operation: str, name: str) -> None:
    """Nothing breaks, no task is lost, and no run: the counts are as if the field had been right."""

    async def main() -> None:
        twister = Twister()
        async with stage(between=twister.over) as that:
            await each_value(that, twister, Shaped(operation, name))
            during = await that.scrape()
            assert {during.value(TASK_POLL, task_id=task_id) for task_id in (EVENTS, NIGHTLY)} == {1}
            total = sum(during.runs(EVENTS).values())
            assert total == sum(that.truth(EVENTS).values()) == len(WRONG)
            twister.twist = None
            await that.pass_time(INTERVAL + SETTLED)
            check_well(await that.scrape(), expects=False)

    run(main())


@pytest.mark.parametrize(("operation", "name"), NEEDED)
def test_what_a_record_cannot_do_without(operation: str, name: str) -> None:
    """Records of which none can be read are a failed read; what is known stays, and each run counts once."""

    async def main() -> None:
        twister = Twister()
        async with stage(between=twister.over) as that:
            await that.pass_time(2 * INTERVAL)
            before = await that.scrape()
            shaped = Shaped(operation, name)
            twister.twist = shaped
            for shaped.value in (17, ["x"], {"a": 1}):
                that.plant("FAIL", 0.1)
                await that.pass_time(2 * INTERVAL)
                during = await that.scrape()
                if name != "time_zone":
                    assert during.value(TASK_POLL, task_id=EVENTS) == 0
                    assert during.withdrawable(EVENTS) == before.withdrawable(EVENTS)
                    reason = {"id": "id", "start_time": "time"}[name]
                    rejected = "workspace_exporter_records_rejected_total"
                    assert during.value(rejected, project="prod", reason=reason)
            twister.twist = None
            await check_recovery(that, 2)
            assert that.truth(EVENTS) == {"failed": 3}

    run(main())


@pytest.mark.parametrize("value", [None, 17, "", "a/b", ["x"]])
def test_one_row_of_the_list_that_cannot_be_read(value: object) -> None:
    """A row without a usable id is no proof that the task has left: its values stay (contract, section 5)."""

    async def main() -> None:
        twister = Twister()

        def twist(operation: str, tree: dict[str, Any]) -> object:
            for row in tree["scheduled_tasks"] if operation == "list_tasks" else ():
                if row["id"] == NIGHTLY:
                    row["id"] = value
            return tree

        async with stage(between=twister.over) as that:
            that.worlds[0].add_task(plans.daily("03:00:00"), EPOCH, name="another", history_days=1)
            await that.pass_time(2 * INTERVAL)
            before = await that.scrape()
            twister.twist = twist
            await that.pass_time(3 * INTERVAL)
            assert (await that.scrape()).withdrawable(NIGHTLY) == before.withdrawable(NIGHTLY)

    run(main())


@pytest.mark.parametrize("key", ["scheduled_tasks", "tasks_records", "tasks_records_details", "total_count"])
@pytest.mark.parametrize("value", [None, True, -1, 1.5, "many", {}])
def test_an_envelope_of_the_wrong_type(key: str, value: object) -> None:
    """A failed read that changes nothing."""

    async def main() -> None:
        twister = Twister()

        def twist(_: str, tree: dict[str, Any]) -> object:
            return {**tree, key: value} if key in tree else tree

        async with stage(between=twister.over) as that:
            await that.pass_time(2 * INTERVAL)
            before = await that.scrape()
            twister.twist = twist
            that.plant("FAIL", 0.1)
            lines = await that.next_lines(2 * INTERVAL)
            assert [line["event"] for line in lines] == ["a cycle failed"]
            during = await that.scrape()
            if key in {"tasks_records", "total_count"}:
                assert during.withdrawable(EVENTS) == before.withdrawable(EVENTS)
            assert during.withdrawable(NIGHTLY) == before.withdrawable(NIGHTLY)
            twister.twist = None
            await check_recovery(that, 2)

    run(main())
