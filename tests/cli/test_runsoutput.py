"""A task's runs as a table, as cards, and as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.cli.desktops import Desktop, RunDesktops
from exporter.cli.runsoutput import Runs, runs_json, show_runs
from exporter.cli.screen import Screen
from exporter.history import Run
from exporter.records import Record, RecordDetail
from exporter.timestamps import parse_zone
from tests.states import START, history, task_state

UTC = parse_zone("UTC")
FAILED = Run(Record("r2", START, "FAIL", 1, 2, None), "failed")
RUNNING = Run(Record("r3", START + 60, "RUNNING"), None)
DESKTOPS = RunDesktops(
    (
        Desktop(RecordDetail("1", "d-1", "ada", "FAIL", "WKS.1", "任务冲突", START, START + 9), "failed"),
        Desktop(RecordDetail("2", "d-2"), "unknown"),
    ),
    read=1000,
    unread=7,
    duration=129.6,
)


def found(*runs: Run, **changes: Any) -> Runs:
    """These runs of a task, and the desktops of FAILED."""
    task = task_state(history=history(*reversed(runs), total=60), **changes)
    return Runs(task, runs, {"r2": DESKTOPS} if FAILED in runs else {}, details=True)


def shown(runs: Runs, width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed on a screen so wide."""
    monkeypatch.setenv("COLUMNS", width)
    show_runs(Screen(), runs, UTC)
    return capsys.readouterr().out


def test_the_document() -> None:
    """Every field; what is not known is null."""
    assert runs_json(found(RUNNING, FAILED)) == {
        "project": "prod",
        "id": "8d2e",
        "name": "nightly stop",
        "time_zone": "Asia/Shanghai",
        "records": 60,
        "truncated": False,
        "runs": [
            {
                "id": "r3",
                "start": "2022-12-31T01:01:00Z",
                "status": "running",
                "word": "RUNNING",
                "success_num": None,
                "failed_num": None,
                "skip_num": None,
                "duration_seconds": None,
                "desktops_read": None,
                "desktops_unread": None,
                "desktops": None,
            },
            {
                "id": "r2",
                "start": "2022-12-31T01:00:00Z",
                "status": "failed",
                "word": "FAIL",
                "success_num": 1,
                "failed_num": 2,
                "skip_num": None,
                "duration_seconds": 129.6,
                "desktops_read": 1000,
                "desktops_unread": 7,
                "desktops": [
                    {
                        "id": "d-1",
                        "name": "ada",
                        "outcome": "failed",
                        "word": "FAIL",
                        "result_code": "WKS.1",
                        "fail_reason": "任务冲突",
                        "start": "2022-12-31T01:00:00Z",
                        "end": "2022-12-31T01:00:09Z",
                    },
                    {
                        "id": "d-2",
                        "name": None,
                        "outcome": "unknown",
                        "word": None,
                        "result_code": None,
                        "fail_reason": None,
                        "start": None,
                        "end": None,
                    },
                ],
            },
        ],
    }


def test_a_task_whose_records_could_not_be_read_as_json() -> None:
    """It is not the same as a task without runs."""
    document = runs_json(Runs(task_state(history=None, listing=None), (), {}, details=False))
    assert document["records"] is document["truncated"] is document["time_zone"] is None
    assert document["runs"] == []


def test_a_time_beyond_the_calendar_is_null() -> None:
    """Upstream may name the year 9999 and later."""
    far = Run(Record("r", 1e12), "success")
    assert runs_json(found(far))["runs"][0]["start"] is None


def test_a_table_of_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Newest first, in the task's zone; below it the desktops that did not succeed."""
    assert shown(found(RUNNING, FAILED), "80", monkeypatch, capsys) == (
        "nightly stop  prod/8d2e\n"
        "START                       STATUS   WORD     OK  FAILED  SKIPPED  RECORD\n"
        "2022-12-31 09:01:00 +08:00  running  RUNNING   -       -        -  r3\n"
        "2022-12-31 09:00:00 +08:00  failed   FAIL      1       2        -  r2\n"
        "2 of 60 records; --limit shows more\n"
        "\n"
        "2022-12-31 09:00:00 +08:00 (failed, 2m10s): 2 of 1000 desktops did not succeed\n"
        "7 more desktops were not read\n"
        "DESKTOP  OUTCOME  RESULT CODE  REASON\n"
        "ada      failed   WKS.1        任务冲突\n"
        "d-2      unknown  -            -\n"
    )


def test_cards_on_a_narrow_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is lost."""
    assert shown(found(FAILED), "28", monkeypatch, capsys) == (
        "nightly stop  prod/8d2e\n"
        "2022-12-31 09:00:00 +08:00\n"
        "failed\n"
        "  1/2/- (ok/failed/skipped),\n"
        "  word FAIL\n"
        "  record r2\n"
        "1 of 60 records; --limit\n"
        "shows more\n"
        "\n"
        "2022-12-31 09:00:00 +08:00\n"
        "(failed, 2m10s): 2 of 1000\n"
        "desktops did not succeed\n"
        "7 more desktops were not\n"
        "read\n"
        "ada  failed  WKS.1\n"
        "  任务冲突\n"
        "d-2  unknown  -\n"
        "  -\n"
    )


def test_a_run_whose_desktops_all_succeeded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API's word and its details may differ: that is told, without an empty table."""
    runs = Runs(task_state(), (FAILED,), {"r2": RunDesktops((), 3, 0, None)}, details=True)
    assert shown(runs, "100", monkeypatch, capsys).endswith(
        "\n2022-12-31 09:00:00 +08:00 (failed): 0 of 3 desktops did not succeed\n"
    )


def test_all_runs_there_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Then nothing more is to be had by --limit."""
    runs = Runs(task_state(history=history(FAILED)), (FAILED,), {}, details=False)
    assert shown(runs, "100", monkeypatch, capsys).splitlines()[-1].endswith("r2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"history": history()}, "no run in the readable history"),
        ({"history": None}, "its records could not be read"),
    ],
)
def test_no_runs(changes: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Why there are none."""
    show_runs(Screen(), Runs(task_state(**changes), (), {}, details=False), UTC)
    assert capsys.readouterr().out == f"nightly stop  prod/8d2e\n{said}\n"
