"""One read of one task: what is folded in, what is shown, what is the task's failure and what is not."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from exporter.errors import ApiError, CredentialsError, NotFoundError, StatusError
from exporter.polling import Due
from exporter.reader import Reader
from exporter.records import RecordDetail
from exporter.tracking import TrackedTask
from tests.stories.clock import EPOCH, ManualClock
from tests.stories.recorders import Reports
from tests.stories.upstream import ListUpstream, forbidden, missing, refused, server_error
from tests.stories.watch import DAILY, configured, listed, record

NEW = Due("new", 0.0, whole=True)


class Desk:
    """A reader, an upstream, a task that is listed, and what came of its reads."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.upstream = ListUpstream(sleep=self.clock.sleep)
        self.published = 0
        self.failures: list[ApiError] = []
        config = configured()
        self.task = TrackedTask("prod", "a", None, config, now=EPOCH, moment=self.clock.monotonic())
        self.task.listed(listed("a"), new=False, project_id="p1", now=EPOCH)
        self.reader = Reader(
            self.upstream,
            Reports(),
            self.clock.clocks,
            history=100,
            publish=self._publish,
            log=structlog.get_logger(),
        )

    async def records(self) -> None:
        """Read the records, as was decided ten seconds ago."""
        moment = self.clock.monotonic()
        self.clock.pass_time(10)
        await self.reader.records(self.task, NEW, moment, self._failed)

    def _publish(self, task: TrackedTask) -> None:
        assert task is self.task
        self.published += 1

    def _failed(self, task: TrackedTask, error: ApiError) -> None:
        assert task is self.task
        self.failures.append(error)


async def test_a_good_read_is_folded_in_and_shown() -> None:
    """It is current as of its answer, and its next turn is reckoned from when it was decided on."""
    desk = Desk()
    desk.upstream.records["a"] = [record("r1", EPOCH - 60)]
    await desk.records()
    assert (desk.published, desk.failures, desk.task.state.last_poll) == (1, [], EPOCH + 10)
    assert desk.task._progress.read_at == desk.clock.monotonic() - 10


@pytest.mark.parametrize("error", [server_error, forbidden, missing])
async def test_a_failed_read_is_the_tasks_and_told(error: Any) -> None:
    """Also "it does not exist", of a task that the list holds."""
    desk = Desk()
    desk.upstream.fail("list_records", error=error)
    await desk.records()
    assert (desk.published, len(desk.failures), desk.task.failing) == (1, 1, True)
    assert (desk.task.state.found, desk.task.state.poll_error) == (True, desk.failures[0])


async def test_a_task_that_no_list_holds_may_not_exist() -> None:
    """That is no failure."""
    desk = Desk()
    desk.task.unlisted(project_id="p1", now=EPOCH)
    await desk.records()
    assert (desk.published, desk.failures, desk.task.state.found) == (1, [], False)


async def test_refused_credentials_are_not_the_tasks_trouble() -> None:
    """They are raised, and nothing is shown."""
    desk = Desk()
    desk.upstream.fail("list_records", error=refused)
    with pytest.raises(CredentialsError):
        await desk.records()
    assert (desk.published, desk.task.failing) == (0, False)


async def test_schedules_and_details_are_folded_in_and_shown_and_their_errors_raised() -> None:
    """Whoever asked decides what a failure means."""
    desk = Desk()
    desk.upstream.schedules["a"] = DAILY
    desk.upstream.records["a"] = [record("r1", EPOCH - 60)]
    desk.upstream.details["a", "r1"] = [RecordDetail("d", status="SUCCESS", end=EPOCH)]
    await desk.records()
    await desk.reader.schedule(desk.task)
    await desk.reader.details(desk.task)
    assert desk.published == 3
    assert (desk.task.state.schedule, desk.task.state.details is not None) == (DAILY, True)
    desk.upstream.records["a"] = [record("r2", EPOCH - 30)]
    await desk.records()
    for operation, read in (
        ("show_task", desk.reader.schedule),
        ("list_record_details", desk.reader.details),
    ):
        desk.upstream.fail(operation)
        with pytest.raises(StatusError):
            await read(desk.task)
    assert desk.published == 4


async def test_a_task_deleted_since_its_records_were_read_is_no_failure_of_its_schedule() -> None:
    """Where no list holds it; one that the list holds must have a schedule."""
    desk = Desk()
    with pytest.raises(NotFoundError):
        await desk.reader.schedule(desk.task)
    desk.task.unlisted(project_id="p1", now=EPOCH)
    await desk.reader.schedule(desk.task)
    assert (desk.published, desk.task.schedule_wanted) == (0, True)


async def test_without_a_finished_run_there_are_no_details_to_ask_for() -> None:
    """Nothing is sent."""
    desk = Desk()
    await desk.reader.details(desk.task)
    assert (desk.upstream.calls, desk.published) == ([], 0)
