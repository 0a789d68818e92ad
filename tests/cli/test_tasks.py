"""`tasks`: every selected task, read live, those in trouble first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from exporter.cli.liveoptions import Output
from exporter.cli.screen import Screen
from exporter.cli.tasks import Question, read_tasks, show_tasks
from exporter.simulator.demo import demo_world
from exporter.simulator.world import World
from exporter.timestamps import parse_zone
from exporter.views import TaskView, Verdict
from exporter.web.viewjson import to_json
from tests.cli.cloud import Cloud, write_config
from tests.cli.conftest import Invoke
from tests.cli.outcome import Outcome
from tests.cli.still import HOUR, NOW, Still, unheard

WRONG_KEYS = {"auth": {"aksk": {"access_key": "DEMOACCESSKEY0000001", "secret_key": "canary-secret-key"}}}


async def names(cloud: Still, question: Question) -> list[str]:
    """The names of the tasks that are found."""
    overview, _ = await read_tasks(cloud.config(), question, cloud.live, unheard)
    return [task.name for task in overview.tasks]


@pytest.fixture
def listing(cloud: Cloud, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return what lists the tasks of the simulated cloud."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str, output: Output = "table") -> Outcome:
        path = write_config(tmp_path / "config.yml", cloud.project(), polling={"requests_per_second": 0})
        return invoke("tasks", "--config.file", path, "--output", output, *arguments)

    return run


async def test_the_worst_comes_first() -> None:
    """By severity, then by project, name and id."""
    cloud = Still(demo_world(NOW))
    overview, good = await read_tasks(cloud.config(), Question(), cloud.live, unheard)
    assert good
    keys = [(task.verdict.severity, task.project, task.name) for task in overview.tasks]
    assert keys == sorted(keys)
    assert overview.tasks[0].verdict is Verdict.FAILED
    assert overview.projects[0].tasks == 41


async def test_the_desktops_are_not_read() -> None:
    """The list costs a call or two for each task, no more."""
    cloud = Still()
    cloud.add("nightly stop", behaviour="failing")
    await read_tasks(cloud.config(), Question(), cloud.live, unheard)
    asked = {operation: number for operation, number in cloud.service.tally.operations.items() if number}
    assert asked == {"list_tasks": 2, "list_records": 1, "show_task": 1}


async def test_a_name_is_searched_and_the_rest_not_read() -> None:
    """As `discovery` searches."""
    cloud = Still()
    for name in ("nightly stop", "weekly stop", "morning start"):
        cloud.add(name)
    assert await names(cloud, Question(name=re.compile("stop$"))) == ["nightly stop", "weekly stop"]
    assert cloud.asked("list_records") == 2


async def test_a_name_that_only_the_schedule_tells_is_found() -> None:
    """Where the list is forbidden, an explicit task is read before its name is known."""
    cloud = Still(faults="403@list")
    ids = [cloud.add("nightly stop"), cloud.add("morning start")]
    config = cloud.config({"tasks": [{"id": task} for task in ids], "discovery": ""})
    question = Question(name=re.compile("nightly"))
    overview, good = await read_tasks(config, question, cloud.live, unheard)
    assert [(task.name, task.enabled) for task in overview.tasks] == [("nightly stop", None)]
    assert good


async def test_a_verdict_is_picked_out() -> None:
    """One of those that the status page knows."""
    cloud = Still(demo_world(NOW))
    assert await names(cloud, Question(verdict=Verdict.MISSED)) == ["start reception, never started today"]


async def test_one_project_alone_is_asked() -> None:
    """The others cost nothing."""
    cloud = Still(World(seed=1), World(seed=2))
    cloud.add("one")
    cloud.add("two", world=cloud.worlds[1])
    assert await names(cloud, Question(project="p1")) == ["two"]
    assert cloud.closed == ["p1"]


async def test_refused_credentials_of_one_project(capsys: pytest.CaptureFixture[str]) -> None:
    """Said on stderr with cause and next step; the other project is shown."""
    cloud = Still(World(seed=1), World(seed=2))
    cloud.add("one")
    overview, good = await read_tasks(cloud.config({}, WRONG_KEYS), Question(), cloud.live, unheard)
    assert not good
    assert [task.name for task in overview.tasks] == ["one"]
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("workspace-exporter: project p1: The access key is not accepted: ")
    assert [line.partition(":")[0] for line in lines[1:3]] == ["  likely cause", "  next step"]
    assert re.fullmatch(r"  code APIGW\.0301, request id [0-9a-f]{32}", lines[3])
    assert len(lines) == 4
    assert "canary" not in err
    assert to_json(overview)["projects"][1]["error"]["cause"] in err


async def test_records_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Their tasks are shown as far as they are known, and counted on stderr."""
    cloud = Still(faults="html@records")
    cloud.add("one")
    overview, good = await read_tasks(cloud.config(), Question(), cloud.live, unheard)
    assert not good
    assert [(task.name, task.verdict) for task in overview.tasks] == [("one", Verdict.STALE)]
    err = capsys.readouterr().err
    assert "project p0: A web page came instead of JSON: " in err
    assert err.endswith("workspace-exporter: project p0: the records of 1 task could not be read\n")


async def test_a_task_is_judged_as_of_when_it_was_read() -> None:
    """The first of many thousands is not stale because the last took so long."""
    cloud = Still(epoch=NOW)
    cloud.add("one")
    world, live = iter([NOW, NOW, NOW, NOW, NOW, NOW]), cloud.live
    later = live.clocks.__class__(
        lambda: next(world, NOW + 5 * HOUR), live.clocks.monotonic, live.clocks.sleep
    )
    live = live.__class__(live.build_client, later)
    overview, _ = await read_tasks(cloud.config(), Question(), live, unheard)
    assert overview.generated_at == NOW + 5 * HOUR
    assert not overview.tasks[0].stale


