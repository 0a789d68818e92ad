"""examples/kubernetes/ is what the chart renders with its default values."""

from __future__ import annotations

import pytest
import yaml

from tests.packaging.chart import helm
from tests.packaging.workshop import EXAMPLES, module
from tools.sync_chart import RELEASE

FILE = EXAMPLES / "kubernetes" / "workspace-exporter.yaml"


@pytest.mark.real
def test_the_manifests_are_the_charts_defaults() -> None:
    """`make sync-chart` writes the file anew; byte for byte it is helm's own output."""
    done = helm("template", *RELEASE)
    assert done.returncode == 0, done.stderr
    assert FILE.read_text(encoding="utf-8") == done.stdout


@pytest.mark.real
def test_the_manifests_are_valid() -> None:
    """Each object is one that the newest known Kubernetes takes."""
    validate = module("kubernetes_validate")
    objects = [item for item in yaml.safe_load_all(FILE.read_text(encoding="utf-8")) if item]
    assert {item["kind"] for item in objects} == {"ServiceAccount", "ConfigMap", "Service", "Deployment"}
    for item in objects:
        validate.validate(item, validate.latest_version(), strict=True)
