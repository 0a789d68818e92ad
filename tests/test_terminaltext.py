"""What a terminal may be sent of upstream's texts and times."""

from __future__ import annotations

import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.terminaltext import json_text, local_time, safe
from exporter.timestamps import parse_zone

SHANGHAI = parse_zone("Asia/Shanghai")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nightly stop", "nightly stop"),
        ("任务冲突 ü 🖥", "任务冲突 ü 🖥"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202edef", r"abc\u202edef"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
def test_what_does_not_print_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Escape sequences, eight-bit controls, line breaks and changes of direction are told, not obeyed."""
    assert safe(text) == shown


@given(st.text())
def test_nothing_but_what_prints_is_left(text: str) -> None:
    """Whatever a name holds."""
    assert safe(text).isprintable()


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Shanghai", "2022-12-31 09:00:00 +08:00"),
        ("GMT+8", "2022-12-31 09:00:00 +08:00"),
        ("America/Sao_Paulo", "2022-12-30 22:00:00 -03:00"),
        ("UTC", "2022-12-31 01:00:00 +00:00"),
        ("", "2022-12-31 09:00:00 +08:00"),
        ("Mars/Olympus", "2022-12-31 01:00:00 +00:00"),
    ],
)
def test_a_time_is_told_on_the_wall_clock_of_its_zone(zone: str, shown: str) -> None:
    """With the offset; without a zone in the configured one, in an unknown zone in UTC."""
    assert local_time(1_672_448_400.9, zone, SHANGHAI) == shown


@pytest.mark.parametrize("epoch", [1e12, float("inf"), -1e12])
def test_a_time_that_no_calendar_holds(epoch: float) -> None:
    """Upstream may name the year 33658."""
    assert local_time(epoch, "", UTC) == "beyond the calendar"


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_json_carries_nothing_that_a_terminal_would_obey(value: dict[str, object]) -> None:
    """It still means the same."""
    text = json_text(value)
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(text) == value


def test_json_keeps_what_prints() -> None:
    """A reason in Chinese can be read."""
    assert json_text({"a": "任务\x9b"}) == '{\n  "a": "任务\\u009b"\n}'
