"""Which runs and tasks one page holds: order, retention, filters, offset and limit (offset counts rows)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.simulator.options import Options
    from exporter.simulator.runs import Run
    from exporter.simulator.tasks import Task
    from exporter.simulator.world import World


def record_page(task: Task, now: float, options: Options, offset: int, limit: int) -> tuple[list[Run], int]:
    """Return the runs of one page of records, and how many records there are in all."""
    if options.in_progress and options.retention_seconds is None and options.order != "unordered":
        return _by_place(task, now, options, offset, limit)
    kept = list(islice(_readable(task, now, options), options.retention))
    if options.order == "oldest":
        kept.reverse()
    elif options.order == "unordered":
        kept.sort(key=_scattered)
    return kept[offset : offset + limit], len(kept)


def find_run(task: Task, run_id: str, now: float, options: Options) -> Run | None:
    """Return the run with that id, as long as its record is kept."""
    kept = islice(_readable(task, now, options), options.retention)
    return next((run for run in kept if run.id == run_id), None)


def matching_tasks(world: World, now: float, filters: Mapping[str, str]) -> Sequence[Task]:
    """Return the tasks that a list with these filters shows.

    Triggered tasks are listed only with `scheduled_type=LIFE_CYCLE` (ListScheduledTasks).
    """
    kind = filters.get("scheduled_type", "")
    tasks = world.tasks(now, triggered=kind == "LIFE_CYCLE")
    if not filters.keys() - {"scheduled_type"} and kind in {"", "LIFE_CYCLE"}:
        return tasks
    return [task for task in tasks if _matches(task, now, filters)]


def _by_place(task: Task, now: float, options: Options, offset: int, limit: int) -> tuple[list[Run], int]:
    """Page without looking at more runs than the page holds: the usual case, and the one that must scale."""
    timeline = task.timeline
    count = timeline.count(now)
    kept = min(count, options.retention)
    places = range(offset, min(offset + limit, kept))
    if options.order == "newest":
        return [timeline.run(count - 1 - place) for place in places], kept
    return [timeline.run(count - kept + place) for place in places], kept


def _readable(task: Task, now: float, options: Options) -> Iterator[Run]:
    oldest = None if options.retention_seconds is None else now - options.retention_seconds
    for run in task.timeline.newest_first(now):
        if oldest is not None and run.start < oldest:
            return
        if options.in_progress or run.finished(now):
            yield run


def _matches(task: Task, now: float, filters: Mapping[str, str]) -> bool:
    chapter = task.timeline.chapter(now)
    has = {
        "task_name": filters.get("task_name", "").casefold() in chapter.name.casefold(),
        "task_type": task.task_type == filters.get("task_type"),
        "scheduled_type": chapter.plan.scheduled_type == filters.get("scheduled_type"),
        "life_cycle_type": chapter.plan.life_cycle_type == filters.get("life_cycle_type"),
        "last_status": "last_status" in filters and task.last_status(now) == filters["last_status"],
    }
    return all(has[name] for name in filters)


def _scattered(run: Run) -> str:
    return run.id
