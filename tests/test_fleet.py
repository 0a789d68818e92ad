"""The selected tasks of a project: who joins, who leaves, what is shown, in which order they are read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from exporter.fleet import Fleet
from exporter.paging import Read
from exporter.records import Record, Task
from exporter.selection import Shard
from exporter.tracking import TrackedTask
from tests.stories.clock import EPOCH, ManualClock
from tests.stories.recorders import Board
from tests.stories.upstream import missing, server_error
from tests.stories.watch import DAILY, configured, listed, record


class Ships:
    """A fleet, its board, and a clock."""

    def __init__(
        self,
        *,
        shard: Shard | None = None,
        polling: dict[str, Any] | None = None,
        project_id: str = "p1",
        **project: Any,
    ) -> None:
        config = configured(polling=polling, **project)
        self.project_id = project_id
        self.clock = ManualClock()
        self.board = Board()
        self.fleet = Fleet(config.projects[0], config, shard or Shard(), self.board)

    def relist(self, *tasks: Task | str, complete: bool = True, after: float = 60.0) -> None:
        """The list is read and holds these tasks."""
        self.clock.pass_time(after)
        entries = [listed(task) if isinstance(task, str) else task for task in tasks]
        self.fleet.list_read(
            entries,
            complete=complete,
            project_id=self.project_id,
            now=self.clock.epoch(),
            moment=self.clock.monotonic(),
        )

    def lose_list(self, *, forbidden: bool, after: float = 60.0) -> None:
        """The list cannot be read."""
        self.clock.pass_time(after)
        self.fleet.list_unavailable(
            forbidden=forbidden,
            project_id=self.project_id,
            now=self.clock.epoch(),
            moment=self.clock.monotonic(),
        )

    def read(self, task_id: str, *records: Record) -> None:
        """The records of a task are read."""
        task = self[task_id]
        got = Read(items=list(records), total=len(records))
        task.records(got, None, now=self.clock.epoch(), moment=self.clock.monotonic())
        self.fleet.publish(task)

    def fail(self, task_id: str, error: Any = None) -> None:
        """They cannot be read."""
        task = self[task_id]
        task.records_failed(error or server_error(), now=self.clock.epoch(), moment=self.clock.monotonic())
        self.fleet.publish(task)

    def confirm(self) -> None:
        """The list that was just read tells what is current."""
        self.fleet.due(now=self.clock.epoch(), moment=self.clock.monotonic(), listed=True)

    def due(self) -> list[tuple[str, str]]:
        """Return which tasks are to be read, and why, in order."""
        found = self.fleet.due(now=self.clock.epoch(), moment=self.clock.monotonic(), listed=False)
        return [(task.state.task_id, why.reason) for task, why in found]

    @property
    def shown(self) -> list[str]:
        """The ids on the board."""
        return sorted(self.board.states)

    def __getitem__(self, task_id: str) -> TrackedTask:
        """Return a tracked task."""
        return next(task for task in self.fleet if task.state.task_id == task_id)

    def counted(self, task_id: str) -> int:
        """Return how many runs of a task were counted."""
        return sum(self.board.states[task_id].counts.runs)


# --- joining and leaving ------------------------------------------------------------------------------------


def test_discovered_tasks_join_and_leave_with_the_list() -> None:
    """Their series go in the same cycle."""
    ships = Ships()
    ships.relist("a", "b")
    assert (ships.shown, len(ships.fleet)) == (["a", "b"], 2)
    ships.relist("b", "c")
    assert (ships.shown, len(ships.fleet)) == (["b", "c"], 2)
    ships.relist()
    assert (ships.shown, len(ships.fleet)) == ([], 0)


def test_a_task_that_is_renamed_moves_in_and_out_of_the_selection() -> None:
    """It leaves with its old name and comes back as one already counted."""
    ships = Ships(discovery={"include": ["^prod"], "exclude": ["test"]})
    ships.relist(listed("a", name="prod 1"), listed("b", name="dev"))
    assert ships.shown == ["a"]
    ships.read("a", record("r1", EPOCH))
    ships.relist(listed("a", name="prod test"), listed("b", name="prod 2"))
    assert ships.shown == ["b"]
    ships.relist(listed("a", name="prod 3"), listed("b", name="prod 2"))
    assert ships.board.states["a"].name == "prod 3"
    ships.read("a", record("r1", EPOCH), record("r2", EPOCH + 60))
    assert ships.counted("a") == 1


def test_a_task_that_enters_the_selection_is_not_new() -> None:
    """It was in an earlier list: what had finished before it was read is not counted."""
    ships = Ships(discovery={"include": ["^prod"]})
    ships.relist(listed("a", name="dev"))
    ships.relist(listed("a", name="prod"))
    ships.read("a", record("r1", EPOCH))
    assert ships.counted("a") == 0


def test_a_task_that_an_earlier_list_did_not_hold_is_new() -> None:
    """All its runs are counted; those of tasks that were there at first are not."""
    ships = Ships()
    ships.relist("a")
    ships.relist("a", "b")
    for task_id in "ab":
        ships.read(task_id, record("r1", EPOCH))
    assert (ships.counted("a"), ships.counted("b")) == (0, 1)


def test_a_configured_task_is_new_when_the_list_first_holds_it() -> None:
    """It was watched before it existed."""
    ships = Ships(tasks=[{"id": "a"}])
    ships.relist()
    ships["a"].missing(now=ships.clock.epoch(), moment=ships.clock.monotonic())
    ships.relist("a")
    ships.read("a", record("r1", EPOCH))
    assert ships.counted("a") == 1


def test_a_list_that_wavers_counts_nothing_twice() -> None:
    """What was counted of a task that left is remembered for max_age, and its counters go on."""
    ships = Ships(polling={"max_age": "1h"})
    ships.relist("a")
    ships.read("a")
    ships.read("a", record("r1", EPOCH))
    ships.relist()
    ships.relist("a", after=3599)
    assert ships.counted("a") == 1
    ships.read("a", record("r1", EPOCH), record("r2", EPOCH + 60))
    assert ships.counted("a") == 2
    ships.relist()
    ships.relist(after=3601)
    ships.relist("a")
    ships.read("a", record("r1", EPOCH), record("r2", EPOCH + 60))
    assert ships.counted("a") == 2, "gone for so long it is another task, all of whose runs are news"


@pytest.mark.parametrize(("away", "known"), [(3600, True), (3601, False)])
def test_who_left_is_remembered_for_max_age(away: float, known: bool) -> None:  # noqa: FBT001 - the expectation
    """Though nothing was read of it, what it did before is no news when it comes back within that time."""
    ships = Ships(polling={"max_age": "1h"})
    ships.relist("a")
    ships.relist()
    ships.relist(after=away - 60)
    ships.relist("a")
    ships.read("a", record("r1", EPOCH))
    assert ships.counted("a") == (0 if known else 1)


def test_what_was_counted_takes_no_memory_after_max_age() -> None:
    """Tasks that come and go leave nothing behind for ever."""
    ships = Ships(polling={"max_age": "1h"})
    ships.relist("a")
    ships.read("a")
    ships.relist()
    for after, kept in ((3600, ["a"]), (1, [])):
        ships.relist(after=after)
        assert list(ships.fleet._departed) == kept


def test_a_cut_list_makes_nobody_leave_and_nobody_new() -> None:
    """A task that it does not hold may exist; one that it shows outside the selection leaves."""
    ships = Ships(discovery={"exclude": ["off"]})
    ships.relist("a", "b", "c")
    ships.relist("a", listed("b", name="off"), "d", complete=False)
    assert ships.shown == ["a", "c", "d"]
    ships.relist("a", "c", "d", "e")
    for task_id in "de":
        ships.read(task_id, record("r1", EPOCH))
    assert [ships.counted(task_id) for task_id in "de"] == [0, 0]
    ships.relist("a", "c", "d", "e", "f")
    ships.read("f", record("r1", EPOCH))
    assert ships.counted("f") == 1


def test_a_task_that_upstream_denies_leaves_although_the_list_is_cut() -> None:
    """Its records said that it does not exist; another failure says nothing of the kind."""
    ships = Ships()
    ships.relist("a", "b", "c")
    ships.fail("a")
    ships.fail("b", missing())
    ships.relist("c", complete=False)
    assert ships.shown == ["a", "c"]


def test_configured_tasks_are_watched_whatever_the_list_says() -> None:
    """In it, not in it, or without it; with its own thresholds."""
    ships = Ships(tasks=[{"id": "a", "grace": "1m"}])
    ships.relist("b")
    assert (ships.shown, ships.board.states["a"].listing) == (["a"], None)
    ships.relist("a", "b")
    assert (ships.shown, ships.board.states["a"].grace) == (["a"], 60.0)
    ships.lose_list(forbidden=True)
    assert ships.shown == ["a"]


def test_a_forbidden_list_takes_back_what_it_said_and_a_failing_one_does_not() -> None:
    """The switch and the next run are absent without the permission, and stay while the list fails."""
    ships = Ships(tasks=[{"id": "a"}, {"id": "b"}])
    ships.relist("a", after=0)
    ships.lose_list(forbidden=False)
    assert (ships.board.states["a"].enabled, ships.board.states["b"].enabled) == (True, None)
    ships.lose_list(forbidden=True)
    assert ships.board.states["a"].enabled is None


def test_configured_tasks_join_without_any_list() -> None:
    """Discovered ones cannot. Nor need the project's id be known: a refused sign-in tells none."""
    for forbidden, project_id in ((True, "p1"), (False, "p1"), (False, "")):
        ships = Ships(tasks=[{"id": "a"}], discovery={}, project_id=project_id)
        ships.lose_list(forbidden=forbidden)
        assert ships.shown == ["a"]


