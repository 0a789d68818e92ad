"""`check-config --probe --record`: what is written, what is not, and that it replays to the live metrics."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.cli.daemon import Daemon
from exporter.cli.probe import Probe
from exporter.cli.recording import Recorder, check_target, record, worth_recording
from exporter.config import Config
from exporter.configfile import validate
from exporter.errors import ConfigError
from exporter.poller import Clocks
from exporter.recorded import Answered, RecordedProject, document
from exporter.records import Task
from exporter.selection import Selected
from exporter.simulator.app import create_app
from exporter.simulator.behaviours import REASONS
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.demo import demo_world
from exporter.simulator.options import Options
from exporter.telemetry import Telemetry
from exporter.timestamps import parse_zone
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import build_client
from exporter.upstream.exchange import Heard, Observer, Request, Tap
from exporter.upstream.masking import Mask
from tests.cli.cloud import Cloud, write_config
from tests.cli.conftest import Invoke
from tools.replay import ReadTasks, first_cycle, main, replay, standing

NOW = 1_750_000_000.0
_UNCERTAIN = re.compile(r"_(poll|request)_duration_seconds|process_|python_")


async def _for_ever(_: float) -> None:
    await asyncio.Event().wait()


CLOCKS = Clocks(epoch=lambda: NOW, monotonic=lambda: 0.0, sleep=_for_ever)


class Scene:
    """The demonstration's cloud with some habits and faults, at one moment, and a project in it."""

    def __init__(self, options: Options, faults: str = "", **project: Any) -> None:
        self.world = demo_world(NOW, healthy=1, history_days=20)
        self.app = create_app(self.world, options, clock=SimulatedClock(lambda: NOW))
        self.faults = faults
        keys = options.credentials
        tree = {
            "name": "prod",
            "region": "cn-north-4",
            "endpoint": "https://cloud.example.test",
            "iam_endpoint": "https://cloud.example.test",
            "project_id": self.world.project.id,
            "auth": {"aksk": {"access_key": keys.access_key, "secret_key": keys.secret_key}},
            "discovery": {},
            **project,
        }
        tree = {key: value for key, value in tree.items() if value is not None}
        polling = {"requests_per_second": 0}
        self.config = validate(Config, {"projects": [tree], "polling": polling}, Path())

    def begin(self) -> None:
        """Let the trouble begin."""
        self.app.state.service.faults.put(self.faults)

    def client(self, observer: Observer, tap: Tap | None = None) -> Client:
        """A client of the cloud; no time passes while it waits."""
        return build_client(
            self.config.projects[0],
            self.config.polling,
            zone=parse_zone(self.config.time_zone),
            observer=observer,
            timing=standing(NOW),
            transport=httpx.ASGITransport(self.app),
            tap=tap,
        )

    async def record(self) -> tuple[dict[str, Any], Mapping[str, str], list[str]]:
        """Probe, then record: the document, the pseudonyms, and which tasks were read."""
        recorder, project = Recorder(), self.config.projects[0]
        client = self.client(_Deaf(), recorder)
        probe = Probe(project, self.config, client, lambda _: None)
        await probe.run()
        self.begin()
        got = await record(project, self.config, client, recorder, selected=probe.selected, clocks=CLOCKS)
        await client.aclose()
        tree, names = document([got], self.config, recorded_at=NOW, exporter="0")
        return tree, names, list(got.read)

    async def live(self, read: list[str]) -> str:
        """The metrics that a fresh daemon shows of these tasks after its first cycle."""
        self.begin()
        daemon = Daemon(
            self.config,
            read_config=lambda: self.config,
            build_client=lambda _, __, observer: self.client(observer),
            telemetry=Telemetry("0", "0"),
            clocks=CLOCKS,
            shard=ReadTasks(read=frozenset(("prod", task_id) for task_id in read)),
        )
        return await first_cycle(daemon)


class _Deaf:
    def request(self, operation: str, code: str, seconds: float) -> None:
        """A request ended."""

    def retry(self, reason: str) -> None:
        """A request is sent again."""


def renamed(text: str, names: Mapping[str, str]) -> list[str]:
    """The exposition's lines with the recording's names; in order, since names decide the order of tasks."""
    labels = {**names, "prod": "project-1"}
    lines = re.sub(r'="([^"]*)"', lambda found: f'="{labels.get(found[1], found[1])}"', text).splitlines()
    return sorted(line for line in lines if not _UNCERTAIN.search(line))


HABITS = {
    "as documented": Options(times="naive"),
    "as observed, newest first": Options(times="observed", order="newest"),
    "oldest first, with a suffix": Options(times="suffix", order="oldest", absent="null"),
    "in no order, short pages": Options(times="rfc3339", order="unordered", clamp=7, absent="missing"),
}
FAULTS = (
    "types@records",
    "types@list",
    "types@show",
    "types@details",
    "envelope@records",
    "403@list",
    "403@details",
    "404@records",
    "400@show",
    "500@records:x5",
    "429@records:x2",
    "html@records",
    "empty@details",
    "truncated@records",
    "count=0@records",
    "count=+7@list",
    "repeat",
    "deep@records",
    "bomb=11M@records:x1",
    "redirect@list",
    "502@details",
)


