"""Tables that fit, cards where they do not, colour on a terminal only, and no text that is obeyed."""

from __future__ import annotations

import io
import re

import pytest
from rich.text import Text

from exporter.cli.screen import RUN_STYLES, Column, Screen, card, pairs, progress, text, verdict_text
from exporter.history import RUN_STATUSES
from exporter.views import Verdict

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
ROWS = [("nightly stop", 12, "It takes long to tell what is wrong with this one."), ("x", 3, "")]
Row = tuple[str, int, str]


class Stream(io.StringIO):
    """A stream that is a terminal, or is none."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        """Whether somebody looks."""
        return self._terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What its bytes are."""
        return self._encoding


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A usual terminal, whatever the tests run in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def columns() -> list[Column[Row]]:
    """Three columns: one of the rest, one that may be left out, one that wraps."""
    return [
        Column("NAME", lambda row: text(row[0], "red")),
        Column("NUMBER", lambda row: text(row[1]), right=True, optional=True),
        Column("REASON", lambda row: text(row[2]), wraps=True),
    ]


def shown(width: int | None, monkeypatch: pytest.MonkeyPatch, *, terminal: bool = True) -> str:
    """The table on a screen so wide; None: its width is not said."""
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    stream = Stream(terminal=terminal)
    Screen(stream).table(columns(), ROWS, lambda row: card(text(row[0]), [text(row[2])]))
    return stream.getvalue()


def test_a_table_without_a_terminal_has_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """For grep and awk: whole cells, no colour, no blanks at the end."""
    assert shown(None, monkeypatch, terminal=False) == (
        "NAME          NUMBER  REASON\n"
        "nightly stop      12  It takes long to tell what is wrong with this one.\n"
        "x                  3\n"
    )


def test_a_table_on_a_terminal_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but colour is added."""
    coloured = shown(100, monkeypatch)
    assert ESCAPE.search(coloured)
    assert ESCAPE.sub("", coloured).splitlines()[1].startswith("nightly stop      12  It takes long")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """https://no-color.org, and terminals that know none."""
    monkeypatch.setenv(name, value)
    assert "\x1b" not in shown(100, monkeypatch)


def test_force_color_does_not_colour_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour is for terminals only."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in shown(100, monkeypatch, terminal=False)


def test_a_cell_may_wrap_where_the_screen_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Down to a width that can be read; the other columns stay whole."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(50, monkeypatch) == (
        "NAME          NUMBER  REASON\n"
        "nightly stop      12  It takes long to tell what\n"
        "                      is wrong with this one.\n"
        "x                  3\n"
    )


def test_an_optional_column_goes_before_the_table_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left out where the rest fits without it."""
    monkeypatch.setenv("NO_COLOR", "1")
    first = shown(40, monkeypatch).splitlines()
    assert first[0] == "NAME          REASON"
    assert first[1] == "nightly stop  It takes long to tell what"


def test_cards_replace_a_table_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line within the width, nothing lost."""
    monkeypatch.setenv("NO_COLOR", "1")
    lines = shown(24, monkeypatch).splitlines()
    assert lines[0] == "nightly stop"
    assert lines[1] == "  It takes long to tell"
    assert max(map(len, lines)) <= 24
    assert " ".join(" ".join(lines).split()) == f"nightly stop {ROWS[0][2]} x"


def test_prose_is_never_wider_than_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred columns at the most; eighty in a pipe; what the terminal has where that is less."""
    words = text("word " * 60)
    for width, terminal, most in ((200, True, 100), (40, True, 40), (None, False, 80)):
        monkeypatch.delenv("COLUMNS", raising=False)
        if width:
            monkeypatch.setenv("COLUMNS", str(width))
        stream = Stream(terminal=terminal)
        Screen(stream).show(words, prose=True)
        assert most - 5 < max(map(len, stream.getvalue().splitlines())) <= most


def test_upstreams_texts_are_no_markup_and_no_escape_sequences() -> None:
    """They are shown as they came, or as escapes."""
    stream = Stream(terminal=False)
    Screen(stream).show(text("[red]name[/red] :warning: \x1b[31m \x07 [link=x]"))
    assert stream.getvalue() == "[red]name[/red] :warning: \\x1b[31m \\x07 [link=x]\n"


def test_what_the_streams_encoding_lacks_is_escaped() -> None:
    """A terminal that only knows ASCII is no reason to fail."""
    stream = Stream(terminal=False, encoding="ascii")
    Screen(stream).show(text("任务 ü"))
    assert stream.getvalue() == "\\u4efb\\u52a1 \\xfc\n"


def test_pairs_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer wraps within its own column."""
    monkeypatch.setenv("COLUMNS", "20")
    stream = Stream(terminal=False)
    Screen(stream).show(pairs([("rule", text("one two three four")), ("x", text("y"))], indent=2))
    assert stream.getvalue() == "  rule one two three\n       four\n  x    y\n"


def test_a_heading_stands_apart() -> None:
    """Below an empty line."""
    stream = Stream(terminal=False)
    Screen(stream).heading(text("Metrics"))
    assert stream.getvalue() == "\nMetrics\n"


def test_every_verdict_and_status_has_its_look() -> None:
    """Trouble is never dim, and nothing is without a style that needs one."""
    assert all(verdict_text(verdict).style != "dim" for verdict in Verdict if verdict.trouble)
    assert verdict_text(Verdict.STALE) == Text("stale", style="yellow")
    assert set(RUN_STYLES) == {*RUN_STATUSES, "running"}


def test_progress_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe sees nothing of it; a terminal how much of how much, and in the end nothing either."""
    with progress() as changed:
        changed("prod", 1, 2)
    assert capsys.readouterr() == ("", "")
    stream = Stream(terminal=True)
    monkeypatch.setattr("sys.stderr", stream)
    with progress() as changed:
        changed("pr\x1b[31mod", 0, 7)
        changed("pr\x1b[31mod", 7, 7)
    plain = ESCAPE.sub("", stream.getvalue())
    assert r"pr\x1b[31mod" in plain
    assert "7/7" in plain
    assert "\x1b[2K" in stream.getvalue()  # the line is erased
