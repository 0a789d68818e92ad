"""The rendered metrics of all tasks, kept until a task changes; a scrape is a join of what is kept.

The poller says what changed (`put`, `touch`, `remove`: cheap, on the event loop). A build, in a worker thread
and one at a time, renders the changed tasks, compresses the changed parts and joins the bodies that somebody
asks for. Tasks live in buckets by a hash of their key, so that a changed task means new compressed parts for
its bucket only, and a restart gives the same order.

A scrape that finds a build under way waits for it briefly and is otherwise given the body before: a full
refresh of thousands of tasks makes a body at most a build older, never a scrape slow.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from exporter import gzipping
from exporter.catalog import LAST_POLL, TASK_METRICS
from exporter.gzipping import Part
from exporter.negotiation import Format
from exporter.rendering import END, Chunks, render_header, render_task, replace_value
from exporter.state import TaskState

Key = tuple[str, str]
"""Project and task id."""

PATIENCE = 0.05
"""Seconds that a scrape waits for a build that is under way, when there is an older body to give."""
COALESCE = 0.25
"""Seconds between a change and the build it causes: changes come in crowds."""
READ_BY = 300.0
"""Seconds after its last scrape that a body is kept up to date."""
_TASKS_IN_BUCKET = 48
_FAMILIES = range(len(TASK_METRICS))


@dataclass(slots=True)
class _Bucket:
    """Some tasks' lines, and of each family the compressed part where it is current."""

    tasks: dict[Key, Chunks] = field(default_factory=dict)
    parts: list[Part | None] = field(default_factory=lambda: [None for _ in _FAMILIES])

    def set(self, key: Key, chunks: Chunks) -> bool:
        """Take a task's lines in; returns whether any of them is new."""
        before = self.tasks.get(key)
        self.tasks[key] = chunks
        if before is None:
            self._sort()
        changed = [f for f in _FAMILIES if before is None or before[f] != chunks[f]]
        for family in changed:
            self.parts[family] = None
        return bool(changed)

    def drop(self, key: Key) -> bool:
        """Forget a task; returns whether it was here."""
        if self.tasks.pop(key, None) is None:
            return False
        self.parts = [None for _ in _FAMILIES]
        return True

    def lines(self, family: int) -> Iterable[bytes]:
        """The lines of one family, task by task."""
        return [chunks[family] for chunks in self.tasks.values()]

    def part(self, family: int) -> Part:
        """The compressed lines of one family."""
        part = self.parts[family]
        if part is None:
            part = self.parts[family] = gzipping.compress(b"".join(self.lines(family)))
        return part

    def _sort(self) -> None:
        self.tasks = dict(sorted(self.tasks.items()))


class Pages:
    """The lines of all tasks. Not thread-safe: one build at a time calls it."""

    def __init__(self) -> None:
        self._buckets = [_Bucket()]
        self._tasks = 0
        self._families: list[Part | None] = [None for _ in _FAMILIES]
        headers = {
            form: [render_header(m.name, m.type, m.help, form) for m in TASK_METRICS] for form in Format
        }
        self._headers = headers
        self._header_parts = {form: [gzipping.compress(text) for text in headers[form]] for form in Format}

    def apply(self, changes: dict[Key, TaskState | None], touched: dict[Key, float]) -> bool:
        """Take changes in (None: the task is gone); returns whether a body is different now."""
        changed = False
        for key, state in changes.items():
            changed |= self._drop(key) if state is None else self._put(key, render_task(state))
        for key, last_poll in touched.items():
            changed |= self._touch(key, last_poll)
        return changed

    def identity(self, form: Format) -> bytes:
        """The whole body but its end, uncompressed."""
        pieces: list[bytes] = []
        for family in _FAMILIES:
            pieces.append(self._headers[form][family])
            for bucket in self._buckets:
                pieces += bucket.lines(family)
        return b"".join(pieces)

    def compressed(self, form: Format) -> Part:
        """The whole body but its end, compressed."""
        headers = self._header_parts[form]
        return gzipping.join(part for f in _FAMILIES for part in (headers[f], self._family(f)))

    def _family(self, family: int) -> Part:
        part = self._families[family]
        if part is None:
            part = gzipping.join(bucket.part(family) for bucket in self._buckets)
            self._families[family] = part
        return part

    def _put(self, key: Key, chunks: Chunks) -> bool:
        bucket = self._bucket(key)
        self._tasks += key not in bucket.tasks
        changed = bucket.set(key, chunks)
        self._forget(bucket)
        if self._tasks > len(self._buckets) * _TASKS_IN_BUCKET:
            self._spread(len(self._buckets) * 2)
        return changed

    def _touch(self, key: Key, last_poll: float) -> bool:
        bucket = self._bucket(key)
        chunks = bucket.tasks.get(key)
        if chunks is None or not chunks[LAST_POLL]:
            return False
        line = replace_value(chunks[LAST_POLL], last_poll)
        bucket.tasks[key] = (*chunks[:LAST_POLL], line, *chunks[LAST_POLL + 1 :])
        bucket.parts[LAST_POLL] = self._families[LAST_POLL] = None
        return True

    def _drop(self, key: Key) -> bool:
        bucket = self._bucket(key)
        dropped = bucket.drop(key)
        self._tasks -= dropped
        self._forget(bucket)
        return dropped

    def _forget(self, bucket: _Bucket) -> None:
        for family in _FAMILIES:
            if bucket.parts[family] is None:
                self._families[family] = None

    def _bucket(self, key: Key) -> _Bucket:
        number = zlib.crc32("\0".join(key).encode())
        return self._buckets[number % len(self._buckets)]

    def _spread(self, count: int) -> None:
        """Spread the tasks over more buckets, so that a bucket stays small."""
        tasks = [item for bucket in self._buckets for item in bucket.tasks.items()]
        self._buckets = [_Bucket() for _ in range(count)]
        for key, chunks in sorted(tasks):
            self._bucket(key).tasks[key] = chunks
        self._families = [None for _ in _FAMILIES]


Kind = tuple[Format, bool]
"""A body's format, and whether it is compressed."""


class Exposition:
    """What the poller changes and a scrape reads; lives on one event loop."""

    def __init__(self) -> None:
        self._pages = Pages()
        self._changes: dict[Key, TaskState | None] = {}
        self._touched: dict[Key, float] = {}
        self._kept: dict[Kind, bytes | Part] = {}
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
        return kept, last

    def close(self) -> None:
        """Start no further build."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def _current(self, form: Format, gzip: bool) -> bytes | Part:  # noqa: FBT001 - half of a key
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
        missing = kinds - self._kept.keys()
        try:
            built = await asyncio.to_thread(self._work, changes, touched, kinds, missing)
        finally:
            self._building = None
        self._kept |= built
        if self._changes or self._touched:
            self._schedule()

    def _work(
        self,
        changes: dict[Key, TaskState | None],
        touched: dict[Key, float],
        kinds: set[Kind],
        missing: set[Kind],
    ) -> dict[Kind, bytes | Part]:
        changed = self._pages.apply(changes, touched)
        return {
            (form, gzip): self._pages.compressed(form) if gzip else self._pages.identity(form)
            for form, gzip in (kinds if changed else missing)
        }
