"""`workspace-exporter tasks`: every selected task, read live."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from pathlib import Path

import click
from rich.console import RenderableType
from rich.text import Text

from exporter import __version__
from exporter.cli.complaints import complain_of, say
from exporter.cli.live import Changed, World, looks
from exporter.cli.liveoptions import NAME, OUTPUT, PROJECT, VERDICT, Output
from exporter.cli.looking import look
from exporter.cli.options import CONFIG_FILE
from exporter.cli.screen import RUN_STYLES, Column, Screen, card, text, verdict_text
from exporter.config import Config, Project
from exporter.configfile import read_config
from exporter.errors import ConfigError
from exporter.overview import view_task
from exporter.terminaltext import json_text, local_time
from exporter.timestamps import parse_zone
from exporter.views import Overview, RunView, TaskView, Verdict
from exporter.web.pagetext import counts
from exporter.web.viewjson import to_json


@dataclass(frozen=True, slots=True)
class Question:
    """Which tasks are asked for; None: whichever."""

    project: str | None = None
    name: re.Pattern[str] | None = None
    verdict: Verdict | None = None

    def wanted(self, _task_id: str, name: str) -> bool:
        """Whether a task may be asked for; one whose name only its schedule tells has to be read first."""
        return not name or self.name is None or self.name.search(name) is not None

    def answers(self, task: TaskView) -> bool:
        """Whether a task that was read is asked for."""
        named = self.name is None or self.name.search(task.name)
        return bool(named) and self.verdict in {None, task.verdict}


@click.command()
@CONFIG_FILE
@PROJECT
@NAME
@VERDICT
@OUTPUT
def tasks(
    config_file: Path,
    project: str | None,
    name: re.Pattern[str] | None,
    verdict: str | None,
    output: Output,
) -> int:
    r"""Show every selected task as it is now, those in trouble first.

    The tasks are read live, so this costs a call or two for each of them; progress is shown on a terminal.
    Tasks that --project or --name leave out are not read. Times are in the task's zone.

    Exits with 1 when a project, or any task's records, could not be read; the rest is shown all the same.

    \b
    Examples:
      workspace-exporter tasks --config.file config.yml
      workspace-exporter tasks --config.file config.yml --verdict failed
      workspace-exporter tasks --config.file config.yml --project prod --name '^nightly'
      workspace-exporter tasks --config.file config.yml --output json
    """
    config = read_config(config_file, os.environ)
    question = Question(project, name, Verdict(verdict) if verdict else None)
    return _report(config, output, *look(partial(read_tasks, config, question)))


async def read_tasks(
    config: Config, question: Question, world: World, changed: Changed
) -> tuple[Overview, bool]:
    """Return the tasks that are asked for, and whether everything could be read; says on stderr what not."""
    interval = config.polling.interval
    without_details = config.polling.model_copy(update={"details": False})
    async with looks(
        _projects(config, question.project),
        config.model_copy(update={"polling": without_details}),
        world,
        wanted=question.wanted,
        changed=changed,
    ) as taken:
        now = world.clocks.epoch()
        # Each task is judged as of when it was read: the first of many may have waited for the last.
        views = [
            view_task(state, state.last_poll or now, interval) for seen in taken for state in seen.states
        ]
        overview = Overview(
            generated_at=now,
            version=__version__,
            projects=tuple(seen.view(interval) for seen in taken),
            tasks=tuple(sorted(filter(question.answers, views), key=_order)),
        )
    good = complain_of(taken)
    if not overview.tasks:
        _say_nothing_found(question, sum(len(seen.known) for seen in taken), good=good)
    return overview, good


def _report(config: Config, output: Output, overview: Overview, good: bool) -> int:  # noqa: FBT001 - as read
    if output == "json":
        Screen().write(json_text(to_json(overview)))
    else:
        show_tasks(Screen(), overview.tasks, parse_zone(config.time_zone))
    return 0 if good else 1


def _say_nothing_found(question: Question, number: int, *, good: bool) -> None:
    """Say why there is nothing to show; `number` tasks are selected, as far as everything could be read."""
    if number:
        wishes = [f"--name {question.name.pattern}"] if question.name else []
        wishes += [f"--verdict {question.verdict}"] if question.verdict else []
        say(f"none of {number} selected tasks is as was asked for ({', '.join(wishes)})")
    elif good:
        say("no task is selected: `discovery` finds none, and `tasks` names none")


def show_tasks(screen: Screen, tasks: Sequence[TaskView], zone: tzinfo) -> None:
    """Print the tasks; `zone` is that of tasks which name none."""
    if not tasks:
        return
    screen.table(_columns(zone), tasks, partial(_card, zone=zone))
    if screen.terminal:
        number = Counter(task.verdict for task in tasks)
        said = ", ".join(f"{number[verdict]} {verdict}" for verdict in Verdict if number[verdict])
        screen.heading(text(f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}: {said}"))


def _projects(config: Config, name: str | None) -> list[Project]:
    chosen = [project for project in config.projects if name in {None, project.name}]
    if not chosen:
        names = ", ".join(project.name for project in config.projects)
        raise ConfigError(f"no project is called {name!r}; there are: {names}", key="--project")
    return chosen


def _order(task: TaskView) -> tuple[int, str, str, str]:
    return task.verdict.severity, task.project, task.name, task.id


def _columns(zone: tzinfo) -> list[Column[TaskView]]:
    return [
        Column("VERDICT", lambda task: verdict_text(task.verdict)),
        Column("NAME", lambda task: text(task.name)),
        Column("TASK", lambda task: text(f"{task.project}/{task.id}")),
        Column("TYPE", lambda task: text(task.task_type or "-")),
        Column("ENABLED", lambda task: text(_enabled(task))),
        Column("LAST RUN", lambda task: _status(task.last_run)),
        Column("OK/FAILED/SKIPPED", lambda task: text(_counts(task.last_run)), right=True),
        Column("LAST START", lambda task: text(_last_start(task, zone))),
        Column("NEXT RUN", lambda task: text(_time(task.next_run, task, zone))),
    ]


def _card(task: TaskView, zone: tzinfo) -> RenderableType:
    lines = [
        text(f"{task.project}/{task.id}"),
        text(f"{task.task_type or 'of unknown type'}, enabled: {_enabled(task)}"),
    ]
    if task.last_run:
        said = counts(task.last_run)
        lines.append(Text.assemble("last run ", _status(task.last_run), text(f": {said}" if said else "")))
    lines += [
        text(f"last start {_last_start(task, zone)}"),
        text(f"next run {_time(task.next_run, task, zone)}"),
    ]
    return card(Text.assemble(verdict_text(task.verdict), "  ", text(task.name, "bold")), lines)


def _status(run: RunView | None) -> Text:
    return text(run.status, RUN_STYLES[run.status]) if run else text("-")


def _counts(run: RunView | None) -> str:
    given = (run.success, run.failed, run.skipped) if run else (None, None, None)
    return "/".join("-" if count is None else str(count) for count in given)


def _enabled(task: TaskView) -> str:
    return {True: "yes", False: "no", None: "?"}[task.enabled]


def _last_start(task: TaskView, zone: tzinfo) -> str:
    return _time(task.runs[-1].start if task.runs else None, task, zone)


def _time(moment: float | None, task: TaskView, zone: tzinfo) -> str:
    return "-" if moment is None else local_time(moment, task.time_zone, zone)
