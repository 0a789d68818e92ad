"""`run`: the daemon as a process, from its first line to its last."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from exporter.simulator.planting import PlantedRun
from tests.cli.cloud import Cloud, cloud_in_thread, write_config
from tests.cli.conftest import Invoke
from tests.cli.outcome import command
from tests.endtoend.exporters import Exporter, exporting, started
from tests.endtoend.processes import EXPORTER, answers, eventually, program

FAST = {"interval": "300ms", "refresh": "600ms", "requests_per_second": 0, "timeout": "2s"}
GOOD = {
    "name": "prod",
    "region": "cn-north-4",
    "project_id": "0a1b2c3d",
    "auth": {"token": {"token": "hunter2"}},
    "tasks": [{"id": "8d2e"}],
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A good configuration of a cloud that is never asked."""
    return write_config(tmp_path / "config.yml", GOOD)


def gauges(scrape: str) -> str:
    """Return the samples that are a function of the API's answers: not counters, nor when it was asked."""
    moving = re.compile(r"workspace_task_(\w+_total|last_poll_timestamp_seconds)\{")
    lines = [line for line in scrape.splitlines() if line.startswith("workspace_task_")]
    return "\n".join(line for line in lines if not moving.match(line))


def value(scrape: str, name: str, **labels: str) -> float | None:
    """Return the value of the one sample with these labels among others; None where there is none."""
    found = [
        float(line.rpartition(" ")[2])
        for line in scrape.splitlines()
        if re.match(rf"{name}(\{{| )", line)
        and all(f'{key}="{word}"' in line for key, word in labels.items())
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


# Before anything listens


def test_without_a_configuration_it_is_a_usage_error(invoke: Invoke) -> None:
    """The line names the flag."""
    invoke("run").fails_with_one_line(2, "run: ", "--config.file")


def test_a_configuration_error_comes_before_anything_listens(invoke: Invoke, tmp_path: Path) -> None:
    """The file is read first: a port that is taken is not even tried."""
    path = write_config(tmp_path / "config.yml", {**GOOD, "regoin": "x"})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = invoke("run", "--config.file", path, "--web.listen-address", address)
    outcome.fails_with_one_line(2, str(path), "projects[0].regoin", "unknown key")


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (("--web.listen-address", "10068"), ("--web.listen-address", "[HOST]:PORT")),
        (("--web.listen-address", "127.0.0.1:99999"), ("--web.listen-address", "65535")),
        (("--web.listen-address", "no such host:1"), ("--web.listen-address",)),
        (("--web.telemetry-path", "metrics"), ("--web.telemetry-path",)),
        (("--web.telemetry-path", "/-/ready"), ("--web.telemetry-path", "taken")),
        (("--shard", "2/2"), ("--shard", "0 <= K < N")),
        (("--shard", "0/0"), ("--shard",)),
        (("--shard", "-1/4"), ("--shard",)),
        (("--shard", "1"), ("--shard", "K/N")),
        (("--shard", "a/b"), ("--shard", "K/N")),
        (("--log.level", "loud"), ("run: ", "--log.level")),
        (("--log.format", "xml"), ("run: ", "--log.format")),
        (("--web.config.file", "/nowhere/web.yml"), ("/nowhere/web.yml", "No such file")),
    ],
)
def test_a_wrong_flag_is_one_line(
    invoke: Invoke, good: Path, flags: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """Exit 2, naming the flag."""
    invoke("run", "--config.file", good, "--log.level", "error", *flags).fails_with_one_line(2, *parts)


def test_a_wrong_web_configuration_names_file_and_key(invoke: Invoke, good: Path, tmp_path: Path) -> None:
    """A security setting that cannot be honoured is never ignored."""
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: a, key_file: b, max_version: TLS12}", "utf-8")
    outcome = invoke("run", "--config.file", good, "--web.config.file", web, "--web.listen-address", ":0")
    outcome.fails_with_one_line(2, str(web), "tls_server_config.max_version")


