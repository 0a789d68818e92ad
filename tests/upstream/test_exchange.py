"""One request and its answer: limits of time and size, retries, what is counted, what is shown."""

from __future__ import annotations

import asyncio
import gzip
import traceback
from collections.abc import AsyncIterator, Callable, Mapping

import httpx
import pytest

from exporter.errors import (
    ApiError,
    BodyError,
    NotFoundError,
    StatusError,
    ThrottledError,
    TransportError,
)
from exporter.upstream.bodies import MAX_BODY
from exporter.upstream.connections import Connections, bare_client
from exporter.upstream.exchange import Exchange, Reply, Request
from exporter.upstream.masking import Mask
from exporter.upstream.ratelimit import Gate
from tests.loopback import serve
from tests.upstream.fakes import BASE, EPOCH, Handler, Observed, answer, run, virtual_timing

ASKED = Request("list_tasks", BASE, "/v2/p/scheduled-tasks", query=(("offset", "0"), ("limit", "50")))
Sign = Callable[[Request], Mapping[str, str]]


class Upstream:
    """An exchange over a fake network."""

    def __init__(
        self, handler: Handler, *, chance: float = 0.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.observed = Observed()
        self.mask = Mask()
        self.timing = virtual_timing(chance=chance)
        self.gate = Gate(0, 8, monotonic=self.timing.monotonic, sleep=self.timing.sleep)
        network = transport or httpx.MockTransport(handler)
        self.connections = Connections(lambda: None, lambda _: bare_client(network))
        self.exchange = Exchange(
            self.connections,
            self.gate,
            mask=self.mask,
            observer=self.observed,
            timing=self.timing,
            timeout=10.0,
        )

    async def ask(self, request: Request = ASKED, sign: Sign | None = None) -> bytes:
        """Ask with retries."""
        return await self.exchange.persist(lambda: self.exchange.once(request, _body, sign=sign))

    async def fail(self, sign: Sign | None = None) -> ApiError:
        """Ask with retries, and return the error."""
        with pytest.raises(ApiError) as caught:
            await self.ask(sign=sign)
        await self.connections.aclose()
        return caught.value


def _body(reply: Reply) -> bytes:
    return reply.body


async def stream(*chunks: bytes, every: float = 0.0, endless: bool = False) -> AsyncIterator[bytes]:
    """A body that comes in chunks, `every` so many seconds."""
    while True:
        for chunk in chunks:
            await asyncio.sleep(every)
            yield chunk
        if not endless:
            return


def test_a_good_answer() -> None:
    """The answer's body is read, the request counted by its status, the query sent as it is signed."""
    urls = []

    def handler(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return answer({"a": 1})

    async def main() -> tuple[bytes, Observed]:
        upstream = Upstream(handler)
        return await upstream.ask(), upstream.observed

    body, observed = run(main())
    assert body == b'{"a": 1}'
    assert observed.requests == [("list_tasks", "200")]
    assert urls == [f"{BASE}/v2/p/scheduled-tasks?limit=50&offset=0"]


def test_a_packed_answer() -> None:
    """A gzip body is unpacked."""

    async def main() -> bytes:
        packed = answer(gzip.compress(b"data", mtime=0), headers={"Content-Encoding": "gzip"})
        return await Upstream(lambda _: packed).ask()

    assert run(main()) == b"data"


@pytest.mark.parametrize("where", ["headers", "body", "trickle", "error body"])
def test_the_time_limit_is_for_all_of_it(where: str) -> None:
    """Ten seconds from the first byte sent to the last received, also for a body that trickles."""

    async def handler(_: httpx.Request) -> httpx.Response:
        if where == "headers":
            await asyncio.sleep(1e6)
        status = 500 if where == "error body" else 200
        every = 1.0 if where == "trickle" else 1e6
        return httpx.Response(status, content=stream(b"x", every=every, endless=True))

    async def main() -> tuple[ApiError, Observed, float]:
        upstream, begin = Upstream(handler), asyncio.get_running_loop().time()
        return await upstream.fail(), upstream.observed, asyncio.get_running_loop().time() - begin

    error, observed, seconds = run(main())
    assert (error.label, str(error)) == ("timeout", "list_tasks: no complete answer within 10 s")
    assert observed.requests == [("list_tasks", "timeout")] * 2
    assert observed.retries == ["timeout"]
    assert seconds == pytest.approx(20.25)


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_over_the_limit_is_not_read(packed: bool) -> None:  # noqa: FBT001 - a parameter
    """Over 10 MiB the rest is not read, and the request not repeated."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        member = gzip.compress(bytes(65536)) if packed else bytes(65536)
        while True:
            sent += 1
            yield member

    async def main() -> tuple[ApiError, Observed]:
        headers = {"Content-Encoding": "gzip"} if packed else {}
        upstream = Upstream(lambda _: httpx.Response(200, headers=headers, content=endless()))
        return await upstream.fail(), upstream.observed

    error, observed = run(main())
    assert isinstance(error, BodyError)
    assert str(error) == "list_tasks: the answer is larger than 10240 KiB"
    assert observed.requests == [("list_tasks", "body")]
    assert sent == MAX_BODY // 65536 + 1


def test_a_length_over_the_limit_is_believed() -> None:
    """Where the headers announce too much, nothing of the body is read."""

    async def main() -> ApiError:
        async def untouched() -> AsyncIterator[bytes]:
            pytest.fail("the body was read")
            yield b""

        headers = {"Content-Length": str(MAX_BODY + 1)}
        return await Upstream(lambda _: httpx.Response(200, headers=headers, content=untouched())).fail()

    assert run(main()).label == "body"


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("br", b"x", "not asked for"),
        ("gzip", b"plain", "unpacked"),
        ("gzip", gzip.compress(b"x", mtime=0)[:9], "cut short"),
    ],
)
def test_a_body_that_cannot_be_unpacked(encoding: str, body: bytes, reason: str) -> None:
    """Wrong packing is an answer that is not what it should be: label body, not repeated."""

    async def main() -> tuple[ApiError, Observed]:
        upstream = Upstream(lambda _: answer(body, headers={"Content-Encoding": encoding}))
        return await upstream.fail(), upstream.observed

    error, observed = run(main())
    assert reason in str(error)
    assert observed.requests == [("list_tasks", "body")]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"x"), ("gzip", b"x"), ("", b"x" * 100_000)],
)
def test_an_error_with_a_bad_body_is_that_error(encoding: str, body: bytes) -> None:
    """Of an unsuccessful answer the status counts, whatever its body is; only the beginning is read."""

    async def main() -> ApiError:
        return await Upstream(lambda _: answer(body, 404, {"Content-Encoding": encoding})).fail()

    assert isinstance(run(main()), NotFoundError)


def test_an_error_body_that_breaks_off() -> None:
    """A connection that breaks within an error's body leaves the error."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"no such"
        raise httpx.ReadError("reset")

    async def main() -> ApiError:
        return await Upstream(lambda _: httpx.Response(404, content=broken())).fail()

    error = run(main())
    assert isinstance(error, NotFoundError)
    assert error.answer.message == "no such"


@pytest.mark.parametrize(
    ("make", "label"),
    [
        (lambda: httpx.ConnectError("canary"), "connect"),
        (lambda: httpx.ReadError("canary"), "read"),
        (lambda: httpx.RemoteProtocolError("canary"), "protocol"),
        (lambda: httpx.ProxyError("canary"), "proxy"),
        (lambda: OSError(5, "canary"), "read"),
    ],
)
def test_transport_errors_are_tried_three_times(make: Callable[[], Exception], label: str) -> None:
    """A broken connection is tried again twice, each attempt counted by what went wrong."""

    def handler(_: httpx.Request) -> httpx.Response:
        raise make()

    async def main() -> tuple[ApiError, Observed]:
        upstream = Upstream(handler)
        return await upstream.fail(), upstream.observed

    error, observed = run(main())
    assert isinstance(error, TransportError)
    assert error.label == label
    assert observed.requests == [("list_tasks", label)] * 3
    assert observed.retries == [label] * 2


def test_a_server_error_passes() -> None:
    """A 5xx is tried again; the answer that comes in the end is the answer."""
    answers = iter([answer(b"", 503), answer(b"", 500), answer(b"good")])

    async def main() -> tuple[bytes, Observed]:
        upstream = Upstream(lambda _: next(answers))
        return await upstream.ask(), upstream.observed

    body, observed = run(main())
    assert body == b"good"
    assert [code for _, code in observed.requests] == ["503", "500", "200"]
    assert observed.retries == ["503", "500"]


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409])
def test_other_statuses_are_not_repeated(status: int) -> None:
    """Asking again would give the same."""

    async def main() -> tuple[ApiError, Observed]:
        upstream = Upstream(lambda _: answer(b"", status))
        return await upstream.fail(), upstream.observed

    error, observed = run(main())
    assert isinstance(error, StatusError)
    assert observed.requests == [("list_tasks", str(status))]


