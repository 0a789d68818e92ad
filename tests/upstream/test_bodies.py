"""Bodies are read to a limit, packed or not, in bounded memory."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.upstream.bodies import MAX_BODY, MAX_VALUES, Body, BodyRefusedError


def read(encoding: str, *chunks: bytes, limit: int = MAX_BODY) -> bytes:
    """Read a whole body."""
    body = Body(encoding, limit)
    for chunk in chunks:
        body.feed(chunk)
    return body.finish()


@settings(deadline=None)
@given(st.binary(max_size=500), st.integers(1, 50), st.booleans())
def test_any_chunks_give_the_same_body(data: bytes, size: int, packed: bool) -> None:  # noqa: FBT001 - generated
    """However the bytes are cut on the wire, packed or not, the body is the same."""
    sent = gzip.compress(data) if packed else data
    chunks = [sent[start : start + size] for start in range(0, len(sent), size)]
    assert read("gzip" if packed else "", *chunks) == data


@pytest.mark.parametrize("encoding", ["", "identity", " GZIP ", "x-gzip"])
def test_encodings_that_are_read(encoding: str) -> None:
    """Nothing, identity, and both names of gzip, in any case."""
    data = b"body"
    assert read(encoding, gzip.compress(data) if "gzip" in encoding.lower() else data) == data


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "unknown"])
def test_encodings_that_are_refused(encoding: str) -> None:
    """What was not asked for is refused before a byte is read."""
    with pytest.raises(BodyRefusedError, match="not asked for"):
        Body(encoding)


def test_several_members_are_one_body() -> None:
    """Gzip members one after the other are one body (RFC 1952), also when cut between them."""
    assert read("gzip", gzip.compress(b"ab") + gzip.compress(b"cd"), gzip.compress(b"ef")) == b"abcdef"


def test_an_empty_packed_body_is_empty() -> None:
    """An answer that says gzip and has no body is no error."""
    assert read("gzip") == b""


@pytest.mark.parametrize("cut", [1, 5, 12, 20])
def test_a_packed_body_that_is_cut_short(cut: int) -> None:
    """Half a gzip stream is no body."""
    with pytest.raises(BodyRefusedError, match="cut short"):
        read("gzip", gzip.compress(bytes(range(256)))[:-cut])


def test_what_is_not_packed() -> None:
    """An answer that says gzip and is none."""
    with pytest.raises(BodyRefusedError, match="cannot be unpacked"):
        read("gzip", b'{"tasks_records": []}')


def test_the_limit_is_exact() -> None:
    """A body of the limit is read, one byte more is refused; packed ones are measured unpacked."""
    assert len(read("", b"x" * 1000, limit=1000)) == 1000
    assert len(read("gzip", gzip.compress(b"x" * 1000), limit=1000)) == 1000
    for encoding, sent in (("", b"x" * 1001), ("gzip", gzip.compress(b"x" * 1001))):
        with pytest.raises(BodyRefusedError, match="larger"):
            read(encoding, sent, limit=1000)


def test_too_many_values_are_refused() -> None:
    """A body within the limit that would take seconds to decode is not handed to the decoder."""
    assert len(read("", b"[]," * MAX_VALUES)) == 3 * MAX_VALUES
    with pytest.raises(BodyRefusedError, match="more than 50000 values"):
        read("", b"[]," * (MAX_VALUES + 1))


def test_what_was_read_before_the_refusal_is_kept() -> None:
    """The beginning of an error's page is worth showing."""
    body = Body("", 10)
    body.feed(b"12345")
    with pytest.raises(BodyRefusedError):
        body.feed(b"678901")
    assert body.so_far == b"12345"


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    """Half a megabyte that would unpack to half a gigabyte is refused in bounded memory."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(512)) + packer.flush()
    chunks = [bomb[start : start + 65536] for start in range(0, len(bomb), 65536)]
    tracemalloc.start()
    try:
        with pytest.raises(BodyRefusedError, match="larger than 10240 KiB"):
            read("gzip", *chunks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BODY


def test_endless_empty_members_are_refused_too() -> None:
    """Packed bytes count as well: a stream that unpacks to nothing still ends."""
    with pytest.raises(BodyRefusedError, match="larger"):
        read("gzip", *[gzip.compress(b"")] * 1000, limit=1000)
