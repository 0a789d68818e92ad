"""One connection's TLS, without any I/O: bytes from the network in, plain text out, and back.

asyncio's own TLS takes 256 KiB of memory for a connection before its handshake has begun; 500 connections
that never finish theirs would take 128 MiB. Here such a connection costs what OpenSSL needs, and nothing
before its first record (RFC 8446, section 5.1) is complete.
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
_HANDSHAKE = b"\x16"
_HEADER_BYTES = 5
_MAX_RECORD = 1 << 14


class TlsStream:
    """The server's side of one connection. Whatever a call leaves to be sent is in `outgoing()`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._early = bytearray()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object: ssl.SSLObject | None = None
        self._established = False
        self.ended = False
        """Whether the client has said that it sends no more."""

    @property
    def begun(self) -> bool:
        """Whether `receive` was called."""
        return self._object is not None

    def hold(self, data: bytes) -> bool:
        """Keep the first bytes from the network; returns whether they are worth beginning with."""
        self._early += data
        return _is_whole_record(self._early)

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network and return the plain text that they complete.

        The first call begins the handshake with what was held; of all calls it is the one that costs (a
        signature, half a millisecond and more). Raises ssl.SSLError where the bytes are no TLS, or the client
        is not let in; `outgoing()` then says why.
        """
        if self._object is None:
            self._object = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            self._incoming.write(self._early)
            self._early.clear()
        self._incoming.write(data)
        return self._read(self._object)

    def send(self, data: bytes | memoryview) -> None:
        """Encrypt plain text; ValueError before the handshake is done."""
        if self._object is None or not self._established:
            raise ValueError("the handshake is not done")
        self._object.write(data)

    def end(self) -> None:
        """Say that no more will be sent (close_notify)."""
        if self._object is not None and self._established:
            with contextlib.suppress(ssl.SSLError):  # the client's own close_notify is not waited for
                self._object.unwrap()

    def outgoing(self) -> bytes:
        """Return, once, the bytes to be sent over the network."""
        return self._outgoing.read()

    def _read(self, connection: ssl.SSLObject) -> bytes:
        parts = []
        try:
            if not self._established:
                connection.do_handshake()
                self._established = True
            while part := connection.read(_READ):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)


def _is_whole_record(data: bytearray) -> bool:
    """Whether OpenSSL should see the first bytes now: a whole handshake record, or what is none.

    It takes 60 KiB with the first byte that it sees; a client that sends half a record is not worth that.
    """
    if data[:1] != _HANDSHAKE:
        return bool(data)
    length = int.from_bytes(data[3:5], "big")
    return len(data) >= _HEADER_BYTES and (length > _MAX_RECORD or len(data) >= _HEADER_BYTES + length)
