"""One request and its answer: ASGI messages of the application -> bytes of HTTP/1.1, by way of h11.

The ASGI specification (HTTP, version 2.4) says what the messages hold. A request is complete before the
application sees it, and a client that goes away shows as cancellation, so that `receive` has little to say.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11
import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Scope

_log = structlog.get_logger(__name__)

_FAILED = b"Internal error; the log says more.\n"

CHUNK_BYTES: Final = 64 * 1024
"""An answer is sent in pieces, each once the kernel has taken the one before."""
TURN_SECONDS: Final = 0.005
"""An answer that the kernel keeps taking is sent for so long before everybody else has a turn."""


class ClientGoneError(OSError):
    """Nothing more can be sent. An OSError, as the ASGI specification asks."""


class BrokenAnswerError(Exception):
    """The application failed after its answer had begun: the client must see that it is not whole."""


class Responder:
    """Drives one answer. `write` sends bytes and waits until they are taken; `last` says to close after."""

    def __init__(
        self,
        http: h11.Connection,
        scope: Scope,
        body: bytes,
        write: Callable[[bytes], Awaitable[None]],
        last: Callable[[], bool],
    ) -> None:
        self._http = http
        self._scope = scope
        self._body = body
        self._write = write
        self._last = last
        self._asked = False
        self._start: Message | None = None
        self._begun = False
        self._parts: list[bytes] = []
        self._gathered = 0
        self._loop = asyncio.get_running_loop()
        self._turn_until = self._loop.time() + TURN_SECONDS

    async def run(self, app: ASGIApp) -> None:
        """Let the application answer; one that fails before it has begun is answered for with a 500.

        The log names the error and where it was raised, but not its text, which may hold anything. Raises
        BrokenAnswerError where the answer cannot be completed, ClientGoneError where nobody takes it.
        """
        try:
            await app(self._scope, self.receive, self.send)
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            path = self._scope["raw_path"].decode("latin-1")
            _log.error("request failed", path=path, error=type(error).__name__, at=_place(error))
        if self._http.our_state in (h11.DONE, h11.MUST_CLOSE):
            return
        if self._begun or self._http.our_state is h11.ERROR:
            raise BrokenAnswerError
        length = str(len(_FAILED)).encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)]
        self._start = {"status": 500, "headers": headers}
        self._parts = [_FAILED]
        await self._send_parts(more=False)

    async def receive(self) -> Message:
        """Return the whole body, once; after that nothing ever comes."""
        if self._asked:
            await asyncio.get_running_loop().create_future()
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Take one message of the application; h11.LocalProtocolError for one that breaks HTTP.

        Small parts of a body are gathered: an application may hand over as many as it has.
        """
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            part, more = message.get("body", b""), message.get("more_body", False)
            self._parts.append(part)
            self._gathered += len(part)
            if not more or self._gathered >= CHUNK_BYTES:
                await self._send_parts(more=more)

    async def _send_parts(self, *, more: bool) -> None:
        parts, self._parts, self._gathered = self._parts, [], 0
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if self._scope["method"] == "HEAD":
            body = b""
        view, end = memoryview(body), max(len(body), 1)
        for start in range(0, end, CHUNK_BYTES):
            data = b"" if self._begun else self._head()
            if body:
                data += self._http.send(h11.Data(data=bytes(view[start : start + CHUNK_BYTES]))) or b""
            if not more and start + CHUNK_BYTES >= end:
                data += self._http.send(h11.EndOfMessage()) or b""
            if data:
                await self._write(data)
                await self._give_way()

    async def _give_way(self) -> None:
        if self._loop.time() >= self._turn_until:
            await asyncio.sleep(0)
            self._turn_until = self._loop.time() + TURN_SECONDS

    def _head(self) -> bytes:
        if self._start is None:
            raise h11.LocalProtocolError("a body before http.response.start")
        headers = [(b"date", formatdate(usegmt=True).encode()), *self._start.get("headers", ())]
        if self._last():
            headers.append((b"connection", b"close"))
        status = self._start["status"]
        response = h11.Response(status_code=status, headers=headers, reason=reason_phrase(status))
        head = self._http.send(response) or b""
        self._begun = True
        return head


def reason_phrase(status: int) -> bytes:
    """Return the phrase of RFC 9110 for a status, or nothing for one that it does not know."""
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
