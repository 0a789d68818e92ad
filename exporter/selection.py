"""Which of a project's tasks this process watches. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from exporter.config import Project, TaskConfig
from exporter.errors import ConfigError
from exporter.records import Task


@dataclass(frozen=True, slots=True)
class Shard:
    """This process is number `index` of `count`."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, project: str, task_id: str) -> bool:
        """Whether the task belongs here: rendezvous hashing, so that another count moves few tasks."""
        return self.count == 1 or _shard_of(self.count, project, task_id) == self.index


def parse_shard(text: str) -> Shard:
    """Return the shard that `K/N` names; raises ConfigError.

    Before K a name may stand, with a dash: a pod of a StatefulSet knows itself as `workspace-exporter-3`.
    """
    left, _, right = text.partition("/")
    name, _, number = left.rpartition("-")
    if not name:  # a dash alone is a minus
        number = left
    if not (_is_number(number) and _is_number(right)):
        raise ConfigError("K/N is expected, such as 0/4", key="--shard")
    shard = Shard(int(number), int(right))
    if shard.index >= shard.count:
        raise ConfigError(f"K/N needs 0 <= K < N, not {shard.index}/{shard.count}", key="--shard")
    return shard


@dataclass(frozen=True, slots=True)
class Selected:
    """A task to watch: from the configuration, from the list, or from both."""

    task_id: str
    config: TaskConfig | None
    listing: Task | None


def select(project: Project, listed: Iterable[Task] | None, shard: Shard) -> dict[str, Selected]:
    """Return the tasks to watch by id; `listed` is None where the list cannot be read."""
    entries = {task.id: task for task in listed or ()}
    chosen = {config.id: Selected(config.id, config, entries.get(config.id)) for config in project.tasks}
    if project.discovery:
        for task in entries.values():
            if task.id not in chosen and project.discovery.matches(task.name or task.id):
                chosen[task.id] = Selected(task.id, None, task)
    return {key: value for key, value in chosen.items() if shard.holds(project.name, key)}


@lru_cache(maxsize=131_072)
def _shard_of(count: int, project: str, task_id: str) -> int:
    return max(range(count), key=lambda index: _weight(index, project, task_id))


def _weight(index: int, project: str, task_id: str) -> bytes:
    return blake2b(f"{index}\0{project}\0{task_id}".encode(), digest_size=8).digest()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6  # noqa: PLR2004 - 99999 shards are enough
