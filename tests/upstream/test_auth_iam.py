"""IAM's answers."""

from __future__ import annotations

import json

import pytest

from exporter.errors import BodyError
from exporter.upstream.auth.iam import TokenInfo, decode_projects, decode_token, time_of, token_request


def test_a_request_for_a_token() -> None:
    """The documented body: user, password, domain, and the project's scope by id or by name."""
    body = json.loads(token_request("D", "U", "pässword", region="cn-north-4", project=None))
    assert body == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "U", "password": "pässword", "domain": {"name": "D"}}},
            },
            "scope": {"project": {"name": "cn-north-4"}},
        }
    }
    body = json.loads(token_request("D", "U", "p", region="cn-north-4", project="0a1b"))
    assert body["auth"]["scope"] == {"project": {"id": "0a1b"}}


def test_a_token() -> None:
    """The documented answer: times with microseconds in UTC, the project of the scope."""
    body = {
        "token": {
            "expires_at": "2020-01-04T09:05:22.701000Z",
            "issued_at": "2020-01-03T09:05:22.701000Z",
            "project": {"id": "p1", "name": "cn-north-4"},
        }
    }
    info = decode_token(json.dumps(body).encode(), "create_token")
    assert info == TokenInfo(1578128722.701, 1578042322.701, "p1")


@pytest.mark.parametrize(
    "token",
    [{}, {"expires_at": 5, "issued_at": None, "project": []}, {"expires_at": "soon", "project": {"id": 1}}],
)
def test_a_token_that_says_little(token: object) -> None:
    """What is left out, or cannot be read, is unknown; the token may work all the same."""
    assert decode_token(json.dumps({"token": token}).encode(), "x") == TokenInfo(None, None, "")


@pytest.mark.parametrize("body", [b"{}", b'{"token": []}', b"[]", b"<html>"])
def test_no_token(body: bytes) -> None:
    """An answer of another shape is malformed."""
    with pytest.raises(BodyError) as caught:
        decode_token(body, "create_token")
    assert caught.value.operation == "create_token"


def test_projects() -> None:
    """The ids of all projects; entries of another shape are no projects."""
    body = {"projects": [{"id": "p1", "name": "a"}, {"id": 5}, "x", {"id": "p2"}]}
    assert decode_projects(json.dumps(body).encode()) == ["p1", "p2"]
    with pytest.raises(BodyError, match="projects is not a list"):
        decode_projects(b'{"projects": {}}')


def test_times() -> None:
    """IAM's time, or nothing."""
    assert time_of("1970-01-02T00:00:00Z") == 86_400
    assert time_of("1970-01-02") is None
    assert time_of(5) is None