def test_a_table(cloud: Cloud, listing: Invoke) -> None:
    """A line for each task: verdict, names, type, last run, counts, times with their offset."""
    task = cloud.add_task(desktops=3, task_type="STOP", name="nightly stop")
    outcome = listing()
    assert (outcome.code, outcome.err) == (0, "")
    header, line = outcome.out.splitlines()
    assert re.split(r"\s{2,}", header) == [
        "VERDICT",
        "NAME",
        "TASK",
        "TYPE",
        "ENABLED",
        "LAST RUN",
        "OK/FAILED/SKIPPED",
        "LAST START",
        "NEXT RUN",
    ]
    cells = re.split(r"\s{2,}", line)
    assert cells[:4] == ["ok", "nightly stop", f"prod/{task}", "STOP"]
    assert cells[4:6] == ["yes", "success"]
    assert re.fullmatch(r"\d+/\d+/\d+", cells[6])
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+00:00", cell) for cell in cells[7:])


def test_json_is_the_document_of_the_api(cloud: Cloud, listing: Invoke) -> None:
    """The same as /api/v1/tasks, on stdout alone."""
    task = cloud.add_task()
    outcome = listing(output="json")
    assert (outcome.code, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert [entry["id"] for entry in document["tasks"]] == [task]
    assert set(document) == {"generated_at", "version", "shard", "reload_error", "projects", "tasks"}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--name", "["), ("tasks: Invalid value for '--name'", "'['", "is not a regular expression")),
        (("--verdict", "bad"), ("tasks: Invalid value for '--verdict'", "'failed'", "'missed'", "'ok'")),
        (("--project", "p"), ("--project: no project is called 'p'; there are: prod",)),
        (("--output", "xml"), ("tasks: Invalid value for '--output'", "'table'", "'json'")),
    ],
)
def test_wrong_usage_is_one_line(listing: Invoke, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """Exit code 2, and what there is to choose from."""
    outcome: Outcome = listing(*arguments)
    outcome.fails_with_one_line(2, *parts)


def test_a_verdict_is_compared_without_case(cloud: Cloud, listing: Invoke) -> None:
    """People type it as they like."""
    cloud.add_task()
    assert "task" in listing("--verdict", "OK").out


def test_no_task(listing: Invoke) -> None:
    """Said on stderr; an empty list is no failure, and as JSON an empty list."""
    outcome = listing()
    assert (outcome.code, outcome.out) == (0, "")
    said = "no task is selected: `discovery` finds none, and `tasks` names none"
    assert outcome.err == f"workspace-exporter: {said}\n"
    assert json.loads(listing(output="json").out)["tasks"] == []


def test_no_task_that_was_asked_for(cloud: Cloud, listing: Invoke) -> None:
    """The line says how many there are, and what they were to be."""
    cloud.add_task("8d2e")
    said = listing("--name", "zzz", "--verdict", "failed").err
    assert said == (
        "workspace-exporter: none of 1 selected tasks is as was asked for (--name zzz, --verdict failed)\n"
    )


def test_what_could_not_be_read_is_not_called_nothing(cloud: Cloud, listing: Invoke) -> None:
    """Why there is no list has been told; that no task is selected would be a guess."""
    cloud.service.faults.put("403@list")
    outcome = listing()
    assert outcome.code == 1
    assert "A permission is missing" in outcome.err
    assert "is selected" not in outcome.err


def test_a_bad_configuration(invoke: Invoke, tmp_path: Path) -> None:
    """Exit code 2 with one line that names file and key."""
    path = write_config(tmp_path / "config.yml")
    invoke("tasks", "--config.file", path).fails_with_one_line(2, str(path), "projects")


def test_cards_of_tasks_of_which_little_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Readable on forty columns, also a task that was never read."""
    monkeypatch.setenv("COLUMNS", "40")
    show_tasks(Screen(), [TaskView("prod", "8d2e", "x\x1b[31m", Verdict.PENDING)], parse_zone("UTC"))
    assert capsys.readouterr().out == (
        "pending  x\\x1b[31m\n  prod/8d2e\n  of unknown type, enabled: ?\n  last start -\n  next run -\n"
    )


async def test_cards_tell_the_last_run_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On eighty columns a line each; times are in the task's zone."""
    monkeypatch.setenv("COLUMNS", "80")
    cloud = Still()
    task = cloud.add("nightly stop", zone="Asia/Shanghai", behaviour="failing", desktops=1, ago=10 * HOUR)
    overview, _ = await read_tasks(cloud.config(), Question(), cloud.live, unheard)
    show_tasks(Screen(), overview.tasks, parse_zone("UTC"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "failed  nightly stop",
        f"  p0/{task}",
        "  START, enabled: yes",
        "  last run failed: 0 succeeded, 1 failed, 0 skipped",
    ]
    assert lines[4].startswith("  last start 2025-06-15 14:00:")
    assert lines[5] == "  next run 2025-06-16 14:00:00 +08:00"
    assert lines[4].endswith(" +08:00")


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([Verdict.OK], "1 task: 1 ok"),
        ([Verdict.OK, Verdict.FAILED, Verdict.OK, Verdict.MISSED], "4 tasks: 1 failed, 1 missed, 2 ok"),
    ],
)
def test_a_person_is_told_how_many_there_are(
    verdicts: list[Verdict], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By verdict, the worst first; a pipe is not (test_a_table)."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen()
    screen.terminal = True
    show_tasks(screen, [TaskView("prod", "8d2e", "x", verdict) for verdict in verdicts], parse_zone("UTC"))
    assert capsys.readouterr().out.endswith(f"\n\n{said}\n")
