"""What goes wrong with a task and how it comes right again, for each alert about tasks; and a healthy twin.

The twin lives through nearly the same, short of what the alert is about. A poll may fall between any two
steps, so the steps stand in an order in which nothing that they pass through is worth an alert: several past
runs are planted newest first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.endtoend.cloud import Simulator

Recover = Callable[[], object]
Play = Callable[[Simulator, str, str], Recover]
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class TaskScenario:
    """One alert's scenario.

    `play` brings the trouble over the first task and its harmless likeness over the second one, and returns
    how the first recovers. `also` are alerts that the trouble rightly raises besides, `twin` those that the
    likeness does. `cast` are the tasks (by suffix of their id) that exist before, with fields of `add_task`.
    """

    severity: str
    play: Play
    also: frozenset[str] = frozenset()
    twin: frozenset[str] = frozenset()
    cast: Mapping[str, dict[str, Any]] = field(default_factory=lambda: {"": {}, "-twin": {}})


def _past(cloud: Simulator, task: str, *statuses: str) -> None:
    """Plant finished runs, ten seconds apart, given newest first."""
    for number, status in enumerate(statuses):
        counts = {"success": 0, "failed": 3} if status == "FAIL" else {}
        cloud.run(task, status, **{"in": -10 * number, **counts})


def _failed(cloud: Simulator, sick: str, twin: str) -> Recover:
    cloud.run(twin, "SUCCESS", success=2, failed=0, skipped=1)
    cloud.run(sick, "FAIL", success=0, failed=3)
    return lambda: cloud.run(sick, "SUCCESS", success=3, failed=0)


def _partial(cloud: Simulator, sick: str, twin: str) -> Recover:
    cloud.run(twin, "SUCCESS", success=2, failed=0, skipped=1)
    cloud.run(sick, "SUCCESS", success=2, failed=1)
    return lambda: cloud.run(sick, "SUCCESS", success=3, failed=0)


def _superseded(cloud: Simulator, sick: str, twin: str) -> Recover:
    """Two runs end between two reads, the earlier one badly; nothing ends this but time."""
    cloud.fault(f"500@records/{sick},500@records/{twin}")
    for task, word, failed in ((twin, "SUCCESS", 0), (sick, "FAIL", 1)):
        cloud.run(task, word, success=1 - failed, failed=failed, **{"in": -3})
        cloud.run(task, "SUCCESS", success=1, failed=0)
    cloud.fault("")
    return lambda: None


def _repeatedly(cloud: Simulator, sick: str, twin: str) -> Recover:
    _past(cloud, twin, "FAIL", "FAIL", "SUCCESS", "FAIL")
    _past(cloud, sick, "FAIL", "FAIL", "SKIP", "FAIL")
    return lambda: cloud.run(sick)


def _skipped(cloud: Simulator, sick: str, twin: str) -> Recover:
    _past(cloud, twin, "SKIP")
    _past(cloud, sick, "SKIP", "SKIP")
    return lambda: cloud.run(sick)


def _missed(cloud: Simulator, sick: str, twin: str) -> Recover:
    """Both are due in some seconds; a run starts at that second, or never does."""
    for task in (twin, sick):
        cloud.add_task(f"task {task}", task_id=task, due_in=4)
    cloud.act(twin, "run", replaces="next", duration=0)
    cloud.act(sick, "miss")
    return lambda: cloud.run(sick)


def _stuck(cloud: Simulator, sick: str, twin: str) -> Recover:
    """Both runs go on; only one of them may not."""
    cloud.run(twin, duration=None)
    run = cloud.run(sick, duration=None)
    return lambda: cloud.act(sick, "finish", run_id=run["id"])


def _no_recent_success(cloud: Simulator, sick: str, twin: str) -> Recover:
    """Daily runs; the last success was two days and two hours ago, or the twin's a day and two hours."""
    last = int(time.time()) - 7200
    for task, words in ((twin, ("FAIL", "SUCCESS", "SUCCESS")), (sick, ("FAIL", "FAIL", "SUCCESS"))):
        # Switched off until its past is complete.
        cloud.add_task(f"task {task}", task_id=task, history_days=5, behaviour="missed", enabled=False)
        for days, word in reversed([*enumerate(words)]):
            cloud.act(task, "run", start=last - days * _DAY, status=word)
        cloud.act(task, "enable")
    return lambda: cloud.run(sick)


def _unknown(cloud: Simulator, sick: str, twin: str) -> Recover:
    cloud.run(twin, "finish")
    cloud.run(sick, "ABNORMAL")
    return lambda: cloud.run(sick)


def _not_found(cloud: Simulator, sick: str, twin: str) -> Recover:
    cloud.run(twin)
    return lambda: cloud.add_task("found at last", task_id=sick)


def _disabled(cloud: Simulator, sick: str, twin: str) -> Recover:
    """The twin has been switched off for as long as anybody knows."""
    cloud.run(twin)
    cloud.act(sick, "disable")
    return lambda: cloud.act(sick, "enable")


_RUN_FAILED = frozenset({"WorkspaceTaskRunFailed"})
TASK_SCENARIOS: Mapping[str, TaskScenario] = {
    "WorkspaceTaskRunFailed": TaskScenario("critical", _failed),
    "WorkspaceTaskRunPartiallyFailed": TaskScenario("warning", _partial),
    "WorkspaceTaskRunFailureSuperseded": TaskScenario("warning", _superseded),
    "WorkspaceTaskFailingRepeatedly": TaskScenario(
        "critical", _repeatedly, also=_RUN_FAILED, twin=_RUN_FAILED
    ),
    "WorkspaceTaskRunsSkippedRepeatedly": TaskScenario("warning", _skipped),
    "WorkspaceTaskRunMissed": TaskScenario("critical", _missed, cast={}),
    "WorkspaceTaskRunStuck": TaskScenario("warning", _stuck),
    "WorkspaceTaskNoRecentSuccess": TaskScenario(
        "warning", _no_recent_success, also=_RUN_FAILED, twin=_RUN_FAILED, cast={}
    ),
    "WorkspaceTaskStatusUnknown": TaskScenario("warning", _unknown),
    "WorkspaceTaskNotFound": TaskScenario("warning", _not_found, cast={"-twin": {}}),
    "WorkspaceTaskDisabled": TaskScenario("info", _disabled, cast={"": {}, "-twin": {"enabled": False}}),
}


def cast() -> dict[str, dict[str, Any]]:
    """Return the tasks that are there from the beginning: by id, the fields of `add_task`."""
    return {
        f"{alert}{suffix}": fields
        for alert, scenario in TASK_SCENARIOS.items()
        for suffix, fields in scenario.cast.items()
    }
