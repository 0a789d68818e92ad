"""Log lines: one event a line, on stderr, in two forms, from a level on; never the end of the watch."""

from __future__ import annotations

import json
import logging
import re
import sys

import pytest
import structlog

from exporter.cli.logs import configure_logs


def test_logfmt_begins_with_time_level_and_event(capsys: pytest.CaptureFixture[str]) -> None:
    """What a person looks for first stands first; lists are one text."""
    configure_logs("info", "logfmt")
    structlog.get_logger().bind(project="prod").warning("a cycle failed", problems=["a", "b c"], ok=False)
    out, err = capsys.readouterr()
    assert out == ""
    line = r'ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z level=warning event="a cycle failed" '
    assert re.fullmatch(line + r'project=prod problems="a; b c" ok=false\n', err)


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The same keys, for machines."""
    configure_logs("info", "json")
    structlog.get_logger().info("signed in", user="demo\nuser", numbers=(1, 2))
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    tree = json.loads(err)
    assert {key: tree[key] for key in ("level", "event", "user", "numbers")} == {
        "level": "info",
        "event": "signed in",
        "user": "demo\nuser",
        "numbers": "1; 2",
    }


@pytest.mark.parametrize(("level", "heard"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_the_least_that_is_heard(
    capsys: pytest.CaptureFixture[str], level: str, heard: int
) -> None:
    """Everything below it is dropped."""
    configure_logs(level, "logfmt")  # type: ignore[arg-type]
    log = structlog.get_logger()
    for method in ("debug", "info", "warning", "error"):
        getattr(log, method)("event")
    assert capsys.readouterr().err.count("\n") == heard


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_no_value_ends_the_line_or_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """A task's name may hold anything: line ends, escape sequences, quotes, what turns the writing round."""
    configure_logs("info", form)  # type: ignore[arg-type]
    hostile = 'a\nb\r\x1b[31m\x9b2J\u202e\u2028 "x\\" level=error'
    structlog.get_logger().info("read", task_name=hostile, desktops=[hostile])
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert len(re.findall(r'(?<!\\)" ', err)) <= 2 or form == "json"


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    """In the same form, with their name; what they say below that may hold anything."""
    configure_logs("debug", "logfmt")
    logging.getLogger("some.library").info("not this")
    logging.getLogger("some.library").warning("but %s", "that")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert 'level=warning event="but that"' in err
    assert "logger=some.library" in err


def test_a_traceback_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A defect is told whole, and still as one event."""
    configure_logs("info", "logfmt")
    try:
        int("what")
    except ValueError:
        structlog.get_logger().exception("a cycle broke off")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ValueError" in err


class _Full:
    """A stderr on a full disk; counts what was to be written."""

    tried = 0

    def write(self, text: str) -> int:
        """Fail."""
        self.tried += 1
        raise OSError(28, f"No space left on device for {len(text)} characters")

    def flush(self) -> None:
        """Never come here."""


def test_a_full_disk_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is lost; whoever wanted to say it goes on."""
    full = _Full()
    monkeypatch.setattr(sys, "stderr", full)
    configure_logs("info", "logfmt")
    structlog.get_logger().error("nobody hears this")
    assert full.tried
