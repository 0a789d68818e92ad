"""`explain`: from the alert back to the API's field, on a screen of 80 columns."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from exporter.catalog import TASK_METRICS
from exporter.cli.explain import read_explanation
from exporter.cli.explainoutput import Explained, show_explanation
from exporter.cli.screen import Screen
from exporter.config import Config, Statuses
from exporter.details import DesktopFailure, RunDetails
from exporter.explanation import explain
from exporter.history import Run
from exporter.overview import view_task
from exporter.records import Record
from exporter.simulator.demo import demo_world
from exporter.simulator.world import World
from exporter.state import TaskState
from exporter.terminaltext import local_time
from exporter.timestamps import parse_zone
from tests.cli.cloud import Cloud, write_config
from tests.cli.conftest import Invoke
from tests.cli.still import NOW, Still, unheard
from tests.states import START, history, task_state

Printed = pytest.CaptureFixture[str]


async def read(cloud: Still, task: str, config: Config | None = None) -> tuple[Explained, bool]:
    """What is found of a task that is there."""
    found, good = await read_explanation(config or cloud.config(), task, cloud.live, unheard)
    assert found is not None
    return found, good


def firing(found: Explained) -> list[str]:
    """The alerts that fire."""
    return [alert.name for alert in found.why.alerts if alert.state == "firing"]


def explained(state: TaskState) -> Explained:
    """A task, and why it is so."""
    clock = partial(local_time, zone=state.time_zone, default=parse_zone("UTC"))
    now = START + 200
    why = explain(state, statuses=Statuses(), now=now, interval=60.0, clock=clock)
    return Explained(state, view_task(state, now, 60.0), why, now, clock)


def shown(found: Explained, capsys: Printed, monkeypatch: pytest.MonkeyPatch, width: str = "80") -> str:
    """What is printed on a screen so wide."""
    monkeypatch.setenv("COLUMNS", width)
    show_explanation(Screen(), found)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "alerts"),
    [
        (
            "nightly stop, failing for days",
            ["WorkspaceTaskRunFailed", "WorkspaceTaskFailingRepeatedly", "WorkspaceTaskNoRecentSuccess"],
        ),
        ("start reception, never started today", ["WorkspaceTaskRunMissed"]),
        ("rebuild, stuck for hours", ["WorkspaceTaskRunStuck"]),
        ("reboot, partly failed", ["WorkspaceTaskRunPartiallyFailed"]),
        ("start finance 1", []),
    ],
)
async def test_the_alerts_of_the_demonstrations_tasks(name: str, alerts: list[str]) -> None:
    """Each kind of trouble raises its own."""
    cloud = Still(demo_world(NOW))
    task = next(task.id for task in cloud.world.tasks(NOW) if task.timeline.chapter(NOW).name == name)
    found, good = await read(cloud, task)
    assert firing(found) == alerts
    assert good
    assert len(found.why.metrics) == len(TASK_METRICS)


async def test_one_task_alone_is_read() -> None:
    """Its records, its schedule, the desktops of its last run."""
    cloud = Still()
    task = cloud.add("nightly stop", behaviour="failing")
    cloud.add("morning start")
    await read(cloud, task)
    asked = {operation: number for operation, number in cloud.service.tally.operations.items() if number}
    assert asked == {"list_tasks": 2, "list_records": 1, "show_task": 1, "list_record_details": 1}


async def test_a_configured_task_that_does_not_exist_is_explained() -> None:
    """That is what the person who was paged wants to hear."""
    cloud = Still()
    found, good = await read(cloud, "gone", cloud.config({"tasks": [{"id": "gone"}]}))
    assert firing(found) == ["WorkspaceTaskNotFound"]
    assert good


async def test_a_task_that_cannot_be_read(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why stands on stderr; what the list tells is explained all the same."""
    cloud = Still(faults="403@records")
    task = cloud.add("nightly stop")
    found, good = await read(cloud, task)
    assert not good
    assert "workspace:scheduledTasks:listRecords" in capsys.readouterr().err
    text = shown(found, capsys, monkeypatch)
    assert "\nAlerts of which one look cannot tell whether they fire\n" in text
    assert "\n  workspace_task_enabled 1\n" in text
    assert "\n  workspace_task_records\n    Absent: its records could not be read.\n" in text


async def test_an_unknown_task_and_project() -> None:
    """What there is was said (test_target)."""
    cloud = Still(World(seed=1))
    for text in ("nope", "nowhere/nope"):
        assert await read_explanation(cloud.config(), text, cloud.live, unheard) == (None, False)


