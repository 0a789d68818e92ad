"""`workspace-exporter backfill`: the readable history as files that Prometheus can be given."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

from exporter.advice import ACTIONS
from exporter.backfill import LOOK_BACK_SECONDS, replay
from exporter.backfilltext import LEFT_OUT, day_lines
from exporter.cli.backfillbar import Advance, bar
from exporter.cli.backfillblocks import make_blocks
from exporter.cli.backfillfiles import Folder, Spool, days_of, folder, name_of
from exporter.cli.backfillread import MAX_RECORDS, Findings, PastReader, Span, Unheard
from exporter.cli.logs import configure_logs
from exporter.cli.options import CONFIG_FILE
from exporter.cli.wiring import SYSTEM_CLOCKS, client_of, run_loop
from exporter.collaborators import Upstream
from exporter.config import Config, Project
from exporter.configfile import read_config
from exporter.durations import parse_duration
from exporter.errors import ConfigError, ExporterError

_SHOWN = 3
Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class World:
    """What a backfill reaches the world by; handed in, so that tests own it."""

    build_client: Callable[[Project, Config], Upstream]
    epoch: Callable[[], float]
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for: `since` and `until` in seconds before now, `step` in seconds."""

    since: float
    until: float
    step: int
    details: bool
    promtool: Path | None = None


def wishes_of(*, since: str, until: str, step: str, details: bool, promtool: str | None) -> Wishes:
    """Check the flags. Raises ConfigError with the flag's name."""
    before, after, stride = (
        _duration(flag, text) for flag, text in (("--since", since), ("--until", until), ("--step", step))
    )
    if before <= after:
        raise ConfigError(
            f"{since} before now is not earlier than --until, {until} before now", key="--since"
        )
    if not 1 <= stride < LOOK_BACK_SECONDS or stride % 1:
        raise ConfigError(
            "whole seconds from 1s to less than 5m are expected, since Prometheus looks back 5m", key="--step"
        )
    program = None if promtool is None else shutil.which(promtool)
    if promtool is not None and program is None:
        raise ConfigError(f"there is no program {promtool}", key="--promtool")
    return Wishes(before, after, int(stride), details, Path(program) if program else None)


@click.command()
@CONFIG_FILE
@click.option("--since", required=True, metavar="DURATION", help="How long before now to begin, such as 90d.")
@click.option(
    "--until",
    default="3h",
    show_default=True,
    metavar="DURATION",
    help="How long before now to end: when live data began, but at least the three hours that Prometheus "
    "has not yet written to blocks itself.",
)
@click.option(
    "--step", default="4m", show_default=True, metavar="DURATION", help="Between two samples; less than 5m."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the files go.",
)
@click.option(
    "--details/--no-details",
    default=None,
    help="Read each run's desktops, which alone tell when it ended: a call for each run.  "
    "[default: polling.details]",
)
@click.option("--promtool", metavar="PROGRAM", help="Also make blocks of each day, in DIR/blocks.")
def backfill(
    config_file: Path,
    since: str,
    until: str,
    step: str,
    output: Path,
    *,
    details: bool | None,
    promtool: str | None,
) -> None:
    r"""Write the readable history as OpenMetrics with timestamps, a file YYYY-MM-DD.om for each UTC day.

    The names and labels are those of the live metrics. Days that are complete already are skipped, so that
    an interrupted backfill is resumed by the same command. How Prometheus takes the files up, step by step:
    docs/backfill.md

    \b
    Examples:
      workspace-exporter backfill --config.file config.yml --since 90d -o backfill
      workspace-exporter backfill --config.file config.yml --since 90d -o backfill --promtool promtool
    """
    configure_logs("warning", "logfmt")
    config = read_config(config_file, os.environ)
    reads = config.polling.details if details is None else details
    wishes = wishes_of(since=since, until=until, step=step, details=reads, promtool=promtool)
    world = World(
        lambda project, known: client_of(project, known, Unheard()), SYSTEM_CLOCKS.epoch, click.echo
    )
    with folder(output) as held:
        fill(held, config, wishes, world)