def test_the_shards_share_the_tasks_out() -> None:
    """Together they watch all, each task once; so do configured ones."""
    projects: list[dict[str, Any]] = [{}, {"tasks": [{"id": f"t{number}"} for number in range(200)]}]
    for project in projects:
        shown: list[str] = []
        for index in range(4):
            ships = Ships(shard=Shard(index, 4), **project)
            ships.relist(*(f"t{number}" for number in range(200)))
            assert 25 < len(ships.shown) < 75
            shown += ships.shown
        assert sorted(shown) == sorted(f"t{number}" for number in range(200))


def test_the_fleet_tells_whom_the_list_held() -> None:
    """Not the configured task that it never held, and not who has left; a list that fails changes nothing."""
    ships = Ships(tasks=[{"id": "a"}], discovery={})
    ships.relist("b", "c")
    assert ships.fleet.listed == {"b", "c"}
    ships.lose_list(forbidden=False)
    ships.relist("a", "b")
    assert ships.fleet.listed == {"a", "b"}
    ships.relist("b")
    assert ships.fleet.listed == {"b"}


def test_clearing_takes_everything_off_the_board() -> None:
    """As when the project is no longer configured."""
    ships = Ships()
    ships.relist("a", "b")
    ships.fleet.clear()
    assert (ships.shown, len(ships.fleet)) == ([], 0)


