"""The simulator's world behind the poller's protocol: its rows as bytes, decoded as those of the network are.

No HTTP is in between, so that ten thousand histories can be told. Nothing here ever waits, so that the reads
of a cycle come one after the other, each at instants that are known.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter.decode import Page, decode_details, decode_records, decode_schedule, decode_tasks
from exporter.errors import Answer, ApiError, NotFoundError
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.simulator.options import Options
from exporter.simulator.pages import find_run, matching_tasks, record_page
from exporter.simulator.runs import desktops
from exporter.simulator.tasks import UnknownTaskError
from exporter.simulator.wire import detail_row, record_row, schedule_row, task_row
from exporter.simulator.world import World

Place = tuple[str, str, int]
"""An operation, the task that it is about (empty: any, or the list), and which call of them in the cycle."""


@dataclass
class Seen:
    """What upstream was asked in one cycle, and when (epoch seconds)."""

    tasks: dict[str, Task] = field(default_factory=dict)
    whole: set[bool] = field(default_factory=set)
    """The lists that were read to their end: the timed tasks' (False), the triggered ones' (True)."""
    records: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    schedules: dict[str, float] = field(default_factory=dict)
    details: set[tuple[str, str]] = field(default_factory=set)
    failed: dict[tuple[str, str], ApiError] = field(default_factory=dict)
    """Calls that a fault befell."""
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)


class Cloud:
    """Implements `exporter.poller.Upstream` over a world. `now` is its clock.

    `options` may be changed between two cycles. `faults` are raised at their places, each time; `between` is
    called before each page of records but the first of its task.
    """

    def __init__(self, world: World, now: Callable[[], float], options: Options | None = None) -> None:
        self.world = world
        self.options = options or Options()
        self.faults: dict[Place, Callable[[], ApiError]] = {}
        self.between: Callable[[str], None] = lambda _task_id: None
        self.seen = Seen()
        self._now = now

    def begin_cycle(self) -> None:
        """Forget what was asked before."""
        self.seen = Seen()

    @property
    def project_id(self) -> str:
        """The project's id."""
        return self.world.project.id

    @property
    def auth_ok(self) -> bool:
        """Whether the credentials are accepted."""
        return True

    @property
    def token_expiry(self) -> tuple[str, float] | None:
        """Nothing is known of the credentials."""
        return None

    @property
    def clock_skew(self) -> float | None:
        """Nothing is known of the clock."""
        return None

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool) -> Page[Task]:
        """Answer ListScheduledTasks."""
        self._ask("list_tasks", "")
        now = self._now()
        tasks = matching_tasks(self.world, now, {"scheduled_type": "LIFE_CYCLE"} if life_cycle else {})
        shown = tasks[offset : offset + self._cut(limit)]
        rows = [task_row(task, now, self.options) for task in shown]
        page = decode_tasks(_body("scheduled_tasks", rows, len(tasks)))
        self.seen.tasks.update((task.id, task) for task in page.items)
        if offset + len(shown) >= len(tasks):
            self.seen.whole.add(life_cycle)
        return page

    async def show_task(self, task_id: str) -> Schedule:
        """Answer ShowScheduledTasks."""
        self._ask("show_task", task_id)
        row = schedule_row(self._task("show_task", task_id), self._now(), self.options)
        self.seen.schedules[task_id] = self._now()
        return decode_schedule(json.dumps(row).encode())

    async def list_records(self, task_id: str, offset: int, limit: int) -> Page[Record]:
        """Answer ListScheduledTasksRecords."""
        if self.seen.calls["list_records", task_id]:
            self.between(task_id)
        self._ask("list_records", task_id)
        task, now = self._task("list_records", task_id), self._now()
        runs, total = record_page(task, now, self.options, offset, self._cut(limit))
        self.seen.records[task_id].append(now)
        rows = [record_row(task, run, now, self.options) for run in runs]
        return decode_records(_body("tasks_records", rows, total))

    async def list_record_details(
        self, task_id: str, record_id: str, offset: int, limit: int
    ) -> Page[RecordDetail]:
        """Answer ListScheduledTasksRecordsDetails."""
        self._ask("list_record_details", task_id)
        task, now = self._task("list_record_details", task_id), self._now()
        run = find_run(task, record_id, now, self.options)
        if run is None:
            raise _missing("list_record_details")
        self.seen.details.add((task_id, record_id))
        size = self._cut(limit)
        rows = [detail_row(task, run, each, self.options) for each in desktops(run, now, offset, size)]
        return decode_details(_body("tasks_records_details", rows, run.desktops))

    async def aclose(self) -> None:
        """Nothing is open."""

    def _ask(self, operation: str, task_id: str) -> None:
        """Count a call, and let it fail where it shall."""
        number = self.seen.calls[operation, task_id]
        self.seen.calls[operation, task_id] += 1
        for place in ((operation, task_id, number), (operation, "", number)):
            if place in self.faults:
                error = self.seen.failed[operation, task_id] = self.faults[place]()
                raise error

    def _task(self, operation: str, task_id: str) -> Any:
        try:
            return self.world.task(task_id, self._now())
        except UnknownTaskError:
            raise _missing(operation) from None

    def _cut(self, limit: int) -> int:
        clamp = self.options.clamp
        return limit if clamp is None else min(limit, clamp)


def _missing(operation: str) -> NotFoundError:
    answer = Answer(status=404, message="The scheduled task does not exist")
    return NotFoundError("does not exist", label="404", operation=operation, answer=answer)


def _body(key: str, rows: Sequence[dict[str, object]], total: int) -> bytes:
    return json.dumps({key: rows, "total_count": total}).encode()
