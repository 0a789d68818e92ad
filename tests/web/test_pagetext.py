"""exporter.web.pagetext: figures and times in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.views import RunView
from exporter.web import pagetext
from tests.page.sample import NOW


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (599, "9 min 59 s"),
        (600, "10 min"),
        (659, "10 min"),
        (3600, "1 h"),
        (3601, "1 h"),
        (11_520, "3 h 12 min"),
        (36_000, "10 h"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (86_400 * 400, "400 d"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, expected: str) -> None:
    """Rounded down; the second unit only while the first is a single digit."""
    assert pagetext.duration(seconds) == expected


def test_times_relative_to_now() -> None:
    """Past, future, and within a second."""
    assert pagetext.relative(NOW - 11_520, NOW) == "3 h 12 min ago"
    assert pagetext.relative(NOW + 300, NOW) == "in 5 min"
    assert pagetext.relative(NOW + 0.4, NOW) == "now"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Shanghai", "Thu 12 Mar, 10:45 Asia/Shanghai"),
        ("GMT+8", "Thu 12 Mar, 10:45 GMT+8"),
        ("America/Santiago", "Wed 11 Mar, 23:45 America/Santiago"),
        ("", "Thu 12 Mar, 02:45 UTC"),
        ("Mars/Olympus", "Thu 12 Mar, 02:45 UTC"),
    ],
)
def test_a_clock_names_its_zone(zone: str, expected: str) -> None:
    """An unknown zone is not guessed: UTC, and it says so."""
    assert pagetext.clock(NOW, zone, NOW) == expected


def test_a_clock_names_another_year() -> None:
    """And leaves a known zone out where the reader has it already."""
    assert pagetext.clock(NOW + 300 * 86_400, "GMT+8", NOW) == "Wed 6 Jan 2027, 10:45 GMT+8"
    assert pagetext.clock(NOW, "GMT+8", NOW, label=False) == "Thu 12 Mar, 10:45"
    assert pagetext.clock(NOW, "Mars/Olympus", NOW, label=False) == "Thu 12 Mar, 02:45 UTC"


@given(st.floats(allow_nan=False), st.sampled_from(["", "Asia/Shanghai", "GMT-12"]))
def test_no_time_raises(epoch: float, zone: str) -> None:
    """A time that no calendar holds is said to be one."""
    machine = pagetext.machine_time(epoch)
    assert pagetext.clock(epoch, zone, NOW)
    assert machine == "" or machine.endswith("Z")
    assert pagetext.clock(1e18, zone, NOW) == "beyond the calendar"
    assert pagetext.machine_time(1e18) == ""


def test_counts_in_words() -> None:
    """Counts that the API did not give are not made up."""
    assert pagetext.counts(RunView("r", 0, "partial", success=1_180, failed=2)) == "1,180 succeeded, 2 failed"
    assert pagetext.counts(RunView("r", 0, "unknown")) == ""


def test_long_text_is_cut() -> None:
    """With a sign that it is."""
    assert pagetext.cut("x" * 300) == "x" * 300
    assert pagetext.cut("x" * 301) == "x" * 299 + "…"
    assert len(pagetext.cut("x" * 5, 3)) == 3
