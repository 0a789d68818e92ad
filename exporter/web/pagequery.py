"""Which tasks a reader asks for: the query string of the status page and of `/api/v1/tasks`.

`state` (a verdict, or `trouble`), `project` (exact), `q` (every word of it occurs in the name, id, project or
type), `sort` (`state`, `name`, `last`, `next`; a leading `-` turns it round) and `page`. The query string
comes from anyone: what it says wrongly is read as if it were not there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from exporter.views import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.views import TaskView

PAGE_SIZE = 50
TROUBLE = "trouble"
_STATES = frozenset({TROUBLE, *(verdict.value for verdict in Verdict)})
_MAX_TEXT = 200
_MAX_QUERY_STRING = 4096
_MAX_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Query:
    """What a reader asked for; the empty query asks for everything, worst first."""

    state: str = ""
    project: str = ""
    text: str = ""
    sort: str = "state"
    page: int = 1

    def url(self, **changes: Any) -> str:
        """Return a relative reference to the same page with some fields changed; page 1 unless named."""
        query = replace(self, **{"page": 1, **changes})
        fields = {
            "state": query.state,
            "project": query.project,
            "q": query.text,
            "sort": "" if query.sort == "state" else query.sort,
            "page": "" if query.page == 1 else query.page,
        }
        return "?" + urlencode({key: value for key, value in fields.items() if value}, errors="replace")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query finds."""

    tasks: tuple[TaskView, ...]
    """All that match, in order."""
    counts: Mapping[Verdict, int]
    """Tasks by verdict that match all of the query but its state."""
    page: int
    """The page that was asked for, or the last where there are fewer; from 1."""
    pages: int

    @property
    def first(self) -> int:
        """Index in `tasks` of the first task of the page."""
        return (self.page - 1) * PAGE_SIZE

    @property
    def shown(self) -> tuple[TaskView, ...]:
        """The tasks of the page."""
        return self.tasks[self.first : self.first + PAGE_SIZE]

    @property
    def troubled(self) -> int:
        """How many of `counts` are trouble."""
        return sum(count for verdict, count in self.counts.items() if verdict.trouble)


def parse_query(query_string: bytes) -> Query:
    """Read a query string; never raises."""
    try:
        pairs = parse_qsl(
            query_string[:_MAX_QUERY_STRING].decode("ascii", "replace"),
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:  # more fields than anyone means
        return Query()
    fields = dict(reversed(pairs))  # the first of equals
    state, sort = fields.get("state", ""), fields.get("sort", "")
    return Query(
        state=state if state in _STATES else "",
        project=_clean(fields.get("project", "")),
        text=_clean(fields.get("q", "")),
        sort=sort if sort.removeprefix("-") in _SORTS else "state",
        page=_page(fields.get("page", "")),
    )


def select(tasks: Iterable[TaskView], query: Query) -> Selection:
    """Return the tasks that match, sorted and counted."""
    words = query.text.casefold().split()
    matches = [
        task
        for task in tasks
        if (not query.project or task.project == query.project) and _has_words(task, words)
    ]
    counts = Counter(task.verdict for task in matches)
    found = [task for task in matches if _in_state(task, query.state)]
    pages = max(1, -(-len(found) // PAGE_SIZE))
    return Selection(tuple(_sorted(found, query.sort)), counts, min(query.page, pages), pages)


def _has_words(task: TaskView, words: list[str]) -> bool:
    if not words:
        return True
    text = f"{task.name}\n{task.id}\n{task.project}\n{task.task_type}".casefold()
    return all(word in text for word in words)


def _in_state(task: TaskView, state: str) -> bool:
    if not state:
        return True
    return task.verdict.trouble if state == TROUBLE else task.verdict == state


def _sorted(tasks: list[TaskView], sort: str) -> list[TaskView]:
    """Return tasks in order; those without the value come last either way round."""
    key = _SORTS[sort.removeprefix("-")]
    tasks = sorted(tasks, key=lambda task: (task.name.casefold(), task.project, task.id))
    known = [task for task in tasks if key(task) is not None]
    known.sort(key=key, reverse=sort.startswith("-"))
    return known + [task for task in tasks if key(task) is None]


def _last_start(task: TaskView) -> float | None:
    return task.runs[-1].start if task.runs else None


_SORTS: dict[str, Callable[[TaskView], Any]] = {
    "state": lambda task: task.verdict.severity,
    "name": lambda task: task.name.casefold(),
    "last": _last_start,
    "next": lambda task: task.next_run,
}


def _clean(text: str) -> str:
    """Return what can be shown: no control characters, bounded."""
    return "".join(char for char in text[:_MAX_TEXT] if char.isprintable()).strip()


def _page(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= len("100000") else 1
