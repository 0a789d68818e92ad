"""`workspace-exporter run`: the daemon."""

from __future__ import annotations

import os
from pathlib import Path

import click

from exporter.cli.logs import Level, LogFormat, configure_logs
from exporter.cli.options import CONFIG_FILE, web_options
from exporter.cli.serve import serve
from exporter.cli.wiring import build_daemon, run_loop
from exporter.config import Config
from exporter.configfile import read_config
from exporter.selection import parse_shard
from exporter.serving.listen import parse_listen_address
from exporter.web.application import check_telemetry_path


@click.command()
@CONFIG_FILE
@web_options
@click.option(
    "--shard",
    "shard_text",
    default="0/1",
    metavar="K/N",
    help="Watch only share K (from 0) of N shares of the tasks. A pod's name may stand before K: web-3/4.",
)
def run(
    config_file: Path,
    listen_address: str,
    web_config: Path | None,
    telemetry_path: str,
    *,
    lifecycle: bool,
    log_level: Level,
    log_format: LogFormat,
    shard_text: str,
) -> None:
    r"""Poll the configured projects and serve their metrics until stopped.

    Stop it with SIGTERM or Ctrl-C; SIGHUP reads the configuration again.

    \b
    Example:
      workspace-exporter run --config.file examples/config.yml
    """
    configure_logs(log_level, log_format)
    listen, shard = parse_listen_address(listen_address), parse_shard(shard_text)
    check_telemetry_path(telemetry_path)

    def read() -> Config:
        return read_config(config_file, os.environ)

    config = read()

    async def daemon() -> None:
        await serve(
            build_daemon(config, read, shard),
            listen=listen,
            web_config=web_config,
            telemetry_path=telemetry_path,
            lifecycle=lifecycle,
        )

    run_loop(daemon())
