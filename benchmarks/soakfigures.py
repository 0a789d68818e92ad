"""A soaked process in figures, and which of them did not come back to where they were. Reads only /proc."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.census import Census

RESIDENT_SHARE, RESIDENT_MIB = 0.10, 10.0
"""By how much more memory may be resident: the greater of the two. Python's allocator keeps pools that are
not empty, and the system's what was once used, so it is no figure that comes back exactly."""
OBJECTS_SHARE, OBJECTS = 0.05, 20
"""By how many more objects of a class there may be: the share, and so many, but at most twice as many. Some
are about a run that has just ended, and of records some are held twice until they are read anew. Of what
objects hold (`[]`) there may be so many where there was nothing: a run in progress, a request just made."""
_SEEN = {"exporter.expectation.Memory.fallen[]"}
"""Grows with what this process has seen: one entry for each task whose planned time has passed."""
_OF_TASK = "workspace_task_"
_REMEMBERED = "workspace_task_expected_run_timestamp_seconds{"
"""May follow from what only this process has seen: that a task was disabled for a while, or edited."""
_OWN = {
    "operation": r"[a-z_]+",
    "code": r"\d{3}|[a-z]+",
    "reason": r"\d{3}|[a-z_]+",
    "kind": "password",
    "project": "prod",
}
"""What the labels of the exporter's own series may be: words of a small vocabulary, never ids or texts."""
_MOST_OWN = 300
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sockets:
    """Open file descriptors: connections to the cloud, and all others."""

    upstream: int
    others: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at `day` (simulated days since the begin); `resident` is in MiB."""

    day: float
    resident: float
    files: Sockets
    census: Census
    series: frozenset[str]

    @property
    def of_tasks(self) -> frozenset[str]:
        """The series of tasks: name and labels."""
        return frozenset(series for series in self.series if series.startswith(_OF_TASK))

    @property
    def own(self) -> frozenset[str]:
        """The series about the exporter itself."""
        return self.series - self.of_tasks

    @property
    def tasks(self) -> int:
        """How many tasks are shown."""
        return sum(series.startswith("workspace_task_info{") for series in self.series)

    @property
    def objects(self) -> int:
        """How many objects of the project's own classes live."""
        return sum(number for name, number in self.census.objects.items() if name.startswith("exporter."))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration allows: connections to the cloud, and threads of asyncio's pool."""

    upstream: int
    workers: int


def left_over(first: Sample, last: Sample, fresh: Sample, limits: Limits) -> list[str]:
    """Return what did not come back, in words: none where all did.

    `first` is from before the trouble, `last` from after it, `fresh` of a process that was started after it
    and read the same cloud. Neither of the two holds anything in vain.
    """
    most = first.resident + max(first.resident * RESIDENT_SHARE, RESIDENT_MIB)
    was, now = first.census, last.census
    return [
        *_other("tasks", last.tasks, first.tasks),
        *_other("file descriptors", last.files.others, first.files.others),
        *_other("threads", now.threads, was.threads),
        *_other("asyncio tasks", now.asyncio_tasks, was.asyncio_tasks),
        *_above("connections to the cloud", last.files.upstream, limits.upstream),
        *_above("worker threads", now.workers, limits.workers),
        *_above("resident memory (MiB)", last.resident, most),
        *_more_objects(now.objects, was.objects, fresh.census.objects),
        *_unbounded(last.own),
    ]


def stray_series(last: frozenset[str], fresh: frozenset[str]) -> set[str]:
    """Return in words which series of tasks only one of two processes shows, that watch the same cloud.

    What a gauge shows follows from the cloud, the configuration and the time alone, so there are none, but
    for a moment: one of the two may know of a run a cycle earlier.
    """
    different = {series for series in last ^ fresh if series.startswith(_OF_TASK)}
    return {
        f"series {'left over' if series in last else 'missing'}: {series}"
        for series in different
        if not series.startswith(_REMEMBERED)
    }


def _other(what: str, now: float, then: float) -> list[str]:
    return [] if now == then else [f"{what}: {now}, where {then} is right"]


def _above(what: str, now: float, most: float) -> list[str]:
    return [] if now <= most else [f"{what}: {now:.4g}, where at most {most:.4g} is right"]


def _more_objects(now: Mapping[str, int], *then: Mapping[str, int]) -> list[str]:
    found = []
    for name, number in sorted(now.items()):
        right = max(objects.get(name, 0) for objects in then)
        some = OBJECTS if name.endswith("[]") else min(OBJECTS, right)
        if name not in _SEEN and number > right * (1 + OBJECTS_SHARE) + some:
            found.append(f"objects of {name}: {number}, where about {right} are right")
    return found


def _unbounded(own: Iterable[str]) -> list[str]:
    series = list(own)
    found = [
        f"label {name}={value!r} of {text}"
        for text in series
        for name, value in _LABEL.findall(text)
        if name in _OWN and not re.fullmatch(_OWN[name], value)
    ]
    return found + ([f"{len(series)} series of the exporter's own"] if len(series) > _MOST_OWN else [])


def series_of(text: str) -> frozenset[str]:
    """Return the names and labels in an exposition; raises ValueError where one stands there twice."""
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")]
    if len(lines) != len(set(lines)):
        raise ValueError("a series stands there twice")
    return frozenset(lines)


def files(pid: int, cloud_port: int) -> Sockets:
    """Return the open file descriptors of a process; those connected to a port of this host apart."""
    table = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]]
    to_cloud = {f"socket:[{row[9]}]" for row in table if int(row[2].rpartition(":")[2], 16) == cloud_port}
    targets = [_target(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
    upstream = sum(target in to_cloud for target in targets)
    return Sockets(upstream, sum(target is not None for target in targets) - upstream)


def _target(file: Path) -> str | None:
    try:
        return str(file.readlink())
    except OSError:  # closed meanwhile
        return None
