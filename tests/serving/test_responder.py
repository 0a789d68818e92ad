"""An application's ASGI messages as bytes of HTTP/1.1."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
import pytest
from structlog.testing import capture_logs

from exporter.serving import responder
from exporter.serving.responder import (
    CHUNK_BYTES,
    BrokenAnswerError,
    ClientGoneError,
    Responder,
    reason_phrase,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive, Scope, Send


class Script:
    """An application that sends given messages, and may then fail."""

    def __init__(self, messages: Sequence[Message], error: Exception | None = None) -> None:
        self.messages = messages
        self.error = error

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        assert await receive() == {"type": "http.request", "body": b"body", "more_body": False}
        for message in self.messages:
            await send(message)
        if self.error is not None:
            raise self.error


class Wire:
    """Takes what is written; past `room` bytes the client has gone."""

    def __init__(self, method: str = "GET", room: int = 1 << 30) -> None:
        self.written: list[bytes] = []
        self.room = room
        self.http = h11.Connection(h11.SERVER)
        self.http.receive_data(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while not isinstance(self.http.next_event(), h11.EndOfMessage):
            pass
        self.scope = {"type": "http", "method": method, "raw_path": b"/"}

    async def write(self, data: bytes) -> None:
        """Take bytes."""
        self.room -= len(data)
        if self.room < 0:
            raise ClientGoneError
        self.written.append(data)

    async def run(self, app: Script, *, last: bool = False) -> tuple[h11.Response, bytes]:
        """Run an application, and return what a client would have read."""
        await Responder(self.http, self.scope, b"body", self.write, lambda: last).run(app)
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=str(self.scope["method"]), target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(b"".join(self.written))
        response = client.next_event()
        assert isinstance(response, h11.Response)
        body = bytearray()
        while isinstance(event := client.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage)
        return response, bytes(body)


def start(status: int = 200, *fields: tuple[bytes, bytes]) -> Message:
    """Return the message that begins an answer."""
    return {"type": "http.response.start", "status": status, "headers": list(fields)}


def body(data: bytes, *, more: bool = False) -> Message:
    """Return the message with a part of the body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_an_answer() -> None:
    """Status, fields and body arrive as they were sent; the date is added, and nothing else."""
    response, text = await Wire().run(
        Script([start(404, (b"x-a", b"b"), (b"content-length", b"2")), body(b"no")])
    )
    assert (response.status_code, response.reason, text) == (404, b"Not Found", b"no")
    assert [name for name, _ in response.headers] == [b"date", b"x-a", b"content-length"]


async def test_an_answer_of_unknown_length() -> None:
    """Without a length the body is sent in chunks, and its end is told."""
    response, text = await Wire().run(
        Script([start(), body(b"a", more=True), body(b"", more=True), body(b"b")])
    )
    assert (b"transfer-encoding", b"chunked") in list(response.headers)
    assert text == b"ab"


async def test_the_last_answer_says_so() -> None:
    """A connection that is to end after the answer is announced to end."""
    response, _ = await Wire().run(Script([start(204), body(b"")]), last=True)
    assert (b"connection", b"close") in list(response.headers)


async def test_head() -> None:
    """HEAD is answered with the length of the body, and without it."""
    response, text = await Wire("HEAD").run(Script([start(200, (b"content-length", b"5")), body(b"12345")]))
    assert (b"content-length", b"5") in list(response.headers)
    assert text == b""


async def test_small_parts_are_gathered() -> None:
    """However small the parts that the application hands over, what is written is of a good size."""
    wire = Wire()
    parts = [body(b"abc", more=True)] * 50_000
    _, text = await wire.run(Script([start(200, (b"content-length", b"150000")), *parts, body(b"")]))
    assert text == b"abc" * 50_000
    assert len(wire.written) < 10


async def test_a_large_body_is_sent_in_pieces() -> None:
    """No write is larger than a piece and a head, whatever the application sends at once."""
    wire = Wire()
    size = 3 * CHUNK_BYTES + 1
    _, text = await wire.run(Script([start(200, (b"content-length", str(size).encode())), body(b"x" * size)]))
    assert len(text) == size
    assert max(map(len, wire.written)) < CHUNK_BYTES + 1000


@pytest.mark.parametrize(("turn", "least", "most"), [(0.0, 15, 25), (1000.0, 0, 2)])
async def test_an_answer_gives_way_when_its_turn_is_over(
    monkeypatch: pytest.MonkeyPatch, turn: float, least: int, most: int
) -> None:
    """A body of twenty pieces holds the event loop for a turn at a time, and no longer."""
    monkeypatch.setattr(responder, "TURN_SECONDS", turn)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    size = 20 * CHUNK_BYTES
    await Wire().run(Script([start(200, (b"content-length", str(size).encode())), body(b"x" * size)]))
    beside.cancel()
    assert least <= turns <= most


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [start()],
        [body(b"x")],
        [start(200, (b"bad name", b"x")), body(b"x")],
        [start(200, (b"x", b"a\r\nb: c")), body(b"x")],
        [start(99), body(b"x")],
        [start(200, (b"content-length", b"5")), body(b"not yet sent", more=True)],
        [{"type": "websocket.accept"}],
    ],
)
async def test_an_answer_that_never_began(messages: list[Message]) -> None:
    """An application that sends nothing, or what is no HTTP, is answered for: a 500 that tells nothing."""
    with capture_logs():
        response, text = await Wire().run(Script(messages))
    assert (response.status_code, text) == (500, b"Internal error; the log says more.\n")


@pytest.mark.parametrize(
    "messages",
    [
        [start(), body(b"x" * CHUNK_BYTES, more=True)],
        [start(200, (b"content-length", b"5")), body(b"x")],
        [start(200, (b"content-length", b"1")), body(b"xx")],
    ],
)
async def test_an_answer_that_cannot_be_completed(messages: list[Message]) -> None:
    """An answer that has begun and does not come to its end is broken off."""
    with capture_logs(), pytest.raises(BrokenAnswerError):
        await Wire().run(Script(messages))


async def test_an_error_after_the_end() -> None:
    """The answer stands; the error is logged."""
    with capture_logs() as logs:
        response, _ = await Wire().run(Script([start(204), body(b"")], RuntimeError("canary")))
    assert response.status_code == 204
    assert [(log["event"], log["error"]) for log in logs] == [("request failed", "RuntimeError")]


async def test_a_client_that_has_gone() -> None:
    """That the client has gone is no failure of the application, and not logged."""
    with capture_logs() as logs, pytest.raises(ClientGoneError):
        await Wire(room=0).run(Script([start(), body(b"x")]))
    assert logs == []


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, b"OK"), (431, b"Request Header Fields Too Large"), (299, b"")]
)
def test_reason_phrases(status: int, phrase: bytes) -> None:
    """The phrase is RFC 9110's; a status that it does not know has none."""
    assert reason_phrase(status) == phrase
