"""The folder of a backfill: a file for each day, whole or not there, and what is known of them.

`backfill.json` says which days are complete and how they were made; a file that it does not vouch for is
written again. What is unfinished lies in a folder of its own inside, which the next run removes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel, TypeAdapter, ValidationError

from exporter.backfill import TaskPast
from exporter.backfilltext import DAY_SECONDS, EOF_LINE, FAMILIES, header
from exporter.errors import ConfigError, ExporterError

_MANIFEST = "backfill.json"
_PARTIAL = ".partial-"
_PASTS = TypeAdapter(TaskPast)


class Day(BaseModel):
    """What a day's file holds: the stretch [since, until) in epoch seconds, its size in bytes.

    `made` tells how it was made; `blocks` are the names of those that were made of it; `without` those of the
    projects that could not be read: such a day is unfinished.
    """

    since: int
    until: int
    size: int
    made: str
    blocks: list[str] = []
    without: list[str] = []


class Manifest(BaseModel):
    """A digest of all `settings` that matter, the moment from which runs are counted, and the days."""

    settings: str = ""
    counted_from: int = 0
    days: dict[str, Day] = {}


def name_of(moment: int) -> str:
    """Return the name of the UTC day in which a moment (epoch seconds) lies."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def days_of(since: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches into which midnights (UTC) cut [since, until)."""
    while since < until:
        end = min(since // DAY_SECONDS * DAY_SECONDS + DAY_SECONDS, until)
        yield since, end
        since = end


class Folder:
    """The folder, for as long as it is held; no other backfill may hold it at the same time."""

    def __init__(self, path: Path, work: Path) -> None:
        self.path = path
        self.work = work
        self.manifest = Manifest()

    @property
    def blocks(self) -> Path:
        """Where the blocks are."""
        return self.path / "blocks"

    def begin(self, settings: str, since: int) -> None:
        """Take up what is there: of the same settings and counted from no later, it goes on."""
        with suppress(OSError, ValidationError):
            self.manifest = Manifest.model_validate_json((self.path / _MANIFEST).read_bytes())
        if self.manifest.settings != settings or self.manifest.counted_from > since:
            self.manifest.settings, self.manifest.counted_from = settings, since

    def holds(self, since: int, until: int) -> bool:
        """Whether this stretch of a day is there, complete, and made as it is now to be."""
        day = self._vouched_for(since)
        return day is not None and not day.without and day.since <= since and until <= day.until

    def would_lose(self, since: int, without: Sequence[str]) -> bool:
        """Whether a file of this day without these projects would replace one that holds one of them."""
        day = self._vouched_for(since)
        return day is not None and not set(without) <= set(day.without)

    def day(self, moment: int) -> Day | None:
        """Return what is known of the day in which a moment lies."""
        return self.manifest.days.get(name_of(moment))

    def _vouched_for(self, moment: int) -> Day | None:
        """What is known of a day whose file is there, whole, and made as it is now to be."""
        day, path = self.day(moment), self.file(moment)
        if day is None or day.made != self._made or not path.is_file() or path.stat().st_size != day.size:
            return None
        return day

    def file(self, moment: int) -> Path:
        """Return the file of the day in which a moment lies."""
        return self.path / f"{name_of(moment)}.om"

    def write(
        self, since: int, until: int, tasks: Iterator[Sequence[bytes]], *, without: Sequence[str] = ()
    ) -> None:
        """Write a day's file from the lines of each task, family by family; it appears when it is whole.

        Blocks of an earlier file of the day are removed. `without` a project the day is unfinished.
        """
        whole = self.work / "day.om"
        with ExitStack() as stack:
            parts = [stack.enter_context(tempfile.TemporaryFile(dir=self.work)) for _ in FAMILIES]
            for lines in tasks:
                for part, text in zip(parts, lines, strict=True):
                    part.write(text)
            _assemble(whole, parts)
        before = self.day(since)
        for block in before.blocks if before else ():
            shutil.rmtree(self.blocks / Path(block).name, ignore_errors=True)
        size = whole.stat().st_size
        whole.replace(self.file(since))
        self.manifest.days[name_of(since)] = Day(
            since=since, until=until, size=size, made=self._made, without=list(without)
        )
        self.save()

    def save(self) -> None:
        """Write down what is known of the days."""
        new = self.work / _MANIFEST
        _write(new, lambda file: file.write(self.manifest.model_dump_json(indent=1).encode()))
        new.replace(self.path / _MANIFEST)

    @property
    def _made(self) -> str:
        return f"{self.manifest.settings}@{self.manifest.counted_from}"


@contextmanager
def folder(path: Path) -> Iterator[Folder]:
    """Make the folder where it is missing, and hold it. Raises ConfigError where that is impossible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", key="-o") from None
    try:
        _hold(lock, path)
        for left in path.glob(f"{_PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=path, prefix=_PARTIAL) as work:
            yield Folder(path, Path(work))
    except BrokenPipeError:  # not of a file: nobody reads what the command prints
        raise
    except OSError as error:
        raise ExporterError(f"{error.filename or path}: {error.strerror or error}") from None
    finally:
        os.close(lock)


def _hold(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ExporterError(f"another backfill is writing to {path}") from None


class Spool:
    """Tasks' pasts on disk: a line each, given back in the order of projects and ids."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places: list[tuple[str, str, int]] = []

    def __len__(self) -> int:
        return len(self._places)

    def put(self, past: TaskPast) -> None:
        """Keep a task's past."""
        self._places.append((past.project, past.task_id, self._file.seek(0, os.SEEK_END)))
        self._file.write(_PASTS.dump_json(past) + b"\n")

    def drop(self, project: str) -> None:
        """Give nothing back of this project."""
        self._places = [place for place in self._places if place[0] != project]

    def __iter__(self) -> Iterator[TaskPast]:
        for _, _, place in sorted(self._places):
            self._file.seek(place)
            yield _PASTS.validate_json(self._file.readline())


def _assemble(path: Path, parts: Sequence[IO[bytes]]) -> None:
    def pour(file: IO[bytes]) -> None:
        for family, part in zip(FAMILIES, parts, strict=True):
            if part.tell():
                part.seek(0)
                file.write(header(family))
                shutil.copyfileobj(part, file, 1 << 20)
        file.write(EOF_LINE)

    _write(path, pour)


def _write(path: Path, pour: Callable[[IO[bytes]], object]) -> None:
    """Write a file, and see it on the disk."""
    with path.open("wb") as file:
        pour(file)
        file.flush()
        os.fsync(file.fileno())
