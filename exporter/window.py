"""A task's newest runs, kept where one page does not hold them all. Pure.

A window of more than a page is read whole in turn, and in between only as far as anything can have changed:
to the newest run known to have finished and the oldest one in progress. Runs are in order, oldest first.
"""

from __future__ import annotations

from exporter.history import Run
from exporter.paging import RECORDS_LIMIT


def keep(runs: list[Run], size: int) -> list[Run]:
    """Return what must be kept of a window of `size` runs until the next read."""
    return runs if size > RECORDS_LIMIT else []


def back_to(kept: list[Run]) -> float | None:
    """Return the start (epoch seconds) as far back as a read must go; None for the whole window."""
    if not kept:
        return None
    finished = [run.record.start for run in kept if run.status is not None]
    running = [run.record.start for run in kept if run.status is None]
    return min(*finished[-1:], *running[:1], kept[-1].record.start)


def merge(kept: list[Run], read: list[Run], since: float | None, size: int) -> list[Run]:
    """Return the window after a read of all runs from `since` on (None: of all that it holds)."""
    again = {run.record.id for run in read}
    older = [] if since is None else [run for run in kept if run.record.start < since]
    runs = [*(run for run in older if run.record.id not in again), *read]
    return sorted(runs, key=lambda run: run.order)[-size:]
