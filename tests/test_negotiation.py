"""exporter.negotiation: headers that real scrapers send, the rules of RFC 9110, and what an enemy sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_LATEST

from exporter.negotiation import Format, accepts_gzip, choose_format

PROMETHEUS_2_30 = "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
    "escaping=underscores;q=0.7," + PROMETHEUS_3
)
PROMETHEUS_3_TEXT = (
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.7,text/plain;version=0.0.4;q=0.6,*/*;q=0.5"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def test_content_types_are_those_of_the_formats() -> None:
    """The exact types, with version and charset, as the Prometheus client library sends them."""
    assert Format.TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert Format.OPENMETRICS.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert Format.TEXT.content_type == CONTENT_TYPE_PLAIN_0_0_4
    assert Format.OPENMETRICS.content_type == OPENMETRICS_LATEST


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2_30, Format.TEXT),
        (PROMETHEUS_2_42, Format.OPENMETRICS),
        (PROMETHEUS_3, Format.OPENMETRICS),
        (PROMETHEUS_3_PROTOBUF, Format.OPENMETRICS),
        (PROMETHEUS_3_TEXT, Format.TEXT),
        (BROWSER, Format.TEXT),
        ("*/*", Format.TEXT),
        ("", Format.TEXT),
    ],
)
def test_real_scrapers_get_what_they_prefer(accept: str, expected: Format) -> None:
    """Prometheus 2.30 asks for a draft of OpenMetrics that we do not speak, so it gets text."""
    assert choose_format(accept) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/openmetrics-text", Format.OPENMETRICS),
        ('APPLICATION/OpenMetrics-Text ; Version="1.0.0" ; Q=1', Format.OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;escaping=underscores", Format.OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", Format.TEXT),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", Format.TEXT),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.4", Format.OPENMETRICS),
        # equal weights: a name beats a wildcard, then the first named, whatever the versions say
        ("*/*, application/openmetrics-text", Format.OPENMETRICS),
        ("text/*, application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text, text/plain;version=0.0.4", Format.OPENMETRICS),
        ("text/plain, application/openmetrics-text;version=1.0.0", Format.TEXT),
        ("application/*", Format.OPENMETRICS),
        ("text/*;q=0.3, application/*;q=0.2", Format.TEXT),
        # the most specific range decides a format's weight, wherever it stands (RFC 9110, 12.5.1)
        ("text/plain;version=0.0.4;q=0, */*;q=0.9", Format.OPENMETRICS),
        ("*/*;q=0.9, text/plain;q=0.1, application/openmetrics-text;q=0.2", Format.OPENMETRICS),
        ("application/openmetrics-text;q=0, */*", Format.TEXT),
        ("*/*;q=0.9, text/*;q=0.1, application/*;q=0.2", Format.OPENMETRICS),
        ("text/plain;q=0.1, text/plain;version=0.0.4;q=0.9, application/*;q=0.5", Format.TEXT),
        # nothing acceptable
        ("application/json", Format.TEXT),
        ("text/plain;q=0, application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=0.000", Format.TEXT),
        # a weight that cannot be read says nothing
        ("application/openmetrics-text;q=high", Format.TEXT),
        ("application/openmetrics-text;q=2", Format.TEXT),
        ("application/openmetrics-text;q=-1", Format.TEXT),
        ("application/openmetrics-text;q=nan", Format.TEXT),
        ("application/openmetrics-text;q=1e0", Format.TEXT),
        # separators inside a quoted string separate nothing
        ('text/x;a="1,application/openmetrics-text;q=1"', Format.TEXT),
        ('application/openmetrics-text;a="x;q=0,\\"y";q=1', Format.OPENMETRICS),
        (";;,;q=1,,=", Format.TEXT),
    ],
)
def test_weights_and_precedence_follow_the_rfc(accept: str, expected: Format) -> None:
    """RFC 9110: weights, specificity, parameters, quoted strings; text where nothing is acceptable."""
    assert choose_format(accept) is expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("GZip ; q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("deflate;q=0.9, *;q=0.1", True),
        ("identity;q=0, gzip;q=0.1", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=0, x-gzip", True),
        ("", False),
        ("identity", False),
        ("deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=0.4, identity;q=0.5", False),
        ("gzip;q=0.4, *;q=0.5", False),
        ("identity;q=0", False),
        ("gzip;q=wrong", False),
        ("gzipped", False),
    ],
)
def test_gzip_is_used_where_the_client_likes_it(accept_encoding: str, *, expected: bool) -> None:
    """RFC 9110, 12.5.3: q=0 forbids, `*` stands for what is not named, a preferred identity is respected."""
    assert accepts_gzip(accept_encoding) is expected


def test_a_header_of_absurd_length_is_not_looked_at() -> None:
    """Work and memory per request are bounded; the answer is the safe one."""
    assert choose_format("application/openmetrics-text".ljust(2048)) is Format.OPENMETRICS
    assert choose_format("application/openmetrics-text".ljust(2049)) is Format.TEXT
    assert accepts_gzip("gzip".ljust(2048))
    assert not accepts_gzip("gzip".ljust(2049))


_WORDS = [
    "text/plain",
    "application/openmetrics-text",
    "*/*",
    "gzip",
    "identity",
    "*",
    "version=1.0.0",
    "q=1",
]
_PIECES = st.sampled_from([*_WORDS, *',;="\\ \t\x00\xff'])


@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=60).map("".join)))
def test_no_header_raises(header: str) -> None:
    """Whatever is sent, there is a format and a coding."""
    assert choose_format(header) in Format
    assert accepts_gzip(header) in {True, False}


@given(st.permutations(["text/plain;q=0.3", "application/openmetrics-text;q=0.7", "*/*;q=0.1", "text/html"]))
def test_order_does_not_matter_between_different_weights(members: list[str]) -> None:
    """The same preferences in any order choose the same format."""
    assert choose_format(",".join(members)) is Format.OPENMETRICS
