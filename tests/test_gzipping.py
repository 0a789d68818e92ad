"""Gzip: parts compressed apart give one member that any reader takes."""

from __future__ import annotations

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.gzipping import EMPTY, compress, finish, join


@given(st.lists(st.binary(max_size=300), max_size=12), st.binary(max_size=50))
def test_joined_parts_are_one_member_of_the_joined_text(texts: list[bytes], last: bytes) -> None:
    """Checksum and length are those of the whole, and nothing follows the one member."""
    member = b"".join(finish(join(map(compress, texts)), compress(last)))
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(member) == b"".join(texts) + last
    assert reader.eof
    assert reader.unused_data == b""
    assert gzip.decompress(member) == b"".join(texts) + last


def test_joins_nest() -> None:
    """A join is a part like any other, and an empty part is nothing."""
    one = join([compress(b"a" * 70_000), EMPTY, compress(b"")])
    both = join([one, join([compress(b"b"), compress(b"c")])])
    assert both.crc == zlib.crc32(b"a" * 70_000 + b"bc")
    assert both.length == 70_002


def test_a_member_of_nothing() -> None:
    """An exporter without a single task still answers a gzip body."""
    assert gzip.decompress(b"".join(finish(EMPTY, EMPTY))) == b""