@pytest.mark.parametrize("wish", ["3", "Tue, 14 Nov 2023 22:13:23 GMT"])
def test_retry_after_is_honoured(wish: str) -> None:
    """A short Retry-After, in seconds or as a date, is waited for."""
    moments: list[float] = []

    def handler(_: httpx.Request) -> httpx.Response:
        moments.append(asyncio.get_running_loop().time())
        return answer(b"", 429, {"Retry-After": wish}) if len(moments) == 1 else answer(b"ok")

    async def main() -> bytes:
        return await Upstream(handler).ask()

    assert run(main()) == b"ok"
    assert moments[1] - moments[0] == pytest.approx(3.0, abs=0.6)
    assert moments[1] - moments[0] >= 3.0


def test_a_long_retry_after_is_handed_on() -> None:
    """A long pause is in the error, and until it is over nothing more is sent."""

    async def main() -> tuple[ApiError, ApiError, Observed, float]:
        upstream = Upstream(lambda _: answer(b"", 429, {"Retry-After": "30"}))
        begin = asyncio.get_running_loop().time()
        first, second = await upstream.fail(), await upstream.fail()
        return first, second, upstream.observed, asyncio.get_running_loop().time() - begin

    first, second, observed, seconds = run(main())
    assert isinstance(first, ThrottledError)
    assert isinstance(second, ThrottledError)
    assert (first.retry_after, second.retry_after) == (30, 30)
    assert observed.requests == [("list_tasks", "429")]
    assert seconds == 0


