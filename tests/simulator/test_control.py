"""The script's way in over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator import plan as plans
from exporter.simulator.world import World
from tests.simulator.client import ACCOUNT, DAY, NOW, Cloud

_NOON = {"scheduled_type": "DAY", "scheduled_time": "12:00:00"}


async def _added(**members: object) -> tuple[Cloud, str]:
    cloud = Cloud(World(seed=4))
    tree = await cloud.control("POST", "tasks", {"plan": _NOON, "desktops": 4, **members})
    return cloud, tree["task_id"]


async def _records(cloud: Cloud, task_id: str) -> list[dict[str, Any]]:
    rows = (await cloud.tree(f"{cloud.tasks}/{task_id}/records", limit=100))["tasks_records"]
    assert isinstance(rows, list)
    return rows


async def test_tasks_come_and_change_and_go() -> None:
    """Added with a past, renamed, edited, switched off and on, deleted: all from the simulated now on."""
    cloud, task_id = await _added(name="first", history_days=3, behaviour="failing", task_id="mine")
    assert task_id == "mine"
    assert [row["status"] for row in await _records(cloud, task_id)] == ["FAIL"] * 3
    await cloud.control("POST", f"tasks/{task_id}/rename", {"name": "second"})
    await cloud.control("POST", f"tasks/{task_id}/edit", {"plan": {**_NOON, "scheduled_time": "06:00:00"}})
    await cloud.control("POST", f"tasks/{task_id}/disable", {})
    row = (await cloud.tree(cloud.tasks, offset=0, limit=1))["scheduled_tasks"][0]
    assert (row["task_name"], row["enable"], row["next_execution_time"]) == ("second", False, "")
    await cloud.control("POST", f"tasks/{task_id}/enable", {})
    row = (await cloud.tree(cloud.tasks, offset=0, limit=1))["scheduled_tasks"][0]
    assert row["next_execution_time"] == "2025-06-15 06:00:00 GMT+00:00"
    await cloud.control("POST", f"tasks/{task_id}/behave", {"behaviour": "missed"})
    cloud.wall += DAY
    ledger = await cloud.control("GET", f"ledger?since={NOW}")
    assert ledger["misses"] == [{"task_id": task_id, "due": NOW + 6 * 3600}]
    await cloud.control("POST", f"tasks/{task_id}/delete", {})
    assert (await cloud.get(f"{cloud.tasks}/{task_id}")).status_code == 404
    kinds = [change["kind"] for change in (await cloud.control("GET", "ledger"))["changes"]]
    assert kinds == ["added", "renamed", "edited", "disabled", "enabled", "behaved", "deleted"]


async def test_runs_are_planted_and_finished() -> None:
    """At once, in a while, or for the next occurrence; with codes, bent fields and fields left out."""
    cloud, task_id = await _added()
    path = f"tasks/{task_id}"
    run = await cloud.control("POST", f"{path}/run", {"duration": None, "status": "SUCCESS"})
    assert (run["start"], run["end"]) == (NOW, None)
    assert [row["status"] for row in await _records(cloud, task_id)] == ["RUNNING"]
    await cloud.control("POST", f"{path}/run", {"start": NOW + 10, "duration": 5})
    cloud.wall += 30
    ended = {"run_id": run["id"], "status": "FAIL", "success": 1, "failed": 3}
    assert (await cloud.control("POST", f"{path}/finish", ended))["status"] == "failed"
    later = {
        "in": 60,
        "failed": 2,
        "codes": [["failed", "X.1", 2]],
        "omitted": ["skip_num"],
        "wire": {"extra": 1},
    }
    planted = await cloud.control("POST", f"{path}/run", later)
    assert (planted["start"], planted["status"]) == (NOW + 90, "partial")
    assert len(await _records(cloud, task_id)) == 2
    next_one = await cloud.control("POST", f"{path}/run", {"replaces": "next", "status": "SKIP"})
    assert next_one["start"] == NOW + DAY // 2
    cloud.wall = NOW + 150.0
    newest = (await _records(cloud, task_id))[0]
    assert (newest["failed_num"], newest["extra"], "skip_num" in newest) == (2, 1, False)
    cloud.wall = NOW + float(DAY)
    assert [row["status"] for row in await _records(cloud, task_id)] == ["SKIP", "SUCCESS", "SUCCESS", "FAIL"]
    exact = {"start": NOW + 2 * DAY, "replaces": NOW + DAY + DAY // 2}
    assert (await cloud.control("POST", f"{path}/run", exact))["start"] == NOW + 2 * DAY


async def test_the_next_occurrence_is_missed_unless_another_is_named() -> None:
    """The answer says which one it is."""
    cloud, task_id = await _added()
    assert await cloud.control("POST", f"tasks/{task_id}/miss", {}) == {"due": NOW + DAY // 2}
    other = {"due": NOW + DAY + DAY // 2}
    assert await cloud.control("POST", f"tasks/{task_id}/miss", other) == other
    cloud.wall += 3 * DAY
    assert len(await _records(cloud, task_id)) == 1


async def test_the_ledger_in_a_window_and_with_desktops() -> None:
    """?since, ?until, ?task_id and ?desktops=1."""
    cloud, task_id = await _added(history_days=10)
    assert len((await cloud.control("GET", "ledger"))["runs"]) == 10
    window = f"ledger?since={NOW - 3 * DAY}&until={NOW - DAY}&task_id={task_id}&desktops=1"
    runs = (await cloud.control("GET", window))["runs"]
    assert [len(run["desktops"]) for run in runs] == [4, 4]
    assert {desktop["status"] for run in runs for desktop in run["desktops"]} == {"SUCCESS"}


async def test_the_clock_leaps() -> None:
    """And says what time it is."""
    cloud, _ = await _added()
    assert await cloud.control("GET", "clock") == {"now": NOW, "wall": NOW, "speed": 1.0}
    assert (await cloud.control("POST", "clock", {"advance": 90}))["now"] == NOW + 90


async def test_faults_are_switched() -> None:
    """Put, seen and ended; the answer counts whom they struck."""
    cloud, task_id = await _added()
    await cloud.control("PUT", "faults", {"spec": "500@show"})
    assert (await cloud.get(f"{cloud.tasks}/{task_id}")).status_code == 500
    seen = await cloud.control("GET", "faults")
    assert seen == {"spec": "500@show", "rules": [{"fault": "500", "seen": 1, "struck": 1}]}
    assert await cloud.control("DELETE", "faults") == {"spec": "", "rules": []}
    assert (await cloud.get(f"{cloud.tasks}/{task_id}")).status_code == 200


async def test_options_are_changed() -> None:
    """Those of the service's habits; its credentials are not shown."""
    cloud, task_id = await _added(history_days=2)
    newest = await _records(cloud, task_id)
    tree = await cloud.control("PATCH", "options", {"order": "oldest", "times": "rfc3339"})
    assert (tree["order"], tree["times"]) == ("oldest", "rfc3339")
    assert await _records(cloud, task_id) == newest[::-1]
    assert "credentials" not in await cloud.control("GET", "options")


