"""A naive observer of one task: it reads the whole history at once, remembers all, and counts on its fingers.

It is written from the contract (sections 4 and 5) and shares nothing with the exporter but the names of the
metrics: what a run means is told by the simulator's ledger, the calendar is the simulator's, day by day.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice, pairwise

from exporter.records import Task
from exporter.simulator.options import Options
from exporter.simulator.plan import Plan, falls_on, local_date, readings
from exporter.simulator.runs import Run
from exporter.simulator.world import World

STATUSES = ("success", "partial", "failed", "skipped", "unknown")
_RESULTS = ("success", "failed", "skipped")
MAX_DURATION = 7200.0
"""How long a run may stay in progress, in seconds: the default."""
_MINUTE = 60.0
_DAY = dt.timedelta(days=1)
_YEARS = 9 * 366

Values = dict[tuple[str, ...], float | None]
"""The samples of a task: the metric without its prefix, then its further labels. None: there is none."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the API shows of a task's runs at one instant: the newest ones, oldest first, and how many."""

    now: float
    runs: tuple[Run, ...]
    total: int

    def same_as(self, other: Sight) -> bool:
        """Whether nothing happened in between."""
        return (self.total, self._standing) == (other.total, other._standing)

    @property
    def _standing(self) -> list[tuple[str, bool]]:
        return [(run.id, run.finished(self.now)) for run in self.runs]

    @property
    def finished(self) -> list[Run]:
        """The runs that are over."""
        return [run for run in self.runs if run.finished(self.now)]

    @property
    def in_progress(self) -> list[Run]:
        """The runs that are not."""
        return [run for run in self.runs if not run.finished(self.now)]


def sight(world: World, task_id: str, now: float, options: Options, history: int) -> Sight:
    """Look at everything that is readable, sort it, and keep the newest."""
    started = (run for run in world.runs(task_id, now) if options.in_progress or run.finished(now))
    readable = list(islice(started, options.retention))
    newest = sorted(readable, key=lambda run: (run.start, run.id))[-history:]
    return Sight(now, tuple(newest), len(readable))


def gauges(seen: Sight) -> Values:
    """Return the gauges that a task's records give."""
    finished, going = seen.finished, seen.in_progress
    last = finished[-1] if finished else None
    values: Values = {
        ("last_run_success_num",): last.success if last else None,
        ("last_run_failed_num",): last.failed if last else None,
        ("last_run_skip_num",): last.skipped if last else None,
        ("last_run_start_timestamp_seconds",): last.start if last else None,
        ("last_start_timestamp_seconds",): max((run.start for run in seen.runs), default=0),
        ("running_runs",): len(going),
        ("running_since_timestamp_seconds",): min((run.start for run in going), default=0),
        ("records",): seen.total,
        ("history_truncated",): 0,
        ("consecutive_unsuccessful_runs",): _unsuccessful(finished),
        ("consecutive_skipped_runs",): _skipped(finished),
    }
    for status in STATUSES:
        values["last_run_status", status] = float(last is not None and last.verdict == status)
        starts = [run.start for run in finished if run.verdict == status]
        values["status_last_timestamp_seconds", status] = max(starts, default=0)
    return values


def _unsuccessful(finished: list[Run]) -> int:
    verdicts = [run.verdict for run in finished]
    since = max((place + 1 for place, verdict in enumerate(verdicts) if verdict == "success"), default=0)
    return sum(verdict in {"failed", "partial"} for verdict in verdicts[since:])


def _skipped(finished: list[Run]) -> int:
    others = [place + 1 for place, run in enumerate(finished) if run.verdict != "skipped"]
    return len(finished) - max(others, default=0)


