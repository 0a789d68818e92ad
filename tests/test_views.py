"""exporter.views and exporter.web.viewjson: the order of severity, and the documented JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.views import Overview, ProjectView, RunView, TaskView, Verdict
from exporter.web.viewjson import CHUNK, encode, to_json
from tests.page import sample

MINIMAL = Overview(
    0.0,
    "1",
    (ProjectView("p"),),
    (TaskView("p", "t", "n", Verdict.PENDING, runs=(RunView("r", 1.9, "running"),)),),
)


def test_verdicts_stand_worst_first() -> None:
    """The order that the page sorts by, and the line between trouble and none."""
    assert [verdict.value for verdict in sorted(Verdict, key=lambda verdict: verdict.severity)] == [
        "failed", "missed", "partial", "stuck", "not_found", "stale", "no_success", "skipped", "unknown",
        "running", "pending", "never_ran", "disabled", "ok",
    ]  # fmt: skip
    assert [verdict.value for verdict in Verdict if not verdict.trouble] == [
        "running", "pending", "never_ran", "disabled", "ok",
    ]  # fmt: skip


def test_verdicts_have_words_for_readers() -> None:
    """Underscores are for machines."""
    assert Verdict.NOT_FOUND.label == "Not found"
    assert Verdict.OK.label == "OK"


def test_what_is_not_known_is_null() -> None:
    """Never 0, never an absent key; lists are lists."""
    assert to_json(MINIMAL) == {
        "generated_at": "1970-01-01T00:00:00Z",
        "version": "1",
        "shard": None,
        "reload_error": None,
        "projects": [
            {
                "name": "p",
                "region": None,
                "tasks": 0,
                "poll_interval_seconds": None,
                "last_poll": None,
                "last_success": None,
                "poll_ok": None,
                "error": None,
            }
        ],
        "tasks": [
            {
                "project": "p",
                "id": "t",
                "name": "n",
                "verdict": "pending",
                "trouble": False,
                "reasons": [],
                "task_type": None,
                "scheduled_type": None,
                "life_cycle_type": None,
                "time_zone": None,
                "enabled": None,
                "found": True,
                "stale": False,
                "running_since": None,
                "next_run": None,
                "expected_run": None,
                "consecutive_unsuccessful_runs": 0,
                "consecutive_skipped_runs": 0,
                "last_poll": None,
                "poll_error": None,
                "last_run": None,
                "runs": [
                    {
                        "id": "r",
                        "start": "1970-01-01T00:00:01Z",
                        "status": "running",
                        "word": None,
                        "success_num": None,
                        "failed_num": None,
                        "skip_num": None,
                        "duration_seconds": None,
                        "results": [],
                    }
                ],
            }
        ],
    }


def test_what_is_known_is_said() -> None:
    """A failing project and a partial run, as a reader of the API gets them."""
    document = to_json(sample.OVERVIEW)
    assert document["generated_at"] == "2026-03-12T02:45:12Z"
    assert document["projects"][1]["error"] == {
        "text": "list_tasks: HTTP 401: APIGW.0301 Incorrect IAM authentication information: "
        "decrypt token fail",
        "cause": "The token has ended, or belongs to another region.",
        "next_step": "Renew the token, or use auth.password, which renews it by itself.",
        "code": "APIGW.0301",
        "request_id": "7b1f6c0e2d3a4b5c8d9e0f1a2b3c4d5e",
    }
    task = next(task for task in document["tasks"] if task["verdict"] == "partial")
    assert task["trouble"] is True
    assert task["reasons"] == ["The last run failed on 4 of 120 desktops."]
    assert task["last_run"] == task["runs"][-1]
    assert task["last_run"]["failed_num"] == 4
    assert task["last_run"]["results"][0] == {
        "outcome": "failed",
        "result_code": "WKS.00090012",
        "desktops": 3,
        "fail_reason": "任务冲突",
        "desktop_names": ["dev-pc-017", "dev-pc-018", "dev-pc-044"],
    }


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_the_pieces_are_the_document(count: int) -> None:
    """However many tasks: the pieces together are what `to_json` says, and each piece is bounded."""
    overview = sample.many(count)
    pieces = list(encode(overview, overview.tasks))
    assert json.loads(b"".join(pieces)) == to_json(overview)
    assert len(pieces) == 2 + -(-count // CHUNK)


def test_a_time_beyond_the_calendar_is_null() -> None:
    """Upstream may name the year 9999 in a zone west of Greenwich."""
    task = replace(MINIMAL.tasks[0], next_run=253_402_300_800.0 + 86_400)
    assert to_json(replace(MINIMAL, tasks=(task,)))["tasks"][0]["next_run"] is None


@given(st.text(st.characters(exclude_categories=())))
@example("\ud800")
def test_any_text_of_upstream_becomes_utf_8(text: str) -> None:
    """Lone surrogates, controls, markup: always JSON in UTF-8, and nothing else is altered."""
    overview = replace(MINIMAL, tasks=(replace(MINIMAL.tasks[0], name=text, reasons=(text,)),))
    document = json.loads(b"".join(encode(overview, overview.tasks)).decode("utf-8"))
    assert document["tasks"][0]["name"] == re.sub("[\ud800-\udfff]", "?", text)
