"""Holding a paging conversation: what is fetched, what comes back, and what goes wrong on the way."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.conversation import converse
from exporter.decode import Page
from exporter.errors import ApiError, BodyError
from exporter.paging import PageRequest, newest_records
from exporter.records import Record
from tests.stories.upstream import server_error


def _page(
    *starts: int, total: int, rejected: dict[str, int] | None = None, received: int | None = None
) -> Page[Record]:
    items = tuple(Record(f"r{start}", float(start), "SUCCESS") for start in starts)
    return Page(items, len(items) if received is None else received, total, Counter(rejected or {}))


class Fetcher:
    """Answers with prepared pages, or raises what stands in their place."""

    def __init__(self, *answers: Page[Record] | ApiError) -> None:
        self.answers = list(answers)
        self.requests: list[PageRequest] = []

    async def __call__(self, request: PageRequest) -> Page[Record]:
        """Give the next answer."""
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer


async def test_pages_are_fetched_until_the_conversation_ends_and_its_result_is_returned() -> None:
    """Each request is the conversation's, each answer goes back into it."""
    fetch = Fetcher(_page(9, 8, 7, total=5), _page(6, 5, total=5))
    read = await converse(newest_records(10), fetch)
    assert [item.id for item in read.items] == ["r9", "r8", "r7", "r6", "r5"]
    assert fetch.requests == [PageRequest(0, 100), PageRequest(3, 100)]


async def test_malformed_entries_are_told_page_by_page() -> None:
    """A page without any is not mentioned."""
    told: list[Counter[str]] = []
    fetch = Fetcher(
        _page(9, total=5, rejected={"time": 2}, received=3),
        _page(8, total=5),
        _page(7, total=5, rejected={"count": 1}),
    )
    await converse(newest_records(10), fetch, told.append)
    assert told == [Counter(time=2), Counter(count=1)]


async def test_malformed_entries_are_told_also_where_the_read_fails_later() -> None:
    """They were met; the failure is the caller's."""
    told: list[Counter[str]] = []
    failure = server_error()
    fetch = Fetcher(_page(9, total=5, rejected={"id": 1}, received=2), failure)
    with pytest.raises(type(failure)) as caught:
        await converse(newest_records(10), fetch, told.append)
    assert caught.value is failure
    assert told == [Counter(id=1)]


async def test_what_the_conversation_raises_is_raised() -> None:
    """Records came, and none of them could be read."""
    with pytest.raises(BodyError, match="none of 3 entries could be read"):
        await converse(newest_records(10), Fetcher(_page(total=3, received=3, rejected={"time": 3})))
