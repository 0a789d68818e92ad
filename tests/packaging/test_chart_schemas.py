"""Every object that the chart renders is one that Kubernetes, or the Prometheus operator, takes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.packaging.chart import OLDEST, VALUES, Manifest, Rendered, defaults, helm, rendered
from tests.packaging.operator_schema import KINDS
from tests.packaging.workshop import CHART, module

pytestmark = pytest.mark.real


def release(name: str) -> Rendered:
    """Return the chart with a value file, or with none."""
    return rendered(name) if name else defaults()


def versions() -> tuple[str, str]:
    """Return the oldest Kubernetes that the chart supports, and the newest whose schema is known."""
    return OLDEST, str(module("kubernetes_validate").latest_version())


def complaints(item: Manifest, version: str) -> list[str]:
    """Return what is wrong with an object by the schema of its kind."""
    if item["kind"] in KINDS:
        validator = module("jsonschema").Draft202012Validator(KINDS[item["kind"]])
        return [error.message for error in validator.iter_errors(item)]
    validate: Any = module("kubernetes_validate")
    try:
        validate.validate(item, version, strict=True)
    except validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []


@pytest.mark.parametrize("name", ["", *VALUES])
def test_every_object_fits_its_schema(name: str) -> None:
    """Each object is valid, unknown fields included, for the oldest and the newest supported Kubernetes."""
    for version in versions():
        for item in release(name).objects:
            assert not complaints(item, version), f"{item['kind']} {item['metadata']['name']}"


def test_the_newest_kubernetes_is_newer_than_the_oldest() -> None:
    """The two versions are two: schemas of old versions only would prove less than they say."""
    oldest, newest = (tuple(map(int, version.split(".")[:2])) for version in versions())
    assert oldest == (1, 25)
    assert newest >= (1, 34)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "contaners"), []),
        ("Service", ("spec", "ports"), [{"port": "none"}]),
        ("ServiceMonitor", ("spec", "endpoints"), [{"porrt": "metrics"}]),
        ("PrometheusRule", ("spec", "groups"), [{"name": "g", "rules": [{"alert": "A"}]}]),
    ],
)
def test_the_schemas_see_a_mistake(kind: str, path: tuple[str, ...], value: object) -> None:
    """A misspelt or malformed field is found, in a built-in kind and in the operator's two."""
    sources = {"ServiceMonitor": "service-monitor", "PrometheusRule": "prometheus-rule"}
    good = release(sources.get(kind, "")).one(kind)

    def broken(item: Any, rest: tuple[str, ...]) -> Any:
        return {**item, rest[0]: broken(item[rest[0]], rest[1:]) if rest[1:] else value}

    assert complaints(broken(good, path), OLDEST)


@pytest.mark.parametrize("name", ["", *VALUES])
def test_lint_is_clean(name: str) -> None:
    """`helm lint --strict` has nothing to say, not even by way of information."""
    options = ["--values", str(CHART / "ci" / f"{name}-values.yaml")] if name else []
    done = helm("lint", "--strict", str(CHART), *options)
    assert done.returncode == 0, done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("[")], done.stdout


@pytest.mark.parametrize(("version", "good"), [("1.24.17", False), ("1.25.0", True), ("1.40.0", True)])
def test_kubernetes_before_1_25_is_refused(version: str, *, good: bool) -> None:
    """The chart says which Kubernetes it is for, vendors' suffixes included."""
    done = helm("template", "we", str(CHART), "--kube-version", f"v{version}-r0-cce")
    assert (done.returncode == 0) is good, done.stderr


def test_there_are_a_dozen_value_files() -> None:
    """Each feature has a value file of its own, and one has them all."""
    assert len(VALUES) >= 12
    assert "everything" in VALUES