def details(run: Run) -> Values:
    """Return the gauges that the desktops of a finished run give (no more than ten codes are thrown here)."""
    assert run.end is not None
    values: Values = {("last_run_duration_seconds",): run.end - run.start if run.desktops else None}
    for outcome, counted in (("failed", run.failed), ("skipped", run.skipped)):
        codes: Counter[str] = Counter()
        for kind, code, count in run.codes:
            if kind == outcome:
                codes[code] += count
        assert len(codes) <= 10
        for code, count in codes.items():
            values["last_run_result_num", outcome, code] = count
        unread = (counted or 0) - codes.total()
        if unread > 0:
            values["last_run_result_num", outcome, "unread"] = unread
    return values


@lru_cache(maxsize=512)
def period(plan: Plan) -> float | None:
    """Return the longest gap between two occurrences, day by day through nine years of this century."""
    if plan.triggered or plan.scheduled_type == "FIXED_TIME":
        return None
    first = dt.date(2001, 1, 1)
    days = [day for number in range(_YEARS) if falls_on(plan, day := first + number * _DAY)]
    return max(((later - day).days for day, later in pairwise(days)), default=0) * 86_400.0


@dataclass
class Observer:
    """Everything that one process was shown of one task, and what follows from it.

    `known_since` is when it first had to do with the task. `baseline` are the ids of the runs that had
    finished at the first sight (None: not yet seen), `counted` those that finished since.
    """

    known_since: float
    new: bool = False
    name: str = ""
    baseline: set[str] | None = None
    counted: dict[str, Run] = field(default_factory=dict)
    seen: Sight | None = None
    newest_start: float | None = None
    only_after: float = float("-inf")
    entry: Task | None = None
    plan: Plan | None = None
    named: float | None = None
    """The last next run that the list named: a day on which an interval falls."""
    counts_since: float | None = None
    """When the baseline was seen; before everything for a task all of whose runs are news."""
    blurred: bool = False
    """The last read saw the history change: what it must show is not known until the next one."""
    doubtful: set[str] = field(default_factory=set)
    """The ids of the runs that had finished by then: which of them were seen, nobody can tell."""
    uncertain: bool = False
    """What is counted is not known: the first read was such a one, or a doubtful run was never seen again."""
    sighted: set[str] = field(default_factory=set)
    """The ids of all runs that were ever in sight once they had finished."""

    expires: int | None = None
    """The end that the schedule told when it was read; the list may know better."""
    found: bool = True
    period_known: bool = False

    # What it is shown

    def see_list(self, entry: Task, plan: Plan, now: float) -> None:
        """The list held the task; of `plan`, its schedule in truth, it shows the next run only."""
        before, self.entry, self.name = self.entry, entry, entry.name
        if before is not None and before.enabled is False and entry.enabled:
            self.only_after = now
        if self.plan is None and before is not None and before.next_run not in {None, entry.next_run}:
            assert before.next_run is not None
            if before.next_run > now + _MINUTE:  # moved before it was due: an edit, whatever it was before
                self.only_after = now
        if self.plan is not None:
            expires = self.expires if entry.expires is None else int(entry.expires)
            self._replan(replace(self.plan, expires=expires), now)
        if plan.triggered:
            self._replan(plan, now)
        elif entry.next_run is not None:
            self.named = entry.next_run
            if self.plan is not None:
                self._replan(self.plan, now)

    def see_schedule(self, plan: Plan, now: float) -> None:
        """The schedule was read."""
        self.period_known = True
        self.expires = plan.expires
        self._replan(plan, now)

    def see_records(self, seen: Sight) -> None:
        """The records were read."""
        finished = {run.id: run for run in seen.finished}
        self.sighted |= finished.keys()
        self.uncertain |= bool(
            self.doubtful - finished.keys() - self.counted.keys() - (self.baseline or set())
        )
        self.doubtful = set()
        if self.baseline is None:
            self.baseline = set() if self.new else set(finished)
            self.counts_since = float("-inf") if self.new else seen.now
        for run_id, run in finished.items():
            if run_id not in self.baseline:
                self.counted.setdefault(run_id, run)
        self.seen, self.found = seen, True
        starts = [float(run.start) for run in seen.runs]
        self.newest_start = max(
            [*starts, *([] if self.newest_start is None else [self.newest_start])], default=None
        )

    def lose(self) -> None:
        """Upstream denied that the task exists: what it was is forgotten, what was counted is not."""
        self.found = self.period_known = False
        self.seen = None

    def blur(self, finished: set[str]) -> None:
        """The records were read while they changed; these runs had finished at the end."""
        self.blurred = True
        self.uncertain |= self.baseline is None
        self.doubtful |= finished

    def _replan(self, plan: Plan, now: float) -> None:
        if plan.day_interval > 1 and self.named is not None:
            plan = replace(plan, anchor=_nearest_day(plan, self.named).isoformat())
        if self.plan is not None and _same(self.plan) != _same(plan):
            self.only_after = now
        self.plan = plan

    # What follows

    def pushed_out(self, run_ids: set[str]) -> bool:
        """Whether none of these runs was ever in sight once it had finished."""
        return not run_ids & self.sighted

    @property
    def certain(self) -> bool:
        """Whether its schedule is known, with the days on which it falls: no inference is needed."""
        return self.plan is not None and (self.plan.day_interval == 1 or self.named is not None)

    def expected_run(self, now: float) -> float | None:
        """Return the oldest due occurrence that counts and that no run covers, or else the newest one due."""
        assert self.plan is not None
        assert self.seen is not None
        if self.plan.triggered or (self.entry is not None and self.entry.enabled is False):
            return None
        horizon = now if self.plan.expires is None else min(now, self.plan.expires)
        start = self.known_since if self.newest_start is None else self.newest_start + _MINUTE
        floor = max(start, self.only_after)
        for earlier, later in _occurrences(self.plan, floor, horizon):
            if earlier > floor:
                return later
        newest = _newest(self.plan, horizon)
        last = max((run.start for run in self.seen.runs), default=None)
        if newest is None or last is None or newest[0] <= self.only_after:
            return None
        covered = [reading for reading in newest if reading <= last + _MINUTE]
        return max(covered, default=None)

    def counters(self) -> Values:
        """Return the counters."""
        runs = Counter(run.verdict for run in self.counted.values())
        desktops: Counter[str] = Counter()
        for run in self.counted.values():
            for result, count in zip(_RESULTS, (run.success, run.failed, run.skipped), strict=True):
                desktops[result] += count or 0
        return {
            **{("runs_total", status): runs[status] for status in STATUSES},
            **{("desktops_total", result): desktops[result] for result in _RESULTS},
        }


