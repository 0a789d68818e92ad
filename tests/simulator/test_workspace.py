"""The four operations of Workspace over HTTP, in one process."""

from __future__ import annotations

import pytest

from exporter.simulator import plan as plans
from exporter.simulator.options import Options
from exporter.simulator.planting import PlantedRun
from exporter.simulator.world import World
from tests.simulator.client import DAY, NOW, Cloud


def _cloud(options: Options | None = None, history_days: int = 30, **members: object) -> tuple[Cloud, str]:
    world = World(seed=2)
    task_id = world.add_task(plans.daily("12:00:00"), NOW, history_days=history_days, **members)  # type: ignore[arg-type]
    return Cloud(world, options), task_id


async def test_tasks_are_listed_in_pages() -> None:
    """Offset counts rows; total_count is of all; a page beyond the end is empty."""
    cloud, _ = _cloud()
    for _ in range(59):
        cloud.world.add_task(plans.daily("06:00:00"), NOW)
    first = await cloud.tree(cloud.tasks, offset=0, limit=50)
    second = await cloud.tree(cloud.tasks, offset=50, limit=50)
    assert (len(first["scheduled_tasks"]), len(second["scheduled_tasks"])) == (50, 10)
    ids = [row["id"] for page in (first, second) for row in page["scheduled_tasks"]]
    assert len(set(ids)) == first["total_count"] == second["total_count"] == 60
    assert await cloud.tree(cloud.tasks, offset=60, limit=50) == {"scheduled_tasks": [], "total_count": 60}


async def test_triggered_tasks_are_listed_only_where_asked_for() -> None:
    """With scheduled_type=LIFE_CYCLE, and then alone; an empty filter is none."""
    cloud, task_id = _cloud()
    event = cloud.world.add_task(plans.triggered("POST_CREATE_DESKTOP_SUCCESS"), NOW)
    plain = await cloud.tree(cloud.tasks, offset=0, limit=50, scheduled_type="", task_name="")
    special = await cloud.tree(cloud.tasks, offset=0, limit=50, scheduled_type="LIFE_CYCLE")
    assert [row["id"] for row in plain["scheduled_tasks"]] == [task_id]
    assert [row["id"] for row in special["scheduled_tasks"]] == [event]


async def test_a_list_moves_on_with_the_time() -> None:
    """last_status and next_execution_time change when a run has ended."""
    cloud, task_id = _cloud(behaviour="healthy", history_days=1)
    cloud.world.behave(task_id, "failing", NOW)
    before = (await cloud.tree(cloud.tasks, offset=0, limit=50))["scheduled_tasks"][0]
    cloud.wall += DAY
    after = (await cloud.tree(cloud.tasks, offset=0, limit=50))["scheduled_tasks"][0]
    assert (before["last_status"], after["last_status"]) == ("SUCCESS", "FAIL")
    assert before["next_execution_time"] != after["next_execution_time"]


async def test_records_come_ten_at_a_time_by_default() -> None:
    """Offset and limit may be left out; up to 100 may be asked for, and none."""
    cloud, task_id = _cloud()
    path = f"{cloud.tasks}/{task_id}/records"
    default = await cloud.tree(path)
    assert (len(default["tasks_records"]), default["total_count"]) == (10, 30)
    everything = await cloud.tree(path, offset=0, limit=100)
    assert everything["tasks_records"][:10] == default["tasks_records"]
    assert len(everything["tasks_records"]) == 30
    assert await cloud.tree(path, limit=0) == {"tasks_records": [], "total_count": 30}


async def test_details_of_a_record_in_pages() -> None:
    """All desktops of the run, each once."""
    cloud, task_id = _cloud(desktops=150)
    path = f"{cloud.tasks}/{task_id}/records"
    record = (await cloud.tree(path, limit=1))["tasks_records"][0]
    pages = [await cloud.tree(f"{path}/{record['id']}", offset=offset, limit=100) for offset in (0, 100)]
    rows = [row for page in pages for row in page["tasks_records_details"]]
    assert len({row["id"] for row in rows}) == pages[0]["total_count"] == 150
    assert {row["record_id"] for row in rows} == {record["id"]}


