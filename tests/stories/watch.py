"""A poller on a fake upstream, cycle by cycle, with time that a test lets pass."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter.config import Config
from exporter.configfile import validate
from exporter.poller import ProjectPoller
from exporter.records import Record, Schedule, Task
from exporter.selection import Shard
from exporter.state import TaskState
from tests.stories.clock import ManualClock
from tests.stories.recorders import Board, Reports
from tests.stories.upstream import PROJECT_ID, Call, ListUpstream

INTERVAL = 60.0
REFRESH = 900.0
"""The defaults of the configuration, in seconds."""
DAILY = Schedule(scheduled_type="DAY", day_interval=1, scheduled_time="09:00:00", time_zone="UTC")


def configured(*, polling: Mapping[str, Any] | None = None, **project: Any) -> Config:
    """Return a configuration of one project; every task is discovered unless `tasks` says which."""
    if "tasks" not in project and "discovery" not in project:
        project["discovery"] = {}
    values = {
        "name": "prod",
        "region": "cn-north-4",
        "project_id": PROJECT_ID,
        "auth": {"token": {"token": "t"}},
        **project,
    }
    return validate(Config, {"projects": [values], "polling": dict(polling or {})}, Path())


def listed(task_id: str, **fields: Any) -> Task:
    """Return an entry of the list: an enabled daily task."""
    return Task(
        id=task_id, **{"name": f"name of {task_id}", "scheduled_type": "DAY", "enabled": True, **fields}
    )


def record(record_id: str, start: float, status: str = "SUCCESS", **counts: int) -> Record:
    """Return a record; without counts as the API gives none."""
    return Record(record_id, start, status, **counts)


class Watch:
    """A poller, its fake upstream, and what it shows. `task_ids` exist from the begin, without a run."""

    def __init__(
        self,
        *task_ids: str,
        config: Config | None = None,
        shard: Shard | None = None,
        phase: float = 0.0,
        **settings: Any,
    ) -> None:
        self.config = config or configured(polling={"details": False, **settings})
        self.clock = ManualClock()
        self.upstream = ListUpstream(sleep=self.clock.sleep)
        self.shard = shard or Shard()
        self.phase = phase
        for task_id in task_ids:
            self.add(listed(task_id))
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a process that knows nothing."""
        self.board, self.reports = Board(), Reports()
        self.poller = ProjectPoller(
            self.config.projects[0],
            self.config,
            upstream=self.upstream,
            publisher=self.board,
            observer=self.reports,
            clocks=self.clock.clocks,
            shard=self.shard,
            phase=self.phase,
        )

    def add(self, entry: Task, *runs: Record, schedule: Schedule | None = DAILY) -> None:
        """Let a task exist, with these runs."""
        self.upstream.tasks.append(entry)
        self.upstream.records[entry.id] = list(runs)
        if schedule:
            self.upstream.schedules[entry.id] = schedule

    def change(self, task_id: str, **fields: Any) -> None:
        """Let the list show a task otherwise."""
        tasks = self.upstream.tasks
        place = next(place for place, task in enumerate(tasks) if task.id == task_id)
        tasks[place] = replace(tasks[place], **fields)

    def delete(self, task_id: str) -> None:
        """Let a task exist no more."""
        self.upstream.tasks = [task for task in self.upstream.tasks if task.id != task_id]
        del self.upstream.records[task_id]

    def cycle(self, after: float = INTERVAL) -> Counter[Call]:
        """Let the time pass, make a cycle, and return the calls that it made."""
        self.clock.pass_time(after)
        asyncio.run(self.poller.cycle())
        return self.upstream.take_calls()

    def reads(self, after: float = INTERVAL) -> list[str]:
        """Make a cycle and return the tasks whose records it asked for, in order."""
        self.clock.pass_time(after)
        asyncio.run(self.poller.cycle())
        calls, self.upstream.calls = self.upstream.calls, []
        return [task_id for operation, task_id in calls if operation == "list_records"]

    def __getitem__(self, task_id: str) -> TaskState:
        """Return a task as it is shown."""
        return self.board.states[task_id]

    @property
    def ok(self) -> bool:
        """Whether the last cycle succeeded."""
        return self.reports.cycles[-1].ok
