"""Flags of the commands that read live, and what a shell may complete of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Literal

import click
from click.shell_completion import CompletionItem

from exporter.config import Config
from exporter.configfile import read_config
from exporter.errors import ConfigError
from exporter.views import Verdict

Output = Literal["table", "json"]
MOST_RUNS = 1000
"""More are never looked at, by the configuration's `history` neither."""


def _regex(ctx: click.Context, param: click.Parameter, value: str | None) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        message = f"{value!r} is not a regular expression: {error}"
        raise click.BadParameter(message, ctx=ctx, param=param) from None


def _configuration(ctx: click.Context) -> Config | None:
    """The configuration that the command line names so far, where it can be read."""
    file = ctx.params.get("config_file")
    try:
        return read_config(file, os.environ) if file else None
    except ConfigError:
        return None


def complete_project(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the configured projects."""
    del param
    config = _configuration(ctx)
    names = [project.name for project in config.projects] if config else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the tasks that the configuration names: a shell must not wait for the cloud."""
    del param
    config = _configuration(ctx)
    return [item for item in _tasks(config) if item.value.startswith(incomplete)] if config else []


def _tasks(config: Config) -> Iterator[CompletionItem]:
    for project in config.projects:
        for task in project.tasks:
            help_text = task.name or project.name
            yield CompletionItem(task.id, help=help_text)
            yield CompletionItem(f"{project.name}/{task.id}", help=help_text)


TASK = click.argument("task", metavar="TASK", shell_complete=complete_task)
OUTPUT = click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table for people, or JSON for programs (docs/commands.md describes it).",
)
PROJECT = click.option(
    "--project", metavar="P", shell_complete=complete_project, help="Only the project of this name."
)
NAME = click.option(
    "--name",
    callback=_regex,
    metavar="REGEX",
    help="Only tasks in whose name this regular expression is found.",
)
VERDICT = click.option(
    "--verdict",
    type=click.Choice([verdict.value for verdict in Verdict], case_sensitive=False),
    metavar="V",
    help=f"Only tasks with this verdict: {', '.join(Verdict)}.",
)
LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, MOST_RUNS),
    default=10,
    show_default=True,
    metavar="N",
    help=f"So many of the newest runs, {MOST_RUNS} at the most.",
)
