"""Replays a recording of `check-config --probe --record FILE`: prints the metrics that its answers give.

    python -m tools.replay FILE

The answers go through the exporter's own client, decoder and poller, at the moment of the recording.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import sys
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import structlog

from exporter.cli.daemon import Daemon
from exporter.config import Config, Project
from exporter.configfile import validate
from exporter.negotiation import Format
from exporter.poller import Clocks, Upstream
from exporter.recorded import FORMAT, VERSION
from exporter.selection import Shard
from exporter.telemetry import Telemetry
from exporter.timestamps import parse_zone
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Observer, Timing

Tree = dict[str, Any]
_PATH = re.compile(
    r"/v2/[^/]+/scheduled-tasks(?:/(?P<task>[^/]+)(?P<records>/records(?:/(?P<record>[^/]+))?)?)?"
)
_DURATIONS = ("grace", "max_duration")
_BODIES = {"empty": b"", "markup": b"<html>", "text": b"text ", "broken-json": b"{", "not-utf-8": b"\xff "}
_BODIES |= {"too-deep": b"[" * 100_000}


@dataclass(frozen=True, slots=True)
class ReadTasks(Shard):
    """The share of the tasks that the recording holds: by project and id."""

    read: frozenset[tuple[str, str]] = frozenset()

    def holds(self, project: str, task_id: str) -> bool:
        """Whether the task was read."""
        return (project, task_id) in self.read


class Recorded(httpx.AsyncBaseTransport):
    """Answers each request as it was answered: one after the other, and the last one for ever."""

    def __init__(self, answers: Sequence[Tree]) -> None:
        self._answers: dict[tuple[object, ...], deque[Tree]] = defaultdict(deque)
        for answer in answers:
            self._answers[_key_of(answer)].append(answer)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; what was not asked then fails as a connection does."""
        answers = self._answers.get(_key_asked(request))
        if not answers:
            raise httpx.ConnectError("this question was not recorded")
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if "failure" in answer:
            return _failed(answer["failure"])
        body = httpx.ByteStream(_body(answer["body"]))
        return httpx.Response(answer["status"], headers=answer["headers"], stream=body)


def replay(recording: Tree, telemetry: Telemetry) -> str:
    """Return the text exposition after one cycle; raises ValueError for what is no recording."""
    if (recording.get("format"), recording.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"not a recording of version {VERSION}")
    return asyncio.run(_replay(recording, telemetry))


async def _replay(recording: Tree, telemetry: Telemetry) -> str:
    now, config = recording["recorded_at"], configuration(recording)
    answers = {project["name"]: project["answers"] for project in recording["projects"]}

    def client(project: Project, known: Config, observer: Observer) -> Upstream:
        return build_client(
            project,
            known.polling,
            zone=parse_zone(known.time_zone),
            observer=observer,
            timing=standing(now),
            transport=Recorded(answers[project.name]),
        )

    read = {(project["name"], task_id) for project in recording["projects"] for task_id in project["read"]}
    daemon = Daemon(
        config,
        read_config=lambda: config,
        build_client=client,
        telemetry=telemetry,
        clocks=Clocks(epoch=lambda: now, monotonic=lambda: 0.0, sleep=_for_ever),
        shard=ReadTasks(read=frozenset(read)),
    )
    return await first_cycle(daemon)


async def first_cycle(daemon: Daemon) -> str:
    """Let a daemon whose clock stands still make its first cycle, and return its text exposition."""
    await daemon.start()
    try:
        while daemon.not_ready():  # noqa: ASYNC110 - the daemon tells nobody
            await asyncio.sleep(0)
        return b"".join(await daemon.metrics(Format.TEXT, False)).decode()
    finally:
        await daemon.aclose()


def standing(now: float) -> Timing:
    """The client's time: the clock stands at `now`, and a pause between two tries takes none."""
    passed = [0.0]

    async def sleep(seconds: float) -> None:
        passed[0] += seconds
        await asyncio.sleep(0)

    return Timing(lambda: now, lambda: passed[0], sleep, lambda: 0.5)


async def _for_ever(_: float) -> None:
    """The poller's pause after its first cycle."""
    await asyncio.Event().wait()


def configuration(recording: Tree) -> Config:
    """Return the configuration under which the answers are read; the keys that sign in are made up."""
    settings = recording["settings"]
    keys = {"access_key": "recorded", "secret_key": "recorded"}
    projects = [
        {
            "name": project["name"],
            "project_id": project["project_id"],
            "region": project["region"],
            "endpoint": "https://recorded.example",
            "iam_endpoint": "https://recorded.example",
            "auth": {"aksk": keys},
            "tasks": [_with_durations(_without_nulls(task)) for task in project["tasks"]],
            **({"discovery": {}} if project["discovery"] else {}),
        }
        for project in recording["projects"]
    ]
    tree = {
        "projects": [_without_nulls(project) for project in projects],
        "polling": {
            **{key: settings[key] for key in ("history", "details", "max_tasks")},
            "requests_per_second": 0,
        },
        "defaults": _with_durations({key: settings[key] for key in _DURATIONS}),
        "statuses": settings["statuses"],
        "time_zone": settings["time_zone"],
    }
    return validate(Config, tree, Path())


def _with_durations(tree: Tree) -> Tree:
    """Seconds as the configuration writes them."""
    return tree | {key: f"{round(1000 * tree[key])}ms" for key in _DURATIONS if key in tree}


def _without_nulls(tree: Tree) -> Tree:
    return {key: value for key, value in tree.items() if value is not None}


def _key_of(answer: Tree) -> tuple[object, ...]:
    names = ("operation", "task", "record", "offset", "limit", "life_cycle")
    return tuple(answer.get(name) for name in names)


def _key_asked(request: httpx.Request) -> tuple[object, ...]:
    path, query = _PATH.fullmatch(request.url.path), request.url.params
    if path is None:
        return ()
    page = [int(query[name]) if name in query else None for name in ("offset", "limit")]
    if path["record"]:
        return "list_record_details", path["task"], path["record"], *page, None
    if path["records"]:
        return "list_records", path["task"], None, *page, None
    if path["task"]:
        return "show_task", path["task"], None, *page, None
    return "list_tasks", None, None, *page, "scheduled_type" in query


def _body(body: Tree) -> bytes:
    if "json" in body:
        return json.dumps(body["json"]).encode()
    return _BODIES[body["kind"]] + " ".join(body.get("phrases", ())).encode()


def _failed(label: str) -> httpx.Response:
    """Fail as it was: a body that was refused is packed in a way that nobody asked for."""
    match label:
        case "body":
            return httpx.Response(200, headers={"content-encoding": "refused"}, stream=httpx.ByteStream(b""))
        case "timeout":
            raise TimeoutError
        case "dns":
            raise httpx.ConnectError(label) from socket.gaierror(label)
        case "tls":
            raise httpx.ConnectError(label) from ssl.SSLError(label)
        case "connect":
            raise httpx.ConnectError(label)
        case "proxy":
            raise httpx.ProxyError(label)
        case "protocol":
            raise httpx.RemoteProtocolError(label)
        case _:
            raise httpx.ReadError(label)


def main(arguments: Sequence[str]) -> int:
    """Print the metrics of the recording that is named."""
    if len(arguments) != 1:
        print("usage: python -m tools.replay FILE", file=sys.stderr)  # noqa: T201 - a tool's output
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    print(replay(json.loads(Path(arguments[0]).read_bytes()), Telemetry("replay", "none")), end="")  # noqa: T201 - likewise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
