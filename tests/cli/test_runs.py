"""`runs`: a task's newest runs, and the desktops of those that did not succeed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from exporter.cli.runs import read_runs
from exporter.cli.runsoutput import Runs
from exporter.config import Config
from exporter.simulator.options import Options
from exporter.simulator.planting import PlantedRun
from exporter.simulator.world import World
from tests.cli.cloud import Cloud, write_config
from tests.cli.conftest import Invoke
from tests.cli.outcome import Outcome
from tests.cli.still import DAY, HOUR, NOW, Still, unheard


async def read(
    cloud: Still, task: str, *, limit: int = 10, details: bool = False, config: Config | None = None
) -> tuple[Runs, bool]:
    """What is found of a task that is there."""
    found, good = await read_runs(
        config or cloud.config(), task, cloud.live, unheard, limit=limit, details=details
    )
    assert found is not None
    return found, good


def statuses(found: Runs) -> list[str | None]:
    """The runs' statuses, newest first."""
    return [run.status for run in found.runs]


async def test_the_newest_runs_newest_first() -> None:
    """As many as asked for, however the API lists them."""
    for order in ("newest", "oldest", "unordered"):
        cloud = Still(options=Options(order=order))
        task = cloud.add("nightly stop", history_days=400)
        found, good = await read(cloud, task, limit=7)
        starts = [run.record.start for run in found.runs]
        assert good
        assert starts == sorted(starts, reverse=True)
        assert len(starts) == 7
        assert NOW - 3 * HOUR < starts[0] < NOW
        assert starts[0] - starts[-1] == pytest.approx(6 * DAY, abs=HOUR)


async def test_more_runs_than_the_daemon_looks_at() -> None:
    """`history` bounds the daemon, --limit this command."""
    cloud = Still()
    task = cloud.add("nightly stop", history_days=300)
    found, _ = await read(cloud, task, limit=250, config=cloud.config(polling={"history": 1}))
    assert len(found.runs) == 250
    assert found.task.history
    assert found.task.history.total == 300


async def test_a_run_in_progress_is_among_them() -> None:
    """It has no status yet."""
    cloud = Still()
    task = cloud.add("nightly stop")
    cloud.world.plant_run(task, PlantedRun(int(NOW - 60), duration=None))
    found, _ = await read(cloud, task, limit=2)
    assert statuses(found) == [None, "success"]


async def test_the_desktops_of_each_run_that_did_not_succeed() -> None:
    """With result_code and fail_reason; of the others none are read."""
    cloud = Still()
    task = cloud.add("nightly stop", desktops=4, history_days=2)
    codes = (("failed", "WKS.00010302", 2), ("skipped", "WKS.00010401", 1))
    cloud.world.plant_run(task, PlantedRun(int(NOW - 1800), failed=2, skipped=1, codes=codes))
    found, good = await read(cloud, task, details=True)
    assert good
    assert statuses(found)[0] == "partial"
    partial = found.runs[0].record.id
    assert set(found.desktops) == {partial}
    desktops = found.desktops[partial].unsuccessful
    assert [desktop.outcome for desktop in desktops] == ["failed", "failed", "skipped"]
    assert {desktop.detail.result_code for desktop in desktops[:2]} == {"WKS.00010302"}
    assert {desktop.detail.fail_reason for desktop in desktops[:2]} == {"任务冲突"}
    assert (found.desktops[partial].read, found.desktops[partial].unread) == (4, 0)
    assert cloud.asked("list_record_details") == 1


async def test_without_details_no_desktop_is_read() -> None:
    """Not even those of the last run, which the daemon would read."""
    cloud = Still()
    task = cloud.add("nightly stop", behaviour="failing")
    found, _ = await read(cloud, task)
    assert found.desktops == {}
    assert cloud.asked("list_record_details") == 0


async def test_a_missing_permission_for_details(capsys: pytest.CaptureFixture[str]) -> None:
    """Said once, with the action; the runs are shown all the same."""
    cloud = Still(faults="403@details")
    task = cloud.add("nightly stop", behaviour="failing")
    found, good = await read(cloud, task, details=True)
    assert not good
    assert len(found.runs) == 5
    assert cloud.asked("list_record_details") == 1
    assert (
        "Attach an identity policy that allows workspace:scheduledTasks:getRecord" in capsys.readouterr().err
    )