async def test_the_schedule_of_one_task() -> None:
    """ShowScheduledTasks has it, and no state."""
    cloud, task_id = _cloud()
    row = await cloud.tree(f"{cloud.tasks}/{task_id}")
    assert (row["scheduled_time"], row["day_interval"]) == ("12:00:00", 1)
    assert "enable" not in row


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", ""),
        ("", "offset=0"),
        ("", "limit=50"),
        ("", "offset=0&limit=51"),
        ("", "offset=0&limit=0"),
        ("", "offset=-1&limit=50"),
        ("", "offset=0&limit=ten"),
        ("", "offset=%C2%B2&limit=10"),
        ("/{task}/records", "limit=101"),
        ("/{task}/records", "offset=-1"),
        ("/{task}/records", "offset="),
        ("/{task}/records/{record}", ""),
        ("/{task}/records/{record}", "offset=0"),
        ("/{task}/records/{record}", "offset=0&limit=101"),
    ],
)
async def test_beyond_the_limits_is_400(path: str, query: str) -> None:
    """In Workspace's shape, with a code and a reason."""
    cloud, task_id = _cloud()
    record = next(cloud.world.runs(task_id, NOW)).id
    response = await cloud.client.get(f"{cloud.tasks}{path.format(task=task_id, record=record)}?{query}")
    assert response.status_code == 400
    tree = response.json()
    assert tree.keys() == {"error_code", "error_msg", "error_detail", "encoded_authorization_message"}
    assert len(tree["error_code"]) <= 12
    assert "must be" in tree["error_detail"]


@pytest.mark.parametrize("status", [404, 400])
async def test_a_task_that_does_not_exist(status: int) -> None:
    """The message is known, the status is not: both can be had."""
    cloud, task_id = _cloud(Options(missing_status=status))
    for path in ("", "/records", "/records/r?offset=0&limit=1"):
        response = await cloud.client.get(f"{cloud.tasks}/unknown{path}")
        assert response.status_code == status
        assert response.json()["error_msg"] == "The scheduled task does not exist"
    response = await cloud.client.get(f"{cloud.tasks}/{task_id}/records/unknown?offset=0&limit=1")
    assert response.status_code == status
    assert "record does not exist" in response.json()["error_msg"]


async def test_page_sizes_may_be_cut_silently() -> None:
    """With `clamp` a page is shorter than asked for, and the total says so."""
    cloud, task_id = _cloud(Options(clamp=7))
    tree = await cloud.tree(f"{cloud.tasks}/{task_id}/records", limit=100)
    assert (len(tree["tasks_records"]), tree["total_count"]) == (7, 30)


async def test_a_run_under_way_has_rows_of_its_own() -> None:
    """Record and details agree while it goes on."""
    cloud, task_id = _cloud(desktops=10)
    run = cloud.world.plant_run(task_id, PlantedRun(NOW, duration=100))
    cloud.wall += 35
    path = f"{cloud.tasks}/{task_id}/records"
    record = (await cloud.tree(path, limit=1))["tasks_records"][0]
    assert (record["id"], record["status"], record["success_num"]) == (run.id, "RUNNING", 3)
    rows = (await cloud.tree(f"{path}/{run.id}", offset=0, limit=100))["tasks_records_details"]
    assert [row["exec_status"] for row in rows] == ["SUCCESS"] * 3 + ["RUNNING"] + ["WAITING"] * 6


async def test_other_projects_are_closed() -> None:
    """A token opens its own project; the account's keys open none that it has not."""
    one, two = World(seed=1, region="cn-north-4"), World(seed=1, region="eu-west-101")
    cloud = Cloud([one, two])
    response = await cloud.get(f"/v2/{two.project.id}/scheduled-tasks", offset=0, limit=1)
    assert (response.status_code, response.json()["error_code"]) == (403, "APIGW.0302")
    token = await cloud.control("POST", f"tokens?project={two.project.id}", {})
    cloud.client.headers["X-Auth-Token"] = token["token"]
    assert await cloud.tree(f"/v2/{two.project.id}/scheduled-tasks", offset=0, limit=1)


async def test_every_answer_has_a_date_and_a_request_id() -> None:
    """The Date is that of the service's clock, which may be wrong; ids are never the same."""
    cloud, _ = _cloud(Options(clock_skew=90.0))
    first = await cloud.get(cloud.tasks, offset=0, limit=1)
    second = await cloud.get(cloud.tasks, offset=0)
    assert first.headers["date"] == "Sun, 15 Jun 2025 00:01:30 GMT"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["content-type"].startswith("application/json")


async def test_what_is_no_api_is_the_gateway_s_404() -> None:
    """Unknown paths and other methods."""
    cloud, task_id = _cloud()
    for method, path, status in (
        ("GET", "/v2", 404),
        ("GET", f"{cloud.tasks}/{task_id}/other", 404),
        ("DELETE", f"{cloud.tasks}/{task_id}", 405),
    ):
        response = await cloud.client.request(method, path)
        assert (response.status_code, response.json()["error_code"]) == (status, "APIGW.0101")
