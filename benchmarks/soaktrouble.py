"""What happens to a soaked exporter: people change its tasks, its cloud goes wrong, strangers come."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import cycle
from typing import Any

import httpx

from benchmarks.fasttime import FastTime

HOUR = 3600.0
FAULTS = (
    "500:0.2",
    "401:0.2",
    "403@records:0.2",
    "429=1:0.2",
    "502:0.2",
    "truncated:0.2",
    "types:0.2",
    "envelope:0.2",
    "cut:0.2",
    "stall=1500ms:0.02",
    "html:0.2",
    "403@list",
    "500@iam,401@api:0.1",
    "404@records:0.2",
)
"""One after the other, each for some hours; the stall outlasts the requests' time limit of one second."""
_FAULT_HOURS, _CALM_HOURS = 3.0, 1.5
_CHANGE_HOURS = 0.5
_RELOAD_HOURS = 8.0
_TOKENS_HOURS = 11.0
_HALVES = (
    b"",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: ",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx",
)
_STRANGERS = 20
_STRANGE_SECONDS = 0.3


class Cloud:
    """The script's way into the simulated cloud."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(base_url=f"{url}/simulator/", trust_env=False, timeout=60)

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Use the control path; returns its JSON."""
        answer = await self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()


class Churn:
    """Changes of the tasks, by chance, and how they are undone.

    `names` are the names of the tasks by id, as they are at the begin.
    """

    def __init__(self, cloud: Cloud, names: dict[str, str], happened: Counter[str]) -> None:
        self._cloud = cloud
        self._names = dict(names)
        self._count = len(names)
        self._chance = random.Random(5)  # noqa: S311 - the same changes in each run
        self._happened = happened
        self._added: list[str] = []
        self._disabled: list[str] = []
        self._renamed: list[str] = []
        self._worse: list[str] = []

    async def change(self) -> None:
        """Do one thing, by chance."""
        deeds = (self._add, self._delete, self._disable, self._enable, self._rename, self._edit, self._worsen)
        deed = self._chance.choice(deeds)
        await deed()
        self._happened[f"tasks: {deed.__name__.strip('_')}"] += 1

    async def undo(self) -> None:
        """Make good what was done: as many tasks as at first, with their first names, enabled, healthy."""
        while self._disabled:
            await self._enable()
        for task_id in self._renamed:
            await self._act(task_id, "rename", name=self._names[task_id])
        for task_id in self._worse:
            await self._act(task_id, "behave", behaviour="healthy")
        for task_id in self._added:
            await self._act(task_id, "delete")
        self._added.clear()
        while len(self._names) + len(self._added) < self._count:
            await self._add()

    async def _add(self) -> None:
        minute = self._chance.randrange(24 * 60)
        time = f"{minute // 60:02}:{minute % 60:02}:00"
        plan = {"scheduled_type": "DAY", "day_interval": 1, "time_zone": "UTC", "scheduled_time": time}
        if self._chance.random() < 1 / 4:
            plan = {"scheduled_type": "LIFE_CYCLE", "life_cycle_type": "POST_CREATE_DESKTOP_SUCCESS"}
        body = {"plan": plan, "name": f"added at {time}", "history_days": 30, "behaviour": "failing:0.2"}
        self._added.append((await self._cloud.call("POST", "tasks", body))["task_id"])

    async def _delete(self) -> None:
        if self._added and self._chance.random() < 2 / 3:
            task_id = self._added.pop(self._chance.randrange(len(self._added)))
        else:
            task_id = self._any()
            del self._names[task_id]
            for changed in (self._disabled, self._renamed, self._worse):
                with suppress(ValueError):
                    changed.remove(task_id)
        await self._act(task_id, "delete")

    async def _disable(self) -> None:
        task_id = self._any()
        if task_id not in self._disabled:
            await self._act(task_id, "disable")
            self._disabled.append(task_id)

    async def _enable(self) -> None:
        if self._disabled:
            await self._act(self._disabled.pop(0), "enable")

    async def _rename(self) -> None:
        task_id = self._any()
        await self._act(task_id, "rename", name=f'new "name" {self._chance.random()}\n\\')
        if task_id not in self._renamed:
            self._renamed.append(task_id)

    async def _edit(self) -> None:
        if self._added:
            plan = {"scheduled_type": "WEEK", "week_list": "2,4,6", "scheduled_time": "06:00:00"}
            await self._act(self._chance.choice(self._added), "edit", plan=plan)

    async def _worsen(self) -> None:
        task_id = self._any()
        await self._act(task_id, "behave", behaviour="failing:0.5,missed:0.2,partial:0.2")
        if task_id not in self._worse:
            self._worse.append(task_id)

    def _any(self) -> str:
        return self._chance.choice(list(self._names))

    async def _act(self, task_id: str, action: str, **fields: object) -> None:
        await self._cloud.call("POST", f"tasks/{task_id}/{action}", fields)


class Trouble:
    """Everything that happens, side by side, until it ends; `happened` counts it.

    `reload` lets the exporter take up one of its configurations, by number; 0 is that of the begin.
    """

    def __init__(
        self,
        cloud: Cloud,
        churn: Churn,
        fast: FastTime,
        *,
        port: int,
        reload: Callable[[int], None],
        configurations: int,
        happened: Counter[str],
    ) -> None:
        self._cloud = cloud
        self._churn = churn
        self._fast = fast
        self._port = port
        self._reload = reload
        self._configurations = configurations
        self._over = asyncio.Event()
        self.happened = happened

    async def run(self) -> None:
        """Make trouble until `stop`; what has begun is done to its end."""
        await asyncio.gather(
            self._each(_CHANGE_HOURS, self._churn.change),
            self._each(_CALM_HOURS, self._fault),
            self._each(_RELOAD_HOURS, self._reconfigure),
            self._each(_TOKENS_HOURS, self._revoke),
            self._strangers(),
        )

    def stop(self) -> None:
        """Make no further trouble."""
        self._over.set()

    async def undo(self) -> None:
        """Make good what outlasts the trouble itself."""
        await self._churn.undo()
        self._reload(0)

    async def _each(self, hours: float, deed: Callable[[], Awaitable[None]]) -> None:
        while await self._pause(hours * HOUR / self._fast.speed):
            await deed()

    async def _pause(self, seconds: float) -> bool:
        """Wait for so many real seconds, or until all is over; returns whether it goes on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return not self._over.is_set()

    async def _fault(self) -> None:
        spec = FAULTS[self.happened["faults put"] % len(FAULTS)]
        self.happened["faults put"] += 1
        await self._cloud.call("PUT", "faults", {"spec": spec})
        await self._pause(_FAULT_HOURS * HOUR / self._fast.speed)
        for rule in (await self._cloud.call("GET", "faults"))["rules"]:
            self.happened[f"fault: {rule['fault']}"] += rule["struck"]
        await self._cloud.call("DELETE", "faults")

    async def _reconfigure(self) -> None:
        self.happened["reloads"] += 1
        self._reload(self.happened["reloads"] % self._configurations)

    async def _revoke(self) -> None:
        self.happened["tokens revoked"] += 1
        await self._cloud.call("DELETE", "tokens")

    async def _strangers(self) -> None:
        """Keep so many connections with half a request each; the oldest gives way to a new one."""
        writers: list[asyncio.StreamWriter] = []
        for half in cycle(_HALVES):
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(half)
            writers.append(writer)
            self.happened["half requests"] += 1
            if len(writers) > _STRANGERS:
                await _leave(writers.pop(0))
            if not await self._pause(_STRANGE_SECONDS):
                break
        for writer in writers:
            await _leave(writer)


async def _leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
