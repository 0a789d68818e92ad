"""What runs: Deployment or StatefulSets, their pods' files, arguments and security."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
import yaml

from exporter import yamltext
from exporter.configfile import parse_config
from tests.packaging.chart import VALUES, Manifest, Rendered, defaults, refusal, rendered, template, values_of
from tests.packaging.pod_security import violations
from tests.packaging.workshop import ROOT

pytestmark = pytest.mark.real

SECRETS = "/etc/workspace-exporter/secrets"


def selects(selector: Manifest, labels: Manifest) -> bool:
    """Return whether a selector of labels takes an object with these labels."""
    return selector.items() <= labels.items()


def labels_of(workload: Manifest) -> Manifest:
    """Return the labels of a workload's pods."""
    labels: Manifest = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def mounts(release: Rendered) -> dict[str, Manifest]:
    """Return what is mounted in the exporter's container: path -> volume."""
    volumes = {volume["name"]: volume for volume in release.pod.get("volumes", [])}
    listed = release.container.get("volumeMounts", [])
    assert all(mount["readOnly"] for mount in listed)
    return {mount["mountPath"]: volumes[mount["name"]] for mount in listed}


def test_defaults_run_one_deployment() -> None:
    """With no values at all, a Deployment of one pod runs the daemon with an empty configuration."""
    release = defaults()
    assert release.one("Deployment")["spec"]["replicas"] == 1
    assert not release.all("StatefulSet")
    assert release.container["args"][:2] == ["run", "--config.file=/etc/workspace-exporter/config/config.yml"]
    assert yaml.safe_load(release.one("ConfigMap")["data"]["config.yml"]) == {}
    assert {item["kind"] for item in release.objects} == {
        *("ServiceAccount", "ConfigMap", "Service", "Deployment", "Pod"),
    }


