"""A simulated year of 200 tasks pages for what was planted, and for nothing else.

The year has the clock changes of seven zones, eighteen restarts, tasks that people rename, move, switch and
delete, and two requests in a hundred that fail. The alerts are evaluated by a small model of the rules, which
promtool is asked about for some tasks and days of each kind of alert.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import structlog
import yaml

from exporter.config import Config
from exporter.history import RUN_STATUSES
from exporter.poller import ProjectPoller
from exporter.state import Counts
from tests.programs import require_program
from tests.stories.archive import Archive
from tests.stories.clock import ManualClock
from tests.stories.excerpts import Excerpt, promtool_test
from tests.stories.lifetimes import Lifetime, lifetimes
from tests.stories.planted import Alert, Page, failures, pages, planted
from tests.stories.recorders import Board, Reports, Told
from tests.stories.rules import Prometheus
from tests.stories.watch import configured
from tests.stories.year import BEGIN, END, INTERVAL, POLLS, REFRESH, RESTARTS, last_restart, world_of_the_year

PATIENCE = 2
"""Polls after which something may be seen at the latest: the first one that comes fails now and then."""
A_TURN = REFRESH // INTERVAL
"""Polls within which all records are read again; those of triggered tasks three times as often."""
_MINUTE = 60.0
_SUPERSEDED = "RunFailureSuperseded"


class Year:
    """The year as it was, as the exporter saw it, and what the rules made of that."""

    def __init__(self, seed: int) -> None:
        self.lives = lifetimes(world_of_the_year(seed), END)
        self.planted = planted(self.lives)
        self.paged: list[set[Alert]] = []
        """The alerts that fired at each of the POLLS."""
        self.clock = ManualClock(float(BEGIN))
        self.archive = Archive(self.lives, self.clock.epoch, errors=0.02, seed=seed)
        self.excerpts = list(_excerpts(self.lives, pages(self.planted), each=20))
        self.shown_last: set[str] = set()
        """The ids of the runs that were shown as the last one at some evaluation."""
        self.cycles: list[Told] = []
        self.counted: list[dict[str, Counts]] = []
        """What each process had counted of each task at its end."""
        self._prometheus = Prometheus(INTERVAL)

    def pass_by(self) -> None:
        """Let the exporter watch the year, from one restart to the next."""
        polling = {"interval": f"{INTERVAL}s", "refresh": f"{REFRESH}s", "details": False, "max_age": "7d"}
        config = configured(polling=polling)
        with asyncio.Runner() as runner:
            for begin in range(BEGIN, END, RESTARTS):
                self._watch(config, begin, runner)

    def _watch(self, config: Config, begin: int, runner: asyncio.Runner) -> None:
        """Let one process watch until it is restarted."""
        board, reports = Board(), Reports()
        poller = ProjectPoller(
            config.projects[0],
            config,
            upstream=self.archive,
            publisher=board,
            observer=reports,
            clocks=self.clock.clocks,
        )
        for at in range(begin, min(begin + RESTARTS, END), INTERVAL):
            self.clock.pass_time(at - self.clock.epoch())
            runner.run(poller.cycle())
            while at == begin and not reports.cycles[-1].ok:
                self.clock.pass_time(_MINUTE)  # not in two hours: alerts are held for minutes
                runner.run(poller.cycle())
            self._evaluate(board)
        self.cycles += reports.cycles
        self.counted.append({task_id: state.counts for task_id, state in board.states.items()})

    def _evaluate(self, board: Board) -> None:
        now = self.clock.epoch()
        self.paged.append(self._prometheus.evaluate(now, board.states, board.last_polls))
        for excerpt in self.excerpts:
            excerpt.look(now, board.states, board.last_polls)
        for state in board.states.values():
            if state.history is not None and state.history.last is not None:
                self.shown_last.add(state.history.last.record.id)


def _excerpts(lives: list[Lifetime], planted: list[Page], each: int) -> Iterator[Excerpt]:
    """Choose excerpts about some pages of each kind, about restarts during some, and hidden failures."""
    chosen: Counter[str] = Counter()
    for kind, task_id, place in (*_hidden(lives), *_moments(planted)):
        chosen[kind] += 1
        if chosen[kind] <= each and 2 <= place < len(POLLS) - 14:
            yield Excerpt(kind, task_id, POLLS[place - 2], POLLS[place + 14])


def _moments(planted: list[Page]) -> Iterator[tuple[str, str, int]]:
    for page in planted:
        yield page.alert, page.task_id, page.on
        restart = int(last_restart(POLLS[page.off - 1]))
        if restart > POLLS[page.on]:
            yield "restart", page.task_id, POLLS.index(restart)


def _hidden(lives: list[Lifetime]) -> Iterator[tuple[str, str, int]]:
    """Yield the failures that another run followed before the next poll, and that poll."""
    for life in lives:
        for run, later in pairwise(life.runs):
            if run.end and later.end and run.verdict == "failed" != later.verdict and run.end > BEGIN:
                place = bisect_left(POLLS, run.end)
                if later.start > run.end and bisect_left(POLLS, later.end) == place:
                    yield _SUPERSEDED, life.task.id, place


@pytest.fixture(scope="module")
def year() -> Iterator[Year]:
    """Let the year pass, once for all tests."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with _unmeasured():
        passed = Year(seed=1)
        passed.pass_by()
    yield passed
    structlog.reset_defaults()


@contextmanager
def _unmeasured() -> Iterator[None]:
    """Trace nothing meanwhile: coverage takes two thirds of the time, and each line is another test's."""
    tracing = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracing)


