"""Each finished run counted once, however it was polled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.config import Statuses
from exporter.counting import Met, meet
from exporter.history import RUN_STATUSES, Run, runs_of
from exporter.records import Record

STATUSES = Statuses()
WINDOW = 10


def rec(number: int, word: str = "SUCCESS", *counts: int | None) -> Record:
    """The record of run `number`, which started then."""
    return Record(f"r{number}", 1000.0 + number, word, *counts)


def read(
    before: Met | None,
    *records: Record,
    window: int = WINDOW,
    truncated: bool = False,
    new_task: bool = False,
) -> Met:
    """What is met after a read of these records."""
    runs = runs_of(records, STATUSES)[-window:]
    return meet(before, runs, window=window, truncated=truncated, new_task=new_task)


def counted(met: Met) -> dict[str, int]:
    """The runs counted by status, without the zeros."""
    return {name: n for name, n in zip(RUN_STATUSES, met.counts.runs, strict=True) if n}


def test_what_had_finished_before_the_first_read_is_not_counted() -> None:
    """A restart must not look like a hundred failures; the counters start at 0."""
    met = read(None, rec(1), rec(2, "FAIL", 0, 5))
    assert met.counts.runs == (0, 0, 0, 0, 0)
    assert met.counts.desktops == (0, 0, 0)


def test_each_run_that_finishes_later_counts_once() -> None:
    """Also several between two reads, and however often they are read."""
    met = read(None, rec(1))
    met = read(met, rec(1), rec(2, "FAIL", 1, 5, 2), rec(3, "SUCCESS", 9, 1, None), rec(4, "SKIP"))
    assert counted(met) == {"failed": 1, "partial": 1, "skipped": 1}
    assert met.counts.desktops == (10, 6, 2)
    for _ in range(3):
        assert read(met, rec(1), rec(2, "FAIL"), rec(3), rec(4, "SKIP")).counts == met.counts


def test_every_status_has_its_counter() -> None:
    """success, partial, failed, skipped, unknown."""
    met = read(read(None), rec(1), rec(2, "SUCCESS", 1, 1), rec(3, "FAIL"), rec(4, "SKIP"), rec(5, "odd"))
    assert met.counts.runs == (1, 1, 1, 1, 1)


def test_counts_that_upstream_did_not_give_add_nothing() -> None:
    """None is not known; nothing is taken for it."""
    met = read(read(None), rec(1, "SUCCESS", None, None, 3))
    assert met.counts.desktops == (0, 0, 3)


def test_a_run_in_progress_counts_when_it_has_finished() -> None:
    """Its desktops too, and only then."""
    met = read(None, rec(1, "RUNNING", 5))
    assert read(met, rec(1, "RUNNING", 7)).counts == met.counts
    met = read(met, rec(1, "FAIL", 7, 1))
    assert (counted(met), met.counts.desktops) == ({"failed": 1}, (7, 1, 0))


def test_a_late_finisher_with_an_older_start_counts() -> None:
    """A run that outlived a newer one; so not only the newest start is remembered."""
    met = read(None, rec(1, "RUNNING"), rec(2))
    met = read(met, rec(1, "RUNNING"), rec(2), rec(3))
    met = read(met, rec(1, "FAIL"), rec(2), rec(3))
    assert counted(met) == {"success": 1, "failed": 1}


def test_the_first_finished_status_seen_is_the_one_counted() -> None:
    """A status that changes its mind is not counted again, also not over a run in progress in between."""
    met = read(read(None), rec(1, "FAIL"))
    met = read(met, rec(1, "SUCCESS"))
    met = read(met, rec(1, "RUNNING"))
    met = read(met, rec(1, "SUCCESS"))
    assert counted(met) == {"failed": 1}


def test_all_runs_of_a_new_task_count() -> None:
    """It was missing from an earlier list, so its first run is news, even if it has already failed."""
    met = read(None, rec(1, "FAIL"), rec(2), new_task=True)
    assert counted(met) == {"failed": 1, "success": 1}
    assert read(met, rec(1, "FAIL"), rec(2), new_task=True).counts == met.counts


def test_all_runs_of_a_new_task_count_though_the_first_read_was_cut_short() -> None:
    """None of them can have finished before the task was there, not even one that the read missed."""
    met = read(None, rec(5), truncated=True, new_task=True)
    assert counted(read(met, rec(3, "FAIL"), rec(5))) == {"success": 1, "failed": 1}


def test_the_first_run_of_a_task_that_had_none_counts() -> None:
    """An empty first read is a first read."""
    assert counted(read(read(None), rec(1, "FAIL"))) == {"failed": 1}


def test_a_run_with_the_start_of_another_counts() -> None:
    """Two runs may start at the same second."""
    met = read(None, Record("b", 5.0, "SUCCESS"))
    met = read(met, Record("b", 5.0, "SUCCESS"), Record("a", 5.0, "FAIL"))
    assert counted(met) == {"failed": 1}


def test_older_records_that_come_into_a_full_window_do_not_count() -> None:
    """Newer ones were deleted upstream, so the window reaches back further than ever."""
    everything = [rec(n, "FAIL") for n in range(1, 16)]
    met = read(None, *everything)
    met = read(met, *everything[:10])
    assert counted(met) == {}
    met = read(met, *everything[:10], rec(16))
    assert counted(met) == {"success": 1}


def test_the_oldest_run_of_a_full_window_may_still_finish() -> None:
    """The edge belongs to the window."""
    full = [rec(1, "RUNNING"), *(rec(n) for n in range(2, 11))]
    met = read(None, *full)
    assert counted(read(met, rec(1, "FAIL"), *full[1:])) == {"failed": 1}


def test_a_run_that_appears_late_in_a_full_window_counts() -> None:
    """Only what is older than the window's oldest run may have lain outside it."""
    full = [rec(n) for n in range(2, 22, 2)]
    met = read(read(None, *full), *full, rec(3, "FAIL"))
    assert counted(met) == {"failed": 1}


