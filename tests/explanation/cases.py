"""Tasks at one moment, for the sentences about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Any

from exporter.config import Statuses
from exporter.explanation.case import Case
from exporter.history import runs_of, summarize
from exporter.records import Record, Schedule, Task
from exporter.state import TaskState
from exporter.terminaltext import local_time

NOW = 1_672_448_400.0
"""2022-12-31 09:00:00 in Shanghai."""
DAY = 86_400.0
CLOCK = partial(local_time, zone="Asia/Shanghai", default=UTC)
DAILY = Schedule(
    "nightly stop",
    "STOP",
    "DAY",
    time_zone="Asia/Shanghai",
    scheduled_time="08:00:00",
    day_interval=1,
)
ENTRY = Task("8d2e", "nightly stop", "STOP", "DAY", time_zone="Asia/Shanghai", enabled=True)


def record(ago: float, word: str = "SUCCESS", *counts: int | None) -> Record:
    """A run that started so many seconds before NOW, with its success, failed and skipped desktops."""
    return Record(f"r{ago:g}", NOW - ago, word, *counts)


def case(*records: Record, statuses: Statuses | None = None, **changes: Any) -> Case:
    """A task with these records, just read, and changes of its state."""
    words = statuses or Statuses()
    history = summarize(runs_of(records, words), total=len(records), truncated=False)
    state = TaskState(
        project="prod",
        task_id="8d2e",
        name="nightly stop",
        project_id="0a1b",
        grace=900.0,
        max_duration=7200.0,
        listing=ENTRY,
        schedule=DAILY,
        found=True,
        history=history,
        schedule_period=DAY,
        last_poll=NOW,
        poll_ok=True,
    )
    return Case(replace(state, **changes), words, NOW, 60.0, CLOCK)


def listed(**changes: Any) -> Task:
    """The task's entry of the list, changed."""
    return replace(ENTRY, **changes)
