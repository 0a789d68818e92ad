"""Which pages of a list to ask for, as conversations without I/O: a generator yields what to fetch.

::

    conversation = newest_records(100)
    request = next(conversation)                      # PageRequest(offset=0, limit=100)
    request = conversation.send(page)                 # the next one, until StopIteration brings the result

In which order the API lists records is documented nowhere (api_facts.md, section 2). So each read looks at
what came: from records that descend in time only the first pages are needed, from ascending ones the last
pages, and a list in no order is read whole, up to a cap. An offset counts entries; the server may shorten a
page; entries shift while they are paged, so an id may come twice and the total may change on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, Literal, Protocol, TypeVar

from exporter.decode import Page
from exporter.errors import BodyError
from exporter.records import Record, RecordDetail, Task

RECORDS_LIMIT = 100
DETAILS_LIMIT = 100
TASKS_LIMIT = 50
"""The largest page that each operation documents (api_facts.md, section 0)."""
MAX_RECORD_PAGES = 50
MAX_DETAILS = 1000
_READS = 3
"""So often a list that shifted while it was paged is read before it is taken as it is."""
_BARREN = 3
"""So many pages in a row without a new entry end a list that pretends to be endless."""
_CERTAIN = 8
"""So many records in one direction are taken for an order; fewer may be chance."""

Order = Literal["descending", "ascending", "unordered", "undecided"]


class Identified(Protocol):
    """An entry of a list."""

    @property
    def id(self) -> str:
        """What makes it the same entry on two pages."""


T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page to fetch."""

    offset: int
    limit: int


@dataclass(slots=True)
class Read(Generic[T]):
    """What one read of a list has gathered.

    `items` holds each id once, in the order of first sight, `repeats` the further sightings; `truncated` says
    that newer entries may exist than these; `rejected` counts malformed ones by reason.
    """

    items: list[T] = field(default_factory=list)
    repeats: list[T] = field(default_factory=list)
    received: int = 0
    total: int = 0
    pages: int = 0
    barren: int = 0
    shrank: bool = False
    truncated: bool = False
    rejected: Counter[str] = field(default_factory=Counter)
    _ids: set[str] = field(default_factory=set)

    def add(self, page: Page[T]) -> list[T]:
        """Take a page in; returns its entries that were new."""
        new = []
        for item in page.items:
            if item.id in self._ids:
                self.repeats.append(item)
            else:
                self._ids.add(item.id)
                new.append(item)
        self.items += new
        self.barren = 0 if new else self.barren + 1
        self.shrank |= page.total < self.total
        self.received += page.received
        self.total = page.total
        self.pages += 1
        self.rejected += page.rejected
        return new

    def joined(self, earlier: Read[T]) -> Read[T]:
        """Return this read with the entries that only an `earlier` one saw."""
        self.items += [item for item in earlier.items if item.id not in self._ids]
        self._ids |= earlier._ids
        return self

    @property
    def complete(self) -> bool:
        """Whether as many entries were seen as upstream says there are, and none can have slipped by."""
        unread = sum(self.rejected[reason] for reason in ("id", "time", "type"))
        return not self.shrank and len(self.items) + unread >= self.total


Conversation = Generator[PageRequest, Page[T], Read[T]]


def newest_records(wanted: int, *, back_to: float | None = None) -> Conversation[Record]:
    """Converse until the newest `wanted` records are read, or all that start at or after `back_to`.

    More may come along. Raises BodyError where records came but none could be read.
    """
    got: Read[Record] = Read()
    for _ in range(_READS):
        got = yield from _newest_records(wanted, back_to)
        if got.received and not got.items:
            raise _unreadable(got.received, "list_records")
        hopeless = got.pages >= MAX_RECORD_PAGES or got.barren >= _BARREN
        if hopeless or not (got.shrank or got.truncated):
            break
    got.truncated |= got.shrank
    return got


def all_tasks(most: int) -> Conversation[Task]:
    """Converse until the whole list of tasks is read, or `most` of them (then `truncated`).

    A list that changed while it was paged may have hidden a task, so it is read again. What still does not
    add up after that (a total that lies) is taken as it is. Raises BodyError where no entry could be read.
    """
    got: Read[Task] = Read()
    for _ in range(_READS):
        got = yield from _forward(TASKS_LIMIT, most, most)
        if got.received and not got.items:
            raise _unreadable(got.received, "list_tasks")
        if got.complete or got.truncated or got.barren >= _BARREN:
            break
    return got


