"""The window of a task's newest runs between two whole reads."""

from __future__ import annotations

import pytest

from exporter.history import Run, RunStatus
from exporter.records import Record
from exporter.window import back_to, keep, merge


def run(start: int, status: RunStatus | None = "success", record_id: str = "") -> Run:
    """Return a run; None is one in progress."""
    return Run(Record(record_id or f"r{start}", float(start)), status)


def test_only_a_window_of_more_than_a_page_is_kept() -> None:
    """What one page holds is read whole each time."""
    runs = [run(1), run(2)]
    assert keep(runs, 100) == []
    assert keep(runs, 101) == runs


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([], None),
        ([run(1), run(2), run(3)], 3),
        ([run(1), run(2, None), run(3)], 2),
        ([run(1, None), run(2), run(3, None)], 1),
        ([run(1), run(2, None)], 1),
        ([run(1, None), run(2, None)], 1),
    ],
)
def test_a_read_goes_back_to_the_newest_finished_and_the_oldest_in_progress(
    kept: list[Run], expected: float | None
) -> None:
    """Nothing older can have changed but by the vendor's hand."""
    assert back_to(kept) == expected


def test_a_whole_read_replaces_the_window() -> None:
    """What upstream has dropped is gone, also what lies beyond the window's size."""
    assert merge([run(1), run(2)], [run(2), run(3)], None, 200) == [run(2), run(3)]
    assert merge([], [run(1), run(2), run(3)], None, 2) == [run(2), run(3)]


def test_a_read_in_between_keeps_what_is_older_than_it_went() -> None:
    """Of the runs read again, the new sight counts; a run that is gone from the part read is gone."""
    kept = [run(1), run(2), run(3, None), run(4, None)]
    assert merge(kept, [run(3), run(5, None)], 3, 200) == [run(1), run(2), run(3), run(5, None)]
    assert merge(kept, [run(5, None)], 3, 200) == [run(1), run(2), run(5, None)]


def test_older_runs_that_came_along_are_taken_once() -> None:
    """A page rarely ends where the window was known, and ids tell runs apart, not starts."""
    kept = [run(1), run(2), run(3)]
    assert merge(kept, [run(2), run(3), run(4)], 3, 200) == [run(1), run(2), run(3), run(4)]
    moved = run(4, record_id="r1")
    assert merge(kept, [run(3), moved], 3, 200) == [run(2), run(3), moved]


def test_the_oldest_leave_a_full_window() -> None:
    """Also those that only this process still knew."""
    assert merge([run(1), run(2), run(3)], [run(3), run(4), run(5)], 3, 4) == [run(2), run(3), run(4), run(5)]
