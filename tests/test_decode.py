"""Answers' bytes to values: a wrong envelope fails, a wrong entry is left out, a wrong count is absent."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.config import Statuses
from exporter.decode import (
    Page,
    clean,
    decode_details,
    decode_object,
    decode_records,
    decode_schedule,
    decode_tasks,
)
from exporter.errors import BodyError
from exporter.history import runs_of, summarize
from exporter.records import Record, RecordDetail, Schedule, Task

SPECIFICATION = b"""
{
  "tasks_records" : [ {
    "id" : "2b31e-d520xxxx-xxebedb6-e57xxxxxx",
    "start_time" : "2022-12-31 09:00:00",
    "task_type" : "START",
    "scheduled_type" : "FIXED_TIME",
    "status" : "SUCCESS",
    "success_num" : 1,
    "failed_num" : 1,
    "skip_num" : 1,
    "time_zone" : "Asia/Shanghai",
    "execute_task_id" : "string",
    "execute_object_type" : "string"
  } ],
  "total_count" : 10
}
"""
"""The example of the API's document, byte for byte but for the indentation."""

GOOD: dict[str, Any] = {"id": "a", "start_time": "2022-12-31T01:00:00Z", "status": "SUCCESS"}
START = 1_672_448_400.0


def records(*entries: Any, total: Any = None) -> Page[Record]:
    """The page that an answer with these entries gives."""
    body = {"tasks_records": list(entries), "total_count": len(entries) if total is None else total}
    return decode_records(json.dumps(body).encode())


def one(**changes: Any) -> Record:
    """The record that GOOD gives with these changes."""
    (record,) = records({**GOOD, **changes}).items
    return record


def rejected(**changes: Any) -> Counter[str]:
    """Why GOOD with these changes is left out."""
    page = records({**GOOD, **changes})
    assert page.items == ()
    assert page.received == 1
    return page.rejected


def refused(body: bytes) -> str:
    """The error that a body gives as a page of records."""
    with pytest.raises(BodyError) as caught:
        decode_records(body)
    assert caught.value.label == "body"
    assert not caught.value.retryable
    return str(caught.value)


def test_the_specification_s_example_is_partial() -> None:
    """SUCCESS with a failed desktop, at 1672448400, out of ten records that upstream counts."""
    page = decode_records(SPECIFICATION)
    assert page.items == (Record("2b31e-d520xxxx-xxebedb6-e57xxxxxx", 1_672_448_400.0, "SUCCESS", 1, 1, 1),)
    assert (page.received, page.total, page.rejected) == (1, 10, Counter())
    history = summarize(runs_of(page.items, Statuses()), total=page.total, truncated=False)
    assert history.last is not None
    assert (history.last.status, history.last.record.start) == ("partial", 1_672_448_400.0)


def test_an_empty_list_is_an_answer() -> None:
    """A task that never ran."""
    assert records() == Page((), 0, 0, Counter())


