"""A task's past -> OpenMetrics lines with timestamps, for one stretch of time. Pure.

Source: OpenMetrics 1.0.0: a family stands in one piece under its TYPE, the samples of a series follow each
other in the order of their timestamps, which are seconds. So a task's lines come by family, and within it by
series; each series' name and labels are those of the live text, byte for byte.

Samples stand at the beginning, on a grid that starts anew with each UTC day (so that a day's text is the same
whatever day the whole began with), and at each moment at which something changed: a look at any second finds
the value of that second. Timestamps are whole seconds: Prometheus cuts fractions to milliseconds, downwards.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise

from exporter.backfill import Replay
from exporter.catalog import TASK_METRICS, TaskMetric
from exporter.negotiation import Format
from exporter.rendering import END, render_header, render_task

DAY_SECONDS = 86_400
LEFT_OUT: Mapping[str, str] = {
    "workspace_task_records": "upstream deletes records, and no record tells how many there were",
    "workspace_task_history_truncated": "it is about a read, and nothing was read then",
    "workspace_task_enabled": "no record tells whether the task was switched on",
    "workspace_task_found": "it is about a read, and nothing was read then",
    "workspace_task_next_run_timestamp_seconds": "upstream tells only the next run from now",
    "workspace_task_last_poll_timestamp_seconds": "nothing was polled then",
    "workspace_task_poll_success": "nothing was polled then",
}
"""Families that have no past, and why."""
_PLACES = tuple(place for place, metric in enumerate(TASK_METRICS) if metric.name not in LEFT_OUT)
FAMILIES: tuple[TaskMetric, ...] = tuple(TASK_METRICS[place] for place in _PLACES)
"""Families that have one, in the order of the catalogue."""
EOF_LINE = END[Format.OPENMETRICS]

Series = dict[bytes, list[tuple[bytes, list[bytes]]]]
"""By name and labels: the values, each with the timestamps at which the series had it."""


def header(family: TaskMetric) -> bytes:
    """Return a family's HELP and TYPE lines."""
    return render_header(family.name, family.type, family.help, Format.OPENMETRICS)


def day_lines(past: Replay, since: int, until: int, step: int) -> tuple[bytes, ...]:
    """Return a task's lines from `since` on and before `until`, one item for each of FAMILIES.

    Both are whole epoch seconds of one UTC day, `step` whole seconds. Empty before the task's first run, less
    one step: of that time nothing tells whether the task existed.
    """
    grid = range(since + (since // DAY_SECONDS * DAY_SECONDS - since) % step, until, step)
    known = past.first_start - step
    begin = since if known <= since else next(iter(grid[bisect_left(grid, known) :]), None)
    if begin is None:
        return (b"",) * len(FAMILIES)
    families: tuple[Series, ...] = tuple({} for _ in FAMILIES)
    for start, moments in _stretches(grid, [begin, *past.changes(begin, until)]):
        chunks = render_task(past.state_at(start))
        times = [str(moment).encode() for moment in moments]
        for series, place in zip(families, _PLACES, strict=True):
            for line in chunks[place].splitlines():
                name, _, value = line.rpartition(b" ")
                series.setdefault(name, []).append((value, times))
    return tuple(map(_text, families))


def _stretches(grid: range, starts: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield stretches in which nothing changes: their start and all moments to sample, it included."""
    for start, end in pairwise([*starts, grid.stop]):
        inside = grid[bisect_left(grid, start) : bisect_left(grid, end)]
        yield start, [start, *(moment for moment in inside if moment != start)]


def _text(series: Series) -> bytes:
    pieces = []
    for name, values in series.items():
        for value, times in values:
            front = b"%b %b " % (name, value)
            pieces.append(front + (b"\n" + front).join(times) + b"\n")
    return b"".join(pieces)
