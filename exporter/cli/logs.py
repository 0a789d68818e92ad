"""Structured logs on stderr, one event a line."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

Level = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["logfmt", "json"]


class _ToStructlog(logging.Handler):
    """What libraries log, in the same form as our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def configure_logs(level: Level, form: LogFormat) -> None:
    """Send every log line from `level` on to stderr; libraries are heard from warnings on."""
    last: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"], bool_as_flag=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _readable,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)


def _readable(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Write lists as one text: logfmt knows none."""
    del logger, method
    return {
        key: "; ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for key, value in event.items()
    }