def test_a_new_pod_is_ready_before_the_old_one_goes() -> None:
    """A wrong configuration takes nothing down; Recreate, where it is asked for, brings no leftover field."""
    assert defaults().workload["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert rendered("replicas").workload["spec"]["strategy"] == {"type": "Recreate"}
    assert rendered("replicas").workload["spec"]["replicas"] == 2


def test_shards_run_a_stateful_set_whose_ordinal_is_the_shard() -> None:
    """The pod's own name, which ends in its ordinal, is handed to --shard; each shard has an address."""
    release = rendered("shards")
    workload = release.one("StatefulSet")
    assert not release.all("Deployment")
    assert workload["spec"]["replicas"] == 3
    assert workload["spec"]["podManagementPolicy"] == "Parallel"
    assert "--shard=$(POD_NAME)/3" in release.container["args"]
    assert {
        "name": "POD_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
    } in release.container["env"]
    governing = release.named("Service", workload["spec"]["serviceName"])
    assert governing["spec"]["clusterIP"] == "None"


def test_replicas_of_shards_are_stateful_sets_of_their_own() -> None:
    """Two replicas of three shards are two sets, whose selectors do not take each other's pods."""
    release = rendered("shards-replicas")
    sets = release.all("StatefulSet")
    assert [item["metadata"]["name"] for item in sets] == [
        "we-workspace-exporter",
        "we-workspace-exporter-replica-1",
    ]
    for item in sets:
        taken = [
            other["metadata"]["name"]
            for other in sets
            if selects(item["spec"]["selector"]["matchLabels"], labels_of(other))
        ]
        assert taken == [item["metadata"]["name"]]
    budget = release.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert all(selects(budget, labels_of(item)) for item in sets)


@pytest.mark.parametrize("name", ["", *VALUES])
def test_selectors_take_the_workloads_pods_and_nothing_else(name: str) -> None:
    """Service, budget and policy select the exporter's pods, and never the pod of the helm test."""
    release = rendered(name) if name else defaults()
    selectors = [item["spec"]["selector"] for item in release.all("Service")]
    selectors += [item["spec"]["selector"]["matchLabels"] for item in release.all("PodDisruptionBudget")]
    selectors += [item["spec"]["podSelector"]["matchLabels"] for item in release.all("NetworkPolicy")]
    workloads = release.all("Deployment") + release.all("StatefulSet")
    selectors += [item["spec"]["selector"]["matchLabels"] for item in workloads[:1]]
    for selector in selectors:
        assert selects(selector, labels_of(release.workload))
        tests = [item for item in release.objects if item["kind"] == "Pod"]
        assert not any(selects(selector, item["metadata"]["labels"]) for item in tests)


@pytest.mark.parametrize("name", ["", *VALUES])
def test_every_pod_is_restricted(name: str) -> None:
    """Whatever is switched on, each pod satisfies the standard "restricted" and can write nowhere."""
    release = rendered(name) if name else defaults()
    pods = [
        item["spec"]["template"]["spec"] for item in release.objects if "template" in item.get("spec", {})
    ]
    pods += [item["spec"] for item in release.objects if item["kind"] == "Pod"]
    assert pods
    for pod in pods:
        assert not violations(pod)
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert all(item["securityContext"]["readOnlyRootFilesystem"] for item in pod["containers"])


@pytest.mark.parametrize(
    ("change", "control"),
    [
        ({"securityContext": {}}, "capabilities"),
        ({"securityContext": {"allowPrivilegeEscalation": None}}, "allowPrivilegeEscalation"),
        ({"ports": [{"containerPort": 1, "hostPort": 1}]}, "hostPort"),
    ],
)
def test_the_standard_sees_a_violation(change: Manifest, control: str) -> None:
    """The check of the pods fails where a control is broken."""
    pod = copy.deepcopy(defaults().pod)
    pod["containers"][0].update(change)
    assert any(control in text for text in violations(pod))


@pytest.mark.parametrize("name", [name for name in VALUES if "config" in values_of(name)])
def test_the_configuration_arrives_as_it_was_written(name: str) -> None:
    """Texts that look like numbers, times or truth values stay texts; the exporter reads the values' tree."""
    text = rendered(name).named("ConfigMap", "we-workspace-exporter")["data"]["config.yml"]
    written = values_of(name)["config"]
    assert yamltext.load(text) == written
    environment = {"HW_ACCESS_KEY": "ak", "HW_SECRET_KEY": "sk"}
    assert len(parse_config(text, environment, ROOT).projects) == len(written["projects"])


def test_a_changed_configuration_replaces_the_pods() -> None:
    """The checksum in the pods' annotations changes with the configuration, and not with credentials."""

    def checksum(**values: Any) -> str:
        annotations = template(values).workload["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/config"])

    one, other = {"time_zone": "UTC"}, {"time_zone": "Asia/Shanghai"}
    assert checksum(config=one) == checksum(
        config=one, secrets={"token": "t"}, webConfig={"basic_auth_users": {}}
    )
    assert checksum(config=one) != checksum(config=other)


def test_an_existing_secret_becomes_files() -> None:
    """`existingSecret` is mounted read-only where the README says, readable for the pod's group only."""
    volume = mounts(rendered("project"))[SECRETS]
    assert volume["secret"] == {"secretName": "workspace-exporter-credentials", "defaultMode": 0o440}
    assert not rendered("project").all("Secret")
    assert rendered("project").pod["securityContext"]["fsGroup"] == 65532


def test_secrets_of_the_values_become_a_secret_and_files() -> None:
    """`secrets` creates the Secret, every byte kept, and mounts it at the same place."""
    release = rendered("secrets")
    secret = release.one("Secret")
    assert {name: base64.b64decode(text).decode() for name, text in secret["data"].items()} == values_of(
        "secrets"
    )["secrets"]
    assert mounts(release)[SECRETS]["secret"]["secretName"] == secret["metadata"]["name"]


def test_two_sources_of_secrets_are_refused() -> None:
    """Where both are set, nobody could say which one counts."""
    assert "existingSecret and secrets are both set" in refusal(
        {"existingSecret": "a", "secrets": {"b": "c"}}
    )


def test_the_web_configuration_is_kept_in_a_secret() -> None:
    """Password hashes do not stand in a ConfigMap; the file is named to the command."""
    release = rendered("web-tls")
    secret = release.named("Secret", "we-workspace-exporter-web")
    assert yaml.safe_load(base64.b64decode(secret["data"]["web.yml"])) == values_of("web-tls")["webConfig"]
    assert (
        mounts(release)["/etc/workspace-exporter/web"]["secret"]["secretName"] == secret["metadata"]["name"]
    )
    assert mounts(release)["/etc/workspace-exporter/tls"]["secret"]["secretName"] == "workspace-exporter-tls"
    assert "--web.config.file=/etc/workspace-exporter/web/web.yml" in release.container["args"]


