"""The rendered metrics of all tasks, kept until a task changes; a scrape copies what is kept.

The poller says what changed (`put`, `touch`, `remove`: cheap, on the event loop). A build, in a worker thread
and one at a time, renders the changed tasks and makes the bodies that somebody asks for (`metricstore`).

A scrape that finds a build under way waits for it briefly and is otherwise given the body before: a full
refresh of thousands of tasks makes a body at most a build older, never a scrape slow.
"""

from __future__ import annotations

import asyncio
from itertools import islice

from exporter import gzipping
from exporter.gzipping import Part
from exporter.metricstore import Key, MetricStore
from exporter.negotiation import Format
from exporter.rendering import END, render_task
from exporter.state import TaskState

PATIENCE = 0.03
"""Seconds that a scrape waits for a build that is under way, when there is an older body to give."""
COALESCE = 0.25
"""Seconds between a change and the build it causes: changes come in crowds."""
READ_BY = 300.0
"""Seconds after its last scrape that a body is kept up to date."""
_BATCH = 500
"""So many tasks are rendered before they are taken in: the first build must not hold all lines twice."""

Kind = tuple[Format, bool]
"""A body's format, and whether it is compressed."""
Body = tuple[bytes, ...] | Part
"""A body but its end: pieces of text, or compressed."""


class Exposition:
    """What the poller changes and a scrape reads; lives on one event loop."""

    def __init__(self) -> None:
        self._store = MetricStore()
        self._changes: dict[Key, TaskState | None] = {}
        self._touched: dict[Key, float] = {}
        self._kept: dict[Kind, Body] = {}
        self._outdated: set[Kind] = set()
        self._asked: dict[Kind, float] = {}
        self._building: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def put(self, state: TaskState) -> None:
        """Show a task as it is now."""
        key = (state.project, state.task_id)
        self._touched.pop(key, None)
        self._changes[key] = state
        self._schedule()

    def touch(self, key: Key, last_poll: float) -> None:
        """Show that a task's runs were current at `last_poll`, with nothing else changed."""
        self._touched[key] = last_poll
        self._schedule()

    def remove(self, key: Key) -> None:
        """Show a task no more."""
        self._touched.pop(key, None)
        self._changes[key] = None
        self._schedule()

    async def body(self, form: Format, own: bytes, *, gzip: bool) -> tuple[bytes, ...]:
        """Return a scrape's body as pieces to send: the tasks' metrics, then `own`, then the format's end."""
        kept = await self._current(form, gzip)
        last = own + END[form]
        if isinstance(kept, Part):
            return gzipping.finish(kept, gzipping.compress(last))
        return *kept, last

    async def settle(self) -> None:
        """Wait until every scrape shows what was said until now."""
        if self._building:  # it may have begun before that
            await asyncio.wait({self._building})
        if self._kept and (self._changes or self._touched):
            await asyncio.wait({self._build()})

    def close(self) -> None:
        """Start no further build."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def _current(self, form: Format, gzip: bool) -> Body:  # noqa: FBT001 - half of a key
        kind = (form, gzip)
        self._asked[kind] = asyncio.get_running_loop().time()
        before = self._kept.get(kind)
        if before is None:
            while (first := self._kept.get(kind)) is None:
                await asyncio.shield(self._build(kind))
            return first
        if self._building or self._changes or self._touched:
            await asyncio.wait({self._build()}, timeout=PATIENCE)
        return self._kept.get(kind, before)

    def _schedule(self) -> None:
        """Build soon, if anybody reads: a body that nobody asks for is not kept up to date."""
        if self._kept and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COALESCE, self._build)

    def _build(self, kind: Kind | None = None) -> asyncio.Task[None]:
        self.close()
        if self._building is None:
            self._forget_unread()
            self._building = asyncio.create_task(self._run({*self._kept, *([kind] if kind else [])}))
        return self._building

    def _forget_unread(self) -> None:
        """Give up bodies that nobody reads any more: a look with curl must not cost a join for ever."""
        now = asyncio.get_running_loop().time()
        for kind in [kind for kind in self._kept if now - self._asked[kind] > READ_BY]:
            del self._kept[kind]

    async def _run(self, kinds: set[Kind]) -> None:
        changes, self._changes = self._changes, {}
        touched, self._touched = self._touched, {}
        missing = kinds - (self._kept.keys() - self._outdated)
        try:
            built = await asyncio.to_thread(self._work, changes, touched, kinds, missing)
        except Exception:
            self._take_back(changes, touched, kinds)
            raise
        finally:
            self._building = None
        self._outdated -= kinds
        self._kept |= built
        if self._changes or self._touched:
            self._schedule()

    def _take_back(
        self, changes: dict[Key, TaskState | None], touched: dict[Key, float], kinds: set[Kind]
    ) -> None:
        """A build broke off (no memory, say): the next one makes up for it, whatever of it is taken in."""
        still = {key: polled for key, polled in touched.items() if key not in self._changes}
        self._touched = {**still, **self._touched}
        self._changes = {**changes, **self._changes}
        self._outdated |= kinds

    def _work(
        self,
        changes: dict[Key, TaskState | None],
        touched: dict[Key, float],
        kinds: set[Kind],
        missing: set[Kind],
    ) -> dict[Kind, Body]:
        changed = False
        waiting = iter(changes.items())
        while batch := list(islice(waiting, _BATCH)):
            rendered = {key: render_task(state) if state else None for key, state in batch}
            changed |= self._store.update(rendered)
        changed |= self._store.touch(touched)
        return {
            (form, gzip): self._store.compressed(form) if gzip else self._store.identity(form)
            for form, gzip in (kinds if changed else missing)
        }