def fill(held: Folder, config: Config, wishes: Wishes, world: World) -> None:
    """Fill a folder with what was asked for. Raises ConfigError and ExporterError."""
    now = world.epoch()
    since, until = int(now - wishes.since), int(now - wishes.until)
    if since < 0:
        raise ConfigError("there is no time before 1970", key="--since")
    held.begin(_settings(config, wishes), since)
    days = list(days_of(since, until))
    missing = [day for day in days if not held.holds(*day)]
    if len(missing) < len(days):
        world.say(f"skipped, for complete already: {_named([day for day in days if day not in missing])}")
    if missing:
        with tempfile.TemporaryFile(dir=held.work) as file:
            spool = Spool(file)
            _read(spool, config, Span(since, until, now, wishes.details), world)
            _write(held, spool, config, missing, wishes.step)
        world.say(f"written: {_named(missing)}")
        world.say("left out, for no record tells it:")
        for name, reason in LEFT_OUT.items():
            world.say(f"  {name}: {reason}")
    if wishes.promtool:
        with bar("blocks of days", len(days)) as advance:
            for start, _ in days:
                make_blocks(held, wishes.promtool, start)
                advance()
        world.say(f"blocks are in {held.blocks}")


def _read(spool: Spool, config: Config, span: Span, world: World) -> None:
    findings = Findings()
    run_loop(_read_projects(spool, config, span, findings, world.build_client))
    if findings.failed:
        number, shown = len(findings.failed), "; ".join(findings.failed[:_SHOWN])
        more = " and others" if number > _SHOWN else ""
        raise ExporterError(
            f"nothing was written, since {_count(number, 'task')} could not be read: {shown}{more}"
        )
    for line in _told(findings):
        world.say(line)


async def _read_projects(
    spool: Spool,
    config: Config,
    span: Span,
    findings: Findings,
    build_client: Callable[[Project, Config], Upstream],
) -> None:
    for project in config.projects:
        client = build_client(project, config)
        try:
            reader = PastReader(project, config, client, span, findings)
            tasks = await reader.selected()
            with bar(f"tasks of {project.name}", len(tasks)) as advance:
                await reader.read(tasks, spool.put, advance)
        finally:
            await client.aclose()


def _write(held: Folder, spool: Spool, config: Config, days: Sequence[Stretch], step: int) -> None:
    counted_from = held.manifest.counted_from

    def lines(since: int, until: int, advance: Advance) -> Iterator[Sequence[bytes]]:
        for past in spool:
            yield day_lines(replay(past, config, counted_from), since, until, step)
            advance()

    with bar("days of tasks", len(days) * len(spool)) as advance:
        for since, until in days:
            held.write(since, until, lines(since, until, advance))


def _told(findings: Findings) -> Iterator[str]:
    """Yield what the reading came upon, a line for each kind."""
    yield f"read: {_count(findings.tasks, 'task')}, {_count(findings.runs, 'run')} in the time asked for"
    if findings.never_ran:
        yield f"without a past, for they have no run: {_count(findings.never_ran, 'task')}"
    if findings.not_found:
        yield f"not found upstream: {_listed(findings.not_found)}"
    if findings.unscheduled:
        yield f"without expected runs, for want of a schedule: {_count(findings.unscheduled, 'task')}"
    if findings.details_forbidden:
        yield f"without the ends of runs: the permission {ACTIONS['list_record_details']} is missing"
    if findings.unended:
        yield f"taken as finished at the start, for the end is unknown: {_count(findings.unended, 'run')}"
    if findings.cut:
        yield f"not read whole (at most {MAX_RECORDS} records of a task are): {_listed(findings.cut)}"
    if findings.rejected:
        reasons = ", ".join(f"{number} ({reason})" for reason, number in sorted(findings.rejected.items()))
        yield f"malformed parts of records, left out: {reasons}"


def _settings(config: Config, wishes: Wishes) -> str:
    """A digest of everything, but the time, on which a day's text depends."""
    projects = [
        (project.name, project.base_url, project.tasks, project.discovery) for project in config.projects
    ]
    matters = (projects, config.defaults, config.statuses, config.time_zone, config.polling.history)
    return sha256(repr((matters, wishes.step, wishes.details)).encode()).hexdigest()


def _duration(flag: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(str(error), key=flag) from None


def _named(days: Sequence[Stretch]) -> str:
    first, last = name_of(days[0][0]), name_of(days[-1][0])
    return f"{_count(len(days), 'day')}, {first}" + (f" to {last}" if last != first else "")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    return f"{_count(len(names), 'task')}: {shown}" + (", …" if len(names) > _SHOWN else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