def test_a_run_seen_in_progress_counts_when_it_comes_back_finished() -> None:
    """It slipped out of the window, finished there, and returned when others were deleted."""
    met = read(None, rec(1, "RUNNING"), *(rec(n) for n in range(2, 11)))
    met = read(met, *(rec(n) for n in range(2, 12)))
    met = read(met, rec(1, "FAIL"), *(rec(n) for n in range(2, 10)), rec(11))
    assert counted(met) == {"success": 1, "failed": 1}
    assert read(met, rec(1, "FAIL"), rec(11)).counts == met.counts


def test_a_window_that_is_not_full_has_no_floor() -> None:
    """All records are seen, so one with an old start that appears is new."""
    met = read(None, rec(5))
    assert counted(read(met, rec(1, "FAIL"), rec(5))) == {"failed": 1}


def test_a_smaller_window_than_the_list_counts_what_is_in_it() -> None:
    """More runs than the window holds between two reads: those within it."""
    met = read(None, *(rec(n) for n in range(1, 11)))
    met = read(met, *(rec(n) for n in range(1, 41)))
    assert counted(met) == {"success": 10}


def test_a_truncated_read_moves_the_floor_to_its_newest_run() -> None:
    """Newer ones may exist that it missed: what shows up later and is older need not be new."""
    met = read(None, rec(1), rec(2), rec(5), truncated=True)
    met = read(met, rec(1), rec(3, "FAIL"), rec(5), rec(6))
    assert counted(met) == {"success": 1}


def test_a_truncated_read_after_a_whole_one_makes_no_run_old() -> None:
    """A list that shifted while it was paged hid a run that has finished since: it counts once it is seen."""
    met = read(read(None, rec(1)), rec(1), rec(5), truncated=True)
    met = read(met, rec(1), rec(3, "FAIL"), rec(5), truncated=True)
    assert counted(met) == {"success": 1, "failed": 1}
    assert counted(read(met, rec(1), rec(3, "FAIL"), rec(4), rec(5))) == {"success": 2, "failed": 1}


def test_a_run_seen_in_progress_counts_after_truncated_reads_too() -> None:
    """That one is known to have finished since."""
    met = read(None, rec(1, "RUNNING"), rec(5), truncated=True)
    assert counted(read(met, rec(1, "FAIL"), rec(5), truncated=True)) == {"failed": 1}


def test_an_empty_truncated_read_moves_nothing() -> None:
    """There is no newest run to move it to."""
    for met in (read(read(None), truncated=True), read(None, truncated=True)):
        assert counted(read(met, rec(1))) == {"success": 1}


def test_a_server_that_wavers_changes_nothing() -> None:
    """Answers from an older copy, then from a newer one, then an empty one: nothing is counted twice."""
    old = [rec(n) for n in range(1, 6)]
    new = [*old, rec(6, "FAIL")]
    met = read(None, *old)
    for view in (new, old, new, [], new, old[:2], new):
        met = read(met, *view)
    assert counted(met) == {"failed": 1}


def test_what_is_remembered_is_bounded() -> None:
    """This window's finished runs and as many again, and a hundred that never end, however long we live."""
    met = read(None)
    for first in range(0, 3000, 10):
        met = read(met, *(rec(first + n, "SUCCESS" if n % 2 else "RUNNING") for n in range(10)))
    assert len(met.ids) == 5 + WINDOW
    assert len(met.running) == 5 + 100