# Envelopes


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the answer is not JSON (0 bytes)"),
        (b"nonsense secret", "the answer is not JSON (15 bytes)"),
        (SPECIFICATION[:-5], f"the answer is not JSON ({len(SPECIFICATION) - 5} bytes)"),
        (SPECIFICATION + b"x", f"the answer is not JSON ({len(SPECIFICATION) + 1} bytes)"),
        (
            b"<html><head><title>502 Bad Gateway</title></head></html>",
            "the answer is not JSON: it begins with '<html'",
        ),
        (b'{"tasks_records": [], "total_count": NaN}', "the answer is not JSON (41 bytes)"),
        (b'{"tasks_records": [], "total_count": Infinity}', "the answer is not JSON (46 bytes)"),
        (b'{"tasks_records": [NaN], "total_count": 1}', "the answer is not JSON (42 bytes)"),
        (b"{'tasks_records': []}", "the answer is not JSON (21 bytes)"),
        (b'{"tasks_records": [\xff], "total_count": 1}', "the answer is not UTF-8"),
        ("{}".encode("utf-16"), "the answer is not UTF-8"),
        (b"[" * 100_000, "the answer is nested too deeply"),
        (b'{"tasks_records":' + b"[" * 100_000, "the answer is nested too deeply"),
        (b"[]", "the answer is not a JSON object but a list"),
        (b"[{}]", "the answer is not a JSON object but a list"),
        (b"null", "the answer is not a JSON object but nothing"),
        (b'"text"', "the answer is not a JSON object but a text"),
        (b"5", "the answer is not a JSON object but a number"),
        (b"5.5", "the answer is not a JSON object but a number"),
        (b"true", "the answer is not a JSON object but a truth value"),
        (b"{}", "tasks_records is not a list but nothing"),
        (b'{"tasks_records": null, "total_count": 0}', "tasks_records is not a list but nothing"),
        (b'{"tasks_records": {}, "total_count": 0}', "tasks_records is not a list but an object"),
        (b'{"tasks_records": "", "total_count": 0}', "tasks_records is not a list but a text"),
        (b'{"tasks_records": 0, "total_count": 0}', "tasks_records is not a list but a number"),
        (b'{"TASKS_RECORDS": [], "total_count": 0}', "tasks_records is not a list but nothing"),
        (b'{"scheduled_tasks": [], "total_count": 0}', "tasks_records is not a list but nothing"),
    ],
)
def test_a_malformed_answer_fails_the_read(body: bytes, error: str) -> None:
    """It says what is wrong and never what stands there, but for a proxy's first tag."""
    assert refused(body) == f"list_records: {error}"


@pytest.mark.parametrize(
    ("total", "kind"),
    [
        ("null", "nothing"),
        ("-1", "a number out of range"),
        ("9007199254740993", "a number out of range"),
        ("1" + "0" * 200, "a number out of range"),
        ("1" + "0" * 6000, "a number"),
        ("1.0", "a number"),
        ("1e2", "a number"),
        ("1e999", "a number"),
        ("true", "a truth value"),
        ('"1"', "a text"),
        ("[1]", "a list"),
        ("{}", "an object"),
    ],
)
def test_a_total_that_is_no_natural_number_fails_the_read(total: str, kind: str) -> None:
    """Absent, negative, a fraction, a truth value, a text, or beyond what a sample holds exactly."""
    body = f'{{"tasks_records": [], "total_count": {total}}}'.encode()
    assert refused(body) == f"list_records: total_count is not a natural number but {kind}"


def test_a_total_that_is_absent_fails_the_read() -> None:
    """`workspace_task_records` would have to be invented."""
    assert refused(b'{"tasks_records": []}').endswith("total_count is not a natural number but nothing")


@pytest.mark.parametrize("total", [0, 1, 10**9, 2**53])
def test_a_total_that_does_not_fit_the_list_is_only_a_number(total: int) -> None:
    """What follows from it is for those who page."""
    assert records(GOOD, total=total).total == total


def test_unknown_fields_do_not_matter() -> None:
    """The API's answers grow: `expire_time` and `extra_params` came after the document."""
    body = {"tasks_records": [{**GOOD, "extra_params": "{}", "x": [[1], None]}], "total_count": 1, "y": {}}
    assert decode_records(json.dumps(body).encode()).items == (Record("a", START, "SUCCESS"),)
    huge = json.dumps(body).replace("null", "9" * 6000)
    assert decode_records(huge.encode()).items == (Record("a", START, "SUCCESS"),)


# Entries


@pytest.mark.parametrize("entry", [None, 5, "a", [], [GOOD], True])
def test_an_entry_that_is_no_object_is_left_out(entry: object) -> None:
    """Reason type; its neighbours stay."""
    page = records(entry, GOOD)
    assert [record.id for record in page.items] == ["a"]
    assert (page.received, page.rejected) == (2, Counter(type=1))


@pytest.mark.parametrize("value", [None, "", "  ", 5, True, ["a"], {"a": 1}, "x" * 1025])
def test_a_record_without_an_id_is_left_out(value: object) -> None:
    """Reason id: nobody could say whether it is the same one again."""
    assert rejected(id=value) == Counter(id=1)


