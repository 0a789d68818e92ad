"""One HTTP/1.1 connection of the server (RFC 9112): h11 reads the protocol, an ASGI application answers.

What a client may cost is settled here. A request must be complete within seconds of the connection's
beginning, TLS handshake included; head and body are bounded; who does not read an answer is cut off.

A connection is always in one of four states, and waits for its client in all but the second:

    WAITING      for the handshake, or for the end of a request
    ANSWERING    the application works, or the answer is being sent
    LINGERING    the last answer is sent; what still arrives is thrown away, since closing with unread input
                 would reset the connection and take the answer with it (RFC 9112, section 9.6)
    CLOSED
"""

from __future__ import annotations

import asyncio
import enum
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import h11

from exporter.serving.requesthead import make_scope, refusal, refusal_of_broken
from exporter.serving.responder import BrokenAnswerError, ClientGoneError, Responder, reason_phrase
from exporter.serving.tlsstream import PLAIN_HTTP_ANSWER, TlsStream

if TYPE_CHECKING:
    from starlette.types import Scope

    from exporter.serving.crowd import Crowd


class State(enum.Enum):
    """See the module."""

    WAITING = "waiting"
    ANSWERING = "answering"
    LINGERING = "lingering"
    CLOSED = "closed"


class Connection(asyncio.Protocol):
    """The protocol that asyncio drives; `crowd` is all that it shares with the others."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._limits = crowd.limits
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)
        self._tls: TlsStream | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._resumed: asyncio.Future[None] | None = None
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._last = False
        self._idle = False
        self.state = State.CLOSED

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the clock runs from here."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # paused until the kernel has taken everything
        context = self._crowd.tls()
        self._tls = TlsStream(context) if context else None
        self._crowd.add(self)
        self._enter(State.WAITING, self._limits.header_seconds)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network; while an answer is under way none are read."""
        if self.state is not State.WAITING:
            return
        if self._tls is None:
            self._take(data)
        elif self._tls.begun:
            self._decrypt(self._tls, data)
        elif self._tls.hold(data):
            self._transport.pause_reading()
            self._crowd.queue(self._greet)

    def _greet(self) -> None:
        """Begin the TLS handshake: it is this connection's turn."""
        if self.state is State.WAITING and self._tls is not None:
            self._transport.resume_reading()
            self._decrypt(self._tls, b"")

    def eof_received(self) -> bool:
        """Note that the client sends no more; a request that was read is still answered."""
        if self.state is State.WAITING:
            self._take(b"", ended=True)
        return self.state is State.ANSWERING

    def pause_writing(self) -> None:
        """Note that the kernel takes no more for now."""
        self._resumed = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the answer go on."""
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget everything; an application still at work is told by cancellation."""
        self._leave()
        if self._task is not None:
            self._task.cancel()
        self._crowd.lost()

    def retire(self) -> None:
        """Make the next answer the last one: the certificate or the client CA is no longer this one."""
        self._last = True

    def finish(self) -> None:
        """End soon: at once where no answer is owed."""
        self._last = True
        if self.state is not State.ANSWERING:
            self.abort()

    def abort(self) -> None:
        """End now."""
        self._leave()
        self._transport.abort()

    def _enter(self, state: State, seconds: float | None) -> None:
        """Change the state; after `seconds` in it the client is cut off."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self.abort)
        self.state = state
        self._crowd.enter(self, waiting=seconds is not None)

    def _leave(self) -> None:
        self._enter(State.CLOSED, None)
        self._crowd.forget(self)

    def _decrypt(self, tls: TlsStream, data: bytes) -> None:
        try:
            text = tls.receive(data)
        except ssl.SSLError as error:
            self._refuse_tls(tls, error)
            return
        self._transport.write(tls.outgoing())
        self._take(text, ended=tls.ended)

    def _take(self, data: bytes, *, ended: bool = False) -> None:
        if data:
            self._http.receive_data(data)
        if ended:
            self._http.receive_data(b"")
        self._advance()

    def _advance(self) -> None:
        """Take up what has arrived, as far as it goes."""
        try:
            event = self._http.next_event()
            while isinstance(event, h11.Request | h11.Data):
                status = self._take_head(event) if isinstance(event, h11.Request) else self._take_body(event)
                if status is not None:
                    self._refuse(status)
                    return
                event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            self._refuse(refusal_of_broken(error, self._http.trailing_data[0]))
            return
        if isinstance(event, h11.EndOfMessage) and self._request is not None:
            self._begin(self._request)
        elif event is not h11.NEED_DATA:
            self._linger()  # the client has ended
        elif self._request is not None and not self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # not a byte of a body is waited for
        elif self._idle and (self._request is not None or self._http.trailing_data[0]):
            self._idle = False
            self._enter(State.WAITING, self._limits.header_seconds)

    def _take_head(self, request: h11.Request) -> HTTPStatus | None:
        self._request = request
        self._body.clear()
        return refusal(request, self._limits)

    def _take_body(self, data: h11.Data) -> HTTPStatus | None:
        self._body += data.data
        too_large = len(self._body) > self._limits.body_bytes
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else None

    def _begin(self, request: h11.Request) -> None:
        self._request = None
        self._transport.pause_reading()
        self._enter(State.ANSWERING, None)
        scheme = "http" if self._tls is None else "https"
        scope = make_scope(request, scheme, self._address("peername"), self._address("sockname"))
        self._task = self._loop.create_task(self._answer(scope, bytes(self._body)))
        self._crowd.work(self._task)

    def _address(self, name: str) -> tuple[str, int] | None:
        address = self._transport.get_extra_info(name)
        return (address[0], address[1]) if address else None

    async def _answer(self, scope: Scope, body: bytes) -> None:
        responder = Responder(self._http, scope, body, self._write, lambda: self._last)
        try:
            await responder.run(self._crowd.app)
        except (BrokenAnswerError, ClientGoneError):
            self.abort()
        else:
            self._next()

    def _next(self) -> None:
        """Wait for another request on this connection, or end it."""
        if self._last or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._linger()
            return
        self._http.start_next_cycle()
        self._idle = True
        self._task = None
        self._enter(State.WAITING, self._limits.idle_seconds)
        self._transport.resume_reading()
        self._advance()

    async def _write(self, data: bytes) -> None:
        """Send, and wait until the kernel has taken everything; a client that takes nothing is cut off.

        `connection_lost` then cancels this task: to the application all ends of a client look alike.
        """
        if self.state is not State.ANSWERING:
            raise ClientGoneError
        self._put(data)
        if self._resumed is None:
            return
        self._crowd.stall(self)
        try:
            await asyncio.wait_for(self._resumed, self._limits.stall_seconds)
        except TimeoutError:
            self.abort()
            await self._loop.create_future()
        finally:
            self._crowd.flow(self)

    def _put(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.send(data)
            data = self._tls.outgoing()
        self._transport.write(data)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer in the application's place, and end the connection: where the next one begins is unknown."""
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        response = h11.Response(status_code=status, headers=headers, reason=reason_phrase(status))
        self._put((self._http.send(response) or b"") + (self._http.send(h11.EndOfMessage()) or b""))
        self._linger()

    def _refuse_tls(self, tls: TlsStream, error: ssl.SSLError) -> None:
        # The alert is sent; a person who typed http:// is told in words.
        self._transport.write(PLAIN_HTTP_ANSWER if error.reason == "HTTP_REQUEST" else tls.outgoing())
        self._close_writing()

    def _linger(self) -> None:
        if self._tls is not None:
            self._tls.end()
            self._transport.write(self._tls.outgoing())
        self._close_writing()

    def _close_writing(self) -> None:
        self._transport.write_eof()
        self._enter(State.LINGERING, self._limits.linger_seconds)
        self._transport.resume_reading()
