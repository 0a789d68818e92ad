"""Rendering: a state and the literal exposition text that it must give."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given

from exporter.catalog import TASK_METRICS
from exporter.negotiation import Format
from exporter.rendering import escape, format_value, render_header, render_task, replace_value
from exporter.state import TaskState
from tests.states import history, task_state, task_states
from tests.vanilla import vanilla_lines

_GOLDEN = (Path(__file__).parent / "golden" / "example.prom").read_text(encoding="utf-8")


def _text(state: TaskState) -> str:
    return b"".join(render_task(state)).decode()


def test_the_specification_s_example_gives_this_text() -> None:
    """Record SUCCESS with one desktop failed: partial, at 1672448400, everything else as it follows."""
    assert _text(task_state()) == _GOLDEN


def test_a_task_not_read_yet_shows_what_is_known_without_its_records() -> None:
    """No history: no gauge of runs, but thresholds, info and counters at 0."""
    state = task_state(history=None, details=None, expected_run=None, last_poll=None, poll_ok=None)
    families = {line.partition("{")[0] for line in _text(state).splitlines()}
    assert families == {
        "workspace_task_info",
        "workspace_task_enabled",
        "workspace_task_found",
        "workspace_task_next_run_timestamp_seconds",
        "workspace_task_schedule_period_seconds",
        "workspace_task_grace_seconds",
        "workspace_task_max_duration_seconds",
        "workspace_task_runs_total",
        "workspace_task_desktops_total",
    }


def test_a_task_that_has_not_run_has_all_statuses_at_0() -> None:
    """Read, and nothing there: five zeros, no counts, no start of a last run."""
    lines = _text(task_state(history=history(), details=None)).splitlines()
    assert sum(line.startswith("workspace_task_last_run_status{") for line in lines) == 5
    assert all(line.endswith(" 0.0") for line in lines if line.startswith("workspace_task_last_run_status{"))
    assert not any(line.startswith("workspace_task_last_run_start") for line in lines)
    assert not any(line.startswith("workspace_task_last_run_success_num") for line in lines)


def test_a_task_that_does_not_exist_has_one_series() -> None:
    """Found 0 is all that can be said of it."""
    assert _text(task_state(found=False)) == (
        'workspace_task_found{project="prod",task_id="8d2e",task_name="nightly stop"} 0.0\n'
    )


def test_details_of_another_run_are_not_shown() -> None:
    """Until the last run's desktops are read, neither its duration nor its codes are known."""
    state = task_state()
    assert state.details is not None
    other = task_state(details=type(state.details)("another", 5.0, (("failed", "x", 1),), ()))
    assert "last_run_duration" not in _text(other)
    assert "last_run_result_num" not in _text(other)


@given(task_states())
def test_lines_are_prometheus_client_s_byte_for_byte(state: TaskState) -> None:
    """Whatever a name holds, each line is what the client library writes for the same sample."""
    for chunk, metric in zip(render_task(state), TASK_METRICS, strict=True):
        assert chunk.decode() == vanilla_lines(metric, [state])


def test_headers_differ_only_for_counters() -> None:
    """OpenMetrics names the family of a counter without its suffix."""
    assert render_header("a_total", "counter", "Help.", Format.TEXT) == (
        b"# HELP a_total Help.\n# TYPE a_total counter\n"
    )
    assert render_header("a_total", "counter", "Help.", Format.OPENMETRICS) == (
        b"# HELP a Help.\n# TYPE a counter\n"
    )
    assert render_header("a_total", "gauge", "Help.", Format.OPENMETRICS).startswith(b"# HELP a_total Help.")
    for metric in TASK_METRICS:
        assert not set('\\\n"') & set(metric.help)


def test_a_value_is_replaced_behind_whatever_the_labels_hold() -> None:
    """The last space of a line stands before its value."""
    assert replace_value(b'a{b="c 1 } d"} 5.0\n', 7.0) == b'a{b="c 1 } d"} 7.0\n'


def test_values_and_escapes() -> None:
    """As Go writes numbers, and as the format escapes texts."""
    assert [format_value(v) for v in (0, 1672448400, 0.25, 2.0**53)] == [
        "0.0",
        "1.6724484e+09",
        "0.25",
        "9.007199254740992e+15",
    ]
    assert escape('a\\b\n"') == 'a\\\\b\\n\\"'