def test_every_attempt_is_signed_anew() -> None:
    """The signature is made at the moment of sending, for each attempt."""
    sent = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["x-sdk-date"])
        return answer(b"", 500)

    async def main() -> None:
        upstream = Upstream(handler, chance=1.0)
        await upstream.fail(sign=lambda _: {"X-Sdk-Date": str(upstream.timing.clock())})

    run(main())
    assert len(set(sent)) == 3


def test_what_is_not_signed_is_not_sent() -> None:
    """Where no signature is to be had, nothing is sent, counted or limited."""

    async def main() -> tuple[ApiError, Observed, int, int]:
        def refuse(_: Request) -> Mapping[str, str]:
            raise ApiError("no", label="x")

        upstream = Upstream(lambda _: pytest.fail("sent"))
        error, window = await upstream.fail(sign=refuse), upstream.gate._window
        return error, upstream.observed, window.under_way, window.ended(since=0)

    error, observed, under_way, ended = run(main())
    assert error.reason == "no"
    assert (observed.requests, under_way, ended) == ([], 0, 0)


def test_a_malformed_answer() -> None:
    """What the reader of the body refuses is counted as `body`, with the request's id, and not repeated."""

    def read(_: Reply) -> bytes:
        raise BodyError("not a list but canary-token", label="body")

    async def main() -> tuple[ApiError, Observed]:
        upstream = Upstream(lambda _: answer(b"", headers={"X-Request-Id": "req canary-token"}))
        upstream.mask.know("token", "canary-token")
        with pytest.raises(BodyError) as caught:
            await upstream.exchange.persist(lambda: upstream.exchange.once(ASKED, read))
        return caught.value, upstream.observed

    error, observed = run(main())
    assert str(error) == "list_tasks: not a list but <secret> (request id req <secret>)"
    assert observed.requests == [("list_tasks", "body")]


