"""Holds a paging conversation with whoever fetches pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from exporter.decode import Page
from exporter.paging import Conversation, Identified, PageRequest, Read

T = TypeVar("T", bound=Identified)


async def converse(
    conversation: Conversation[T],
    fetch: Callable[[PageRequest], Awaitable[Page[T]]],
    rejected: Callable[[Counter[str]], None] = lambda _: None,
) -> Read[T]:
    """Fetch what the conversation asks for, and return its result.

    `rejected` is told of each page's malformed entries, also where the read fails later. Raises what `fetch`
    and the conversation raise.
    """
    request = next(conversation)
    while True:
        page = await fetch(request)
        if page.rejected:
            rejected(page.rejected)
        try:
            request = conversation.send(page)
        except StopIteration as stop:
            read: Read[T] = stop.value
            return read
