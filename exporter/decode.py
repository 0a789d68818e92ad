"""(status, headers, body) -> values, or an ApiError that says what is wrong. Pure.

Sources: the records API document (records_api.txt) and what else is known (api_facts.md, sections 0 to 3).
Upstream's answers are hostile input: a wrong envelope fails the whole answer, a wrong entry is left out and
counted, a wrong count is taken as absent and counted.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Generic, NoReturn, TypeGuard, TypeVar

from exporter.errors import BodyError
from exporter.records import TASK_ID, Record, RecordDetail, Schedule, Task
from exporter.timestamps import TimeError, parse_time

T = TypeVar("T")

_MAX_TOTAL = 2**53
"""The largest natural number that a sample (a float) holds exactly."""
_MAX_TEXT = 1024
_MAX_DIGITS = 300
_UNKNOWN_ZONE = "?"
_FIRST_TAG = re.compile(rb"\s*(<[!?]?[A-Za-z]{1,16})(?![A-Za-z])")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    `items` are the entries that could be read, `received` is how many the answer held (an offset counts
    those), `total` is upstream's `total_count`, `rejected` counts what was left out, by reason.
    """

    items: tuple[T, ...]
    received: int
    total: int
    rejected: Counter[str]


class Rejected(Exception):  # noqa: N818 - not an error of the answer: one entry is left out
    """One entry cannot be used; `reason` is the label: time, id or type."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def decode_tasks(body: bytes, default: tzinfo = UTC) -> Page[Task]:
    """Decode ListScheduledTasks: `{scheduled_tasks: [...], total_count}`. Raises BodyError."""
    return _page(body, "list_tasks", "scheduled_tasks", lambda entry, _: _task(entry, default))


def decode_records(body: bytes, default: tzinfo = UTC) -> Page[Record]:
    """Decode ListScheduledTasksRecords: `{tasks_records: [...], total_count}`. Raises BodyError."""
    return _page(body, "list_records", "tasks_records", lambda entry, bad: _record(entry, default, bad))


def decode_details(body: bytes, default: tzinfo = UTC) -> Page[RecordDetail]:
    """Decode ListScheduledTasksRecordsDetails: `{tasks_records_details: [...], total_count}`."""
    return _page(
        body, "list_record_details", "tasks_records_details", lambda entry, _: _detail(entry, default)
    )


def decode_schedule(body: bytes, default: tzinfo = UTC) -> Schedule:
    """Decode ShowScheduledTasks: the schedule's fields at the top of the answer. Raises BodyError."""
    entry = decode_object(body, "show_task")
    interval = entry.get("day_interval")
    return Schedule(
        name=_text(entry, "task_name"),
        task_type=_word(entry, "task_type"),
        scheduled_type=_word(entry, "scheduled_type"),
        life_cycle_type=_word(entry, "life_cycle_type"),
        time_zone=_word(entry, "time_zone"),
        scheduled_time=_word(entry, "scheduled_time"),
        scheduled_date=_text(entry, "scheduled_date"),
        day_interval=interval if _is_natural(interval) else None,
        week_list=_word(entry, "week_list"),
        month_list=_word(entry, "month_list"),
        date_list=_word(entry, "date_list"),
        expires=_optional_time(entry, "expire_time", default),
    )


