"""What of an answer survives, and that the decoder sees no difference but the texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.anonymising import Anonymiser, parse_json, phrases
from exporter.config import Statuses
from exporter.decode import Page, decode_details, decode_records, decode_schedule, decode_tasks
from exporter.errors import BodyError
from exporter.failures import failure
from exporter.pseudonyms import Pseudonyms
from exporter.records import Record, Task

WORDS = Statuses()


def anonymised(tree: Any, *, secret: str = "") -> Any:
    """The tree with pseudonyms."""
    names = Pseudonyms()
    is_secret = lambda text: bool(secret) and secret in text  # noqa: E731 - two lines of use
    Anonymiser(lambda text, is_id: names.meet(text, is_id=is_id), is_secret).tree(tree)
    return Anonymiser(lambda text, _: names.of(text), is_secret).tree(tree)


RECORD = {
    "id": "2b31e-d520",
    "start_time": "2022-12-31 09:00:00",
    "task_type": "START",
    "scheduled_type": "FIXED_TIME",
    "status": "SUCCESS",
    "success_num": 1,
    "failed_num": 1,
    "skip_num": None,
    "time_zone": "Asia/Shanghai",
    "execute_task_id": "8d2e0c6a",
    "extra_params": '{"user": "Alice"}',
}


def test_a_record_keeps_all_but_its_ids() -> None:
    """Keys, order, times, zone, words and counts are as they were."""
    (got,) = anonymised([RECORD])
    replaced = {"id": "001xx-xxxx", "execute_task_id": "002xxxxx", "extra_params": "text 003"}
    assert got == RECORD | replaced
    assert list(got) == list(RECORD)


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("status", ["SUCCESS", "success", " FAIL ", "PARTIAL_SUCCESS", ""]),
        ("life_cycle_type", ["POST_CREATE_DESKTOP_SUCCESS"]),
        ("result_code", ["WKS.00010302", "0", "12345678", "USER_LOGGED_IN"]),
        ("error_code", ["APIGW.0308", "WKS.0001"]),
        (
            "start_time",
            [
                "2025-11-19T01:00:00.000Z",
                "2025-11-19 09:00:00 GMT+08:00",
                "2025-11-19T09:00:00+0800",
                "1763514000000",
                "19/11/2025 09:00",
            ],
        ),
        ("scheduled_time", ["09:00:00", "9:00"]),
        (
            "time_zone",
            ["GMT+8", "UTC+08:00", "Etc/GMT-8", "EST5EDT", "China Standard Time", "(UTC+08:00) Beijing"],
        ),
        ("week_list", ["1,2,7", "MON, TUE"]),
        ("date_list", ["1,15,L"]),
    ],
)
def test_harmless_words_survive(key: str, texts: list[str]) -> None:
    """Also those that nobody has seen yet: they are what a recording is for."""
    assert anonymised([{key: text} for text in texts]) == [{key: text} for text in texts]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("status", "Alice Smith"),
        ("status", "desk-017"),
        ("status", "A" * 49),
        ("status", "a.b@example.org"),
        ("result_code", "desk017"),
        ("result_code", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
        ("result_code", "123456789"),
        ("start_time", "yesterday"),
        ("start_time", "Tomorrow at Alice's"),
        ("time_zone", "desk-017"),
        ("time_zone", "desk-17"),
        ("week_list", "1,2,Alice"),
        ("task_name", "START"),
        ("description", "2025-11-19 09:00:00"),
        ("desktop_name", "WIN"),
        ("fail_reason", "任务冲突"),
        ("request_id", "1"),
        ("ip", "192.0.2.1"),
        ("brand_new", "START"),
    ],
)
def test_everything_else_is_replaced(key: str, text: str) -> None:
    """A harmless key with a text that does not look like one, and a key that is not known to hold any."""
    (got,) = anonymised({key: text}).values()
    assert got.startswith("001") or got == "text 001"


def test_a_known_secret_survives_nowhere() -> None:
    """Not where a word may stand, nor as a key."""
    tree = {"status": "hunter", "hunter": 1, "time_zone": "hunter", "week_list": ["hunter"]}
    assert "hunter" not in json.dumps(anonymised(tree, secret="hunter"))
    assert "hunter" in json.dumps(anonymised(tree))


def test_numbers_that_nobody_knows_are_rounded() -> None:
    """Small ones stay, large ones keep their digits' number; the API's counts stay whatever they are."""
    tree = {"flag": True, "few": 999, "phone": 4912345678, "debt": -123456.78, "total_count": 123456789}
    assert anonymised(tree) == {
        "flag": True,
        "few": 999,
        "phone": 1_000_000_000,
        "debt": -100_000.0,
        "total_count": 123456789,
    }


def test_keys_that_are_data_are_replaced() -> None:
    """Those that look like no identifier, and all of an object that is a table."""
    assert list(anonymised({"desk-017": 1, "new_key": 2, "newKey": 3})) == ["text 001", "new_key", "newKey"]
    table = {chr(97 + n % 26) * (1 + n // 26): n for n in range(31)}
    assert not set(anonymised({**table, "status": "OK"})) & set(table)


def test_what_is_nested_without_end_is_cut() -> None:
    """Far below anything that the decoder looks at."""
    tree: Any = "Alice"
    for _ in range(900):
        tree = [tree]
    text = json.dumps(anonymised({"extra": tree}))
    assert "deeper" in text
    assert text.count("[") < 30


def test_a_message_keeps_the_words_that_tell_errors_apart() -> None:
    """They are ours; everything else of it is gone."""
    said = "The scheduled task 8d2e of project Alice does not exist"
    assert anonymised({"error_msg": said}) == {"error_msg": "text 001: project does not exist"}
    assert phrases("nothing of the kind") == ()


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"a": Infinity}', b"\xff", b""])
def test_what_is_no_json_is_not_parsed(body: bytes) -> None:
    """As in the decoder."""
    with pytest.raises(ValueError, match=r"."):
        parse_json(body)


def test_numbers_beyond_all_bounds_can_be_written_again() -> None:
    """They stay beyond the decoder's bounds."""
    tree = parse_json(b'{"total_count": 1' + b"0" * 400 + b', "x": 1e999}')
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree
    assert tree["total_count"] > 2**53


