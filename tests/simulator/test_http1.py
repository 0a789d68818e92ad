"""One connection of the simulated cloud, byte by byte."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message, Receive, Scope, Send

_SECONDS = 5


class _Echo:
    """Answers with the request that it saw; the path says with which status, and how."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.waiting = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body = (await receive())["body"]
        word = scope["path"].strip("/")
        if word == "wait":
            self.waiting.set()
            message: Message = await receive()
            assert message == {"type": "http.disconnect"}
            self.gone.set()
            return
        lengths = {"chunked": [], "short": [(b"content-length", b"99")]}
        headers = lengths.get(word, [(b"content-length", str(len(body)).encode())])
        status = int(word) if word.isdecimal() else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body"})


@asynccontextmanager
async def _connected() -> AsyncIterator[tuple[_Echo, asyncio.StreamReader, asyncio.StreamWriter]]:
    echo = _Echo()
    async with serving(echo, port=0) as url, asyncio.timeout(_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        try:
            yield echo, reader, writer
        finally:
            writer.close()
            await writer.wait_closed()


async def _all(sent: bytes, *, end: bool = True) -> bytes:
    """Send bytes, then the end of the input; return everything that comes back until the server ends."""
    async with _connected() as (_, reader, writer):
        writer.write(sent)
        if end:
            writer.write_eof()
        return await reader.read()


async def test_requests_follow_each_other_on_one_connection() -> None:
    """Also those that are sent before the answer came; bodies of both framings arrive whole."""
    first = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
    second = (
        b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n"
    )
    answer = await _all(first + second)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.endswith(b"two")
    assert b"\r\n\r\noneHTTP/1.1" in answer


async def test_the_application_sees_the_request_as_it_was_sent() -> None:
    """Path decoded and raw, query, method, headers in lower case."""
    async with _connected() as (echo, reader, writer):
        writer.write(b"GET /a%20b?x=%31&y HTTP/1.1\r\nHost: x\r\nX-Auth-Token: t\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
    scope = echo.scopes[0]
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"x=%31&y")
    assert (scope["method"], scope["headers"][1]) == ("GET", (b"x-auth-token", b"t"))


@pytest.mark.parametrize(
    ("status", "line"), [(204, b"204 No Content"), (418, b"418 I'm a Teapot"), (599, b"599 ")]
)
async def test_statuses_have_their_phrases(status: int, line: bytes) -> None:
    """Or none, where nobody has named them."""
    assert (
        (await _all(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % status))
        .lower()
        .startswith(b"http/1.1 " + line.lower())
    )


async def test_without_a_length_the_body_comes_in_chunks() -> None:
    """And HEAD has none at all."""
    body = b"Host: x\r\nContent-Length: 3\r\n\r\none"
    assert (await _all(b"POST /chunked HTTP/1.1\r\n" + body)).endswith(b"\r\n\r\n3\r\none\r\n0\r\n\r\n")
    head = await _all(b"HEAD / HTTP/1.1\r\n" + body)
    assert head.endswith(b"content-length: 3\r\n\r\n")


async def test_a_body_that_is_too_short_ends_the_connection() -> None:
    """The announced length never comes."""
    answer = await _all(b"POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none", end=False)
    assert b"content-length: 99" in answer
    assert answer.endswith(b"\r\n\r\none")


@pytest.mark.parametrize(
    "sent", [b"", b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHo"]
)
async def test_what_is_no_request_ends_the_connection(sent: bytes) -> None:
    """Without an answer."""
    assert await _all(sent) == b""


async def test_a_client_that_asks_for_the_end_gets_it() -> None:
    """Connection: close."""
    answer = await _all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", end=False)
    assert b"200 OK" in answer


async def test_a_waiting_application_hears_of_the_departure() -> None:
    """What arrives meanwhile does not count as one."""
    async with _connected() as (echo, _, writer):
        writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await echo.waiting.wait()
        writer.write(b"GET /more HTTP/1.1\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(echo.gone.wait(), 0.05)
        writer.write_eof()
        await echo.gone.wait()
