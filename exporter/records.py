"""The API's objects as frozen values: what was said, decoded, and nothing derived.

Sources: `records` are ListScheduledTasksRecords, `tasks` ListScheduledTasks, `schedules` ShowScheduledTasks,
`details` ListScheduledTasksRecordsDetails. Times are epoch seconds (UTC). A field that upstream left out is
`None` or the empty string, never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""What may stand in a path: the API's ids are UUIDs, and paths such as `future-executions` are neighbours."""


@dataclass(frozen=True, slots=True)
class Record:
    """One run of a task: an entry of `tasks_records`."""

    id: str
    start: float
    status: str = ""
    """The API's word, as it came; its class is a matter of the configuration (`statuses`)."""
    success_num: int | None = None
    failed_num: int | None = None
    skip_num: int | None = None


@dataclass(frozen=True, slots=True)
class RecordDetail:
    """One desktop of one run: an entry of `tasks_records_details`."""

    id: str
    desktop_id: str = ""
    desktop_name: str = ""
    status: str = ""
    result_code: str = ""
    fail_reason: str = ""
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One entry of `scheduled_tasks`."""

    id: str
    name: str = ""
    task_type: str = ""
    scheduled_type: str = ""
    life_cycle_type: str = ""
    time_zone: str = ""
    last_status: str = ""
    enabled: bool | None = None
    next_run: float | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """What ShowScheduledTasks says of when a task runs; fields as the API writes them.

    `scheduled_time` is `HH:mm:ss`, `scheduled_date` `yyyy-MM-dd` (FIXED_TIME), `day_interval` days (DAY),
    `week_list` numbers 1 = Sunday to 7 = Saturday (WEEK), `month_list` numbers of months and `date_list`
    days of the month, where `L` is the last (MONTH). All wall-clock values are in `time_zone`.
    """

    name: str = ""
    task_type: str = ""
    scheduled_type: str = ""
    life_cycle_type: str = ""
    time_zone: str = ""
    scheduled_time: str = ""
    scheduled_date: str = ""
    day_interval: int | None = None
    week_list: str = ""
    month_list: str = ""
    date_list: str = ""
    expires: float | None = None
