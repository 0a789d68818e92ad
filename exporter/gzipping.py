"""One gzip member from parts that were compressed apart and are kept.

A deflate stream that ends in a full flush ends on a byte and refers to nothing before it (RFC 1951; zlib's
manual, Z_FULL_FLUSH), so such parts can be joined in any number. The member's CRC-32 (RFC 1952) of the joined
text follows from the parts' own: CRC-32 is linear, and to append n bytes is to multiply by x^(8n) modulo the
polynomial. One member, since several are cut short by curl and others.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no flags, no time, unknown system."""
_LAST_BLOCK = b"\x03\x00"
"""An empty last block."""
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Part:
    """Compressed text that can stand anywhere in a member: its deflate blocks, CRC-32 and length.

    The blocks are pieces in order: a joined part is no copy of its parts.
    """

    blocks: tuple[bytes, ...]
    crc: int
    length: int


EMPTY = Part((), 0, 0)


def compress(text: bytes) -> Part:
    """Compress a part on its own."""
    if not text:
        return EMPTY
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    blocks = stream.compress(text) + stream.flush(zlib.Z_FULL_FLUSH)
    return Part((blocks,), zlib.crc32(text), len(text))


def join(parts: Iterable[Part]) -> Part:
    """Return the parts as one."""
    blocks: list[bytes] = []
    crc = length = 0
    for part in parts:
        if part.length:
            blocks += part.blocks
            crc = _append_crc(crc, part.crc, part.length)
            length += part.length
    return Part(tuple(blocks), crc, length)


def finish(kept: Part, last: Part) -> tuple[bytes, ...]:
    """Return a whole gzip member of two parts, as pieces to send one after the other."""
    whole = _append_crc(kept.crc, last.crc, last.length)
    trailer = struct.pack("<LL", whole, (kept.length + last.length) & 0xFFFF_FFFF)
    return _HEADER, *kept.blocks, *last.blocks, _LAST_BLOCK + trailer


def _append_crc(crc: int, added: int, length: int) -> int:
    """Return the CRC-32 of a text followed by `length` bytes whose own is `added`."""
    return _multiply(_shift(length), crc) ^ added


def _multiply(one: int, two: int) -> int:
    """Multiply two polynomials over GF(2), bits reflected, modulo the CRC's."""
    product = 0
    bit = _ONE
    while one:
        if one & bit:
            product ^= two
            one ^= bit
        bit >>= 1
        two = (two >> 1) ^ _POLYNOMIAL if two & 1 else two >> 1
    return product


def _squares() -> list[int]:
    """x^(8 * 2^k) for each k, by squaring."""
    powers = [1 << 30]
    for _ in range(66):
        powers.append(_multiply(powers[-1], powers[-1]))
    return powers[3:]


_BYTES = _squares()


@lru_cache(maxsize=65_536)
def _shift(length: int) -> int:
    """x^(8 * length): what appending `length` bytes multiplies a CRC by."""
    power = _ONE
    for index in range(length.bit_length()):
        if length >> index & 1:
            power = _multiply(_BYTES[index], power)
    return power
