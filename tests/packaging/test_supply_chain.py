"""What is shipped can be traced: the bill of materials, a wheel that anybody can build again, one version."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import exporter
from tests.packaging.workshop import ROOT, module, program
from tools import sbom

LOCK = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
SHIPPED = ("exporter", "pyproject.toml", "README.md", "LICENSE")


def locked() -> set[tuple[str, str]]:
    """Return the packages of the lock file: (normalised name, version)."""
    found = re.findall(r"^([\w.-]+)==([\w.+!-]+)", LOCK, re.MULTILINE)
    return {(normalised(name), version) for name, version in found}


def normalised(name: str) -> str:
    """Return a package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def build_wheel(folder: Path, epoch: str, mask: int) -> Path:
    """Build the wheel from a fresh copy of the sources, as another person would on another day."""
    folder.mkdir()
    source = folder / "source"
    source.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, source / name)
    for path in source.rglob("*"):
        os.utime(path, (mask * 1e6, mask * 1e6))
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=source,
        env=os.environ | {"SOURCE_DATE_EPOCH": epoch},
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_every_locked_package_has_hashes() -> None:
    """Each entry of each lock file is pinned to a version and carries SHA-256 hashes; no index is named."""
    for file in ("build", "runtime", "dev"):
        text = (ROOT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
        lines = text.replace("\\\n", " ").splitlines()
        entries = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        assert entries
        for entry in entries:
            assert re.match(r"[\w.-]+==\S+", entry), entry
            assert "--hash=sha256:" in entry
        assert not re.search(r"^--|https?://", text, re.MULTILINE)


def test_the_bill_gets_the_applications_version() -> None:
    """The version is the package's, everything else stays as the tool wrote it."""
    bill: dict[str, Any] = {"components": [1], "metadata": {"tools": 2, "component": {"name": "x"}}}
    assert sbom.complete(bill, "1.2") == {
        "components": [1],
        "metadata": {"tools": 2, "component": {"name": "x", "version": "1.2"}},
    }


@pytest.mark.real
def test_two_builds_give_the_same_wheel(tmp_path: Path) -> None:
    """Other folder, other times, other permissions: the same bytes, for the same SOURCE_DATE_EPOCH."""
    one = build_wheel(tmp_path / "one", "1700000000", 0o022)
    other = build_wheel(tmp_path / "another", "1700000000", 0o027)
    assert one.name == other.name
    assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()
    later = build_wheel(tmp_path / "later", "1800000000", 0o022)
    assert later.read_bytes() != one.read_bytes(), "the epoch has no effect: the comparison proves nothing"


@pytest.mark.real
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    """Code, templates and static files are in it; tests, tools and secrets are not."""
    wheel = build_wheel(tmp_path / "wheel", "1700000000", 0o022)
    assert wheel.name == f"workspace_exporter-{exporter.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"workspace_exporter-{exporter.__version__}.dist-info/METADATA").decode()
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "exporter").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found == files
    assert "License-Expression: Apache-2.0" in metadata


@pytest.mark.real
def test_the_bill_of_materials_is_the_lock_file(tmp_path: Path) -> None:
    """Every locked package is in the bill, with version and licence; nothing of the workshop is."""
    module("cyclonedx_py")
    target = tmp_path / "dist" / "sbom.cdx.json"
    assert sbom.main(target) == 0
    bill = json.loads(target.read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert {(normalised(item["name"]), item["version"]) for item in bill["components"]} == locked()
    assert all(item["licenses"] for item in bill["components"])
    application = bill["metadata"]["component"]
    assert (application["name"], application["version"]) == ("workspace-exporter", exporter.__version__)
    edges = {edge["ref"]: edge.get("dependsOn", []) for edge in bill["dependencies"]}
    assert len(edges[application["bom-ref"]]) >= 10


@pytest.mark.real
def test_the_audit_reads_the_lock_file() -> None:
    """The documented audit takes the lock file as it is; asking for advisories is left to the user."""
    options = ["--disable-pip", "--require-hashes", "--requirement", "requirements/runtime.txt", "--dry-run"]
    done = subprocess.run(
        [program("pip-audit"), *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"would have audited {len(locked())} packages" in done.stderr
