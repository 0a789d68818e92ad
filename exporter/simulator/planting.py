"""A run that a script plants: what it says, and what follows from what it leaves unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.simulator.behaviours import spread
from exporter.simulator.dice import Dice, identifier
from exporter.simulator.runs import FAILED, SKIPPED, SUCCESS, Run, class_of

if TYPE_CHECKING:
    from exporter.simulator.tasks import Task

_COUNTS = {"success_num": SUCCESS, "failed_num": FAILED, "skip_num": SKIPPED}


@dataclass(frozen=True, slots=True)
class PlantedRun:
    """A run to be planted.

    `start` is in epoch seconds, `duration` in seconds (`None`: it goes on until it is finished by script),
    `status` the API's word. What the counts given leave of the task's desktops turned out as the status says
    (a word that nobody knows: succeeded). `codes` are (`failed` or `skipped`, result code, how many); without
    them some are made up, with fewer than the counts say the details list fewer. `replaces` is the occurrence
    that this run answers in place of the one that the seed would have had. `wire` replaces fields of the
    record as it is sent, `omitted` names those left out.
    """

    start: int
    duration: int | None = 60
    status: str = "SUCCESS"
    success: int | None = None
    failed: int | None = None
    skipped: int | None = None
    codes: tuple[tuple[str, str, int], ...] | None = None
    replaces: int | None = None
    wire: Mapping[str, object] | None = None
    omitted: frozenset[str] = frozenset()


def grow(planted: PlantedRun, task: Task, *key: object) -> Run:
    """Return the run; `key` tells it from the others that were planted."""
    counts = _counts(planted, task.desktops)
    codes = planted.codes
    if codes is None:
        dice = Dice("codes", *key)
        codes = (*spread(FAILED, counts[FAILED], dice), *spread(SKIPPED, counts[SKIPPED], dice))
    absent = {outcome for field, outcome in _COUNTS.items() if field in planted.omitted}
    success, failed, skipped = (
        None if outcome in absent else counts[outcome] for outcome in (SUCCESS, FAILED, SKIPPED)
    )
    return Run(
        task_id=task.id,
        id=identifier("planted", task.id, *key),
        start=planted.start,
        end=None if planted.duration is None else planted.start + planted.duration,
        due=planted.replaces,
        status=planted.status,
        success=success,
        failed=failed,
        skipped=skipped,
        codes=codes,
        wire=planted.wire,
        omitted=planted.omitted,
    )


def _counts(planted: PlantedRun, desktops: int) -> dict[str, int]:
    given = {SUCCESS: planted.success, FAILED: planted.failed, SKIPPED: planted.skipped}
    rest = max(desktops - sum(max(count or 0, 0) for count in given.values()), 0)
    word = class_of(planted.status)
    implied = word if word in given else SUCCESS
    return {
        outcome: count if count is not None else rest if outcome == implied else 0
        for outcome, count in given.items()
    }