def replays_alike(scene: Scene, fresh: Scene) -> str:
    """Assert that the recording of the first gives the metrics that the second shows live; returns those."""

    async def both() -> tuple[dict[str, Any], Mapping[str, str], str]:
        tree, names, read = await scene.record()
        return tree, names, await fresh.live(read)

    with capture_logs():
        tree, names, live = asyncio.run(both())
        replayed = replay(tree, Telemetry("0", "0"))
    assert renamed(replayed, {}) == renamed(live, names)
    return replayed


@pytest.mark.parametrize("habits", HABITS)
def test_a_recording_replays_to_the_live_metrics(habits: str) -> None:
    """Whatever the cloud's habits: byte for byte, but for the names and how long it took."""
    text = replays_alike(Scene(HABITS[habits]), Scene(HABITS[habits]))
    assert 'workspace_exporter_tasks{project="project-1"} 10.0' in text
    assert re.search(r'last_run_status\{project="project-1",status="failed".*\} 1\.0', text)
    assert re.search(r'result_num\{outcome="failed",project="project-1",result_code="WKS\.\d+"', text)


@pytest.mark.parametrize("faults", FAULTS)
def test_so_does_one_of_a_cloud_in_trouble(faults: str) -> None:
    """Refusals, nonsense and pages of HTML are recorded by what the exporter makes of them."""
    text = replays_alike(Scene(Options(), faults), Scene(Options(), faults))
    assert "workspace_exporter_poll_success" in text


def test_explicit_tasks_keep_their_thresholds_and_names() -> None:
    """Also the one that does not exist, and status words that are the configuration's own."""

    def scene() -> Scene:
        fresh = Scene(Options(), discovery=None, tasks=[{"id": "ghost", "name": "gone"}])
        known = next(iter(fresh.world.tasks(NOW))).id
        tasks = [{"id": "ghost", "name": "gone"}, {"id": known, "grace": "7m", "max_duration": "90ms"}]
        return Scene(Options(), "403@list", discovery=None, tasks=tasks)

    text = replays_alike(scene(), scene())
    assert re.search(r'workspace_task_found\{.*task_name="text \d+"\} 0\.0', text)
    assert re.search(r"workspace_task_grace_seconds\{.*\} 420\.0", text)
    assert re.search(r"workspace_task_max_duration_seconds\{.*\} 0\.09", text)


def test_a_recording_names_nobody() -> None:
    """No id, name, reason or message of the cloud is in it; what the maintainers need is."""
    scene = Scene(Options())
    with capture_logs():
        tree, names, read = asyncio.run(scene.record())
    text = json.dumps(tree, ensure_ascii=False)
    real = {scene.world.project.id, *read, *(task.id for task in scene.world.tasks(NOW))}
    real |= {*names, *REASONS.values()} - {""}
    assert len(real) > 400
    assert not [name for name in real if f'"{name}"' in text]
    assert not re.search(r"cloud\.example|desk-|prod\b|authorization|x-request-id|access_key", text)
    assert re.search(r'"result_code": "WKS\.\d+"', text)
    for word in ("FAIL", "LIFE_CYCLE", "Asia/Shanghai", "application/json", "total_count"):
        assert word in text


@pytest.fixture
def task_file(cloud: Cloud, tmp_path: Path) -> Path:
    """A configuration of a cloud with a failing task."""
    cloud.add_task("8d2e-0c6a", name="nightly stop", behaviour="failing", desktops=3)
    return write_config(tmp_path / "config.yml", cloud.project(), polling={"requests_per_second": 0})


def test_the_command_writes_a_file_for_its_owner_and_says_so(
    task_file: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """Mode 0600, nothing else left in the folder; it is to be looked through; the tool replays it."""
    path = tmp_path / "answers.json"
    outcome = invoke("check-config", task_file, "--probe", "--record", path)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{path}: 5 answers recorded, of 1 task" in outcome.out
    assert "Look through it before you send it" in outcome.out
    assert path.stat().st_mode & 0o777 == 0o600
    assert {entry.name for entry in tmp_path.iterdir()} == {"config.yml", "answers.json"}
    assert "nightly" not in path.read_text("ascii")
    again = invoke("check-config", task_file, "--probe", "--record", path)
    assert "; the earlier recording is replaced" in again.out
    text = replay(json.loads(path.read_bytes()), Telemetry("0", "0"))
    assert re.search(r'last_run_status\{project="project-1",status="failed",.*\} 1\.0', text)


def test_the_tool_prints_the_metrics(
    task_file: Path, tmp_path: Path, invoke: Invoke, capfd: pytest.CaptureFixture[str]
) -> None:
    """`python -m tools.replay FILE`; anything else is its usage."""
    path = tmp_path / "answers.json"
    invoke("check-config", task_file, "--probe", "--record", path)
    with capture_logs():
        assert main([str(path)]) == 0
    assert "workspace_task_found{" in capfd.readouterr().out
    assert main([]) == 2
    assert "usage: " in capfd.readouterr().err
    with pytest.raises(ValueError, match="not a recording of version 1"):
        replay({"format": "another"}, Telemetry("0", "0"))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("config.yml", "is no earlier recording, so it is not overwritten"),
        (".", "is no file that could be replaced"),
        ("pipe", "is no file that could be replaced"),
        ("nowhere/answers.json", "there is no folder"),
    ],
)
def test_nothing_else_is_overwritten(
    task_file: Path, tmp_path: Path, invoke: Invoke, target: str, said: str
) -> None:
    """Least of all the configuration; and that is said before anything is asked."""
    os.mkfifo(tmp_path / "pipe")
    before = task_file.read_bytes()
    outcome = invoke("check-config", task_file, "--probe", "--record", tmp_path / target)
    outcome.fails_with_one_line(2, "--record: ", said)
    assert task_file.read_bytes() == before