def test_a_taken_port_is_an_error(good: Path) -> None:
    """In a process of its own: exit 2, one line with the flag, the address and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = command("run", "--config.file", good, "--web.listen-address", address)
    outcome.fails_with_one_line(2, "--web.listen-address", address, "Address already in use")


# Its flags


def test_flags_of_log_path_and_shard(tmp_path: Path, cloud: Cloud) -> None:
    """JSON lines, metrics at another path, and two shards that share the tasks; a pod's name stands for K."""
    ids = {cloud.add_task(f"task-{number}") for number in range(12)}
    config = write_config(tmp_path / "config.yml", cloud.project(), polling=FAST)
    flags = ("--log.format", "json", "--log.level", "debug", "--web.telemetry-path", "/t", "--shard")
    with (
        exporting(tmp_path / "zero", config, *flags, "0/2") as zero,
        exporting(tmp_path / "one", config, *flags, "web-1/2") as one,
    ):
        shares = [_tasks(exporter, "/t") for exporter in (zero, one)]
        eventually(lambda: _tasks(zero, "/t") | _tasks(one, "/t") == ids, "every task")
        shares = [_tasks(exporter, "/t") for exporter in (zero, one)]
        assert zero.get("/metrics").status_code == 404
        assert json.loads(zero.get("/api/v1/tasks").text)["tasks"]
    assert shares[0] & shares[1] == set()
    assert all(shares)
    lines = [json.loads(line) for line in zero.said.splitlines()]
    assert lines[0]["event"] == "listening"
    assert {"ts", "level", "event"} <= lines[0].keys()


def _tasks(exporter: Exporter, path: str) -> set[str]:
    return set(re.findall(r'workspace_task_info\{.*?task_id="([^"]+)"', exporter.get(path).text))


def test_the_log_level_is_the_least_that_is_told(tmp_path: Path, cloud: Cloud) -> None:
    """At `error` a good daemon is silent from its start to its end."""
    config = write_config(tmp_path / "config.yml", cloud.project(), polling=FAST)
    log = tmp_path / "log"
    port = _free_port()
    address = f"127.0.0.1:{port}"
    flags = ("--config.file", str(config), "--web.listen-address", address, "--log.level", "error")
    with program((*EXPORTER, "run", *flags), log) as process:
        eventually(lambda: answers(f"http://{address}/-/ready"), "the exporter")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert log.read_text("utf-8") == ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_reload_by_post_needs_its_flag(tmp_path: Path, cloud: Cloud) -> None:
    """403 without it, and 405 for another method."""
    config = write_config(tmp_path / "config.yml", cloud.project(), polling=FAST)
    with exporting(tmp_path / "log", config) as exporter:
        answer = _post(exporter)
        assert answer == (403, "The lifecycle API is not enabled: start with --web.enable-lifecycle.\n")
        assert exporter.get("/-/reload").status_code == 405
        assert exporter.get("/nothing").status_code == 404
        assert exporter.get("/-/healthy").status_code == 200


def _post(exporter: Exporter) -> tuple[int, str]:
    answer = httpx.post(f"{exporter.url}/-/reload", trust_env=False)
    return answer.status_code, answer.text


# Ready


def test_ready_waits_for_the_first_attempt_of_each_project(tmp_path: Path, cloud: Cloud) -> None:
    """However it ends: refused credentials and an unknown host are scraped, so that their alerts fire."""
    refused = cloud.project("token", name="refused", auth={"token": {"token": "wrong"}})
    unknown = cloud.project(name="unknown", endpoint="https://workspace.invalid")
    with cloud_in_thread(faults="stall@list") as stalling:
        slow = stalling.project(name="slow")
        config = write_config(tmp_path / "config.yml", refused, unknown, slow, polling=FAST)
        with started(tmp_path / "log", config) as exporter:
            url = f"{exporter.url}/-/ready"
            waiting = "waiting for the first answer of: slow\n"
            eventually(lambda: exporter.get("/-/ready").text == waiting, "the two that end at once")
            assert exporter.get("/-/ready").status_code == 503
            command("healthcheck", "--url", url).fails_with_one_line(1, url, "503", waiting.strip())
            eventually(lambda: answers(url), "the end of the third's attempt")
            assert command("healthcheck", "--url", url).code == 0
            scrape = exporter.scrape()
    assert value(scrape, "workspace_exporter_auth_success", project="refused") == 0
    requests = "workspace_exporter_api_requests_total"
    assert value(scrape, requests, project="unknown", operation="list_tasks", code="dns")
    assert value(scrape, requests, project="slow", operation="list_tasks", code="timeout")
    for project in ("refused", "unknown", "slow"):
        assert value(scrape, "workspace_exporter_poll_success", project=project) == 0


# Signals


