"""What lives in a process: objects by class, what they hold, asyncio's tasks, threads."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MemberDescriptorType

PACKAGES = ("exporter", "httpx", "httpcore", "h11", "ssl", "_asyncio", "asyncio")
"""Whose objects are counted: those that this project makes, and those of the libraries that it holds."""
_POOL = "asyncio"
"""How the names of the worker threads begin: a pool grows up to its limit and never shrinks."""
_CONTAINERS = (list, dict, set, frozenset, tuple, deque, array)


@dataclass(frozen=True, slots=True)
class Census:
    """How many there are. `workers` are the threads of asyncio's pool, `threads` the others."""

    objects: dict[str, int]
    asyncio_tasks: int
    threads: int
    workers: int


def living(packages: Iterable[str] = PACKAGES) -> Counter[str]:
    """Count the objects whose class belongs to one of these packages, by the class's full name.

    What their attributes hold counts as well, as `class.attribute[]`: a list of texts that grows is a leak of
    which no object of a class tells. Timers that were cancelled are left out, and so is what the event loop
    holds: asyncio itself keeps a hundred of them and more until their time.
    """
    gc.collect()
    wanted = frozenset(packages)
    kinds: dict[type, _Kind | None] = {}
    found: Counter[str] = Counter()
    for thing in gc.get_objects():
        kind = type(thing)
        if kind not in kinds:
            kinds[kind] = _kind(kind) if str(kind.__module__).partition(".")[0] in wanted else None
        seen = kinds[kind]
        if seen is not None and not _is_cancelled(thing):
            found[seen.name] += 1
            for attribute, value in seen.attributes(thing):
                if isinstance(value, _CONTAINERS) and not isinstance(thing, asyncio.AbstractEventLoop):
                    found[f"{seen.name}.{attribute}[]"] += len(value)
    return found


def pool_of_one() -> ThreadPoolExecutor:
    """Let the running loop have a pool of one worker, which a census can wait for.

    Who asks the garbage collector for all objects holds those that another thread is just making: a tuple
    that is held cannot grow, and its making fails with SystemError (CPython issue 59313).
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix=_POOL)
    asyncio.get_running_loop().set_default_executor(pool)
    return pool


def take_census(pool: ThreadPoolExecutor, packages: Iterable[str] = PACKAGES) -> Census:
    """Count what lives on the running event loop, once its pool has nothing left to do."""
    pool.submit(gc.collect).result()
    names = [thread.name for thread in threading.enumerate()]
    workers = sum(name.startswith(_POOL) for name in names)
    return Census(dict(living(packages)), len(asyncio.all_tasks()), len(names) - workers, workers)


def write_census(file: Path, pool: ThreadPoolExecutor) -> None:
    """Write the census as JSON, all at once for who waits for the file."""
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(take_census(pool))), "utf-8")
    draft.replace(file)


def read_census(file: Path) -> Census:
    """Read what `write_census` wrote."""
    return Census(**json.loads(file.read_text("utf-8")))


def least(several: Iterable[Census]) -> Census:
    """Return the least of each count: what is there when nothing is under way."""
    all_of_them = list(several)
    names = set[str]().union(*(census.objects for census in all_of_them))
    return Census(
        {name: min(census.objects.get(name, 0) for census in all_of_them) for name in sorted(names)},
        min(census.asyncio_tasks for census in all_of_them),
        min(census.threads for census in all_of_them),
        min(census.workers for census in all_of_them),
    )


def _is_cancelled(thing: object) -> bool:
    return isinstance(thing, asyncio.TimerHandle) and thing.cancelled()


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class: its full name, and the descriptors of its slots."""

    name: str
    slots: tuple[MemberDescriptorType, ...]

    def attributes(self, thing: object) -> Iterator[tuple[str, object]]:
        """Yield an object's own attributes, without running any code of its class."""
        yield from getattr(thing, "__dict__", {}).items()
        for slot in self.slots:
            with suppress(AttributeError):  # not set
                yield slot.__name__, slot.__get__(thing)


def _kind(kind: type) -> _Kind:
    members = [member for base in kind.__mro__ for member in vars(base).values()]
    slots = tuple(member for member in members if isinstance(member, MemberDescriptorType))
    return _Kind(f"{kind.__module__}.{kind.__qualname__}", slots)
