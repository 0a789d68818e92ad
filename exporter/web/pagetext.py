"""Figures and times in the words of the status page. Pure: now and zones are arguments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.timestamps import format_utc, zone_of

if TYPE_CHECKING:
    from exporter.views import RunView

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_TWO_DIGITS = 10
_MAX_TEXT = 300


def duration(seconds: float) -> str:
    """Return a length of time, rounded down: two units while the first is a single digit (`3 h 12 min`)."""
    rest = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if parts:
            return " ".join([*parts, f"{count} {unit}"] if count else parts)
        if count:
            parts.append(f"{count} {unit}")
            if count >= _TWO_DIGITS:
                break
    return parts[0] if parts else "0 s"


def relative(epoch: float, now: float) -> str:
    """Return a time as seen from now: `3 h 12 min ago`, `in 5 min`, `now` within a second."""
    if abs(epoch - now) < 1:
        return "now"
    return f"in {duration(epoch - now)}" if epoch > now else f"{duration(now - epoch)} ago"


def clock(epoch: float, zone: str, now: float, *, label: bool = True) -> str:
    """Return the wall clock in a zone and the zone's name: `Thu 12 Mar, 11:00 Asia/Shanghai`.

    The year is named where it is not this one's. Empty or unknown zones are read as UTC, and say so; a known
    one is left out without `label`.
    """
    tz = zone_of(zone, UTC)
    known = tz is not None and bool(zone.strip())
    name = zone.strip() if known else "UTC"
    try:
        moment = datetime.fromtimestamp(epoch, tz or UTC)
        this_year = datetime.fromtimestamp(now, tz or UTC).year
    except (ValueError, OverflowError, OSError):
        return "beyond the calendar"
    date = f"{moment:%a} {moment.day} {moment:%b}"
    if moment.year != this_year:
        date += f" {moment.year}"
    return f"{date}, {moment:%H:%M} {name}" if label or not known else f"{date}, {moment:%H:%M}"


def machine_time(epoch: float) -> str:
    """Return the `datetime` attribute of a time: RFC 3339 in UTC; empty beyond the calendar."""
    try:
        return format_utc(epoch)
    except (ValueError, OverflowError, OSError):
        return ""


def counts(run: RunView) -> str:
    """Return a run's counts in words: `118 succeeded, 2 failed, 1 skipped`; empty when none was given."""
    named = ((run.success, "succeeded"), (run.failed, "failed"), (run.skipped, "skipped"))
    return ", ".join(f"{count:,} {word}" for count, word in named if count is not None)


def cut(text: str, length: int = _MAX_TEXT) -> str:
    """Return upstream's text in a length that cannot break the page."""
    return text if len(text) <= length else text[: length - 1] + "…"
