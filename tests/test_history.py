"""What a task's records mean (contract, section 4), whatever their order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.config import Statuses
from exporter.decode import Page
from exporter.history import RUN_STATUSES, History, Run, RunStatus, runs_of, status_of, summarize
from exporter.paging import Conversation, Read, newest_records
from exporter.records import Record

STATUSES = Statuses()


def look(*records: Record, window: int = 1000, total: int = 0) -> History:
    """What these records tell."""
    return summarize(runs_of(records, STATUSES)[-window:], total=total, truncated=False)


def last_status(*records: Record) -> RunStatus | None:
    """The status of the last run that these records tell of."""
    last = look(*records).last
    return last.status if last else None


def run(start: float, word: str = "SUCCESS", failed: int | None = None, success: int | None = None) -> Record:
    """A record with its start as its id."""
    return Record(f"r{start:g}", start, word, success_num=success, failed_num=failed)


ABSENT = None
GOOD_COUNTS: list[tuple[int | None, int | None]] = [
    (0, ABSENT),
    (0, 0),
    (0, 5),
    (ABSENT, ABSENT),
    (ABSENT, 0),
    (ABSENT, 5),
]
MIXED_COUNTS: list[tuple[int | None, int | None]] = [(1, 1), (7, 300)]
BAD_COUNTS: list[tuple[int | None, int | None]] = [(1, 0), (1, ABSENT), (300, 0)]
TABLE: dict[str, tuple[str | None, str | None, str | None]] = {
    "SUCCESS": ("success", "partial", "failed"),
    "FINISH": ("success", "partial", "failed"),
    "success": ("success", "partial", "failed"),
    "SKIP": ("skipped", "partial", "failed"),
    "Skipped": ("skipped", "partial", "failed"),
    "FAIL": ("failed", "failed", "failed"),
    "failed": ("failed", "failed", "failed"),
    "PARTIAL": ("unknown", "unknown", "unknown"),
    "EXECUTING": ("unknown", "unknown", "unknown"),
    "": ("unknown", "unknown", "unknown"),
    "RUNNING": (None, None, None),
    "waiting": (None, None, None),
    "INIT": (None, None, None),
}
"""The contract's table, a word of each class a row; None is not finished."""


@pytest.mark.parametrize("word", TABLE)
@pytest.mark.parametrize("skipped", [None, 0, 3])
def test_the_table_of_statuses(word: str, skipped: int | None) -> None:
    """The word gives the class, the counts can only make it worse; skipped desktops change nothing."""
    columns = [GOOD_COUNTS, MIXED_COUNTS, BAD_COUNTS]
    for counts, expected in zip(columns, TABLE[word], strict=True):
        for failed, success in counts:
            record = Record("a", 1.0, word, success_num=success, failed_num=failed, skip_num=skipped)
            assert status_of(record, STATUSES) == expected, (word, failed, success)


def test_the_words_are_the_configuration_s() -> None:
    """A word moved to another class means another status."""
    statuses = Statuses(success=("SUCCESS",), failed=("FAIL", "FINISH"), running=("BUSY",))
    assert status_of(run(1, "finish"), statuses) == "failed"
    assert status_of(run(1, "RUNNING"), statuses) == "unknown"
    assert status_of(run(1, "busy", failed=5), statuses) is None


def test_a_task_that_never_ran() -> None:
    """No last run, no starts, no rows: 0 is `none` here."""
    assert look(total=0) == History(
        last=None,
        last_start=0.0,
        newest_by_status=(0.0, 0.0, 0.0, 0.0, 0.0),
        consecutive_unsuccessful=0,
        consecutive_skipped=0,
        running=0,
        running_since=0.0,
        recent=(),
        total=0,
        truncated=False,
    )


def test_one_look_whole() -> None:
    """Every field of a small history, literally."""
    records = [
        run(100, "SUCCESS"),
        run(200, "SKIP"),
        run(300, "FAIL", failed=2),
        run(400, "RUNNING"),
        run(500, "SUCCESS", failed=1, success=9),
        run(600, "WAITING"),
    ]
    runs = runs_of(records, STATUSES)
    history = summarize(runs, total=42, truncated=True)
    assert history.last == Run(records[4], "partial")
    assert history.last_start == 600
    assert dict(zip(RUN_STATUSES, history.newest_by_status, strict=True)) == {
        "success": 100,
        "partial": 500,
        "failed": 300,
        "skipped": 200,
        "unknown": 0,
    }
    assert (history.consecutive_unsuccessful, history.consecutive_skipped) == (2, 0)
    assert (history.running, history.running_since) == (2, 400)
    assert [item.status for item in history.recent] == ["success", "skipped", "failed", None, "partial", None]
    assert (history.total, history.truncated) == (42, True)


