"""Why a task's metrics have their values and which alerts follow: the way back from the page. Pure.

Alert, sample, rule, record, field of the API, and what would end it. What is so was decided by the same code
as everywhere (`history`, `expectation`, `judgement`, `catalog`); here it is only told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.config import Statuses
from exporter.explanation.alerts import Alert, alerts
from exporter.explanation.case import Case
from exporter.explanation.metrics import Metric, metrics
from exporter.state import TaskState

__all__ = ["Alert", "Explanation", "Metric", "explain"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every alert that the task could raise, those that fire first, and every metric of it."""

    alerts: tuple[Alert, ...]
    metrics: tuple[Metric, ...]


def explain(
    state: TaskState, *, statuses: Statuses, now: float, interval: float, clock: Callable[[float], str]
) -> Explanation:
    """Return why the task is as it is at `now` (epoch seconds).

    `interval` is the polling interval in seconds; `clock` writes a moment in the task's zone.
    """
    case = Case(state, statuses, now, interval, clock)
    return Explanation(alerts(case), metrics(case))
