"""Everything that runs behind a page: two clouds, three exporters, Prometheus, Alertmanager, a receiver."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.endtoend.cloud import ACCOUNT, Simulator, simulated
from tests.endtoend.exporters import Exporter, exporting, project, write_config
from tests.endtoend.monitoring import Prometheus, alertmanager, prometheus
from tests.endtoend.processes import EXPORTER, eventually, free_port, program
from tests.endtoend.receiver import Receiver, receiving

__all__ = ["EXPORTER", "Mortal", "Stack", "eventually", "everything", "free_port", "program", "put_secret"]

GHOST = "WorkspaceTaskNotFound"
"""The id of a task that is configured and does not exist."""
PATIENT = "WorkspaceTaskRunStuck-twin"
"""The id of a task whose runs may take hours; those of all others may take two seconds."""
_DEFAULTS = {"grace": "2s", "max_duration": "2s"}


class Mortal:
    """An exporter that can be killed and started again at the same address."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._log = folder / "mortal.log"
        self._config = config
        self._port = free_port()
        self._life = ExitStack()
        self.address = f"127.0.0.1:{self._port}"
        self.exporter: Exporter | None = None

    def start(self) -> None:
        """Run it."""
        self.exporter = self._life.enter_context(exporting(self._log, self._config, port=self._port))

    def kill(self) -> None:
        """End it at once, without a word."""
        if self.exporter:
            self.exporter.process.kill()
        self.close()

    def close(self) -> None:
        """End it as a service manager does."""
        self._life.close()
        self.exporter = None


@dataclass(frozen=True, slots=True)
class Stack:
    """The running programs.

    `cloud` holds the tasks; in `other` tokens are revoked and the clock goes wrong. `main` watches the
    project `prod`, `second` those whose trouble is the exporter's own, `mortal` nothing: it may be killed.
    """

    folder: Path
    cloud: Simulator
    other: Simulator
    main: Exporter
    second: Exporter
    mortal: Mortal
    prometheus: Prometheus
    receiver: Receiver

    @property
    def second_config(self) -> Path:
        """The configuration file of `second`."""
        return self.folder / "second.yml"


def put_secret(path: Path, text: str) -> None:
    """Write a secret file that nobody can take for one that is still being written."""
    path.touch(0o600)
    path.write_text(text, "utf-8")
    settled = time.time() - 10
    os.utime(path, (settled, settled))


def configure_second(folder: Path, cloud: Simulator, other: Simulator) -> Path:
    """Write the configuration of the exporter that gets into trouble, and its secrets as they should be."""
    for name in ("denied", "admitted"):
        put_secret(folder / name, ACCOUNT.password)
    for name in ("fixed", "lasting"):
        put_secret(folder / name, ACCOUNT.token)
    return write_config(
        folder / "second.yml",
        *(project(name, other, auth=_by_password(folder / name)) for name in ("denied", "admitted")),
        *(project(name, cloud, tasks=[{"id": name}]) for name in ("flaky", "steady")),
        *(
            project(name, cloud, auth=_by_token(folder / name), project_id=cloud.project_id, discovery=_NONE)
            for name in ("fixed", "lasting")
        ),
        project("skewed", other),
    )


_NONE = {"include": ["^no such name$"]}


def _by_password(file: Path) -> dict[str, Any]:
    names = {"domain_name": ACCOUNT.domain_name, "user_name": ACCOUNT.user_name}
    return {"password": {**names, "password_file": str(file)}}


def _by_token(file: Path) -> dict[str, Any]:
    return {"token": {"token_file": str(file)}}


def _configure_main(folder: Path, cloud: Simulator) -> Path:
    explicit = [{"id": GHOST, "name": "ghost"}, {"id": PATIENT, "max_duration": "2h"}]
    discovery = {"exclude": ["^elsewhere "]}
    watched = project("prod", cloud, tasks=explicit, discovery=discovery)
    return write_config(folder / "main.yml", watched, defaults=_DEFAULTS)


@contextmanager
def everything(folder: Path, cast: dict[str, dict[str, Any]]) -> Iterator[Stack]:
    """Run all of it, each program on the next one's output.

    `cast` are the tasks of `prod` that are there from the beginning: by id, the fields of `add_task`.
    """
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        cloud = stack.enter_context(simulated(folder))
        other = stack.enter_context(simulated(folder, name="other"))
        for task_id, fields in cast.items():
            cloud.add_task(task_id=task_id, **{"name": f"task {task_id}", **fields})
        for task_id in ("flaky", "steady"):
            cloud.add_task(f"elsewhere {task_id}", task_id=task_id)
        mortal = Mortal(folder, write_config(folder / "mortal.yml", project("idle", other, discovery=_NONE)))
        stack.callback(mortal.close)
        mortal.start()
        main = stack.enter_context(exporting(folder / "main.log", _configure_main(folder, cloud)))
        second = stack.enter_context(exporting(folder / "second.log", configure_second(folder, cloud, other)))
        targets = [main.address, second.address, mortal.address]
        pager = stack.enter_context(alertmanager(folder, receiver.url))
        watch = stack.enter_context(prometheus(folder, targets, pager))
        running = Stack(folder, cloud, other, main, second, mortal, watch, receiver)
        _await_everybody(watch, len(targets), [task_id for task_id in cast if task_id != GHOST])
        yield running


def _await_everybody(watch: Prometheus, targets: int, cast: list[str]) -> None:
    """Wait until the rules have seen each exporter in good health, and each task."""
    known = "workspace_task:reported_timestamp_seconds"

    def ready() -> bool:
        tasks = {sample["metric"]["task_id"] for sample in watch.query(known)}
        up = watch.query('count(up{job="workspace-exporter"} == 1)')
        good = watch.query("min(workspace_exporter_poll_success) == 1")
        return tasks >= set(cast) and bool(up) and up[0]["value"][1] == str(targets) and bool(good)

    eventually(ready, "Prometheus to know all tasks")
