"""The service's own count."""

from __future__ import annotations

from exporter.simulator import tally
from exporter.simulator.tally import Request, Tally


def test_requests_are_counted_by_operation_and_status() -> None:
    """What arrives, how it was answered, and how many were under way at once."""
    count = Tally()
    for at, operation in ((1.0, tally.LIST_TASKS), (2.0, tally.LIST_RECORDS), (3.0, tally.LIST_RECORDS)):
        count.arrive(Request(at, operation, "/path", "limit=1"))
    count.answer(tally.LIST_RECORDS, 200)
    count.answer(tally.LIST_RECORDS, 429)
    count.answer(tally.LIST_TASKS, 200)
    count.leave()
    count.leave()
    tree = count.as_json()
    assert tree["total"] == 3
    assert tree["statuses"] == {"list_records": {"200": 1, "429": 1}, "list_tasks": {"200": 1}}
    assert (tree["in_flight"], tree["most_in_flight"]) == (1, 3)
    operations = tree["operations"]
    assert isinstance(operations, dict)
    assert operations.keys() == set(tally.OPERATIONS)
    assert (operations["list_records"], operations["show_task"]) == (2, 0)
    assert [request.at for request in count.log] == [1.0, 2.0, 3.0]


def test_counting_starts_again() -> None:
    """Requests under way stay under way."""
    count = Tally()
    count.arrive(Request(1.0, tally.LIST_TASKS, "/", ""))
    count.answer(tally.LIST_TASKS, 200)
    count.reset()
    assert (count.total, len(count.log), count.as_json()["statuses"]) == (0, 0, {})
    assert (count.in_flight, count.most_in_flight) == (1, 1)
