"""Durations as Prometheus writes them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("90s", 90.0),
        ("15m", 900.0),
        ("1h30m", 5400.0),
        ("7d", 604_800.0),
        ("2w", 1_209_600.0),
        ("1y", 31_536_000.0),
        ("100ms", 0.1),
        ("1ms", 0.001),
        ("1y2w3d4h5m6s7ms", 33_019_506.007),
        ("007s", 7.0),
        ("106751d", 9_223_286_400.0),
    ],
)
def test_durations_are_read_in_seconds(text: str, seconds: float) -> None:
    """Whole numbers with units, the longest first, each at most once."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "5",
        "00",
        "1.5h",
        "-5m",
        "+5m",
        "5 m",
        " 5m",
        "5m ",
        "5m\n",
        "30m1h",
        "5m5m",
        "5M",
        "5min",
        "1h 30m",
        "1e3s",
        "٣s",
        "½h",
        "5µs",
        "5us",
        "0x5s",
        "P1D",
        "1:30",
        "infs",
        "9" * 13 + "s",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    """No fractions, signs, blanks, other units, repeated or unordered units, and no number without a unit."""
    with pytest.raises(ValueError, match=re.escape("a duration such as 90s, 15m or 1h30m is expected")):
        parse_duration(text)


@pytest.mark.parametrize("text", ["293y", "106752d", "999999999999y", "292y52w"])
def test_a_duration_beyond_prometheus_range_is_refused(text: str) -> None:
    """Prometheus holds 63 bits of nanoseconds; later arithmetic with times must not overflow either."""
    with pytest.raises(ValueError, match=re.escape("longer than any duration may be (292 years)")):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0004, "0s"),
        (0.1, "100ms"),
        (59.9996, "1m"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (86_400, "1d"),
        (604_800, "7d"),
        (31_536_000, "365d"),
        (93_784.005, "1d2h3m4s5ms"),
    ],
)
def test_durations_are_written_in_days_and_less(seconds: float, text: str) -> None:
    """Weeks and years are left to those who like them."""
    assert format_duration(seconds) == text


@given(st.integers(0, 10**13))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    """To the millisecond, up to three hundred years."""
    if milliseconds <= 9_223_372_036_854:
        assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000
