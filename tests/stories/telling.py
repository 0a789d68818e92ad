"""Plays a history: a world, a poller that watches it, and after each cycle what naive observers expect."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Self

from exporter.catalog import TASK_METRICS
from exporter.errors import CredentialsError, NotFoundError
from exporter.poller import ProjectPoller
from exporter.rendering import render_task
from exporter.simulator.options import Options
from exporter.simulator.plan import Plan
from exporter.simulator.planting import PlantedRun
from exporter.simulator.runs import Run
from exporter.simulator.world import World
from exporter.state import TaskState
from tests.stories import oracle
from tests.stories.clock import ManualClock
from tests.stories.cloud import Cloud
from tests.stories.histories import ERRORS, MAX_AGE, OFF, Cast, Do, History, Poll, StillLife, readable
from tests.stories.oracle import Observer, Sight, Values, sight
from tests.stories.recorders import Board, Reports
from tests.stories.upstream import forbidden
from tests.stories.watch import configured

_PREFIX = "workspace_task_"
_OF_A_PROCESS = {
    "runs_total",
    "desktops_total",
    "last_poll_timestamp_seconds",
    "expected_run_timestamp_seconds",
    "history_truncated",
}
"""What may depend on when a process began, or on what it has seen."""
_OF_DESKTOPS = {"last_run_duration_seconds", "last_run_result_num"}
"""What is not asked again of a run whose desktops upstream has denied."""
_OF_THE_SCHEDULE = {"info", "schedule_period_seconds"}
"""What is read once in a refresh only, where the list shows no edit."""


@dataclass
class Away:
    """What was counted of a task that left the selection, and when it left."""

    observer: Observer
    since: float


class Telling:
    """A history under way."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.clock = ManualClock(float(history.begin))
        self.world = World(seed=history.seed)
        self.cloud = Cloud(self.world, self.clock.epoch, history.options)
        self.tasks: list[str] = []
        self.open: list[Run] = []
        self.denied: set[str] = set()
        self.touched: set[str] = set()
        """Tasks whose runs the list may not tell of: some were planted, the switch or schedule changed."""
        self._runner = asyncio.Runner()
        for cast in history.cast:
            self._create(cast)
        chosen: dict[str, Any] = {"discovery": {"exclude": [f"^{OFF}"]}}
        if not history.listing:
            chosen = {"tasks": [{"id": task_id} for task_id in self.tasks]}
        self.config = configured(polling=history.polling, **chosen)
        self.restart()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the loop."""
        self._runner.close()

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        return self.clock.epoch()

    # What happens

    def play(self) -> None:
        """Play the whole history, and then two cycles in which nothing fails."""
        for step in self.history.steps:
            self.clock.pass_time(step.wait)
            for do in step.does:
                self._do(do)
            self.cycle(step.poll)
        for _ in range(2):
            self.clock.pass_time(60)
            self.cycle(Poll())
        self._compare_with_a_restart()

    def restart(self) -> None:
        """Begin anew, as a process that knows nothing."""
        self.board, self.reports = Board(), Reports()
        self.observers: dict[str, Observer] = {}
        self.away: dict[str, Away] = {}
        self.failing: set[str] = set()
        self.attempted: dict[str, bool] = {}
        self.met: dict[str, float] | None = None
        self.poller = ProjectPoller(
            self.config.projects[0],
            self.config,
            upstream=self.cloud,
            publisher=self.board,
            observer=self.reports,
            clocks=self.clock.clocks,
        )

    def cycle(self, poll: Poll) -> None:
        """Make a cycle in which these faults strike, and check what came of it."""
        self.cloud.begin_cycle()
        self.cloud.faults = {
            (
                operation,
                self.tasks[task % len(self.tasks)] if task >= 0 and operation != "list_tasks" else "",
                number,
            ): ERRORS[error]
            for operation, task, number, error in poll.faults
        }
        if not self.history.listing:
            self.cloud.faults["list_tasks", "", 0] = forbidden
        self.cloud.between = lambda _task_id: self.clock.pass_time(poll.pause)
        self._began = self.now
        self._runner.run(self.poller.cycle())
        self._observe(self._began)
        self._check()

    def _compare_with_a_restart(self) -> None:
        """A process that knows nothing shows the same, but for what has happened since it was last read."""
        before, observers = self.board.states, self.observers
        self.restart()
        self.cycle(Poll())
        for task_id, state in self.board.states.items():
            seen, again = observers[task_id].seen, self.observers[task_id].seen
            if seen is None or again is None or not seen.same_as(again):
                continue
            old, new = _values(before[task_id]), _values(state)
            ours = {*_OF_A_PROCESS, *(() if self.history.listing else _OF_THE_SCHEDULE)}
            ours |= _OF_DESKTOPS if task_id in self.denied else set()
            assert {key: value for key, value in old.items() if key[0] not in ours} == {
                key: value for key, value in new.items() if key[0] not in ours
            }

    def _do(self, do: Do) -> None:
        match do.what:
            case "restart":
                self.restart()
            case "create":
                if self.history.listing:
                    self._create(do.value)
            case "options":
                kept = self.cloud.options
                habits = replace(do.value, retention=kept.retention, in_progress=kept.in_progress)
                self.cloud.options = readable(habits)
            case "finish":
                self._finish(do.value)
            case _:
                task_id = self.tasks[do.task % len(self.tasks)]
                if do.what not in {"rename", "behave"}:
                    self.touched.add(task_id)
                if self.world._tasks[task_id].exists(self.now):
                    self._change(do, task_id)

    def _change(self, do: Do, task_id: str) -> None:
        now = self.now
        match do.what, do.value:
            case "plant", PlantedRun() as planted:
                run = self.world.plant_run(task_id, replace(planted, start=int(now) + planted.start))
                if run.end is None:
                    self.open.append(run)
            case "rename", str(name):
                self.world.rename(task_id, name, now)
            case "disable", _:
                self.world.disable(task_id, now)
            case "enable", _:
                self.world.enable(task_id, now)
            case "delete", _:
                self.world.delete(task_id, now)
            case "edit", Plan() as plan:
                self.world.edit(task_id, plan, now)
            case "behave", str(behaviour):
                self.world.behave(task_id, behaviour, now)
            case _:
                raise AssertionError(do)

    def _create(self, cast: Cast) -> None:
        self.tasks.append(
            self.world.add_task(
                cast.plan,
                self.now,
                behaviour=cast.behaviour,
                history_days=cast.days,
                desktops=cast.desktops,
            )
        )

    def _finish(self, word: str) -> None:
        """End a planted run that goes on for ever."""
        for run in self.open:
            if run.start < self.now and self.world._tasks[run.task_id].exists(self.now):
                self.world.finish_run(run, int(self.now), status=word)
                self.open.remove(run)
                return

    # What the observers are shown

    def _observe(self, began: float) -> None:
        seen = self.cloud.seen
        listing_failed = any(operation == "list_tasks" for operation, _ in seen.failed)
        refused = any(isinstance(error, CredentialsError) for error in seen.failed.values())
        self.list_ok = len(seen.whole) == 2 and not listing_failed
        if self.list_ok:
            self._observe_list(began)
        elif not self.history.listing:
            for task_id in self.tasks:
                self.observers.setdefault(task_id, Observer(began))
        for task_id, instants in seen.records.items():
            if ("list_records", task_id) not in seen.failed:
                self._observe_records(task_id, instants)
        self._observe_attempts()
        for task_id, instant in seen.schedules.items():
            if ("show_task", task_id) not in seen.failed:
                self.observers[task_id].see_schedule(self._plan(task_id, instant), instant)
        self.denied |= {
            task_id
            for (operation, task_id), error in seen.failed.items()
            if operation == "list_record_details" and isinstance(error, NotFoundError)
        }
        others = any(
            operation in {"show_task", "list_record_details"}
            and not (isinstance(error, NotFoundError) and self._denied(operation))
            for (operation, _), error in seen.failed.items()
        )
        good_list = self.list_ok or not self.history.listing
        self.good = good_list and not self.failing and not others and not refused

    def _observe_list(self, now: float) -> None:
        shown = self.cloud.seen.tasks
        chosen = {key: entry for key, entry in shown.items() if not entry.name.startswith(OFF)}
        for task_id in self.observers.keys() - chosen.keys():
            self.away[task_id] = Away(self.observers.pop(task_id), now)
            self.failing.discard(task_id)
            self.attempted.pop(task_id, None)
        for task_id, entry in chosen.items():
            if task_id not in self.observers:
                self._join(task_id, now)
            self.observers[task_id].see_list(entry, self._plan(task_id, now), now)
        oldest = now - MAX_AGE
        self.away = {key: away for key, away in self.away.items() if away.since >= oldest}
        known = {**(self.met or {}), **dict.fromkeys(shown, now)}
        self.met = {key: at for key, at in known.items() if at >= oldest}

    def _join(self, task_id: str, now: float) -> None:
        observer = Observer(now, new=self.met is not None and task_id not in self.met)
        before = self.away.pop(task_id, None)
        if before is not None and before.observer.baseline is not None:
            observer.baseline, observer.counted = before.observer.baseline, before.observer.counted
            observer.uncertain = before.observer.uncertain
            observer.counts_since = before.observer.counts_since
        self.observers[task_id] = observer

    def _observe_records(self, task_id: str, instants: list[float]) -> None:
        """Show the records, as they were at an instant of the read; where too much happened, nothing."""
        observer = self.observers[task_id]
        sights = [self._sight(task_id, instant) for instant in (instants[0], instants[-1])]
        observer.blurred = False
        if sights[0].same_as(sights[1]):
            observer.see_records(sights[1])
            return
        observer.blur({run.id for run in self._since(observer, task_id, instants[-1])})
        told = (
            self._events(task_id, instants[0], instants[-1]) == 1 and self.cloud.options.order != "unordered"
        )
        if told and sights[1].total < self.cloud.options.retention:  # nothing slipped out at the other end
            shown = _values(self.board.states[task_id])
            fitting = [each for each in sights if _agree(shown, _of_runs(oracle.gauges(each)))]
            assert fitting, f"{task_id}: shown is neither what was before nor what was after the change"

    def _denied(self, operation: str) -> bool:
        """Whether "it does not exist" is no failure: of desktops, or where no list says otherwise."""
        return operation == "list_record_details" or not self.history.listing

    def _since(self, observer: Observer, task_id: str, until: float) -> tuple[Run, ...]:
        """Return the runs that finished since those that were seen at first."""
        since = float("-inf") if observer.counts_since is None else observer.counts_since
        return self.world.ledger(until, since=since, task_id=task_id).finished

    def _observe_attempts(self) -> None:
        """Note of each task whether its last read succeeded."""
        seen = self.cloud.seen
        for operation, task_id in seen.calls:
            if operation != "list_records":
                continue
            error = seen.failed.get((operation, task_id))
            if isinstance(error, CredentialsError):
                continue
            denied = (
                not self.world._tasks[task_id].exists(self.now)
                if error is None
                else isinstance(error, NotFoundError)
            )
            gone = denied and not self.history.listing
            if gone:
                self.observers[task_id].lose()
            self.attempted[task_id] = gone or (error is None and not denied)
            if self.attempted[task_id]:
                self.failing.discard(task_id)
            else:
                self.failing.add(task_id)

    def _plan(self, task_id: str, instant: float) -> Plan:
        return self.world._tasks[task_id].timeline.chapter(instant).plan

    def _sight(self, task_id: str, instant: float) -> Sight:
        return sight(self.world, task_id, instant, self.cloud.options, self.config.polling.history)

    def _events(self, task_id: str, since: float, until: float) -> int:
        """Count the starts and ends of runs in (since, until]."""
        runs = list(self.world.runs(task_id, until))
        starts = sum(since < run.start <= until for run in runs)
        return starts + sum(run.end is not None and since < run.end <= until for run in runs)

    # What is expected of what is shown

    def _check(self) -> None:
        told = self.reports.cycles[-1]
        assert told.ok == self.good, f"cycle ok {told.ok}, but {self.cloud.seen.failed}, {self.failing}"
        assert told.tasks == len(self.observers)
        assert self.board.states.keys() == self.observers.keys()
        for task_id, observer in self.observers.items():
            state = self.board.states[task_id]
            assert (state.found is not False) == observer.found
            if observer.found:
                self._check_task(task_id, observer, state)
            else:
                assert (state.history, state.schedule, state.expected_run) == (None, None, None)

    def _check_task(self, task_id: str, observer: Observer, state: TaskState) -> None:
        shown = _values(state)
        expected = self._expected(task_id, observer, state)
        wrong = {key: (shown.get(key), value) for key, value in expected.items() if shown.get(key) != value}
        assert not wrong, f"{task_id} at {self.now} (shown, expected): {wrong}"
        if self.good and not self._left_over and not observer.blurred:
            assert self.board.last_polls[task_id] >= self._began
            if task_id not in self.touched and self.cloud.options.in_progress and observer.certain:
                self._check_fresh(task_id, observer)
        if not observer.blurred and not observer.uncertain:
            self._check_ledger(task_id, observer)

    def _check_fresh(self, task_id: str, observer: Observer) -> None:
        """What is called current is: nothing has happened since it was read that the list could have told.

        It does not tell of a run that began before its time, nor of the end of one given up as stuck.
        """
        assert observer.seen is not None
        if self._plan(task_id, self.now).triggered:
            return
        seen, now = observer.seen.now, self._began
        for run in self.world.runs(task_id, now):
            if run.start <= seen and (run.end is None or not seen < run.end <= now):
                continue
            assert run.due is not None
            assert now <= run.due or run.start < now - oracle.MAX_DURATION, f"{run} was not seen by {now}"

    def _expected(self, task_id: str, observer: Observer, state: TaskState) -> Values:
        entry = observer.entry
        expected: Values = {
            ("enabled",): None if entry is None or entry.enabled is None else float(entry.enabled),
            ("next_run_timestamp_seconds",): entry.next_run if entry else None,
            ("grace_seconds",): 900.0,
            ("max_duration_seconds",): 7200.0,
            ("poll_success",): float(self.attempted[task_id]) if task_id in self.attempted else None,
        }
        if observer.plan is not None:
            known = observer.period_known and not observer.plan.triggered
            expected["schedule_period_seconds",] = oracle.period(observer.plan) if known else None
        if observer.blurred:
            return expected
        if not observer.uncertain:
            expected |= observer.counters()
        last_poll = self.board.last_polls.get(task_id)
        current = observer.seen is not None and last_poll is not None and self.now < last_poll + MAX_AGE
        if observer.seen is not None:
            of_records = oracle.gauges(observer.seen)
            expected |= of_records if current else dict.fromkeys(of_records, None)
        if not current:
            return expected | {("expected_run_timestamp_seconds",): None}
        if observer.certain:
            expected["expected_run_timestamp_seconds",] = observer.expected_run(self.now)
        return expected | self._details(state, observer)

    @property
    def _left_over(self) -> int:
        assert self.poller.last_cycle is not None
        return self.poller.last_cycle.carried_over

    def _details(self, state: TaskState, observer: Observer) -> Values:
        """What the desktops of the last run give, where they were read."""
        last = observer.seen.finished[-1:] if observer.seen else []
        if not last or state.details is None or state.details.run_id != last[0].id:
            due = last and self.good and self.config.polling.details and not self.cloud.seen.failed
            assert not due or self._left_over
            return {}
        values = oracle.details(last[0])
        shown = {key for key in _values(state) if key[0] == "last_run_result_num"}
        if state.details.duration is None and last[0].desktops:
            return {}
        assert shown == {key for key in values if key[0] == "last_run_result_num"}
        return values

    def _check_ledger(self, task_id: str, observer: Observer) -> None:
        """The counters are the ledger's: what finished since the first read, as far as it was in sight."""
        if observer.seen is None or observer.counts_since is None:
            return
        finished = {run.id for run in self._since(observer, task_id, observer.seen.now)}
        assert observer.counted.keys() <= finished
        unseen = finished - observer.counted.keys()
        assert not unseen or not self.cloud.options.in_progress or observer.pushed_out(unseen)


def _values(state: TaskState) -> Values:
    """Return all samples of a task, without the metrics' prefix."""
    return {
        (metric.name.removeprefix(_PREFIX), *labels): value
        for metric in TASK_METRICS
        for labels, value in metric.samples(state)
    }


def _of_runs(values: Values) -> Values:
    """Leave out what depends on which of several pages was answered last."""
    return {key: value for key, value in values.items() if key[0] not in {"records", "history_truncated"}}


def _agree(shown: Values, expected: Values) -> bool:
    return all(shown.get(key) == value for key, value in expected.items())


def rendered(life: StillLife, options: Options) -> dict[str, bytes]:
    """Return every task's metrics as a process shows them that reads everything once."""
    history = History(
        begin=life.begin,
        seed=life.seed,
        listing=True,
        polling={"history": life.window},
        options=options,
        cast=life.cast,
        steps=(),
    )
    with Telling(history) as telling:
        telling.cycle(Poll())
        return {task_id: b"".join(render_task(state)) for task_id, state in telling.board.states.items()}
