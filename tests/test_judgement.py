"""What is wrong with a task: the conditions of the alerts, looked at once (contract, section 7)."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.catalog import TASK_LABELS, TASK_METRICS
from exporter.config import Statuses
from exporter.errors import ApiError
from exporter.history import History, runs_of, summarize
from exporter.judgement import is_stale, judge, troubles
from exporter.records import Record, Task
from exporter.state import TaskState
from exporter.views import Verdict
from tests.programs import require_program

RULES = Path(__file__).parents[1] / "examples" / "prometheus" / "rules.yml"
NOW = 10_000_000.0
"""1970-04-26T17:46:40Z"""
STATUSES = Statuses()


def rec(ago: float, word: str = "SUCCESS", *counts: int | None) -> Record:
    """A run that started so many seconds ago."""
    return Record(f"r{ago:g}", NOW - ago, word, *counts)


def history(*records: Record) -> History:
    """What these records tell."""
    return summarize(runs_of(records, STATUSES), total=len(records), truncated=False)


BLANK = TaskState(
    project="prod", task_id="t", name="nightly", project_id="a", grace=900.0, max_duration=7200.0
)
"""A task that was never read."""


def state(*records: Record, enabled: bool | None = True, **changes: Any) -> TaskState:
    """A task with these runs, just read."""
    listing = None if enabled is None else Task("t", enabled=enabled)
    known = replace(
        BLANK, history=history(*records), listing=listing, last_poll=NOW, poll_ok=True, found=True
    )
    return replace(known, **changes)


def verdict(task: TaskState, interval: float = 60) -> Verdict:
    """The verdict at NOW."""
    return judge(task, NOW, interval)[0]


@pytest.mark.parametrize(
    ("task", "expected", "reasons"),
    [
        (state(rec(60)), Verdict.OK, ()),
        (state(rec(60, "SKIP"), rec(120)), Verdict.OK, ()),
        (state(), Verdict.NEVER_RAN, ()),
        (state(rec(60), enabled=False), Verdict.DISABLED, ()),
        (state(enabled=False), Verdict.DISABLED, ()),
        (state(rec(60, "RUNNING"), rec(120)), Verdict.RUNNING, ()),
        (state(rec(60, "RUNNING"), enabled=False), Verdict.RUNNING, ()),
        (BLANK, Verdict.PENDING, ()),
        (replace(BLANK, found=True), Verdict.PENDING, ()),
        (
            replace(BLANK, poll_ok=False),
            Verdict.STALE,
            ("Its runs could not be read once since the exporter started.",),
        ),
        (
            replace(BLANK, last_poll=NOW - 90_000),
            Verdict.STALE,
            ("Its runs could not be read for so long that what was known is withdrawn.",),
        ),
        *(
            (
                replace(BLANK, found=False, poll_ok=ok),
                Verdict.NOT_FOUND,
                ("No task with this id exists upstream.",),
            )
            for ok in (None, False)
        ),
        (
            state(rec(100, "FAIL"), rec(60, "FAIL"), rec(200)),
            Verdict.FAILED,
            ("The last run, started 1970-04-26T17:45:40Z, failed.",),
        ),
        (
            state(rec(100), rec(60, "FAIL", 0, 3)),
            Verdict.FAILED,
            ("The last run, started 1970-04-26T17:45:40Z, failed on 3 desktops.",),
        ),
        (
            state(rec(100), rec(60, "FAIL", 0, 1)),
            Verdict.FAILED,
            ("The last run, started 1970-04-26T17:45:40Z, failed on 1 desktop.",),
        ),
        (
            state(rec(100), rec(60, "FAIL")),
            Verdict.FAILED,
            ("The last run, started 1970-04-26T17:45:40Z, failed.",),
        ),
        (
            state(rec(60, "SUCCESS", 5, 2)),
            Verdict.PARTIAL,
            ("The last run, started 1970-04-26T17:45:40Z, failed on 2 desktops and succeeded on others.",),
        ),
        (
            state(rec(100), rec(60, "odd")),
            Verdict.UNKNOWN,
            ("The last run, started 1970-04-26T17:45:40Z, ended with 'odd', which is not configured.",),
        ),
        (
            state(rec(100), rec(60, "")),
            Verdict.UNKNOWN,
            ("The last run, started 1970-04-26T17:45:40Z, ended with no word, which is not configured.",),
        ),
        (
            state(rec(100), rec(60, "SKIP"), rec(50, "SKIP")),
            Verdict.SKIPPED,
            ("The last 2 runs were skipped.",),
        ),
        (
            state(rec(7201, "RUNNING"), rec(9000)),
            Verdict.STUCK,
            ("A run has been in progress since 1970-04-26T15:46:39Z, longer than max_duration.",),
        ),
        (
            state(rec(86_400), expected_run=NOW - 901),
            Verdict.MISSED,
            ("No run started within grace of 1970-04-26T17:31:39Z, when one was due.",),
        ),
        (
            state(rec(60, "SKIP")),
            Verdict.NO_SUCCESS,
            ("No run in the readable history succeeded, even in part.",),
        ),
        (
            state(rec(60, "SKIP"), rec(100_000), schedule_period=40_000.0),
            Verdict.NO_SUCCESS,
            ("No run has succeeded, even in part, since 1970-04-25T14:00:00Z.",),
        ),
    ],
)
def test_verdicts_and_their_sentences(task: TaskState, expected: Verdict, reasons: tuple[str, ...]) -> None:
    """Each verdict once, with what a person is told."""
    assert judge(task, NOW, 60) == (expected, reasons)


def test_the_worst_trouble_is_the_verdict_and_all_are_told() -> None:
    """A task can be in several kinds of trouble."""
    task = state(
        *(rec(1000 + n, "FAIL") for n in range(3)), rec(9000, "RUNNING"), expected_run=NOW - 900, grace=60.0
    )
    worst, reasons = judge(task, NOW, 60)
    assert worst is Verdict.FAILED
    assert reasons == (
        "The last run, started 1970-04-26T17:30:00Z, failed.",
        "3 runs failed, wholly or in part, without a success between them.",
        "No run started within grace of 1970-04-26T17:31:40Z, when one was due.",
        "A run has been in progress since 1970-04-26T15:16:40Z, longer than max_duration.",
        "No run in the readable history succeeded, even in part.",
    )


@pytest.mark.parametrize(
    ("age", "interval", "stale"),
    [
        (None, 60, False),
        (0, 60, False),
        (1200, 60, False),
        (1201, 60, True),
        (1201, 600, False),
        (1800, 600, False),
        (1801, 600, True),
    ],
)
def test_data_is_stale_after_twenty_minutes_or_three_intervals(
    age: float | None, interval: float, *, stale: bool
) -> None:
    """The longer of the two, as the rules say it."""
    task = replace(BLANK, last_poll=None if age is None else NOW - age)
    assert is_stale(task, NOW, interval) is stale


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"expected_run": NOW - 900}, False),
        ({"expected_run": NOW - 901}, True),
        ({"expected_run": NOW - 901, "grace": 901.0}, False),
        ({"expected_run": NOW - 2000 + 60}, False),
        ({"expected_run": NOW - 2000 + 61}, True),
        ({"expected_run": NOW - 901, "listing": Task("t", enabled=False)}, False),
        ({"expected_run": NOW - 901, "listing": None}, True),
        ({"expected_run": NOW - 901, "last_poll": NOW - 1}, False),
        ({"expected_run": NOW - 1001, "last_poll": NOW - 100}, True),
        ({"expected_run": NOW - 1900, "last_poll": NOW - 1201, "grace": 0.0}, False),
        ({"expected_run": None}, False),
    ],
)
def test_a_run_is_missed_only_when_data_read_after_grace_says_so(
    changes: dict[str, Any], *, missed: bool
) -> None:
    """Not before, not for a disabled task, not on stale data, not where a run a minute early covers it."""
    task = state(rec(2000), **changes)
    assert (Verdict.MISSED in dict(troubles(task, NOW, 60))) is missed


@pytest.mark.parametrize(
    ("since", "age", "stuck"),
    [(7200, 0, False), (7201, 0, True), (7201, 1201, False), (7202, 1201, True), (10_000, 90_000, False)],
)
def test_a_run_is_stuck_as_far_as_its_task_is_known(since: float, age: float, *, stuck: bool) -> None:
    """One that was in progress when reading began to fail may have ended: 20 minutes are allowed for."""
    task = state(rec(since, "RUNNING"), last_poll=NOW - age)
    assert (Verdict.STUCK in dict(troubles(task, NOW, 60))) is stuck


@pytest.mark.parametrize(
    ("records", "changes", "told"),
    [
        ([rec(60, "FAIL")], {}, True),
        ([rec(60, "FAIL"), rec(50)], {}, False),
        ([rec(60, "FAIL"), rec(50, "SUCCESS", 1, 1)], {}, False),
        ([rec(9001)], {"schedule_period": 900.0}, False),
        ([rec(9001, "SUCCESS", 1, 1)], {"schedule_period": 900.0}, False),
        ([rec(60, "RUNNING")], {}, False),
        ([], {}, False),
        ([rec(60, "FAIL"), rec(9000)], {}, False),
        ([rec(60, "FAIL"), rec(9000)], {"schedule_period": 900.0}, False),
        ([rec(60, "FAIL"), rec(9001)], {"schedule_period": 900.0}, True),
        ([rec(60, "FAIL"), rec(9001, "SUCCESS", 1, 1)], {"schedule_period": 900.0}, True),
        (
            [rec(60, "FAIL"), rec(9001)],
            {"schedule_period": 900.0, "listing": Task("t", enabled=False)},
            False,
        ),
        ([rec(60, "FAIL"), rec(9001)], {"schedule_period": 900.0, "last_poll": NOW - 1}, False),
        ([rec(60, "FAIL"), rec(99_999)], {"schedule_period": 900.0, "last_poll": NOW - 1201}, False),
    ],
)
def test_no_recent_success(records: list[Record], changes: dict[str, Any], *, told: bool) -> None:
    """None for two periods and max_duration, or never; another run has ended, and the data is fresh."""
    assert (Verdict.NO_SUCCESS in dict(troubles(state(*records, **changes), NOW, 60))) is told


def test_a_failed_read_alone_is_no_verdict() -> None:
    """What is known stays until `max_age`; the page tells of the failed read beside it."""
    error = ApiError("HTTP 500", label="500")
    assert verdict(state(rec(60), poll_ok=False, poll_error=error)) is Verdict.OK


# Agreement with the rules, on the real promtool

ALERTS = {
    "WorkspaceTaskRunFailed": Verdict.FAILED,
    "WorkspaceTaskRunPartiallyFailed": Verdict.PARTIAL,
    "WorkspaceTaskFailingRepeatedly": Verdict.FAILED,
    "WorkspaceTaskRunsSkippedRepeatedly": Verdict.SKIPPED,
    "WorkspaceTaskStatusUnknown": Verdict.UNKNOWN,
    "WorkspaceTaskRunStuck": Verdict.STUCK,
    "WorkspaceTaskRunMissed": Verdict.MISSED,
    "WorkspaceTaskNoRecentSuccess": Verdict.NO_SUCCESS,
    "WorkspaceTaskNotFound": Verdict.NOT_FOUND,
}
"""The alerts that look at one moment; Superseded and Disabled compare with an earlier one."""
INTERVALS = {"often": 60.0, "seldom": 600.0}


def alerts_of(task: TaskState) -> Counter[str]:
    """The alerts that the judgement's findings stand for."""
    names = []
    for kind, text in troubles(task, NOW, INTERVALS[task.project]):
        repeated = "without a success between them" in text
        names += [
            name
            for name, verdict in ALERTS.items()
            if verdict is kind and (kind is not Verdict.FAILED or ("Repeatedly" in name) == repeated)
        ]
    return Counter(names)


