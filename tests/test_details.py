"""The desktops of a run: duration, result codes, reasons."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Statuses
from exporter.details import RunDetails, summarize_details
from exporter.records import Record, RecordDetail

STATUSES = Statuses()
START = 1000.0


def desktop(number: int, word: str = "SUCCESS", code: str = "", *, end: float | None = None) -> RecordDetail:
    """One desktop of a run."""
    return RecordDetail(f"d{number}", status=word, result_code=code, desktop_name=f"desk-{number}", end=end)


def summary(
    *desktops: RecordDetail, failed: int | None = None, skipped: int | None = None, start: float = START
) -> RunDetails:
    """What these desktops tell of a run with these counts."""
    record = Record("r1", start, "SUCCESS", failed_num=failed, skip_num=skipped)
    return summarize_details(record, desktops, STATUSES)


@pytest.mark.parametrize(
    ("ends", "duration"),
    [
        ([], None),
        ([None], None),
        ([1030.0], 30.0),
        ([1030.0, 1095.5, None, 1001.0], 95.5),
        ([1000.0], 0.0),
        ([999.0], None),
        ([900.0, 1005.0], 5.0),
    ],
)
def test_the_duration_is_the_newest_end_less_the_start(
    ends: list[float | None], duration: float | None
) -> None:
    """Absent where no desktop has an end, or where the clocks contradict each other."""
    desktops = [desktop(number, end=end) for number, end in enumerate(ends)]
    assert summary(*desktops).duration == duration


def test_result_codes_are_counted_by_outcome() -> None:
    """The words are the configuration's, compared without case; other desktops have no result to tell."""
    details = summary(
        desktop(1, "FAIL", "A"),
        desktop(2, "failed", "A"),
        desktop(3, "FAILED", "B"),
        desktop(4, "SKIP", "A"),
        desktop(5, "SUCCESS", "A"),
        desktop(6, "RUNNING", "A"),
        desktop(7, "odd", "A"),
        desktop(8, "", "A"),
        failed=3,
        skipped=1,
    )
    assert details.run_id == "r1"
    assert details.results == (("failed", "A", 2), ("failed", "B", 1), ("skipped", "A", 1))


def test_the_words_of_desktops_follow_the_configuration() -> None:
    """A word that means failure for runs means it for desktops."""
    record = Record("r1", START)
    details = summarize_details(record, [desktop(1, "broken", "A")], Statuses(failed=("BROKEN",)))
    assert details.results == (("failed", "A", 1),)


def test_a_desktop_without_a_code_is_counted_too() -> None:
    """An empty label would be no label."""
    assert summary(desktop(1, "FAIL"), failed=1).results == (("failed", "none", 1),)


def test_the_ten_most_frequent_codes_are_kept() -> None:
    """Equally frequent: those first in the alphabet; the rest as `other`, for each outcome by itself."""
    desktops = [desktop(number, "FAIL", f"C{number:02}") for number in reversed(range(13))]
    desktops += [desktop(20, "FAIL", "C12"), desktop(21, "SKIP", "C00")]
    assert summary(*desktops, failed=14, skipped=1).results == (
        *(("failed", f"C{number:02}", 1) for number in range(9)),
        ("failed", "C12", 2),
        ("failed", "other", 4 - 1),
        ("skipped", "C00", 1),
    )


def test_exactly_ten_codes_leave_no_rest() -> None:
    """No sample of 0."""
    details = summary(*(desktop(number, "FAIL", f"C{number}") for number in range(10)))
    assert [code for _, code, _ in details.results] == [f"C{number}" for number in range(10)]
    details = summary(*(desktop(number, "FAIL", f"C{number:02}") for number in range(11)))
    assert details.results[-1] == ("failed", "other", 1)