async def test_tokens_are_issued_and_revoked() -> None:
    """A new one of any lifetime; after a revocation none is good."""
    cloud, _ = await _added()
    token = (await cloud.control("POST", "tokens", {"lifetime": 60}))["token"]
    headers = {"X-Auth-Token": token}
    query = {"offset": "0", "limit": "1"}
    assert (await cloud.client.get(cloud.tasks, headers=headers, params=query)).status_code == 200
    await cloud.control("DELETE", "tokens")
    for text in (token, ACCOUNT.token):
        answer = await cloud.client.get(cloud.tasks, headers={"X-Auth-Token": text}, params=query)
        assert answer.status_code == 401


async def test_a_project_is_chosen_by_its_id() -> None:
    """Without one the first is meant."""
    one, two = World(seed=1), World(seed=2)
    cloud = Cloud([one, two])
    made = await cloud.control("POST", f"tasks?project={two.project.id}", {"plan": _NOON})
    assert [task.id for task in two.tasks(NOW)] == [made["task_id"]]
    assert one.tasks(NOW) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "tasks", {}, "plan is missing"),
        ("POST", "tasks", [], "no JSON object"),
        ("POST", "tasks", {"plan": {}}, "scheduled_type is missing"),
        ("POST", "tasks", {"plan": {**_NOON, "zone": "UTC"}}, "'zone' is none of"),
        ("POST", "tasks", {"plan": {**_NOON, "day_interval": True}}, "day_interval: True is no int"),
        ("POST", "tasks", {"plan": {**_NOON, "time_zone": "Mars"}}, "'Mars' is not known"),
        ("POST", "tasks", {"plan": _NOON, "behaviour": "dancing"}, "'dancing' is none of"),
        ("POST", "tasks", {"plan": _NOON, "desktops": "many"}, "desktops: 'many' is no int"),
        ("POST", "tasks/{}/dance", {}, "'dance' is none of rename"),
        ("POST", "tasks/{}/rename", {}, "name is missing"),
        ("POST", "tasks/{}/disable", {"why": ""}, "'why' is none of nothing"),
        ("POST", "tasks/{}/run", {"replaces": "last"}, "replaces is"),
        ("POST", "tasks/{}/run", {"replaces": 7, "start": NOW}, "does not run at 7"),
        ("POST", "tasks/{}/run", {"codes": [["good", "X", 1]]}, "is no \\[failed or skipped"),
        ("POST", "tasks/{}/run", {"codes": ["X"]}, "is no \\[failed or skipped"),
        ("POST", "tasks/{}/finish", {"run_id": "unheard"}, "has no run unheard"),
        ("POST", "tasks/{}/miss", {"due": 7}, "does not run at 7"),
        ("POST", "clock", {"advance": -1}, "go back"),
        ("POST", "clock", {}, "advance is missing"),
        ("PUT", "faults", {"spec": "teapot"}, "teapot"),
        ("PATCH", "options", {"order": 7}, "wrong type"),
        ("PATCH", "options", [], "no JSON object"),
        ("GET", "ledger?since=never", None, "never"),
        ("GET", "ledger?project=other", None, "no project other"),
    ],
)
async def test_a_bad_script_is_told_why(method: str, path: str, body: Any, message: str) -> None:
    """400 with one sentence; nothing has changed."""
    cloud, task_id = await _added()
    before = cloud.world.ledger(NOW + 9 * DAY)
    response = await cloud.client.request(method, f"/simulator/{path.format(task_id)}", json=body)
    assert response.status_code == 400
    with pytest.raises(ValueError, match=message):
        raise ValueError(response.json()["error"])
    assert cloud.world.ledger(NOW + 9 * DAY) == before


async def test_scripts_for_nobody_are_404() -> None:
    """An unknown task; a body that is no JSON is 400; a task without a next occurrence cannot miss it."""
    cloud, task_id = await _added()
    response = await cloud.client.post("/simulator/tasks/nobody/disable", json={})
    assert (response.status_code, response.json()) == (404, {"error": "there is no task nobody"})
    assert (await cloud.client.post("/simulator/tasks", content=b"{")).status_code == 400
    cloud.world.edit(task_id, plans.triggered("POST_CREATE_DESKTOP_SUCCESS"), NOW)
    response = await cloud.client.post(f"/simulator/tasks/{task_id}/miss", json={})
    assert (response.status_code, response.json()["error"]) == (400, "the task has no next occurrence")
