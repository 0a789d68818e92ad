"""Prometheus-style durations: `90s`, `15m`, `1h30m`, `7d`.

Source: "Time durations" in Prometheus' querying documentation: whole numbers with the units y, w, d, h, m, s,
ms, each at most once, the longest first, and at most 2^63 nanoseconds in all. A year has 365 days, a week 7.
"""

from __future__ import annotations

import re

_UNITS_MS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_LONGEST_MS = 2**63 // 1_000_000
_DURATION = re.compile("".join(f"(?:([0-9]{{1,12}}){unit})?" for unit in _UNITS_MS))
DURATION_PATTERN = "^(?:0|(?=.)" + "".join(f"(?:[0-9]{{1,12}}{unit})?" for unit in _UNITS_MS) + ")$"
"""The same for a JSON schema (ECMA-262), which takes durations of any length."""


def parse_duration(text: str) -> float:
    """Return seconds; raises ValueError for anything that is no duration (a bare number is none, but `0`)."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("a duration such as 90s, 15m or 1h30m is expected")
    parts = zip(match.groups(), _UNITS_MS.values(), strict=True)
    milliseconds = sum(int(number) * unit for number, unit in parts if number)
    if milliseconds > _LONGEST_MS:
        raise ValueError("longer than any duration may be (292 years)")
    return milliseconds / 1000


def format_duration(seconds: float) -> str:
    """Return what parse_duration reads as `seconds` (to the millisecond), in days and less: `1h30m`."""
    left = round(seconds * 1000)
    text = ""
    for unit in ("d", "h", "m", "s", "ms"):
        number, left = divmod(left, _UNITS_MS[unit])
        text += f"{number}{unit}" if number else ""
    return text or "0s"
