"""The command `workspace-exporter`: its commands, and what an error looks like from outside.

Exit codes: 0 good, 1 the check or the operation failed, 2 usage or configuration error with one line on
stderr that says where and why. Never a traceback.
"""

from __future__ import annotations

import platform
import sys
import traceback
from pathlib import Path

import click

from exporter import __version__
from exporter.cli.backfill import backfill
from exporter.cli.check import check_config
from exporter.cli.explain import explain
from exporter.cli.health import healthcheck
from exporter.cli.play import demo, simulate
from exporter.cli.revision import revision
from exporter.cli.run import run
from exporter.cli.runs import runs
from exporter.cli.tasks import tasks
from exporter.errors import ConfigError, ExporterError

_SIGINT = 130
_SEE_HELP = ("Missing ", "No such ", "Got unexpected ")
"""How those of click's messages begin that do not say by themselves what would be right."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(
    __version__,
    prog_name="workspace-exporter",
    message=f"%(prog)s, version %(version)s (revision: {revision()}, Python {platform.python_version()})",
)
def cli() -> None:
    """Prometheus exporter for the scheduled tasks of Huawei Cloud Workspace desktops.

    It tells when a scheduled task failed, failed in part, was skipped, got stuck, or silently never ran.
    See it at once, without credentials: workspace-exporter demo
    """


for command in (run, check_config, tasks, runs, explain, backfill, simulate, demo, healthcheck):
    # To click `\b` is one character (keep these lines as they are); the raw docstrings hold it as two.
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    cli.add_command(command)


def main(arguments: list[str]) -> int:
    """Run a command; returns its exit code."""
    try:
        code = cli.main(arguments, prog_name="workspace-exporter", standalone_mode=False)
    except (click.UsageError, ConfigError) as error:
        return _fail(_usage(error) if isinstance(error, click.UsageError) else str(error), 2)
    except (click.ClickException, ExporterError) as error:
        return _fail(error.format_message() if isinstance(error, click.ClickException) else str(error), 1)
    except click.Abort:
        return _SIGINT
    except Exception as error:  # noqa: BLE001 - a defect of ours; a traceback could show what must stay hidden
        return _fail(f"internal error: {type(error).__name__} at {_place(error)}; please report it", 1)
    return code if isinstance(code, int) else 0


def entry_point() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def _usage(error: click.UsageError) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return "a command is missing; see workspace-exporter --help"
    command = error.ctx.command_path.removeprefix("workspace-exporter").strip() if error.ctx else ""
    message = " ".join(error.format_message().split()).rstrip(".")
    if message.startswith(_SEE_HELP):
        message = f"{message}; see {' '.join(('workspace-exporter', *command.split(), '--help'))}"
    return f"{command}: {message}" if command else message


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"


def _fail(message: str, code: int) -> int:
    click.echo(f"workspace-exporter: {' '.join(message.split())}", err=True)
    return code
