"""An answer's body from its chunks, never larger than allowed: on the wire, unpacked, and to decode. Pure.

httpx would unpack a whole chunk before anyone could look at its size (64 KiB of a bomb are 64 MiB), so the
raw bytes are unpacked here, a bounded piece at a time. Only gzip is asked for (RFC 9110, section 8.4.1).
"""

from __future__ import annotations

import zlib
from typing import NoReturn

MAX_BODY = 10 * 1024 * 1024
"""The largest body that is read, in bytes, before and after unpacking."""
MAX_VALUES = 50_000
"""The most values (counted by the commas) that an answer may hold. A page of the API has a few thousand; ten
megabytes of `[],[],[]` would take seconds to decode, and nothing else runs meanwhile."""
_GZIP = 16 + zlib.MAX_WBITS


class BodyRefusedError(Exception):
    """The body is not read to its end; the text says why."""


class Body:
    """Collects one answer's body: feed it every chunk, then take `finish()`. All raise BodyRefusedError."""

    def __init__(self, encoding: str, limit: int = MAX_BODY) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip"}:
            raise BodyRefusedError("the answer is packed in a way that was not asked for")
        self._packed = name.endswith("gzip")
        self._unpacker = zlib.decompressobj(_GZIP)
        self._limit = limit
        self._received = 0
        self._data = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes from the wire."""
        self._received += len(chunk)
        if self._received > self._limit:
            self.refuse()
        if self._packed:
            self._unpack(chunk)
        else:
            self._data += chunk

    def finish(self) -> bytes:
        """Return the whole body."""
        if self._packed and self._received and not self._unpacker.eof:
            raise BodyRefusedError("the packed answer is cut short")
        if self._data.count(b",") > MAX_VALUES:
            raise BodyRefusedError(f"the answer holds more than {MAX_VALUES} values")
        return bytes(self._data)

    @property
    def so_far(self) -> bytes:
        """What has been unpacked until now."""
        return bytes(self._data)

    def refuse(self) -> NoReturn:
        """Say that the body is too large."""
        raise BodyRefusedError(f"the answer is larger than {self._limit // 1024} KiB")

    def _unpack(self, chunk: bytes) -> None:
        while chunk:
            if self._unpacker.eof:  # RFC 1952, section 2.2: several members one after the other
                self._unpacker = zlib.decompressobj(_GZIP)
            try:
                self._data += self._unpacker.decompress(chunk, self._limit + 1 - len(self._data))
            except zlib.error:
                raise BodyRefusedError("the packed answer cannot be unpacked") from None
            if len(self._data) > self._limit:
                self.refuse()
            chunk = self._unpacker.unconsumed_tail or self._unpacker.unused_data