# --- what is shown ------------------------------------------------------------------------------------------


def test_an_unchanged_list_shows_nothing_anew() -> None:
    """A thousand tasks that did nothing cost nothing."""
    ships = Ships()
    ships.relist("a")
    puts = ships.board.puts["a"]
    ships.relist("a")
    assert ships.board.puts["a"] == puts
    ships.relist(listed("a", name="renamed"))
    assert (ships.board.puts["a"], ships.board.states["a"].name) == (puts + 1, "renamed")


def test_a_task_that_is_current_is_touched_and_one_to_be_read_is_not() -> None:
    """Only its last_poll changes."""
    ships = Ships()
    ships.relist("a", "b")
    for task_id in "ab":
        ships.read(task_id)
    puts = +ships.board.puts
    ships.relist("a", listed("b", last_status="FAIL"))
    ships.confirm()
    assert ships.board.last_polls == {"a": ships.clock.epoch(), "b": ships.clock.epoch() - 60}
    assert ships.board.puts - puts == {"b": 1}
    polls = dict(ships.board.last_polls)
    ships.lose_list(forbidden=False)
    ships.due()
    assert ships.board.last_polls == polls, "a list that was not read confirms nothing"


def test_the_list_brings_back_what_was_withdrawn() -> None:
    """After a day without any answer, it shows that nothing has happened."""
    ships = Ships(polling={"max_age": "1h"})
    ships.relist("a")
    ships.read("a", record("r1", EPOCH))
    ships.clock.pass_time(3600)
    ships.fleet.advance(ships.clock.epoch())
    assert ships.board.states["a"].history is None
    ships.relist("a")
    ships.confirm()
    assert ships.board.states["a"].history is not None
    assert ships.board.states["a"].last_poll == ships.clock.epoch()


