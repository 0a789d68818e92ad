"""States and cycles -> what the status page and `/api/v1/tasks` show. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import overload

from exporter.advice import advise
from exporter.config import Project
from exporter.details import RunDetails
from exporter.errors import ApiError
from exporter.history import Run
from exporter.judgement import is_stale, judge
from exporter.poller import Cycle
from exporter.state import TaskState
from exporter.views import ErrorView, ProjectView, ResultView, RunView, TaskView

_EXAMPLES = 3


def view_project(
    project: Project, cycle: Cycle | None, *, tasks: int, interval: float, last_success: float | None
) -> ProjectView:
    """Return one project and how its last cycle went."""
    return ProjectView(
        name=project.name,
        region=project.region or "",
        tasks=tasks,
        interval=interval,
        last_poll=cycle.ended if cycle else None,
        last_success=last_success,
        poll_ok=cycle.ok if cycle else None,
        error=_cycle_error(cycle) if cycle else None,
    )


def view_task(state: TaskState, now: float, interval: float) -> TaskView:
    """Return one task as people see it at `now` (epoch seconds)."""
    verdict, reasons = judge(state, now, interval)
    history = state.history
    return TaskView(
        project=state.project,
        id=state.task_id,
        name=state.name,
        verdict=verdict,
        reasons=reasons,
        task_type=state.task_type,
        scheduled_type=state.scheduled_type,
        life_cycle_type=state.life_cycle_type,
        time_zone=state.time_zone,
        enabled=state.enabled,
        found=state.found is not False,
        last_run=view_run(history.last, state.details) if history and history.last else None,
        runs=_Runs(history.recent, state.details) if history else (),
        running_since=(history.running_since or None) if history else None,
        next_run=state.next_run,
        expected_run=state.expected_run,
        consecutive_unsuccessful=history.consecutive_unsuccessful if history else 0,
        consecutive_skipped=history.consecutive_skipped if history else 0,
        last_poll=state.last_poll,
        poll_error=view_error(state.poll_error) if state.poll_error else None,
        stale=is_stale(state, now, interval),
    )


def view_run(run: Run, details: RunDetails | None) -> RunView:
    """Return one run, with what its desktops tell where those are `details`' own."""
    own = details if details and details.run_id == run.record.id else None
    return RunView(
        id=run.record.id,
        start=run.record.start,
        status=run.status or "running",
        word=run.record.status,
        success=run.record.success_num,
        failed=run.record.failed_num,
        skipped=run.record.skip_num,
        duration=own.duration if own else None,
        results=_results(own) if own else (),
    )


def view_error(error: ApiError) -> ErrorView:
    """Return a failed request as people read it."""
    advice = advise(error)
    return ErrorView(
        text=str(error),
        cause=advice.cause,
        next_step=advice.next_step,
        code=error.answer.code or error.label,
        request_id=error.answer.request_id,
    )


class _Runs(Sequence[RunView]):
    """Runs that are viewed when they are looked at: a page shows fifty tasks of ten thousand."""

    __slots__ = ("_details", "_runs")

    def __init__(self, runs: tuple[Run, ...], details: RunDetails | None) -> None:
        self._runs = runs
        self._details = details

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> RunView: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RunView]: ...

    def __getitem__(self, index: int | slice) -> RunView | Sequence[RunView]:
        if isinstance(index, slice):
            return _Runs(self._runs[index], self._details)
        return view_run(self._runs[index], self._details)


def _results(details: RunDetails) -> tuple[ResultView, ...]:
    reasons: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for failure in details.failures:
        reasons[failure.outcome, failure.result_code].append((failure.name, failure.reason))
    return tuple(
        ResultView(
            outcome=outcome,
            code=code,
            desktops=number,
            reason=next((reason for _, reason in reasons[outcome, code] if reason), ""),
            examples=tuple(name for name, _ in reasons[outcome, code][:_EXAMPLES]),
        )
        for outcome, code, number in details.results
    )


def _cycle_error(cycle: Cycle) -> ErrorView | None:
    if cycle.problems:
        return view_error(cycle.problems[0])
    if cycle.failing_tasks:
        count = cycle.failing_tasks
        return ErrorView(text=f"The records of {count} task{'' if count == 1 else 's'} could not be read.")
    return None