def test_a_run_in_progress_hides_nothing() -> None:
    """Neither the last failure nor its counts, however new the run in progress is."""
    failed = run(100, "FAIL", failed=3, success=1)
    history = look(failed, run(200, "RUNNING", failed=0, success=0))
    assert history.last == Run(failed, "failed")
    assert history.last_start == 200
    assert look(run(200, "RUNNING")).last is None


def test_the_last_run_is_that_with_the_newest_start_then_the_greater_id() -> None:
    """Ids are compared as texts, and only among equal starts."""
    history = look(Record("b", 5, "FAIL"), Record("a", 5, "SUCCESS"), Record("z", 4, "SUCCESS"))
    assert history.last is not None
    assert history.last.record.id == "b"
    history = look(Record("9", 5, "SUCCESS"), Record("10", 5, "FAIL"))
    assert history.last is not None
    assert history.last.record.id == "9"


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (Record("a", 5, "RUNNING"), Record("a", 5, "SUCCESS"), "SUCCESS"),
        (Record("a", 9, "RUNNING"), Record("a", 5, "SUCCESS"), "SUCCESS"),
        (Record("a", 9, "FAIL"), Record("a", 5, "SUCCESS"), "FAIL"),
        (Record("a", 5, "FAIL"), Record("a", 9, "SUCCESS"), "SUCCESS"),
        (Record("a", 5, "RUNNING"), Record("a", 9, "INIT"), "INIT"),
        (Record("a", 5, "odd"), Record("a", 5, "FAIL"), "FAIL"),
        (Record("a", 5, "SKIP"), Record("a", 5, "FAIL"), "FAIL"),
        (Record("a", 5, "SKIP"), Record("a", 5, "SUCCESS", 1, 1), "SUCCESS"),
        (Record("a", 5, "odd"), Record("a", 5, "SKIP"), "odd"),
        (Record("a", 5, "SUCCESS"), Record("a", 5, "SKIP"), "SKIP"),
        (Record("a", 5, "SUCCESS"), Record("a", 5, "FINISH"), "SUCCESS"),
    ],
)
def test_the_same_id_twice_is_one_run(first: Record, second: Record, kept: str) -> None:
    """The finished one, otherwise the later one; of equal starts the worse, so that no failure is hidden."""
    for records in ([first, second], [second, first], [first, second, first]):
        (only,) = runs_of(records, STATUSES)
        assert only.record.status == kept


def test_of_two_sightings_with_the_same_word_the_counts_decide() -> None:
    """More failed desktops, then more successful ones; a count beats none."""
    sightings = [
        Record("a", 5, "SUCCESS"),
        Record("a", 5, "SUCCESS", 0, 0),
        Record("a", 5, "SUCCESS", 3, 0),
        Record("a", 5, "SUCCESS", 3, 0, 2),
    ]
    for count in range(1, 5):
        (only,) = runs_of(sightings[:count], STATUSES)
        assert only.record == sightings[count - 1]
        assert runs_of(reversed(sightings[:count]), STATUSES) == [only]


@pytest.mark.parametrize(
    ("words", "unsuccessful", "skipped"),
    [
        ("", 0, 0),
        ("s", 0, 0),
        ("f", 1, 0),
        ("p", 1, 0),
        ("k", 0, 1),
        ("u", 0, 0),
        ("r", 0, 0),
        ("sf", 1, 0),
        ("fs", 0, 0),
        ("sfpf", 3, 0),
        ("fsfpf", 3, 0),
        ("sfkf", 2, 0),
        ("sfuf", 2, 0),
        ("sfkukuf", 2, 0),
        ("sfk", 1, 1),
        ("sfkk", 1, 2),
        ("sfku", 1, 0),
        ("kkuk", 0, 1),
        ("kkrk", 0, 3),
        ("kkr", 0, 2),
        ("frf", 2, 0),
        ("srf", 1, 0),
        ("fffr", 3, 0),
        ("kskk", 0, 2),
        ("kkp", 1, 0),
    ],
)
def test_rows_of_runs(words: str, unsuccessful: int, skipped: int) -> None:
    """Success ends a row of failures; skipped and unknown runs and those going on neither count nor end it.

    Anything finished that is not skipped ends a row of skipped runs.
    """
    kinds = {"s": "SUCCESS", "f": "FAIL", "k": "SKIP", "u": "odd", "r": "RUNNING"}
    records = [
        run(place + 1, "SUCCESS", failed=1, success=1) if letter == "p" else run(place + 1, kinds[letter])
        for place, letter in enumerate(words)
    ]
    history = look(*records)
    assert (history.consecutive_unsuccessful, history.consecutive_skipped) == (unsuccessful, skipped)