def test_sigterm_ends_it_within_a_second(tmp_path: Path, cloud: Cloud) -> None:
    """Exit 0, though a poll hangs upstream and a client takes nothing of a scrape that is under way."""
    for number in range(400):
        cloud.add_task(f"task-{number}")
    polling = {**FAST, "details": False, "timeout": "30s", "interval": "1s"}
    config = write_config(tmp_path / "config.yml", cloud.project(), polling=polling)
    with exporting(tmp_path / "log", config) as exporter:
        eventually(lambda: exporter.scrape().count("workspace_task_records{") == 400, "all tasks")
        cloud.service.faults.put("stall@list")
        eventually(lambda: cloud.service.tally.in_flight == 1, "a poll that hangs")
        with closing(_reluctant_scrape(exporter)):
            began = time.monotonic()
            exporter.process.send_signal(signal.SIGTERM)
            code = exporter.process.wait(10)
            seconds = time.monotonic() - began
    assert code == 0
    assert seconds < 1.0
    assert "event=stopping" in exporter.said
    assert "Traceback" not in exporter.said


def _reluctant_scrape(exporter: Exporter) -> socket.socket:
    """Begin a scrape and take only its first bytes: the rest is more than the sockets hold."""
    host, _, port = exporter.address.partition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    return client


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_nothing_happens(tmp_path: Path, cloud: Cloud, number: int) -> None:
    """Ctrl-C and the service manager: exit 0."""
    polling = {**FAST, "interval": "1h", "refresh": "1h"}
    config = write_config(tmp_path / "config.yml", cloud.project(), polling=polling)
    with exporting(tmp_path / "log", config) as exporter:
        exporter.process.send_signal(number)
        assert exporter.process.wait(5) == 0


# Reload


@pytest.fixture
def reloadable(tmp_path: Path, cloud: Cloud) -> Iterator[tuple[Exporter, Path]]:
    """A daemon that watches the projects `kept` and `gone`, a task each."""
    for name in ("kept", "gone", "new"):
        cloud.add_task(name, name=name)
    config = _watching(tmp_path / "config.yml", cloud, "kept", "gone")
    with exporting(tmp_path / "log", config, "--web.enable-lifecycle") as exporter:
        eventually(lambda: len(_tasks(exporter, "/metrics")) == 2, "both tasks")
        yield exporter, config


def _watching(path: Path, cloud: Cloud, *names: str) -> Path:
    projects = (cloud.project(name=name, discovery={"include": [name]}) for name in names)
    return write_config(path, *projects, polling=FAST)


def test_sighup_exchanges_what_changed_and_keeps_the_rest(
    reloadable: tuple[Exporter, Path], cloud: Cloud
) -> None:
    """The unchanged project keeps counters, state and sign-in; a removed one loses every series."""
    exporter, config = reloadable
    _run_now(cloud, "kept")
    eventually(lambda: _counted(exporter) == 1, "a run counted")
    asked = cloud.service.tally.operations["list_projects"]
    before = value(exporter.scrape(), "workspace_exporter_config_last_reload_success_timestamp_seconds")
    _watching(config, cloud, "kept", "new")
    exporter.process.send_signal(signal.SIGHUP)
    eventually(lambda: _tasks(exporter, "/metrics") == {"kept", "new"}, "the new selection")
    scrape = exporter.scrape()
    assert 'project="gone"' not in scrape
    assert _counted(exporter) == 1
    assert cloud.service.tally.operations["list_projects"] == asked + 1, "only the new one signs in"
    assert value(scrape, "workspace_exporter_config_last_reload_successful") == 1
    after = value(scrape, "workspace_exporter_config_last_reload_success_timestamp_seconds")
    assert before is not None
    assert after is not None
    assert after > before
    assert "configuration reloaded" in exporter.said


def _run_now(cloud: Cloud, task: str) -> None:
    cloud.world.plant_run(task, PlantedRun(int(time.time()), duration=0))


def _counted(exporter: Exporter) -> float | None:
    return value(exporter.scrape(), "workspace_task_runs_total", project="kept", status="success")


def test_a_bad_file_keeps_everything_and_says_why(reloadable: tuple[Exporter, Path], cloud: Cloud) -> None:
    """By signal and by POST: the gauge, the log, the answer, the page; and a good file mends it."""
    exporter, config = reloadable
    _run_now(cloud, "kept")
    eventually(lambda: _counted(exporter) == 1, "a run counted")
    before = value(exporter.scrape(), "workspace_exporter_config_last_reload_success_timestamp_seconds")
    config.write_text("projects: [{name: kept}]", "utf-8")
    exporter.process.send_signal(signal.SIGHUP)
    successful = "workspace_exporter_config_last_reload_successful"
    eventually(lambda: value(exporter.scrape(), successful) == 0, "the gauge")
    reason = f"{config}: projects[0].auth: a value is needed"
    assert reason in exporter.said
    assert reason in exporter.get("/").text
    assert _post(exporter) == (500, f"{reason}\n")
    scrape = exporter.scrape()
    assert _tasks(exporter, "/metrics") == {"kept", "gone"}
    assert _counted(exporter) == 1
    assert value(scrape, "workspace_exporter_config_last_reload_success_timestamp_seconds") == before
    _watching(config, cloud, "kept")
    assert _post(exporter) == (200, "Configuration reloaded.\n")
    assert _tasks(exporter, "/metrics") == {"kept"}
    assert value(exporter.scrape(), successful) == 1
    assert reason not in exporter.get("/").text