KEYS = (*RECORD, "enable", "task_name", "last_status", "next_execution_time", "expire_time", "day_interval")
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["SUCCESS", " fail", "LIFE_CYCLE", "UTC", "GMT+8", "?", "2022-12-31 09:00:00"]),
    st.sampled_from(
        ["2022-12-31T09:00:00.5Z", "2022-02-30 09:00:00", "1969-01-01 00:00:00", "8d2e", "x" * 129]
    ),
    st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-9:]{8}( ?GMT[+-][0-9:]{1,5}|Z)?", fullmatch=True),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-5, 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(TEXTS),
)
ENTRIES = st.dictionaries(st.sampled_from(KEYS), VALUES) | VALUES


@st.composite
def envelopes(draw: st.DrawFn) -> Any:
    """An answer with entries of every operation, good and bad."""
    names = ("scheduled_tasks", "tasks_records", "tasks_records_details")
    return {
        **{name: draw(st.lists(ENTRIES, max_size=4) | VALUES) for name in names},
        "total_count": draw(st.integers(-1, 9) | VALUES),
        **draw(st.dictionaries(st.sampled_from(KEYS), VALUES)),
    }


def decoded(decode: Callable[[bytes], Any], tree: Any) -> Any:
    """What the decoder makes of it, without the texts that may be replaced."""
    try:
        got = decode(json.dumps(tree).encode())
    except BodyError as error:
        return error.reason
    if not isinstance(got, Page):
        return got.day_interval, got.expires, got.scheduled_type.strip().upper() == "LIFE_CYCLE"
    return [_told(item) for item in got.items], got.received, got.total, got.rejected


def _told(item: Any) -> Any:
    if isinstance(item, Record):
        return item.start, WORDS.class_of(item.status), item.success_num, item.failed_num, item.skip_num
    if isinstance(item, Task):
        return item.enabled, item.next_run, item.expires, bool(item.name), bool(item.last_status.strip())
    return item.start, item.end, WORDS.class_of(item.status), bool(item.desktop_name)


@given(envelopes())
def test_the_decoder_sees_no_difference(tree: Any) -> None:
    """The same entries are read and refused, for the same reasons, with the same times and counts."""
    other = anonymised(tree)
    for decode in (decode_tasks, decode_records, decode_details, decode_schedule):
        assert decoded(decode, other) == decoded(decode, tree)


@given(envelopes())
def test_ids_that_are_equal_or_greater_stay_so(tree: Any) -> None:
    """The order of ids decides which of two runs that started together is the last."""

    def ids(tree: Any) -> list[str]:
        try:
            return [item.id for item in decode_records(json.dumps(tree).encode()).items]
        except BodyError:
            return []

    def order(names: list[str]) -> list[int]:
        return [sorted(set(names)).index(name) for name in names]

    assert order(ids(anonymised(tree))) == order(ids(tree))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500])
@pytest.mark.parametrize(
    "tree",
    [
        {"error_code": "WKS.00010002", "error_msg": "The scheduled task 8d2e does not exist"},
        {"error_code": "WKS.00170312", "error_msg": "tenant Alice does not exist"},
        {"error_msg": "AK access failed to reach the limit,forbidden: Alice", "error_code": "APIGW.0301"},
        {"error": {"code": 401, "message": "The username or password is wrong: Alice", "title": "Alice"}},
        {"error_msg": "The API does not exist or has not been published", "error_code": "APIG.0101"},
        {"errorCode": "X", "errorMsg": "Alice", "encoded_authorization_message": "Alice"},
        ["Alice"],
    ],
)
def test_an_error_stays_the_same_error(status: int, tree: Any) -> None:
    """Its kind, its reason and its code; nobody is named any more."""
    before, after = (
        failure("list_records", status, {}, json.dumps(each).encode(), 0) for each in (tree, anonymised(tree))
    )
    assert type(before) is type(after)
    assert (before.reason, before.label, before.answer.code) == (
        after.reason,
        after.label,
        after.answer.code,
    )
    assert "Alice" not in str(after)
