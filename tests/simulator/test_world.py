"""The world: runs as time passes, scripts, and the ledger that remembers them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator import plan as plans
from exporter.simulator.ledger import Miss
from exporter.simulator.plan import Plan
from exporter.simulator.planting import PlantedRun
from exporter.simulator.runs import Run
from exporter.simulator.tasks import UnknownTaskError
from exporter.simulator.world import World

_DAY = 86_400
_T0 = 1_750_000_000 // _DAY * _DAY  # a midnight
_NOON = plans.daily("12:00:00")
_FIRST = _T0 + _DAY // 2


def _world(behaviour: str = "healthy", plan: Plan = _NOON, **members: object) -> tuple[World, str]:
    world = World(seed=7)
    return world, world.add_task(plan, _T0, behaviour=behaviour, **members)  # type: ignore[arg-type]


def _runs(world: World, task_id: str, now: float) -> list[Run]:
    return list(world.runs(task_id, now))


def test_a_run_starts_goes_on_and_ends_as_time_passes() -> None:
    """Nothing before the occurrence, then a run in progress, then a finished one with a later next run."""
    world, task_id = _world()
    task = world.task(task_id, _T0)
    assert (_runs(world, task_id, _FIRST - 1), task.last_status(_FIRST - 1)) == ([], "")
    assert task.timeline.upcoming(_FIRST - 1) == _FIRST
    run = _runs(world, task_id, _FIRST + 3600)[0]
    assert run.due == _FIRST
    assert 0 <= run.start - _FIRST <= 12
    assert run.end is not None
    assert not run.finished(run.end - 1)
    assert task.last_status(run.end - 1) == ""
    assert task.last_status(run.end) == "SUCCESS"
    assert task.timeline.upcoming(_FIRST) == _FIRST + _DAY


def test_history_lies_before_the_begin() -> None:
    """A task with a history has runs from before it was added, the same ones every time."""
    world, task_id = _world(history_days=30)
    assert len(_runs(world, task_id, _T0)) == 30
    assert world.task(task_id, _T0 - 10 * _DAY).id == task_id
    again, same_id = _world(history_days=30)
    assert _runs(again, same_id, _T0) == _runs(world, task_id, _T0)


def test_the_seed_decides() -> None:
    """Another seed gives other ids and other runs."""
    one, two = World(seed=1), World(seed=2)
    first = one.add_task(_NOON, _T0, history_days=5)
    second = two.add_task(_NOON, _T0, history_days=5)
    assert first != second
    assert one.project.id != two.project.id
    assert _runs(one, first, _T0) != _runs(two, second, _T0)


def test_misses_are_in_the_ledger_and_nowhere_else() -> None:
    """A missed occurrence moves the next run on and leaves no record."""
    world, task_id = _world("missed")
    until = _T0 + 3 * _DAY
    assert _runs(world, task_id, until) == []
    assert world.ledger(until).misses == tuple(Miss(task_id, _FIRST + day * _DAY) for day in range(3))
    assert world.task(task_id, until).timeline.upcoming(until) == _FIRST + 3 * _DAY


def test_a_planted_miss_takes_one_occurrence_away() -> None:
    """Ahead or afterwards: that run is gone, the others stay."""
    world, task_id = _world()
    world.plant_miss(task_id, _FIRST + _DAY)
    assert [run.due for run in _runs(world, task_id, _T0 + 4 * _DAY)] == [
        _FIRST + day * _DAY for day in (3, 2, 0)
    ]
    world.plant_miss(task_id, _FIRST)
    assert [miss.due for miss in world.ledger(_T0 + 4 * _DAY).misses] == [_FIRST, _FIRST + _DAY]
    with pytest.raises(ValueError, match="does not run at"):
        world.plant_miss(task_id, _FIRST + 1)


def test_a_planted_run_says_what_the_script_says() -> None:
    """Counts, status, length and codes as given; what is left unsaid follows from the status."""
    world, task_id = _world(desktops=10)
    run = world.plant_run(task_id, PlantedRun(_T0 + 60, duration=30, status="FAIL"))
    assert (run.success, run.failed, run.skipped, run.end) == (0, 10, 0, _T0 + 90)
    assert sum(count for _, _, count in run.codes) == 10
    mixed = world.plant_run(task_id, PlantedRun(_T0 + 120, failed=2, skipped=1, codes=(("failed", "X", 1),)))
    assert (mixed.success, mixed.failed, mixed.skipped, mixed.verdict) == (7, 2, 1, "partial")
    assert mixed.desktops == 8
    skipped = world.plant_run(task_id, PlantedRun(_T0 + 180, status="SKIP"))
    assert (skipped.success, skipped.skipped) == (0, 10)
    odd = world.plant_run(task_id, PlantedRun(_T0 + 240, status="ODD", omitted=frozenset({"failed_num"})))
    assert (odd.success, odd.failed, odd.verdict) == (10, None, "unknown")
    assert [run.id for run in _runs(world, task_id, _T0 + 300)] == [odd.id, skipped.id, mixed.id, run.id]


def test_a_planted_run_may_stand_for_an_occurrence() -> None:
    """It replaces the seed's run, and the occurrence is not missed."""
    world, task_id = _world()
    planted = world.plant_run(task_id, PlantedRun(_FIRST + 5, status="FAIL", replaces=_FIRST))
    assert _runs(world, task_id, _T0 + _DAY) == [planted]
    assert world.ledger(_T0 + _DAY).misses == ()
    with pytest.raises(ValueError, match="does not run at"):
        world.plant_run(task_id, PlantedRun(_T0, replaces=_T0 + 1))


