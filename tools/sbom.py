"""Write the software bill of materials of what is installed at run time: CycloneDX, dist/sbom.cdx.json.

The locked dependencies are installed into a virtual environment of their own, so that nothing of the workshop
gets into the list; the licences and the graph of dependencies come from the installed packages themselves.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from exporter import __version__

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "dist" / "sbom.cdx.json"


def generate(folder: Path) -> dict[str, Any]:
    """Return the bill of materials; `folder` is for the environment. Raises CalledProcessError."""
    environment, file = folder / "environment", folder / "sbom.json"
    python = environment / "bin" / "python"
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    lock = [
        "--require-hashes",
        "--only-binary=:all:",
        "--requirement",
        str(ROOT / "requirements/runtime.txt"),
    ]
    _run(*pip, "install", *lock)
    tool = [sys.executable, "-m", "cyclonedx_py", "environment", str(python)]
    about = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
    _run(*tool, *about, "--output-reproducible", "--of", "JSON", "--output-file", str(file))
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def complete(found: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the bill with the version of the application itself, which pyproject.toml leaves to the code."""
    metadata = found["metadata"]
    return {**found, "metadata": {**metadata, "component": {**metadata["component"], "version": version}}}


def main(target: Path = TARGET) -> int:
    """Write the bill of materials; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        bill = complete(generate(Path(folder)), __version__)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - our own arguments, no shell


if __name__ == "__main__":
    sys.exit(main())