def some_state(chance: random.Random, number: int) -> TaskState:
    """A task at the edges of every condition."""
    age = chance.choice([0, 0, 0, 1, 60, 1199, 1200, 1201, 1800, 1801, 5000])
    words = chance.choices(["SUCCESS", "FAIL", "SKIP", "RUNNING", "odd"], k=chance.randrange(5))
    grace, longest = chance.choice([0.0, 300.0, 900.0]), chance.choice([600.0, 7200.0])
    period = chance.choice([None, 900.0, 3600.0])
    old = age + 2 * (period or 0) + longest
    stuck = max(age - 1200, 0) + longest
    starts = [NOW - chance.choice([age, age + 1, stuck, stuck + 1, longest + 1, old, old + 1]) for _ in words]
    records = [
        Record(f"r{place}", start, word, chance.choice([None, 0, 5]), chance.choice([None, 0, 0, 2]))
        for place, (start, word) in enumerate(zip(starts, words, strict=True))
    ]
    read = chance.random() < 0.95
    newest = max(starts, default=0.0)
    expected = chance.choice([None, newest + 60, newest + 61, NOW - age - grace, NOW - age - grace - 1])
    enabled = chance.choice([None, True, True, False])
    return replace(
        BLANK,
        project=chance.choice(list(INTERVALS)),
        task_id=f"t{number}",
        grace=grace,
        max_duration=longest,
        listing=None if enabled is None else Task(f"t{number}", enabled=enabled),
        found=chance.choice([True, True, None, False]) if not read else chance.choice([True, None]),
        history=history(*records) if read else None,
        expected_run=expected if read else None,
        schedule_period=period,
        last_poll=NOW - age if read or chance.random() < 0.5 else None,
        poll_ok=chance.choice([True, False]),
    )


