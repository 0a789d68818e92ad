"""The probes and the helm test reach the exporter, whatever the web configuration demands."""

from __future__ import annotations

import pytest

from tests.packaging.chart import Manifest, defaults, rendered, template, values_of

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("name", "scheme"), [("", "HTTP"), ("web-tls", "HTTPS"), ("demo", "HTTP")])
def test_the_kubelet_asks_the_pages_that_need_no_password(name: str, scheme: str) -> None:
    """Liveness asks /-/healthy, readiness /-/ready; by HTTPS where the exporter speaks TLS."""
    container = (rendered(name) if name else defaults()).container
    assert container["livenessProbe"]["httpGet"] == {
        "path": "/-/healthy",
        "port": "metrics",
        "scheme": scheme,
    }
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "metrics", "scheme": scheme}
    assert "httpHeaders" not in container["livenessProbe"]["httpGet"]


def test_passwords_alone_change_no_probe() -> None:
    """Basic authentication without TLS leaves the probes on plain HTTP, and without credentials."""
    release = template({"webConfig": {"basic_auth_users": {"a": "$2y$05$x"}}})
    assert release.container["readinessProbe"]["httpGet"]["scheme"] == "HTTP"


def test_client_certificates_leave_the_port() -> None:
    """Where the kubelet would be refused for want of a certificate, the probes only open the port."""
    container = rendered("web-mutual-tls").container
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container[kind]["tcpSocket"] == {"port": "metrics"}
        assert "httpGet" not in container[kind]
    assert container["startupProbe"]["failureThreshold"] == 30


def test_the_values_own_handler_replaces_the_derived_one() -> None:
    """A probe never has two handlers; timings are merged over the defaults."""
    container = rendered("pod").container
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": 10068}
    assert container["readinessProbe"]["httpGet"]["path"] == "/-/ready"
    assert container["readinessProbe"]["initialDelaySeconds"] == 1
    assert container["readinessProbe"]["failureThreshold"] == 2
    execute: Manifest = {"exec": {"command": ["workspace-exporter", "healthcheck"]}}
    replaced = template({"livenessProbe": execute}).container["livenessProbe"]
    assert "httpGet" not in replaced
    assert replaced["exec"] == execute["exec"]


def test_probes_name_a_port_that_the_container_has() -> None:
    """The named port of the probes and of the Services is the container's."""
    release = rendered("network-policy")
    assert release.container["ports"] == [{"name": "metrics", "containerPort": 9100, "protocol": "TCP"}]
    assert release.container["readinessProbe"]["httpGet"]["port"] == "metrics"
    assert release.one("Service")["spec"]["ports"][0]["targetPort"] == "metrics"
    assert "--web.listen-address=:9100" in release.container["args"]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("", "http://we-workspace-exporter.desktops:10068/-/ready"),
        ("network-policy", "http://we-workspace-exporter.desktops:80/-/ready"),
    ],
)
def test_the_helm_test_asks_the_service(name: str, url: str) -> None:
    """The test's pod runs our own image, which asks the Service for readiness."""
    (container,) = (rendered(name) if name else defaults()).test["spec"]["containers"]
    assert container["args"] == ["healthcheck", f"--url={url}"]


@pytest.mark.parametrize("name", ["web-tls", "web-mutual-tls"])
def test_the_helm_test_checks_the_files_where_it_knows_no_certificate(name: str) -> None:
    """With TLS, the test's pod mounts what the exporter does and checks the configuration."""
    release = rendered(name)
    (container,) = release.test["spec"]["containers"]
    assert container["args"] == ["check-config", "/etc/workspace-exporter/config/config.yml"]
    assert container["volumeMounts"] == release.container["volumeMounts"]
    assert release.test["spec"]["volumes"] == release.pod["volumes"]


@pytest.mark.parametrize(
    "values", [{"tests": {"enabled": False}}, values_of("web-tls") | {"demo": {"enabled": True}}]
)
def test_the_helm_test_can_be_left_out(values: Manifest) -> None:
    """`tests.enabled: false` renders no pod, nor does a demo behind TLS, which has nothing to check."""
    assert not [item for item in template(values).objects if item["kind"] == "Pod"]
