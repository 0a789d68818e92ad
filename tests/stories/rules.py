"""A small model of the task alerts of examples/prometheus/rules.yml, for one exporter that is always scraped.

It evaluates what a scrape would show, with the memory that the rules keep in Prometheus. What only matters
for replicas, for failed scrapes and for tasks that nobody has read yet (`outvoted_replica`, `held_alerts`) is
left out. `tests/test_year.py` holds it against promtool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from exporter.catalog import TASK_METRICS, Sample
from exporter.state import TaskState
from tests.stories.planted import Alert

_STALE = 1200.0
_RECENT = 2 * 86_400.0
_DAY = 86_400.0
_HOUR = 3600.0
_METRICS = {metric.name.removeprefix("workspace_task_"): metric for metric in TASK_METRICS}
_BAD = ("failed", "partial")


@dataclass(frozen=True, slots=True)
class Scrape:
    """The samples of one task that the rules read; None for an absent one."""

    status: str | None
    newest: Mapping[str, float]
    counted: Mapping[str, float]
    unsuccessful: float
    skipped: float
    running_since: float
    last_start: float
    expected: float | None
    period: float | None
    grace: float
    max_duration: float
    enabled: float | None


def scrape(state: TaskState) -> Scrape | None:
    """Return what a scrape shows of a task; None before its first read and while its data is withdrawn."""
    statuses = dict(_labelled(state, "last_run_status"))
    if not statuses:
        return None
    return Scrape(
        status=next((name for name, value in statuses.items() if value), None),
        newest=dict(_labelled(state, "status_last_timestamp_seconds")),
        counted=dict(_labelled(state, "runs_total")),
        unsuccessful=_single(state, "consecutive_unsuccessful_runs") or 0.0,
        skipped=_single(state, "consecutive_skipped_runs") or 0.0,
        running_since=_single(state, "running_since_timestamp_seconds") or 0.0,
        last_start=_single(state, "last_start_timestamp_seconds") or 0.0,
        expected=_single(state, "expected_run_timestamp_seconds"),
        period=_single(state, "schedule_period_seconds"),
        grace=_single(state, "grace_seconds") or 0.0,
        max_duration=_single(state, "max_duration_seconds") or 0.0,
        enabled=_single(state, "enabled"),
    )


def _samples(state: TaskState, name: str) -> Iterable[Sample]:
    return _METRICS[name].samples(state)


def _single(state: TaskState, name: str) -> float | None:
    return next((value for _, value in _samples(state, name)), None)


def _labelled(state: TaskState, name: str) -> Iterator[tuple[str, float]]:
    return ((labels[0], value) for labels, value in _samples(state, name))


@dataclass
class _Memory:
    """What the recording rules keep of one task."""

    state: TaskState
    scrape: Scrape | None
    reported: float | None = None
    enabled: bool = False
    enabled_at: float | None = None
    known: dict[str, float] = field(default_factory=dict)
    superseded_at: float | None = None

    def look(self, shown: Scrape, now: float, *, fresh: bool) -> None:
        """Remember when the task was last reported, and last seen switched on."""
        self.reported = now
        if self.enabled:
            self.enabled_at = now  # that was shown until this very moment
        self.enabled = fresh and shown.enabled == 1


class Prometheus:
    """Evaluates the rules right after each poll, until which the values of the one before stand.

    `interval` is the exporter's, in seconds.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._memories: dict[str, _Memory] = {}
        self._begun = False

    def evaluate(
        self, now: float, states: Mapping[str, TaskState], last_polls: Mapping[str, float]
    ) -> set[Alert]:
        """Return the firing alerts at `now` (epoch seconds)."""
        firing: set[Alert] = set()
        for task_id, state in states.items():
            memory = self._memory(task_id, state)
            shown = memory.scrape
            if shown is not None:
                fresh = now - last_polls[task_id] <= max(_STALE, 3 * self._interval)
                self._superseded(memory, shown, now)
                memory.look(shown, now, fresh=fresh)
                names = _firing(memory, shown, now, last_polls[task_id], fresh=fresh)
                firing.update((name, task_id) for name in names)
        for task_id, memory in self._memories.items():
            if memory.superseded_at is not None and now - memory.superseded_at <= _HOUR:
                firing.add(("RunFailureSuperseded", task_id))
        self._begun = True
        return firing

    def _memory(self, task_id: str, state: TaskState) -> _Memory:
        memory = self._memories.get(task_id)
        if memory is None:
            memory = self._memories[task_id] = _Memory(state, scrape(state))
        elif memory.state is not state:
            memory.state, memory.scrape = state, scrape(state)
        return memory

    def _superseded(self, memory: _Memory, shown: Scrape, now: float) -> None:
        """Note a failure that no evaluation saw as the last run."""
        for status in _BAD:
            start = shown.newest[status]
            if start <= now - _RECENT or start <= memory.known.get(status, 0.0):
                continue
            told = memory.reported is not None and memory.reported > now - _DAY
            told |= self._begun and shown.counted[status] > 0
            if told and shown.status != status:
                memory.superseded_at = now
            memory.known[status] = start


def _firing(memory: _Memory, shown: Scrape, now: float, last_poll: float, *, fresh: bool) -> Iterator[str]:
    yield from _of_runs(shown)
    if shown.running_since and shown.running_since < min(_STALE + last_poll, now) - shown.max_duration:
        yield "RunStuck"
    off = shown.enabled == 0 and fresh
    if fresh and not off:
        yield from _of_absence(shown, last_poll)
    if off and memory.enabled_at is not None and now < memory.enabled_at + _DAY:
        yield "Disabled"


def _of_runs(shown: Scrape) -> Iterator[str]:
    names = {"failed": "RunFailed", "partial": "RunPartiallyFailed", "unknown": "StatusUnknown"}
    if shown.status in names:
        yield names[shown.status]
    if shown.unsuccessful >= 3:
        yield "FailingRepeatedly"
    if shown.skipped >= 2:
        yield "RunsSkippedRepeatedly"


def _of_absence(shown: Scrape, last_poll: float) -> Iterator[str]:
    expected = shown.expected
    if expected is not None and shown.last_start + 60 < expected < last_poll - shown.grace:
        yield "RunMissed"
    if shown.status in {"failed", "skipped", "unknown"}:
        limit = 1.0
        if shown.period is not None:
            limit = max(last_poll - 2 * shown.period - shown.max_duration, 1.0)
        if max(shown.newest["success"], shown.newest["partial"]) < limit:
            yield "NoRecentSuccess"
