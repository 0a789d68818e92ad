"""One connection over a real socket: what is answered, refused, timed and cut off."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.serving.crowd import Limits
from exporter.serving.responder import CHUNK_BYTES
from tests.serving.certificates import client_context, server_certificate
from tests.serving.site import GET, LAST, PATIENCE, Clock, echo, raw, site, status, until

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

BIG = b"x" * (32 << 20)
"""More than the kernel buffers on both sides of a connection."""


def server_context() -> ssl.SSLContext:
    """Return a server's TLS context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate().configure_cert(context)
    return context


async def big(_: Scope, __: Receive, send: Send) -> None:
    """Answer with more than fits on the way."""
    headers = [(b"content-length", str(len(BIG)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BIG})


def slow_reader(port: int) -> socket.socket:
    """Return a connection whose client takes next to nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.sendall(GET)
    return sock


class Held:
    """An application that answers when it is told to, and notes what became of its requests."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.ended: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, once `go` is set."""
        self.begun.set()
        try:
            await self.go.wait()
            await echo(scope, receive, send)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise


async def test_requests_on_one_connection() -> None:
    """A connection is kept for the next request; requests sent ahead are answered in their order."""
    async with site(echo) as (port, _), raw(port) as client:
        for path in (b"/a", b"/b"):
            client.send(GET.replace(b"/", path, 1))
            assert await client.answer() == (200, b"GET " + path + b" ")
        client.send(GET.replace(b"/", b"/c", 1) + GET.replace(b"/", b"/d", 1) + LAST)
        assert await client.answer() == (200, b"GET /c ")
        assert await client.answer() == (200, b"GET /d ")
        assert (await client.rest()).endswith(b"\r\n\r\nGET / ")


@pytest.mark.parametrize("last", [LAST, b"GET / HTTP/1.0\r\n\r\n"])
async def test_the_last_request(last: bytes) -> None:
    """The connection ends after an answer where the client says so, or speaks HTTP/1.0."""
    async with site(echo) as (port, _), raw(port) as client:
        assert (await client.ask(last)).endswith(b"GET / ")


async def test_the_application_is_told_both_ends() -> None:
    """The client's address is what its places in the queue for a password check go by."""
    scopes: list[Scope] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    async with site(note) as (port, _), raw(port) as client:
        client.send(GET)
        await client.answer()
        own = client.writer.get_extra_info("sockname")
    assert [(scope["client"], scope["server"]) for scope in scopes] == [(own, ("127.0.0.1", port))]


async def test_the_answers_head_tells_no_server() -> None:
    """Date and the application's fields, and not who is answering."""
    async with site(echo) as (port, _), raw(port) as client:
        head = (await client.ask(LAST)).partition(b"\r\n\r\n")[0].lower()
        names = [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]]
        assert sorted(names) == [b"connection", b"content-length", b"date"]


async def test_head() -> None:
    """HEAD gets the head of the answer, and no body, whatever the application sends."""
    async with site(echo) as (port, _), raw(port) as client:
        answer = await client.ask(LAST.replace(b"GET", b"HEAD"))
        assert b"content-length: 7\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: x\r\nbad field\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 100_000, 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 16384 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n", 413),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n" + b"x" * 100_000, 413),
    ],
)
async def test_what_is_refused(request_: bytes, expected: int) -> None:
    """A request that is broken, too large or has a body is answered as such, and the connection ends."""
    async with site(echo) as (port, _), raw(port) as client:
        answer = await client.ask(request_)
        assert status(answer) == expected
        assert b"connection: close\r\n" in answer


@pytest.mark.parametrize(
    "coding",
    [b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"identity", b"", b"xchunked"],
)
async def test_an_unknown_transfer_coding(coding: bytes) -> None:
    """501 (RFC 9112, section 6.1), and the end: what follows may be a body, so it is no request."""
    async with site(echo) as (port, _), raw(port) as client:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %b\r\n" % coding
        answer = await client.ask(head + b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(answer) == 501
        assert b"connection: close\r\n" in answer
        assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUpgrade: h2c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n",
    ],
)
async def test_what_is_let_through(request_: bytes) -> None:
    """A request without a body reaches the application, whatever its method and target."""
    async with site(echo) as (port, _), raw(port) as client:
        assert status(await client.ask(request_)) == 200


