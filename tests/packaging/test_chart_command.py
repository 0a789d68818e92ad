"""The real command takes what the chart gives it: files, arguments, probes."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from exporter.serving.webconfig import parse_web_config
from tests.packaging.chart import VALUES, Manifest, defaults, rendered, template, values_of
from tests.packaging.cluster import COMMAND, Pod, check, free_port
from tests.packaging.workshop import module

pytestmark = pytest.mark.real

SECRETS = {
    "workspace-exporter-credentials": {"access_key": "AK", "secret_key": "SK"},
    "workspace-exporter-tls": {"tls.crt": "", "tls.key": "", "ca.crt": ""},
}
LOCAL: Manifest = {
    "projects": [
        {
            "name": "local",
            "region": "cn-north-4",
            "project_id": "0a1b",
            # Nothing listens there: the first attempt upstream ends at once, and the exporter is ready.
            "endpoint": "http://127.0.0.1:9",
            "auth": {"token": {"token": "t"}},
            "discovery": {},
        }
    ]
}
MOUNTABLE = [name for name in VALUES if values_of(name).get("config") and name != "network-policy"]


def certificates() -> dict[str, str]:
    """Return the files of a TLS Secret for a certificate of this machine."""
    trustme = module("trustme")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return {
        "tls.crt": chain.decode(),
        "tls.key": certificate.private_key_pem.bytes().decode(),
        "ca.crt": authority.cert_pem.bytes().decode(),
    }


@pytest.mark.parametrize("name", MOUNTABLE)
def test_the_rendered_configuration_passes_check_config(name: str, tmp_path: Path) -> None:
    """The command finds the configuration and every file that it names where the chart mounts them."""
    pod = Pod(rendered(name), tmp_path / "etc", 0)
    pod.mount(SECRETS)
    done = subprocess.run(
        [COMMAND, "check-config", str(tmp_path / "etc/config/config.yml")],
        env=os.environ | {"HW_ACCESS_KEY": "AK", "HW_SECRET_KEY": "SK"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_project_the_command_says_what_is_missing(tmp_path: Path) -> None:
    """The default configuration is refused with exit code 2 and one line that names the key."""
    pod = Pod(defaults(), tmp_path / "etc", free_port())
    pod.mount({})
    done = check(*pod.arguments({}))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "projects" in line


def test_the_rendered_web_configuration_is_good(tmp_path: Path) -> None:
    """TLS and users arrive as the values have them."""
    pod = Pod(rendered("web-tls"), tmp_path / "etc", 0)
    pod.mount(SECRETS)
    text = (tmp_path / "etc/web/web.yml").read_text(encoding="utf-8")
    web = parse_web_config(text, tmp_path)
    assert web.tls_server_config
    assert web.tls_server_config.cert_file == tmp_path / "etc/tls/tls.crt"
    assert list(web.basic_auth_users) == ["prometheus"]


@pytest.mark.parametrize(
    "values",
    [
        {"config": LOCAL},
        {"config": LOCAL, "web": {"enableLifecycle": True, "telemetryPath": "/m"}, "log": {"format": "json"}},
        {"config": LOCAL, "shards": 3, "log": {"level": "debug"}},
        {"demo": {"enabled": True}, "extraArgs": [f"--simulator.listen-address=127.0.0.1:{free_port()}"]},
    ],
    ids=["plain", "every flag", "shard", "demo"],
)
def test_the_pods_arguments_start_the_command(values: Manifest, tmp_path: Path) -> None:
    """With the chart's arguments the exporter starts, the kubelet's probes succeed, and SIGTERM ends it."""
    release = template(values)
    pod = Pod(release, tmp_path / "etc", free_port())
    pod.mount({})
    with pod.started({"POD_NAME": "we-workspace-exporter-replica-1-2"}):
        assert pod.probe("livenessProbe") == httpx.codes.OK
        assert pod.probe("readinessProbe") == httpx.codes.OK
        path = release.container["args"]
        (metrics,) = [text.partition("=")[2] for text in path if text.startswith("--web.telemetry-path")]
        answer = httpx.get(f"http://127.0.0.1:{pod.port}{metrics}", trust_env=False)
        assert "workspace_exporter_build_info{" in answer.text


def test_probes_need_no_password_and_metrics_do(tmp_path: Path) -> None:
    """With TLS and users, the probes of kubelet and image succeed; a scrape without a password is refused."""
    release = template(values_of("web-tls") | {"config": LOCAL})
    pod = Pod(release, tmp_path / "etc", free_port())
    pod.mount(SECRETS | {"workspace-exporter-tls": certificates()})
    with pod.started({}):
        assert pod.probe("livenessProbe") == httpx.codes.OK
        assert pod.probe("readinessProbe") == httpx.codes.OK
        asked = check("healthcheck", f"--url=https://127.0.0.1:{pod.port}/-/ready")
        assert (asked.returncode, asked.stderr) == (0, "")
        url = f"https://127.0.0.1:{pod.port}/metrics"
        trust = ssl.create_default_context(cafile=tmp_path / "etc/tls/ca.crt")
        with httpx.Client(verify=trust, trust_env=False) as client:
            assert client.get(url).status_code == httpx.codes.UNAUTHORIZED
            assert client.get(url, auth=("prometheus", "scrape")).status_code == httpx.codes.OK


def test_the_helm_tests_arguments_reach_a_running_exporter(tmp_path: Path) -> None:
    """`healthcheck` as the test's pod asks succeeds against the running exporter, and fails without it."""
    release = template({"config": LOCAL})
    pod = Pod(release, tmp_path / "etc", free_port())
    pod.mount({})
    (container,) = release.test["spec"]["containers"]
    service = release.one("Service")["metadata"]
    address = f"{service['name']}.{service['namespace']}:10068"
    arguments = [text.replace(address, f"127.0.0.1:{pod.port}") for text in container["args"]]
    assert arguments != container["args"]
    with pod.started({}):
        assert pod.probe("readinessProbe") == httpx.codes.OK
        assert check(*arguments).returncode == 0
    assert check(*arguments).returncode == 1
