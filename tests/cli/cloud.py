"""The simulated cloud in a thread: quicker to start than a process, and open to the test."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.simulator import plan as plans
from exporter.simulator.app import create_app
from exporter.simulator.options import Options
from exporter.simulator.service import Service
from exporter.simulator.serving import serving
from exporter.simulator.world import World

Tree = dict[str, Any]
REGION = "cn-north-4"
_PATIENCE = 10.0


class Cloud:
    """A running simulated cloud. `service` may be looked at and changed while it runs."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.url = ""

    @property
    def world(self) -> World:
        """Its only project's tasks."""
        return next(iter(self.service.worlds.values()))

    @property
    def account(self) -> Tree:
        """How to sign in, by kind of `auth`."""
        known = self.service.options.credentials
        return {
            "token": {"token": known.token},
            "password": {
                "domain_name": known.domain_name,
                "user_name": known.user_name,
                "password": known.password,
            },
            "aksk": {"access_key": known.access_key, "secret_key": known.secret_key},
            "metadata": {"endpoint": self.url},
        }

    def add_task(self, task_id: str = "", **fields: Any) -> str:
        """Add a task that ran three times, last two hours ago, and is due in twenty-two; returns its id."""
        now = time.time()
        due = time.strftime("%H:%M:%S", time.gmtime(now - 7200))
        return self.world.add_task(
            plans.daily(due), now, task_id=task_id, **{"history_days": 3, "name": f"task {task_id}", **fields}
        )

    def project(self, kind: str = "aksk", **changes: Any) -> Tree:
        """Return a project of the configuration that signs in in this way; a None takes a key out."""
        tree = {
            "name": "prod",
            "region": REGION,
            "endpoint": self.url,
            "iam_endpoint": self.url,
            "auth": {kind: self.account[kind]},
            "discovery": {},
        }
        if kind == "token":
            tree["project_id"] = self.world.project.id
        return {key: value for key, value in {**tree, **changes}.items() if value is not None}


@contextmanager
def cloud_in_thread(options: Options | None = None, faults: str = "") -> Iterator[Cloud]:
    """Serve a cloud without tasks on an ephemeral port for as long as the block lasts."""
    app = create_app(World(region=REGION), options, faults=faults)
    cloud = Cloud(app.state.service)
    started = threading.Event()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        async with serving(app, port=0) as cloud.url:
            stop.append(lambda: loop.call_soon_threadsafe(ended.set))
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(_PATIENCE)
    try:
        yield cloud
    finally:
        stop[0]()
        thread.join()


def write_config(path: Path, *projects: Tree, **sections: Any) -> Path:
    """Write a configuration file (JSON is YAML)."""
    path.write_text(json.dumps({"projects": projects, **sections}), "utf-8")
    return path
