"""No secret of the configuration appears in anything that the exporter says, whatever goes wrong."""

from __future__ import annotations

import base64
import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from exporter.cli.main import cli
from exporter.errors import ApiError
from exporter.simulator.options import Credentials, Options
from exporter.upstream import exchange
from exporter.upstream.retries import retry_delay
from tests.cli.canaries import (
    CANARY,
    FIELDS,
    TASK,
    Aviary,
    add_dead_ends,
    add_echoes,
    add_good,
    add_proxies,
    leaks,
)
from tests.cli.cloud import cloud_in_thread
from tests.cli.conftest import Invoke
from tests.cli.hostile import FAR_FETCHED, MODES, Hostile, hostile
from tests.endtoend.exporters import Exporter, started
from tests.endtoend.processes import answers, eventually
from tests.serving.certificates import server_certificate

ACCOUNT = Credentials(
    password="canary-good-password",
    access_key="canary-good-access-key",
    secret_key="canary-good-secret-key",
    token="canary-good-token",
)
OPENMETRICS = "application/openmetrics-text"


@pytest.fixture
def server() -> Iterator[Hostile]:
    """A server that repeats what it is told."""
    with hostile() as running:
        yield running


@pytest.fixture
def aviary(tmp_path: Path, server: Hostile) -> Iterator[Aviary]:
    """Projects in every trouble, and good ones."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate().configure_cert(context)
    with ExitStack() as stack:
        cloud = stack.enter_context(cloud_in_thread(Options(credentials=ACCOUNT)))
        cloud.add_task(TASK, behaviour="failing")
        full = Aviary(tmp_path)
        add_echoes(full, server)
        add_dead_ends(full, server, stack.enter_context(hostile(context)))
        add_proxies(full, server)
        add_good(full, cloud)
        yield full


@pytest.mark.parametrize("text", ["a canary-x", "x" + base64.b64encode(b"user:canary-x").decode()])
def test_the_eye_sees_a_canary(text: str) -> None:
    """In plain text, and within Base64 wherever it begins."""
    for filler in ("", "1", "12"):
        assert leaks(filler + text)
        assert leaks(base64.b64encode(f"{filler}{CANARY}x".encode()).decode())
    assert not leaks("a can-ary of another colour")


def _everything_said(exporter: Exporter) -> dict[str, str]:
    """Return every text that the daemon gives out."""
    said = {
        f"{path} {accept}": exporter.get(path, Accept=accept).text
        for path in ("/metrics", "/", "/api/v1/tasks", "/-/ready", "/-/healthy", "/nothing")
        for accept in ("text/plain", OPENMETRICS)
    }
    reload = httpx.post(f"{exporter.url}/-/reload", trust_env=False, timeout=30)
    headers = [exporter.get("/").headers, reload.headers]
    return {**said, "reload": reload.text, "headers": str(headers), "log": exporter.said}


def test_the_daemon_never_says_a_secret(tmp_path: Path, aviary: Aviary, server: Hostile) -> None:
    """At debug level, on every error path: its log, its metrics, its pages, its answers, also to a reload."""
    config = aviary.write()
    environment = {**os.environ, **aviary.environment}
    flags = ("--log.level", "debug", "--web.enable-lifecycle")
    with started(tmp_path / "log", config, *flags, environment=environment) as exporter:
        eventually(lambda: answers(f"{exporter.url}/-/ready"), "every project's first attempt")
        eventually(lambda: exporter.scrape().count("workspace_task_last_run_status{") >= 45, "the good ones")
        said = _everything_said(exporter)
        _spoil_files(aviary)
        config.write_text(config.read_text("utf-8").replace('"interval"', '"intervall"'), "utf-8")
        exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: "polling.intervall: unknown key" in exporter.said, "the failed reload")
        said |= {f"{place}, then": text for place, text in _everything_said(exporter).items()}
    assert {place: leaks(text) for place, text in said.items() if leaks(text)} == {}
    assert said["log"].count("<secret>") > 50, "nothing was masked, so nothing was repeated"
    assert said["/ text/plain"].count("&lt;secret&gt;") > 50
    _check_sent(aviary, server)


def _spoil_files(aviary: Aviary) -> None:
    """Let every other secret file change, and the rest become useless."""
    for number, file in enumerate(sorted(aviary.folder.glob("secret-*"))):
        file.write_text(f"{CANARY}changed-{number}" + "\nand more" * (number % 2), "utf-8")
        os.utime(file, (time.time() - 10,) * 2)


def _check_sent(aviary: Aviary, server: Hostile) -> None:
    """Each secret that goes over the wire did, to the host that repeats it; else there is nothing to hide."""
    heard = "\n".join(server.heard)
    for kind in (
        "token",
        "access-key",
        "security-token",
        "issued-token",
        "temporary-access",
        "temporary-token",
        "metadata-token",
    ):
        assert f"{CANARY}{kind}" in heard
    assert "canary-password" in heard
    assert base64.b64encode(f"{CANARY}proxy-user-1:".encode()).decode()[:24] in heard
    assert len(aviary.canaries) > 100


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries follow at once."""

    def short(error: ApiError, attempts: int, spent: int, chance: float) -> float | None:
        return None if retry_delay(error, attempts, spent, chance) is None else 0.0

    monkeypatch.setattr(exchange, "retry_delay", short)


