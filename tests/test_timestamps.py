"""The API's times and zones: whatever shape a moment comes in, it is the same moment."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz as dateutil_tz
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.timestamps import TimeError, format_utc, parse_time, parse_zone, zone_of

EXAMPLE = 1_672_448_400.0
"""2022-12-31 09:00 in Shanghai: the example of the specification."""
HOUR = 3600.0


@pytest.fixture(params=["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
def _host_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The host's own zone, which must not matter."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("_host_zone")
@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2022-12-31 09:00:00", "Asia/Shanghai"),
        ("2022-12-31 09:00:00", "GMT+8"),
        ("2022-12-31 09:00:00", "GMT+08:00"),
        ("2022-12-31 09:00:00", "UTC+08:00"),
        ("2022-12-31 09:00:00", "UTC+8"),
        ("2022-12-31 09:00:00", "+08:00"),
        ("2022-12-31 09:00:00", "gmt+8"),
        ("2022-12-31 09:00:00", " GMT+8 "),
        ("2022-12-31 09:00:00", "Etc/GMT-8"),
        ("2022-12-30 17:00:00", "GMT-8"),
        ("2022-12-30 17:00:00", "Etc/GMT+8"),
        ("2022-12-30 20:00:00", "America/New_York"),
        ("2022-12-31 06:30:00", "UTC+05:30"),
        ("2022-12-31 06:45:00", "Asia/Kathmandu"),
        ("2022-12-31 01:00:00", "UTC"),
        ("2022-12-31 01:00:00", "GMT"),
        ("2022-12-31 01:00:00", "Z"),
        ("2022-12-31 01:00:00", ""),
        ("2022-12-31 01:00:00", "  "),
        ("2022-12-31T01:00:00", ""),
        ("2022-12-31 09:00:00 GMT+08:00", ""),
        ("2022-12-31 09:00:00 GMT+08:00", "America/New_York"),
        ("2022-12-31 09:00:00 GMT+08:00", "Mars/Olympus"),
        ("2022-12-31 09:00:00 GMT+8", "America/New_York"),
        ("2022-12-31 09:00:00 UTC+08:00", "Mars/Olympus"),
        ("2022-12-31 09:00:00GMT+08:00", ""),
        ("2022-12-30 17:00:00 GMT-08:00", "Asia/Shanghai"),
        ("2022-12-31 01:00:00 GMT", "Asia/Shanghai"),
        ("2022-12-31T01:00:00Z", "Asia/Shanghai"),
        ("2022-12-31t01:00:00z", "Mars/Olympus"),
        ("2022-12-31T01:00:00.000Z", "Mars/Olympus"),
        ("2022-12-31T01:00:00.000000000Z", ""),
        ("2022-12-31T09:00:00+08:00", ""),
        ("2022-12-31T09:00:00.0+08:00", "UTC"),
        ("2022-12-31 09:00:00+08:00", "UTC"),
        ("2022-12-30T17:00:00-08:00", "Asia/Shanghai"),
        ("2022-12-31T01:00:00-00:00", "Asia/Shanghai"),
        ("2022-12-31T09:00:00+0800", "UTC"),
        (" 2022-12-31T01:00:00Z\n", ""),
        ("2022-12-31T00:59:60Z", ""),
    ],
)
def test_one_moment_in_every_shape(text: str, zone: str) -> None:
    """What the text says itself wins, then the zone that came with it, then the default; never the host."""
    assert parse_time(text, zone) == EXAMPLE


@pytest.mark.usefixtures("_host_zone")
def test_the_default_is_for_times_without_any_zone_only() -> None:
    """The configuration's zone is the last resort."""
    shanghai = ZoneInfo("Asia/Shanghai")
    assert parse_time("2022-12-31 09:00:00", "", shanghai) == EXAMPLE
    assert parse_time("2022-12-31 01:00:00", "UTC", shanghai) == EXAMPLE
    assert parse_time("2022-12-31T01:00:00Z", "", shanghai) == EXAMPLE


def test_an_unknown_zone_matters_only_where_it_is_needed() -> None:
    """A naive time in a zone that nobody knows is no time, and the default must not stand in for it."""
    assert parse_time("2022-12-31T01:00:00Z", "Mars/Olympus") == EXAMPLE
    with pytest.raises(TimeError, match="unknown time zone 'Mars/Olympus'"):
        parse_time("2022-12-31 09:00:00", "Mars/Olympus", ZoneInfo("Asia/Shanghai"))


