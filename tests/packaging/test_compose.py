"""examples/docker-compose.yml: valid, closed to the outside, and each part fits the others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import exporter
from exporter.configfile import read_config
from exporter.simulator.options import Credentials
from tests.packaging.cluster import COMMAND, free_port
from tests.packaging.workshop import EXAMPLES, ROOT, program

FILE = EXAMPLES / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SUCCESS = 'workspace_exporter_poll_success{project="demo"} 1'
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mounts(service: str) -> dict[str, Path | None]:
    """Return what is mounted in a service: path inside -> file or folder here, or None for a named volume."""
    found: dict[str, Path | None] = {}
    for text in SERVICES[service].get("volumes", []):
        source, inside, *_ = text.split(":")
        found[inside] = (EXAMPLES / source).resolve() if source.startswith(".") else None
    return found


def inside(service: str, path: str) -> Path:
    """Return the file here that a service sees at a path."""
    for place, source in mounts(service).items():
        if source and (path == place or path.startswith(f"{place}/")):
            return source / Path(path).relative_to(place) if path != place else source
    raise AssertionError(f"{service} sees nothing at {path}")


def test_everything_that_is_mounted_exists_and_is_read_only() -> None:
    """No mount names a file that is not in the repository, and no container may change one."""
    for name, service in SERVICES.items():
        for source in mounts(name).values():
            assert source is None or source.exists(), source
        assert all(text.endswith(":ro") for text in service.get("volumes", []) if text.startswith("."))


def test_named_volumes_are_declared() -> None:
    """Each named volume is declared, and each declared one is used."""
    used = {
        text.split(":")[0]
        for service in SERVICES.values()
        for text in service.get("volumes", [])
        if not text.startswith(".")
    }
    assert used == set(COMPOSE["volumes"])


def test_nothing_is_open_to_the_network() -> None:
    """Every published port is bound to the loopback interface."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_our_containers_are_locked_down() -> None:
    """The exporter and the simulator run from our image, without capabilities or a writable root."""
    for name in ("simulator", "exporter"):
        service = SERVICES[name]
        assert service["image"] == f"workspace-exporter:{exporter.__version__}"
        assert (EXAMPLES / service["build"]).resolve() == ROOT
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_images_of_others_are_pinned_to_a_version() -> None:
    """No image is `latest`."""
    for service in SERVICES.values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), service["image"]


def test_the_exporter_watches_the_simulator() -> None:
    """The configuration is good, names the simulator's service and port, and has the keys that it accepts."""
    config = read_config(inside("exporter", "/etc/workspace-exporter/config.yml"), {})
    (project,) = config.projects
    (listen,) = [word for word in SERVICES["simulator"]["command"] if word.startswith("--listen=")]
    assert project.endpoint == project.iam_endpoint == f"http://simulator:{listen.rpartition(':')[2]}"
    assert "simulator" in SERVICES
    assert project.auth.aksk
    assert project.auth.aksk.access_key
    assert project.auth.aksk.access_key.get_secret_value() == Credentials().access_key
    assert project.auth.aksk.secret_key
    assert project.auth.aksk.secret_key.get_secret_value() == Credentials().secret_key


def test_prometheus_scrapes_by_the_name_that_the_alerts_know() -> None:
    """Job, target, rules and Alertmanager are the services of this file."""
    config = yaml.safe_load(
        inside("prometheus", "/etc/prometheus/prometheus.yml").read_text(encoding="utf-8")
    )
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "workspace-exporter"
    assert job["static_configs"] == [{"targets": ["exporter:10068"]}]
    (rules,) = config["rule_files"]
    assert inside("prometheus", f"/etc/prometheus/{rules}") == EXAMPLES / "prometheus" / "rules.yml"
    (alertmanager,) = config["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_grafana_finds_data_and_dashboard() -> None:
    """The provisioned data sources are services of this file; the dashboard's folder is mounted."""
    folder = inside("grafana", "/etc/grafana/provisioning")
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text(encoding="utf-8"))[
        "datasources"
    ]
    assert {source["url"] for source in sources} == {"http://prometheus:9090", "http://alertmanager:9093"}
    assert [source["name"] for source in sources if source.get("isDefault")] == ["Prometheus"]
    (provider,) = yaml.safe_load((folder / "dashboards/workspace-exporter.yml").read_text(encoding="utf-8"))[
        "providers"
    ]
    assert inside("grafana", provider["options"]["path"]) == EXAMPLES / "grafana"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert inside("grafana", home).is_file()