async def test_connect_is_a_request_like_another() -> None:
    """CONNECT and its odd target reach the application, which refuses it."""

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        assert scope["path"] == "x:443"
        await send({"type": "http.response.start", "status": 405, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async with site(app) as (port, _), raw(port) as client:
        client.send(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.answer() == (405, b"")
        client.send(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.answer() == (405, b"")


async def test_a_refusal_reaches_a_client_that_goes_on_sending() -> None:
    """The connection is not reset under the answer: what still comes is thrown away for a while."""
    async with site(echo) as (port, _), raw(port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(20):
            client.send(b"x" * 1_000_000)
            await asyncio.sleep(0)
        assert status(await client.rest()) == 413


async def test_a_body_where_bodies_are_taken() -> None:
    """With a limit above 0 the application is given the whole body, in whatever pieces it came."""
    async with site(echo, Limits(body_bytes=6)) as (port, _), raw(port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        await asyncio.sleep(0)
        client.send(b"def")
        assert await client.answer() == (200, b"POST / abcdef")
        client.send(GET)
        assert await client.answer() == (200, b"GET / ")
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n"
        assert status(await client.ask(chunked)) == 413


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"GET /"])
async def test_a_head_has_its_time(sent: bytes, tls: bool) -> None:  # noqa: FBT001 - pytest's way
    """A client that does not finish its head within five seconds is cut off; it gets no answer."""
    clock = Clock()
    async with (
        site(echo, None, server_context() if tls else None) as (port, crowd),
        raw(port, client_context() if tls else None) as client,
    ):
        client.send(sent)
        await clock.advance(4)
        assert len(crowd) == 1
        await clock.advance(1)
        assert len(crowd) == 0
        assert await client.rest() == b""


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_a_handshake_has_its_time(sent: bytes) -> None:
    """A client that does not finish its TLS handshake within five seconds is cut off."""
    clock = Clock()
    async with site(echo, None, server_context()) as (port, crowd), raw(port) as client:
        client.send(sent)
        await until(lambda: len(crowd) == 1)
        await clock.advance(4)
        assert len(crowd) == 1
        await clock.advance(1)
        assert len(crowd) == 0


async def test_trickling_wins_no_time() -> None:
    """A byte now and then does not put the deadline off."""
    clock = Clock()
    async with site(echo) as (port, crowd), raw(port) as client:
        for byte in GET[:6]:
            client.send(bytes([byte]))
            await until(lambda: len(crowd) == 1)
            await clock.advance(0.8)
        await clock.advance(0.2)
        assert len(crowd) == 0


async def test_a_body_has_the_heads_time() -> None:
    """Where bodies are taken, one that does not come in time ends the connection, on a kept one too."""
    clock = Clock()
    async with site(echo, Limits(body_bytes=9)) as (port, crowd), raw(port) as client:
        client.send(GET)
        await client.answer()
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
        await clock.advance(0)
        await clock.advance(4)
        assert len(crowd) == 1
        await clock.advance(1)
        assert len(crowd) == 0


async def test_an_idle_connection_has_its_time() -> None:
    """A kept connection is closed after two minutes without a request."""
    clock = Clock()
    async with site(echo) as (port, crowd), raw(port) as client:
        for _ in range(2):
            client.send(GET)
            await client.answer()
            await clock.advance(119)
            assert len(crowd) == 1
        await clock.advance(1)
        assert len(crowd) == 0


async def test_a_client_that_does_not_close() -> None:
    """After the last answer a client that leaves its side open is cut off within a second."""
    clock = Clock()
    async with site(echo) as (port, crowd), raw(port) as client:
        await client.ask(LAST)
        assert len(crowd) == 1
        await clock.advance(1)
        assert len(crowd) == 0


async def test_a_client_that_closes_its_side() -> None:
    """A request is answered although its client has said that it sends no more."""
    async with site(echo) as (port, crowd):
        async with raw(port) as client:
            client.send(GET)
            client.writer.write_eof()
            assert (await client.rest()).endswith(b"GET / ")
        await until(lambda: not len(crowd))


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"GET / HT", b"HTTP/1.1 400 ")])
async def test_a_client_that_closes_its_side_before_it_has_asked(sent: bytes, answer: bytes) -> None:
    """It cannot ask any more, so its connection ends at once; half a request is a bad one."""
    limits = Limits(header_seconds=2 * PATIENCE)
    async with site(echo, limits) as (port, crowd), raw(port) as client:
        client.send(sent)
        client.writer.write_eof()
        assert (await client.rest())[:13] == answer
        await until(lambda: len(crowd) == 0)


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """A client that takes none of its answer for ten seconds loses it, and the application is cancelled."""
    clock = Clock()
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await big(scope, receive, send)
        except asyncio.CancelledError:
            ended.set()
            raise

    async with site(app) as (port, crowd):
        with slow_reader(port):
            await until(lambda: crowd.stalled == 1)
            await clock.advance(9)
            assert (len(crowd), crowd.stalled) == (1, 1)
            await clock.advance(1)
            assert (len(crowd), crowd.stalled) == (0, 0)
            assert ended.is_set()


async def test_a_slow_reader_gets_its_whole_answer() -> None:
    """A client that pauses, but not for too long, gets everything."""
    async with site(big) as (port, crowd):
        with slow_reader(port) as reader:
            await until(lambda: crowd.stalled == 1)
            received = 0
            while received < len(BIG):
                received += len(await asyncio.to_thread(reader.recv, 1 << 20))
            await until(lambda: crowd.stalled == 0)


async def test_too_many_that_do_not_read() -> None:
    """With more stalled answers than allowed the one that has stalled longest is cut off."""
    async with site(big, Limits(stalled=2)) as (port, crowd):
        readers = [slow_reader(port)]
        await until(lambda: crowd.stalled == 1)
        readers += [slow_reader(port), slow_reader(port)]
        # Nothing but the number ends one of them: the time to stall is ten seconds.
        await until(lambda: (len(crowd), crowd.stalled) == (2, 2))
        readers[0].setblocking(True)
        received = 0
        while part := await asyncio.to_thread(_receive, readers[0]):
            received += len(part)
        assert received < len(BIG)
        for reader in readers:
            reader.close()


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(1 << 20)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("tls", [False, True])
async def test_a_large_answer_arrives_whole(tls: bool) -> None:  # noqa: FBT001 - pytest's way
    """An answer larger than every buffer on the way arrives whole."""
    async with (
        site(big, None, server_context() if tls else None) as (port, _),
        raw(port, client_context() if tls else None) as client,
    ):
        answer = await client.ask(LAST)
        assert answer.partition(b"\r\n\r\n")[2] == BIG


async def test_a_large_answer_leaves_others_their_turn() -> None:
    """While a large answer is being sent other requests are answered."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (big if scope["path"] == "/big" else echo)(scope, receive, send)

    async with site(app) as (port, _), raw(port) as first, raw(port) as second:
        first.send(LAST.replace(b"/", b"/big", 1))
        await first.reader.readuntil(b"\r\n\r\n")
        assert status(await second.ask(LAST)) == 200
        assert len(await first.rest()) == len(BIG)


async def test_the_application_fails() -> None:
    """An error before the answer has begun is a 500 that tells nothing; the log names it, not its text."""

    async def app(*_: Any) -> None:
        raise ValueError("canary")

    with capture_logs() as logs:
        async with site(app) as (port, _), raw(port) as client:
            client.send(GET.replace(b"/", b"/%0a?canary", 1))
            assert await client.answer() == (500, b"Internal error; the log says more.\n")
            client.send(GET)
            assert await client.answer() == (500, b"Internal error; the log says more.\n")
    assert logs[0]["error"] == "ValueError"
    assert logs[0]["path"] == "/%0a"
    assert "test_http1.py:" in logs[0]["at"]
    assert "canary" not in repr(logs)


async def test_the_application_fails_in_the_middle() -> None:
    """An answer that cannot be completed is cut, so that nobody takes it for a whole one."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half" * CHUNK_BYTES, "more_body": True})
        raise ValueError

    async with site(app) as (port, _), raw(port) as client:
        answer = await client.ask(GET)
        assert b"half" in answer
        assert not answer.endswith(b"0\r\n\r\n")


