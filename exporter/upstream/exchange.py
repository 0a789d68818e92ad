"""One request, one answer: the turn, the time limit, the size limit, the count, and what went wrong.

Sends over httpx; decides nothing but whether a failed request is sent again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import httpx

from exporter.errors import Answer, ApiError, BodyError, ThrottledError, TransportError
from exporter.failures import failure, http_date, request_id
from exporter.upstream.bodies import MAX_BODY, Body, BodyRefusedError
from exporter.upstream.connections import Connections
from exporter.upstream.masking import Mask
from exporter.upstream.ratelimit import Gate
from exporter.upstream.retries import cost, retry_delay
from exporter.upstream.signing import canonical_query
from exporter.upstream.transporterrors import transport_error

T = TypeVar("T")

_MAX_ERROR_BODY = 64 * 1024
_HALF_SECOND = 0.5


class Observer(Protocol):
    """Is told of every request; feeds the metrics of contract section 5."""

    def request(self, operation: str, code: str, seconds: float) -> None:
        """One request ended: `code` is the HTTP status or a word such as timeout, `seconds` its duration."""

    def retry(self, reason: str) -> None:
        """A request is about to be sent again, because of `reason` (the code of the failed one)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The world's time and chance, handed in so that tests own them.

    `clock` gives epoch seconds, `monotonic` seconds that never go back, `chance` a number from 0 to 1.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `base` is a base URL, `path` begins with a slash and is sent as it is.

    `query` holds the pairs before encoding; `project_id` is what a signature of keys covers beside the rest.
    """

    operation: str
    base: str
    path: str
    method: str = "GET"
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    project_id: str = ""

    @property
    def url(self) -> httpx.URL:
        """The address as it is sent."""
        query = canonical_query(self.query)
        return httpx.URL(f"{self.base}{self.path}{'?' if query else ''}{query}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer: status 2xx, headers with lower-case names, the body unpacked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one request, before it is decoded or masked; header names are in lower case.

    `failure` is the code of an answer that did not come or was not read to its end; its status is then 0.
    """

    request: Request
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    failure: str = ""


Tap = Callable[[Heard, Mask], None]
"""Is told what came of every request, and the project's secrets."""


class Exchange:
    """Sends requests of one project: through its gate, counted by its observer, masked by its mask."""

    def __init__(
        self,
        connections: Connections,
        gate: Gate,
        *,
        mask: Mask,
        observer: Observer,
        timing: Timing,
        timeout: float,
        tap: Tap | None = None,
    ) -> None:
        self._connections = connections
        self._gate = gate
        self._mask = mask
        self._observer = observer
        self._timing = timing
        self._timeout = timeout
        self._tap = tap
        self.clock_skew: float | None = None
        """Upstream's clock less ours, in seconds, by the newest answer. Its Date is cut to whole seconds and
        was written at some moment between sending and receiving: half a second is added and the middle of the
        round trip taken, so the value is exact to half a second and half the round trip."""

    async def persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make `attempt` until it succeeds, or its ApiError is not worth another one."""
        attempts = spent = 0
        while True:
            try:
                return await attempt()
            except ApiError as error:
                attempts, spent = attempts + 1, spent + cost(error)
                delay = retry_delay(error, attempts, spent, self._timing.chance())
                if delay is None:
                    raise
                self._observer.retry(error.label)
            await self._timing.sleep(delay)

    async def once(
        self,
        request: Request,
        read: Callable[[Reply], T],
        *,
        sign: Callable[[Request], Mapping[str, str]] | None = None,
        aside: bool = False,
    ) -> T:
        """Send a request once and return what `read` makes of the answer. Raises ApiError.

        `sign` gives the headers that show who asks, at the moment of sending; what it raises means that
        nothing is sent. `aside` is the gate's.
        """
        async with self._gate.slot(aside=aside) as slot:
            try:
                headers = {**request.headers, **(sign(request) if sign else {})}
            except Exception:
                slot.give_back()
                raise
            began, code = self._timing.monotonic(), "cancelled"
            try:
                reply = await self._send(request, headers)
                code = str(reply.status)
                return self._read(request, reply, read)
            except ApiError as error:
                code = error.label
                if isinstance(error, ThrottledError):
                    self._gate.throttled(slot, error.retry_after)
                raise
            finally:
                self._observer.request(request.operation, code, self._timing.monotonic() - began)

    def _read(self, request: Request, reply: Reply, read: Callable[[Reply], T]) -> T:
        try:
            return read(reply)
        except BodyError as error:
            wrong = BodyError(
                self._mask(error.reason),
                label=error.label,
                operation=request.operation,
                answer=Answer(status=reply.status, request_id=request_id(reply.headers, self._mask)),
            )
        raise wrong

    async def _send(self, request: Request, headers: Mapping[str, str]) -> Reply:
        wrong: ApiError
        try:
            async with asyncio.timeout(self._timeout):
                return await self._receive(request, headers)
        except TimeoutError:
            reason = f"no complete answer within {self._timeout:g} s"
            wrong = TransportError(reason, label="timeout", operation=request.operation)
        except BodyRefusedError as error:
            wrong = BodyError(str(error), label="body", operation=request.operation)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            wrong = transport_error(error, request.operation)
        self._tell(Heard(request, failure=wrong.label))
        raise wrong  # outside of `except`: the library's exception holds the request and its headers

    async def _receive(self, request: Request, headers: Mapping[str, str]) -> Reply:
        sent = self._timing.clock()
        async with (
            self._connections.use() as http,
            http.stream(request.method, request.url, headers=headers, content=request.body) as response,
        ):
            received = self._timing.clock()
            reply_headers = dict(response.headers)
            self._note_date(reply_headers.get("date", ""), (sent + received) / 2)
            good = response.is_success
            body = await (_body(response) if good else _error_body(response))
            self._tell(Heard(request, response.status_code, reply_headers, body))
            if good:
                return Reply(response.status_code, reply_headers, body)
            raise failure(
                request.operation, response.status_code, reply_headers, body, received, mask=self._mask
            )

    def _tell(self, heard: Heard) -> None:
        if self._tap is not None:
            self._tap(heard, self._mask)

    def _note_date(self, date: str, middle: float) -> None:
        upstream = http_date(date)
        if upstream is not None:
            self.clock_skew = upstream + _HALF_SECOND - middle


async def _body(response: httpx.Response) -> bytes:
    body = Body(response.headers.get("content-encoding", ""))
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BODY:
        body.refuse()
    async for chunk in response.aiter_raw():
        body.feed(chunk)
    return body.finish()


async def _error_body(response: httpx.Response) -> bytes:
    """What can be had of an error's body: its status says enough, so a bad or long one is no second error."""
    body = None
    try:
        body = Body(response.headers.get("content-encoding", ""), _MAX_ERROR_BODY)
        async for chunk in response.aiter_raw():
            body.feed(chunk)
    except (BodyRefusedError, httpx.HTTPError):
        pass
    return body.so_far if body else b""
