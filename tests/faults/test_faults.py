"""Each way in which the cloud can fail, over HTTP: wrong statuses, wrong bodies, lies, silence."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.faults.stage import EVENTS, INTERVAL, NIGHTLY, SETTLED, run, stage
from tests.faults.trial import (
    AUTH,
    LINES,
    POLL,
    TASK_POLL,
    Case,
    check_recovery,
    check_well,
    endure,
    gained,
    told,
)

LIST_CASES = (
    Case("500@api", "500", "list_tasks: HTTP status 500"),
    Case("502@api", "502", "list_tasks: HTTP status 502: 502 Bad Gateway"),
    Case("503@api", "503", "list_tasks: HTTP status 503: 503 Service Temporarily Unavailable"),
    Case("429=1@api", "429", "list_tasks: too many requests (429)"),
    Case("429=none@api", "429", "list_tasks: too many requests (429)"),
    Case("429=date@api", "429", "list_tasks: too many requests (429)"),
    Case("429=3600@api", "429", "too many requests (429)"),
    Case("403@api", "403", "list_tasks: a permission is missing (403)"),
    Case("401@api", "401", "list_tasks: the credentials were not accepted (401)", auth=False),
    Case("401@all", "401", "list_tasks: the credentials were not accepted (401)", auth=False),
    Case("404@api", "404", "list_tasks: the address serves no such API: check region and endpoint (404)"),
    Case("html@api", "body", "list_tasks: the answer is not JSON: it begins with '<"),
    Case("empty@api", "body", "list_tasks: the answer is not JSON (0 bytes)"),
    Case("truncated@api", "body", "list_tasks: the answer is not JSON ("),
    Case("envelope@api", "body", "list_tasks: scheduled_tasks is not a list but an object"),
    Case("deep@api", "body", "list_tasks: the answer is nested too deeply"),
    Case("redirect=https://elsewhere.example.test/@api", "302", "a redirect, which is not followed"),
    Case("stall@api", "timeout", "list_tasks: no complete answer within 10 s"),
)
RECORD_CASES = (
    Case("500@records", "500", "list_records: HTTP status 500"),
    Case("429=none@records", "429", "list_records: too many requests (429)"),
    Case("403@records", "403", "list_records: a permission is missing (403)"),
    Case("404@records", "404", "list_records: the address serves no such API"),
    Case("html@records", "body", "list_records: the answer is not JSON: it begins with '<"),
    Case("truncated@records", "body", "list_records: the answer is not JSON ("),
    Case("envelope@records", "body", "list_records: tasks_records is not a list"),
    Case("deep@records", "body", "list_records: the answer is nested too deeply"),
    Case("stall@records", "timeout", "list_records: no complete answer within 10 s"),
)


@pytest.mark.parametrize("case", LIST_CASES, ids=lambda case: case.spec)
def test_nothing_can_be_read(case: Case) -> None:
    """The whole API fails in one way for half an hour."""

    async def main() -> None:
        async with stage() as that:
            await endure(that, case, lambda: that.fault(case.spec), that.heal)

    run(main())


@pytest.mark.parametrize("case", RECORD_CASES, ids=lambda case: case.spec)
def test_records_cannot_be_read(case: Case) -> None:
    """The list is well, the records fail in one way for half an hour."""

    async def main() -> None:
        async with stage() as that:
            await endure(that, case, lambda: that.fault(case.spec), that.heal)

    run(main())


LIES = (
    "count=0@list",
    "count=-1@list",
    "count=+1000@list",
    "repeat@list",
    "count=0@records",
    "count=-1@records",
    "count=+1000@records",
    "repeat@records",
    "repeat@details",
    "count=+1000@details",
    "slow=9s@records",
)


@pytest.mark.parametrize("spec", LIES)
def test_lies_that_hide_nothing(spec: str) -> None:
    """A total that lies, or entries that come twice: nothing is lost, counted twice, or made to fail."""

    async def main() -> None:
        async with stage() as that:
            await that.pass_time(3 * INTERVAL)
            that.fault(spec)
            for minutes, status in ((0.2, "FAIL"), (2, "SUCCESS"), (2.6, "FAIL"), (9, "SKIP")):
                that.plant(status, minutes)
            await that.until(30)
            during = await that.scrape()
            check_well(during)
            assert that.heard() == []
            assert during.runs(EVENTS) == that.truth(EVENTS) == {"success": 1, "failed": 2, "skipped": 1}
            assert during.runs(NIGHTLY) == that.truth(NIGHTLY)
            await that.heal()
            await check_recovery(that)

    run(main())


@pytest.mark.parametrize("operation", ["show", "details"])
@pytest.mark.parametrize("fault", ["500", "403", "html", "empty", "truncated", "deep", "stall", "redirect"])
def test_schedules_or_details_cannot_be_read(operation: str, fault: str) -> None:
    """What comes after the records fails the cycle, not the task; it is read again in the next cycles."""

    async def main() -> None:
        async with stage() as that:
            that.fault(f"{fault}@{operation}")
            lines = await that.next_lines(INTERVAL)
            assert [line["event"] for line in lines] == ["a cycle failed"]
            name = {"show": "show_task", "details": "list_record_details"}[operation]
            assert name in told(lines[0])
            await that.until(15)
            during = await that.scrape()
            assert during.value(POLL) == 0
            assert {during.value(TASK_POLL, task_id=task_id) for task_id in (NIGHTLY, EVENTS)} == {1}
            assert during.runs(NIGHTLY) == {"success": 1}
            duration = "workspace_task_last_run_duration_seconds"
            assert (during.value(duration, task_id=NIGHTLY) is None) == (operation == "details")
            await that.heal()
            await check_recovery(that)
            assert (await that.scrape()).value(duration, task_id=NIGHTLY)

    run(main())


def test_one_401_with_a_password() -> None:
    """The token is renewed within the cycle: nothing fails, one retry is counted."""

    async def main() -> None:
        async with stage(auth="password") as that:
            await that.pass_time(3 * INTERVAL)
            before = await that.scrape()
            that.fault("401@list:x1")
            await that.pass_time(2 * INTERVAL)
            after = await that.scrape()
            check_well(after)
            assert that.heard() == []
            counted = gained(after, before)
            assert counted["list_tasks", "401"] == counted["create_token", "201"] == 1
            retries = "workspace_exporter_api_retries_total"
            assert after.value(retries, project="prod", reason="401") == 1

    run(main())


def test_one_401_with_a_token() -> None:
    """A fixed token is refused: the alert's gauge falls, and rises with the next cycle."""

    async def main() -> None:
        async with stage() as that:
            await that.pass_time(3 * INTERVAL)
            that.heard()
            that.fault("401@list:x1")
            lines = await that.next_lines(INTERVAL)
            assert told(lines[0]).startswith("list_tasks: the credentials were not accepted")
            assert (await that.scrape()).value(AUTH) == 0
            await that.heal()
            await check_recovery(that)

    run(main())


