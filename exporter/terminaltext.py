"""Upstream's texts and times as a terminal may show them. Pure.

Whoever names a task, a desktop or a reason chooses what a person's terminal is sent: control characters and
escape sequences (ECMA-48), also the eight-bit ones and those that turn the direction of writing, are shown
as the escapes by which a programmer writes them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, tzinfo
from typing import Any

from exporter.timestamps import zone_of


def safe(text: str) -> str:
    r"""Return `text` with everything that does not print written as an escape, such as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def local_time(epoch: float, zone: str, default: tzinfo) -> str:
    """Return a moment on a zone's wall clock and its offset: `2026-03-12 11:00:00 +08:00`.

    `zone` is the API's name of it; an empty one means `default`, one that nobody knows UTC.
    """
    try:
        moment = datetime.fromtimestamp(int(epoch), zone_of(zone, default) or UTC)
    except (ValueError, OverflowError, OSError):
        return "beyond the calendar"
    text = moment.isoformat(" ", "seconds")
    return f"{text[:19]} {text[19:]}"


def json_text(value: Any) -> str:
    """Return a value as JSON over several lines, which carries nothing that a terminal would obey."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def _escaped(line: str) -> str:
    """What does not print stands inside a string, where JSON knows an escape for it."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