def test_what_is_read_again_takes_no_room_from_what_was_before() -> None:
    """A server that stays with one copy for long still counts nothing twice when it shows the other."""
    met = read(None, *(rec(n) for n in range(1, 7)))
    for _ in range(3):
        met = read(met, *(rec(n, "FAIL") for n in range(7, 13)))
    assert counted(read(met, *(rec(n) for n in range(1, 7)))) == {"failed": 6}


def test_a_long_run_takes_no_room_from_one_out_of_sight() -> None:
    """However often it is read, it is awaited once: the other one still counts when it has finished."""
    met = read(None, rec(1, "RUNNING"), rec(2, "RUNNING"), window=2)
    for _ in range(101):
        met = read(met, rec(2, "RUNNING"), rec(3), window=2)
    assert counted(read(met, rec(1, "FAIL"), rec(2, "RUNNING"), window=2)) == {"success": 1, "failed": 1}


# Properties


@dataclass
class Upstream:
    """A server: runs start, finish and are deleted; it remembers what it looked like."""

    runs: dict[int, str] = field(default_factory=dict)
    looks: list[list[Record]] = field(default_factory=list)

    def change(self, kind: str, which: int, word: str) -> None:
        """Start the next run, or let one of those there are finish or vanish."""
        there = sorted(self.runs)
        going = [number for number in there if self.runs[number] == "RUNNING"]
        if kind == "start":
            self.runs[len(self.looks)] = "RUNNING" if which % 2 else word
        elif kind == "finish" and going:
            self.runs[going[which % len(going)]] = word
        elif kind == "delete" and there:
            del self.runs[there[which % len(there)]]
        self.looks.append([rec(number, state) for number, state in self.runs.items()])


@dataclass
class Naive:
    """The same counting with an endless memory, and a sentence of the contract for each line."""

    first: bool = True
    known: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)
    outside: set[tuple[float, str]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def read(self, runs: list[Run], everything: list[Record]) -> None:
        """Take a window in; `everything` is what upstream holds."""
        for run in runs:
            if run.status is None:
                self.going.add(run.record.id)
                continue
            new = run.record.id in self.going or run.order not in self.outside
            if run.record.id not in self.known and new and not self.first:
                self.counts[run.status] += 1
            self.known.add(run.record.id)
        inside = {run.record.id for run in runs}
        self.outside |= {(r.start, r.id) for r in everything if r.id not in inside}
        self.first = False


_FINISHED_OUTSIDE = [
    ("start", 1, "SUCCESS", False),
    ("start", 1, "SUCCESS", False),
    ("start", 1, "SUCCESS", True),
    ("start", 1, "SUCCESS", True),
    ("finish", 0, "SUCCESS", False),
    ("delete", 1, "SUCCESS", True),
]
"""The oldest of four runs in progress ends outside a window of three, and returns when another vanishes."""
_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "start", "finish", "finish", "delete"]),
        st.integers(0, 50),
        st.sampled_from(["SUCCESS", "FAIL", "SKIP", "odd"]),
        st.booleans(),
    ),
    max_size=60,
)


@given(_CHANGES, st.integers(3, 12))
@example(_FINISHED_OUTSIDE, 3)
@settings(max_examples=300)
def test_counting_agrees_with_an_endless_memory(
    changes: list[tuple[str, int, str, bool]], window: int
) -> None:
    """Any sequence of starts, ends and deletions, read at any moments, with any window."""
    upstream, naive = Upstream(), Naive()
    met: Met | None = None
    for kind, which, word, reads in changes:
        upstream.change(kind, which, word)
        if reads:
            everything = upstream.looks[-1]
            naive.read(runs_of(everything, STATUSES)[-window:], everything)
            met = read(met, *everything, window=window)
            assert counted(met) == dict(naive.counts)


@given(_CHANGES, st.lists(st.integers(0, 3), min_size=60, max_size=60))
@settings(max_examples=300)
def test_counting_agrees_with_the_ledger(changes: list[tuple[str, int, str, bool]], ages: list[int]) -> None:
    """A server that wavers between its last four states, a window that holds everything: the plain truth.

    Counted is each run that some read showed finished, but for those that the first read showed so.
    """
    upstream = Upstream()
    met: Met | None = None
    seen: dict[str, str] = {}
    baseline: set[str] = set()
    for (kind, which, word, reads), age in zip(changes, ages, strict=False):
        upstream.change(kind, which, word)
        if not reads:
            continue
        view = runs_of(upstream.looks[-1 - min(age, len(upstream.looks) - 1)], STATUSES)
        for run in view:
            if run.status is not None:
                seen.setdefault(run.record.id, run.status)
        if met is None:
            baseline = set(seen)
        met = meet(met, view, window=1000, truncated=False, new_task=False)
        assert counted(met) == Counter(status for key, status in seen.items() if key not in baseline)
