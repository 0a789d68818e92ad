"""`workspace-exporter runs`: a task's newest runs, and the desktops of those that did not succeed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from exporter.cli.complaints import complain, complain_of, say
from exporter.cli.desktops import RunDesktops, read_desktops
from exporter.cli.live import Changed, World, looks
from exporter.cli.liveoptions import LIMIT, OUTPUT, TASK, Output
from exporter.cli.looking import look
from exporter.cli.options import CONFIG_FILE
from exporter.cli.runsoutput import Runs, runs_json, show_runs
from exporter.cli.screen import Screen
from exporter.cli.target import candidates, parse_target, resolve
from exporter.config import Config
from exporter.configfile import read_config
from exporter.history import runs_of
from exporter.terminaltext import json_text
from exporter.timestamps import parse_zone


@click.command()
@CONFIG_FILE
@TASK
@LIMIT
@click.option("--details", is_flag=True, help="Also the desktops of each run that did not succeed, and why.")
@OUTPUT
def runs(config_file: Path, task: str, limit: int, *, details: bool, output: Output) -> int:
    r"""Show the newest runs of TASK, the newest first.

    TASK is a task id, or project/id where two projects have the same id. With --details each run that failed,
    failed in part, was skipped, or ended with an unknown word is followed by its desktops that did not
    succeed, with result_code and fail_reason. Times are in the task's zone.

    Exits with 1 when there is no such task, or when something could not be read; the rest is shown all the
    same.

    \b
    Examples:
      workspace-exporter runs --config.file config.yml 8d2e-0c6a
      workspace-exporter runs --config.file config.yml --details --limit 3 prod/8d2e-0c6a
      workspace-exporter runs --config.file config.yml --details --output json prod/8d2e-0c6a
    """
    config = read_config(config_file, os.environ)
    read = partial(read_runs, config, task, limit=limit, details=details)
    return _report(config, output, *look(read))


async def read_runs(
    config: Config, task: str, world: World, changed: Changed, *, limit: int, details: bool
) -> tuple[Runs | None, bool]:
    """Return a task's newest runs, and whether everything could be read; says on stderr what not."""
    target = parse_target(task)
    projects = candidates(config, target)
    polling = config.polling.model_copy(update={"details": False, "history": limit})
    async with looks(
        projects,
        config.model_copy(update={"polling": polling}),
        world,
        wanted=target.wanted,
        changed=changed,
        keep_records=True,
    ) as taken:
        good = complain_of(taken)
        match = resolve(taken, target) if projects else None
        if match is None:
            return None, False
        looked, state = match
        if state.found is False:
            say(f"{target} does not exist upstream, though the configuration names it")
            return None, False
        newest = runs_of(looked.upstream.records, config.statuses)[-limit:][::-1]
        desktops: dict[str, RunDesktops] = {}
        if details:
            desktops, errors = await read_desktops(
                looked.upstream, state.task_id, newest, config.statuses, changed
            )
            for error in errors:
                complain(f"project {state.project}", error)
            good = good and not errors
    return Runs(state, tuple(newest), desktops, details=details), good


def _report(config: Config, output: Output, found: Runs | None, good: bool) -> int:  # noqa: FBT001 - as read
    if found is None:
        return 1
    if output == "json":
        Screen().write(json_text(runs_json(found)))
    else:
        show_runs(Screen(), found, parse_zone(config.time_zone))
    return 0 if good else 1