def test_a_cancelled_request_is_counted_and_leaves_its_place() -> None:
    """A request that a shutdown cut short was sent, so it counts; its place is free again."""

    async def handler(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(1e6)
        raise AssertionError

    async def main() -> tuple[Observed, int]:
        upstream = Upstream(handler)
        task = asyncio.create_task(upstream.ask())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return upstream.observed, upstream.gate._window.under_way

    observed, under_way = run(main())
    assert observed.requests == [("list_tasks", "cancelled")]
    assert under_way == 0


@pytest.mark.parametrize(
    ("shift", "latency", "skew"), [(0, 0.0, 0.5), (60, 0.0, 60.5), (-60, 4.0, -61.5), (None, 0.0, None)]
)
def test_the_clock_skew(shift: float | None, latency: float, skew: float | None) -> None:
    """Upstream's Date less the middle of the round trip, half a second added for what Date cuts off."""

    async def handler(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(latency)
        dates = {0: "Tue, 14 Nov 2023 22:13:20 GMT", 60: "Tue, 14 Nov 2023 22:14:20 GMT"}
        dates[-60] = "Tue, 14 Nov 2023 22:12:20 GMT"
        return answer(b"", 401, {"Date": dates[int(shift)] if shift is not None else "yesterday"})

    async def main() -> float | None:
        upstream = Upstream(handler)
        assert upstream.timing.clock() == EPOCH
        await upstream.fail()
        return upstream.exchange.clock_skew

    assert run(main()) == skew


SECRET_HEADERS = {"X-Auth-Token": "canary-token", "Authorization": "canary-signature"}


@pytest.mark.parametrize(
    "behaviour",
    [
        b"",
        b"canary-token",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncanary-token",
        b"HTTP/1.1 500 canary-token\r\nContent-Length: 12\r\n\r\ncanary-token",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: canary-token\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://canary-token/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"canary-token" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\x00canary-token\r\n\r\n",
    ],
)
async def test_no_error_carries_the_request(behaviour: bytes) -> None:
    """Whatever a socket answers, no secret is in the error, its traceback, or what it is chained to."""
    async with serve(behaviour) as server:
        upstream = Upstream(lambda _: answer(), transport=httpx.AsyncHTTPTransport())
        upstream.mask.know("token", "canary-token")
        request = Request("list_tasks", server.url, "/", headers=SECRET_HEADERS)
        with pytest.raises(ApiError) as caught:
            await upstream.exchange.once(request, _body)
        await upstream.connections.aclose()
    error: BaseException | None = caught.value
    assert "canary" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "canary" not in repr(request)
    while error is not None:
        assert type(error).__module__.startswith("exporter.")
        error = error.__cause__ or error.__context__
    assert b"canary-token" in server.heads[0]


async def test_a_slow_upstream_is_cut_off_on_a_real_socket() -> None:
    """The limit holds for a real connection too, and the connection is closed."""
    closed = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        ended = asyncio.create_task(reader.read(1))
        while not ended.done():
            writer.write(b"x")
            await asyncio.wait([ended], timeout=0.02)
        closed.set()

    async with serve(trickle) as server:
        upstream = Upstream(lambda _: answer(), transport=httpx.AsyncHTTPTransport())
        upstream.exchange._timeout = 0.2
        with pytest.raises(TransportError, match="no complete answer within"):
            await upstream.exchange.once(Request("list_tasks", server.url, "/"), _body)
        await asyncio.wait_for(closed.wait(), 5)
        await upstream.connections.aclose()


def test_requests_and_replies_do_not_show_themselves() -> None:
    """The repr of a request or reply has neither headers nor body."""
    request = Request("x", BASE, "/", headers=SECRET_HEADERS, body=b"canary")
    assert "canary" not in repr(request) + repr(Reply(200, {"x": "canary"}, b"canary"))