def test_a_missed_occurrence_may_be_run_after_all() -> None:
    """A planted run that stands for it takes the miss back."""
    world, task_id = _world("missed")
    assert len(world.ledger(_T0 + _DAY).misses) == 1
    world.plant_run(task_id, PlantedRun(_FIRST + 3600, replaces=_FIRST))
    assert world.ledger(_T0 + _DAY).misses == ()


def test_a_run_without_an_end_goes_on_until_it_is_finished() -> None:
    """`finish_run` gives it an end, a status and counts; it works on the seed's own runs too."""
    world, task_id = _world()
    endless = world.plant_run(task_id, PlantedRun(_T0 + 60, duration=None))
    assert world.ledger(_T0 + 3600).in_progress == (endless,)
    ended = world.finish_run(endless, _T0 + 7200, status="FAIL", success=1, failed=2, skipped=3)
    assert _runs(world, task_id, _T0 + 7200) == [ended]
    assert (ended.verdict, ended.success, ended.failed, ended.skipped) == ("failed", 1, 2, 3)
    seeded = _runs(world, task_id, _T0 + _DAY)[0]
    world.finish_run(seeded, seeded.start + 1, status="FAIL")
    assert _runs(world, task_id, _T0 + _DAY)[0].status == "FAIL"
    again = world.finish_run(_runs(world, task_id, _T0 + _DAY)[0], seeded.start + 2)
    assert _runs(world, task_id, _T0 + _DAY) == [again, ended]
    with pytest.raises(LookupError, match="no run"):
        world.finish_run(Run(task_id, "unheard of", _T0 + 60, None), _T0 + 61)


def test_renaming_changes_nothing_but_the_name() -> None:
    """Past, present and future runs stay; the name changes at its instant."""
    world, task_id = _world(history_days=3, name="before")
    plain, same_id = _world(history_days=3, name="before")
    world.rename(task_id, "after", _T0 + 10)
    timeline = world.task(task_id, _T0).timeline
    assert (timeline.chapter(_T0 + 9).name, timeline.chapter(_T0 + 10).name) == ("before", "after")
    assert _runs(world, task_id, _T0 + 5 * _DAY) == _runs(plain, same_id, _T0 + 5 * _DAY)


