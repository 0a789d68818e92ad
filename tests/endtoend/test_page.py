"""What a page says, and that a failure between two polls is counted once and told."""

from __future__ import annotations

import pytest

from tests.endtoend.processes import eventually
from tests.endtoend.stack import Stack


@pytest.mark.real
def test_a_failed_run_pages_and_the_next_success_resolves(stack: Stack) -> None:
    """From the API's bytes to Alertmanager's receiver and back: the words of the page."""
    task = stack.cloud.add_task("nightly stop")
    eventually(lambda: f'task_id="{task}"' in stack.main.scrape(), "the task's metrics")
    stack.cloud.run(task, "FAIL", success=0, failed=3)
    labels = {"alertname": "WorkspaceTaskRunFailed", "project": "prod", "task_id": task}
    page = eventually(lambda: stack.receiver.find("firing", **labels), "the page")
    assert page["labels"] == {**labels, "task_name": "nightly stop", "severity": "critical"}
    assert page["annotations"]["summary"] == 'Task "nightly stop" of prod failed'
    assert "desktops failed: 3" in page["annotations"]["description"]

    stack.cloud.run(task, "SUCCESS", success=3, failed=0)
    eventually(lambda: stack.receiver.find("resolved", **labels), "the end of the page")


@pytest.mark.real
def test_two_runs_between_two_polls_are_both_counted_and_the_failure_is_told(stack: Stack) -> None:
    """The earlier of two runs that end between two reads failed: two runs counted, one alert."""
    task = stack.cloud.add_task("reboot", behaviour="missed")
    known = f'workspace_task:reported_timestamp_seconds{{task_id="{task}"}}'
    eventually(lambda: stack.prometheus.query(known), "a first evaluation")
    stack.cloud.fault(f"500@records/{task}")
    stack.cloud.run(task, "FAIL", success=0, failed=1, **{"in": -3})
    stack.cloud.run(task, "SUCCESS", success=1, failed=0)
    stack.cloud.fault("")

    def counted(status: str) -> str:
        labels = f'project="prod",status="{status}",task_id="{task}",task_name="reboot"'
        return f"workspace_task_runs_total{{{labels}}} 1.0"

    both = (counted("failed"), counted("success"))
    eventually(lambda: all(line in stack.main.scrape() for line in both), "one run counted of each status")
    labels = {"alertname": "WorkspaceTaskRunFailureSuperseded", "task_id": task}
    eventually(lambda: stack.receiver.find("firing", **labels), "the page of a failure that nobody saw")
    assert stack.receiver.find("firing", alertname="WorkspaceTaskRunFailed", task_id=task) is None
