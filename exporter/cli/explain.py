"""`workspace-exporter explain`: why a task is as it is, from the alert back to the API's field."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from exporter.cli.complaints import complain_of
from exporter.cli.explainoutput import Explained, show_explanation
from exporter.cli.live import Changed, World, looks
from exporter.cli.liveoptions import TASK
from exporter.cli.looking import look
from exporter.cli.options import CONFIG_FILE
from exporter.cli.screen import Screen
from exporter.cli.target import candidates, parse_target, resolve
from exporter.config import Config
from exporter.configfile import read_config
from exporter.explanation import explain as explanation_of
from exporter.overview import view_task
from exporter.terminaltext import local_time
from exporter.timestamps import parse_zone


@click.command()
@CONFIG_FILE
@TASK
def explain(config_file: Path, task: str) -> int:
    r"""Tell why TASK is as it is: the alerts that it raises, and every metric of it.

    TASK is a task id, or project/id where two projects have the same id. Each alert that fires is followed
    back: what is so, the sample that the rule reads, the rule, the record and its fields as the API gave
    them, and what would end it. Alerts that are quiet say why. Each metric says from which record and field
    its value comes, or why it is absent. The task is read live; times are in its zone.

    Exits with 0 whatever the task's state, and with 1 when there is no such task or it could not be read.

    \b
    Examples:
      workspace-exporter explain --config.file config.yml 8d2e-0c6a
      workspace-exporter explain --config.file config.yml prod/8d2e-0c6a
    """
    config = read_config(config_file, os.environ)
    return _report(*look(partial(read_explanation, config, task)))


async def read_explanation(
    config: Config, task: str, world: World, changed: Changed
) -> tuple[Explained | None, bool]:
    """Return why a task is as it is, and whether everything could be read; says on stderr what not."""
    target = parse_target(task)
    projects = candidates(config, target)
    async with looks(projects, config, world, wanted=target.wanted, changed=changed) as taken:
        good = complain_of(taken)
        match = resolve(taken, target) if projects else None
        if match is None:
            return None, False
        state = match[1]
        now, interval = world.clocks.epoch(), config.polling.interval
        clock = partial(local_time, zone=state.time_zone, default=parse_zone(config.time_zone))
        why = explanation_of(state, statuses=config.statuses, now=now, interval=interval, clock=clock)
    return Explained(state, view_task(state, now, interval), why, now, clock), good


def _report(found: Explained | None, good: bool) -> int:  # noqa: FBT001 - what was read, as it came
    if found is None:
        return 1
    show_explanation(Screen(), found)
    return 0 if good else 1
