"""One connection's TLS, without any I/O: bytes from the network in, plain text out, and back.

asyncio's own TLS takes 256 KiB of memory for a connection before its handshake has begun; 500 connections
that never finish theirs would take 128 MiB. Here such a connection costs what OpenSSL needs.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

PLAIN_HTTP_ANSWER: Final = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n"
    b"This is an HTTPS server; the request came as plain HTTP.\n"
)
_READ = 64 * 1024


class TlsStream:
    """The server's side of one connection. Whatever a call leaves to be sent is in `outgoing()`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._established = False
        self.ended = False
        """Whether the client has said that it sends no more."""

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network and return the plain text that they complete.

        Raises ssl.SSLError where they are no TLS, or the client is not let in; `outgoing()` then says why.
        """
        self._incoming.write(data)
        try:
            if not self._established:
                self._object.do_handshake()
                self._established = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""

    def send(self, data: bytes | memoryview) -> None:
        """Encrypt plain text; only once the handshake is done, that is after `receive` returned some."""
        self._object.write(data)

    def end(self) -> None:
        """Say that no more will be sent (close_notify)."""
        if self._established:
            with contextlib.suppress(ssl.SSLError):  # the client's own close_notify is not waited for
                self._object.unwrap()

    def outgoing(self) -> bytes:
        """Return, once, the bytes to be sent over the network."""
        return self._outgoing.read()

    def _read(self) -> bytes:
        parts = []
        try:
            while part := self._object.read(_READ):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)