@pytest.mark.parametrize(
    ("failed", "skipped", "results"),
    [
        (None, None, [("failed", "A", 1)]),
        (1, 0, [("failed", "A", 1)]),
        (0, 0, [("failed", "A", 1)]),
        (2, 0, [("failed", "A", 1), ("failed", "unread", 1)]),
        (5, 0, [("failed", "A", 1), ("failed", "unread", 4)]),
        (1, 7, [("failed", "A", 1), ("skipped", "unread", 7)]),
    ],
)
def test_what_the_counts_hold_beyond_the_desktops_read_is_unread(
    failed: int | None, skipped: int | None, results: list[tuple[str, str, int]]
) -> None:
    """More than a thousand desktops are not read, and some answers are malformed."""
    details = summary(desktop(1, "FAIL", "A"), failed=failed, skipped=skipped)
    assert list(details.results) == results


def test_no_desktops_at_all() -> None:
    """The counts alone."""
    assert summary(failed=2).results == (("failed", "unread", 2),)
    assert summary() == RunDetails("r1", None, (), ())


def test_upstream_s_own_other_and_unread_are_added() -> None:
    """A result code of that name must not make the same series twice."""
    desktops = [desktop(number, "FAIL", f"C{number:02}") for number in range(9)]
    desktops += [desktop(30, "FAIL", "other"), desktop(31, "FAIL", "other"), desktop(32, "FAIL", "x")]
    desktops += [desktop(33, "FAIL", "unread"), desktop(34, "FAIL", "unread")]
    results = summary(*desktops, failed=20).results
    assert {(outcome, code): number for outcome, code, number in results} == {
        **{("failed", f"C{number:02}"): 1 for number in range(8)},
        ("failed", "other"): 2 + 2,
        ("failed", "unread"): 2 + 6,
    }
    assert len({(outcome, code) for outcome, code, _ in results}) == len(results)


def test_people_are_shown_ten_desktops_by_name() -> None:
    """Failed ones before skipped ones, each with its reason; the name, or else what identifies it."""
    desktops = [
        RecordDetail("d1", desktop_id="i1", status="SKIP", result_code="S", fail_reason="in use"),
        RecordDetail("d2", status="FAIL", fail_reason="任务冲突"),
        RecordDetail("d3", desktop_name="b", desktop_id="i3", status="FAIL", result_code="F"),
        *(RecordDetail(f"x{n:02}", status="FAIL") for n in range(12)),
    ]
    shown = summary(*desktops).failures
    assert len(shown) == 10
    assert [(f.name, f.outcome, f.result_code, f.reason) for f in shown[:3]] == [
        ("b", "failed", "F", ""),
        ("d2", "failed", "none", "任务冲突"),
        ("x00", "failed", "none", ""),
    ]
    (only,) = summary(desktops[0]).failures
    assert (only.name, only.outcome, only.reason) == ("i1", "skipped", "in use")


_DESKTOPS = st.lists(
    st.builds(
        RecordDetail,
        id=st.integers(0, 10**6).map(str),
        desktop_name=st.sampled_from(["", "a", "b"]),
        status=st.sampled_from(["FAIL", "SKIP", "SUCCESS", "odd"]),
        result_code=st.sampled_from(["", "other", "unread", "none", *(f"C{n}" for n in range(20))]),
        end=st.none() | st.floats(900, 1100),
    ),
    max_size=60,
)


@given(_DESKTOPS, st.none() | st.integers(0, 100), st.randoms(use_true_random=False))
def test_every_desktop_is_in_exactly_one_result(
    desktops: list[RecordDetail], failed: int | None, chance: random.Random
) -> None:
    """The results of an outcome add up to its desktops or its count, whichever is more; few, in any order."""
    details = summary(*desktops, failed=failed)
    read = Counter(desktop.status for desktop in desktops)
    sums: Counter[str] = Counter()
    for outcome, _, number in details.results:
        sums[outcome] += number
        assert number > 0
    assert sums["failed"] == max(read["FAIL"], failed or 0)
    assert sums["skipped"] == read["SKIP"]
    series = Counter(outcome for outcome, _, _ in details.results)
    assert all(number <= 12 for number in series.values())
    assert summary(*chance.sample(desktops, len(desktops)), failed=failed) == details