def test_fractions_are_kept() -> None:
    """RFC 3339 allows any number of digits."""
    assert parse_time("2022-12-31T01:00:00.5Z", "") == EXAMPLE + 0.5
    assert parse_time("2022-12-31T01:00:00.123456789Z", "") == pytest.approx(EXAMPLE + 0.123456789, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "null",
        "2022-12-31",
        "09:00:00",
        "2022-12-31 09:00",
        "2022-12-31  09:00:00",
        "2022-12-31T 09:00:00",
        "2022/12/31 09:00:00",
        "31-12-2022 09:00:00",
        "22-12-31 09:00:00",
        "2022-1-1 9:00:00",
        "2022-13-01 09:00:00",
        "2022-00-01 09:00:00",
        "2022-12-00 09:00:00",
        "2022-02-29 09:00:00",
        "2022-12-31 24:00:00",
        "2022-12-31 09:60:00",
        "2022-12-31 09:00:61",
        "0000-12-31 09:00:00",
        "2022-12-31 09:00:00.",
        "2022-12-31 09:00:00,5",
        "2022-12-31 09:00:00 PM",
        "2022-12-31 09:00:00 CST",
        "2022-12-31 09:00:00 Asia/Shanghai",
        "2022-12-31 09:00:00 GMT+15:00",
        "2022-12-31 09:00:00 GMT+14:01",
        "2022-12-31 09:00:00 GMT+08:60",
        "2022-12-31 09:00:00 +08:00:00",
        "2022-12-31T01:00:00ZZ",
        "x2022-12-31 09:00:00",
        "\uff12022-12-31 09:00:00",
        "٢٠٢٢-12-31 09:00:00",
        "1672448400",
        "1672448400000",
        "2022-12-31 09:00:00" + " " * 100,
        "2022-12-31T01:00:00." + "0" * 100 + "Z",
        "1970-01-01 00:00:00",
        "1969-12-31 23:59:59",
        "0001-01-01 00:00:00",
    ],
)
def test_what_is_no_time_is_an_error(text: str) -> None:
    """Other shapes, impossible dates, and times at or before 1970: 0 means `none` in the metrics."""
    with pytest.raises(TimeError):
        parse_time(text, "UTC")


def test_the_ends_of_the_calendar_are_read() -> None:
    """A second after 1970, beyond 2038, and the last year there is; from the far zones too."""
    assert parse_time("1970-01-01 00:00:01", "UTC") == 1.0
    assert parse_time("2038-01-19 03:14:08", "UTC") == 2.0**31
    assert parse_time("9999-12-31 23:59:59", "UTC") == 253_402_300_799.0
    assert parse_time("9999-12-31 23:59:59", "GMT-12") == 253_402_300_799.0 + 12 * HOUR
    assert parse_time("9999-12-31 23:59:59", "America/New_York") == 253_402_300_799.0 + 5 * HOUR


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        ("Europe/Berlin", "2024-10-27 02:30:00", "2024-10-27T00:30:00Z"),
        ("Europe/Berlin", "2024-03-31 02:30:00", "2024-03-31T01:30:00Z"),
        ("Australia/Lord_Howe", "2024-04-07 01:45:00", "2024-04-06T14:45:00Z"),
        ("America/Santiago", "2024-04-06 23:30:00", "2024-04-07T02:30:00Z"),
    ],
)
def test_an_ambiguous_wall_time_is_the_earlier_one(zone: str, wall: str, expected: str) -> None:
    """Fold 0 of PEP 495, in the hour that comes twice as in the one that never comes."""
    assert format_utc(parse_time(wall, zone)) == expected


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("Asia/Shanghai", 8),
        ("GMT+8", 8),
        ("GMT-8", -8),
        ("GMT+08:00", 8),
        ("GMT+0800", 8),
        ("GMT 8", None),
        ("UTC +8", 8),
        ("UTC+14", 14),
        ("UTC-12", -12),
        ("GMT+0", 0),
        ("+5:30", 5.5),
        ("-03:30", -3.5),
        ("Etc/GMT+8", -8),
        ("Etc/GMT-8", 8),
        ("Etc/UTC", 0),
        ("America/Argentina/Buenos_Aires", -3),
        ("PRC", 8),
    ],
)
def test_zones(name: str, hours: float | None) -> None:
    """IANA names, and offsets east of Greenwich: `GMT+8` is east, the IANA name `Etc/GMT+8` west."""
    if hours is None:
        with pytest.raises(TimeError):
            parse_zone(name)
    else:
        assert parse_zone(name).utcoffset(datetime(2022, 12, 31)) == timedelta(hours=hours)  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Mars/Olympus",
        "Europe",
        "America/Argentina",
        "8",
        "+",
        "GMT+",
        "GMT+15",
        "UTC+14:30",
        "GMT+8:60",
        "GMT+123",
        "GMT++8",
        "../etc/passwd",
        "/etc/localtime",
        "Asia/../Asia/Shanghai",
        "asia shanghai",
        "zone.tab",
        "leapseconds",
        "tzdata.zi",
        "Asia/Shanghai\x00",
        "Asia/Shanghäi",
        "x" * 5000,
        "\uff27MT+8",
    ],
)
def test_what_is_no_zone_is_an_error_of_one_short_line(name: str) -> None:
    """Folders and other files of the zone database, paths, impossible offsets."""
    with pytest.raises(TimeError) as caught:
        parse_zone(name)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "Factory", "right/UTC", "right/Asia/Shanghai", "posix/Asia/Shanghai"]
)
def test_the_database_s_own_odd_files_are_no_zones(name: str) -> None:
    """`localtime` is the host's zone, and those under `right` count leap seconds."""
    with pytest.raises(TimeError, match="unknown time zone"):
        parse_zone(name)


