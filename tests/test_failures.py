"""Unsuccessful answers: the three shapes of errors, what they mean, and when to come back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import (
    ForbiddenError,
    NotFoundError,
    StatusError,
    ThrottledError,
    UnauthorizedError,
)
from exporter.failures import failure, http_date, is_locked, request_id, retry_after
from exporter.upstream.masking import Mask

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def fail(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> StatusError:
    """The error of an answer; a body that is not bytes is JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure("list_records", status, headers or {}, data, NOW)


def test_the_api_shape() -> None:
    """error_code, error_msg, error_detail and encoded_authorization_message of the Workspace API."""
    error = fail(
        403,
        {
            "error_code": "WKS.0403",
            "error_msg": "no permission",
            "error_detail": "workspace:scheduledTasks:list",
            "encoded_authorization_message": "opaque",
        },
        {"x-request-id": "req-1"},
    )
    assert isinstance(error, ForbiddenError)
    assert str(error) == (
        "list_records: a permission is missing (403): WKS.0403 no permission: "
        "workspace:scheduledTasks:list encoded authorization message opaque (request id req-1)"
    )


def test_the_gateway_shape() -> None:
    """error_msg, error_code and request_id of the gateway."""
    body = {
        "error_msg": "Incorrect IAM authentication information",
        "error_code": "APIGW.0301",
        "request_id": "r",
    }
    error = fail(401, body, {"x-request-id": "req-2"})
    assert isinstance(error, UnauthorizedError)
    assert error.answer.code == "APIGW.0301"
    assert error.answer.message == "Incorrect IAM authentication information"
    assert error.label == "401"
    assert not error.retryable


def test_the_iam_shape() -> None:
    """IAM's error stands one level below `error`, and its code is a number."""
    body = {"error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}}
    error = fail(401, body, {"x-iam-trace-id": "trace-3"})
    assert (error.answer.code, error.answer.message) == ("401", "The username or password is wrong.")
    assert error.answer.request_id == "trace-3"
    assert error.answer.detail == ""


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"errorCode": "E.1", "errorMsg": "camel"}, "E.1", "camel"),
        ({"code": "E.2", "message": "short"}, "E.2", "short"),
        ({"anything": {"error_code": "E.3", "error_msg": "nested"}}, "E.3", "nested"),
        ({"status": 500, "trace": ["x"], "error": {"code": "E.4", "message": "deep"}}, "E.4", "deep"),
        ({"error_msg": "only a message"}, "", "only a message"),
        ({"error_code": "E.5"}, "E.5", ""),
        ({"code": 10**64 - 1, "message": 10**64}, "9" * 64, ""),
        ({"error_code": ["no", "text"], "error_msg": None}, "", ""),
        ({"error_code": True, "error_msg": 10**70}, "", ""),
        ({}, "", ""),
        ([1, 2], "", ""),
        ("just text", "", ""),
        (b"plain words", "", "plain words"),
        (b"<html><head><title>502 Bad Gateway</title></head><hr>nginx</html>", "", "502 Bad Gateway nginx"),
        (b' {"error_code": "cut sho', "", ""),
        (b"\xff\xfe", "", "��"),
        (b"", "", ""),
        (b"[" * 100_000, "", ""),
    ],
)
def test_other_shapes(body: Any, code: str, message: str) -> None:
    """What the official SDK reads is read; anything else is tolerated, and never a traceback."""
    error = fail(500, body)
    assert (error.answer.code, error.answer.message) == (code, message)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""),
        (404, {"error_code": "WKS.0404", "error_msg": "no such thing"}),
        (400, {"error_code": "WKS.0001", "error_msg": "The scheduled task does not exist."}),
        (400, {"error_code": "WKS.0001", "error_msg": "The scheduled task DOES NOT EXIST"}),
        (409, {"error": {"message": "record does not exist"}}),
        (499, {"error_msg": "The scheduled task does not exist."}),
    ],
)
def test_not_found(status: int, body: Any) -> None:
    """A task that does not exist is a 404, or a 4xx that says so."""
    assert isinstance(fail(status, body), NotFoundError)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "APIGW.0101", "The API does not exist or has not been published in the environment"),
        (404, "APIG.0103", "The backend does not exist"),
        (400, "WKS.00170312", "The tenant does not exist"),
        (400, "WKS.00010099", "Workspace service does not exist"),
        (400, "IAM.0001", "The project does not exist"),
        (400, "WKS.0001", "offset is out of range"),
        (500, "WKS.0001", "The scheduled task does not exist"),
        (399, "WKS.0001", "The scheduled task does not exist"),
        (302, "", ""),
    ],
)
def test_other_absences_are_no_missing_task(status: int, code: str, message: str) -> None:
    """A wrong address, a closed service or a broken server says nothing about a task."""
    error = fail(status, {"error_code": code, "error_msg": message})
    assert type(error) is StatusError
    assert error.retryable == (status >= 500)