def test_a_disabled_task_runs_not_and_misses_nothing() -> None:
    """Occurrences between off and on are neither run nor missed; a run in progress goes on."""
    world, task_id = _world()
    running = _runs(world, task_id, _FIRST + 20)[0]
    world.disable(task_id, _FIRST + 20)
    task = world.task(task_id, _FIRST + 20)
    assert task.timeline.upcoming(_FIRST + 20) is None
    world.enable(task_id, _FIRST + 2 * _DAY + 60)
    assert task.timeline.upcoming(_FIRST + 2 * _DAY + 60) == _FIRST + 3 * _DAY
    ledger = world.ledger(_FIRST + 4 * _DAY - 60)
    assert [run.due for run in ledger.runs] == [_FIRST, _FIRST + 3 * _DAY]
    assert ledger.runs[0] == running
    assert ledger.misses == ()
    assert [change.kind for change in ledger.changes] == ["added", "disabled", "enabled"]


def test_switching_off_cancels_the_run_that_is_due_but_not_started() -> None:
    """Whether anybody looked before or not."""
    for looked in (True, False):
        world, task_id = _world("late")
        if looked:
            _runs(world, task_id, _FIRST + 3600)
        world.disable(task_id, _FIRST + 1)
        assert world.ledger(_T0 + 5 * _DAY).runs == ()
        assert world.ledger(_T0 + 5 * _DAY).misses == ()


def test_a_run_that_started_early_survives_the_change() -> None:
    """A change between its start and its due time neither undoes nor repeats it."""
    for look_ahead in (0, 5 * _DAY):
        world, task_id = _world("early")
        run = _runs(world, task_id, _FIRST + look_ahead)[-1]
        assert run.start < _FIRST
        world.behave(task_id, "failing", _FIRST - 0.5)
        runs = _runs(world, task_id, _FIRST + _DAY + 3600)
        assert [(run.due, run.status) for run in runs] == [
            (_FIRST + _DAY, "FAIL"),
            (_FIRST, "SUCCESS"),
        ]
        assert runs[1] == run


def test_an_edited_schedule_holds_from_its_instant() -> None:
    """Old occurrences until then, new ones after; what is missed later is missed by the new schedule."""
    world, task_id = _world()
    _runs(world, task_id, _T0 + 9 * _DAY)
    world.edit(task_id, plans.daily("06:00:00", every=2), _T0 + 2 * _DAY + 7 * 3600)
    dues = [run.due for run in world.ledger(_T0 + 7 * _DAY).runs]
    six = _T0 + 6 * 3600
    assert dues == [_FIRST, _FIRST + _DAY, six + 4 * _DAY, six + 6 * _DAY]
    assert world.task(task_id, _T0).timeline.chapter(_T0 + 3 * _DAY).plan.anchor != ""


def test_a_behaviour_holds_for_what_falls_due_later() -> None:
    """Runs that were due before keep their outcome."""
    world, task_id = _world("failing")
    world.behave(task_id, "missed", _FIRST + 1)
    world.behave(task_id, "healthy", _FIRST + _DAY)
    ledger = world.ledger(_FIRST + 2 * _DAY + 3600)
    assert [(run.due, run.verdict) for run in ledger.finished] == [
        (_FIRST, "failed"),
        (_FIRST + 2 * _DAY, "success"),
    ]
    assert [miss.due for miss in ledger.misses] == [_FIRST + _DAY]


def test_a_deleted_task_is_gone_but_for_the_ledger() -> None:
    """Nobody finds it; a run in progress never ends for anybody; runs planted for later go with it."""
    world, task_id = _world(history_days=2)
    running = world.plant_run(task_id, PlantedRun(_T0 + 10, duration=600))
    world.plant_run(task_id, PlantedRun(_T0 + 500))
    world.delete(task_id, _T0 + 100)
    assert world.task(task_id, _T0 + 99).id == task_id
    assert world.tasks(_T0 + 100) == []
    for use in (
        lambda: world.task(task_id, _T0 + 100),
        lambda: world.rename(task_id, "x", _T0 + 200),
        lambda: world.plant_run(task_id, PlantedRun(_T0 + 200)),
    ):
        with pytest.raises(UnknownTaskError):
            use()
    ledger = world.ledger(_T0 + 9 * _DAY)
    assert [run.id for run in ledger.in_progress] == [running.id]
    assert len(ledger.finished) == 2
    assert ledger.changes[-1].kind == "deleted"