def test_an_entry_with_nothing_in_it_counts_once() -> None:
    """The first reason is enough."""
    page = records({})
    assert page.rejected == Counter(id=1)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        1672448400,
        1672448400.0,
        True,
        ["2022-12-31 09:00:00"],
        "2022-02-30 09:00:00",
        "0",
        "1970-01-01T00:00:00Z",
        "2022-12-31 09:00",
        "2022-12-31 09:00:00 Nowhere/Land",
    ],
)
def test_a_record_without_a_readable_time_is_left_out(value: object) -> None:
    """Reason time: it never becomes 0."""
    assert rejected(start_time=value) == Counter(time=1)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "localtime", "8", 8, 8.0, True, ["UTC"], {"zone": "UTC"}])
def test_an_unknown_zone_spoils_naive_times_only(zone: object) -> None:
    """A zone that is no text is one that nobody knows, and no reason to take the default."""
    assert rejected(start_time="2022-12-31 09:00:00", time_zone=zone) == Counter(time=1)
    assert one(start_time="2022-12-31 09:00:00 GMT+08:00", time_zone=zone).start == START
    assert one(start_time="2022-12-31T01:00:00Z", time_zone=zone).start == START


@pytest.mark.parametrize("zone", [None, "", "  "])
def test_a_time_without_any_zone_is_in_the_configuration_s(zone: object) -> None:
    """UTC, where nothing is configured."""
    assert one(start_time="2022-12-31 01:00:00", time_zone=zone).start == START
    body = {"tasks_records": [{**GOOD, "start_time": "2022-12-31 09:00:00", "time_zone": zone}]}
    page = decode_records(json.dumps({**body, "total_count": 1}).encode(), ZoneInfo("Asia/Shanghai"))
    assert page.items[0].start == START


COUNTS = ("success_num", "failed_num", "skip_num")


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize(
    "value",
    [
        "-1",
        "1.0",
        "1e2",
        "1e999",
        "true",
        "false",
        '"1"',
        '""',
        "[]",
        "{}",
        "9007199254740993",
        "9" * 300,
        "9" * 301,
        "9" * 6000,
        "-" + "9" * 6000,
    ],
)
def test_a_bad_count_is_absent_and_never_hides_the_run(key: str, value: str) -> None:
    """Negative, no integer, or beyond what a sample holds: the run stays, the count goes, reason count."""
    text = json.dumps({"tasks_records": [{**GOOD, key: 0}], "total_count": 1})
    page = decode_records(text.replace(f'"{key}": 0', f'"{key}": {value}').encode())
    assert page.items == (Record("a", START, "SUCCESS"),)
    assert page.rejected == Counter(count=1)


@pytest.mark.parametrize("key", COUNTS)
def test_a_count_that_upstream_did_not_give_is_none(key: str) -> None:
    """Absent and null are no mistakes, and no zero; a zero is one."""
    assert getattr(one(), key) is None
    assert getattr(one(**{key: None}), key) is None
    assert getattr(one(**{key: 0}), key) == 0
    assert getattr(one(**{key: 2**53}), key) == 2**53
    assert records({**GOOD, key: None}).rejected == Counter()


def test_every_bad_count_is_counted() -> None:
    """Three of one record, and one of its neighbour."""
    bad = {"success_num": -1, "failed_num": "x", "skip_num": True}
    page = records({**GOOD, **bad}, {**GOOD, "skip_num": 0.5})
    assert len(page.items) == 2
    assert page.rejected == Counter(count=4)


@pytest.mark.parametrize("value", [None, 5, True, [], {}])
def test_a_status_that_is_no_word_is_none(value: object) -> None:
    """It will be called unknown; the run stays."""
    assert one(status=value).status == ""


def test_half_surrogates_are_shown_as_escapes() -> None:
    """JSON may hold them, no encoder takes them, and two ids must not become one."""
    first, second = records({**GOOD, "id": "x\ud800"}, {**GOOD, "id": "x\ud801", "status": "\udfff"}).items
    assert (first.id, second.id, second.status) == ("x\\ud800", "x\\ud801", "\\udfff")
    assert one(id="x\U0001f600").id == "x\U0001f600"