@pytest.mark.parametrize("auth", ["password", "aksk"])
def test_401_for_ever(auth: str) -> None:
    """Refused again and again: told in each cycle, with few requests, so that nothing locks."""

    async def main() -> None:
        async with stage(auth=auth) as that:
            await that.pass_time(3 * INTERVAL)
            before = await that.scrape()
            that.heard()
            that.fault("401@api,401@iam")
            await that.pass_time(3600)
            after = await that.scrape()
            assert after.value(AUTH) == after.value(POLL) == 0
            lines = that.heard()
            assert {line["event"] for line in lines} <= LINES
            assert 59 <= sum(line["event"] == "a cycle failed" for line in lines) <= 61
            counted = gained(after, before)
            assert set(counted) <= {("create_token", "401"), ("list_tasks", "401")}
            assert sum(counted.values()) <= {"password": 6, "aksk": 15}[auth]
            assert after.withdrawable(NIGHTLY) == {}
            longest = {"password": 15 * 60, "aksk": 6 * 60}[auth]
            that.fault("")
            await that.pass_time(longest + INTERVAL + SETTLED)
            check_well(await that.scrape())
            assert (await that.scrape()).runs(NIGHTLY) == that.truth(NIGHTLY)

    run(main())


def test_an_hour_of_silence() -> None:
    """Nobody answers for an hour: nothing is missed meanwhile that was not, and nothing is lost after it."""

    async def main() -> None:
        async with stage() as that:
            await that.pass_time(3 * INTERVAL)
            before = await that.scrape()
            for minutes, status in ((0.2, "FAIL"), (20, "SUCCESS"), (40, "FAIL"), (55, "SKIP")):
                that.plant(status, minutes)
            that.heard()
            that.fault("stall@all")
            await that.pass_time(3600)
            lines = that.heard()
            assert {line["event"] for line in lines} <= LINES
            assert 55 <= sum(line["event"] == "a cycle failed" for line in lines) <= 61
            silent = await that.scrape()
            assert set(gained(silent, before)) == {("list_tasks", "timeout"), ("list_records", "timeout")}
            assert silent.value("workspace_task_expected_run_timestamp_seconds", task_id=NIGHTLY) is None
            await that.heal()
            await check_recovery(that)
            assert that.truth(EVENTS) == {"success": 1, "failed": 2, "skipped": 1}

    run(main())


@pytest.mark.parametrize("spec", ["stall", "429=1", "500", "401", "bomb=12M", "deep", "endless"])
def test_one_project_s_trouble_is_its_own(spec: str) -> None:
    """While one project hangs or storms, the other's cycles keep their time, to the second."""

    async def main() -> None:
        async with stage("prod", "test", auth="password", polling={"max_tasks": 60}) as that:
            await that.pass_time(3 * INTERVAL)
            project_id = that.worlds[0].project.id
            that.fault(",".join(f"{spec}@{where}/{project_id}" for where in ("list", "records", "show")))
            ended, scrape = set(), await that.scrape()
            for _ in range(15):
                await that.pass_time(20)
                scrape = await that.scrape()
                ended.add(
                    scrape.value("workspace_exporter_last_successful_poll_timestamp_seconds", project="test")
                )
            times = sorted(time for time in ended if time is not None)
            assert 5 <= len(times) <= 6
            assert all(abs(later - earlier - INTERVAL) < 1 for earlier, later in pairwise(times))
            assert scrape.value(POLL, project="prod") == 0
            check_well(scrape, "test")
            that.fault("")
            await that.pass_time(INTERVAL + SETTLED)
            check_well(await that.scrape())

    run(main())