def test_a_reload_takes_up_both_files_or_none(tmp_path: Path, cloud: Cloud) -> None:
    """The web configuration too, at once; a mistake in it keeps the main one out as well, and is said."""
    for name in ("kept", "new"):
        cloud.add_task(name, name=name)
    config, web = _watching(tmp_path / "config.yml", cloud, "kept"), tmp_path / "web.yml"
    headers = "http_server_config: {headers: {X-Frame-Options: %s}}"
    web.write_text(headers % "deny", "utf-8")
    flags = ("--web.enable-lifecycle", "--web.config.file", str(web))
    with exporting(tmp_path / "log", config, *flags) as exporter:
        eventually(lambda: _tasks(exporter, "/metrics") == {"kept"}, "the task")
        _watching(config, cloud, "new")
        web.write_text(headers % "never", "utf-8")
        reason = f"{web}: http_server_config.headers.X-Frame-Options: expected is deny or sameorigin"
        assert _post(exporter) == (500, f"{reason}\n")
        assert exporter.get("/-/healthy").headers["x-frame-options"] == "deny"
        assert _tasks(exporter, "/metrics") == {"kept"}
        assert value(exporter.scrape(), "workspace_exporter_config_last_reload_successful") == 0
        assert "configuration not reloaded" in exporter.said
        assert reason in exporter.said
        web.write_text(headers % "sameorigin", "utf-8")
        exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: _tasks(exporter, "/metrics") == {"new"}, "the new selection")
        assert exporter.get("/-/healthy").headers["x-frame-options"] == "sameorigin"
        assert value(exporter.scrape(), "workspace_exporter_config_last_reload_successful") == 1


# Robustness


def test_a_restart_gives_the_same_gauges(tmp_path: Path, cloud: Cloud) -> None:
    """Every gauge of a task is a function of the API's answers, the configuration, and now."""
    for number, behaviour in enumerate(("healthy", "failing", "partial", "skipped", "unknown", "uncounted")):
        cloud.add_task(f"task-{number}", behaviour=behaviour)
    config = write_config(tmp_path / "config.yml", cloud.project(), polling=FAST)
    scrapes = []
    for life in ("first", "second"):
        with exporting(tmp_path / life, config) as exporter:
            eventually(lambda: _complete(exporter.scrape()), "details and schedules")
            scrapes.append(gauges(exporter.scrape()))
    assert scrapes[0] == scrapes[1]
    assert scrapes[0].count("workspace_task_last_run_status{") == 30


def _complete(scrape: str) -> bool:
    """Whether everything of the six tasks has been read; one has no desktops to tell of."""
    details = scrape.count("workspace_task_last_run_duration_seconds{")
    return (details, scrape.count("workspace_task_expected_run_timestamp_seconds{")) == (5, 6)


def test_a_full_disk_under_the_log_does_not_end_the_watch(tmp_path: Path, cloud: Cloud) -> None:
    """Each line is lost, also that a cycle failed; polls and scrapes go on."""
    cloud.service.faults.put("500@list")
    config = write_config(tmp_path / "config.yml", cloud.project(), polling=FAST)
    address = f"127.0.0.1:{_free_port()}"
    flags = ("--config.file", str(config), "--web.listen-address", address)
    with program((*EXPORTER, "run", *flags), Path("/dev/full")):
        eventually(lambda: answers(f"http://{address}/-/ready"), "the exporter")
        seen = cloud.service.tally.operations["list_tasks"]
        eventually(lambda: cloud.service.tally.operations["list_tasks"] > seen + 3, "further cycles")
        cloud.service.faults.put("")
        eventually(lambda: b"workspace_exporter_poll_success" in _get(address), "a scrape")


def _get(address: str) -> bytes:
    return httpx.get(f"http://{address}/metrics", trust_env=False).content
