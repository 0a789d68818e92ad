"""What the commands print: tables that fit, cards where they do not, colour on a terminal only.

Upstream's texts never reach rich as strings, which could hold its markup, and never a terminal as they are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TextIO, TypeVar

import click
from rich.console import Console, JustifyMethod, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from exporter.terminaltext import safe
from exporter.views import Verdict

Row = TypeVar("Row")
_UNBOUNDED = 10_000
"""Columns where there is no terminal: a line each, whatever its length, for grep and awk."""
_WRAPPED = 24
"""A cell that wraps is readable from this width on."""
_PROSE = 100
"""Longer lines of prose are hard to read."""

_VERDICT_STYLES = {
    Verdict.FAILED: "bold red",
    Verdict.MISSED: "bold red",
    Verdict.RUNNING: "cyan",
    Verdict.PENDING: "dim",
    Verdict.NEVER_RAN: "dim",
    Verdict.DISABLED: "dim",
    Verdict.OK: "green",
}
"""Verdicts that are not listed are trouble, in yellow."""
RUN_STYLES = {
    "success": "green",
    "partial": "yellow",
    "failed": "bold red",
    "skipped": "dim",
    "unknown": "magenta",
    "running": "cyan",
}


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column: its title and its cell of a row.

    Where the screen is narrow an `optional` one is left out, and the cells of one that `wraps` take several
    lines.
    """

    title: str
    cell: Callable[[Row], Text]
    right: bool = False
    optional: bool = False
    wraps: bool = False


class Screen:
    """A stream, as wide as its terminal; without one as wide as what is printed.

    Colour is for terminals, unless NO_COLOR is set (https://no-color.org) or TERM is dumb.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.terminal = self._stream.isatty()
        plain = not self.terminal or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        fixed = self.terminal or os.environ.get("COLUMNS", "").isdecimal()
        self._console = Console(
            file=self._stream,
            force_terminal=self.terminal,
            color_system=None if plain else "auto",
            width=None if fixed else _UNBOUNDED,
            markup=False,
            emoji=False,
            highlight=False,
        )
        self.prose_width = min(self._console.width, _PROSE if fixed else 80)

    def show(self, renderable: RenderableType, *, prose: bool = False) -> None:
        """Print, without the blanks that only fill a line up."""
        with self._console.capture() as capture:
            self._console.print(renderable, width=self.prose_width if prose else None)
        self.write("\n".join(line.rstrip() for line in capture.get().splitlines()))

    def heading(self, title: Text) -> None:
        """Print a title below an empty line."""
        self.write("")
        self.show(title, prose=True)

    def write(self, lines: str) -> None:
        """Print lines as they are; what the stream's encoding does not have, as escapes."""
        encoding = self._stream.encoding or "utf-8"
        click.echo(lines.encode(encoding, "backslashreplace").decode(encoding), file=self._stream, color=True)

    def table(
        self, columns: Sequence[Column[Row]], rows: Sequence[Row], card: Callable[[Row], RenderableType]
    ) -> None:
        """Print the rows as a table, if need be without optional columns; as cards where that is too wide."""
        for chosen in _narrower(list(columns)):
            if self._natural(_table(chosen, rows, most=_WRAPPED)) <= self._console.width:
                self.show(_table(chosen, rows))
                return
        for row in rows:
            self.show(card(row))

    def _natural(self, table: Table) -> int:
        """The width at which no cell is wrapped."""
        wide = self._console.options.update(width=_UNBOUNDED)
        return Measurement.get(self._console, wide, table).maximum


def text(value: object, style: str = "") -> Text:
    """Return a cell; whatever it says is text and nothing else."""
    return Text(safe(str(value)), style=style)


def verdict_text(verdict: Verdict) -> Text:
    """Return a verdict in its colour."""
    return Text(verdict.value, style=_VERDICT_STYLES.get(verdict, "yellow"))


def card(lead: Text, lines: Sequence[Text], *, indent: int = 2) -> RenderableType:
    """Return a block: a first line, and others below it, wrapped inside their indentation."""
    grid = Table.grid()
    grid.add_column(overflow="fold")
    grid.add_row(lead)
    for line in lines:
        grid.add_row(Padding(line, (0, 0, 0, indent)))
    return grid


def pairs(rows: Sequence[tuple[str, RenderableType]], *, indent: int = 0) -> RenderableType:
    """Return names and what they stand for, side by side; the second column wraps within itself."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(name), value)
    return Padding(grid, (0, 0, 0, indent))


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far each project's reading is, on stderr where that is a terminal, for as long as it lasts."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    known: dict[str, TaskID] = {}

    def changed(name: str, done: int, total: int) -> None:
        if name not in known:
            known[name] = bar.add_task(safe(name), total=total)
        bar.update(known[name], completed=done, total=total)

    with bar:
        yield changed


def _narrower(columns: list[Column[Row]]) -> Iterator[list[Column[Row]]]:
    yield columns
    for column in reversed([column for column in columns if column.optional]):
        columns = [kept for kept in columns if kept is not column]
        yield columns


def _table(columns: Sequence[Column[Row]], rows: Sequence[Row], most: int = _UNBOUNDED) -> Table:
    """The table; with `most` the cells that wrap are cut to that width, to measure what is needed."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        side: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.title, justify=side, no_wrap=not column.wraps, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(column, row, most) for column in columns))
    return table


def _cell(column: Column[Row], row: Row, most: int) -> Text:
    cell = column.cell(row)
    if column.wraps:
        cell.truncate(most)
    return cell