async def test_one_runs_desktops_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The other runs' are."""
    cloud = Still(faults="html@details:x1")
    task = cloud.add("nightly stop", behaviour="failing")
    found, good = await read(cloud, task, details=True)
    assert not good
    assert len(found.desktops) == 4
    assert capsys.readouterr().err.count("A web page came instead of JSON") == 1


async def test_a_task_that_never_ran() -> None:
    """Has no runs, and that is no failure."""
    cloud = Still()
    task = cloud.add("new", history_days=0)
    found, good = await read(cloud, task, details=True)
    assert (found.runs, good) == ((), True)


async def test_records_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Why stands on stderr."""
    cloud = Still(faults="400@records")
    task = cloud.add("nightly stop")
    found, good = await read(cloud, task)
    assert (found.runs, found.task.history, good) == ((), None, False)
    assert "project p0: The API refuses the request: " in capsys.readouterr().err


async def test_a_configured_task_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """It is selected, but there is nothing to show."""
    cloud = Still()
    config = cloud.config({"tasks": [{"id": "gone"}]})
    assert await read_runs(config, "gone", cloud.live, unheard, limit=1, details=True) == (None, False)
    assert capsys.readouterr().err == (
        "workspace-exporter: gone does not exist upstream, though the configuration names it\n"
    )


async def test_an_unknown_task_and_project() -> None:
    """What there is was said (test_target)."""
    cloud = Still()
    for text in ("nope", "nowhere/nope"):
        found = await read_runs(cloud.config(), text, cloud.live, unheard, limit=1, details=False)
        assert found == (None, False)


async def test_another_project_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The task is shown, and the exit code says that it might be in the other one too."""
    cloud = Still(World(seed=1), World(seed=2))
    task = cloud.add("nightly stop")
    wrong = {"auth": {"aksk": {"access_key": "DEMOACCESSKEY0000001", "secret_key": "another"}}}
    config = cloud.config({}, wrong)
    _, good = await read(cloud, task, config=config)
    assert not good
    assert "project p1: The access key is not accepted" in capsys.readouterr().err
    _, good = await read(cloud, f"p0/{task}", config=config)
    assert good


@pytest.fixture
def runs(cloud: Cloud, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return what shows runs of the simulated cloud."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str) -> Outcome:
        path = write_config(tmp_path / "config.yml", cloud.project(), polling={"requests_per_second": 0})
        return invoke("runs", "--config.file", path, *arguments)

    return run


def test_a_table(cloud: Cloud, runs: Invoke) -> None:
    """Start with offset, status, the API's word, counts, the record's id; below it the desktops."""
    task = cloud.add_task(behaviour="failing", desktops=2, name="nightly stop")
    outcome = runs(task, "--limit", "1", "--details")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == f"nightly stop  prod/{task}"
    assert lines[1].split() == ["START", "STATUS", "WORD", "OK", "FAILED", "SKIPPED", "RECORD"]
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+00:00  failed  FAIL +0 +2 +0  [0-9a-f-]{36}$", lines[2]
    )
    assert lines[3] == "1 of 3 records; --limit shows more"
    assert re.match(r".{26} \(failed, [0-9ms]+\): 2 of 2 desktops did not succeed$", lines[5])
    assert lines[6].split() == ["DESKTOP", "OUTCOME", "RESULT", "CODE", "REASON"]
    assert re.match(r"desk-\S+-000  failed +\S+\.\d+ +\S", lines[7])
    assert len(lines) == 9


def test_json(cloud: Cloud, runs: Invoke) -> None:
    """On stdout alone."""
    task = cloud.add_task(behaviour="failing", desktops=2)
    outcome = runs(f"prod/{task}", "--output", "json", "--details")
    assert (outcome.code, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert (document["project"], document["id"], document["records"]) == ("prod", task, 3)
    assert [len(run["desktops"]) for run in document["runs"]] == [2, 2, 2]


def test_an_unknown_task_is_exit_code_1(cloud: Cloud, runs: Invoke) -> None:
    """Nothing on stdout; stderr lists what there is."""
    task = cloud.add_task()
    outcome = runs("nope", "--output", "json")
    assert (outcome.code, outcome.out) == (1, "")
    assert f"prod/{task}" in outcome.err


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_wrong_limit(runs: Invoke, limit: str) -> None:
    """One line, exit code 2."""
    runs("8d2e", "--limit", limit).fails_with_one_line(2, "runs: Invalid value for '--limit'")