def test_the_ten_newest_runs_are_kept_for_people() -> None:
    """Oldest of them first, finished or not."""
    records = [run(n, "RUNNING" if n == 12 else "SUCCESS") for n in range(1, 13)]
    assert [item.record.start for item in look(*records).recent] == list(range(3, 13))


# Properties

WORDS = ["SUCCESS", "success", "FINISH", "FAIL", "SKIP", "RUNNING", "INIT", "odd", ""]
_COUNTS = st.none() | st.integers(0, 3)
_RECORDS = st.lists(
    st.builds(
        Record,
        id=st.sampled_from([f"r{n}" for n in range(30)]),
        start=st.integers(1, 12).map(float),
        status=st.sampled_from(WORDS),
        success_num=_COUNTS,
        failed_num=_COUNTS,
        skip_num=_COUNTS,
    ),
    max_size=25,
)


@given(_RECORDS, st.randoms(use_true_random=False), st.integers(1, 30))
def test_order_and_repetition_change_nothing(
    records: list[Record], chance: random.Random, window: int
) -> None:
    """The same records, shuffled and some of them twice, give an equal history, also of a part of them."""
    again = [*records, *chance.sample(records, len(records) // 2)]
    chance.shuffle(again)
    assert look(*again, window=window) == look(*records, window=window)


def converse(conversation: Conversation[Record], served: list[Record], clamp: int) -> Read[Record]:
    """Read a list that gives at most `clamp` records a page."""
    try:
        request = next(conversation)
        while True:
            part = tuple(served[request.offset : request.offset + min(request.limit, clamp)])
            request = conversation.send(Page(part, len(part), len(served), Counter()))
    except StopIteration as stop:
        read: Read[Record] = stop.value
        return read


@given(
    st.integers(0, 260),
    st.sampled_from(["newest", "oldest", "none"]),
    st.integers(10, 100),
    st.randoms(use_true_random=False),
    st.integers(1, 120),
)
@example(250, "oldest", 100, random.Random(1), 100)
def test_paging_changes_nothing(
    count: int, order: str, clamp: int, chance: random.Random, window: int
) -> None:
    """Newest first, oldest first or in no order, in pages of any size: the same history."""
    records = [
        Record(f"r{n}", 1000.0 + n // 3, WORDS[n * 7 % len(WORDS)], n % 4, n % 3) for n in range(count)
    ]
    listed = {"newest": records[::-1], "oldest": records}.get(order, chance.sample(records, count))
    read = converse(newest_records(window), listed, clamp)
    runs = runs_of([*read.items, *read.repeats], STATUSES)[-window:]
    history = summarize(runs, total=read.total, truncated=read.truncated)
    assert history == look(*records, window=window, total=count)


@given(_RECORDS)
def test_the_history_agrees_with_the_contract_s_sentences(records: list[Record]) -> None:
    """A naive reading: each sentence as a search through all runs."""
    history = look(*records, total=len(records))
    runs = runs_of(records, STATUSES)
    assert len({item.record.id for item in runs}) == len(runs) == len({record.id for record in records})
    finished = sorted(
        (item for item in runs if item.status), key=lambda item: (item.record.start, item.record.id)
    )
    going = [item.record.start for item in runs if item.status is None]
    assert history.last == (finished[-1] if finished else None)
    assert history.last_start == max((item.record.start for item in runs), default=0)
    for status, newest in zip(RUN_STATUSES, history.newest_by_status, strict=True):
        assert newest == max((item.record.start for item in finished if item.status == status), default=0)
    assert (history.running, history.running_since) == (len(going), min(going, default=0))
    statuses = [item.status for item in finished]
    after = statuses[len(statuses) - statuses[::-1].index("success") :] if "success" in statuses else statuses
    assert history.consecutive_unsuccessful == after.count("failed") + after.count("partial")
    row = "".join("k" if status == "skipped" else " " for status in statuses).rpartition(" ")[2]
    assert history.consecutive_skipped == len(row)


@given(_RECORDS)
def test_counts_can_only_make_it_worse(records: list[Record]) -> None:
    """Failed desktops never turn a failure into anything else, and none turn a success into a failure."""
    rank = {"success": 0, "skipped": 0, "partial": 1, "failed": 2}
    for record in records:
        clean, hurt = replace(record, failed_num=0), replace(record, failed_num=1)
        before, after = status_of(clean, STATUSES), status_of(hurt, STATUSES)
        if before in rank and after is not None:
            assert rank[after] >= rank[before]
        else:
            assert before == after
