"""The proof of the whole: a run fails and somebody is paged; the next succeeds and the page is resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endtoend.stack import eventually, everything


@pytest.mark.real
def test_a_failed_run_pages_and_the_next_success_resolves(tmp_path: Path) -> None:
    """From the API's bytes to Alertmanager's receiver and back, through the real programs."""
    with everything(tmp_path) as (simulator, exporter, _, receiver):
        task = simulator.add_task("nightly stop")
        eventually(lambda: f'task_id="{task}"' in exporter.scrape(), "the task's metrics")
        simulator.run(task, status="FAIL", success=0, failed=3)
        labels = {"alertname": "WorkspaceTaskRunFailed", "project": "prod", "task_id": task}
        page = eventually(lambda: receiver.find("firing", **labels), "the page")
        assert page["labels"] == {**labels, "task_name": "nightly stop", "severity": "critical"}
        assert page["annotations"]["summary"] == 'Task "nightly stop" of prod failed'
        assert "desktops failed: 3" in page["annotations"]["description"]
        assert page["annotations"]["runbook_url"].endswith("docs/runbooks.md#workspacetaskrunfailed")

        simulator.run(task, status="SUCCESS", success=3, failed=0)
        eventually(lambda: receiver.find("resolved", **labels), "the end of the page")


@pytest.mark.real
def test_a_failure_between_two_polls_is_counted_and_alerted(tmp_path: Path) -> None:
    """Two runs end between two polls, the earlier one badly: both are counted and the failure is told."""
    with everything(tmp_path) as (simulator, exporter, prometheus, receiver):
        task = simulator.add_task("reboot")
        known = f'workspace_task_runs_total{{project="prod",status="failed",task_id="{task}"'
        eventually(
            lambda: prometheus.query(f'workspace_task_runs_total{{task_id="{task}"}}'), "a first scrape"
        )
        eventually(
            lambda: prometheus.query(f'workspace_task:reported_timestamp_seconds{{task_id="{task}"}}'),
            "a first evaluation",
        )
        simulator.call("PUT", "faults", {"spec": "500@list_tasks,500@list_records"})
        simulator.run(task, status="FAIL", success=0, failed=1, **{"in": -3})
        simulator.run(task, status="SUCCESS", success=1, failed=0)
        simulator.call("DELETE", "faults")
        eventually(lambda: f'{known},task_name="reboot"}} 1.0' in exporter.scrape(), "the failure counted")
        labels = {"alertname": "WorkspaceTaskRunFailureSuperseded", "task_id": task}
        eventually(lambda: receiver.find("firing", **labels), "the page of a failure that nobody saw")
        assert receiver.find("firing", alertname="WorkspaceTaskRunFailed") is None