def series(name: str, labels: dict[str, str], value: float) -> dict[str, str]:
    """One sample at NOW, as promtool's tests write it; none at the beginning of time."""
    inside = ", ".join(f"{key}={json.dumps(text)}" for key, text in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": f"_ {value!r}"}


def all_series(tasks: list[TaskState]) -> list[dict[str, str]]:
    """What Prometheus would have scraped of these tasks."""
    target = {"job": "workspace-exporter", "instance": "a"}
    found = [series("up", target, 1.0)]
    found += [
        series("workspace_exporter_poll_interval_seconds", {**target, "project": name}, interval)
        for name, interval in INTERVALS.items()
    ]
    for task in tasks:
        identity = dict(zip(TASK_LABELS, (task.project, task.task_id, task.name), strict=True))
        for metric in TASK_METRICS:
            for values, value in metric.samples(task):
                labels = dict(zip(metric.labels, values, strict=True))
                found.append(series(metric.name, {**target, **identity, **labels}, float(value)))
    return found


@pytest.mark.real
def test_the_judgement_agrees_with_the_rules(tmp_path: Path) -> None:
    """Hundreds of tasks at the edges: promtool evaluates the rules once, and finds the same alerts firing."""
    chance = random.Random(20221231)
    tasks = [some_state(chance, number) for number in range(250)]
    expected = {(name, task.task_id) for task in tasks for name in alerts_of(task)}
    assert {name for name, _ in expected} == set(ALERTS)
    assert all(number == 1 for task in tasks for number in alerts_of(task).values())
    now = f"{NOW:.0f}s"
    names = "|".join(ALERTS)
    query = f"count by (alertname, task_id) (ALERTS{{alertstate='firing', alertname=~'{names}'}})"
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": now,
        "tests": [
            {
                "interval": now,
                "input_series": all_series(tasks),
                "promql_expr_test": [
                    {
                        "expr": query,
                        "eval_time": now,
                        "exp_samples": [
                            {"labels": f'{{alertname="{name}", task_id="{task_id}"}}', "value": 1}
                            for name, task_id in sorted(expected)
                        ],
                    }
                ],
            }
        ],
    }
    path = tmp_path / "judgement_test.yml"
    path.write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [require_program("promtool"), "test", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
