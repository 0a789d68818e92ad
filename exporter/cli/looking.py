"""What the live commands share as commands: the real world, a silent log, and progress on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from exporter.cli.live import Changed, World, silence_log
from exporter.cli.screen import progress
from exporter.cli.wiring import SYSTEM_CLOCKS, client_of, run_loop

T = TypeVar("T")


def look(read: Callable[[World, Changed], Coroutine[Any, Any, T]]) -> T:
    """Return what `read` finds out there."""
    silence_log()
    with progress() as changed:
        return run_loop(read(World(client_of, SYSTEM_CLOCKS), changed))
