"""The JSON of `/api/v1/tasks`: a stable rendering of an Overview.

Fields are only ever added. Times are RFC 3339 in UTC, whole seconds; durations are seconds; what is not known
is null; lists are never null. `verdict` and `status` are the words of `views`. The shape, in full::

    {"generated_at": time, "version": text, "shard": text|null, "reload_error": text|null,
     "projects": [{"name", "region", "tasks": number, "poll_interval_seconds": number|null,
                   "last_poll": time|null, "last_success": time|null, "poll_ok": bool|null,
                   "error": ERROR|null}],
     "tasks": [{"project", "id", "name", "verdict", "trouble": bool, "reasons": [text],
                "task_type", "scheduled_type", "life_cycle_type", "time_zone",
                "enabled": bool|null, "found": bool, "stale": bool,
                "running_since": time|null, "next_run": time|null, "expected_run": time|null,
                "consecutive_unsuccessful_runs": number, "consecutive_skipped_runs": number,
                "last_poll": time|null, "poll_error": ERROR|null,
                "last_run": RUN|null, "runs": [RUN, oldest first, at most ten]}]}

    RUN   = {"id", "start": time, "status", "word": text|null, "success_num": number|null,
             "failed_num": number|null, "skip_num": number|null, "duration_seconds": number|null,
             "results": [{"outcome", "result_code", "desktops": number, "fail_reason": text|null,
                          "desktop_names": [text]}]}
    ERROR = {"text", "cause": text|null, "next_step": text|null, "code": text|null, "request_id": text|null}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from exporter.timestamps import format_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.views import ErrorView, Overview, ProjectView, RunView, TaskView

CHUNK = 50
"""Tasks in one piece of `encode`: some 3 ms of work, so that a scrape can go between two pieces."""


def to_json(overview: Overview) -> dict[str, Any]:
    """Return the whole document as JSON values."""
    return {**_head(overview), "tasks": [_task(task) for task in overview.tasks]}


def encode(overview: Overview, tasks: Iterable[TaskView]) -> Iterator[bytes]:
    """Yield the document as UTF-8, `CHUNK` tasks at a time, with these tasks in place of the overview's.

    Ten thousand tasks are some 25 MB: in one piece they would hold up the event loop for a second.
    """
    yield _dump(_head(overview))[:-1] + b',"tasks":['
    separator = b""
    chunk: list[bytes] = []
    for task in tasks:
        chunk.append(_dump(_task(task)))
        if len(chunk) == CHUNK:
            yield separator + b",".join(chunk)
            separator, chunk = b",", []
    if chunk:
        yield separator + b",".join(chunk)
    yield b"]}\n"


def _dump(value: dict[str, Any]) -> bytes:
    # A lone surrogate, which upstream can send as an escape, has no UTF-8: it becomes a question mark.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _head(overview: Overview) -> dict[str, Any]:
    return {
        "generated_at": _time(overview.generated_at),
        "version": overview.version,
        "shard": overview.shard or None,
        "reload_error": overview.reload_error or None,
        "projects": [_project(project) for project in overview.projects],
    }


def _project(project: ProjectView) -> dict[str, Any]:
    return {
        "name": project.name,
        "region": project.region or None,
        "tasks": project.tasks,
        "poll_interval_seconds": project.interval,
        "last_poll": _time(project.last_poll),
        "last_success": _time(project.last_success),
        "poll_ok": project.poll_ok,
        "error": _error(project.error),
    }


def _task(task: TaskView) -> dict[str, Any]:
    return {
        "project": task.project,
        "id": task.id,
        "name": task.name,
        "verdict": task.verdict.value,
        "trouble": task.verdict.trouble,
        "reasons": list(task.reasons),
        "task_type": task.task_type or None,
        "scheduled_type": task.scheduled_type or None,
        "life_cycle_type": task.life_cycle_type or None,
        "time_zone": task.time_zone or None,
        "enabled": task.enabled,
        "found": task.found,
        "stale": task.stale,
        "running_since": _time(task.running_since),
        "next_run": _time(task.next_run),
        "expected_run": _time(task.expected_run),
        "consecutive_unsuccessful_runs": task.consecutive_unsuccessful,
        "consecutive_skipped_runs": task.consecutive_skipped,
        "last_poll": _time(task.last_poll),
        "poll_error": _error(task.poll_error),
        "last_run": _run(task.last_run) if task.last_run else None,
        "runs": [_run(run) for run in task.runs],
    }


def _run(run: RunView) -> dict[str, Any]:
    return {
        "id": run.id,
        "start": _time(run.start),
        "status": run.status,
        "word": run.word or None,
        "success_num": run.success,
        "failed_num": run.failed,
        "skip_num": run.skipped,
        "duration_seconds": run.duration,
        "results": [
            {
                "outcome": result.outcome,
                "result_code": result.code,
                "desktops": result.desktops,
                "fail_reason": result.reason or None,
                "desktop_names": list(result.examples),
            }
            for result in run.results
        ],
    }


def _error(error: ErrorView | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "text": error.text,
        "cause": error.cause or None,
        "next_step": error.next_step or None,
        "code": error.code or None,
        "request_id": error.request_id or None,
    }


def _time(epoch: float | None) -> str | None:
    """Return RFC 3339; None also for a time that no calendar holds (upstream may name the year 9999)."""
    if epoch is None:
        return None
    try:
        return format_utc(epoch)
    except (ValueError, OverflowError, OSError):
        return None
