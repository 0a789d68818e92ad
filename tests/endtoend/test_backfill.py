"""A backfilled past in a real Prometheus, held against what the simulated cloud's ledger says happened."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from exporter.simulator import plan as plans
from exporter.simulator.ledger import Ledger
from exporter.simulator.runs import Run
from tests.cli.cloud import cloud_in_thread, write_config
from tests.cli.outcome import command
from tests.endtoend.processes import ROOT, answers, eventually, free_port, program
from tests.programs import require_program

pytestmark = pytest.mark.real
DAY = 86_400
GRACE, LONGEST = 900, 7200
_DAYS = 6
_ODD_STEP = 137
"""Seconds between two looks: they fall between samples as well as on them."""
_CAST = {
    "troubled": ("09:30:00", "failing:0.4,partial:0.2,missed:0.2,skipped:0.1"),
    "at-midnight": ("23:58:30", "slow:0.4,failing:0.4,missed:0.2"),
    "hanging": ("20:00:00", "stuck:0.6,unknown:0.3"),
    "lazy": ("00:00:00", "skipped:0.7,missed:0.2"),
}
Times = Mapping[str, set[int]]
"""By task, when something holds."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A Prometheus with a past, and the truth about the same time."""

    url: str
    since: int
    until: int
    ledger: Ledger

    def times(self, expression: str, since: int, until: int, step: int) -> Times:
        """Return when the expression gave each task."""
        asked = {"query": expression, "start": str(since), "end": str(until), "step": str(step)}
        answer = httpx.get(f"{self.url}/api/v1/query_range", params=asked, trust_env=False, timeout=30)
        assert answer.is_success, answer.text
        found: dict[str, set[int]] = {}
        for series in answer.json()["data"]["result"]:
            seen = found.setdefault(series["metric"]["task_id"], set())
            seen |= {int(time) for time, _ in series["values"]}
        return found

    def looks(self) -> Iterator[tuple[int, int, int]]:
        """Yield stretches to look at: the whole time, and each minute around midnight second by second."""
        yield self.since, self.until, _ODD_STEP
        for midnight in range(self.since // DAY * DAY + DAY, self.until, DAY):
            yield midnight - 120, midnight + 120, 1


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Backfill some days of a troubled cast by the documented loop, and start Prometheus on them."""
    promtool, folder = require_program("promtool"), tmp_path_factory.mktemp("backfill")
    server = require_program("prometheus")
    with cloud_in_thread() as cloud:
        now = cloud.service.clock.now()
        for name, (time, behaviour) in _CAST.items():
            fields = {"name": f"task {name}", "behaviour": behaviour, "history_days": 20, "task_id": name}
            cloud.world.add_task(plans.daily(time), now, **fields)  # type: ignore[arg-type]
        config = write_config(folder / "config.yml", cloud.project())
        files = folder / "backfill"
        done = command("backfill", "--config.file", config, "--since", f"{_DAYS}d", "-o", files)
        assert done.code == 0, done
        ledger = cloud.world.ledger(now)
    _documented_loop(folder, Path(promtool))
    data, span = folder / "blocks", _span(files)
    with _prometheus(server, folder, data) as url:
        yield Filled(url, *span, ledger)


def _documented_loop(folder: Path, promtool: Path) -> None:
    """Turn the days into blocks as docs/backfill.md tells a person to."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/backfill.md").read_text("utf-8"), re.DOTALL)
    (loop,) = (block for block in blocks if "for day in" in block)
    path = f"{promtool.parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-ec", loop], cwd=folder, env={"PATH": path}, check=True, capture_output=True)
    assert not list(folder.glob("backfill/*.om"))


def _span(files: Path) -> tuple[int, int]:
    manifest = yaml.safe_load((files / "backfill.json").read_text("utf-8"))
    days = manifest["days"].values()
    return min(day["since"] for day in days), max(day["until"] for day in days) - 1


@contextmanager
def _prometheus(server: str, folder: Path, data: Path) -> Iterator[str]:
    config, port = folder / "prometheus.yml", free_port()
    config.write_text("global: {}\n", "utf-8")
    arguments = (
        server,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=120d",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with program(arguments, folder / "prometheus.log"):
        eventually(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), "Prometheus")
        yield f"http://127.0.0.1:{port}"


def _finished(ledger: Ledger, task: str, moment: int) -> list[Run]:
    """The runs that had ended, in the order of their starts."""
    runs = [run for run in ledger.runs if run.task_id == task and run.finished(moment)]
    return sorted(runs, key=lambda run: run.start)


