"""One run, while it goes on and after."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.runs import Progress, Run, desktops, progress

_RUN = Run(
    task_id="t",
    id="r",
    start=1000,
    end=1100,
    success=5,
    failed=3,
    skipped=2,
    codes=(("failed", "F.1", 2), ("failed", "F.2", 1), ("skipped", "S.1", 2)),
)


def _run(status: str, success: int | None, failed: int | None) -> Run:
    return Run("t", "r", 0, 1, status=status, success=success, failed=failed)


@pytest.mark.parametrize(
    ("status", "success", "failed", "verdict"),
    [
        ("SUCCESS", 3, 0, "success"),
        ("success", 3, None, "success"),
        ("FINISH", None, None, "success"),
        ("SUCCESS", 1, 1, "partial"),
        ("SUCCESS", 0, 1, "failed"),
        ("SUCCESS", None, 1, "failed"),
        ("SUCCESS", 1, -1, "success"),
        ("SKIP", 0, 0, "skipped"),
        ("SKIPPED", 1, 1, "partial"),
        ("SKIP", 0, 2, "failed"),
        ("FAIL", 5, 0, "failed"),
        ("FAILED", 5, 1, "failed"),
        ("ABNORMAL", 5, 0, "unknown"),
        ("ABNORMAL", 0, 5, "unknown"),
        ("", 5, 0, "unknown"),
    ],
)
def test_counts_only_make_a_verdict_worse(
    status: str, success: int | None, failed: int | None, verdict: str
) -> None:
    """The table of the contract, section 4: class of the word, then failed desktops."""
    assert _run(status, success, failed).verdict == verdict


def test_a_finished_run_says_its_own_words() -> None:
    """Its record has the final status and counts; it is over in its last second."""
    assert not _RUN.finished(1099.9)
    assert _RUN.finished(1100)
    assert progress(_RUN, 1100) == Progress("SUCCESS", 5, 3, 2)


def test_a_run_under_way_counts_what_is_done() -> None:
    """It is RUNNING; its counts grow up to the final ones."""
    seen = [progress(_RUN, now) for now in range(1000, 1100)]
    assert {state.status for state in seen} == {"RUNNING"}
    done = [(state.success or 0) + (state.failed or 0) + (state.skipped or 0) for state in seen]
    assert done[0] == 0
    assert done == sorted(done)
    assert done[-1] == 9
    assert done[50] == 5


def test_counts_that_are_never_sent_are_not_sent_meanwhile() -> None:
    """A count of None stays None."""
    run = Run("t", "r", 1000, 1100, success=None, failed=4, skipped=None, codes=(("failed", "F", 4),))
    assert progress(run, 1050) == Progress("RUNNING", None, 2, None)


def test_desktops_tell_the_same_as_the_counts() -> None:
    """Finished desktops have an end, a word and a code; those ahead have neither; pages make up the whole."""
    everything = list(desktops(_RUN, 1100))
    assert Counter((desktop.status, desktop.code) for desktop in everything) == {
        ("SUCCESS", ""): 5,
        ("FAIL", "F.1"): 2,
        ("FAIL", "F.2"): 1,
        ("SKIP", "S.1"): 2,
    }
    assert max(desktop.end or 0 for desktop in everything) == 1100
    assert min(desktop.start or 0 for desktop in everything) == 1000
    pages = [*desktops(_RUN, 1100, 0, 4), *desktops(_RUN, 1100, 4, 4), *desktops(_RUN, 1100, 8, 4)]
    assert pages == everything
    assert len({desktop.id for desktop in everything}) == 10
    assert list(desktops(_RUN, 1100, 10, 4)) == []


def test_desktops_of_a_run_under_way() -> None:
    """The first are done, one is at work, the rest wait."""
    states = [desktop.status for desktop in desktops(_RUN, 1045)]
    assert "RUNNING" not in states[:4]
    assert states[4:] == ["RUNNING"] + ["WAITING"] * 5
    waiting = list(desktops(_RUN, 1045))[-1]
    assert (waiting.start, waiting.end, waiting.code) == (None, None, "")


def test_outcomes_are_mixed_over_the_course() -> None:
    """Failures do not all come first: a reader of one page sees some of each."""
    run = Run("t", "r", 0, 100, success=50, failed=50, codes=(("failed", "F", 50),))
    first = Counter(desktop.status for desktop in desktops(run, 100, 0, 20))
    assert first["FAIL"] > 3
    assert first["SUCCESS"] > 3


def test_a_number_of_desktops_that_the_step_divides() -> None:
    """Each of them is listed once all the same."""
    run = Run("t", "r", 0, 100, success=7918, failed=1, codes=(("failed", "F", 1),))
    assert Counter(desktop.status for desktop in desktops(run, 100)) == {"SUCCESS": 7918, "FAIL": 1}


def test_a_run_that_never_ends_stops_half_way() -> None:
    """Its second half has no end, however late it gets."""
    run = Run("t", "r", 1000, None, success=10)
    assert not run.finished(10**12)
    assert progress(run, 10**12) == Progress("RUNNING", 5, 0, 0)
    assert [desktop.end is None for desktop in desktops(run, 10**12)] == [False] * 5 + [True] * 5


@settings(deadline=None)
@given(
    st.integers(0, 3),
    st.integers(0, 30),
    st.integers(0, 200),
    st.integers(0, 500),
    st.integers(-5, 600),
)
def test_desktops_add_up_at_every_instant(
    failed: int, skipped: int, success: int, length: int, passed: int
) -> None:
    """At any instant the record's counts are the numbers of its finished desktops; ends are in order."""
    codes = tuple(code for code in (("failed", "F", failed), ("skipped", "S", skipped)) if code[2])
    run = Run("t", "r", 1000, 1000 + length, success=success, failed=failed, skipped=skipped, codes=codes)
    now = 1000 + passed
    state = progress(run, now)
    words = Counter(desktop.status for desktop in desktops(run, now))
    assert (state.success, state.failed, state.skipped) == (
        words["SUCCESS"],
        words["FAIL"],
        words["SKIP"],
    ) or (run.finished(now))
    final = Counter(desktop.status for desktop in desktops(run, run.end or 0))
    assert (final["SUCCESS"], final["FAIL"], final["SKIP"]) == (success, failed, skipped)
    ends = [desktop.end or 0 for desktop in desktops(run, run.end or 0)]
    assert all(before <= after for before, after in pairwise(ends))
    assert run.desktops == failed + skipped + success