def test_a_file_that_cannot_be_read_is_not_overwritten(
    task_file: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what it is."""
    path = tmp_path / "other"
    path.write_text("{}", "utf-8")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ConfigError, match=r"--record: .*: Permission denied"):
        check_target(path)
    assert invoke("check-config", "--record", path, task_file).code == 2


def test_without_the_probe_nothing_can_be_recorded(task_file: Path, tmp_path: Path, invoke: Invoke) -> None:
    """One line, exit code 2."""
    outcome = invoke("check-config", task_file, "--record", tmp_path / "answers.json")
    outcome.fails_with_one_line(2, "check-config: --record needs --probe")


def test_a_project_that_nobody_can_sign_in_to_leaves_no_file(
    cloud: Cloud, tmp_path: Path, invoke: Invoke
) -> None:
    """It is said; the sign-in is not tried again for the recording."""
    auth = {"password": {**cloud.account["password"], "password": "wrong"}}
    config = write_config(tmp_path / "config.yml", cloud.project("password", auth=auth))
    outcome = invoke("check-config", config, "--probe", "--record", tmp_path / "answers.json")
    assert outcome.code == 1
    assert "answers.json: not written, since no project answered anything but a sign-in" in outcome.out
    assert cloud.service.tally.statuses["create_token", 401] == 1
    assert not (tmp_path / "answers.json").exists()


def test_a_disk_that_is_full_leaves_the_earlier_recording(
    task_file: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says so, and no half file stays behind."""
    path = tmp_path / "answers.json"
    invoke("check-config", task_file, "--probe", "--record", path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = invoke("check-config", task_file, "--probe", "--record", path)
    assert outcome.code == 1
    outcome.ends_with_one_line("--record: ", "No space left on device")
    assert path.read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"config.yml", "answers.json"}


def test_a_recording_is_bounded() -> None:
    """Beyond a number of answers or bytes nothing more is kept, and that is noted."""
    asked = Request("list_tasks", "https://x", "/v2/p/scheduled-tasks")
    few, small = Recorder(most_answers=2), Recorder(most_bytes=5)
    for recorder in (few, small):
        recorder(Heard(asked, 200, {}, b"{}"), Mask())
        with recorder.listening():
            recorder(Heard(Request("create_token", "https://x", "/v3/auth/tokens"), 201, {}, b"t"), Mask())
            for _ in range(4):
                recorder(Heard(asked, 200, {}, b"{}"), Mask())
        assert (len(recorder.answers), recorder.complete) == (2, False)


def test_what_is_recorded_is_varied() -> None:
    """One task of each kind first, then those that ran; no more than asked for."""
    tasks = [
        Selected(str(n), None, Task(str(n), scheduled_type="DAY", last_status="" if n < 5 else "SUCCESS"))
        for n in range(9)
    ]
    tasks[7] = Selected("7", None, Task("7", scheduled_type="WEEK"))
    tasks.append(Selected("9", None, None))
    assert [task.task_id for task in worth_recording(tasks, 4)] == ["0", "5", "7", "6"]
    assert len(worth_recording(tasks)) == 10


@pytest.mark.parametrize("label", ["timeout", "connect", "dns", "tls", "protocol", "proxy", "read", "body"])
def test_a_failure_is_replayed_as_what_it_was(label: str) -> None:
    """Each is counted under its own code."""
    tree, _ = document(
        [
            RecordedProject(
                Scene(Options()).config.projects[0],
                "0a1b",
                ["8d2e"],
                [Answered("list_tasks", query={"offset": "0", "limit": "50"}, failure=label)],
                complete=True,
                is_secret=lambda _: False,
            )
        ],
        Scene(Options()).config,
        recorded_at=NOW,
        exporter="0",
    )
    with capture_logs():
        text = replay(tree, Telemetry("0", "0"))
    assert f'api_requests_total{{code="{label}",operation="list_tasks",project="project-1"}}' in text