def test_tasks_are_listed_by_kind_and_instant() -> None:
    """Triggered tasks are apart; a task that comes later is not there before; an edit may move it."""
    world = World()
    timed = world.add_task(_NOON, _T0)
    event = world.add_task(plans.triggered("POST_CREATE_DESKTOP_SUCCESS"), _T0)
    later = world.add_task(_NOON, _T0 + 50)
    assert [task.id for task in world.tasks(_T0)] == [timed]
    assert [task.id for task in world.tasks(_T0 + 50)] == [timed, later]
    assert [task.id for task in world.tasks(_T0)] == [timed]
    assert [task.id for task in world.tasks(_T0, triggered=True)] == [event]
    world.edit(event, _NOON, _T0 + 60)
    assert [task.id for task in world.tasks(_T0 + 60)] == [timed, event, later]
    assert world.task(event, _T0 + 59).timeline.upcoming(_T0 + 59) is None


@pytest.mark.parametrize("behaviour", ["healthy", "late", "early", "stuck", "missed:0.8", "missed"])
@pytest.mark.parametrize("plan", [_NOON, plans.weekly("2", "12:00:00"), plans.triggered("X", daily_rate=40)])
def test_the_last_status_is_the_same_before_and_after_somebody_looked(plan: Plan, behaviour: str) -> None:
    """A list that nobody reads records for takes a short cut; it finds the same newest finished run."""
    for hour in range(0, 80, 13):
        fresh, same_id = _world(behaviour, plan, history_days=10)
        now = _T0 + hour * 3600
        short = fresh.task(same_id, now).timeline.newest_finished(now)
        long = next((run for run in fresh.runs(same_id, now) if run.finished(now)), None)
        assert short == long
        assert fresh.task(same_id, now).timeline.newest_finished(now) == long


def test_triggered_tasks_run_when_events_come() -> None:
    """They have runs and no next run."""
    world, task_id = _world(plan=plans.triggered("POST_DESKTOP_DISCONNECTED", daily_rate=48))
    assert 40 < len(_runs(world, task_id, _T0 + _DAY)) < 56
    assert world.ledger(_T0 + _DAY).misses == ()


def test_the_ledger_counts_by_task_and_verdict() -> None:
    """Totals of runs and desktops of what ended in the window; the tree for JSON says the same."""
    world, task_id = _world(desktops=4)
    world.plant_run(task_id, PlantedRun(_T0 + 10, failed=1))
    world.plant_run(task_id, PlantedRun(_T0 + 20, status="FAIL"))
    world.plant_run(task_id, PlantedRun(_T0 + 200, failed=-1, skipped=1))
    ledger = world.ledger(_T0 + 300, _T0)
    assert ledger.run_totals() == {(task_id, "partial"): 1, (task_id, "failed"): 1, (task_id, "success"): 1}
    assert ledger.desktop_totals() == {
        (task_id, "success"): 3 + 3,
        (task_id, "failed"): 1 + 4,
        (task_id, "skipped"): 1,
    }
    assert len(world.ledger(_T0 + 300, _T0 + 75).finished) == 2
    tree = ledger.as_json(with_desktops=True)
    runs = tree["runs"]
    assert isinstance(runs, list)
    assert [run["status"] for run in runs] == ["partial", "failed", "success"]
    assert [len(run["desktops"]) for run in runs] == [4, 4, 4]
    assert "desktops" not in str(ledger.as_json())
    assert world.ledger(_T0 + 300).as_json()["since"] is None
    other = world.add_task(_NOON, _T0 + 1)
    assert world.ledger(_T0 + 300, task_id=other).runs == ()
    assert [change.task_id for change in world.ledger(_T0 + 300, task_id=other).changes] == [other]


