"""One run of a task: what the service says of it while it goes on, and what it did to each desktop.

Times are whole epoch seconds, so that every time format of the API says the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from exporter.simulator.dice import hex_digits, identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SUCCESS, FAILED, SKIPPED = "success", "failed", "skipped"
WAITING, RUNNING = "WAITING", "RUNNING"
WORDS: Mapping[str, str] = {SUCCESS: "SUCCESS", FAILED: "FAIL", SKIPPED: "SKIP"}

_CLASSES: Mapping[str, str] = {
    "SUCCESS": SUCCESS,
    "FINISH": SUCCESS,
    "FAIL": FAILED,
    "FAILED": FAILED,
    "SKIP": SKIPPED,
    "SKIPPED": SKIPPED,
}
# Desktops are handled in an order that mixes the outcomes: steps of a prime visit each of them once, unless
# their number is a multiple of it.
_STEP = 7919
_SECONDS_A_DESKTOP = 10


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as it will have been once it is over.

    `due` is the occurrence that it answers (`None`: planted without one), `end` its last second (`None`: it
    never ends), `status` the API's word after that. A count of `None` is left out of the answer. `codes` are
    the failed and skipped desktops that its details list: (outcome, result code, how many). `wire` replaces
    fields of the record as it is sent, `omitted` leaves some out.
    """

    task_id: str
    id: str
    start: int
    end: int | None
    due: int | None = None
    status: str = "SUCCESS"
    success: int | None = 0
    failed: int | None = 0
    skipped: int | None = 0
    codes: tuple[tuple[str, str, int], ...] = ()
    wire: Mapping[str, object] | None = None
    omitted: frozenset[str] = frozenset()

    def finished(self, now: float) -> bool:
        """Return whether the run is over."""
        return self.end is not None and self.end <= now

    @property
    def verdict(self) -> str:
        """The status that the finished run deserves: success, partial, failed, skipped or unknown.

        The API's word names a class; failed desktops can only make it worse (contract, section 4).
        """
        word = class_of(self.status)
        if word in {FAILED, "unknown"} or not _positive(self.failed):
            return word
        return "partial" if _positive(self.success) else FAILED

    @property
    def listed(self) -> tuple[tuple[str, str, int], ...]:
        """The desktops of its details: (outcome, result code, how many)."""
        good = max(self.success or 0, 0)
        return (*self.codes, (SUCCESS, "", good)) if good else self.codes

    @property
    def desktops(self) -> int:
        """How many desktops its details list."""
        return sum(count for _, _, count in self.listed)


@dataclass(frozen=True, slots=True)
class Desktop:
    """What one run did to one desktop. `start` and `end` are `None` as long as they lie ahead."""

    id: str
    desktop_id: str
    name: str
    status: str
    code: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the record says of a run at one instant."""

    status: str
    success: int | None
    failed: int | None
    skipped: int | None


def class_of(status: str) -> str:
    """Return the class of the API's word: success, failed, skipped or unknown (contract, section 3)."""
    return _CLASSES.get(status.upper(), "unknown")


def progress(run: Run, now: float) -> Progress:
    """Return what the record says at that instant: of a run under way, the desktops done so far."""
    if run.finished(now):
        return Progress(run.status, run.success, run.failed, run.skipped)
    done = Counter(outcome for outcome, _, _, end in _course(run) if end is not None and end <= now)
    given = ((SUCCESS, run.success), (FAILED, run.failed), (SKIPPED, run.skipped))
    so_far = [None if final is None else done[outcome] for outcome, final in given]
    return Progress(RUNNING, *so_far)


def desktops(run: Run, now: float, offset: int = 0, limit: int | None = None) -> Iterator[Desktop]:
    """Yield the desktops of the run as they stand at that instant, those of one page of its details.

    The newest end of a finished run's desktops is the end of the run.
    """
    for number, (outcome, code, start, end) in enumerate(_course(run, offset, limit), offset):
        started, ended = start <= now, end is not None and end <= now
        status = WORDS[outcome] if ended else RUNNING if started else WAITING
        yield Desktop(
            id=identifier("detail", run.id, number),
            desktop_id=identifier("desktop", run.task_id, number),
            name=f"desk-{hex_digits(4, run.task_id)}-{number:03d}",
            status=status,
            code=code if ended else "",
            start=start if started else None,
            end=end if ended else None,
        )


def _course(
    run: Run, offset: int = 0, limit: int | None = None
) -> Iterator[tuple[str, str, int, int | None]]:
    """Yield (outcome, code, start, end) of the desktops in the order in which the run handles them."""
    shares = run.listed
    bounds = list(accumulate(count for _, _, count in shares))
    total = bounds[-1] if bounds else 0
    step = _STEP if total % _STEP else 1
    stop = total if limit is None else min(offset + limit, total)
    for position in range(offset, stop):
        outcome, code, _ = shares[bisect_right(bounds, position * step % total)]
        yield outcome, code, *_span(run, position, total)


def _span(run: Run, position: int, total: int) -> tuple[int, int | None]:
    """Return start and end of the desktop at that position; without an end, the second half goes on."""
    if run.end is None:
        start = run.start + position * _SECONDS_A_DESKTOP
        return start, start + _SECONDS_A_DESKTOP if position < total // 2 else None
    length = run.end - run.start
    return run.start + position * length // total, run.start - (-(position + 1) * length // total)


def _positive(count: int | None) -> bool:
    return count is not None and count > 0