def test_what_is_read_at_three_in_the_morning(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task, then what fires and why, then the desktops; each line within eighty columns."""
    run = Run(Record("2b31e-d520", START, "SUCCESS", 0, 3, 1), "failed")
    failures = tuple(
        DesktopFailure("failed", name, "WKS.1", "The desktop did not answer.") for name in ("ada", "bob")
    )
    details = RunDetails("2b31e-d520", 130.5, (("failed", "WKS.1", 2), ("failed", "unread", 1)), failures)
    text = shown(explained(task_state(history=history(run), details=details)), capsys, monkeypatch)
    assert text.startswith(
        "failed  nightly stop\n"
        "  prod/8d2e\n"
        "  STOP DAY Asia/Shanghai; enabled\n"
        "  next run 2023-01-01 09:00:00 +08:00, in 23 h\n"
        "  read 2022-12-31 09:03:20 +08:00, now\n"
        "\n"
        "FIRING  WorkspaceTaskRunFailed  critical\n"
        "  what    The last run, started 2022-12-31 09:00:00 +08:00, failed on 3\n"
        "          desktops.\n"
        '  sample  workspace_task_last_run_status{status="failed"} 1\n'
        "  sample  workspace_task_last_run_failed_num 3\n"
        "  rule    The word SUCCESS stands in `statuses.success`, but failed_num is 3 and\n"
        "          success_num 0, and counts can make it worse: failed. The last run is\n"
        "          the finished one with the newest start.\n"
        "  source  ListScheduledTasksRecords: record 2b31e-d520: start_time 2022-12-31\n"
        "          09:00:00 +08:00, status SUCCESS, success_num 0, failed_num 3, skip_num\n"
        "          1\n"
        "  ends    A newer run ends otherwise. The next one is planned for 2023-01-01\n"
        "          09:00:00 +08:00.\n"
        "  runbook docs/runbooks.md#workspacetaskrunfailed\n"
    )
    assert (
        "\n"
        "Desktops of the last run that did not succeed\n"
        "  2 failed  WKS.1\n"
        "    The desktop did not answer.\n"
        "    ada, bob\n"
        "  1 failed  unread\n"
        "  Each of them:\n"
        "    workspace-exporter runs --config.file FILE --details prod/8d2e\n"
        "\n"
        "Alerts that do not fire, and why\n"
    ) in text
    assert max(map(len, text.splitlines())) <= 80
    named = re.findall(r"^  (workspace_task_\w+)", text, re.MULTILINE)
    assert named == [metric.name for metric in TASK_METRICS]


@pytest.mark.parametrize("width", ["30", "80", "300"])
def test_no_line_is_wider_than_the_screen(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    """Long samples fold; on a wide screen prose stays as wide as can be read."""
    lines = shown(explained(task_state()), capsys, monkeypatch, width).splitlines()
    assert max(map(len, lines)) <= min(int(width), 100)


def test_more_desktops_than_are_named(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three stand for the rest."""
    failures = tuple(DesktopFailure("skipped", f"d{n}", "none", "") for n in range(5))
    run = Run(Record("r", START, "SKIP", 0, 0, 5), "skipped")
    details = RunDetails("r", None, (("skipped", "none", 5),), failures)
    text = shown(explained(task_state(history=history(run), details=details)), capsys, monkeypatch)
    assert "  5 skipped  none\n    d0, d1, d2, …\n" in text


def test_a_task_of_which_little_is_known(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither kind nor times, and that is said."""
    state = TaskState("prod", "8d2e", "8d2e", "", 900.0, 7200.0)
    text = shown(explained(state), capsys, monkeypatch)
    assert text.startswith(
        "pending  8d2e\n  prod/8d2e\n  nothing known of its kind; enabled: not known\n\nAlerts of which"
    )


def test_hostile_texts_are_shown_not_obeyed(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, words, ids and reasons with escape sequences and markup."""
    evil = "[bold]x[/bold]\x1b[31m\x9b1m\u202e\r\n"
    run = Run(Record(evil, START, evil, 0, 3, 1), "unknown")
    details = RunDetails(evil, 1.0, (("failed", evil, 1),), (DesktopFailure("failed", evil, evil, evil),))
    state = task_state(name=evil, history=history(run), details=details)
    text = shown(explained(state), capsys, monkeypatch)
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"[bold]x[/bold]\x1b[31m\x9b1m\u202e\r\n" in text


def test_the_command(cloud: Cloud, invoke: Invoke, tmp_path: Path) -> None:
    """Exit code 0 although an alert fires; all on stdout."""
    task = cloud.add_task(behaviour="failing", name="nightly stop")
    path = write_config(tmp_path / "config.yml", cloud.project(), polling={"requests_per_second": 0})
    outcome = invoke("explain", "--config.file", path, f"prod/{task}")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"failed  nightly stop\n  prod/{task}\n")
    assert "FIRING  WorkspaceTaskRunFailed  critical" in outcome.out
    unknown = invoke("explain", "--config.file", path, "nope")
    assert (unknown.code, unknown.out) == (1, "")
    assert f"prod/{task}" in unknown.err


def test_a_task_is_needed(invoke: Invoke, tmp_path: Path) -> None:
    """Usage errors are one line."""
    invoke("explain", "--config.file", tmp_path / "x").fails_with_one_line(
        2, "explain: Missing argument 'TASK'"
    )
