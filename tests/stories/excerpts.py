"""Excerpts of what an exporter showed of single tasks, and the same as a test file for promtool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from exporter.catalog import TASK_METRICS
from exporter.state import TaskState
from tests.stories.planted import Alert
from tests.stories.rules import Prometheus

RULES = Path(__file__).parents[2] / "examples" / "prometheus" / "rules.yml"
_TEXT = RULES.read_text("utf-8")
_RULES = [rule for group in yaml.safe_load(_TEXT)["groups"] for rule in group["rules"]]
_SEVERITIES = {rule["alert"]: rule["labels"]["severity"] for rule in _RULES if "alert" in rule}
_METRICS = [metric for metric in TASK_METRICS if metric.name in _TEXT]
_STEP = 120
"""Seconds between two samples and evaluations, the longest that the rules are made for."""
_PAST = 3 * 86_400
"""Promtool's time begins at 0, which as a value means "never": so an excerpt begins so many seconds later."""
_OF_EXPORTER = 'project="prod", job="workspace-exporter", instance="i"'


@dataclass
class Excerpt:
    """What was shown of a task at the evaluations in [begin, end): the time, its state, its last poll."""

    kind: str
    task_id: str
    begin: float
    end: float
    rows: list[tuple[float, TaskState, float]] = field(default_factory=list)

    def look(self, now: float, states: Mapping[str, TaskState], last_polls: Mapping[str, float]) -> None:
        """Take down what is shown, if it belongs here."""
        if self.begin <= now < self.end and self.task_id in last_polls:
            self.rows.append((now, states[self.task_id], last_polls[self.task_id]))

    @property
    def tellable(self) -> bool:
        """Whether promtool can be told of it: what is older than its time is far too old for every rule."""
        return all(
            (state.expected_run is None or state.expected_run > self.begin - _PAST)
            and (state.schedule_period is None or 2 * state.schedule_period + state.max_duration < _PAST)
            for _, state, _ in self.rows
        )

    def alerts(self, interval: float) -> list[set[Alert]]:
        """Return what the model of the rules makes of it."""
        model = Prometheus(interval)
        return [
            model.evaluate(now, {self.task_id: state}, {self.task_id: last_poll})
            for now, state, last_poll in self.rows
        ]

    def series(self, interval: int) -> list[dict[str, str]]:
        """Return the series as promtool reads them: the values of an evaluation stand until the next one."""
        rows, count = self._values(), interval // _STEP
        found = []
        for name in sorted({name for row in rows for name in row}):
            parts = [f"_x{_PAST // _STEP}"]
            for before, row in zip([{}, *rows], rows, strict=False):
                parts.append(self._part(name, name in before, row.get(name), count))
            found.append({"series": name, "values": " ".join(parts)})
        return found

    def _part(self, name: str, was_there: bool, value: float | None, count: int) -> str:  # noqa: FBT001
        if value is None:
            return f"stale _x{count - 1}" if was_there else f"_x{count}"
        moved = max(value + _PAST - self.begin, 1) if _is_time(name) and value else value
        return f"{moved:.0f}+0x{count - 1}"

    def _values(self) -> list[dict[str, float]]:
        return [_series(state, last_poll) for _, state, last_poll in self.rows]

    def expected(self, interval: int) -> list[tuple[int, str]]:
        """Return the alerts at the evaluations (promtool's time), as series of promtool's ALERTS."""
        evaluated = zip(self.alerts(interval), self.rows, strict=True)
        return [
            (_PAST + place * interval, _alert(alert, state))
            for place, (firing, (_, state, _)) in enumerate(evaluated)
            for alert, _ in firing
        ]


def promtool_test(excerpts: Sequence[Excerpt], interval: int) -> dict[str, object]:
    """Return a test file that holds the rules to what their model makes of the excerpts."""
    steps = max(len(excerpt.rows) for excerpt in excerpts)
    series = [each for excerpt in excerpts for each in excerpt.series(interval)]
    for name, value in (
        ('up{job="workspace-exporter", instance="i"}', 1),
        (f"workspace_exporter_poll_interval_seconds{{{_OF_EXPORTER}}}", interval),
        (f"workspace_exporter_poll_success{{{_OF_EXPORTER}}}", 1),
    ):
        values = f"_x{_PAST // _STEP} {value}+0x{steps * interval // _STEP - 1}"
        series.append({"series": name, "values": values})
    expected = [item for excerpt in excerpts for item in excerpt.expected(interval)]
    return {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{_STEP}s",
        "tests": [
            {
                "interval": f"{_STEP}s",
                "input_series": series,
                "promql_expr_test": [
                    _expectation(at, [alert for when, alert in expected if when == at])
                    for at in range(_PAST, _PAST + steps * interval, interval)
                ],
            }
        ],
    }


def _expectation(at: int, alerts: Iterable[str]) -> dict[str, object]:
    return {
        "expr": 'ALERTS{alertstate="firing", alertname=~"WorkspaceTask.+"}',
        "eval_time": f"{at}s",
        "exp_samples": [{"labels": alert, "value": 1} for alert in alerts],
    }


def _series(state: TaskState, last_poll: float) -> dict[str, float]:
    """Return the samples of a task that the rules read."""
    task = f'project="{state.project}", task_id="{state.task_id}", task_name="{state.name}"'
    found = {}
    for metric in _METRICS:
        for labels, value in metric.samples(state):
            own = "".join(f', {name}="{text}"' for name, text in zip(metric.labels, labels, strict=True))
            shown = last_poll if metric.name == "workspace_task_last_poll_timestamp_seconds" else value
            found[f'{metric.name}{{job="workspace-exporter", instance="i", {task}{own}}}'] = shown
    return found


def _is_time(series: str) -> bool:
    return "timestamp_seconds" in series.partition("{")[0]


def _alert(name: str, state: TaskState) -> str:
    alert = f"WorkspaceTask{name}"
    return (
        f'ALERTS{{alertname="{alert}", alertstate="firing", project="{state.project}", '
        f'severity="{_SEVERITIES[alert]}", task_id="{state.task_id}", task_name="{state.name}"}}'
    )
