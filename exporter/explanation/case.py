"""One task at one moment, as the sentences that explain it need it. Pure.

Everything decided comes from elsewhere (history, expectation, judgement, the catalogue); here it is put into
words: which record, which field, which rule of the contract's section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from exporter.catalog import TASK_METRICS
from exporter.config import Statuses
from exporter.durations import format_duration
from exporter.history import RUN_STATUSES, History, Run, RunStatus
from exporter.records import Record
from exporter.rendering import escape
from exporter.state import TaskState

LIST = "ListScheduledTasks"
SCHEDULE = "ShowScheduledTasks"
RECORDS = "ListScheduledTasksRecords"
DETAILS = "ListScheduledTasksRecordsDetails"
_METRICS = {metric.name: metric for metric in TASK_METRICS}
_COUNTS = ("success_num", "failed_num", "skip_num")


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of one alert: `what` is so; which samples, rule and source make it so; what ends it.

    `unsure`: one look at the task cannot tell whether it fires.
    """

    what: str
    samples: tuple[str, ...] = ()
    rule: str = ""
    source: str = ""
    ends: str = ""
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A task at `now` (epoch seconds); `clock` writes a moment, `interval` is that of polling in seconds."""

    state: TaskState
    statuses: Statuses
    now: float
    interval: float
    clock: Callable[[float], str]

    @property
    def history(self) -> History | None:
        """What its records tell, where they could be read."""
        return self.state.history

    @property
    def last(self) -> Run | None:
        """The last run."""
        return self.history.last if self.history else None

    @property
    def last_status(self) -> RunStatus | None:
        """The last run's status."""
        return self.last.status if self.last else None

    @property
    def last_start(self) -> float:
        """Start of the newest run, 0 where there is none."""
        return self.history.last_start if self.history else 0.0

    @property
    def recent(self) -> tuple[Run, ...]:
        """The newest runs, oldest first."""
        return self.history.recent if self.history else ()

    @property
    def known_at(self) -> float:
        """As of when the runs are known: what did not happen is judged by then, as the rules do."""
        return self.now if self.state.last_poll is None else self.state.last_poll

    @property
    def triggered(self) -> bool:
        """Whether an event starts the task, not the clock."""
        return self.state.scheduled_type.strip().upper() == "LIFE_CYCLE"

    def newest(self, *statuses: RunStatus) -> float:
        """Start of the newest run with one of these statuses, 0 where there is none."""
        if self.history is None:
            return 0.0
        return max(self.history.newest_by_status[RUN_STATUSES.index(status)] for status in statuses)

    # In words

    def samples(self, name: str, *labels: str) -> tuple[str, ...]:
        """The samples of a metric as Prometheus shows them; with `labels` only those of these values."""
        metric = _METRICS[name]
        return tuple(
            f"{name}{braces(metric.labels, values)} {self.value(name, value)}"
            for values, value in metric.samples(self.state)
            if not labels or values == labels
        )

    def value(self, name: str, value: float) -> str:
        """A sample's value, and what it means where it is a time or a length of time."""
        number = str(int(value)) if value == int(value) else f"{value:.3f}"
        if name.endswith("_timestamp_seconds"):
            return f"{number} ({self.clock(value)})" if value else "0 (none)"
        return f"{number} ({format_duration(value)})" if name.endswith("_seconds") else number

    def record(self, record: Record) -> str:
        """A record with the fields that count, by the API's names."""
        counts = ", ".join(f"{name} {or_absent(getattr(record, name))}" for name in _COUNTS)
        word = record.status or "absent"
        return f"record {record.id}: start_time {self.clock(record.start)}, status {word}, {counts}"

    def record_started(self, start: float) -> str:
        """The record of the run that started then."""
        run = next((run for run in self.recent if run.record.start == start), None)
        return self.record(run.record) if run else f"a record with start_time {self.clock(start)}"

    def row(self) -> str:
        """The newest runs' statuses and days, oldest first: `5 success (…), 1 failed (…)`."""
        groups = (list(runs) for _, runs in groupby(self.recent, key=lambda run: run.status))
        return ", ".join(self._group(runs) for runs in groups) or "no record"

    def _group(self, runs: list[Run]) -> str:
        first, last = (self.clock(run.record.start)[:10] for run in (runs[0], runs[-1]))
        days = first if first == last else f"{first} to {last}"
        return f"{len(runs)} {runs[0].status or 'running'} ({days})"

    def next_run(self) -> str:
        """What the list says of the next run, as a sentence; empty where it says nothing."""
        when = self.state.next_run
        return f" The next one is planned for {self.clock(when)}." if when and when > self.now else ""

    def reading(self, run: Run) -> str:
        """How a run's status follows from its record: the API's word, and counts that can make it worse."""
        record, kind = run.record, self.statuses.class_of(run.record.status)
        word = f"The word {record.status}" if record.status else "The empty word"
        if kind == "unknown":
            return f"{word} stands in no class of `statuses`: unknown."
        stands = f"{word} stands in `statuses.{kind}`"
        if kind == "running":
            return f"{stands}: the run is in progress."
        if kind == "failed":
            return f"{stands}: failed, whatever the counts."
        if not record.failed_num:
            return f"{stands}, and failed_num is {or_absent(record.failed_num)}: {run.status}."
        return (
            f"{stands}, but failed_num is {record.failed_num} and success_num "
            f"{or_absent(record.success_num)}, and counts can make it worse: {run.status}."
        )

    def schedule(self) -> str:
        """The schedule in the API's words, as far as it is known."""
        said = self.state.schedule
        if said is None:
            return self.state.scheduled_type or "a schedule that could not be read"
        fields = {
            "at": said.scheduled_time,
            "on": said.scheduled_date,
            "day_interval": str(said.day_interval or ""),
            "week_list": said.week_list,
            "month_list": said.month_list,
            "date_list": said.date_list,
            "in": self.state.time_zone,
        }
        return " ".join(
            [said.scheduled_type, *(f"{name} {value}" for name, value in fields.items() if value)]
        )


def or_absent(count: int | None) -> str:
    """A count of a record in words."""
    return "absent" if count is None else str(count)


def braces(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """A metric's own labels as the exposition format writes them; empty where it has none."""
    pairs = ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""
