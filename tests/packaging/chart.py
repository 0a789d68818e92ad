"""The chart as the real helm renders it."""

from __future__ import annotations

import functools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.packaging.workshop import CHART, program

Manifest = dict[str, Any]
VALUES = sorted(path.stem.removesuffix("-values") for path in (CHART / "ci").glob("*-values.yaml"))
OLDEST = "1.25.0"


@dataclass(frozen=True)
class Rendered:
    """The objects of one release."""

    objects: tuple[Manifest, ...]

    def all(self, kind: str) -> list[Manifest]:
        """Return the objects of a kind, without those that a hook creates."""
        return [
            item
            for item in self.objects
            if item["kind"] == kind and "helm.sh/hook" not in item["metadata"].get("annotations", {})
        ]

    def one(self, kind: str) -> Manifest:
        """Return the only object of a kind."""
        (found,) = self.all(kind)
        return found

    def named(self, kind: str, name: str) -> Manifest:
        """Return the object of a kind with this name."""
        (found,) = [item for item in self.all(kind) if item["metadata"]["name"] == name]
        return found

    @property
    def workload(self) -> Manifest:
        """The Deployment, or the first StatefulSet."""
        return (self.all("Deployment") + self.all("StatefulSet"))[0]

    @property
    def pod(self) -> Manifest:
        """The specification of the workload's pods."""
        spec: Manifest = self.workload["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Manifest:
        """The exporter's container."""
        (container,) = self.pod["containers"]
        found: Manifest = container
        return found

    @property
    def test(self) -> Manifest:
        """The pod of `helm test`."""
        (found,) = [item for item in self.objects if item["kind"] == "Pod"]
        return found


def helm(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the real helm."""
    return subprocess.run(
        [program("helm"), *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )


def template(values: Manifest | None = None, *options: str, chart: Path = CHART) -> Rendered:
    """Render the chart as release `we` in the namespace `desktops`."""
    done = helm(
        *("template", "we", str(chart), "--namespace", "desktops", "--values", "-", *options),
        stdin=json.dumps(values or {}),
    )
    assert done.returncode == 0, done.stderr
    documents = yaml.load_all(done.stdout, Loader=yaml.CSafeLoader)
    return Rendered(tuple(document for document in documents if document))


def refusal(values: Manifest) -> str:
    """Return what helm says of values that it must refuse."""
    done = helm("template", "we", str(CHART), "--values", "-", stdin=json.dumps(values))
    assert done.returncode != 0, "helm took the values"
    return done.stderr


def values_of(name: str) -> Manifest:
    """Return one of the value files below `ci/`."""
    text = (CHART / "ci" / f"{name}-values.yaml").read_text(encoding="utf-8")
    values: Manifest = yaml.safe_load(text)
    return values


@functools.cache
def rendered(name: str) -> Rendered:
    """Return the chart with one of the value files below `ci/`."""
    return template(values_of(name))


@functools.cache
def defaults() -> Rendered:
    """Return the chart with no values at all."""
    return template()