def test_the_demo_needs_no_files() -> None:
    """`demo.enabled` runs `demo`: no configuration, no credentials, no shards, whatever else is set."""
    release = template(values_of("everything") | {"demo": {"enabled": True}})
    assert release.container["args"][0] == "demo"
    assert not release.all("StatefulSet")
    assert set(mounts(release)) == {"/etc/workspace-exporter/web", "/etc/workspace-exporter/tls"}
    assert "--web.config.file=/etc/workspace-exporter/web/web.yml" in release.container["args"]
    assert not [text for text in release.container["args"] if text.startswith(("--config.file", "--shard"))]
    assert "volumes" not in rendered("demo").pod
    assert {item["metadata"]["name"] for item in release.all("ConfigMap")} == {
        "we-workspace-exporter-dashboard",
        "extra",
    }


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "workspace-exporter:0.1.0"),
        ({"repository": "r.example.com/x", "tag": "2"}, "r.example.com/x:2"),
        ({"tag": "2", "digest": "sha256:" + "a" * 64}, "workspace-exporter@sha256:" + "a" * 64),
    ],
)
def test_the_image_is_named_by_tag_or_digest(image: Manifest, expected: str) -> None:
    """The digest wins over the tag, the tag over appVersion; the helm test runs the same image."""
    release = template({"image": image})
    assert release.container["image"] == expected
    assert release.test["spec"]["containers"][0]["image"] == expected


def test_values_never_overrule_what_the_chart_selects_by() -> None:
    """A label from the values that the selectors need is ignored, others are taken."""
    labels = labels_of(rendered("pod").workload)
    assert labels["app.kubernetes.io/name"] == "workspace-exporter"
    assert labels["team"] == "desktops"
    assert labels["part-of"] == "desktops"


def test_long_names_leave_room_for_what_is_added() -> None:
    """With the longest names, every object's name and label still fits into 63 characters."""
    for item in rendered("names").objects:
        name = item["metadata"]["name"]
        assert len(name) <= 52 or item["kind"] == "Service", name
        assert len(name) <= 63
        assert all(len(value) <= 63 for value in item["metadata"]["labels"].values())
    assert rendered("names").pod["serviceAccountName"] == "monitoring"
    assert not rendered("names").all("ServiceAccount")


def test_pods_spread_over_the_nodes() -> None:
    """A constraint without a selector gets the release's; one that has its own keeps it."""
    (default,) = defaults().pod["topologySpreadConstraints"]
    assert default["whenUnsatisfiable"] == "ScheduleAnyway"
    assert selects(default["labelSelector"]["matchLabels"], labels_of(defaults().workload))
    zone, node = rendered("scheduling").pod["topologySpreadConstraints"]
    assert zone["labelSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "we"
    assert node["labelSelector"] == {"matchLabels": {"team": "desktops"}}


def test_the_budget_never_blocks_a_drain_by_default() -> None:
    """One pod may always go; `minAvailable`, where set, stands in place of it."""
    default = template({"podDisruptionBudget": {"enabled": True}}).one("PodDisruptionBudget")["spec"]
    assert default["maxUnavailable"] == 1
    assert "minAvailable" not in default
    chosen = rendered("replicas").one("PodDisruptionBudget")["spec"]
    assert chosen["minAvailable"] == "50%"
    assert "maxUnavailable" not in chosen
    none = template({"podDisruptionBudget": {"enabled": True, "minAvailable": 0}}).one("PodDisruptionBudget")
    assert none["spec"]["minAvailable"] == 0


def test_extra_objects_are_rendered_as_templates() -> None:
    """Trees and texts are both taken, and see the release."""
    release = rendered("extra-objects")
    assert release.named("ConfigMap", "we-workspace-exporter-tree")["data"] == {"port": "10068"}
    assert release.named("ConfigMap", "we-text")["data"] == {"namespace": "desktops"}


def test_nothing_scales_the_exporter() -> None:
    """There is no HorizontalPodAutoscaler, whatever is switched on: replicas multiply the calls upstream."""
    assert not rendered("everything").all("HorizontalPodAutoscaler")