def test_texts_are_bounded() -> None:
    """A label, a log line and a page get 1024 characters at the most."""
    assert one(status="x" * 5000).status == "x" * 1024
    assert clean("ä" * 2000) == "ä" * 1024


# Tasks


def tasks(*entries: Any) -> Page[Task]:
    """The page that an answer with these entries gives."""
    return decode_tasks(json.dumps({"scheduled_tasks": list(entries), "total_count": len(entries)}).encode())


def test_a_task_is_read_whole() -> None:
    """Every field of ListScheduledTasks that is used, in the live API's time format."""
    entry = {
        "id": "8d2e0c6a-aaaa-bbbb-cccc-0123456789ab",
        "task_name": "nightly stop",
        "task_type": "STOP",
        "scheduled_type": "DAY",
        "life_cycle_type": "POST_DESKTOP_DISCONNECTED",
        "last_status": "FAIL",
        "next_execution_time": "2022-12-31 09:00:00 GMT+08:00",
        "expire_time": "2022-12-31 10:00:00",
        "enable": True,
        "time_zone": "Asia/Shanghai",
        "priority": 1,
    }
    assert tasks(entry).items == (
        Task(
            id="8d2e0c6a-aaaa-bbbb-cccc-0123456789ab",
            name="nightly stop",
            task_type="STOP",
            scheduled_type="DAY",
            life_cycle_type="POST_DESKTOP_DISCONNECTED",
            time_zone="Asia/Shanghai",
            last_status="FAIL",
            enabled=True,
            next_run=START,
            expires=START + 3600,
        ),
    )


def test_what_a_task_does_not_say_is_not_known() -> None:
    """Null, absent, of the wrong type or unreadable: never 0, never False."""
    assert tasks({"id": "a"}).items == (Task("a"),)
    odd = {
        "id": "a",
        "task_name": 5,
        "task_type": None,
        "last_status": [],
        "next_execution_time": "never",
        "expire_time": 0,
        "enable": "true",
        "time_zone": 8,
    }
    assert tasks(odd).items == (Task("a"),)
    assert tasks({"id": "a", "enable": False, "next_execution_time": ""}).items == (Task("a", enabled=False),)


@pytest.mark.parametrize(
    "value", ["", None, 5, "a/b", "../x", "a b", "a?b", "future-executions/", "ä", "x" * 129]
)
def test_a_task_id_that_cannot_stand_in_a_path_is_left_out(value: object) -> None:
    """Ids go into paths, and paths such as `future-executions` are their neighbours."""
    page = tasks({"id": value}, {"id": "good_1-A"})
    assert [task.id for task in page.items] == ["good_1-A"]
    assert page.rejected == Counter(id=1)


def test_an_error_names_its_operation() -> None:
    """The list, the details and the schedule each say who they are."""
    for decode, start in (
        (decode_tasks, "list_tasks: scheduled_tasks is not a list"),
        (decode_records, "list_records: tasks_records is not a list"),
        (decode_details, "list_record_details: tasks_records_details is not a list"),
    ):
        with pytest.raises(BodyError, match=f"^{start}"):
            decode(b"{}")
    with pytest.raises(BodyError, match=r"^show_task: the answer is not a JSON object but a list$"):
        decode_schedule(b"[]")


# Details


def details(*entries: Any) -> Page[RecordDetail]:
    """The page that an answer with these entries gives."""
    body = {"tasks_records_details": list(entries), "total_count": len(entries)}
    return decode_details(json.dumps(body).encode())


def test_a_desktop_is_read_whole() -> None:
    """Every field that is used; the live API writes these times with milliseconds and Z."""
    entry = {
        "id": "d1",
        "record_id": "r1",
        "desktop_id": "desk-1",
        "desktop_name": "Desk 1",
        "exec_status": "FAIL",
        "exec_script_id": "s",
        "result_code": "WKS.0001",
        "fail_reason": "任务冲突",
        "start_time": "2022-12-31T01:00:00.000Z",
        "end_time": "2022-12-31T01:00:30.500Z",
        "time_zone": "Asia/Shanghai",
    }
    assert details(entry).items == (
        RecordDetail(
            id="d1",
            desktop_id="desk-1",
            desktop_name="Desk 1",
            status="FAIL",
            result_code="WKS.0001",
            fail_reason="任务冲突",
            start=START,
            end=START + 30.5,
        ),
    )


