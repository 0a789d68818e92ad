"""Records what a project's API answers while a few of its tasks are read, and writes it down without names.

The reading is a cycle of the daemon's own poller, so that a replay (tools/replay.py) asks the same questions
and makes the same of the answers. What stays and what is replaced is decided in `anonymising`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from exporter import __version__
from exporter.cli.live import Look, World, silence_log
from exporter.config import Config, Project
from exporter.errors import ConfigError, ExporterError
from exporter.poller import Clocks
from exporter.recorded import FORMAT, OPERATIONS, Answered, RecordedProject, document
from exporter.selection import Selected
from exporter.upstream.client import Client
from exporter.upstream.exchange import Heard, Request
from exporter.upstream.masking import Mask

MOST_TASKS = 10
"""So many tasks of each project are read for a recording."""
_MOST_ANSWERS = 2000
_MOST_BYTES = 32 * 1024 * 1024


class Recorder:
    """Is told what came of a project's requests, and keeps it while it listens, up to a bound."""

    def __init__(self, *, most_answers: int = _MOST_ANSWERS, most_bytes: int = _MOST_BYTES) -> None:
        self.answers: list[Answered] = []
        self.complete = True
        self._mask = Mask()
        self._listening = False
        self._answers_left, self._bytes_left = most_answers, most_bytes

    def __call__(self, heard: Heard, mask: Mask) -> None:
        """Take note of an answer; those to a sign-in are none of ours."""
        if not self._listening or heard.request.operation not in OPERATIONS:
            return
        self._mask = mask
        self._answers_left -= 1
        self._bytes_left -= len(heard.body)
        if self._answers_left < 0 or self._bytes_left < 0:
            self.complete = False
            return
        self.answers.append(_answered(heard))

    def is_secret(self, text: str) -> bool:
        """Whether a text holds a secret that the project's client knows."""
        return self._mask(text) != text

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep what is heard while the block lasts."""
        self._listening = True
        try:
            yield
        finally:
            self._listening = False


async def record(
    project: Project,
    config: Config,
    client: Client,
    recorder: Recorder,
    *,
    selected: Iterable[Selected],
    clocks: Clocks,
) -> RecordedProject:
    """Read a few of the selected tasks once, and return everything that was answered."""
    read = [task.task_id for task in worth_recording(selected)]
    with _silence(), recorder.listening():
        look = Look(
            project,
            config,
            World(lambda *_: client, clocks),
            wanted=lambda task_id, _: task_id in read,
            changed=lambda *_: None,
        )
        await look.take()
    return RecordedProject(
        project, client.project_id, read, recorder.answers, recorder.complete, recorder.is_secret
    )


def worth_recording(selected: Iterable[Selected], most: int = MOST_TASKS) -> list[Selected]:
    """Return the tasks with the most to tell: one of each kind, type and last status, then those that ran."""
    tasks = list(selected)
    kinds: dict[object, Selected] = {}
    for task in tasks:
        if task.listing:
            entry = task.listing
            kinds.setdefault((entry.scheduled_type, entry.last_status, entry.task_type, entry.enabled), task)
    ran = [task for task in tasks if task.listing and task.listing.last_status]
    named = [task for task in tasks if task.config]
    order = {task.task_id: task for task in (*kinds.values(), *ran, *named, *tasks)}
    return list(order.values())[:most]


def check_target(path: Path) -> None:
    """Raise ConfigError where nothing, or something else than an earlier recording, would be overwritten."""
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}", key="--record")
    if not path.is_file():
        if path.exists() or path.is_symlink():
            raise ConfigError(f"{path}: is no file that could be replaced", key="--record")
        return
    try:
        with path.open("rb") as file:
            earlier = f'"format": "{FORMAT}"'.encode() in file.read(200)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", key="--record") from None
    if not earlier:
        raise ConfigError(f"{path}: is no earlier recording, so it is not overwritten", key="--record")


def write_recording(path: Path, projects: list[RecordedProject], config: Config, now: float) -> str:
    """Write the document, whole or not at all, for its owner alone; return what to tell.

    Raises ExporterError.
    """
    tree, _ = document(projects, config, recorded_at=now, exporter=__version__)
    replaced = path.exists()
    try:
        _write(path, tree)
    except OSError as error:
        raise ExporterError(f"--record: {path}: {error.strerror or error}") from None
    return _told(path, tree, replaced=replaced)


def _told(path: Path, tree: Mapping[str, Any], *, replaced: bool) -> str:
    answers = sum(len(project["answers"]) for project in tree["projects"])
    tasks = sum(len(project["read"]) for project in tree["projects"])
    cut = (
        "" if all(project["complete"] for project in tree["projects"]) else ", cut where it became too large"
    )
    return (
        f"\n{path}: {answers} answers recorded, of {tasks} tasks{cut}"
        f"{'; the earlier recording is replaced' if replaced else ''}\n"
        "  Ids, names and free texts are replaced; statuses, types, codes, times, zones and counts stay.\n"
        "  Look through it before you send it to anybody."
    )


def _write(path: Path, tree: Mapping[str, Any]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(tree, file, indent=1, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _silence() -> Iterator[None]:
    """Let the poller log nothing: the probe has told what fails."""
    before = structlog.get_config()
    silence_log()
    try:
        yield
    finally:
        structlog.configure(**before)


def _answered(heard: Heard) -> Answered:
    task_id, record_id = _ids(heard.request)
    return Answered(
        operation=heard.request.operation,
        task_id=task_id,
        record_id=record_id,
        query=dict(heard.request.query),
        status=heard.status,
        headers=heard.headers,
        body=heard.body,
        failure=heard.failure,
    )


def _ids(request: Request) -> tuple[str, str]:
    """Task and record of `/v2/{project}/scheduled-tasks/{task}/records/{record}`, as far as it goes."""
    parts = [*request.path.split("/"), "", "", ""]
    return parts[4], parts[6]
