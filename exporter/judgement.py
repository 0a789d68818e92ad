"""What is wrong with a task, in the words of the alerts. Pure.

The same conditions as in examples/prometheus/rules.yml, looked at once instead of over time: a person who
reads the page, or `tasks`, sees what would page. What did not happen is judged as of when the task's runs
were last known to be current.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from exporter.history import RUN_STATUSES, History, RunStatus
from exporter.schedule import EARLY_START_SECONDS
from exporter.state import TaskState
from exporter.timestamps import format_utc
from exporter.views import Verdict

FAILING_REPEATEDLY = 3
SKIPPED_REPEATEDLY = 2
_STALE_SECONDS = 1200.0
_STALE_INTERVALS = 3
_UNSUCCESSFUL: Container[RunStatus | None] = {"failed", "skipped", "unknown"}

Finding = tuple[Verdict, str]
"""A kind of trouble and the sentence that tells it."""


def judge(state: TaskState, now: float, interval: float) -> tuple[Verdict, tuple[str, ...]]:
    """Return a task's verdict at `now` (epoch seconds) and each kind of trouble as a sentence, worst first.

    `interval` is the polling interval in seconds.
    """
    findings = sorted(troubles(state, now, interval), key=lambda finding: finding[0].severity)
    if findings:
        return findings[0][0], tuple(text for _, text in findings)
    return _untroubled(state), ()


def is_stale(state: TaskState, now: float, interval: float) -> bool:
    """Whether the task's runs have not been known to be current for too long to say that one is missing."""
    limit = max(_STALE_INTERVALS * interval, _STALE_SECONDS)
    return state.last_poll is not None and now - state.last_poll > limit


def troubles(state: TaskState, now: float, interval: float) -> Iterator[Finding]:
    """Yield each kind of trouble that the task is in."""
    if state.found is False:
        yield Verdict.NOT_FOUND, "No task with this id exists upstream."
        return
    if state.history is None:
        if state.last_poll is not None:
            yield Verdict.STALE, "Its runs could not be read for so long that what was known is withdrawn."
        elif state.poll_ok is False:
            yield Verdict.STALE, "Its runs could not be read once since the exporter started."
        return
    yield from _of_last_run(state.history)
    yield from _of_rows(state.history)
    known_at = now if state.last_poll is None else state.last_poll
    yield from _of_running(state, state.history, min(known_at + _STALE_SECONDS, now))
    if state.enabled is not False and not is_stale(state, now, interval):
        yield from _of_absence(state, state.history, known_at)


def _of_last_run(history: History) -> Iterator[Finding]:
    if history.last is None:
        return
    record, when = history.last.record, format_utc(history.last.record.start)
    count = record.failed_num
    failed = "" if count is None else f" on {count} desktop{'' if count == 1 else 's'}"
    match history.last.status:
        case "failed":
            yield Verdict.FAILED, f"The last run, started {when}, failed{failed}."
        case "partial":
            yield Verdict.PARTIAL, f"The last run, started {when}, failed{failed} and succeeded on others."
        case "unknown":
            word = repr(record.status) if record.status else "no word"
            yield (
                Verdict.UNKNOWN,
                f"The last run, started {when}, ended with {word}, which is not configured.",
            )
        case _:
            return


def _of_rows(history: History) -> Iterator[Finding]:
    if history.consecutive_unsuccessful >= FAILING_REPEATEDLY:
        count = history.consecutive_unsuccessful
        yield Verdict.FAILED, f"{count} runs failed, wholly or in part, without a success between them."
    if history.consecutive_skipped >= SKIPPED_REPEATEDLY:
        yield Verdict.SKIPPED, f"The last {history.consecutive_skipped} runs were skipped."


def _of_running(state: TaskState, history: History, at: float) -> Iterator[Finding]:
    if 0 < history.running_since < at - state.max_duration:
        since = format_utc(history.running_since)
        yield Verdict.STUCK, f"A run has been in progress since {since}, longer than max_duration."


def _of_absence(state: TaskState, history: History, at: float) -> Iterator[Finding]:
    expected = state.expected_run
    if expected is not None and history.last_start + EARLY_START_SECONDS < expected < at - state.grace:
        yield Verdict.MISSED, f"No run started within grace of {format_utc(expected)}, when one was due."
    if history.last is None or history.last.status not in _UNSUCCESSFUL:
        return
    newest = max(history.newest_by_status[RUN_STATUSES.index(s)] for s in ("success", "partial"))
    if newest == 0:
        yield Verdict.NO_SUCCESS, "No run in the readable history succeeded, even in part."
    elif state.schedule_period and newest < at - 2 * state.schedule_period - state.max_duration:
        yield Verdict.NO_SUCCESS, f"No run has succeeded, even in part, since {format_utc(newest)}."


def _untroubled(state: TaskState) -> Verdict:
    if state.history is None:
        return Verdict.PENDING
    if state.history.running:
        return Verdict.RUNNING
    if state.enabled is False:
        return Verdict.DISABLED
    return Verdict.OK if state.history.last else Verdict.NEVER_RAN
