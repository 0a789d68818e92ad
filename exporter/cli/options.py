"""Flags that several commands share, named as Prometheus names its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG_FILE = click.option(
    "--config.file",
    "config_file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The configuration file.",
)
LOG_LEVEL = click.option(
    "--log.level",
    "log_level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Log lines from this level on.",
)
LOG_FORMAT = click.option(
    "--log.format",
    "log_format",
    type=click.Choice(["logfmt", "json"]),
    default="logfmt",
    show_default=True,
    help="Form of the log lines (on stderr).",
)
WEB_OPTIONS = (
    click.option(
        "--web.listen-address",
        "listen_address",
        default=":10068",
        show_default=True,
        metavar="[HOST]:PORT",
        help="Where to listen; without HOST on all addresses.",
    ),
    click.option(
        "--web.config.file",
        "web_config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="TLS and passwords, in the format of the Prometheus exporter toolkit.",
    ),
    click.option(
        "--web.telemetry-path",
        "telemetry_path",
        default="/metrics",
        show_default=True,
        metavar="PATH",
        help="Where the metrics are.",
    ),
    click.option(
        "--web.enable-lifecycle",
        "lifecycle",
        is_flag=True,
        help="Allow POST /-/reload (SIGHUP always reloads).",
    ),
)


def web_options(command: Command) -> Command:
    """Add the flags of the web server and the log to a command."""
    for option in reversed((*WEB_OPTIONS, LOG_LEVEL, LOG_FORMAT)):
        command = option(command)
    return command
