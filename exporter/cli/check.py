"""`workspace-exporter check-config`: whether the file is good and, with --probe, whether the cloud agrees."""

from __future__ import annotations

import os
from pathlib import Path

import click

from exporter.cli.logs import configure_logs
from exporter.cli.probe import Probe
from exporter.cli.wiring import client_of, run_loop
from exporter.config import Config
from exporter.configfile import read_config


class _Unheard:
    """An observer for a command that keeps no metrics."""

    def request(self, operation: str, code: str, seconds: float) -> None:
        """A request ended."""

    def retry(self, reason: str) -> None:
        """A request is sent again."""


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--probe", is_flag=True, help="Also ask the cloud: sign in, list, read a task.")
def check_config(file: Path, *, probe: bool) -> int:
    r"""Check the configuration FILE.

    Exits with 2 and one line when the file is wrong, with 1 when the probe of a project fails.

    \b
    Example:
      workspace-exporter check-config --probe examples/config.yml
    """
    config = read_config(file, os.environ)
    count = len(config.projects)
    click.echo(f"{file} is good: {count} project{'' if count == 1 else 's'}")
    if not probe:
        return 0
    configure_logs("warning", "logfmt")
    return 0 if run_loop(_probe(config)) else 1


async def _probe(config: Config) -> bool:
    good = True
    for project in config.projects:
        click.echo(f"\nproject {project.name}")
        client = client_of(project, config, _Unheard())
        try:
            good &= await Probe(project, config, client, click.echo).run()
        finally:
            await client.aclose()
    return good