def test_the_zone_of_an_object() -> None:
    """Its own, the default where it names none, and none where nobody knows it."""
    shanghai = ZoneInfo("Asia/Shanghai")
    assert zone_of("Asia/Shanghai", UTC) == shanghai
    assert zone_of("", shanghai) is shanghai
    assert zone_of("  ", shanghai) is shanghai
    assert zone_of("Mars/Olympus", shanghai) is None


def test_times_are_shown_in_utc() -> None:
    """RFC 3339, whole seconds."""
    assert format_utc(EXAMPLE + 0.9) == "2022-12-31T01:00:00Z"


_MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware here
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
_OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(_MOMENTS, _OFFSETS)
@example(datetime(2022, 12, 31, 1, tzinfo=UTC), timezone(timedelta(hours=8)))
def test_every_shape_gives_the_same_moment(moment: datetime, zone: tzinfo) -> None:
    """Naive with a zone, with a suffix, RFC 3339 with and without fraction: one moment, bit for bit."""
    local = moment.astimezone(zone)
    wall = local.strftime("%Y-%m-%d %H:%M:%S")
    offset = local.strftime("%z")
    colon = f"{offset[:3]}:{offset[3:]}"
    shapes = [
        parse_time(wall, f"GMT{colon}"),
        parse_time(wall, "", zone),
        parse_time(f"{wall} GMT{colon}", "Mars/Olympus"),
        parse_time(local.isoformat(), ""),
        parse_time(f"{wall.replace(' ', 'T')}.000{colon}", "UTC"),
        parse_time(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "Asia/Shanghai"),
    ]
    assert set(shapes) == {moment.timestamp()}


@given(
    _MOMENTS, st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"])
)
def test_wall_times_agree_with_another_library(moment: datetime, name: str) -> None:
    """Dateutil reads the same zone data with other code."""
    wall = moment.replace(tzinfo=None)
    expected = wall.replace(tzinfo=dateutil_tz.gettz(name)).timestamp()
    if dateutil_tz.datetime_exists(wall, dateutil_tz.gettz(name)):
        assert parse_time(wall.strftime("%Y-%m-%d %H:%M:%S"), name) == expected


@given(st.text(max_size=70), st.text(max_size=20))
def test_no_text_gives_anything_but_a_time_or_an_error(text: str, zone: str) -> None:
    """Upstream's times are hostile input."""
    with contextlib.suppress(TimeError):
        assert parse_time(text, zone) > 0