async def test_the_client_goes_while_the_application_works() -> None:
    """The application of a client that resets its connection is cancelled when that shows."""
    held = Held()
    async with site(held) as (port, crowd):
        async with raw(port) as client:
            client.send(GET)
            await held.begun.wait()
            await crowd.close(0)
        assert held.ended == ["cancelled"]


async def test_waiting_for_the_client_to_go() -> None:
    """An application that listens for its client's going learns of it by cancellation alone."""
    heard: list[object] = []
    begun = asyncio.Event()

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        heard.append((await receive())["type"])
        begun.set()
        try:
            heard.append(await receive())
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async with site(app) as (port, crowd), raw(port) as client:
        client.send(GET)
        await begun.wait()
        await crowd.close(0)
    assert heard == ["http.request", "cancelled"]


async def test_an_application_that_goes_on_after_its_client() -> None:
    """Sending to a client that has gone is an OSError, as the ASGI specification asks; nothing is logged."""
    held = Held()
    failed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await held(scope, receive, send)
        except asyncio.CancelledError:
            try:
                await echo(scope, receive, send)
            except OSError:
                failed.set()
                raise

    with capture_logs() as logs:
        async with site(app) as (port, crowd), raw(port) as client:
            client.send(GET)
            await held.begun.wait()
            closing = asyncio.create_task(crowd.close(0))
            async with asyncio.timeout(PATIENCE):
                await failed.wait()
            await closing
    assert logs == []