def test_the_clock_alone_changes_what_is_shown() -> None:
    """An occurrence falls due, data becomes too old; in between nothing is looked at."""
    ships = Ships(polling={"max_age": "20h"})
    ships.relist("a", "b", after=0)
    ships["a"].schedule_read(DAILY, now=EPOCH)
    for task_id in "ab":
        ships.read(task_id, record("r1", EPOCH))
    puts = +ships.board.puts
    nine = EPOCH + 17 * 3600
    for now in (EPOCH + 1, nine - 1):
        ships.fleet.advance(now)
    assert ships.board.puts == puts
    ships.fleet.advance(nine)
    assert ships.board.states["a"].expected_run == nine
    assert ships.board.puts - puts == {"a": 1}
    ships.fleet.advance(EPOCH + 20 * 3600)
    assert [ships.board.states[task_id].history for task_id in "ab"] == [None, None]
    assert ships.fleet._next_change == math.inf


def test_each_task_is_withdrawn_at_its_own_moment() -> None:
    """The nearest change is waited for, then the next."""
    ships = Ships(polling={"max_age": "20h"})
    ships.relist("a", "b", "c", after=0)
    for task_id in "abc":
        ships.read(task_id, record("r1", EPOCH))
        ships.clock.pass_time(3600)
    for hours in (20, 21, 22):
        ships.fleet.advance(EPOCH + hours * 3600 - 1)
        ships.fleet.advance(EPOCH + hours * 3600)
        shown = [key for key, state in ships.board.states.items() if state.history]
        assert sorted(shown) == ["a", "b", "c"][hours - 19 :]


def test_what_fell_due_meanwhile_is_known_before_it_is_asked_what_is_due() -> None:
    """Nobody has to look at the board for it: the list does, also one that fails."""
    ships = Ships()
    ships.relist("a", after=0)
    ships["a"].schedule_read(DAILY, now=EPOCH)
    ships.read("a", record("r1", EPOCH))
    ships.lose_list(forbidden=False, after=17 * 3600)
    assert ships.due() == [("a", "due")]
    ships.read("a", record("r1", EPOCH), record("r2", EPOCH + 17 * 3600))
    ships.relist("a", after=23 * 3600)
    assert ships.due() == [("a", "refresh")]
    ships.confirm()
    ships.relist("a", after=3600)
    assert ships.due() == [("a", "due")]
    ships.confirm()
    assert ships.board.last_polls["a"] == EPOCH + 40 * 3600


