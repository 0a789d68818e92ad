"""A task's runs as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from exporter.cli.desktops import Desktop, RunDesktops
from exporter.cli.screen import RUN_STYLES, Column, Screen, card, text
from exporter.durations import format_duration
from exporter.history import Run
from exporter.state import TaskState
from exporter.terminaltext import local_time
from exporter.web.pagetext import machine_time


@dataclass(frozen=True, slots=True)
class Runs:
    """A task, its newest runs, newest first, and the desktops of those that were asked for, by run id."""

    task: TaskState
    runs: tuple[Run, ...]
    desktops: Mapping[str, RunDesktops]
    details: bool


def runs_json(found: Runs) -> dict[str, Any]:
    """Return the document of `runs --output json` (docs/commands.md); fields are only ever added."""
    task = found.task
    return {
        "project": task.project,
        "id": task.task_id,
        "name": task.name,
        "time_zone": task.time_zone or None,
        "records": task.history.total if task.history else None,
        "truncated": task.history.truncated if task.history else None,
        "runs": [_run_json(run, found.desktops.get(run.record.id)) for run in found.runs],
    }


def show_runs(screen: Screen, found: Runs, zone: tzinfo) -> None:
    """Print the runs, and below them the desktops that did not succeed; `zone` is for a task without one."""
    task = found.task
    clock = partial(local_time, zone=task.time_zone, default=zone)
    screen.show(text(f"{task.name}  {task.project}/{task.task_id}", "bold"))
    if not found.runs:
        screen.show(
            text("no run in the readable history" if task.history else "its records could not be read")
        )
        return
    columns: list[Column[Run]] = [
        Column("START", lambda run: text(clock(run.record.start))),
        Column("STATUS", _status),
        Column("WORD", lambda run: text(run.record.status or "-")),
        Column("OK", lambda run: text(_count(run.record.success_num)), right=True),
        Column("FAILED", lambda run: text(_count(run.record.failed_num)), right=True),
        Column("SKIPPED", lambda run: text(_count(run.record.skip_num)), right=True),
        Column("RECORD", lambda run: text(run.record.id), optional=True),
    ]
    screen.table(columns, found.runs, lambda run: _card(run, clock(run.record.start)))
    if task.history and task.history.total > len(found.runs):
        screen.show(text(f"{len(found.runs)} of {task.history.total} records; --limit shows more", "dim"))
    for run in found.runs:
        if run.record.id in found.desktops:
            _show_desktops(screen, run, found.desktops[run.record.id], clock(run.record.start))


def _show_desktops(screen: Screen, run: Run, desktops: RunDesktops, start: str) -> None:
    lasted = f", {format_duration(round(desktops.duration))}" if desktops.duration is not None else ""
    number = f"{len(desktops.unsuccessful)} of {desktops.read} desktops did not succeed"
    screen.heading(Text.assemble(text(f"{start} ("), _status(run), text(f"{lasted}): {number}")))
    if desktops.unread:
        screen.show(text(f"{desktops.unread} more desktops were not read", "dim"))
    columns: list[Column[Desktop]] = [
        Column("DESKTOP", lambda desktop: text(desktop.name)),
        Column("OUTCOME", lambda desktop: text(desktop.outcome, RUN_STYLES[desktop.outcome])),
        Column("RESULT CODE", lambda desktop: text(desktop.detail.result_code or "-")),
        Column("REASON", lambda desktop: text(desktop.detail.fail_reason or "-"), wraps=True),
    ]
    if desktops.unsuccessful:
        screen.table(columns, desktops.unsuccessful, _desktop_card)


def _card(run: Run, start: str) -> RenderableType:
    record = run.record
    counts = (record.success_num, record.failed_num, record.skip_num)
    said = f"{'/'.join(map(_count, counts))} (ok/failed/skipped), word {record.status or '-'}"
    return card(Text.assemble(text(start), "  ", _status(run)), [text(said), text(f"record {record.id}")])


def _desktop_card(desktop: Desktop) -> RenderableType:
    outcome = text(desktop.outcome, RUN_STYLES[desktop.outcome])
    lead = Text.assemble(text(desktop.name), "  ", outcome, text(f"  {desktop.detail.result_code or '-'}"))
    return card(lead, [text(desktop.detail.fail_reason or "-")])


def _status(run: Run) -> Text:
    status = run.status or "running"
    return text(status, RUN_STYLES[status])


def _count(count: int | None) -> str:
    return "-" if count is None else str(count)


def _run_json(run: Run, desktops: RunDesktops | None) -> dict[str, Any]:
    record = run.record
    return {
        "id": record.id,
        "start": _time(record.start),
        "status": run.status or "running",
        "word": record.status or None,
        "success_num": record.success_num,
        "failed_num": record.failed_num,
        "skip_num": record.skip_num,
        "duration_seconds": desktops.duration if desktops else None,
        "desktops_read": desktops.read if desktops else None,
        "desktops_unread": desktops.unread if desktops else None,
        "desktops": [_desktop_json(desktop) for desktop in desktops.unsuccessful] if desktops else None,
    }


def _desktop_json(desktop: Desktop) -> dict[str, Any]:
    detail = desktop.detail
    return {
        "id": detail.desktop_id or None,
        "name": detail.desktop_name or None,
        "outcome": desktop.outcome,
        "word": detail.status or None,
        "result_code": detail.result_code or None,
        "fail_reason": detail.fail_reason or None,
        "start": _time(detail.start),
        "end": _time(detail.end),
    }


def _time(epoch: float | None) -> str | None:
    return (machine_time(epoch) or None) if epoch is not None else None