async def test_the_end_leaves_an_answer_its_time() -> None:
    """At the end idle connections go at once, an answer under way is finished and is the last."""
    held = Held()
    async with site(held) as (port, crowd), raw(port) as idle, raw(port) as busy:
        busy.send(GET)
        await held.begun.wait()
        closing = asyncio.create_task(crowd.close(60))
        assert await idle.rest() == b""
        held.go.set()
        answer = await busy.rest()
        assert status(answer) == 200
        assert b"connection: close\r\n" in answer
        await closing
        assert held.ended == []


async def test_a_retired_connection() -> None:
    """A retired connection answers once more, says that it ends, and ends."""
    async with site(echo) as (port, crowd), raw(port) as client:
        client.send(GET)
        await client.answer()
        crowd.retire()
        answer = await client.ask(GET)
        assert status(answer) == 200
        assert b"connection: close\r\n" in answer


async def test_plain_http_to_a_tls_port() -> None:
    """A person who typed http:// is told in words."""
    async with site(echo, None, server_context()) as (port, _), raw(port) as client:
        answer = await client.ask(GET)
        assert status(answer) == 400
        assert b"HTTPS" in answer


async def test_a_client_that_cannot_be_let_in() -> None:
    """A client that speaks only an older TLS is told so by an alert, not by a reset."""
    server, client = server_context(), client_context()
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    async with site(echo, None, server) as (port, crowd):
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            async with raw(port, client):
                pass
        await until(lambda: not len(crowd))


async def test_junk_to_a_tls_port() -> None:
    """Bytes that are no TLS end the connection."""
    clock = Clock()
    async with site(echo, None, server_context()) as (port, crowd), raw(port) as client:
        await client.ask(b"\x99" * 100)
        await clock.advance(1)
        assert len(crowd) == 0


async def test_tls_ends_in_good_order() -> None:
    """A client over TLS sees close_notify after the last answer, and its own is understood."""
    async with site(echo, None, server_context()) as (port, crowd):
        async with raw(port, client_context()) as client:
            assert (await client.ask(LAST)).endswith(b"GET / ")
        async with raw(port, client_context()) as client:
            client.send(GET)
            await client.answer()
            client.writer.close()
            await client.writer.wait_closed()
        await until(lambda: not len(crowd))


async def test_a_full_house() -> None:
    """With all places taken the connection that has been waited for longest makes room for a new one."""
    async with (
        site(echo, Limits(connections=3)) as (port, crowd),
        raw(port) as first,
        raw(port) as second,
        raw(port) as third,
    ):
        for client in (first, second, third, first):
            client.send(GET)
            await client.answer()
        async with raw(port) as fourth:
            assert status(await fourth.ask(LAST)) == 200
            assert await second.rest() == b""
            third.send(GET)
            assert (await third.answer())[0] == 200
            assert len(crowd) <= 3


_TOKENS = st.sampled_from(
    [b"GET ", b"POST ", b"/", b"/-/ready", b" HTTP/1.1", b"\r\n", b"\n", b"Host: x", b"Content-Length: 3",
     b"Transfer-Encoding: chunked", b"Accept: */*", b": ", b"\0", b"\xff", b"3\r\nabc", b"0\r\n\r\n"]
)  # fmt: skip


@given(st.lists(_TOKENS | st.binary(max_size=20), max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(parts: list[bytes]) -> None:
    """Whatever arrives: no 5xx, no error in the event loop, no hang, and the next client is served."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        errors: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: errors.append(context))
        async with site(echo) as (port, _):
            async with raw(port) as client:
                client.send(b"".join(parts))
                client.writer.write_eof()
                answer = await client.rest()
            assert b"HTTP/1.1 5" not in answer
            async with raw(port) as client:
                assert status(await client.ask(LAST)) == 200
        assert errors == []

    asyncio.run(run())
