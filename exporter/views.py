"""What people and their tools are shown of the exporter: the status page and `/api/v1/tasks`.

Plain values, already decided: nothing here judges. Times are epoch seconds, durations seconds; what is not
known is None or empty, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a task stands, in one word. The members stand in order of severity, worst first.

    Those down to `UNKNOWN` are trouble: each is the condition of an alert (docs/runbooks.md). A task in
    several kinds of trouble has the worst as its verdict and all of them as its reasons.
    """

    FAILED = "failed"
    """The last run failed."""
    MISSED = "missed"
    """No run started within `grace` of an occurrence that is due."""
    PARTIAL = "partial"
    """The last run failed on some of its desktops."""
    STUCK = "stuck"
    """A run has been in progress for longer than `max_duration`."""
    NOT_FOUND = "not_found"
    """The task is configured but does not exist upstream."""
    STALE = "stale"
    """Its runs could not be read for so long that what was known has been withdrawn, or was never read."""
    NO_SUCCESS = "no_success"
    """Runs end, but for two periods none as success or partial."""
    SKIPPED = "skipped"
    """The last two runs or more were skipped."""
    UNKNOWN = "unknown"
    """The last run has a status word that the configuration does not know."""
    RUNNING = "running"
    """A run is in progress, and nothing is wrong."""
    PENDING = "pending"
    """Not read yet: the exporter has just started, or the task has just appeared."""
    NEVER_RAN = "never_ran"
    """No run in the readable history, and none due."""
    DISABLED = "disabled"
    """Switched off upstream; nothing is expected of it."""
    OK = "ok"
    """The last run succeeded (or one run was skipped), and none is missing."""

    @property
    def severity(self) -> int:
        """Rank in the order above: 0 is the worst."""
        return _SEVERITY[self]

    @property
    def trouble(self) -> bool:
        """Whether somebody should look."""
        return _SEVERITY[self] <= _SEVERITY[Verdict.UNKNOWN]

    @property
    def label(self) -> str:
        """The words for a reader: `Not found`."""
        return "OK" if self is Verdict.OK else self.value.replace("_", " ").capitalize()


_SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class ErrorView:
    """An error as people read it: what happened, why probably, what to do, and what to tell the vendor."""

    text: str
    cause: str = ""
    next_step: str = ""
    code: str = ""
    """Upstream's error code, or the HTTP status or word of `workspace_exporter_api_requests_total`."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ResultView:
    """Desktops of one run that ended alike; at most ten for each outcome are worth showing."""

    outcome: str
    """failed or skipped."""
    code: str
    """`result_code`, or `other`, or `unread` for desktops whose details were not read."""
    desktops: int
    reason: str = ""
    """Upstream's `fail_reason`, of the first of them that has one."""
    examples: tuple[str, ...] = ()
    """Names of the first few of these desktops."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run of a task."""

    id: str
    start: float
    status: str
    """success, partial, failed, skipped, unknown, or running while in progress."""
    word: str = ""
    """The API's own status word."""
    success: int | None = None
    failed: int | None = None
    skipped: int | None = None
    duration: float | None = None
    results: tuple[ResultView, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskView:
    """One selected task."""

    project: str
    id: str
    name: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """Each kind of trouble as a sentence, worst first; empty when there is none."""
    task_type: str = ""
    scheduled_type: str = ""
    life_cycle_type: str = ""
    time_zone: str = ""
    """As the API names it: `Asia/Shanghai`, `GMT+8`."""
    enabled: bool | None = None
    found: bool = True
    last_run: RunView | None = None
    runs: Sequence[RunView] = ()
    """The newest ten, oldest first, in progress or finished."""
    running_since: float | None = None
    next_run: float | None = None
    expected_run: float | None = None
    consecutive_unsuccessful: int = 0
    consecutive_skipped: int = 0
    last_poll: float | None = None
    poll_error: ErrorView | None = None
    """Why the last read of its records failed."""
    stale: bool = False
    """Whether what is shown is older than it should be, because reads fail."""


@dataclass(frozen=True, slots=True)
class ProjectView:
    """One project and how reading it goes."""

    name: str
    region: str = ""
    tasks: int = 0
    interval: float | None = None
    last_poll: float | None = None
    """When the last cycle ended, however it ended."""
    last_success: float | None = None
    poll_ok: bool | None = None
    """Whether the last cycle succeeded; None before the first has ended."""
    error: ErrorView | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the page shows, at one moment."""

    generated_at: float
    version: str
    projects: tuple[ProjectView, ...] = ()
    tasks: tuple[TaskView, ...] = ()
    shard: str = ""
    """`K/N` where this process reads only its share of the tasks."""
    reload_error: str = ""
    """Why the last reload of the configuration failed; empty when it succeeded."""
