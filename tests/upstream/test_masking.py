"""Known secrets are taken out of texts."""

from __future__ import annotations

import base64
import html
import json
import math
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
        json.dumps({"message": f"user with {SECRET} is unknown"}),
        json.dumps({"message": f"user with {SECRET} is unknown"}, ensure_ascii=False),
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


@pytest.mark.parametrize("after", [b"", b"x", b"yz", b'"}]'])
@pytest.mark.parametrize("before", [b"", b":", b"u:", b"us:", b"user:"])
def test_within_the_base64_of_more_only_what_holds_other_bytes_is_left(before: bytes, after: bytes) -> None:
    """Wherever the secret begins and ends there: a letter of it that shares its bits with none is masked."""
    secret = b"hunter-2"
    mask = Mask()
    mask.know("password", secret.decode())
    text = base64.b64encode(before + secret + after).decode()
    first, end = math.ceil(len(before) * 8 / 6), (len(before) + len(secret)) * 8 // 6
    aligned = not after and len(before) % 3 == 0  # then the padding is the secret's own
    assert mask(text) == f"{text[:first]}<secret>{'' if aligned else text[end:]}"


def test_a_secret_of_seven_bytes_is_masked_in_base64_of_its_own_only() -> None:
    """The inner part of so short a value may be an accident in another text."""
    mask = Mask()
    mask.know("password", "hunter2")
    alone, within = (base64.b64encode(data).decode() for data in (b"hunter2", b"user:hunter2!"))
    assert (mask(alone), mask(within)) == ("<secret>", within)


@pytest.mark.parametrize(("shorter", "longer"), [("ABCD", "ABCDEFGH"), ("WXYZ", "ABWXYZ")])
def test_the_longest_is_masked_first(shorter: str, longer: str) -> None:
    """A secret that is part of another one leaves no rest of it."""
    mask = Mask()
    mask.know("access_key", shorter)
    mask.know("token", longer)
    assert mask(longer) == "<secret>"


@pytest.mark.parametrize(
    ("value", "masked"), [("e", "the mess"), ("mes", "the mess"), ("mess", "the <secret>")]
)
def test_very_short_values_are_left(value: str, masked: str) -> None:
    """Cutting out a value of one letter would spell it by its gaps."""
    mask = Mask()
    mask.know("password", value)
    assert mask("the mess") == masked


def test_the_newest_values_of_a_kind_are_kept() -> None:
    """Renewed tokens do not pile up, and push out no secret of another kind."""
    mask = Mask()
    mask.know("password", "hunter2!")
    for number in range(1000):
        mask.know("token", f"token-{number:04}")
    assert mask("hunter2! token-0999 token-0996 token-0995") == "<secret> <secret> <secret> token-0995"


def test_a_value_in_use_for_long_pushes_out_none() -> None:
    """It is told with each request."""
    mask = Mask()
    for value in ("old-token", *(["new-token"] * 10)):
        mask.know("token", value)
    assert mask("old-token new-token") == "<secret> <secret>"


def test_half_a_surrogate_pair_is_no_trouble() -> None:
    """YAML may escape half a pair, which no encoder takes."""
    mask = Mask()
    mask.know("password", "\ud800secret")
    assert mask("\ud800secret") == "<secret>"
    assert "secret" not in repr(mask)
