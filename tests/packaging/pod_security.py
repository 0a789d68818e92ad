"""The Pod Security Standard "restricted", as a function from a pod's specification to its violations.

Source: Kubernetes' documentation, Pod Security Standards, profiles Baseline and Restricted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]

_VOLUMES = {
    *(
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ),
}


def violations(pod: Spec) -> list[str]:
    """Return which controls of the restricted profile a pod breaks."""
    return [
        *_of_pod(pod),
        *(f"{item['name']}: {text}" for item in _containers(pod) for text in _of(item, pod)),
    ]


def _containers(pod: Spec) -> list[Spec]:
    return [*pod.get("initContainers", []), *pod["containers"], *pod.get("ephemeralContainers", [])]


def _of_pod(pod: Spec) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    for volume in pod.get("volumes", []):
        if not _VOLUMES & volume.keys():
            yield f"volume {volume['name']}"


def _of(container: Spec, pod: Spec) -> Iterator[str]:
    own, shared = container.get("securityContext", {}), pod.get("securityContext", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("runAsNonRoot", shared.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot"
    if own.get("runAsUser", shared.get("runAsUser")) == 0:
        yield "runAsUser"
    profile = own.get("seccompProfile", shared.get("seccompProfile", {})).get("type")
    if profile not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "hostPort"
