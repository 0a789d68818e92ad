"""tools/fetch_helm.py takes exactly the pinned programs out of the package, or nothing."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import fetch_helm
from tools.fetch_helm import FetchError, extract, install, is_present

CONTENT = {"helm": b"#!helm", "kubectl": b"#!kubectl"}
PINNED = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def wheel(
    programs: dict[str, bytes], *, layer: str = "package/lib/layer.zip", suffix: str = ".jsii.tgz"
) -> bytes:
    """Return a wheel built as the real one is."""
    content = zipped({f"{name}/{name}": program for name, program in programs.items()})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(layer)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return zipped({"pkg/__init__.py": b"", f"pkg/_jsii/layer@1{suffix}": buffer.getvalue()})


def test_the_programs_are_found_three_archives_deep() -> None:
    """Wheel, tarball, zip: the pinned programs come out byte for byte."""
    assert extract(wheel(CONTENT), PINNED) == CONTENT


@pytest.mark.parametrize(
    "broken",
    [
        b"no archive",
        wheel(CONTENT, suffix=".txt"),
        wheel(CONTENT, layer="package/lib/other.zip"),
        wheel({"helm": CONTENT["helm"]}),
        zipped({"a.jsii.tgz": b"no tarball"}),
    ],
)
def test_another_build_of_the_package_is_an_error(broken: bytes) -> None:
    """Where the package is built otherwise, nothing is guessed."""
    with pytest.raises(FetchError, match="not built as expected"):
        extract(broken, PINNED)


def test_another_program_is_an_error() -> None:
    """A program whose hash is not the pinned one is never installed."""
    with pytest.raises(FetchError, match="kubectl in the package is not the pinned one"):
        extract(wheel(CONTENT | {"kubectl": b"other"}), PINNED)


def test_programs_are_installed_once(tmp_path: Path) -> None:
    """They are executable, and present afterwards; a changed or missing one is not taken for present."""
    target = tmp_path / "bin"
    assert not is_present(target, PINNED)
    install(CONTENT, target)
    assert is_present(target, PINNED)
    assert all((target / name).stat().st_mode & 0o777 == 0o755 for name in CONTENT)
    assert {path.name for path in target.iterdir()} == set(CONTENT)
    (target / "helm").write_bytes(b"other")
    assert not is_present(target, PINNED)


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_other_machines_are_told_what_to_do(
    system: str, machine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package has programs for one kind of machine; elsewhere the user's own are needed."""
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert fetch_helm.main() == 1
    assert "put helm 4 and kubectl on the PATH" in capsys.readouterr().err
