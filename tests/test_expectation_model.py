"""exporter.expectation against a naive model of the whole story, day by day."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.expectation import Memory, expected_run, next_change, observe
from exporter.records import Schedule, Task
from exporter.recurrence import EveryDays, Monthly, Occurrence, Once, Plan, Rule, Weekly
from tests.calendar_oracle import ZONES, epoch, naive_occurrences

if TYPE_CHECKING:
    from datetime import tzinfo

DAY = 86_400.0
DAILY = Schedule(scheduled_type="DAY", day_interval=1, scheduled_time="09:00:00")

CHOICES: list[tuple[Schedule, Rule]] = [
    (DAILY, EveryDays(1, 0)),
    (replace(DAILY, day_interval=3), EveryDays(3, 0)),
    (replace(DAILY, day_interval=8), EveryDays(8, 5)),
    (Schedule(scheduled_type="WEEK", week_list="2,5"), Weekly(frozenset({0, 3}))),
    (
        Schedule(scheduled_type="MONTH", month_list="1,2,3,4,5,6,7,8,9,10,11,12", date_list="5,30,L"),
        Monthly(frozenset(range(1, 13)), frozenset({5, 30, -1})),
    ),
    (Schedule(scheduled_type="FIXED_TIME", scheduled_date="2025-10-26"), Once(date(2025, 10, 26))),
]
TIMES = ["00:30:00", "01:45:00", "02:30:00", "09:00:00", "23:30:00"]
FIRST_DAYS = [date(2025, 3, 20), date(2025, 9, 1), date(2025, 10, 18), date(2011, 12, 20)]


@dataclass
class World:
    """Upstream and its witness, told as plain lists."""

    zone: tzinfo
    now: float
    choice: tuple[Schedule, Rule, time]
    seen_since: float = 0.0
    only_after: float = -math.inf
    enabled: bool = True
    starts: list[float] = field(default_factory=list)

    def occurrences(self) -> list[Occurrence]:
        """Return every occurrence from two months before to two months after now, day by day."""
        _, rule, at = self.choice
        today = datetime.fromtimestamp(self.now, UTC).date()
        return list(
            naive_occurrences(Plan(rule, at, self.zone), today - timedelta(60), today + timedelta(60))
        )

    def next_run(self) -> float | None:
        """Return what upstream names: the first occurrence not yet due."""
        return next((each.expected for each in self.occurrences() if each.expected > self.now), None)

    def expected(self) -> float | None:
        """Apply the contract's sentence word by word."""

        def covered(each: Occurrence) -> bool:
            return any(each.earliest <= start + 60 for start in self.starts)

        def counts(each: Occurrence) -> bool:
            known = self.seen_since < each.earliest or bool(self.starts)
            return (known or covered(each)) and each.earliest > self.only_after

        due = [each for each in self.occurrences() if each.expected <= self.now and counts(each)]
        if not self.enabled or not due:
            return None
        for each in due:
            if not covered(each):
                return each.expected
        return due[-1].expected if due[-1].expected <= max(self.starts) + 60 else due[-1].earliest


actions = st.tuples(
    st.sampled_from(["wait", "wait", "run", "run", "edit", "disable", "enable"]),
    st.one_of(st.floats(1, 7200), st.floats(3600, 3 * DAY)),
    st.integers(0, len(CHOICES) - 1),
    st.sampled_from(TIMES),
)


@settings(deadline=None, max_examples=200)
@given(
    zone=st.sampled_from(ZONES),
    first_day=st.sampled_from(FIRST_DAYS),
    steps=st.lists(actions, min_size=1, max_size=12),
)
def test_every_story_gives_what_a_day_by_day_model_gives(
    zone: tzinfo, first_day: date, steps: list[tuple[str, float, int, str]]
) -> None:
    """Runs, edits and switches in any order, polled after each: value, restart and next change agree."""
    world, memory = None, None
    for action, seconds, index, wall in steps:
        schedule, rule = CHOICES[index]
        chosen = (replace(schedule, scheduled_time=wall), rule, time.fromisoformat(wall))
        if world is None:
            world = World(zone, epoch(f"{first_day}T00:00:00Z"), chosen)
            world.seen_since = world.now + seconds
        world.now += seconds
        if action == "run":
            world.starts.append(world.now - min(seconds, 100) / 2)
        elif action == "edit" and chosen != world.choice:
            world.choice, world.only_after = chosen, world.now
        elif action in {"disable", "enable"}:
            if action == "enable" and not world.enabled:
                world.only_after = world.now
            world.enabled = action == "enable"
        task = Task("t", enabled=world.enabled, next_run=world.next_run())
        last_start = max(world.starts, default=None)
        memory = observe(
            memory, now=world.now, task=task, schedule=world.choice[0], zone=zone, last_start=last_start
        )
        check(world, memory, task, last_start)


def check(world: World, memory: Memory, task: Task, last_start: float | None) -> None:
    """Compare one moment of the story with the model, and with what must follow from it."""
    now = world.now
    answer = expected_run(memory, last_start=last_start, now=now)
    assert (answer and answer.at) == world.expected()
    if answer is not None:
        assert answer.covered == (last_start is not None and last_start + 60 >= answer.at)
    again = observe(
        memory, now=now, task=task, schedule=world.choice[0], zone=world.zone, last_start=last_start
    )
    assert again == memory
    if answer is not None and not answer.covered and last_start is not None:
        fresh = observe(
            None, now=now, task=task, schedule=world.choice[0], zone=world.zone, last_start=last_start
        )
        restarted = expected_run(fresh, last_start=last_start, now=now)
        assert restarted is not None
        assert not restarted.covered
        assert restarted.at <= answer.at
    change = next_change(memory, last_start=last_start, now=now)
    until = now + 40 * DAY if change is None else change - 0.001
    for share in (0.3, 0.7, 1.0):
        assert expected_run(memory, last_start=last_start, now=now + share * (until - now)) == answer
