"""One task: what each observation does to its state, and what it makes the task want."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.history import RUN_STATUSES
from exporter.paging import Read
from exporter.polling import Due
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.state import TaskState
from exporter.tracking import TrackedTask
from tests.calendar_oracle import epoch
from tests.stories.upstream import server_error
from tests.stories.watch import DAILY, configured, listed, record

NOON = epoch("2025-06-15T12:00:00Z")
NINE = NOON - 3 * 3600
"""The newest occurrence of DAILY at NOON."""
MOMENT = 50_000.0
HOUR, DAY = 3600.0, 86_400.0
ENTRY = listed("t", name="nightly stop")
WHOLE = Due("new", 0.0, whole=True)
REFRESH = Due("refresh", 0.0, whole=True)


class Tracked:
    """A tracked task and its clock: `at` is how many seconds after NOON the next observation is made."""

    def __init__(
        self, *, own: dict[str, Any] | None = None, entry: Task | None = ENTRY, **polling: Any
    ) -> None:
        config = configured(polling=polling, tasks=[{"id": "t", **(own or {})}])
        self.at = 0.0
        task = config.projects[0].tasks[0] if own is not None else None
        self.task = TrackedTask("prod", "t", task, config, now=NOON, moment=MOMENT)
        if entry:
            self.list(entry)

    @property
    def now(self) -> float:
        """The wall clock."""
        return NOON + self.at

    @property
    def moment(self) -> float:
        """The monotonic clock."""
        return MOMENT + self.at

    @property
    def state(self) -> TaskState:
        """What is shown."""
        return self.task.state

    def list(self, entry: Task, *, new: bool = False) -> bool:
        """The list shows the entry; returns whether that changed anything."""
        return self.task.listed(entry, new=new, project_id="p1", now=self.now)

    def unlist(self, project_id: str = "p1") -> bool:
        """The list cannot be read, or does not hold the task; returns whether that changed anything."""
        return self.task.unlisted(project_id=project_id, now=self.now)

    def read(self, *records: Record, since: float | None = None, truncated: bool = False) -> None:
        """The records are read, back to `since`."""
        got = Read(items=list(records), total=len(records), truncated=truncated)
        self.task.records(got, since, now=self.now, moment=self.moment)

    def fail(self, retry_after: float | None = None) -> None:
        """The records cannot be read."""
        error = server_error()
        error.retry_after = retry_after
        self.task.records_failed(error, now=self.now, moment=self.moment)

    def lack(self) -> None:
        """Upstream says that the task does not exist."""
        self.task.missing(now=self.now, moment=self.moment)

    def schedule(self, schedule: Schedule = DAILY) -> None:
        """The schedule is read."""
        self.task.schedule_read(schedule, now=self.now)

    def due(self) -> Due | None:
        """Ask whether the records are to be read."""
        return self.task.due(now=self.now, moment=self.moment)

    @property
    def runs(self) -> dict[str, int]:
        """The counted runs that are not 0."""
        return {s: n for s, n in zip(RUN_STATUSES, self.state.counts.runs, strict=True) if n}


# --- identity -----------------------------------------------------------------------------------------------


def test_thresholds_are_the_tasks_own_or_the_defaults() -> None:
    """Own ones of 0 seconds are own ones."""
    usual = Tracked().state
    assert (usual.grace, usual.max_duration) == (900.0, 7200.0)
    own = Tracked(own={"grace": "0s", "max_duration": "90m"}).state
    assert (own.grace, own.max_duration) == (0.0, 5400.0)


def test_a_task_is_called_by_the_configuration_or_the_list_or_the_schedule_or_its_id() -> None:
    """In this order."""
    assert Tracked(own={"name": "mine"}).state.name == "mine"
    assert Tracked().state.name == "nightly stop"
    unlisted = Tracked(entry=None)
    assert unlisted.state.name == "t"
    unlisted.schedule(replace(DAILY, name="by schedule"))
    assert unlisted.state.name == "by schedule"
    unlisted.schedule(DAILY)
    assert unlisted.state.name == "by schedule"
    unlisted.list(replace(ENTRY, name=""))
    assert unlisted.state.name == "by schedule"


def test_the_last_known_name_outlives_the_list_and_the_task() -> None:
    """Not the older one that a cached schedule still has."""
    tracked = Tracked()
    tracked.schedule(replace(DAILY, name="nightly stop"))
    tracked.list(replace(ENTRY, name="renamed"))
    assert tracked.state.name == "renamed"
    tracked.unlist()
    assert tracked.state.name == "renamed"
    tracked.lack()
    assert tracked.state.name == "renamed"


def test_only_what_is_another_word_changes_anything() -> None:
    """So that a task which stays as it is, is not shown anew in each cycle."""
    tracked = Tracked(entry=None)
    assert tracked.task.key == ("prod", "t")
    assert [tracked.unlist(), tracked.unlist(), tracked.unlist("p2"), tracked.unlist("p1")] == [1, 0, 1, 1]
    assert tracked.state.project_id == "p1"
    assert [tracked.list(ENTRY), tracked.list(ENTRY), tracked.list(replace(ENTRY, name="x"))] == [1, 0, 1]
    assert [tracked.unlist(), tracked.unlist()] == [1, 0]
    assert Tracked().state.project_id == "p1"
    assert (tracked.state.project_id, tracked.state.listing) == ("p1", None)


@pytest.mark.parametrize(
    ("entry", "rank"),
    [
        (replace(ENTRY, last_status="fail", next_run=NOON + 60), (False, 60.0)),
        (replace(ENTRY, last_status="SUCCESS", next_run=NOON - 90), (True, 90.0)),
        (None, (True, float("inf"))),
    ],
)
def test_the_first_sweep_takes_what_the_list_calls_failed_first(
    entry: Task | None, rank: tuple[bool, float]
) -> None:
    """Then the nearest next run."""
    assert Tracked(entry=entry).task.sweep_rank(NOON) == rank


# --- records ------------------------------------------------------------------------------------------------


def test_a_read_shows_the_history_and_that_it_is_current() -> None:
    """The task exists, its last attempt succeeded, now."""
    tracked = Tracked()
    assert (tracked.state.found, tracked.state.history, tracked.state.poll_ok) == (True, None, None)
    tracked.at = 5
    tracked.read(record("r1", NINE, "FAIL", failed_num=2))
    state = tracked.state
    assert state.history is not None
    assert state.history.last is not None
    assert (state.history.last.status, state.history.last.record.failed_num) == ("failed", 2)
    assert (state.last_poll, state.poll_ok, state.poll_error) == (NOON + 5, True, None)


def test_what_had_finished_before_the_first_read_is_not_counted() -> None:
    """What finishes later is, each run once, with its desktops."""
    tracked = Tracked()
    old, going = record("r1", NINE - DAY, success_num=4), record("r2", NINE, "RUNNING")
    tracked.read(old, going)
    assert tracked.runs == {}
    for _ in range(2):
        tracked.read(old, record("r2", NINE, success_num=3, failed_num=1, skip_num=2))
        assert tracked.runs == {"partial": 1}
        assert tracked.state.counts.desktops == (3, 1, 2)


def test_what_was_counted_of_a_task_is_there_from_the_begin_when_it_comes_back() -> None:
    """It left the selection, and a list that wavers must not count its runs again."""
    tracked = Tracked()
    tracked.read()
    tracked.read(record("r1", NINE, "FAIL", failed_num=2))
    back = TrackedTask("prod", "t", None, configured(), now=NOON, moment=MOMENT, met=tracked.task.met)
    assert back.state.counts == tracked.state.counts


def test_all_runs_of_a_task_that_an_earlier_list_did_not_hold_are_counted() -> None:
    """Also where it was watched before it existed, and where its first read failed."""
    tracked = Tracked(entry=None, own={})
    tracked.lack()
    tracked.list(ENTRY, new=True)
    tracked.fail()
    tracked.list(ENTRY)
    tracked.read(record("r1", NINE), record("r2", NINE + 60, "FAIL"))
    assert tracked.runs == {"success": 1, "failed": 1}


def test_a_failed_read_keeps_everything_but_that_it_failed() -> None:
    """The values stay, the counters stay, the error is told; a good read ends it."""
    tracked = Tracked()
    tracked.read(record("r1", NINE))
    before = tracked.state
    tracked.at = 60
    tracked.fail()
    assert tracked.task.failing
    assert tracked.state == replace(before, poll_ok=False, poll_error=tracked.state.poll_error)
    assert "the service failed" in str(tracked.state.poll_error)
    tracked.at = 120
    tracked.read(record("r1", NINE))
    assert not tracked.task.failing
    assert tracked.state == replace(before, last_poll=NOON + 120)


def test_a_task_that_does_not_exist_shows_nothing_of_its_past() -> None:
    """It is not failing; what was counted is remembered for its return."""
    tracked = Tracked()
    tracked.read(record("r1", NINE, "RUNNING"))
    tracked.schedule()
    tracked.read(record("r1", NINE))
    tracked.fail()
    tracked.unlist()
    tracked.lack()
    state = tracked.state
    assert (state.found, state.history, state.schedule, state.schedule_period) == (False, None, None, None)
    assert (state.last_poll, state.poll_ok, state.poll_error, tracked.task.failing) == (
        None,
        True,
        None,
        False,
    )
    assert not tracked.task.schedule_wanted
    assert tracked.task.details_wanted is None
    tracked.list(ENTRY)
    assert (tracked.state.found, tracked.due()) == (True, Due("new", MOMENT + 900, whole=True))
    tracked.read(record("r1", NINE), record("r2", NINE + HOUR, "FAIL"))
    assert tracked.runs == {"success": 1, "failed": 1}


def test_a_listed_task_that_does_not_exist_is_there_again_with_the_next_list() -> None:
    """Though its entry is the same: upstream has two copies, and the records came from the older one."""
    tracked = Tracked()
    tracked.lack()
    assert (tracked.state.found, tracked.state.listing) == (False, None)
    assert tracked.list(ENTRY)
    assert (tracked.state.found, (tracked.due() or REFRESH).reason) == (True, "new")
    assert (tracked.state.poll_ok, tracked.state.last_poll) == (None, None)


def test_a_missing_task_is_looked_for_in_its_turn_only() -> None:
    """Its records are the only sign where the list cannot be read."""
    tracked = Tracked(entry=None)
    tracked.schedule()
    tracked.lack()
    tracked.at = 60
    tracked.unlist()
    assert tracked.due() is None
    tracked.at = 900
    assert (tracked.due() or WHOLE).reason == "refresh"
    tracked.read(record("r1", NINE))
    assert (tracked.state.found, tracked.state.history is not None) == (True, True)
    assert tracked.task.schedule_wanted
    tracked.at += 60
    assert (tracked.due() or WHOLE).reason == "unlisted"


def test_a_run_in_progress_is_followed_until_the_newest_one_is_overdue() -> None:
    """An older one that is stuck takes nothing from it."""
    stuck, going = record("r1", NOON - DAY, "RUNNING"), record("r2", NOON - 60, "RUNNING")
    tracked = Tracked()
    tracked.read(stuck, going)
    tracked.at = 60
    assert (tracked.due() or WHOLE).reason == "running"
    tracked.at = 7200 - 60
    assert (tracked.due() or WHOLE).reason == "running"
    tracked.read(stuck, going)
    tracked.at += 60
    assert (tracked.due() or WHOLE).reason == "running", "it may have ended since it was last looked at"
    tracked.at += 1
    tracked.read(stuck, going)
    tracked.at += 60
    assert tracked.due() is None
    for ended in ([], [record("r2", NOON - 60)]):
        tracked.read(stuck, *ended)
        tracked.at += 60
        assert tracked.due() is None


# --- back-off -----------------------------------------------------------------------------------------------


def test_failures_in_a_row_are_repeated_ever_more_rarely() -> None:
    """After one interval, then two, four, eight, and never later than a refresh."""
    tracked = Tracked()
    waits = []
    for _ in range(6):
        failed_at = tracked.at
        tracked.fail()
        while tracked.due() is None:
            tracked.at += 60
        waits.append(tracked.at - failed_at)
    assert waits == [60, 120, 240, 480, 900, 900]
    for ended in (tracked.read, tracked.lack):
        ended()
        assert tracked.due() is None
        tracked.fail()
        assert tracked.due() is None
        tracked.at += 60
        assert tracked.due() == Due("retry", tracked.moment, whole=True)


def test_upstreams_own_wish_outlasts_the_back_off() -> None:
    """Retry-After is neither undercut by the next attempt nor by a probe."""
    tracked = Tracked()
    tracked.fail(retry_after=600)
    tracked.at = 500
    assert (tracked.due(), tracked.task.probe_rank(tracked.moment)) == (None, None)
    tracked.at = 600
    assert (tracked.due() or WHOLE).reason == "retry"
    assert tracked.task.probe_rank(tracked.moment) == MOMENT


def test_only_a_failing_task_that_was_not_just_tried_is_probed() -> None:
    """The rank is the moment of the last attempt, so that the longest untried comes first."""
    tracked = Tracked()
    assert tracked.task.probe_rank(tracked.moment) is None
    tracked.fail()
    assert tracked.task.probe_rank(tracked.moment) is None
    assert tracked.task.probe_rank(tracked.moment + 0.1) == MOMENT
    tracked.read()
    assert tracked.task.probe_rank(tracked.moment + 1) is None


# --- current or withdrawn -----------------------------------------------------------------------------------


def test_a_list_that_shows_no_reason_to_read_keeps_a_task_current() -> None:
    """Also one whose refresh, or cadence, is due: that is no sign of a run."""
    tracked = Tracked()
    tracked.read()
    for due in (None, REFRESH, Due("triggered", 0.0, whole=False)):
        tracked.at += 60
        assert tracked.task.unchanged(due, tracked.now)
        assert tracked.state.last_poll == tracked.now


@pytest.mark.parametrize("reason", ["new", "changed", "due", "running", "unlisted", "retry"])
def test_a_list_that_shows_a_reason_does_not(reason: Any) -> None:
    """Only the read can tell."""
    tracked = Tracked()
    tracked.read()
    assert not tracked.task.unchanged(Due(reason, 0.0, whole=False), NOON + 60)
    assert tracked.state.last_poll == NOON


def test_a_list_says_nothing_of_a_task_that_is_not_in_it_or_not_read() -> None:
    """Never read, failing, or not listed."""
    tracked = Tracked()
    assert not tracked.task.unchanged(None, NOON)
    tracked.read()
    tracked.fail()
    assert not tracked.task.unchanged(None, NOON)
    tracked.read()
    tracked.unlist()
    assert not tracked.task.unchanged(None, NOON)


def test_what_is_too_old_is_withdrawn_and_comes_back() -> None:
    """Gauges of records, details and expected run go at max_age; the rest stays."""
    tracked = Tracked(max_age="1h")
    tracked.schedule()
    tracked.read(record("r1", NINE, "FAIL", failed_num=1))
    tracked.task.details_read(record("r1", NINE, "FAIL", failed_num=1), [], now=NOON)
    shown = tracked.state
    assert tracked.task.next_change == NOON + HOUR
    assert not tracked.task.advance(NOON + HOUR - 1)
    assert not tracked.task.withdrawn
    assert tracked.task.advance(NOON + HOUR)
    assert (tracked.task.withdrawn, tracked.task.next_change) == (True, float("inf"))
    assert tracked.state == replace(shown, history=None, details=None, expected_run=None)
    assert not tracked.task.advance(NOON + 2 * HOUR)
    assert tracked.task.unchanged(None, NOON + 2 * HOUR)
    assert tracked.state == replace(shown, last_poll=NOON + 2 * HOUR)


def test_what_is_withdrawn_is_still_due_while_a_run_is_missed() -> None:
    """Though the expected run is not shown: the read that would show it again is wanted the more."""
    tracked = Tracked(max_age="1h")
    tracked.schedule()
    tracked.read(record("r1", NINE))
    tracked.at = NINE + DAY - NOON - 1
    tracked.task.advance(tracked.now)
    assert (tracked.due() or WHOLE).reason == "refresh"
    tracked.at += 1
    assert (tracked.state.expected_run, (tracked.due() or WHOLE).reason) == (None, "due")


def test_failed_reads_do_not_delay_the_withdrawal() -> None:
    """The last success counts."""
    tracked = Tracked(max_age="1h")
    tracked.read(record("r1", NINE))
    tracked.at = HOUR - 1
    tracked.fail()
    assert tracked.state.history is not None
    tracked.at = HOUR
    tracked.fail()
    assert tracked.state.history is None


def test_an_occurrence_is_expected_from_its_very_second() -> None:
    """By the clock alone; then the records are due until a run covers it."""
    tracked = Tracked()
    tracked.schedule()
    tracked.read(record("r1", NINE))
    tracked.list(replace(ENTRY, next_run=NINE + DAY))
    tracked.read(record("r1", NINE))
    assert (tracked.state.expected_run, tracked.task.next_change) == (NINE, NINE + DAY)
    assert not tracked.task.advance(NINE + DAY - 1)
    assert tracked.task.advance(NINE + DAY)
    assert tracked.state.expected_run == NINE + DAY
    tracked.at = NINE + DAY - NOON
    assert (tracked.due() or WHOLE).reason == "due"
    tracked.read(record("r1", NINE), record("r2", NINE + DAY - 60))
    assert tracked.state.expected_run == NINE + DAY
    assert tracked.due() is None


def test_records_that_upstream_drops_do_not_make_their_occurrences_missed() -> None:
    """What a run once covered is not expected again; nothing is, until the next one falls due."""
    tracked = Tracked()
    tracked.schedule()
    tracked.read()
    assert tracked.state.expected_run is None
    tracked.at = DAY
    tracked.read(record("r1", NINE + DAY))
    assert tracked.state.expected_run == NINE + DAY
    tracked.read()
    assert tracked.state.expected_run is None


# --- schedule -----------------------------------------------------------------------------------------------


def test_a_schedule_is_read_once_and_gives_the_period() -> None:
    """Each run moves the next one; that is no reason to read it again, nor is a rename or a result."""
    tracked = Tracked(entry=replace(ENTRY, next_run=NINE + DAY))
    assert tracked.task.schedule_wanted
    tracked.schedule()
    assert (tracked.task.schedule_wanted, tracked.state.schedule_period) == (False, DAY)
    tracked.at = NINE + DAY - NOON + 5
    tracked.list(replace(ENTRY, next_run=NINE + 2 * DAY, last_status="FAIL", name="renamed"))
    assert not tracked.task.schedule_wanted
    assert (tracked.state.schedule, tracked.state.schedule_period) == (DAILY, DAY)


def test_a_schedule_is_read_again_when_the_list_shows_an_edit() -> None:
    """Another time today, long before it is due; once that was read, it is enough."""
    tracked = Tracked(entry=replace(ENTRY, next_run=NINE + DAY))
    tracked.schedule()
    edited = replace(ENTRY, next_run=NOON + HOUR)
    tracked.list(edited)
    assert tracked.task.schedule_wanted
    tracked.schedule(replace(DAILY, scheduled_time="13:00:00"))
    tracked.list(edited)
    assert not tracked.task.schedule_wanted


def test_a_triggered_task_has_no_schedule_to_read() -> None:
    """Nor does it become one by being renamed."""
    tracked = Tracked(entry=replace(ENTRY, scheduled_type="life_cycle"))
    assert tracked.task.triggered
    assert not tracked.task.schedule_wanted
    tracked.unlist()
    assert tracked.task.schedule_wanted, "only the list can tell that without asking"
    tracked.schedule(Schedule(scheduled_type="LIFE_CYCLE"))
    assert not tracked.task.schedule_wanted
    tracked.at = 900
    tracked.unlist()
    assert tracked.task.schedule_wanted, "it may have been edited"


def test_a_triggered_task_is_read_at_its_own_cadence() -> None:
    """No next run announces its runs; a third of `refresh` is 300 s."""
    for entry, reason in ((replace(ENTRY, scheduled_type="LIFE_CYCLE"), "triggered"), (ENTRY, None)):
        tracked = Tracked(entry=entry)
        tracked.read()
        tracked.at = 300
        due = tracked.due()
        assert (due and due.reason) == reason


def test_a_schedule_that_names_no_times_has_no_period_and_leaves_what_the_list_says() -> None:
    """The next run that fell due is expected all the same."""
    tracked = Tracked(entry=replace(ENTRY, next_run=NOON + 60))
    tracked.schedule(replace(DAILY, scheduled_time="noon"))
    tracked.read(record("r1", NINE))
    assert (tracked.state.schedule_period, tracked.state.expected_run) == (None, None)
    tracked.at = 65
    tracked.list(replace(ENTRY, next_run=NOON + DAY))
    tracked.read(record("r1", NINE))
    assert tracked.state.expected_run == NOON + 60


def test_without_the_list_the_schedule_is_read_once_in_each_refresh() -> None:
    """Nothing else would show an edit; coming back, the list asks for it at once."""
    tracked = Tracked(entry=None)
    assert tracked.task.schedule_wanted
    tracked.schedule()
    for at, wanted in ((60, False), (899, False), (900, True)):
        tracked.at = at
        tracked.unlist()
        assert tracked.task.schedule_wanted is wanted
    tracked.schedule()
    assert not tracked.task.schedule_wanted
    tracked.list(ENTRY)
    assert tracked.task.schedule_wanted


@pytest.mark.parametrize(
    ("schedule_zone", "listed_zone", "nine"),
    [("Asia/Shanghai", "UTC", NINE - 8 * HOUR), ("", "Asia/Shanghai", NINE - 8 * HOUR), ("", "", NINE)],
)
def test_wall_times_are_in_the_schedules_zone_or_the_lists_or_the_configurations(
    schedule_zone: str, listed_zone: str, nine: float
) -> None:
    """In this order."""
    tracked = Tracked(entry=replace(ENTRY, time_zone=listed_zone))
    tracked.read(record("r1", NINE + HOUR))
    tracked.schedule(replace(DAILY, time_zone=schedule_zone))
    assert tracked.state.expected_run == nine


# --- details ------------------------------------------------------------------------------------------------


def test_details_are_wanted_of_the_last_finished_run_once() -> None:
    """A run in progress has none yet; a record whose counts changed is another."""
    tracked = Tracked()
    assert tracked.task.details_wanted is None
    done, going = record("r1", NINE, "FAIL", failed_num=1), record("r2", NOON, "RUNNING")
    tracked.read(going)
    assert tracked.task.details_wanted is None
    tracked.read(done, going)
    assert tracked.task.details_wanted == done
    desktop = RecordDetail("d", desktop_name="pc", status="FAIL", result_code="X1", end=NINE + 90)
    tracked.task.details_read(done, [desktop], now=NOON)
    details = tracked.state.details
    assert details is not None
    assert (details.run_id, details.duration, details.results) == ("r1", 90.0, (("failed", "X1", 1),))
    assert tracked.task.details_wanted is None
    corrected = replace(done, failed_num=2)
    tracked.read(corrected, going)
    assert tracked.task.details_wanted == corrected


def test_without_the_setting_details_are_not_wanted() -> None:
    """`details: false`."""
    tracked = Tracked(details=False)
    tracked.read(record("r1", NINE, "FAIL"))
    assert tracked.task.details_wanted is None


def test_a_run_whose_id_cannot_stand_in_a_path_has_no_details() -> None:
    """Asking would be refused in each cycle and fail it for ever, though the run itself is known."""
    tracked = Tracked()
    tracked.read(record("../r1", NINE, "FAIL"))
    assert tracked.task.details_wanted is None


# --- long windows -------------------------------------------------------------------------------------------


def _history(count: int) -> list[Record]:
    return [record(f"r{number:03}", NOON - (count - number) * HOUR) for number in range(count)]


def test_a_window_of_a_page_is_read_whole_each_time() -> None:
    """Whatever the reason."""
    tracked = Tracked(history=100)
    tracked.read(*_history(100))
    assert tracked.task.back_to(Due("changed", 0.0, whole=False)) is None


def test_a_longer_window_is_read_in_part_and_counts_and_shows_the_same() -> None:
    """The older runs are those of the last whole read."""
    tracked = Tracked(history=250)
    runs = _history(250)
    tracked.read(*runs)
    tracked.at = 60
    assert tracked.task.back_to(Due("new", 0.0, whole=True)) is None
    since = tracked.task.back_to(Due("changed", 0.0, whole=False))
    assert since == NOON - HOUR
    newer = record("x", NOON, "FAIL")
    tracked.read(*runs[-99:], newer, since=since)
    whole = Tracked(history=250)
    whole.read(*runs)
    whole.at = 60
    whole.read(*runs[-249:], newer)
    assert tracked.state.counts == whole.state.counts
    history, expected = tracked.state.history, whole.state.history
    assert history is not None
    assert expected is not None
    assert replace(history, total=250) == expected


def test_a_read_in_part_does_not_put_off_the_whole_one() -> None:
    """The turn of the window stays where it was."""
    tracked = Tracked(history=250)
    tracked.read(*_history(250))
    for at in range(60, 900, 60):
        tracked.at = at
        tracked.read(*_history(250)[-100:], since=NOON - 100 * HOUR)
    tracked.at = 900
    assert (tracked.due() or WHOLE).reason == "refresh"


def test_an_interval_whose_days_move_is_read_again() -> None:
    """Every second day may have become every day: the next run alone cannot tell, and hides misses else."""
    tracked = Tracked(entry=replace(ENTRY, next_run=NINE + DAY))
    tracked.schedule(replace(DAILY, day_interval=2))
    tracked.at = NINE + DAY - NOON + 5
    tracked.list(replace(ENTRY, next_run=NINE + 3 * DAY))
    assert not tracked.task.schedule_wanted
    tracked.at += 2 * DAY
    tracked.list(replace(ENTRY, next_run=NINE + 4 * DAY))
    assert tracked.task.schedule_wanted


def test_a_task_that_has_become_a_triggered_one_has_no_period_and_expects_nothing() -> None:
    """Nor does it, back on a schedule, miss what it would have done meanwhile."""
    tracked = Tracked(entry=replace(ENTRY, next_run=NINE + DAY), max_age="7d")
    tracked.schedule()
    tracked.read(record("r1", NINE))
    assert (tracked.state.schedule_period, tracked.state.expected_run) == (DAY, NINE)
    tracked.list(replace(ENTRY, scheduled_type="LIFE_CYCLE", next_run=None, time_zone="no zone"))
    state = tracked.state
    assert (state.schedule, state.schedule_period, state.expected_run) == (None, None, None)
    assert not tracked.task.schedule_wanted
    tracked.at = 1.5 * DAY
    tracked.list(replace(ENTRY, next_run=NINE + 3 * DAY))
    assert tracked.task.schedule_wanted
    tracked.schedule()
    assert (tracked.state.schedule_period, tracked.state.expected_run) == (DAY, None)
