"""Structured logs on stderr, one event a line.

What upstream says stands in them, so no value may end a line or send a terminal an escape sequence.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor

from exporter.terminaltext import safe

Level = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["logfmt", "json"]


class _Stderr:
    """Writes lines to stderr; where that is full or closed they are lost, since the watch must go on."""

    def msg(self, message: str) -> None:
        """Write one line."""
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{message}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = log = msg


class _ToStructlog(logging.Handler):
    """What libraries log, in the same form as our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def configure_logs(level: Level, form: LogFormat) -> None:
    """Send every log line from `level` on to stderr; libraries are heard from warnings on."""
    logfmt = structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"], bool_as_flag=False)
    last: tuple[Processor, ...] = (
        (structlog.processors.JSONRenderer(),) if form == "json" else (_printable, logfmt)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _readable,
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)


def _readable(logger: object, method: str, event: EventDict) -> EventDict:
    """Write lists as one text: logfmt knows none."""
    del logger, method
    return {
        key: "; ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for key, value in event.items()
    }


def _printable(logger: object, method: str, event: EventDict) -> EventDict:
    """Escape what does not print; a line's end is left to the renderer, which knows about it."""
    del logger, method
    return {
        key: "\n".join(map(safe, value.split("\n"))) if isinstance(value, str) else value
        for key, value in event.items()
    }