COMMANDS: dict[str, list[tuple[str, ...]]] = {
    "check-config": [
        ("{config}",),
        ("{config}", "--probe"),
        ("{config}", "--probe", "--record", "{folder}.json"),
    ],
    "tasks": [("--config.file", "{config}"), ("--config.file", "{config}", "--output", "json")],
    "runs": [("--config.file", "{config}", "--details", "{task}")],
    "explain": [("--config.file", "{config}", "{task}")],
    "backfill": [("--config.file", "{single}", "--since", "2d", "-o", "{folder}")],
    "run": [],
    "simulate": [],
    "demo": [],
    "healthcheck": [],
}
"""How each command is used; `run` has its own test, the last three take no secrets."""
_EACH = 3
"""Every so manieth project is asked: each answer, and each kind of `auth`, is among them."""


def test_no_command_is_left_out() -> None:
    """A new command needs its place here."""
    assert cli.commands.keys() <= COMMANDS.keys()


def _uses(command: str, aviary: Aviary) -> Iterator[list[str]]:
    """Return the command lines: of all projects together, or of each alone where the line says so."""
    aviary.projects = aviary.projects[::_EACH]
    config, single = aviary.write("config.yml"), aviary.folder / "single.yml"
    for use in COMMANDS[command]:
        alone = "{task}" in use or "{single}" in use
        for number, project in enumerate(aviary.projects[:: _EACH - 1] if alone else aviary.projects[:1]):
            aviary.write(single.name, project)
            names = {"config": config, "single": single, "task": f"{project['name']}/{TASK}"}
            yield [part.format(**names, folder=aviary.folder / f"out-{number}") for part in use]


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(
    "command", [name for name, uses in COMMANDS.items() if uses and name in cli.commands]
)
def test_no_command_says_a_secret(
    command: str, aviary: Aviary, server: Hostile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever each project's answers repeat; and whatever they are, it is no defect of ours."""
    for name, value in aviary.environment.items():
        monkeypatch.setenv(name, value)
    for arguments in _uses(command, aviary):
        outcome = invoke(command, *arguments)
        assert leaks(f"{outcome.out}{outcome.err}") == []
        assert "Traceback" not in outcome.err
        assert "internal error" not in outcome.err
    written = [*aviary.folder.glob("out-*/*"), *aviary.folder.glob("out-*.json")]
    assert written or command not in {"backfill", "check-config"}
    for path in written:
        assert leaks(path.read_text("utf-8")) == []
    assert f"{CANARY}token" in "".join(server.heard)


@pytest.mark.usefixtures("_at_once")
def test_no_encoding_of_an_odd_password_is_said(tmp_path: Path, server: Hostile, invoke: Invoke) -> None:
    """Quotes, tags, backslashes; repeated as JSON within HTML or an address, within Base64, half of it."""
    odd = Aviary(tmp_path, odd=' "<&>%\\ü')
    add_echoes(odd, server, [*MODES, *FAR_FETCHED])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in odd.environment.items():
            patch.setenv(name, value)
        outcome = invoke("check-config", odd.write(), "--probe")
    assert leaks(f"{outcome.out}{outcome.err}") == []


WRONG: dict[str, Callable[[str, str], dict[str, object]]] = {
    "a list": lambda name, canary: {name: [canary]},
    "a mapping": lambda name, canary: {name: {canary: canary}},
    "a number": lambda name, canary: {name: canary, f"{name}_file": 1},
    "twice": lambda name, canary: {name: canary, f"{name}_file": "f"},
    "an unknown key": lambda name, canary: {name: canary, f"{name}x": canary},
    "an unset variable": lambda name, canary: {name: canary + "${EXPORTER_TEST_UNSET}"},
    "a broken variable": lambda name, canary: {name: canary + "${"},
    "a missing file": lambda name, canary: {f"{name}_file": "/nowhere/at/all", "x": canary},
    "nothing": lambda name, canary: {f"{name} ": canary},
}


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.parametrize("field", [(kind, name) for kind, names in FIELDS.items() for name in names])
def test_a_configuration_error_says_no_secret(
    field: tuple[str, str], mistake: str, tmp_path: Path, invoke: Invoke
) -> None:
    """Neither that of the wrong key nor those beside it."""
    kind, name = field
    good = Aviary(tmp_path).auth(kind, "inline")[kind]
    del good[name]
    aviary = Aviary(tmp_path)
    aviary.add("prod", {kind: {**good, **WRONG[mistake](name, f"{CANARY}wrong")}}, "http://127.0.0.1:1")
    for arguments in (("check-config", aviary.write()), ("run", "--config.file", aviary.write())):
        outcome = invoke(*arguments)
        outcome.fails_with_one_line(2, str(tmp_path), f"projects[0].auth.{kind}")
        assert leaks(outcome.err) == []


@pytest.mark.parametrize(
    "text",
    [
        "projects: [{auth: {token: {token: canary-x",
        "projects: [{auth: {token: {token: canary-x}}, auth: canary-y}]",
        "projects: *canary-x",
        "canary-x: canary-y",
        "{canary-x: canary-y",
        "- canary-x",
        "canary-x",
        '"canary-x\x01"',
        "projects: !canary-x y",
        "projects: [{proxy_url: 'http://canary-user:canary-x@/'}]",
        "projects: [{name: a, region: r-1, project_id: x, proxy_url: 'http://canary-u:canary-x@h:1/path'}]",
        "projects: [{name: a, project_id: x, endpoint: 'https://canary-user:canary-x@host'}]",
    ],
)
def test_a_file_that_is_broken_says_no_secret(text: str, tmp_path: Path, invoke: Invoke) -> None:
    """YAML's own errors quote what they stumble over; ours do not, but for a key's first word."""
    path = tmp_path / "config.yml"
    path.write_text(text, "utf-8")
    outcome = invoke("check-config", path)
    outcome.fails_with_one_line(2, str(path))
    assert not leaks(outcome.err.replace("canary-x: unknown key", ""))
