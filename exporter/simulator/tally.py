"""The service's own count of what it was asked: the proof of how much an exporter costs upstream."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

_LOG_LENGTH = 20_000

CREATE_TOKEN, SHOW_TOKEN, LIST_PROJECTS = "create_token", "show_token", "list_projects"
LIST_TASKS, SHOW_TASK = "list_tasks", "show_task"
LIST_RECORDS, LIST_DETAILS = "list_records", "list_record_details"
METADATA = "metadata"
OPERATIONS = (
    CREATE_TOKEN,
    SHOW_TOKEN,
    LIST_PROJECTS,
    LIST_TASKS,
    SHOW_TASK,
    LIST_RECORDS,
    LIST_DETAILS,
    METADATA,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it arrived (real epoch seconds), and what it asked for, without its credentials."""

    at: float
    operation: str
    path: str
    query: str


class Tally:
    """Counts by operation, and by operation and status; the newest requests; how many ran at once."""

    def __init__(self) -> None:
        self.log: deque[Request] = deque(maxlen=_LOG_LENGTH)
        self.operations: Counter[str] = Counter()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def total(self) -> int:
        """How many requests arrived."""
        return self.operations.total()

    def arrive(self, request: Request) -> None:
        """Count a request that arrives."""
        self.operations[request.operation] += 1
        self.log.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def answer(self, operation: str, status: int) -> None:
        """Count its answer's status."""
        self.statuses[operation, status] += 1

    def leave(self) -> None:
        """Note that a request is over, however it ended."""
        self.in_flight -= 1

    def reset(self) -> None:
        """Count from nothing again; requests under way stay under way."""
        self.log.clear()
        self.operations.clear()
        self.statuses.clear()
        self.most_in_flight = self.in_flight

    def as_json(self) -> dict[str, object]:
        """Return the counts as a tree for JSON."""
        statuses: dict[str, dict[str, int]] = {}
        for (operation, status), count in sorted(self.statuses.items()):
            statuses.setdefault(operation, {})[str(status)] = count
        return {
            "total": self.total,
            "operations": {operation: self.operations[operation] for operation in OPERATIONS},
            "statuses": statuses,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }
