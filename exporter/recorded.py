"""What a project's API answered -> a document without ids, names and secrets, that can be replayed. Pure.

docs/commands.md describes the format. Of an answer that is no JSON only its kind and size are told, and the
phrases in it by which errors are told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from exporter.anonymising import Anonymiser, Replace, parse_json, phrases
from exporter.config import Config, Project
from exporter.failures import http_date
from exporter.pseudonyms import Pseudonyms
from exporter.urls import cloud_domain

FORMAT = "workspace-exporter recording"
VERSION = 1
OPERATIONS = frozenset({"list_tasks", "show_task", "list_records", "list_record_details"})
"""What is recorded; answers to a sign-in never are."""
_MEDIA_TYPES = ("application/json", "text/html", "text/plain", "application/xml", "text/xml")
_SECONDS_DIGITS = 9
Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What was asked (`query` as it was sent) and what came: an answer, or the code of its `failure`."""

    operation: str
    task_id: str = ""
    record_id: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class RecordedProject:
    """One project's answers in their order; `read` are the ids of the tasks that were read."""

    project: Project
    project_id: str
    read: Sequence[str]
    answers: Sequence[Answered]
    complete: bool
    is_secret: Callable[[str], bool]


def document(
    projects: Sequence[RecordedProject], config: Config, *, recorded_at: float, exporter: str
) -> tuple[Tree, Mapping[str, str]]:
    """Return the document, and every pseudonym in it by what it stands for.

    `recorded_at` is epoch seconds; `exporter` the version that records.
    """
    names = Pseudonyms()
    parsed = [[_parsed(answer.body) for answer in each.answers] for each in projects]

    def built(replace: Replace) -> Tree:
        return {
            "format": FORMAT,
            "version": VERSION,
            "exporter": exporter,
            "recorded_at": recorded_at,
            "settings": _settings(config, replace),
            "projects": [
                _project(each, number, bodies, replace)
                for number, (each, bodies) in enumerate(zip(projects, parsed, strict=True), start=1)
            ],
        }

    built(lambda text, is_id: names.meet(text, is_id=is_id))
    tree = built(lambda text, _: names.of(text))
    return tree, names.names


def _settings(config: Config, replace: Replace) -> Tree:
    """What of the configuration decides what the answers mean."""
    anonymous = Anonymiser(replace, lambda _: False)
    statuses = {kind: list(words) for kind, words in config.statuses.model_dump().items()}
    return {
        "time_zone": config.time_zone,
        "history": config.polling.history,
        "details": config.polling.details,
        "max_tasks": config.polling.max_tasks,
        "grace": config.defaults.grace,
        "max_duration": config.defaults.max_duration,
        "statuses": {
            kind: [anonymous.text("status", word) for word in words] for kind, words in statuses.items()
        },
    }


def _project(each: RecordedProject, number: int, bodies: Iterable[Any], replace: Replace) -> Tree:
    project = each.project
    tasks = [
        {
            "id": replace(task.id, True),
            "name": task.name and replace(task.name, False),
            "grace": task.grace,
            "max_duration": task.max_duration,
        }
        for task in project.tasks
        if task.id in each.read
    ]
    return {
        "name": f"project-{number}",
        "region": _region(project),
        "project_id": replace(each.project_id, True),
        "discovery": project.discovery is not None,
        "tasks": tasks,
        "read": [replace(task_id, True) for task_id in each.read],
        "complete": each.complete,
        "answers": [
            _answer(answer, body, Anonymiser(replace, each.is_secret))
            for answer, body in zip(each.answers, bodies, strict=True)
        ],
    }


def _region(project: Project) -> str | None:
    """The region, where it is one of the vendor's own: that of a private cloud would name its owner."""
    usual = project.region and f"https://workspace.{project.region}.{cloud_domain(project.region)}"
    return project.region if usual == project.base_url else None


def _answer(answer: Answered, body: Any, anonymous: Anonymiser) -> Tree:
    asked: Tree = {"operation": answer.operation}
    if answer.task_id:
        asked["task"] = anonymous.replace(answer.task_id, True)
    if answer.record_id:
        asked["record"] = anonymous.replace(answer.record_id, True)
    asked |= {key: int(answer.query[key]) for key in ("offset", "limit") if key in answer.query}
    if answer.operation == "list_tasks":
        asked["life_cycle"] = "scheduled_type" in answer.query
    if answer.failure:
        return {**asked, "failure": answer.failure}
    said = body.tree() if isinstance(body, _Shapeless) else {"json": anonymous.tree(body)}
    return {**asked, "status": answer.status, "headers": _headers(answer.headers), "body": said}


def _headers(headers: Mapping[str, str]) -> Tree:
    """Date, Content-Type and Retry-After, each written anew: nothing that is not understood survives."""
    told = {
        "date": _date(headers.get("date", "")),
        "content-type": _media_type(headers.get("content-type", "")),
        "retry-after": _wish(headers.get("retry-after", "").strip()),
    }
    return {name: value for name, value in told.items() if name in headers and value is not None}


def _date(text: str) -> str | None:
    moment = http_date(text)
    return None if moment is None else formatdate(moment, usegmt=True)


def _media_type(text: str) -> str:
    kind = text.partition(";")[0].strip().lower()
    return kind if kind in _MEDIA_TYPES else "other"


def _wish(text: str) -> str | None:
    return text if text.isascii() and text.isdigit() and len(text) <= _SECONDS_DIGITS else _date(text)


@dataclass(frozen=True, slots=True)
class _Shapeless:
    """A body that is no JSON, or not as the decoder wants it."""

    kind: str
    size: int
    phrases: tuple[str, ...]

    def tree(self) -> Tree:
        """Return what is told of it."""
        told: Tree = {"kind": self.kind, "bytes": self.size}
        return {**told, "phrases": list(self.phrases)} if self.phrases else told


def _parsed(body: bytes) -> Any:
    """The JSON, or what it is instead."""
    try:
        return parse_json(body)
    except UnicodeDecodeError:
        kind = "not-utf-8"
    except RecursionError:
        kind = "too-deep"
    except ValueError:
        kind = _kind(body.lstrip())
    return _Shapeless(kind, len(body), phrases(body.decode("utf-8", "replace")))


def _kind(text: bytes) -> str:
    if not text:
        return "empty"
    return {b"<": "markup", b"{": "broken-json", b"[": "broken-json"}.get(text[:1], "text")
