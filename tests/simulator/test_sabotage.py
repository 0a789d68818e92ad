"""What a fault puts in place of an answer, and what it does to a body."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from exporter.simulator import sabotage, tally
from exporter.simulator.answers import Answer
from exporter.simulator.faults import Fault, parse_faults

_BODY = json.dumps({"tasks_records": [{"id": str(number)} for number in range(50)]}).encode()


def _fault(text: str) -> Fault:
    return parse_faults(text)[0].fault


def _instead(text: str, operation: str = tally.LIST_RECORDS) -> Answer:
    answer = sabotage.instead(_fault(text), operation, 1000.0, "request-7")
    assert answer is not None
    return answer


def _tree(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.tree, dict)
    return answer.tree


@pytest.mark.parametrize("status", [400, 403, 404, 409, 418, 429, 500, 501, 599])
def test_workspace_errors_have_their_fields(status: int) -> None:
    """error_code and error_msg, from the service itself or from the gateway in front of it."""
    answer = _instead(str(status))
    tree = _tree(answer)
    assert answer.status == status
    assert tree["error_code"]
    assert tree["error_msg"]
    assert ("request_id" in tree) == (status in {404, 429})
    assert ("encoded_authorization_message" in tree) == (status not in {404, 429})


def test_errors_speak_the_language_of_their_service() -> None:
    """The gateway's code for 401, IAM's nested shape, the metadata service's plain text, a proxy's HTML."""
    assert _tree(_instead("401"))["error_code"] == "APIGW.0301"
    assert _tree(_instead("401"))["request_id"] == "request-7"
    assert _tree(_instead("403", tally.CREATE_TOKEN))["error"]["code"] == 403
    assert _instead("500", tally.METADATA).text == "500"
    assert len(_tree(_instead("403"))["encoded_authorization_message"]) > 100
    for status in ("502", "503", "504"):
        page = _instead(status)
        assert page.media_type == "text/html"
        assert page.body().startswith(b"<html>")


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("429", {"Retry-After": "1"}),
        ("429=7", {"Retry-After": "7"}),
        ("429=date", {"Retry-After": "Thu, 01 Jan 1970 00:16:45 GMT"}),
        ("429=none", {}),
        ("500", {}),
    ],
)
def test_throttling_says_when_to_come_again(text: str, headers: dict[str, str]) -> None:
    """In seconds, as a date, or not at all."""
    assert _instead(text).headers == headers


def test_other_answers_than_the_truth() -> None:
    """HTML with 200, nothing with 200, elsewhere, and the end of a stall."""
    assert (_instead("html").status, _instead("html").media_type) == (200, "text/html")
    assert (_instead("empty").status, _instead("empty").body()) == (200, b"")
    redirect = _instead("redirect=http://other/")
    assert (redirect.status, redirect.headers) == (302, {"Location": "http://other/"})
    assert _instead("timeout").status == _instead("stall").status == 504


@pytest.mark.parametrize("text", ["slow", "trickle", "truncated", "types", "huge", "bomb", "endless"])
def test_some_faults_need_the_truth(text: str) -> None:
    """They delay or twist it."""
    assert sabotage.instead(_fault(text), tally.LIST_TASKS, 0.0, "") is None


def test_delays_before_the_answer() -> None:
    """Only slow and stalled ones wait."""
    assert [sabotage.delay(_fault(text)) for text in ("slow=3s", "timeout=9s", "stall=1s")] == [3, 9, 1]
    assert sabotage.delay(_fault("trickle=3s")) == 0


def _chunks(text: str) -> list[tuple[float, bytes]]:
    return list(sabotage.chunks(_fault(text), _BODY))


def test_bodies_on_their_way() -> None:
    """Whole, cut, held back in the middle, in drops."""
    assert _chunks("slow") == [(0.0, _BODY)]
    assert _chunks("truncated") == _chunks("cut") == [(0.0, _BODY[: len(_BODY) // 2])]
    assert sabotage.headers(_fault("cut"), _BODY) == {"Content-Length": str(len(_BODY))}
    held = _chunks("stall-body=8s")
    assert [seconds for seconds, _ in held] == [0.0, 8.0]
    assert b"".join(chunk for _, chunk in held) == _BODY
    drops = _chunks("trickle=10s")
    assert 15 < len(drops) <= 20
    assert sum(seconds for seconds, _ in drops) == pytest.approx(10, abs=3)
    assert b"".join(chunk for _, chunk in drops) == _BODY


def test_a_huge_body_is_still_json() -> None:
    """Padded with blanks to the size asked for, in pieces."""
    chunks = [chunk for _, chunk in _chunks("huge=1M")]
    assert sum(map(len, chunks)) == 2**20
    assert max(map(len, chunks)) <= 2**16
    assert json.loads(b"".join(chunks)) == json.loads(_BODY)


def test_a_bomb_is_small_until_it_is_unpacked() -> None:
    """A thousand times its size, announced as gzip, and JSON to the end."""
    packed = b"".join(chunk for _, chunk in _chunks("bomb=8M"))
    assert len(packed) < 20_000
    unpacked = gzip.decompress(packed)
    assert len(unpacked) == 8 * 2**20
    assert json.loads(unpacked) == json.loads(_BODY)
    assert sabotage.headers(_fault("bomb"), _BODY) == {"Content-Encoding": "gzip"}
    assert sabotage.headers(_fault("huge"), _BODY) == {}
