"""The values: every one is described, and a wrong one is refused with its key named."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import exporter
from tests.packaging.chart import Manifest, defaults, helm, refusal, template
from tests.packaging.workshop import CHART, EXAMPLES

VALUES: Manifest = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: Manifest = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
README = (CHART / "README.md").read_text(encoding="utf-8")


def resolved(schema: Manifest) -> Manifest:
    """Return a schema, or the definition that it refers to."""
    reference = schema.get("$ref", "").removeprefix("#/definitions/")
    return resolved(SCHEMA["definitions"][reference]) if reference else schema


def leaves(schema: Manifest, values: Manifest, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that the chart owns, by path: closed objects are walked into, others are leaves."""
    for name, value in values.items():
        inner = resolved(schema["properties"][name])
        if inner.get("additionalProperties") is False and value:
            yield from leaves(inner, value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def closed_levels(schema: Manifest, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every object of the schema whose keys the chart knows."""
    schema = resolved(schema)
    if schema.get("additionalProperties") is False and "properties" in schema:
        yield path
        for name, inner in schema["properties"].items():
            yield from closed_levels(inner, (*path, name))


def nested(path: tuple[str, ...], value: Any) -> Any:
    """Return a tree that holds a value at a path."""
    return {path[0]: nested(path[1:], value)} if path else value


def described() -> dict[str, str]:
    """Return the table of the README: value -> default."""
    return dict(
        re.findall(r"^\| `([\w.]+)` \| (.*?) \| .*\|$", README.partition("## Values")[2], re.MULTILINE)
    )


def test_the_readme_describes_every_value_with_its_default() -> None:
    """The README's table has the values of values.yaml, all and no other, with the defaults in force."""
    expected = {}
    for path, value in leaves(SCHEMA, VALUES):
        text = json.dumps(value, separators=(",", ":"))
        expected[path] = f"`{text}`" if len(text) <= 40 else "see `values.yaml`"
    assert described() == expected


def test_the_resources_have_room_for_what_was_measured() -> None:
    """The README's table asks for what is resident and limits to twice that; so do the defaults."""
    row = re.compile(r"^\| ([\d,]+) \| (\d+)Mi \| (\d+)Mi \| (\d+)Mi \|$", re.MULTILINE)
    table = {tasks: tuple(map(int, amounts)) for tasks, *amounts in row.findall(README)}
    assert list(table) == ["10", "2,000", "10,000"]
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    for tasks, (resident, asked, limit) in table.items():
        assert resident <= asked < 1.25 * resident
        assert 2 * resident <= limit
        assert re.search(rf"\b{resident}Mi (are resident )?with {tasks}\b", text)
    assert VALUES["resources"]["requests"]["memory"] == f"{table['2,000'][1]}Mi"
    assert VALUES["resources"]["limits"]["memory"] == f"{table['10,000'][2]}Mi"
    unit = (EXAMPLES / "systemd" / "workspace-exporter.service").read_text(encoding="utf-8")
    assert f"\nMemoryMax={table['10,000'][2]}M\n" in unit


def test_the_schema_knows_every_value_and_no_other() -> None:
    """A value without a default, or a default without a schema, is a mistake of the chart."""

    def missing(schema: Manifest, values: Manifest, path: str) -> Iterator[str]:
        schema = resolved(schema)
        if schema.get("additionalProperties") is not False:
            return
        names = set(schema["properties"]) - {"global"}
        yield from (f"{path}{name}" for name in names ^ set(values))
        for name in names & set(values):
            if isinstance(values[name], dict) and values[name]:
                yield from missing(schema["properties"][name], values[name], f"{path}{name}.")

    optional = {"resources.claims"}
    assert set(missing(SCHEMA, VALUES, "")) == optional


def test_versions_come_from_one_place() -> None:
    """Chart, application and the image that Artifact Hub shows carry the package's version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == exporter.__version__
    (image,) = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    assert image["image"] == f"{VALUES['image']['repository']}:{exporter.__version__}"
    assert chart["kubeVersion"] == ">=1.25.0-0"


def test_artifact_hub_annotations_are_yaml_where_they_should_be() -> None:
    """Lists in annotations parse, and name a kind of change that Artifact Hub knows."""
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["annotations"]
    changes = yaml.safe_load(annotations["artifacthub.io/changes"])
    assert {change["kind"] for change in changes} <= {
        *("added", "changed", "deprecated", "removed", "fixed", "security"),
    }
    assert annotations["artifacthub.io/license"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("copy", "source"), [("rules.yml", "prometheus/rules.yml"), ("dashboard.json", "grafana/dashboard.json")]
)
def test_the_charts_files_are_the_examples(copy: str, source: str) -> None:
    """Helm cannot read outside the chart, so it holds copies; `make sync-chart` brings them up to date."""
    assert (CHART / "files" / copy).read_bytes() == (EXAMPLES / source).read_bytes()


@pytest.mark.real
@pytest.mark.parametrize("path", list(closed_levels(SCHEMA)), ids=".".join)
def test_an_unknown_key_is_refused_at_every_level(path: tuple[str, ...]) -> None:
    """A misspelt key is named together with the place where it stands."""
    said = refusal(nested((*path, "mispelt"), 1))
    assert f"at '{''.join('/' + name for name in path)}'" in said
    assert "'mispelt' not allowed" in said


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replicaCount", "2"),
        ("replicaCount", -1),
        ("shards", 0),
        ("shards", 1.5),
        ("config", "projects: []"),
        ("config.projects", {"name": "prod"}),
        ("existingSecret", ["a"]),
        ("secrets", {"a/b": "c"}),
        ("secrets.token", 1),
        ("image.tag", 1.0),
        ("image.digest", "sha256:0"),
        ("image.pullPolicy", "always"),
        ("image.repository", ""),
        ("log.level", "trace"),
        ("web.telemetryPath", "metrics"),
        ("containerPort", 70000),
        ("service.type", "ExternalName"),
        ("serviceMonitor.interval", "1 minute"),
        ("serviceMonitor.enabled", "yes"),
        ("prometheusRule.alerts.WorkspaceExporterDown.for", "soon"),
        ("prometheusRule.alertLabels", {"project": "x"}),
        ("podDisruptionBudget.minAvailable", "half"),
        ("dashboard.labels.grafana_dashboard", 1),
        ("webConfig.basic_auth_users.admin", None),
        ("extraObjects", {"kind": "ConfigMap"}),
        ("strategy.type", "rollingUpdate"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(path: str, value: Any) -> None:
    """Types, ranges and words are checked before anything reaches the cluster, and the key is named."""
    assert path.rpartition(".")[2] in refusal(nested(tuple(path.split(".")), value))


@pytest.mark.real
def test_the_packaged_chart_is_whole(tmp_path: Path) -> None:
    """`helm package` leaves out the tests' value files and nothing else; the archive renders the same."""
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    archive = tmp_path / f"workspace-exporter-{exporter.__version__}.tgz"
    with tarfile.open(archive) as package:
        packed = {name.removeprefix("workspace-exporter/") for name in package.getnames()}
    files = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert packed == {name for name in files if not name.startswith("ci/")}
    values = {"prometheusRule": {"enabled": True}}
    assert template(values, chart=archive).objects == template(values).objects


@pytest.mark.real
def test_a_parent_charts_globals_are_tolerated() -> None:
    """As a dependency the chart is handed `global`, whatever is in it."""
    assert template({"global": {"imageRegistry": "x"}}).objects == defaults().objects


def notes(values: Manifest) -> str:
    """Return what `helm install` tells the user."""
    done = helm("install", "we", str(CHART), "--dry-run=client", "--values", "-", stdin=json.dumps(values))
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.partition("NOTES:")[2].split())


PROJECT = {"name": "a", "region": "cn-north-4", "auth": {"metadata": {}}, "discovery": {}}
SECRET_FILE = {**PROJECT, "auth": {"token": {"token_file": "/etc/workspace-exporter/secrets/token"}}}
CLEAR = {**PROJECT, "auth": {"token": {"token": "gAAAAB"}}}
VARIABLE = {**PROJECT, "auth": {"token": {"token": "${TOKEN}"}}}
USERS = {"basic_auth_users": {"a": "$2y$05$x"}}


@pytest.mark.real
@pytest.mark.parametrize(
    ("values", "told", "untold"),
    [
        ({}, "NO PROJECT IS CONFIGURED", "watches"),
        ({"config": {"projects": [PROJECT]}}, "watches 1 project(s)", "WARNING"),
        ({"config": {"projects": [PROJECT]}}, "Nothing scrapes it yet", "NO PROJECT"),
        ({"demo": {"enabled": True}}, "runs its demo", "NO PROJECT"),
        ({"serviceMonitor": {"enabled": True}}, "port-forward", "Nothing scrapes it yet"),
        ({"config": {"projects": [SECRET_FILE]}}, "neither existingSecret nor secrets is set", "watches 2"),
        ({"config": {"projects": [SECRET_FILE]}, "existingSecret": "s"}, "watches", "WARNING"),
        ({"config": {"projects": [CLEAR]}}, "config holds a credential", "gAAAAB"),
        ({"config": {"projects": [VARIABLE]}}, "watches", "config holds a credential"),
        ({"webConfig": USERS, "serviceMonitor": {"enabled": True}}, "will be refused (401)", "client cert"),
        ({"tests": {"enabled": False}}, "port-forward", "helm test"),
    ],
)
def test_the_notes_say_what_is_missing(values: Manifest, told: str, untold: str) -> None:
    """After an install the user reads whether a project is configured, and what would not work."""
    said = notes(values)
    assert told in said
    assert untold not in said