@pytest.mark.real
def test_it_fits_the_compose_specification() -> None:
    """The file is valid by the schema of the Compose specification."""
    done = subprocess.run(
        [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FILE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
def test_compose_itself_accepts_it() -> None:
    """`docker compose config`, or the older docker-compose, resolves the file; neither needs an engine."""
    done = subprocess.run(
        [*compose(), "--file", str(FILE), "config"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)


def compose() -> list[str]:
    """Return the command of Docker Compose; the schema proves the file where there is none."""
    docker = shutil.which("docker")
    if (
        docker
        and not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    ):
        return [docker, "compose"]
    standalone = shutil.which("docker-compose")
    if not standalone:
        pytest.skip("Docker Compose is not installed: the schema of its specification has to do")
    return [standalone]


@pytest.mark.real
def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    """Laid out as it is mounted, Prometheus' configuration and the rules that it names are good."""
    for path, source in mounts("prometheus").items():
        if source:
            shutil.copy(source, tmp_path / Path(path).name)
    done = subprocess.run(
        [program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


@pytest.mark.real
def test_amtool_accepts_the_configuration() -> None:
    """Alertmanager's configuration is good."""
    file = inside("alertmanager", "/etc/alertmanager/alertmanager.yml")
    done = subprocess.run(
        [program("amtool"), "check-config", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
@pytest.mark.parametrize("name", ["simulator", "exporter"])
def test_our_commands_take_their_arguments(name: str, tmp_path: Path) -> None:
    """The containers' arguments are known to the real command: with --help behind them it explains itself."""
    arguments = [*SERVICES[name]["command"], "--help"]
    done = subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    wrong = subprocess.run([COMMAND, *arguments[:-1], "--no-such-flag"], capture_output=True, check=False)
    assert wrong.returncode == 2


@pytest.mark.real
def test_the_exporter_reads_the_simulator_with_these_files(tmp_path: Path) -> None:
    """With the containers' own configuration and arguments, only the addresses changed, the poll succeeds."""
    upstream, port = free_port(), free_port()
    file = tmp_path / "config.yml"
    text = inside("exporter", "/etc/workspace-exporter/config.yml").read_text(encoding="utf-8")
    file.write_text(text.replace("simulator:10070", f"127.0.0.1:{upstream}"), encoding="utf-8")
    places = {
        "--listen=0.0.0.0:10070": f"--listen=127.0.0.1:{upstream}",
        "--config.file=/etc/workspace-exporter/config.yml": f"--config.file={file}",
    }
    commands = [
        [places.get(word, word) for word in SERVICES[name]["command"]] for name in ("simulator", "exporter")
    ]
    commands[1].append(f"--web.listen-address=127.0.0.1:{port}")
    with ExitStack() as stack:
        for command in commands:
            quiet = subprocess.DEVNULL
            process = stack.enter_context(subprocess.Popen([COMMAND, *command], stdout=quiet, stderr=quiet))
            stack.callback(process.terminate)
            if command[0] == "simulate":
                assert healthy(upstream)
        assert SUCCESS in scraped(port)


def healthy(upstream: int) -> bool:
    """Ask the simulator as its container's health check does; true once that succeeds, within a minute."""
    words = SERVICES["simulator"]["healthcheck"]["test"]
    assert words[:2] == ["CMD", "workspace-exporter"]
    check = [COMMAND, *(word.replace(":10070", f":{upstream}") for word in words[2:])]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not subprocess.run(check, capture_output=True, check=False).returncode:
            return True
    return False


def scraped(port: int) -> str:
    """Return a scrape after the first successful cycle, or the last one within a minute."""
    text, deadline = "", time.monotonic() + 60
    while SUCCESS not in text and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        time.sleep(0.1)
    return text
