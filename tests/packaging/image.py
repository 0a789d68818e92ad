"""Builds the image with the real buildah and runs it as a container runtime would, without a registry.

The base image is stood in for by a minimal Debian with Python, under the tag that FROM names. Running means:
a read-only root, process and mount namespaces of its own, and the image's user, environment and entry point.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.workshop import ROOT
from tests.programs import require_program

WORK = ROOT / ".cache" / "image"
BASE = WORK / "base"
TRUST = Path("/etc/ssl/certs/ca-certificates.crt")
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
INSIDE = """
set -e
mount --bind "$0" "$0"
for volume in $VOLUMES; do mount --bind -o ro "${volume%%:*}" "$0${volume#*:}"; done
mount -o remount,bind,ro "$0"
exec chroot --userspec="$WHO" --groups= "$0" /usr/bin/env -i "$@"
"""


@dataclass(frozen=True)
class Image:
    """A built image: where its files are, and its OCI configuration."""

    tree: Path
    config: dict[str, Any] = field(repr=False)

    def command(self, *arguments: str, volumes: dict[Path, str] | None = None) -> list[str]:
        """Return the command line that starts the image with these arguments."""
        for inside in (volumes or {}).values():
            (self.tree / inside.lstrip("/")).mkdir(parents=True, exist_ok=True)
        bound = " ".join(f"{outside}:{inside}" for outside, inside in (volumes or {}).items())
        return [
            *("env", f"WHO={self.config['User']}", f"VOLUMES={bound}"),
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, str(self.tree)),
            *self.config["Env"],
            *self.config["Entrypoint"],
            *(arguments or self.config["Cmd"]),
        ]

    def run(
        self, *arguments: str, volumes: dict[Path, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the image with these arguments (none: its own) to its end."""
        return subprocess.run(
            self.command(*arguments, volumes=volumes), capture_output=True, text=True, check=False, timeout=60
        )


def buildah(*arguments: str) -> str:
    """Run buildah on a store of its own; return what it prints."""
    store = ["--root", str(WORK / "store"), "--runroot", str(WORK / "run"), "--storage-driver", "vfs"]
    done = subprocess.run(
        [require_program("buildah"), *store, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def built() -> Iterator[Image]:
    """Build the image and give its files; the base is kept for the next time."""
    require_root()
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = f"localhost/workspace-exporter:{os.getpid()}"
        provide_base()
        mirror = os.environ.get("PIP_INDEX_URL")
        arguments = ["--build-arg", f"PIP_INDEX_URL={mirror}"] if mirror else []
        options = ["--isolation", "chroot", "--pull-never", "--format", "docker", *arguments]
        buildah("bud", *options, "--build-arg", "REVISION=0123abc", "--tag", name, str(ROOT))
        config = json.loads(buildah("inspect", "--type", "image", name))["Docker"]["config"]
        container = buildah("from", "--pull-never", name)
        try:
            yield Image(Path(buildah("mount", container)), config)
        finally:
            buildah("rm", container)
            buildah("rmi", name)


def provide_base() -> None:
    """Make the stand-in of the base image, unless it is there."""
    name = next(
        line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM ")
    )
    if not (BASE / "usr/bin/python").exists():
        shutil.rmtree(BASE, ignore_errors=True)
        minimal = ["--variant=minbase", f"--include={PACKAGES}", "bookworm", str(BASE)]
        done = subprocess.run(
            [require_program("debootstrap"), *minimal], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        (BASE / "usr/bin/python").symlink_to("python3")
    if (
        f"{name}\n"
        in buildah("images", "--format", "{{.Name}}:{{.Tag}}").replace("docker.io/library/", "") + "\n"
    ):
        return
    container = buildah("from", "scratch")
    buildah("add", container, str(BASE), "/")
    environment = ["--env", "PATH=/usr/local/bin:/usr/bin:/bin"]
    if TRUST.exists():
        # Whatever this machine trusts, such as its company's proxy, pip in the build has to trust as well.
        buildah("add", container, str(TRUST), str(TRUST))
        environment += ["--env", f"PIP_CERT={TRUST}"]
    buildah("config", *environment, container)
    buildah("commit", "--rm", container, f"docker.io/library/{name}")


def require_root() -> None:
    """Skip, or fail when `CI` is set, where images cannot be built for want of privileges."""
    if os.geteuid() == 0:
        return
    message = "only root can make a base image and mount it"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
