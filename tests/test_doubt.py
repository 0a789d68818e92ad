"""Whether the list shows an edited schedule: what it may say without that, and what it may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from exporter.doubt import in_doubt
from exporter.expectation import observe
from exporter.records import Schedule, Task
from tests.calendar_oracle import epoch

DAILY = Schedule(scheduled_type="DAY", day_interval=1, scheduled_time="09:00:00")
WEEKLY = Schedule(scheduled_type="WEEK", week_list="2,6", scheduled_time="09:00:00")
HOUR, DAY = 3600.0, 86_400.0
TUESDAY = epoch("2025-06-17T09:00:00Z")
"""An occurrence of DAILY, none of WEEKLY (Monday and Friday)."""
BEFORE = Task("t", name="n", scheduled_type="DAY", time_zone="UTC", enabled=True, next_run=TUESDAY)


def doubted(now: float, schedule: Schedule | None = DAILY, before: Task = BEFORE, **change: Any) -> bool:
    """Observe a task, then the entry with the change; return whether its schedule is in doubt."""
    entry = replace(before, **change)
    memory = observe(None, now=now - HOUR, task=before, schedule=schedule, zone=UTC)
    return in_doubt(observe(memory, now=now, task=entry), before, entry, now)


@pytest.mark.parametrize(
    "change",
    [
        {"scheduled_type": "WEEK"},
        {"life_cycle_type": "POST_CREATE_DESKTOP_SUCCESS"},
        {"time_zone": "Asia/Shanghai"},
        {"expires": TUESDAY + 9 * DAY},
        {"next_run": TUESDAY + HOUR},
        {"next_run": TUESDAY - 600},
        {"next_run": None},
    ],
)
def test_what_no_run_explains_is_an_edit(change: dict[str, Any]) -> None:
    """An hour before the run is due, its fields, its end or its next run change."""
    assert doubted(TUESDAY - HOUR, **change)


@pytest.mark.parametrize("change", [{}, {"name": "other"}, {"last_status": "FAIL"}, {"enabled": False}])
def test_what_says_nothing_of_times_is_none(change: dict[str, Any]) -> None:
    """A name, a result, or that the task is switched off."""
    for before in (BEFORE, replace(BEFORE, enabled=False)):
        assert not doubted(TUESDAY - HOUR, before=before, **change)


def test_the_first_next_run_that_upstream_names_is_none() -> None:
    """Where it is the schedule's next occurrence."""
    before = replace(BEFORE, next_run=None)
    assert not doubted(TUESDAY - HOUR, before=before, next_run=TUESDAY)
    assert doubted(TUESDAY - HOUR, before=before, next_run=TUESDAY + DAY)


def test_a_task_switched_on_again_may_have_been_edited_meanwhile() -> None:
    """Its next run was nothing that the list showed."""
    assert doubted(TUESDAY - HOUR, before=replace(BEFORE, enabled=False), enabled=True)


@pytest.mark.parametrize("late", [-60, 0, 5, HOUR])
def test_a_next_run_that_goes_on_to_the_next_occurrence_is_none(late: float) -> None:
    """At the due time, a minute before it (an early start), or when a late cycle sees it."""
    assert not doubted(TUESDAY + late, next_run=TUESDAY + DAY)


def test_a_next_run_that_leaves_occurrences_out_is_an_edit() -> None:
    """The schedule as it was read has one tomorrow."""
    assert doubted(TUESDAY + 5, next_run=TUESDAY + 2 * DAY)
    assert not doubted(
        TUESDAY + 5, WEEKLY, replace(BEFORE, next_run=TUESDAY - DAY), next_run=TUESDAY + 3 * DAY
    )


def test_a_next_run_at_another_time_is_an_edit() -> None:
    """Also where it moved when it was due."""
    assert doubted(TUESDAY + 5, next_run=TUESDAY + DAY - HOUR)
    assert not doubted(TUESDAY + 5, next_run=TUESDAY + DAY + 59)


def test_a_last_run_leaves_no_next_one() -> None:
    """A one-shot task has run."""
    assert not doubted(TUESDAY + 5, next_run=None)


def test_without_a_schedule_nothing_is_in_doubt_and_one_that_cannot_be_read_always_is() -> None:
    """The first is a matter of permission, the second may have been a bad answer."""
    assert not doubted(TUESDAY + 5, None, next_run=TUESDAY + 5 * DAY)
    assert doubted(TUESDAY + 5, replace(DAILY, scheduled_time=""), next_run=TUESDAY + DAY)
