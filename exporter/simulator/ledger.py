"""What really happened: every run, miss and change that the world planted, for tests to count against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from exporter.simulator.runs import desktops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.runs import Run

ADDED, RENAMED, DISABLED, ENABLED, EDITED, DELETED, BEHAVED = (
    "added",
    "renamed",
    "disabled",
    "enabled",
    "edited",
    "deleted",
    "behaved",
)


@dataclass(frozen=True, slots=True)
class Miss:
    """An occurrence at which a task should have run and did not."""

    task_id: str
    due: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was done to a task: `kind` is one of this module's words, `note` the new value."""

    task_id: str
    at: float
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What happened in (since, until].

    `runs` are those that had started by `until` and were not over by `since`, in the order of tasks and of
    their start; `misses` fell due, `changes` were made in between.
    """

    since: float
    until: float
    runs: tuple[Run, ...]
    misses: tuple[Miss, ...]
    changes: tuple[Change, ...]

    @property
    def finished(self) -> tuple[Run, ...]:
        """The runs that ended in (since, until]."""
        return tuple(run for run in self.runs if run.finished(self.until))

    @property
    def in_progress(self) -> tuple[Run, ...]:
        """The runs that had not ended by `until`."""
        return tuple(run for run in self.runs if not run.finished(self.until))

    def run_totals(self) -> Counter[tuple[str, str]]:
        """Count the finished runs by (task id, verdict)."""
        return Counter((run.task_id, run.verdict) for run in self.finished)

    def desktop_totals(self) -> Counter[tuple[str, str]]:
        """Sum the counts of the finished runs by (task id, result: success, failed, skipped)."""
        totals: Counter[tuple[str, str]] = Counter()
        for run in self.finished:
            counts = (("success", run.success), ("failed", run.failed), ("skipped", run.skipped))
            totals.update({(run.task_id, result): count for result, count in counts if count and count > 0})
        return totals

    def as_json(self, *, with_desktops: bool = False) -> dict[str, object]:
        """Return the ledger as a tree for JSON; desktops only where asked for, since they are many."""
        return {
            "since": self.since if isfinite(self.since) else None,
            "until": self.until,
            "runs": [_run(run, self.until, with_desktops=with_desktops) for run in self.runs],
            "misses": [{"task_id": miss.task_id, "due": miss.due} for miss in self.misses],
            "changes": [
                {"task_id": change.task_id, "at": change.at, "kind": change.kind, "note": change.note}
                for change in self.changes
            ],
        }


def _run(run: Run, until: float, *, with_desktops: bool) -> dict[str, object]:
    tree: dict[str, object] = {
        "task_id": run.task_id,
        "id": run.id,
        "due": run.due,
        "start": run.start,
        "end": run.end,
        "finished": run.finished(until),
        "word": run.status,
        "status": run.verdict,
        "success": run.success,
        "failed": run.failed,
        "skipped": run.skipped,
        "codes": [{"outcome": outcome, "code": code, "count": count} for outcome, code, count in run.codes],
    }
    if with_desktops:
        tree["desktops"] = list(_desktops(run, until))
    return tree


def _desktops(run: Run, until: float) -> Iterator[dict[str, object]]:
    for desktop in desktops(run, until):
        yield {
            "desktop_id": desktop.desktop_id,
            "name": desktop.name,
            "status": desktop.status,
            "result_code": desktop.code,
            "start": desktop.start,
            "end": desktop.end,
        }
