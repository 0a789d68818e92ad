"""What the poller shows and reports, written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.state import TaskState

Key = tuple[str, str]


class Board:
    """A publisher: the states as a scrape would show them, and what was done to get there."""

    def __init__(self) -> None:
        self.states: dict[str, TaskState] = {}
        self.last_polls: dict[str, float] = {}
        self.puts: Counter[str] = Counter()
        self.touches: Counter[str] = Counter()

    def put(self, state: TaskState) -> None:
        """Take a state."""
        self.states[state.task_id] = state
        self.puts[state.task_id] += 1
        self.last_polls.pop(state.task_id, None)
        if state.last_poll is not None:
            self.last_polls[state.task_id] = state.last_poll

    def touch(self, key: Key, last_poll: float) -> None:
        """Take the only value that changed."""
        assert self.states[key[1]].last_poll is not None, "only the sample that is there can be changed"
        self.last_polls[key[1]] = last_poll
        self.touches[key[1]] += 1

    def remove(self, key: Key) -> None:
        """Forget a task that is shown."""
        del self.states[key[1]]
        self.last_polls.pop(key[1], None)


@dataclass(frozen=True, slots=True)
class Told:
    """One report of a cycle."""

    ok: bool
    ended: float
    seconds: float
    tasks: int
    overrun: bool


@dataclass
class Reports:
    """An observer that remembers."""

    cycles: list[Told] = field(default_factory=list)
    interval: float | None = None
    auth_ok: bool | None = None
    reasons: Counter[str] = field(default_factory=Counter)

    def started(self, interval: float) -> None:
        """Remember the interval."""
        self.interval = interval

    def cycle(self, *, ok: bool, ended: float, seconds: float, tasks: int, overrun: bool) -> None:
        """Remember a cycle."""
        self.cycles.append(Told(ok, ended, seconds, tasks, overrun))

    def upstream(self, *, auth_ok: bool, expiry: tuple[str, float] | None, skew: float | None) -> None:
        """Remember whether the credentials are good."""
        del expiry, skew
        self.auth_ok = auth_ok

    def rejected(self, reasons: Mapping[str, int]) -> None:
        """Count malformed entries."""
        self.reasons.update(reasons)
