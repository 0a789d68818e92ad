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

from exporter.backfill import LOOK_BACK_SECONDS, replay
from exporter.backfilltext import LEFT_OUT, day_lines
from exporter.cli.backfillbar import Advance, bar
from exporter.cli.backfillblocks import make_blocks
from exporter.cli.backfillfiles import Folder, Spool, days_of, folder, name_of
from exporter.cli.backfillprojects import complain_of, read_projects, told
from exporter.cli.backfillread import Span
from exporter.cli.logs import configure_logs
from exporter.cli.options import CONFIG_FILE
from exporter.cli.wiring import SYSTEM_CLOCKS, Unheard, client_of, run_loop
from exporter.collaborators import Upstream
from exporter.config import Config, Project
from exporter.configfile import read_config
from exporter.durations import parse_duration
from exporter.errors import ConfigError, ExporterError

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
    an interrupted backfill is resumed by the same command. A project that cannot be read is left out, and
    made up for by the same command when it can be. How Prometheus takes the files up, step by step:
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
    """Fill a folder with what was asked for. Raises ConfigError and ExporterError.

    Days are written without a project that cannot be read, but stay unfinished; the error comes in the end.
    """
    now = world.epoch()
    since, until = int(now - wishes.since), int(now - wishes.until)
    if since < 0:
        raise ConfigError("there is no time before 1970", key="--since")
    held.begin(_settings(config, wishes), since)
    days = list(days_of(since, until))
    missing = [day for day in days if not held.holds(*day)]
    if len(missing) < len(days):
        world.say(f"skipped, for complete already: {_named([day for day in days if day not in missing])}")
    failed: list[str] = []
    if missing:
        with tempfile.TemporaryFile(dir=held.work) as file:
            spool = Spool(file)
            failed = _read(spool, config, Span(since, until, now, wishes.details), world)
            _write_days(held, spool, config, missing, wishes.step, without=failed, world=world)
    if wishes.promtool:
        _make_blocks(held, wishes.promtool, days, world)
    if failed:
        raise ExporterError(
            f"{_listed(failed, 'project')} could not be read, so the days are unfinished; "
            "give the same command again when that is mended"
        )


def _read(spool: Spool, config: Config, span: Span, world: World) -> list[str]:
    """Read every project into the spool; return the names of those that cannot be. Raises where none can."""
    findings, failures = run_loop(read_projects(spool, config, span, world.build_client))
    for failure in failures:
        complain_of(failure)
    if len(failures) == len(config.projects):
        raise ExporterError("nothing was written, since no project could be read")
    for line in told(findings):
        world.say(line)
    return [failure.project for failure in failures]


def _write_days(
    held: Folder,
    spool: Spool,
    config: Config,
    missing: Sequence[Stretch],
    step: int,
    *,
    without: Sequence[str],
    world: World,
) -> None:
    due = [day for day in missing if not held.would_lose(day[0], without)]
    lacking = f" without {_listed(without, 'project')}" if without else ""
    if due:
        _write(held, spool, config, due, step, without=without)
        world.say(f"written{lacking}: {_named(due)}")
        world.say("left out, for no record tells it:")
        for name, reason in LEFT_OUT.items():
            world.say(f"  {name}: {reason}")
    if len(due) < len(missing):
        kept = [day for day in missing if day not in due]
        world.say(f"left as it was, for a new file would be{lacking}: {_named(kept)}")


def _write(
    held: Folder, spool: Spool, config: Config, days: Sequence[Stretch], step: int, *, without: Sequence[str]
) -> None:
    counted_from = held.manifest.counted_from

    def lines(since: int, until: int, advance: Advance) -> Iterator[Sequence[bytes]]:
        for past in spool:
            yield day_lines(replay(past, config, counted_from), since, until, step)
            advance()

    with bar("days of tasks", len(days) * len(spool)) as advance:
        for since, until in days:
            held.write(since, until, lines(since, until, advance), without=without)


def _make_blocks(held: Folder, promtool: Path, days: Sequence[Stretch], world: World) -> None:
    with bar("blocks of days", len(days)) as advance:
        for start, _ in days:
            make_blocks(held, promtool, start)
            advance()
    world.say(f"blocks are in {held.blocks}")


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


def _listed(names: Sequence[str], noun: str) -> str:
    return f"{noun}{'' if len(names) == 1 else 's'} {', '.join(names)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