def first_details(most: int = MAX_DETAILS) -> Conversation[RecordDetail]:
    """Converse until a run's desktops are read, `most` of them at the most."""
    return (yield from _forward(DETAILS_LIMIT, most, most))


def _unreadable(received: int, operation: str) -> BodyError:
    return BodyError(f"none of {received} entries could be read", label="body", operation=operation)


def _forward(limit: int, most: int, max_pages: int) -> Conversation[T]:
    """Read from the front to the end, `most` entries and `max_pages` pages at the most."""
    got: Read[T] = Read()
    while True:
        page = yield PageRequest(got.received, min(limit, most - len(got.items)))
        got.add(page)
        if _at_end(got, page, limit):
            return got
        if len(got.items) >= most or got.pages >= max_pages:
            got.truncated = True
            return got


def _at_end(got: Read[T], page: Page[T], limit: int) -> bool:
    """Whether nothing follows: an empty page, the total, or pages that bring nothing new.

    A full page beyond the total shows that the total lies, so more is asked for.
    """
    if not page.received or got.barren >= _BARREN or got.received == page.total:
        return True
    return got.received > page.total and page.received < limit


def _newest_records(wanted: int, back_to: float | None) -> Conversation[Record]:
    got: Read[Record] = Read()
    while True:
        page = yield PageRequest(got.received, RECORDS_LIMIT)
        got.add(page)
        order = order_of(got.items)
        if _at_end(got, page, RECORDS_LIMIT):
            got.truncated = not got.complete and order != "descending"
            return got
        if order == "descending" and _enough(got.items, wanted, back_to):
            return got
        if order == "ascending":
            return (yield from _from_the_end(got, wanted, back_to))
        if got.pages >= MAX_RECORD_PAGES:
            got.truncated = order != "descending"
            return got


def _from_the_end(got: Read[Record], wanted: int, back_to: float | None) -> Conversation[Record]:
    """Read on at the end of a list whose front ascends; if the end does not fit, read the list whole.

    Backwards, since a record deleted at the front meanwhile then shifts nothing past us.
    """
    if got.received > got.total:  # the total lies, so nobody knows where the end is
        return (yield from _whole())
    front, first = got.received, list(got.items)
    low = high = max(front, got.total - RECORDS_LIMIT)
    tail: list[Record] = []
    while high < got.total:
        page = yield PageRequest(high, RECORDS_LIMIT)
        tail += got.add(page)
        high += page.received
        if got.barren or got.pages >= MAX_RECORD_PAGES:
            return (yield from _whole())
    while low > front and not _enough(tail, wanted, back_to):
        offset = max(front, low - RECORDS_LIMIT)
        page = yield PageRequest(offset, low - offset)
        tail = got.add(page) + tail
        if page.received < low - offset or got.barren or got.pages >= MAX_RECORD_PAGES:
            return (yield from _whole())
        low = offset
    return got if order_of(first + tail) == "ascending" else (yield from _whole())


def _whole() -> Conversation[Record]:
    got: Read[Record] = yield from _forward(RECORDS_LIMIT, MAX_RECORD_PAGES * RECORDS_LIMIT, MAX_RECORD_PAGES)
    got.truncated |= not got.complete
    return got


def order_of(records: list[Record]) -> Order:
    """Return the direction in which the records' starts run, where there are enough of them to tell."""
    falls = rises = False
    for one, two in pairwise(records):
        falls |= two.start < one.start
        rises |= two.start > one.start
    if falls and rises:
        return "unordered"
    if len(records) < _CERTAIN or not (falls or rises):
        return "undecided"
    return "descending" if falls else "ascending"


def _enough(records: list[Record], wanted: int, back_to: float | None) -> bool:
    """Whether a contiguous newest part of the list, of one record at least, holds all that is asked for.

    A record with the start of the last one wanted may follow on the next page; it is looked for only where
    the page shows that there are such.
    """
    starts = sorted((record.start for record in records), reverse=True)
    if back_to is not None and starts[-1] < back_to:
        return True
    if len(starts) <= wanted:
        return len(starts) == wanted
    return starts[-1] < starts[wanted - 1]