def test_a_desktop_still_at_work_has_no_end() -> None:
    """A time that cannot be read is none; it does not hide the desktop."""
    for end in (None, "", "later", 5):
        assert details({"id": "d", "end_time": end, "exec_status": "RUNNING"}).items == (
            RecordDetail("d", status="RUNNING"),
        )


@pytest.mark.parametrize(
    ("value", "code"),
    [("1001", "1001"), (1001, "1001"), (0, "0"), (-1, ""), (1.5, ""), (True, ""), (None, ""), ([], "")],
)
def test_a_result_code_may_be_a_number(value: object, code: str) -> None:
    """Documented is a text; a natural number says as much."""
    assert details({"id": "d", "result_code": value}).items[0].result_code == code


def test_a_desktop_without_an_id_is_left_out() -> None:
    """And counted, like any malformed entry."""
    assert details({"desktop_id": "x"}, 5).rejected == Counter(id=1, type=1)


# Schedules


def test_a_schedule_is_read_whole() -> None:
    """The fields stand at the top of the answer, wall-clock texts as they are."""
    body = {
        "task_name": "n",
        "task_type": "STOP",
        "scheduled_type": "MONTH",
        "life_cycle_type": "X",
        "time_zone": "Asia/Shanghai",
        "scheduled_time": "09:00:00",
        "scheduled_date": "2022-12-31",
        "day_interval": 2,
        "week_list": "1,7",
        "month_list": "1,12",
        "date_list": "1,L",
        "expire_time": "2022-12-31 09:00:00",
        "apply_objects": [],
    }
    assert decode_schedule(json.dumps(body).encode()) == Schedule(
        name="n",
        task_type="STOP",
        scheduled_type="MONTH",
        life_cycle_type="X",
        time_zone="Asia/Shanghai",
        scheduled_time="09:00:00",
        scheduled_date="2022-12-31",
        day_interval=2,
        week_list="1,7",
        month_list="1,12",
        date_list="1,L",
        expires=START,
    )


def test_what_a_schedule_does_not_say_is_empty() -> None:
    """Wrong types are nothing said; whether the rest makes a plan is decided elsewhere."""
    assert decode_schedule(b"{}") == Schedule()
    odd = {"day_interval": "2", "week_list": [1, 7], "scheduled_time": 9, "expire_time": "x"}
    assert decode_schedule(json.dumps(odd).encode()) == Schedule()
    assert decode_schedule(b'{"day_interval": true}') == Schedule()


# Anything


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "start_time", "time_zone", "status", "success_num", "failed_num", "enable"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.lists(_JSON, max_size=4), _JSON)
@example([{"id": "a", "start_time": "2022-12-31T01:00:00Z", "success_num": -1}], 1)
def test_any_json_gives_a_page_or_an_error(entries: list[Any], total: Any) -> None:
    """Whatever stands in whatever field; every entry is either read or counted as rejected."""
    keys = ("scheduled_tasks", "tasks_records", "tasks_records_details")
    body = json.dumps({**dict.fromkeys(keys, entries), "total_count": total}).encode("utf-8", "replace")
    for decode in (decode_tasks, decode_records, decode_details):
        try:
            page: Page[Any] = decode(body)
        except BodyError:
            continue
        unread = page.rejected.total() - page.rejected["count"]
        assert page.received == len(entries) == len(page.items) + unread
        assert page.total == total
        for item in page.items:
            repr(item).encode()


@given(st.binary(max_size=60))
def test_any_bytes_give_an_object_or_an_error(body: bytes) -> None:
    """No bytes give a traceback."""
    try:
        assert isinstance(decode_object(body, "x"), dict)
    except BodyError as error:
        str(error).encode()


def test_words_of_few_values_are_kept_once() -> None:
    """Ten thousand tasks in one zone hold its name once."""
    assert one(status="IN_QUEUE").status is one(status="IN_QUEUE").status
