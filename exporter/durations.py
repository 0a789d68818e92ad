"""Prometheus-style durations: `90s`, `15m`, `1h30m`, `7d`.

Source: "Time durations" in Prometheus' querying documentation: whole numbers with the units y, w, d, h, m, s,
ms, each at most once, the longest first. A year has 365 days, a week 7.
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
_DURATION = re.compile("".join(f"(?:([0-9]{{1,12}}){unit})?" for unit in _UNITS_MS))


def parse_duration(text: str) -> float:
    """Return seconds; raises ValueError for anything that is no duration (a bare number is none, but `0`)."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("a duration such as 90s, 15m or 1h30m is expected")
    parts = zip(match.groups(), _UNITS_MS.values(), strict=True)
    return sum(int(number) * unit for number, unit in parts if number) / 1000


def format_duration(seconds: float) -> str:
    """Return the shortest text that parse_duration reads as `seconds` (to the millisecond): `1h30m`."""
    left = round(seconds * 1000)
    if left == 0:
        return "0s"
    text = ""
    for unit, size in _UNITS_MS.items():
        number, left = divmod(left, size)
        if number and unit not in {"y", "w"}:
            text += f"{number}{unit}"
        else:
            left += number * size
    return text
