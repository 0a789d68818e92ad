"""The document of a recording: which headers and bodies are told, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Config
from exporter.configfile import validate
from exporter.recorded import Answered, RecordedProject, document


def config(**project: Any) -> Config:
    """A configuration of one project."""
    tree = {
        "name": "Alice's",
        "region": "cn-north-4",
        "project_id": "0a1b2c3d",
        "auth": {"token": {"token": "hunter2"}},
        "tasks": [{"id": "8d2e", "name": "nightly", "grace": "5m"}, {"id": "unread"}],
        **project,
    }
    return validate(Config, {"projects": [tree], "statuses": {"success": ["成功"]}}, Path())


def told(answer: Answered, known: Config | None = None, hidden: str = "?") -> tuple[Any, Mapping[str, str]]:
    """The only project of a document with one answer, and the pseudonyms."""
    known = known or config()
    project = RecordedProject(
        known.projects[0],
        "0a1b2c3d",
        ["8d2e"],
        [answer],
        complete=True,
        is_secret=lambda text: hidden in text,
    )
    tree, names = document([project], known, recorded_at=1.5, exporter="0.1.0")
    return tree["projects"][0], names


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", {"kind": "empty", "bytes": 0}),
        (b"  <html>Alice", {"kind": "markup", "bytes": 13}),
        (b'{"a": ', {"kind": "broken-json", "bytes": 6}),
        (b"[1, NaN]", {"kind": "broken-json", "bytes": 8}),
        (b"[" * 50_000, {"kind": "too-deep", "bytes": 50_000}),
        (b"\xff\xfe", {"kind": "not-utf-8", "bytes": 2}),
        (b"Alice DOES NOT EXIST", {"kind": "text", "bytes": 20, "phrases": ["does not exist"]}),
        (b"17", {"json": 17}),
        (b'"Alice"', {"json": "text 005"}),
    ],
)
def test_a_body_that_is_no_json_is_told_by_kind_and_size(body: bytes, shown: object) -> None:
    """And by the phrases that tell errors apart."""
    project, _ = told(Answered("list_records", "8d2e", status=404, body=body))
    (answer,) = project["answers"]
    assert answer["body"] == shown


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"date": "Thu, 12 Mar 2026 02:45:12 GMT"}, {"date": "Thu, 12 Mar 2026 02:45:12 GMT"}),
        ({"date": "Alice's day GMT"}, {}),
        ({"content-type": "application/json; charset=Alice"}, {"content-type": "application/json"}),
        ({"content-type": "text/alice"}, {"content-type": "other"}),
        ({"retry-after": " 7 "}, {"retry-after": "7"}),
        ({"retry-after": "Alice"}, {}),
        (
            {"retry-after": "Thu, 12 Mar 2026 02:45:12 GMT"},
            {"retry-after": "Thu, 12 Mar 2026 02:45:12 GMT"},
        ),
        ({"x-request-id": "Alice", "set-cookie": "Alice", "x-subject-token": "Alice"}, {}),
    ],
)
def test_three_headers_are_told_and_only_what_is_understood_of_them(
    headers: dict[str, str], shown: dict[str, str]
) -> None:
    """Each is written anew."""
    project, _ = told(Answered("show_task", "8d2e", status=429, headers=headers, body=b"{}"))
    assert project["answers"][0]["headers"] == shown


def test_the_project_is_named_by_its_number_and_its_tasks_by_pseudonyms() -> None:
    """Only the tasks that were read; status words that look like none are replaced alike everywhere."""
    body = '{"tasks_records": [{"id": "1", "status": "成功"}]}'.encode()
    asked = {"offset": "0", "limit": "100"}
    known = config()
    project, names = told(Answered("list_records", "8d2e", query=asked, status=200, body=body), known)
    assert (project["name"], project["region"], project["project_id"]) == (
        "project-1",
        "cn-north-4",
        names["0a1b2c3d"],
    )
    task = {"id": names["8d2e"], "name": names["nightly"], "grace": 300.0, "max_duration": None}
    assert (project["tasks"], project["read"]) == ([task], [names["8d2e"]])
    (answer,) = project["answers"]
    assert answer["body"]["json"]["tasks_records"][0]["status"] == names["成功"]
    assert {key: answer[key] for key in ("task", "offset", "limit")} == {
        "task": names["8d2e"],
        "offset": 0,
        "limit": 100,
    }


def test_a_cloud_of_one_s_own_is_not_named() -> None:
    """Its region would name its owner."""
    known = config(endpoint="https://workspace.alice.example", region="alice-1")
    project, _ = told(Answered("list_tasks", failure="dns"), known)
    assert project["region"] is None
    assert project["answers"] == [{"operation": "list_tasks", "life_cycle": False, "failure": "dns"}]


def test_a_secret_that_looks_like_a_word_is_replaced() -> None:
    """As it would be anywhere."""
    answer = Answered("list_tasks", status=200, body=b'{"status": "hunter", "hunter": {"code": "WKS.1"}}')
    (shown,) = told(answer, hidden="hunter")[0]["answers"]
    assert "hunter" not in str(shown)
    assert "WKS.1" in str(shown)
