"""Pasts of tasks for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from exporter.backfill import TaskPast, past_of
from exporter.config import Config
from exporter.details import RunDetails, summarize_details
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.selection import Selected

DAY = 86_400
MIDNIGHT = 1_672_444_800
"""2022-12-31T00:00:00Z."""
NINE = MIDNIGHT + 9 * 3600
DAILY = Schedule(
    name="nightly stop",
    task_type="STOP",
    scheduled_type="DAY",
    time_zone="UTC",
    scheduled_time="09:00:00",
    day_interval=1,
)
LISTING = Task(
    "8d2e", "nightly stop", "STOP", "DAY", time_zone="UTC", enabled=True, next_run=NINE + 99.0 * DAY
)


@dataclass(frozen=True, slots=True)
class Truth:
    """A run as it really was: its record in the end, and when it ended (None: it goes on)."""

    record: Record
    end: float | None

    def known_at(self, moment: float) -> Record | None:
        """Return the record as upstream would have sent it at a moment."""
        if self.record.start > moment:
            return None
        if self.end is None or self.end > moment:
            return replace(self.record, status="RUNNING", success_num=None, failed_num=None, skip_num=None)
        return self.record


def run(start: float, word: str = "SUCCESS", lasts: float | None = 120.0, **counts: int) -> Truth:
    """Return a run; its id is its start."""
    numbers: dict[str, Any] = {"success_num": 3, "failed_num": 0, "skip_num": 0, **counts}
    record = Record(f"r{start:.3f}", start, "RUNNING" if lasts is None else word, **numbers)
    return Truth(record, None if lasts is None else start + lasts)


def details_of(truth: Truth, config: Config) -> RunDetails:
    """Return what the desktops of a run tell: when the last of them ended."""
    return summarize_details(
        truth.record, [RecordDetail("d", status="SUCCESS", end=truth.end)], config.statuses
    )


def past(
    truths: Sequence[Truth],
    config: Config,
    *,
    listing: Task | None = LISTING,
    schedule: Schedule | None = DAILY,
    details: bool = True,
    now: float = NINE + 50.0 * DAY,
) -> TaskPast:
    """Return what a read at `now` tells of these runs."""
    known = {truth.record.id: details_of(truth, config) for truth in truths if truth.end is not None}
    return past_of(
        Selected("8d2e", None, listing),
        config,
        project="prod",
        project_id="0a1b",
        schedule=schedule,
        records=[truth.record for truth in truths],
        details=known if details else {},
        now=now,
    )


def config(**polling: Any) -> Config:
    """Return a configuration of one project."""
    project = {"name": "prod", "region": "cn-north-4", "auth": {"token": {"token": "t"}}, "discovery": {}}
    return Config.model_validate({"projects": [{**project, "project_id": "0a1b"}], "polling": polling})


def truths() -> st.SearchStrategy[list[Truth]]:
    """Runs of five days in any order, overlapping or not, some of which never end."""
    numbers = st.one_of(st.none(), st.integers(0, 3))
    records = st.builds(
        Record,
        st.uuids().map(str),
        st.one_of(
            st.integers(NINE, NINE + 5 * DAY).map(float),
            st.sampled_from([NINE + day * DAY + late for day in range(5) for late in (-60.0, 0.0, 7.5)]),
        ),
        st.sampled_from(["SUCCESS", "FAIL", "SKIP", "odd"]),
        numbers,
        numbers,
        numbers,
    )
    lengths = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 90.25, 7200.0, 2.0 * DAY]))

    def truth(record: Record, length: float | None) -> Truth:
        if length is None:
            return Truth(replace(record, status="RUNNING"), None)
        return Truth(record, record.start + length)

    return st.lists(st.builds(truth, records, lengths), max_size=12, unique_by=lambda each: each.record.id)