def _same(plan: Plan) -> tuple[object, ...]:
    """What of a plan makes another schedule of it: of the anchor, the days that it names."""
    phase = dt.date.fromisoformat(plan.anchor).toordinal() % plan.day_interval if plan.anchor else 0
    return replace(plan, anchor="", later=True), phase


def _nearest_day(plan: Plan, instant: float) -> dt.date:
    """Return the day on which the plan's wall time is nearest to the instant."""
    day = local_date(plan, instant)
    return min((day - _DAY, day, day + _DAY), key=lambda each: abs(readings(plan, each)[1] - instant))


def _occurrences(plan: Plan, after: float, until: float) -> Iterator[tuple[int, int]]:
    """Yield both readings of the occurrences whose later reading is in (after, until], day by day."""
    day, last = local_date(plan, after) - _DAY, local_date(plan, until) + _DAY
    while day <= last:
        if falls_on(plan, day):
            earlier, later = readings(plan, day)
            if after < later <= until:
                yield earlier, later
        day += _DAY


def _newest(plan: Plan, until: float) -> tuple[int, int] | None:
    """Return both readings of the newest occurrence whose later reading has come."""
    day = local_date(plan, until) + _DAY
    for _ in range(_YEARS):
        if falls_on(plan, day):
            earlier, later = readings(plan, day)
            if later <= until:
                return earlier, later
        day -= _DAY
    return None
