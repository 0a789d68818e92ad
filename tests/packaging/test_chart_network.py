"""The NetworkPolicy lets in whom it should, and out where the configuration goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.packaging.chart import Manifest, defaults, rendered, template, values_of

pytestmark = pytest.mark.real


def policy(name: str) -> Manifest:
    """Return the policy's specification with a value file."""
    spec: Manifest = rendered(name).one("NetworkPolicy")["spec"]
    return spec


def ports(rule: Manifest) -> set[tuple[str, int]]:
    """Return a rule's ports."""
    return {(port["protocol"], port["port"]) for port in rule["ports"]}


def outward(projects: list[dict[str, Any]]) -> list[Manifest]:
    """Return the egress rules for a configuration."""
    values = {"networkPolicy": {"enabled": True}, "config": {"projects": projects}}
    rules: list[Manifest] = template(values).one("NetworkPolicy")["spec"]["egress"]
    return rules


def test_it_is_off_by_default() -> None:
    """Nobody's cluster is cut off unasked."""
    assert not defaults().all("NetworkPolicy")


def test_ingress_is_the_pods_port_not_the_services() -> None:
    """A policy acts behind the Service: the container's port is admitted, from peers and the helm test."""
    metrics, extra = policy("network-policy")["ingress"]
    assert ports(metrics) == {("TCP", 9100)}
    test = rendered("network-policy").test["metadata"]["labels"]
    assert metrics["from"] == [
        *values_of("network-policy")["networkPolicy"]["ingressFrom"],
        {"podSelector": {"matchLabels": test}},
    ]
    assert ports(extra) == {("TCP", 9000)}


def test_ingress_is_from_everyone_by_default() -> None:
    """Where no peer is named there is no `from`, which would otherwise admit nobody."""
    (metrics,) = policy("metadata")["ingress"]
    assert metrics == {"ports": [{"protocol": "TCP", "port": 10068}]}


def test_egress_with_an_agency() -> None:
    """DNS, HTTPS and the metadata service, and nothing else."""
    dns, https, metadata = policy("metadata")["egress"]
    assert ports(dns) == {("UDP", 53), ("TCP", 53)}
    assert ports(https) == {("TCP", 443)}
    assert metadata == {
        "to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}],
        "ports": [{"protocol": "TCP", "port": 80}],
    }


def test_the_metadata_service_is_closed_to_others() -> None:
    """Without an agency, no rule opens the metadata service's address or its port."""
    dns, https = outward([{"name": "a", "region": "cn-north-4", "auth": {"token": {"token": "t"}}}])
    assert ports(dns) | ports(https) == {("UDP", 53), ("TCP", 53), ("TCP", 443)}


def test_egress_follows_the_endpoints_of_the_configuration() -> None:
    """The ports of endpoints and proxies are open, and a metadata service at another address."""
    _, upstream, metadata, extra = policy("network-policy")["egress"]
    assert ports(upstream) == {("TCP", 443), ("TCP", 8443), ("TCP", 8444), ("TCP", 3128)}
    assert metadata["to"] == [{"ipBlock": {"cidr": "198.51.100.7/32"}}]
    assert ports(metadata) == {("TCP", 8775)}
    assert extra["to"] == [{"ipBlock": {"cidr": "192.0.2.10/32"}}]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h.example.com", {443}),
        ("http://h.example.com", {443, 80}),
        ("http://h.example.com/path", {443, 80}),
        ("http://user:1234@h.example.com:3128", {443, 3128}),
        ("https://[2001:db8::443:99]/", {443}),
        ("https://[2001:db8::1]:9443/", {443, 9443}),
        ("${PROXY}", {443}),
    ],
)
def test_the_port_of_an_address(url: str, expected: set[int]) -> None:
    """An explicit port counts, then the scheme's; a password or a group of an IPv6 address is no port."""
    _, upstream = outward([{"name": "a", "proxy_url": url}])
    assert {port["port"] for port in upstream["ports"]} == expected


@pytest.mark.parametrize("auth", [{"metadata": None}, {"metadata": {}}])
def test_an_empty_metadata_section_is_an_agency(auth: Manifest) -> None:
    """`metadata:` with nothing below it means the same as an empty mapping."""
    assert outward([{"name": "a", "auth": auth}])[-1]["to"] == [{"ipBlock": {"cidr": "169.254.169.254/32"}}]


def test_the_demo_goes_nowhere() -> None:
    """The demo's upstream is in its own pod: no way out at all."""
    assert policy("demo")["egress"] == []
    assert set(policy("demo")["policyTypes"]) == {"Ingress", "Egress"}