def decode_object(body: bytes, operation: str) -> dict[str, Any]:
    """Return an answer's JSON object; raises BodyError for anything else."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, parse_int=_integer)
    except UnicodeDecodeError:
        _fail(operation, "the answer is not UTF-8")
    except RecursionError:
        _fail(operation, "the answer is nested too deeply")
    except ValueError:
        _fail(operation, f"the answer is not JSON{_glimpse(body)}")
    if not isinstance(value, dict):
        _fail(operation, f"the answer is not a JSON object but {_kind(value)}")
    return value


def _page(body: bytes, operation: str, key: str, read: Callable[[Any, Counter[str]], T]) -> Page[T]:
    envelope = decode_object(body, operation)
    entries, total = envelope.get(key), envelope.get("total_count")
    if not isinstance(entries, list):
        _fail(operation, f"{key} is not a list but {_kind(entries)}")
    if not _is_natural(total):
        size = " out of range" if type(total) is int else ""
        _fail(operation, f"total_count is not a natural number but {_kind(total)}{size}")
    rejected: Counter[str] = Counter()
    items = []
    for entry in entries:
        try:
            items.append(read(entry, rejected))
        except Rejected as error:
            rejected[error.reason] += 1
    return Page(tuple(items), len(entries), total, rejected)


def _record(entry: Any, default: tzinfo, rejected: Counter[str]) -> Record:
    record_id = _identity(entry)
    start = _time(entry, "start_time", default)
    return Record(
        id=record_id,
        start=start,
        status=_word(entry, "status"),
        success_num=_count(entry, "success_num", rejected),
        failed_num=_count(entry, "failed_num", rejected),
        skip_num=_count(entry, "skip_num", rejected),
    )


def _detail(entry: Any, default: tzinfo) -> RecordDetail:
    return RecordDetail(
        id=_identity(entry),
        desktop_id=_text(entry, "desktop_id"),
        desktop_name=_text(entry, "desktop_name"),
        status=_word(entry, "exec_status"),
        result_code=_code(entry),
        fail_reason=_text(entry, "fail_reason"),
        start=_optional_time(entry, "start_time", default),
        end=_optional_time(entry, "end_time", default),
    )


def _task(entry: Any, default: tzinfo) -> Task:
    task_id = _identity(entry)
    if not TASK_ID.fullmatch(task_id):
        raise Rejected("id")
    enabled = entry.get("enable")
    return Task(
        id=task_id,
        name=_text(entry, "task_name"),
        task_type=_word(entry, "task_type"),
        scheduled_type=_word(entry, "scheduled_type"),
        life_cycle_type=_word(entry, "life_cycle_type"),
        time_zone=_word(entry, "time_zone"),
        last_status=_word(entry, "last_status"),
        enabled=enabled if isinstance(enabled, bool) else None,
        next_run=_optional_time(entry, "next_execution_time", default),
        expires=_optional_time(entry, "expire_time", default),
    )


def _identity(entry: Any) -> str:
    if not isinstance(entry, dict):
        raise Rejected("type")
    value = entry.get("id")
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT:
        raise Rejected("id")
    return clean(value)


def _time(entry: dict[str, Any], key: str, default: tzinfo) -> float:
    value = entry.get(key)
    if not isinstance(value, str):
        raise Rejected("time")
    try:
        return parse_time(value, _zone_name(entry), default)
    except TimeError:
        raise Rejected("time") from None


def _zone_name(entry: dict[str, Any]) -> str:
    """The zone that an entry names; what is no text is a zone too, but one that nobody knows."""
    value = entry.get("time_zone")
    return _text(entry, "time_zone") if value is None or isinstance(value, str) else _UNKNOWN_ZONE


def _optional_time(entry: dict[str, Any], key: str, default: tzinfo) -> float | None:
    try:
        return _time(entry, key, default)
    except Rejected:
        return None


def _count(entry: dict[str, Any], key: str, rejected: Counter[str]) -> int | None:
    """A count, or None; a bad count must not hide the run, so it is counted and taken as absent."""
    value = entry.get(key)
    if value is None:
        return None
    if not _is_natural(value):
        rejected["count"] += 1
        return None
    return value


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return clean(value) if isinstance(value, str) else ""


def _word(entry: dict[str, Any], key: str) -> str:
    """A text of few different values: kept once, however many objects say it."""
    return sys.intern(_text(entry, key))


def _code(entry: dict[str, Any]) -> str:
    """A result code: documented as a text, and as good when it comes as a number."""
    value = entry.get("result_code")
    return str(value) if _is_natural(value) else _word(entry, "result_code")


def clean(text: str) -> str:
    """Return upstream's text as it may go into a label, log or page: bounded, and valid as UTF-8.

    JSON may escape half a surrogate pair, which no encoder takes; it is shown as the escape that it was,
    since two ids must not become one.
    """
    return text[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode("utf-8")


def _is_natural(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOTAL


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _integer(digits: str) -> int | float:
    """A number that Python would refuse to convert is out of range for any use: infinite."""
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _fail(operation: str, reason: str) -> NoReturn:
    raise BodyError(reason, label="body", operation=operation)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), "a number")


def _glimpse(body: bytes) -> str:
    """The first tag of what looks like markup, so that a proxy's page is recognised; else the size.

    No more of it: the text is cut here, and half a secret in it could not be masked any more.
    """
    tag = _FIRST_TAG.match(body)
    return f": it begins with {tag[1].decode()!r}" if tag else f" ({len(body)} bytes)"
