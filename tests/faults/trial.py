"""One fault from its begin to its end, as a user's tools see it: what is told, kept, withdrawn, counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.stage import EVENTS, INTERVAL, MAX_AGE, NIGHTLY, SETTLED, Scrape, Stage

POLL = "workspace_exporter_poll_success"
AUTH = "workspace_exporter_auth_success"
TASK_POLL = "workspace_task_poll_success"
LAST_POLL = "workspace_task_last_poll_timestamp_seconds"
MOST_REQUESTS = 18
"""In a cycle that fails, of this project: three attempts at each of two lists and of two tasks' reads, once
by their turn and once as a probe."""
LINES = {"a cycle failed", "a cycle overran", "sign-in was refused"}
"""What is logged from warnings on: how the cycle ended, and each refusal of a password."""
MOMENT = 0.01
"""Seconds before and after an instant: less than what lies between the reads of two tasks."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, the `code` that counts it, and what its log line says.

    `auth` is what the credentials' gauge shows meanwhile.
    """

    spec: str
    code: str
    says: str
    auth: bool = True


def gained(after: Scrape, before: Scrape) -> dict[tuple[str, str], float]:
    """Return the requests counted in between, by operation and code."""
    old = before.requests()
    return {
        key: value - old.get(key, 0) for key, value in after.requests().items() if value > old.get(key, 0)
    }


def told(line: Mapping[str, Any]) -> str:
    """Return what a log line names as the problem."""
    return "; ".join(line.get("problems", ()))


def check_well(scrape: Scrape, project: str = "prod", *, expects: bool | None = True) -> None:
    """Everything is known; the nightly task `expects` a run unless its schedule is new (None: it may be)."""
    assert scrape.value(POLL, project=project) == 1
    assert scrape.value(AUTH, project=project) == 1
    for task_id in (NIGHTLY, EVENTS):
        assert scrape.value(TASK_POLL, project=project, task_id=task_id) == 1
        assert scrape.withdrawable(task_id, project)
    expected = scrape.value("workspace_task_expected_run_timestamp_seconds", project=project, task_id=NIGHTLY)
    assert expects is None or (expected is not None) == expects


async def check_first_cycle(that: Stage, before: Scrape, case: Case) -> None:
    """A failing cycle is counted, told once, and shown; nothing else changes."""
    that.heard()
    lines = await that.next_lines(INTERVAL + SETTLED)
    during = await that.scrape()
    assert [line["event"] for line in lines] == ["a cycle failed"], lines
    assert case.says in told(lines[0])
    assert lines[0]["project"] == "prod"
    assert during.value(POLL) == 0
    assert during.value(AUTH) == case.auth
    assert during.value(TASK_POLL, task_id=EVENTS) == (0 if case.auth else 1)
    counted = gained(during, before)
    operation = "list_records" if "@records" in case.spec else "list_tasks"
    assert counted[operation, case.code] >= 1
    spoiled = {code for name, code in counted if name == "list_records" or "@records" not in case.spec}
    assert spoiled == {case.code}
    assert sum(counted.values()) <= MOST_REQUESTS
    for task_id in (NIGHTLY, EVENTS):
        assert during.withdrawable(task_id) == before.withdrawable(task_id)
    last = "workspace_exporter_last_successful_poll_timestamp_seconds"
    assert during.value(last) == before.value(last)


async def check_age(that: Stage) -> None:
    """Each task's values stay until `max_age` after its last good read, and are withdrawn then."""
    known = await that.scrape()
    polled = {task_id: known.value(LAST_POLL, task_id=task_id) or 0.0 for task_id in (NIGHTLY, EVENTS)}
    for task_id, at in sorted(polled.items(), key=lambda item: item[1]):
        assert known.withdrawable(task_id)
        await that.pass_time(at + MAX_AGE - MOMENT - that.now)
        assert (await that.scrape()).withdrawable(task_id) == known.withdrawable(task_id)
        await that.pass_time(2 * MOMENT)
        after = await that.scrape()
        assert after.withdrawable(task_id) == {}
        assert after.value("workspace_task_expected_run_timestamp_seconds", task_id=task_id) is None
        assert after.value("workspace_task_info", task_id=task_id) == 1
        assert after.value("workspace_task_grace_seconds", task_id=task_id) == 900
        assert after.value(LAST_POLL, task_id=task_id) == at
        assert len(after.all("workspace_task_runs_total", task_id=task_id)) == 5


async def check_recovery(that: Stage, cycles: int = 10) -> None:
    """Within one cycle of the fault's end all is known again, and each run was counted once.

    So it stays for so many more `cycles`.
    """
    await that.pass_time(INTERVAL + SETTLED)
    after = await that.scrape()
    check_well(after)
    for task_id in (NIGHTLY, EVENTS):
        assert after.runs(task_id) == that.truth(task_id)
    that.heard()
    await that.pass_time(cycles * INTERVAL)
    check_well(await that.scrape())
    assert that.heard() == []
    for task_id in (NIGHTLY, EVENTS):
        assert (await that.scrape()).runs(task_id) == that.truth(task_id)


async def endure(
    that: Stage,
    case: Case,
    begin: Callable[[], object],
    end: Callable[[], Awaitable[object]],
    *,
    brief: bool = False,
) -> None:
    """Live through half an hour of a fault. Meanwhile the nightly task runs, the other one four times.

    A `brief` one lasts five minutes, and nothing is withdrawn.
    """
    that.plant("SUCCESS", 1)
    await that.pass_time(3 * INTERVAL)
    before = await that.scrape()
    check_well(before)
    assert before.runs(EVENTS) == {"success": 1}
    assert that.heard() == []
    for minutes, status in ((0.2, "FAIL"), (2, "SUCCESS"), (2.6, "FAIL"), (9, "SKIP")):
        that.plant(status, minutes)
    begin()
    await check_first_cycle(that, before, case)
    await that.until(8 if brief else 15)
    assert {line["event"] for line in that.heard()} <= LINES
    if not brief:
        await check_age(that)
    assert that.hosts <= {"cloud.example.test"}
    await end()
    await check_recovery(that, 4 if brief else 10)
    assert that.truth(EVENTS) == {"success": 2, "failed": 2, "skipped": 1}
    assert that.truth(NIGHTLY) == {"success": 1}