def test_every_planted_failure_miss_and_stuck_run_pages_and_nothing_else_does(year: Year) -> None:
    """Each alert fires in time where it was planted, does not flap, ends in time, and no other one fires."""
    paged = [{alert for alert in firing if alert[0] != _SUPERSEDED} for firing in year.paged]
    kinds = Counter(page.alert for page in pages(year.planted))
    for kind, least in (("RunFailed", 200), ("RunMissed", 150), ("RunStuck", 60), ("NoRecentSuccess", 10)):
        assert kinds[kind] >= least
    assert list(_disagreements(year.planted, paged, _triggered(year.lives))) == []
    planted = Counter((page.alert, page.task_id) for page in pages(year.planted))
    assert Counter((page.alert, page.task_id) for page in pages(paged)) <= planted


def _disagreements(
    planted: list[set[Alert]], paged: list[set[Alert]], triggered: set[str]
) -> Iterator[tuple[int, Alert, str]]:
    """Yield at which poll an alert is missing although it was planted for long, or fires for nothing."""
    for place, firing in enumerate(paged):
        for alert in firing | planted[place]:
            due, over = _patience(alert, triggered)
            lately = [alert in each for each in planted[max(place - max(due, over), 0) : place + 1]]
            if alert in firing and not any(lately[-over - 1 :]):
                yield place, alert, "nobody planted it"
            if alert not in firing and all(lately[-due - 1 :]) and place >= due:
                yield place, alert, "it is missing"


def _patience(alert: Alert, triggered: set[str]) -> tuple[int, int]:
    """Return after how many polls an alert must fire, and after how many it must have ended.

    Nothing in the list tells of events, nor of the end of a run that was given up as stuck.
    """
    name, task_id = alert
    seen = PATIENCE + (A_TURN // 3 if task_id in triggered else 0)
    return seen, (PATIENCE + A_TURN if name == "RunStuck" else seen)


def _triggered(lives: list[Lifetime]) -> set[str]:
    return {life.task.id for life in lives if life.chapter(BEGIN).plan.triggered}


def test_nearly_all_is_seen_at_the_first_poll(year: Year) -> None:
    """Of the alerts of timed tasks 98 in 100 fire at the poll after their cause."""
    triggered = _triggered(year.lives)
    timed = [page for page in pages(year.planted) if page.task_id not in triggered]
    at_once = sum((page.alert, page.task_id) in year.paged[page.on] for page in timed)
    assert at_once >= 0.98 * len(timed)


def test_a_failure_that_was_never_the_last_run_is_told_as_superseded(year: Year) -> None:
    """No failed run goes unnoticed, and that alert fires for no other."""
    told = {(page.task_id, page.on) for page in pages(year.paged) if page.alert == _SUPERSEDED}
    hidden = 0
    for life in year.lives:
        for run in failures(life):
            if run.end is None or not BEGIN < run.end <= POLLS[-1 - A_TURN] or run.id in year.shown_last:
                continue
            first = bisect_left(POLLS, run.end)
            seen = {(life.task.id, place) for place in range(first, first + A_TURN)} & told
            assert seen, f"{run} went unnoticed"
            told -= {min(seen, key=lambda page: page[1])}
            hidden += 1
    assert hidden > 0
    assert not told


def test_each_process_counts_what_ended_while_it_watched(year: Year) -> None:
    """Each run once: none that ended outside its time, and all of those but the latest."""
    most: Counter[tuple[int, str, str]] = Counter()
    least: Counter[tuple[int, str, str]] = Counter()
    for life in year.lives:
        for run in life.runs:
            if run.end is not None and BEGIN <= run.end < END:
                process, since = divmod(run.end - BEGIN, RESTARTS)
                key = process, life.task.id, run.verdict
                until = min(RESTARTS, END - BEGIN - process * RESTARTS) - INTERVAL
                most[key] += since <= until
                least[key] += 10 * _MINUTE < since <= until - (PATIENCE + A_TURN) * INTERVAL
    assert sum(least.values()) > 0.8 * sum(most.values())
    for process, counted in enumerate(year.counted):
        for task_id, counts in counted.items():
            for status, number in zip(RUN_STATUSES, counts.runs, strict=True):
                key = process, task_id, status
                assert least[key] <= number <= most[key], key


def test_two_requests_in_a_hundred_fail_and_the_year_is_watched_all_the_same(year: Year) -> None:
    """The errors were really there; those that no retry mended were mended by the next cycle."""
    archive = year.archive
    assert 0.018 < archive.broken / archive.requests < 0.022
    assert archive.failed["list_tasks"] > 50
    assert archive.failed["list_records"] > 200
    assert sum(cycle.ok for cycle in year.cycles) > 0.85 * len(year.cycles)


@pytest.mark.real
def test_promtool_makes_of_some_excerpts_what_the_model_of_the_rules_does(year: Year, tmp_path: Path) -> None:
    """The model of the rules is the rules, as far as this year can tell."""
    promtool = require_program("promtool")
    sample = list(_sample(year.excerpts, each=1))
    kinds = {alert for excerpt in sample for firing in excerpt.alerts(INTERVAL) for alert, _ in firing}
    assert kinds == {page.alert for page in pages(year.paged)}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(promtool_test(sample, INTERVAL)), "utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", tmp_path / "test.yml"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _sample(excerpts: list[Excerpt], each: int) -> Iterator[Excerpt]:
    """Yield one excerpt of a task at most, and so many of each kind."""
    used: set[str] = set()
    kinds: Counter[str] = Counter()
    for excerpt in excerpts:
        if excerpt.tellable and excerpt.task_id not in used:
            found = {alert for firing in excerpt.alerts(INTERVAL) for alert, _ in firing} | {excerpt.kind}
            if any(kinds[kind] < each for kind in found):
                kinds.update(found)
                used.add(excerpt.task_id)
                yield excerpt
