"""Every alert of a task: whether it fires, and why. Pure.

Whether one fires is decided by `judgement`, under the conditions of examples/prometheus/rules.yml. Two alerts
remember what Prometheus saw earlier, which one look cannot know: those are "unknown" where they might fire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from exporter.explanation import absence, runs
from exporter.explanation.case import Case, Why
from exporter.judgement import troubles
from exporter.views import Verdict

State = Literal["firing", "unknown", "quiet"]
_STATES: tuple[State, ...] = ("firing", "unknown", "quiet")

_FAILED = "WorkspaceTaskRunFailed"
_REPEATEDLY = "WorkspaceTaskFailingRepeatedly"
_NOT_FOUND = "WorkspaceTaskNotFound"
_DISABLED = "WorkspaceTaskDisabled"
_ALERTS: dict[str, tuple[str, Callable[[Case], Why]]] = {
    _FAILED: ("critical", runs.failed),
    _REPEATEDLY: ("critical", runs.failing_repeatedly),
    "WorkspaceTaskRunMissed": ("critical", absence.missed),
    "WorkspaceTaskRunPartiallyFailed": ("warning", runs.partial),
    "WorkspaceTaskRunStuck": ("warning", runs.stuck),
    "WorkspaceTaskNoRecentSuccess": ("warning", absence.no_recent_success),
    "WorkspaceTaskRunsSkippedRepeatedly": ("warning", runs.skipped_repeatedly),
    "WorkspaceTaskStatusUnknown": ("warning", runs.unknown),
    "WorkspaceTaskRunFailureSuperseded": ("warning", runs.superseded),
    _NOT_FOUND: ("warning", absence.not_found),
    _DISABLED: ("info", absence.disabled),
}
_BY_VERDICT = {
    Verdict.PARTIAL: "WorkspaceTaskRunPartiallyFailed",
    Verdict.SKIPPED: "WorkspaceTaskRunsSkippedRepeatedly",
    Verdict.MISSED: "WorkspaceTaskRunMissed",
    Verdict.STUCK: "WorkspaceTaskRunStuck",
    Verdict.NO_SUCCESS: "WorkspaceTaskNoRecentSuccess",
    Verdict.UNKNOWN: "WorkspaceTaskStatusUnknown",
    Verdict.NOT_FOUND: _NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a task.

    `what` is so; the rule reads these `samples`; by this `rule` they follow from this `source`; and that
    `ends` it. Of one that does not fire only `what` is told: why not.
    """

    name: str
    severity: str
    state: State
    what: str
    samples: tuple[str, ...] = ()
    rule: str = ""
    source: str = ""
    ends: str = ""

    @property
    def runbook(self) -> str:
        """Where its runbook stands."""
        return f"docs/runbooks.md#{self.name.lower()}"


def alerts(case: Case) -> tuple[Alert, ...]:
    """Return every alert of a task, those that fire first."""
    firing = _firing(case)
    found = [_alert(case, name, fires=name in firing) for name in _ALERTS]
    return tuple(sorted(found, key=lambda alert: _STATES.index(alert.state)))


def _firing(case: Case) -> set[str]:
    """The alerts whose conditions `judgement` finds met; it tells of the last run before it tells of rows."""
    names: set[str] = set()
    for verdict, _ in troubles(case.state, case.now, case.interval):
        if verdict is Verdict.FAILED:
            names.add(_FAILED if case.last_status == "failed" and _FAILED not in names else _REPEATEDLY)
        elif verdict in _BY_VERDICT:
            names.add(_BY_VERDICT[verdict])
    return names


def _alert(case: Case, name: str, *, fires: bool) -> Alert:
    severity, explain = _ALERTS[name]
    if case.state.found is False and name != _NOT_FOUND:
        return Alert(name, severity, "quiet", "there is no task to judge")
    if case.history is None and name not in {_NOT_FOUND, _DISABLED}:
        return Alert(name, severity, "unknown", "its records could not be read")
    why = explain(case)
    if fires:
        return Alert(name, severity, "firing", why.what, why.samples, why.rule, why.source, why.ends)
    return Alert(name, severity, "unknown" if why.unsure else "quiet", why.what)
