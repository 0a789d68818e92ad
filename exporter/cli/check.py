"""`workspace-exporter check-config`: whether the file is good and, with --probe, whether the cloud agrees."""

from __future__ import annotations

import os
from pathlib import Path

import click

from exporter.cli.logs import configure_logs
from exporter.cli.probe import Probe
from exporter.cli.recording import MOST_TASKS, Recorder, check_target, record, write_recording
from exporter.cli.wiring import SYSTEM_CLOCKS, Unheard, client_of, run_loop
from exporter.config import Config
from exporter.configfile import read_config
from exporter.recorded import RecordedProject


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--probe", is_flag=True, help="Also ask the cloud: sign in, list, read a task.")
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="RECORDING",
    help="With --probe: also write what the cloud answers, without ids, names, free texts and secrets, to "
    f"this file, so that a difference can be reported. Reads up to {MOST_TASKS} tasks of each project.",
)
def check_config(file: Path, *, probe: bool, record: Path | None) -> int:
    r"""Check the configuration FILE.

    Exits with 2 and one line when the file is wrong, with 1 when the probe of a project fails.

    \b
    Examples:
      workspace-exporter check-config --probe examples/config.yml
      workspace-exporter check-config --probe --record answers.json examples/config.yml
    """
    if record and not probe:
        raise click.UsageError("--record needs --probe: without it nothing is asked")
    config = read_config(file, os.environ)
    if record:
        check_target(record)
    count = len(config.projects)
    click.echo(f"{file} is good: {count} project{'' if count == 1 else 's'}")
    if not probe:
        return 0
    configure_logs("warning", "logfmt")
    good, recorded = run_loop(_probe(config, recording=record is not None))
    if record:
        click.echo(_written(record, recorded, config))
    return 0 if good else 1


async def _probe(config: Config, *, recording: bool) -> tuple[bool, list[RecordedProject]]:
    good, recorded = True, []
    for project in config.projects:
        click.echo(f"\nproject {project.name}")
        recorder = Recorder()
        client = client_of(project, config, Unheard(), recorder if recording else None)
        try:
            probe = Probe(project, config, client, click.echo)
            good &= await probe.run()
            if recording and client.project_id:
                clocks, selected = SYSTEM_CLOCKS, probe.selected
                recorded.append(
                    await record(project, config, client, recorder, selected=selected, clocks=clocks)
                )
        finally:
            await client.aclose()
    return good, recorded


def _written(path: Path, recorded: list[RecordedProject], config: Config) -> str:
    if not any(each.answers for each in recorded):
        return f"\n{path}: not written, since no project answered anything but a sign-in"
    return write_recording(path, recorded, config, SYSTEM_CLOCKS.epoch())
