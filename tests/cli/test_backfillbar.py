"""exporter.cli.backfillbar: progress, rate and remaining time."""

from __future__ import annotations

import io

import pytest
from rich.progress import Progress

from exporter.cli.backfillbar import Rate, bar


def test_the_bar_shows_the_rate_and_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; elsewhere nothing at all."""
    for terminal in (True, False):
        screen = _Screen(terminal=terminal)
        monkeypatch.setattr("sys.stderr", screen)
        with bar("days of [tasks]", 3) as advance:
            for _ in range(3):
                advance()
        shown = screen.getvalue()
        assert bool(shown) == terminal
        assert not terminal or ("days of [tasks]" in shown and "3/3" in shown)


def test_the_rate_is_told_once_it_is_known() -> None:
    """So many in a second; nothing before two were done."""
    seconds = iter(range(100))
    progress = Progress(get_time=lambda: float(next(seconds)), disable=True)
    progress.add_task("days", total=10)
    (task,) = progress.tasks
    assert Rate().render(task).plain == ""
    for _ in range(3):
        progress.advance(task.id, 2)
    assert Rate().render(task).plain == "2.0/s"


class _Screen(io.StringIO):
    """A stderr that says whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal
