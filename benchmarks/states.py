"""Tasks in numbers, with every metric of the contract."""

from __future__ import annotations

from exporter.details import RunDetails
from exporter.history import Run, summarize
from exporter.records import Record, Task
from exporter.state import Counts, TaskState

_DAY = 86_400.0
_NOW = 1.78e9


def make_state(number: int, *, turn: int = 0) -> TaskState:
    """Return one task; another `turn` is the same task after one more run."""
    task = Task(
        f"{number:08x}-5f1c-4c0b-9d52-0a1b2c3d4e5f",
        f"team {number % 97} nightly stop {number}",
        "STOP",
        "DAY",
        time_zone="Asia/Shanghai",
        last_status="FAIL",
        enabled=True,
        next_run=_NOW + number,
    )
    runs = [_run(number, age, turn) for age in range(9, -1, -1)]
    codes = tuple(("failed", f"WKS.000{code}", code + 1) for code in range(3))
    last = runs[-1].record
    return TaskState(
        project="prod",
        task_id=task.id,
        name=task.name,
        project_id="0123456789abcdef0123456789abcdef",
        grace=900.0,
        max_duration=7200.0,
        listing=task,
        found=True,
        history=summarize(runs, total=100, truncated=False),
        details=RunDetails(last.id, 123.5, codes, ()),  # type: ignore[arg-type]
        expected_run=last.start,
        schedule_period=_DAY,
        counts=Counts((turn, 2, 3, 4, 5), (6, 7, 8)),
        last_poll=_NOW + turn,
        poll_ok=True,
    )


def _run(number: int, age: int, turn: int) -> Run:
    start = _NOW - age * _DAY + number % 3600 + turn
    record = Record(f"{number}-{age}-{turn}", start, "FAIL", 10, number % 5, 1)
    return Run(record, "failed" if age % 3 == 0 else "success")