def _last_is(*verdicts: str) -> Callable[[Ledger, str, int], bool]:
    return lambda ledger, task, moment: _finished(ledger, task, moment)[-1].verdict in verdicts


def _failing_repeatedly(ledger: Ledger, task: str, moment: int) -> bool:
    verdicts = [run.verdict for run in _finished(ledger, task, moment)]
    successes = [place for place, verdict in enumerate(verdicts) if verdict == "success"]
    since = verdicts[successes[-1] + 1 :] if successes else verdicts
    return sum(verdict in {"failed", "partial"} for verdict in since) >= 3


def _skipped_repeatedly(ledger: Ledger, task: str, moment: int) -> bool:
    return [run.verdict for run in _finished(ledger, task, moment)[-2:]] == ["skipped"] * 2


def _missed(ledger: Ledger, task: str, moment: int) -> bool:
    starts = [run.start for run in ledger.runs if run.task_id == task and run.start <= moment]
    dues = [miss.due for miss in ledger.misses if miss.task_id == task and miss.due > min(starts)]
    return any(max(starts) + 60 < due < moment - GRACE for due in dues)


def _stuck(ledger: Ledger, task: str, moment: int) -> bool:
    runs = [run for run in ledger.runs if run.task_id == task and run.start <= moment]
    return any(not run.finished(moment) and run.start < moment - LONGEST for run in runs)


def _running(ledger: Ledger, task: str, moment: int) -> bool:
    runs = [run for run in ledger.runs if run.task_id == task and run.start <= moment]
    return any(not run.finished(moment) for run in runs)


_TRUTHS: Mapping[str, Callable[[Ledger, str, int], bool]] = {
    "WorkspaceTaskRunFailed": _last_is("failed"),
    "WorkspaceTaskRunPartiallyFailed": _last_is("partial"),
    "WorkspaceTaskStatusUnknown": _last_is("unknown"),
    "WorkspaceTaskFailingRepeatedly": _failing_repeatedly,
    "WorkspaceTaskRunsSkippedRepeatedly": _skipped_repeatedly,
    "WorkspaceTaskRunMissed": _missed,
    "WorkspaceTaskRunStuck": _stuck,
}


def _alert(name: str) -> str:
    rules = yaml.safe_load((ROOT / "examples/prometheus/rules.yml").read_text("utf-8"))
    found = [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == name]
    return str(found[0]["expr"])


def _agree(filled: Filled, expression: str, truth: Callable[[Ledger, str, int], bool]) -> int:
    """Compare when the expression held with when it should have; returns how often it did."""
    held = 0
    for since, until, step in filled.looks():
        shown = filled.times(expression, since, until, step)
        for task in _CAST:
            true = {moment for moment in range(since, until + 1, step) if truth(filled.ledger, task, moment)}
            assert shown.get(task, set()) == true, (task, since)
            held += len(true)
    return held


@pytest.mark.parametrize("name", _TRUTHS)
def test_the_alerts_would_have_fired_when_the_ledger_says_so(filled: Filled, name: str) -> None:
    """The example's own expression, over the whole time and second by second at each seam of two days."""
    assert _agree(filled, _alert(name), _TRUTHS[name]) > 0


def test_a_run_is_in_progress_for_as_long_as_it_was(filled: Filled) -> None:
    """From its start to the end of its last desktop, also over midnight."""
    assert _agree(filled, "workspace_task_running_runs == 1", _running) > 0


def test_the_counters_end_at_what_finished(filled: Filled) -> None:
    """Each run that ended in the time asked for is counted once, over all files."""
    asked = {"query": "workspace_task_runs_total > 0", "time": str(filled.until)}
    answer = httpx.get(f"{filled.url}/api/v1/query", params=asked, trust_env=False).json()
    shown = {
        (sample["metric"]["task_id"], sample["metric"]["status"]): float(sample["value"][1])
        for sample in answer["data"]["result"]
    }
    runs = [run for task in _CAST for run in _finished(filled.ledger, task, filled.until)]
    ended = Counter(
        (run.task_id, run.verdict) for run in runs if run.end is not None and run.end > filled.since
    )
    assert shown == ended


def test_the_files_name_what_the_daemon_names(filled: Filled) -> None:
    """The series carry the contract's labels and no more: what a scrape adds is not theirs."""
    asked = {"match[]": '{task_id="troubled"}', "start": str(filled.since), "end": str(filled.until)}
    answer = httpx.get(f"{filled.url}/api/v1/series", params=asked, trust_env=False).json()
    labels = {frozenset(series) - {"__name__"} for series in answer["data"] if len(series) == 4}
    assert labels == {frozenset({"project", "task_id", "task_name"})}
