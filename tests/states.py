"""Task states for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from exporter.details import RunDetails
from exporter.history import RUN_STATUSES, History, Run, summarize
from exporter.records import Record, Task
from exporter.state import Counts, TaskState

START = 1672448400.0
"""The start of the specification's example record."""


def history(*runs: Run, total: int | None = None) -> History:
    """Return what these runs, oldest first, tell."""
    return summarize(list(runs), total=len(runs) if total is None else total, truncated=False)


def partial_run() -> Run:
    """Return the specification's example record, as it is understood."""
    return Run(Record("2b31e-d520xxxx-xxebedb6-e57xxxxxx", START, "SUCCESS", 1, 1, 1), "partial")


def task_state(**changes: Any) -> TaskState:
    """Return a task with a partial last run, everything known of it."""
    run = partial_run()
    known: dict[str, Any] = {
        "project": "prod",
        "task_id": "8d2e",
        "name": "nightly stop",
        "project_id": "0a1b",
        "grace": 900.0,
        "max_duration": 7200.0,
        "listing": Task(
            "8d2e",
            "nightly stop",
            "STOP",
            "DAY",
            time_zone="Asia/Shanghai",
            enabled=True,
            next_run=START + 86400,
        ),
        "found": True,
        "history": history(run, total=10),
        "details": RunDetails(run.record.id, 130.5, (("failed", "WKS.1", 1), ("skipped", "unread", 1)), ()),
        "expected_run": START,
        "schedule_period": 86400.0,
        "counts": Counts((0, 1, 0, 0, 0), (1, 1, 1)),
        "last_poll": START + 200,
        "poll_ok": True,
    }
    return TaskState(**{**known, **changes})


def hostile_text() -> st.SearchStrategy[str]:
    """Texts that upstream might send, once cleaned: all that UTF-8 can say, quotes and newlines often."""
    often = st.sampled_from('"\\\n\r\t{}=, \u2028')
    return st.text(st.one_of(often, st.characters(exclude_categories=["Cs"])), max_size=12)


def task_states() -> st.SearchStrategy[TaskState]:
    """Any state, with hostile names and codes."""
    numbers = st.one_of(st.none(), st.integers(0, 2**53))
    seconds = st.floats(0, 4e9)
    runs = st.builds(
        Run,
        st.builds(Record, hostile_text(), seconds, hostile_text(), numbers, numbers, numbers),
        st.sampled_from([*RUN_STATUSES, None]),
    )
    histories = st.lists(runs, max_size=4, unique_by=lambda run: run.record.id).map(
        lambda found: history(*sorted(found, key=lambda run: run.order))
    )
    results = st.lists(
        st.tuples(st.sampled_from(["failed", "skipped"]), hostile_text(), st.integers(1, 99)),
        max_size=3,
        unique_by=lambda result: result[:2],
    )

    def build(state: TaskState, found: tuple[tuple[Any, str, int], ...], duration: float | None) -> TaskState:
        last = state.history.last if state.history else None
        details = RunDetails(last.record.id, duration, tuple(found), ()) if last else None
        return task_state(
            project=state.project,
            task_id=state.task_id,
            name=state.name,
            history=state.history,
            details=details,
            expected_run=state.expected_run,
            schedule_period=state.schedule_period,
            last_poll=state.last_poll,
        )

    states = st.builds(
        TaskState,
        project=hostile_text(),
        task_id=hostile_text(),
        name=hostile_text(),
        project_id=hostile_text(),
        grace=seconds,
        max_duration=seconds,
        history=st.one_of(st.none(), histories),
        expected_run=st.one_of(st.none(), seconds),
        schedule_period=st.one_of(st.none(), seconds),
        last_poll=st.one_of(st.none(), seconds),
    )
    return st.builds(build, states, results.map(tuple), st.one_of(st.none(), seconds))
