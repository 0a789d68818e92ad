"""Known secrets are taken out of texts."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest

from exporter.upstream.masking import Mask

SECRET = 'p&ss/"wörd\\ 1'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps({"password": SECRET}),
        json.dumps({"password": SECRET}, ensure_ascii=False),
        html.escape(SECRET),
        f"Basic {base64.b64encode(SECRET.encode()).decode()}",
    ],
)
def test_every_encoding_is_masked(text: str) -> None:
    """A secret is found as it is, and as JSON, HTML, a URL or base64 write it."""
    mask = Mask()
    mask.know("password", SECRET)
    masked = mask(f"before {text} after")
    assert "<secret>" in masked
    assert text not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


def test_the_longest_is_masked_first() -> None:
    """A secret that begins another one leaves no rest of it."""
    mask = Mask()
    mask.know("access_key", "ABCD")
    mask.know("token", "ABCDEFGH")
    assert mask("ABCDEFGH") == "<secret>"


def test_very_short_values_are_left() -> None:
    """Cutting out a value of one letter would spell it by its gaps."""
    mask = Mask()
    mask.know("password", "e")
    assert mask("the message") == "the message"


def test_the_newest_values_of_a_kind_are_kept() -> None:
    """Renewed tokens do not pile up, and push out no secret of another kind."""
    mask = Mask()
    mask.know("password", "hunter2!")
    for number in range(1000):
        mask.know("token", f"token-{number:04}")
    assert mask("hunter2! token-0999 token-0996 token-0995") == "<secret> <secret> <secret> token-0995"


def test_half_a_surrogate_pair_is_no_trouble() -> None:
    """YAML may escape half a pair, which no encoder takes."""
    mask = Mask()
    mask.know("password", "\ud800secret")
    assert mask("\ud800secret") == "<secret>"
    assert "secret" not in repr(mask)
