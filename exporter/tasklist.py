"""The whole list of a project's tasks: the timed ones, and the triggered ones, which upstream lists apart.

Entries shift while a list is paged: where one is deleted and another added between two pages, the total
shows nothing, and a third may slip by. So before a known task is taken for deleted, what took several pages
is read once more; a list that holds all of them costs nothing beside itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from exporter.conversation import converse
from exporter.decode import Page
from exporter.paging import PageRequest, Read, all_tasks
from exporter.records import Task


class ListTasks(Protocol):
    """Reads a page of the timed tasks, or of the triggered ones (`life_cycle`); may raise ApiError."""

    def __call__(self, offset: int, limit: int, *, life_cycle: bool) -> Awaitable[Page[Task]]:
        """Read a page."""


@dataclass(slots=True)
class TaskList:
    """Both halves of the list, as they were read."""

    timed: Read[Task]
    triggered: Read[Task]

    def __iter__(self) -> Iterator[Task]:
        yield from self.timed.items
        yield from self.triggered.items

    @property
    def truncated(self) -> bool:
        """Whether there are more tasks than may be taken."""
        return self.timed.truncated or self.triggered.truncated

    @property
    def complete(self) -> bool:
        """Whether a task that is not in it does not exist: it was not cut, and each entry could be read."""
        return not (self.truncated or self.timed.rejected or self.triggered.rejected)

    def lacks(self, known: set[str]) -> bool:
        """Whether one of the `known` ids would be taken for deleted."""
        return self.complete and not known <= {task.id for task in self}


async def read_task_list(
    list_tasks: ListTasks, most: int, known: set[str], rejected: Callable[[Counter[str]], None]
) -> TaskList:
    """Read the list, up to `most` tasks of each half; `known` are the ids that it held before.

    `rejected` is told of malformed entries, by reason. Raises ApiError.
    """

    async def half(*, life_cycle: bool) -> Read[Task]:
        def fetch(request: PageRequest) -> Awaitable[Page[Task]]:
            return list_tasks(request.offset, request.limit, life_cycle=life_cycle)

        return await converse(all_tasks(most), fetch, rejected)

    async def once_more(read: Read[Task], *, life_cycle: bool) -> Read[Task]:
        return (await half(life_cycle=life_cycle)).joined(read) if read.pages > 1 else read

    tasks = TaskList(await half(life_cycle=False), await half(life_cycle=True))
    if tasks.lacks(known):
        tasks.timed = await once_more(tasks.timed, life_cycle=False)
        tasks.triggered = await once_more(tasks.triggered, life_cycle=True)
    return tasks