def test_a_list_after_a_long_silence_does_not_say_that_nothing_was_missed() -> None:
    """All is withdrawn, an occurrence fell due meanwhile: only the records can tell whether it was met."""
    ships = Ships()
    ships.relist("a", "b", after=0)
    ships["a"].schedule_read(DAILY, now=EPOCH)
    for task_id in "ab":
        ships.read(task_id, record("r1", EPOCH))
    ships.relist("a", "b", after=24 * 3600)
    assert ships.board.states["a"].history is None
    assert dict(ships.due()) == {"a": "due", "b": "refresh"}
    ships.confirm()
    assert ships.board.last_polls == {"a": EPOCH, "b": EPOCH + 24 * 3600}
    assert ships.board.states["a"].history is None


# --- the order of reads -------------------------------------------------------------------------------------


def test_the_first_sweep_begins_with_failures_and_the_nearest_next_run() -> None:
    """As the list calls them."""
    ships = Ships()
    now = EPOCH + 60
    ships.relist(
        "idle",
        listed("late", next_run=now + 7200),
        listed("soon", next_run=now + 60),
        listed("failed", next_run=now + 7200, last_status="FAIL"),
        listed("failed soon", next_run=now + 600, last_status="failed"),
    )
    assert ships.due() == [(name, "new") for name in ("failed soon", "failed", "soon", "late", "idle")]


def test_the_earliest_deadline_comes_first() -> None:
    """What changed since long ago, then what is to be refreshed, then what is new."""
    ships = Ships()
    ships.relist("a", "b", "c")
    for task_id in "abc":
        ships.read(task_id)
    ships.clock.pass_time(840)
    ships.relist(listed("b", last_status="FAIL"), "a", "c", "d")
    assert ships.due()[0] == ("b", "changed")
    assert ships.due()[-1] == ("d", "new")
    ships.clock.pass_time(900)
    assert ships.due() == [("b", "changed"), ("a", "refresh"), ("c", "refresh"), ("d", "new")]


def test_of_equal_deadlines_the_new_one_comes_first() -> None:
    """Nothing at all is known of it."""
    ships = Ships()
    ships.relist("a", after=0)
    ships.read("a")
    ships.relist("a", "b", after=0)
    ships.clock.pass_time(900)
    assert ships.due() == [("b", "new"), ("a", "refresh")]


def _late(ships: Ships, order: Iterable[str]) -> None:
    for task_id in order:
        ships.read(task_id)
        ships.clock.pass_time(60)


def test_nobody_is_overtaken_for_ever() -> None:
    """Where only one task a cycle can be read although all change all the time, each has its turn."""
    ships = Ships()
    names = [f"t{number}" for number in range(7)]
    ships.relist(*names)
    _late(ships, names)
    read = []
    for cycle in range(21):
        ships.relist(*(listed(name, last_status=f"{cycle}") for name in names))
        first = ships.due()[0][0]
        ships.read(first)
        read.append(first)
    assert all(read.count(name) == 3 for name in names)


@pytest.mark.parametrize("apart", [1.0, 60.0])
def test_probes_begin_with_the_longest_untried(apart: float) -> None:
    """Only failing tasks, and none that was tried since."""
    ships = Ships()
    ships.relist("a", "b", "c", "d")
    for task_id in "cab":
        ships.fail(task_id)
        ships.clock.pass_time(apart)
    ships.read("d")
    now = ships.clock.monotonic()
    assert [task.state.task_id for task in ships.fleet.probes(now)] == ["c", "a", "b"]
    assert [task.state.task_id for task in ships.fleet.probes(now - apart)] == ["c", "a"]
    for task_id in "cab":
        ships.fail(task_id)
    ships.clock.pass_time(apart)
    assert len(ships.fleet.probes(ships.clock.monotonic())) == 3, "also those tried at the same moment"


def test_a_listed_task_knows_its_entry() -> None:
    """What the list says of it is shown as it is."""
    ships = Ships()
    entry = replace(listed("a"), next_run=EPOCH, time_zone="Asia/Shanghai")
    ships.relist(entry)
    state = ships.board.states["a"]
    assert (state.listing, state.project_id, state.found) == (entry, "p1", True)