def test_the_ledger_of_a_window_holds_what_reaches_into_it() -> None:
    """Long runs from before, planted or not; the windows of a time add up to the whole."""
    world, task_id = _world("stuck:0.5", history_days=20)
    endless = world.plant_run(task_id, PlantedRun(_T0 - 19 * _DAY, duration=None))
    long = world.plant_run(task_id, PlantedRun(_T0 - 18 * _DAY, duration=17 * _DAY))
    assert {run.id for run in world.ledger(_T0, _T0 - _DAY - 60).runs} >= {endless.id, long.id}
    assert long not in world.ledger(_T0, _T0 - _DAY).runs
    windows = [world.ledger(_T0 - hour * 3600, _T0 - (hour + 5) * 3600) for hour in range(0, 500, 5)]
    found = sorted((run.end or 0, run.id) for window in windows for run in window.finished)
    assert found == sorted((run.end or 0, run.id) for run in world.ledger(_T0).finished)


def test_changes_go_forward_in_time() -> None:
    """A change before the last one is refused, and so is an id that is taken."""
    world, task_id = _world()
    world.rename(task_id, "x", _T0 + 100)
    with pytest.raises(ValueError, match="forward in time"):
        world.rename(task_id, "y", _T0 + 99)
    with pytest.raises(ValueError, match="already"):
        world.add_task(_NOON, _T0, task_id=task_id)
    with pytest.raises(UnknownTaskError):
        world.runs("nobody", _T0)


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["look", "disable", "enable", "edit", "behave", "rename", "plant", "miss"]),
        st.integers(1, 30 * 3600),
        st.integers(0, 9),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(_ACTIONS, st.sampled_from(["healthy", "late", "early", "missed:0.3,failing:0.3", "stuck"]))
def test_looking_changes_nothing(actions: list[tuple[str, int, int]], behaviour: str) -> None:
    """The same script gives the same world, whether or not somebody looked in between, and far ahead.

    Each occurrence is run once, missed, or was cancelled by a change; every run that had started stays.
    """
    watched, watched_id = _world(behaviour)
    unwatched, unwatched_id = _world(behaviour)
    now, started = _T0, set[tuple[str, int]]()
    for action, seconds, number in actions:
        now += seconds
        for world, task_id in ((watched, watched_id), (unwatched, unwatched_id)):
            _do(world, task_id, action, now, number)
        if action == "look":
            _runs(watched, watched_id, now + number * _DAY)
        seen = {(run.id, run.start) for run in _runs(watched, watched_id, now)}
        assert started <= seen
        started = seen
        if action == "miss":  # the one action that may take a run away
            started = set()
    until = now + 5 * _DAY
    ledger, other = watched.ledger(until), unwatched.ledger(until)
    assert ledger.runs == other.runs
    assert ledger.misses == other.misses
    dues = [run.due for run in ledger.runs if run.due is not None] + [miss.due for miss in ledger.misses]
    assert len(dues) == len(set(dues))


def _do(world: World, task_id: str, action: str, now: int, number: int) -> None:
    match action:
        case "disable":
            world.disable(task_id, now)
        case "enable":
            world.enable(task_id, now)
        case "edit":
            world.edit(task_id, plans.daily(f"{number * 2:02d}:30:00", every=1 + number % 3), now)
        case "behave":
            world.behave(task_id, ("healthy", "missed", "late", "early", "failing")[number % 5], now)
        case "rename":
            world.rename(task_id, f"name {number}", now)
        case "plant":
            world.plant_run(task_id, PlantedRun(now + number * 3600, status="FAIL"))
        case "miss":
            upcoming = world.task(task_id, now).timeline.upcoming(now)
            if upcoming is not None:
                world.plant_miss(task_id, upcoming)
        case _:
            assert action == "look"
