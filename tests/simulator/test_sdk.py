"""The vendor's own Python SDK as a foreign client of the simulated cloud, over a real socket."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkworkspace.v2 import (
    ListScheduledTasksRecordsDetailsRequest,
    ListScheduledTasksRecordsRequest,
    ListScheduledTasksRequest,
    ShowScheduledTasksRequest,
    WorkspaceClient,
)

from exporter.simulator import plan as plans
from exporter.simulator.app import create_app
from exporter.simulator.planting import PlantedRun
from exporter.simulator.serving import serving
from exporter.simulator.world import World
from tests.simulator.client import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.runs import Run
    from exporter.simulator.service import Service

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


class _Planted:
    """A world with one timed task, whose newest run failed in part, and one triggered task."""

    def __init__(self) -> None:
        now = int(time.time())
        self.world = World(seed=9)
        self.task_id = self.world.add_task(
            plans.weekly("2,6", "07:30:00", "Asia/Shanghai"),
            now,
            name="早班 start",
            history_days=90,
            desktops=130,
        )
        self.run: Run = self.world.plant_run(
            self.task_id, PlantedRun(now - 600, failed=3, codes=(("failed", "WKS.00010302", 3),))
        )
        self.event = self.world.add_task(plans.triggered("POST_REBUILD_DESKTOP_SUCCESS"), now)
        self.app = create_app(self.world)
        self.service: Service = self.app.state.service

    async def use(self, work: Callable[[str], None]) -> None:
        """Serve the world on a free port while a thread works with its URL."""
        async with serving(self.app, port=0) as url:
            await asyncio.to_thread(work, url)


def _client(url: str, credentials: BasicCredentials, region: Region | None = None) -> Any:
    builder = WorkspaceClient.new_builder().with_credentials(credentials)
    return (builder.with_region(region) if region else builder.with_endpoint(url)).build()


async def test_the_sdk_reads_tasks_records_and_details() -> None:
    """List, show, records and details with AK/SK: what it decodes is what was planted."""
    planted = _Planted()
    world, task_id, run = planted.world, planted.task_id, planted.run

    def work(url: str) -> None:
        keys = BasicCredentials(ACCOUNT.access_key, ACCOUNT.secret_key, world.project.id)
        client = _client(url, keys)
        listed = client.list_scheduled_tasks(ListScheduledTasksRequest(offset=0, limit=50))
        assert listed.total_count == 1
        task = listed.scheduled_tasks[0]
        assert (task.id, task.task_name, task.last_status, task.enable) == (
            task_id,
            "早班 start",
            "SUCCESS",
            True,
        )
        assert task.next_execution_time.endswith("07:30:00 GMT+08:00")
        event = ListScheduledTasksRequest(offset=0, limit=50, scheduled_type="LIFE_CYCLE")
        assert [row.id for row in client.list_scheduled_tasks(event).scheduled_tasks] == [planted.event]
        named = ListScheduledTasksRequest(offset=0, limit=50, task_name="早班 s")
        assert client.list_scheduled_tasks(named).total_count == 1
        shown = client.show_scheduled_tasks(ShowScheduledTasksRequest(task_id))
        assert (shown.week_list, shown.scheduled_time, shown.time_zone) == (
            "2,6",
            "07:30:00",
            "Asia/Shanghai",
        )
        records = client.list_scheduled_tasks_records(
            ListScheduledTasksRecordsRequest(task_id=task_id, offset=0, limit=100)
        )
        assert (
            records.total_count == len(records.tasks_records) == len(list(world.runs(task_id, time.time())))
        )
        newest = records.tasks_records[0]
        assert (newest.id, newest.success_num, newest.failed_num, newest.skip_num) == (run.id, 127, 3, 0)
        details = [
            client.list_scheduled_tasks_records_details(
                ListScheduledTasksRecordsDetailsRequest(
                    task_id=task_id, record_id=run.id, offset=offset, limit=100
                )
            )
            for offset in (0, 100)
        ]
        rows = [row for page in details for row in page.tasks_records_details]
        assert (len(rows), details[0].total_count) == (130, 130)
        failed = [row for row in rows if row.exec_status == "FAIL"]
        assert {(row.result_code, row.fail_reason) for row in failed} == {("WKS.00010302", "任务冲突")}
        assert len(failed) == 3

    await planted.use(work)
    assert planted.service.tally.statuses == {
        ("list_tasks", 200): 3,
        ("show_task", 200): 1,
        ("list_records", 200): 1,
        ("list_record_details", 200): 2,
    }


async def test_the_sdk_finds_the_project_by_its_region() -> None:
    """Without a project id it asks IAM, with a signature, and goes on with the id it gets."""
    planted = _Planted()

    def work(url: str) -> None:
        keys = BasicCredentials(ACCOUNT.access_key, ACCOUNT.secret_key).with_iam_endpoint(url)
        client = _client(url, keys, Region("cn-north-4", url))
        assert client.list_scheduled_tasks(ListScheduledTasksRequest(offset=0, limit=1)).total_count == 1

    await planted.use(work)
    assert planted.service.tally.statuses["list_projects", 200] == 1


async def test_the_sdk_signs_with_temporary_keys() -> None:
    """Keys of the metadata service, with their security token."""
    planted = _Planted()
    pair = planted.service.identity.temporary_keys(3600, time.time())

    def work(url: str) -> None:
        keys = BasicCredentials(pair.access_key, pair.secret_key, planted.world.project.id)
        client = _client(url, keys.with_security_token(pair.security_token))
        assert client.list_scheduled_tasks(ListScheduledTasksRequest(offset=0, limit=1)).total_count == 1

    await planted.use(work)


async def test_the_sdk_understands_the_errors() -> None:
    """Code, message, request id and status of a wrong key, a missing task, a wrong page, no permission."""
    planted = _Planted()
    project_id = planted.world.project.id

    def failure(call: Callable[[], object]) -> tuple[int, str, str]:
        with pytest.raises(ClientRequestException) as caught:
            call()
        error = caught.value
        assert error.request_id
        return error.status_code, error.error_code, error.error_msg

    def work(url: str) -> None:
        wrong = _client(url, BasicCredentials(ACCOUNT.access_key, "guess", project_id))
        page = ListScheduledTasksRequest(offset=0, limit=1)
        status, code, message = failure(lambda: wrong.list_scheduled_tasks(page))
        assert (status, code) == (401, "APIGW.0301")
        assert "verify aksk signature fail" in message
        client = _client(url, BasicCredentials(ACCOUNT.access_key, ACCOUNT.secret_key, project_id))
        missing = ListScheduledTasksRecordsRequest(task_id="nobody")
        assert failure(lambda: client.list_scheduled_tasks_records(missing))[::2] == (
            404,
            "The scheduled task does not exist",
        )
        big = ListScheduledTasksRequest(offset=0, limit=51)
        assert failure(lambda: client.list_scheduled_tasks(big))[0] == 400
        planted.service.faults.put("403:x1")
        assert failure(lambda: client.list_scheduled_tasks(page))[:2] == (403, "WKS.00010403")

    await planted.use(work)
