"""The simulated cloud as a real process, and its script's way in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from exporter.simulator.options import Credentials
from tests.endtoend.processes import EXPORTER, eventually, program

Tree = dict[str, Any]
ACCOUNT = Credentials()
AKSK = {"access_key": ACCOUNT.access_key, "secret_key": ACCOUNT.secret_key}
_DAY = 86_400
_LAST_RUN = 7200
"""Seconds since a task of `add_task` was last due: it will not run by itself while a test lasts."""


class Simulator:
    """A running `workspace-exporter simulate`."""

    def __init__(self, url: str, project_id: str) -> None:
        self.url = url
        self.project_id = project_id

    def call(self, method: str, path: str, body: object = None) -> Tree:
        """Use the control path; returns its JSON."""
        answer = httpx.request(method, f"{self.url}/simulator/{path}", json=body, trust_env=False)
        assert answer.is_success, answer.text
        tree: Tree = answer.json()
        return tree

    def add_task(self, name: str, *, due_in: float = -_LAST_RUN, **fields: object) -> str:
        """Add a daily task with three days of past, due in so many seconds; returns its id."""
        due = time.strftime("%H:%M:%S", time.gmtime(time.time() + due_in))
        plan = {"scheduled_type": "DAY", "day_interval": 1, "time_zone": "UTC", "scheduled_time": due}
        body = {"plan": plan, "name": name, "history_days": 3, "behaviour": "healthy", **fields}
        return str(self.call("POST", "tasks", body)["task_id"])

    def act(self, task_id: str, action: str, **fields: object) -> Tree:
        """Do something to a task: disable, enable, miss, finish and the like."""
        return self.call("POST", f"tasks/{task_id}/{action}", fields)

    def run(self, task_id: str, status: str = "SUCCESS", **fields: object) -> Tree:
        """Plant a run that starts and ends now unless told otherwise."""
        return self.act(task_id, "run", **{"in": 0, "duration": 0, "status": status, **fields})

    def fault(self, spec: str) -> None:
        """Let requests go wrong from now on; the empty text ends it."""
        self.call("PUT", "faults", {"spec": spec})

    def option(self, **changes: object) -> None:
        """Change how the service answers."""
        self.call("PATCH", "options", changes)

    def token(self, lifetime: float) -> str:
        """Return a new token that ends in so many seconds."""
        return str(self.call("POST", "tokens", {"lifetime": lifetime})["token"])

    def runs(self, task_id: str) -> int:
        """Return how many runs of a task have started by now."""
        return len(self.call("GET", f"ledger?task_id={task_id}")["runs"])

    def requests(self) -> Tree:
        """Return what it was asked so far, by operation and status."""
        return self.call("GET", "requests")


@contextmanager
def simulated(folder: Path, *flags: str, name: str = "simulator") -> Iterator[Simulator]:
    """Run `workspace-exporter simulate` with no tasks but those that the test adds (or `flags` ask for)."""
    log = folder / f"{name}.log"
    arguments = ("simulate", "--listen", "127.0.0.1:0", *(flags or ("--tasks", "0")))
    with program((*EXPORTER, *arguments), log):
        told = eventually(
            lambda: re.search(r"cloud is at (\S+): .* project_id (\w+),", log.read_text("utf-8")),
            "the simulator",
        )
        yield Simulator(told[1], told[2])
