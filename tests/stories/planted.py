"""Which task alerts must fire, and when, by the simulator's ledger: the contract's section 7, read naively.

It shares nothing with the exporter and its rules: it looks at what really happened to a task, not at metrics.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.simulator import ledger as words
from exporter.simulator.runs import Run
from tests.stories import oracle
from tests.stories.lifetimes import Lifetime
from tests.stories.year import DAY, GRACE, INTERVAL, MAX_DURATION, POLLS, last_restart

Alert = tuple[str, str]
"""The alert's name without `WorkspaceTask`, and the task's id."""
_GOOD = {"success", "partial"}
_BAD = {"failed", "partial"}
_OF_LAST_RUN = {"failed": "RunFailed", "partial": "RunPartiallyFailed", "unknown": "StatusUnknown"}


@dataclass(frozen=True, slots=True)
class Page:
    """An alert that began to fire at `on` and no longer fired at `off` (the places of evaluations)."""

    alert: str
    task_id: str
    on: int
    off: int


def pages(evaluations: Sequence[set[Alert]]) -> list[Page]:
    """Return the pages that a series of evaluations makes; what fires in the last one ends after it."""
    begun: dict[Alert, int] = {}
    found: list[Page] = []
    for place, firing in enumerate([*evaluations, set[Alert]()]):
        found.extend(Page(*alert, begun.pop(alert), place) for alert in begun.keys() - firing)
        begun.update(dict.fromkeys(firing - begun.keys(), place))
    return found


def planted(lives: Iterable[Lifetime]) -> list[set[Alert]]:
    """Return which alerts must fire at each of the year's POLLS, if all is seen at once."""
    found: list[set[Alert]] = [set() for _ in POLLS]
    for life in lives:
        for firing, alerts in zip(found, _alerts_of(life), strict=True):
            firing.update((alert, life.task.id) for alert in alerts)
    return found


def failures(life: Lifetime) -> list[Run]:
    """Return the runs that failed, wholly or in part."""
    return [run for run in life.runs if run.verdict in _BAD]


def _alerts_of(life: Lifetime) -> Iterator[frozenset[str]]:
    """Yield the alerts at each poll; they are worked out where something may have changed since the last."""
    instants = sorted(_instants(life))
    alerts: frozenset[str] = frozenset()
    for now in POLLS:
        if now == POLLS[0] or bisect_left(instants, now - INTERVAL) < bisect_right(instants, now):
            alerts = frozenset(_firing(life, now)) if life.exists(now) else frozenset()
        yield alerts


def _instants(life: Lifetime) -> Iterator[float]:
    """Yield when an alert may begin or end."""
    for run in life.runs:
        yield from (run.start, run.start + MAX_DURATION, run.start + _patience(life, run.start))
        if run.end is not None:
            yield run.end
    yield from (due + GRACE for due in life.misses)
    yield from (last_restart(now) for now in POLLS)
    for change in life.changes:
        yield from (change.at, change.at + DAY)


def _firing(life: Lifetime, now: float) -> Iterator[str]:
    started = life.started(now)
    finished = [run for run in started if run.finished(now)]
    yield from _of_last_runs([run.verdict for run in finished])
    if any(not run.finished(now) and run.start < now - MAX_DURATION for run in started):
        yield "RunStuck"
    if life.chapter(now).enabled:
        yield from _of_absence(life, started, finished, now)
    elif any(0 <= now - at < DAY for at in _changed(life, words.DISABLED)):
        yield "Disabled"


def _of_last_runs(verdicts: list[str]) -> Iterator[str]:
    if verdicts and verdicts[-1] in _OF_LAST_RUN:
        yield _OF_LAST_RUN[verdicts[-1]]
    since = max((place + 1 for place, verdict in enumerate(verdicts) if verdict == "success"), default=0)
    if sum(verdict in _BAD for verdict in verdicts[since:]) >= 3:
        yield "FailingRepeatedly"
    if verdicts[-2:] == ["skipped", "skipped"]:
        yield "RunsSkippedRepeatedly"


def _of_absence(life: Lifetime, started: list[Run], finished: list[Run], now: float) -> Iterator[str]:
    edited = max((at for at in _changed(life, words.ENABLED, words.EDITED) if at <= now), default=0.0)
    # A task without a record is known since this process has seen it.
    covered = started[-1].start + 60 if started else max(life.task.created, last_restart(now))
    if any(max(covered, edited) < due < now - GRACE for due in life.misses):
        yield "RunMissed"
    good = [run.start for run in finished if run.verdict in _GOOD]
    recent = good and good[-1] >= now - _patience(life, now)
    if finished and finished[-1].verdict not in _GOOD and not recent:
        yield "NoRecentSuccess"


def _changed(life: Lifetime, *kinds: str) -> Iterator[float]:
    """Yield when people did this to the task."""
    return (change.at for change in life.changes if change.kind in kinds)


def _patience(life: Lifetime, now: float) -> float:
    """Return for how many seconds a task may go without a success."""
    period = oracle.period(life.chapter(now).plan)
    return float("inf") if period is None else 2 * period + MAX_DURATION
