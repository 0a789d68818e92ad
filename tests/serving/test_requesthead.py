"""The head of a request: refused, or made the scope of an application."""

from __future__ import annotations

from http import HTTPStatus

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.serving.crowd import Limits
from exporter.serving.requesthead import make_scope, refusal, refusal_of_broken

LIMITS = Limits(target_bytes=20, head_bytes=100, head_fields=3)


def request(target: bytes = b"/", *fields: tuple[bytes, bytes], version: bytes = b"1.1") -> h11.Request:
    """Return a request as h11 reads it."""
    return h11.Request(method="GET", target=target, headers=[(b"Host", b"x"), *fields], http_version=version)


@pytest.mark.parametrize(
    ("read", "status"),
    [
        (request(), None),
        (request(b"/" + b"a" * 19), None),
        (request(b"/" + b"a" * 20), HTTPStatus.REQUEST_URI_TOO_LONG),
        (request(b"/", (b"a", b"b" * 94)), None),
        (request(b"/", (b"a", b"b" * 95)), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (request(b"/", (b"a", b""), (b"b", b"")), None),
        (request(b"/", (b"a", b""), (b"b", b""), (b"c", b"")), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (request(version=b"1.0"), None),
        (request(version=b"2.0"), HTTPStatus.BAD_REQUEST),
    ],
)
def test_limits(read: h11.Request, status: HTTPStatus | None) -> None:
    """At a limit a request passes, one byte or field past it it is refused with the status that says why."""
    assert refusal(read, LIMITS) is status


@pytest.mark.parametrize(
    ("hint", "unread", "status"),
    [
        (431, b"GET /aaaaaaaa", HTTPStatus.REQUEST_URI_TOO_LONG),
        (431, b"GET / HTTP/1.1\r\nA: aaaaaaa", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (400, b"", HTTPStatus.BAD_REQUEST),
    ],
)
def test_a_head_that_never_ends(hint: int, unread: bytes, status: HTTPStatus) -> None:
    """What is too long is the target while the first line has not ended, and the fields after that."""
    assert refusal_of_broken(h11.RemoteProtocolError("x", hint), unread) is status


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/metrics?a=b?c", "/metrics", b"a=b?c"),
        (b"/%2D/healthy", "/-/healthy", b""),
        (b"/%C3%BC", "/ü", b""),
        (b"/%FF%zz", "/\N{REPLACEMENT CHARACTER}%zz", b""),
        (b"*", "*", b""),
        (b"http://host:1/metrics?x", "/metrics", b"x"),
        (b"HTTPS://host", "/", b""),
        (b"http://host?x=1", "/", b"x=1"),
        (b"//host/metrics", "//host/metrics", b""),
    ],
)
def test_paths(target: bytes, path: str, query: bytes) -> None:
    """The path is decoded, what is no UTF-8 in it is mended, and a proxy's absolute form means the same."""
    scope = make_scope(request(target), "http", None, None)
    assert (scope["path"], scope["query_string"]) == (path, query)


def test_scope() -> None:
    """The scope holds what the ASGI specification asks for, header names in lower case."""
    read = request(b"/a%20b?c", (b"X-Y", b"z"), version=b"1.0")
    assert make_scope(read, "https", ("192.0.2.1", 5), ("192.0.2.2", 6)) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.0",
        "method": "GET",
        "scheme": "https",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c",
        "root_path": "",
        "headers": [(b"host", b"x"), (b"x-y", b"z")],
        "client": ("192.0.2.1", 5),
        "server": ("192.0.2.2", 6),
        "state": {},
    }


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_any_target_has_a_path(target: str) -> None:
    """Every target that h11 lets through gives a path that can be encoded and logged."""
    scope = make_scope(request(target.encode()), "http", None, None)
    assert scope["path"].encode() is not None
    assert scope["raw_path"].isascii()