def test_known_codes_come_with_advice() -> None:
    """Where a code is documented, the reason says what to do."""
    assert "check region and endpoint" in str(fail(404, {"error_code": "APIGW.0101", "error_msg": "x"}))
    assert "not opened" in str(fail(400, {"error_code": "WKS.00170312", "error_msg": "x"}))
    for status in (300, 302, 399):
        assert "not followed" in fail(status).reason
    for status in (299, 400, 500):
        assert fail(status).reason == f"HTTP status {status}"
    assert "elsewhere" not in str(fail(302, b"", {"location": "https://elsewhere.test"}))


def test_a_locked_key_is_no_missing_permission() -> None:
    """The gateway's lock of an access key is about credentials, whatever the status."""
    body = {"error_code": "APIGW.0301", "error_msg": "AK access failed to reach the limit,forbidden"}
    for status in (401, 403):
        error = fail(status, body)
        assert isinstance(error, UnauthorizedError)
        assert is_locked(error.answer)
        assert "locked" in error.reason
    assert not is_locked(fail(401).answer)


def test_throttling() -> None:
    """429 may be sent again, after what Retry-After says."""
    error = fail(429, {"error_code": "APIGW.0308", "error_msg": "threshold"}, {"retry-after": "7"})
    assert isinstance(error, ThrottledError)
    assert error.retryable
    assert error.retry_after == 7
    assert fail(503, b"", {"retry-after": "3"}).retry_after == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 120 "}, 120),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60),
        ({"retry-after": "Tue, 14 Nov 2023 22:12:20 GMT"}, 0),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT", "date": "Tue, 14 Nov 2023 22:14:10 GMT"}, 10),
        ({"retry-after": "3601"}, 3600),
        ({"retry-after": "Wed, 14 Nov 2040 22:14:20 GMT"}, 3600),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "\N{SUPERSCRIPT TWO}"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds or a date; a date is compared with the answer's own Date; nonsense is no wish."""
    assert retry_after(headers, NOW) == seconds


@settings(deadline=None)
@given(
    st.text(max_size=60) | st.text("0123456789 :,GMTNovTue-+", max_size=40).map(lambda text: f"{text} GMT")
)
def test_any_date_is_read_or_not(text: str) -> None:
    """No text makes reading a date fail."""
    assert http_date(text) is None or isinstance(http_date(text), float)


def test_http_dates() -> None:
    """The three forms of RFC 9110 are dates, where they say GMT."""
    assert http_date("Tue, 14 Nov 2023 22:13:20 GMT") == NOW
    assert http_date("Tuesday, 14-Nov-23 22:13:20 GMT") == NOW
    for text in ("2023-11-14T22:13:20Z", "Tue, 14 Nov 2023 22:13:20", "Tue, 14 Nov 2023 22:13:20 +0800"):
        assert http_date(text) is None


@settings(deadline=None)
@given(
    st.integers(300, 599),
    st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3),
    st.binary(),
)
def test_any_answer_gives_an_error(status: int, headers: dict[str, str], body: bytes) -> None:
    """No answer makes the reading of it fail, and what is shown is one bounded printable line."""
    error = failure("x", status, headers, body, NOW)
    assert str(error).isprintable()
    assert len(str(error)) < 2500


def test_words_of_upstream_are_masked_flattened_and_cut() -> None:
    """A secret, a forged log line and a very long text do not come through."""
    mask = Mask()
    mask.know("token", "canary-token")
    body = {"error_code": "c" * 500, "error_msg": "a\r\nlevel=error\x1b[31m canary-token" + "x" * 5000}
    body["error_detail"] = "d" * 5000
    headers = {"x-request-id": "id canary-token"}
    error = failure("x", 400, headers, json.dumps(body).encode(), NOW, mask=mask)
    assert error.answer.message.startswith("a level=error[31m <secret>xxx")
    assert len(error.answer.message) == 1000
    assert (len(error.answer.code), len(error.answer.detail)) == (64, 500)
    assert error.answer.request_id == "id <secret>"
    assert request_id({}) == ""


def test_half_a_secret_does_not_come_through() -> None:
    """Where a text is cut inside of a secret, the secret was taken out before."""
    mask = Mask()
    mask.know("token", "canary-" + "t" * 300)
    body = "x" * 900 + "canary-" + "t" * 300
    error = failure("x", 400, {}, body.encode(), NOW, mask=mask)
    assert "canary" not in str(error)
