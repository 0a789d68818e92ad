"""The API's times and zones -> epoch seconds.

The documents say `yyyy-MM-dd HH:mm:ss`; the live API also answers RFC 3339 and a `GMT+08:00` suffix
(api_facts.md, section 3). Which zone a time is in, is decided here and nowhere else: what the text says
itself wins, then the zone that is handed in. The host's own zone is never used.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_TIME = re.compile(
    r"""(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})
        [Tt\ ](?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})
        (?P<fraction>\.[0-9]{1,18})?
        (?P<zone>\ ?(?:[Zz]|(?:(?:GMT|UTC)\ ?)?[+-](?:[0-9]{4}|[0-9]{1,2}(?::[0-9]{2})?)|GMT|UTC))?""",
    re.VERBOSE,
)
_OFFSET = re.compile(
    r"(?:GMT|UTC)? ?(?P<sign>[+-])"
    r"(?P<hours>[0-9]{2}(?=[0-9]{2})|[0-9]{1,2}(?![0-9]))(?::?(?P<minutes>[0-9]{2}))?"
)
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_NO_ZONE = re.compile(r"(?i:localtime|posixrules|factory|(?:posix|right)/.*)")
"""Names in a zone database that are no zone: the host's own, the one never set, copies with leap seconds."""
_MAX_OFFSET = timedelta(hours=14)
_MINUTES_IN_HOUR = 60


class TimeError(ValueError):
    """A time or a zone that cannot be read."""


@lru_cache(maxsize=1024)
def parse_zone(name: str) -> tzinfo:
    """Return the zone of an IANA name (`Asia/Shanghai`) or of an offset (`GMT+8`, `UTC+08:00`).

    `GMT+8` is east of Greenwich, as the API means it; the IANA name `Etc/GMT+8` is west.
    Raises TimeError for anything else.
    """
    text = name.strip()
    if text.upper() in {"GMT", "UTC", "Z"}:
        return UTC
    offset = _OFFSET.fullmatch(text.upper())
    if offset:
        return _fixed(offset)
    if not _ZONE_NAME.fullmatch(text) or _NO_ZONE.fullmatch(text):
        raise TimeError(f"unknown time zone {name[:60]!r}")
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:  # a folder such as "Europe" is an OSError
        raise TimeError(f"unknown time zone {name[:60]!r}") from error


def parse_time(text: str, zone: str, default: tzinfo = UTC) -> float:
    """Return epoch seconds of one of the API's times.

    `zone` is the zone that came with the object (empty: none), `default` the configuration's. A wall time
    that a clock change makes ambiguous is read as the earlier one (fold 0 of PEP 495). Raises TimeError for
    any other shape, for a time at or before 1970 (0 means "none" in the metrics) and for a naive time whose
    zone is unknown.
    """
    match = _TIME.fullmatch(text.strip()) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise TimeError(f"not a time: {text[:60]!r}")
    clock, leap_second = _without_leap_second(match["clock"])
    try:
        naive = datetime.strptime(f"{match['date']} {clock}", "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - zone follows
    except ValueError as error:
        raise TimeError(f"not a time: {text[:60]!r}") from error
    tz = _zone_of(match["zone"], zone, default)
    epoch = _epoch(naive, tz) + leap_second + float(match["fraction"] or 0)
    if epoch <= 0:
        raise TimeError(f"not a time of this API: {text[:60]!r}")
    return epoch


_MAX_LENGTH = 64


def zone_of(name: str, default: tzinfo) -> tzinfo | None:
    """Return an object's zone: its own, or the default where it names none; None for an unknown name."""
    if not name.strip():
        return default
    try:
        return parse_zone(name)
    except TimeError:
        return None


def format_utc(epoch: float) -> str:
    """Return RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone_of(suffix: str | None, zone: str, default: tzinfo) -> tzinfo:
    if suffix:
        return parse_zone(suffix.strip())
    return parse_zone(zone) if zone.strip() else default


def _fixed(offset: re.Match[str]) -> tzinfo:
    hours, minutes = int(offset["hours"]), int(offset["minutes"] or 0)
    delta = timedelta(hours=hours, minutes=minutes)
    if delta > _MAX_OFFSET or minutes >= _MINUTES_IN_HOUR:
        raise TimeError(f"no zone has the offset {offset.group()!r}")
    return timezone(-delta if offset["sign"] == "-" else delta)


def _without_leap_second(clock: str) -> tuple[str, int]:
    """RFC 3339 allows second 60; POSIX time has no such second: it is the one after 59."""
    return (clock[:6] + "59", 1) if clock.endswith(":60") else (clock, 0)


def _epoch(naive: datetime, tz: tzinfo) -> int:
    """Whole epoch seconds: through the offset, since `timestamp()` fails at the ends of the calendar."""
    offset = tz.utcoffset(naive)
    delta = naive - datetime(1970, 1, 1) - (offset or timedelta())  # noqa: DTZ001 - both are wall time here
    return delta.days * 86_400 + delta.seconds
