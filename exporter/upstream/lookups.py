"""An event loop whose look-ups of host names hold nobody else up.

asyncio looks names up in a small pool of threads that all share, and joins them when it ends: one project
whose resolver hangs would keep the others from connecting, and the process from ending.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any


class LookupLoop(asyncio.SelectorEventLoop):
    """Looks each name up in a thread of its own, which is left to itself when nobody waits for it any more.

    How many there are is bounded by the requests under way, and by how long the system's resolver takes.
    """

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        """Return what `socket.getaddrinfo` does; raises OSError or UnicodeError."""
        found: asyncio.Future[Any] = self.create_future()

        def look_up() -> None:
            result: Any = None
            failure: Exception | None = None
            try:
                result = socket.getaddrinfo(host, port, **hints)
            except (OSError, UnicodeError) as error:
                failure = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self.call_soon_threadsafe(_settle, found, result, failure)

        threading.Thread(target=look_up, name="lookup", daemon=True).start()
        return await found


def _settle(found: asyncio.Future[Any], result: Any, failure: Exception | None) -> None:
    if found.done():
        return
    if failure is not None:
        found.set_exception(failure)
    else:
        found.set_result(result)
