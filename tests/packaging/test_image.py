"""The image, really built, and really run: read-only, as a user that is in no passwd file."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import exporter
from tests.packaging.cluster import free_port
from tests.packaging.image import Image, built
from tests.packaging.workshop import ROOT

pytestmark = pytest.mark.real

HOME = "opt/workspace-exporter"


PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image, built once for this file."""
    with built() as found:
        yield found


def names(image: Image, *folders: str) -> set[str]:
    """Return the names of all files below folders of the image."""
    return {path.name for folder in folders for path in (image.tree / folder).rglob("*")}


def test_it_runs_read_only_as_a_numeric_user(image: Image) -> None:
    """With a read-only root and a user without name or home, the command answers."""
    assert image.config["User"] == "65532:65532"
    assert "65532" not in (image.tree / "etc/passwd").read_text(encoding="utf-8")
    done = image.run("--version")
    assert done.returncode == 0, done.stderr
    assert exporter.__version__ in done.stdout
    assert done.stderr == ""


def test_without_a_configuration_it_says_so(image: Image) -> None:
    """Started as it is, it ends with exit code 2 and one line that names the missing file."""
    done = image.run()
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "/etc/workspace-exporter/config.yml" in line


def test_a_mounted_configuration_is_checked(image: Image, tmp_path: Path) -> None:
    """A configuration that only root may write is read from where the image looks for it."""
    (tmp_path / "config.yml").write_text("projects: []\n", encoding="utf-8")
    tmp_path.chmod(0o755)
    arguments = ["check-config", "/etc/workspace-exporter/config.yml"]
    done = image.run(*arguments, volumes={tmp_path: "/etc/workspace-exporter"})
    assert done.returncode == 2
    assert "projects" in done.stderr


def test_the_last_stage_has_neither_installers_nor_compilers(image: Image) -> None:
    """No pip, setuptools, wheel or ensurepip, and no compiler, anywhere in the file system."""
    found = names(image, "usr", "opt", "root", "home")
    assert not found & {"pip", "pip3", "ensurepip", "setuptools", "wheel", "pkg_resources", "easy_install"}
    assert not [name for name in found if name.startswith(("pip-", "setuptools-", "wheel-"))]
    programs = names(image, "usr/bin", "usr/sbin", "usr/local/bin")
    assert "python3" in programs
    assert not programs & {"gcc", "cc", "g++", "clang", "make", "ld", "as"}
    assert not (image.tree / "build").exists()
    assert not (image.tree / "tools").exists()


def test_only_root_could_change_the_code(image: Image) -> None:
    """Nothing of the installed tree belongs to the running user or may be written by it."""
    found = [path for path in (image.tree / HOME).rglob("*") if not path.is_symlink()]
    assert len(found) > 500
    for path in found:
        state = path.stat()
        assert (state.st_uid, state.st_gid) == (0, 0)
        assert not state.st_mode & 0o022
        assert state.st_mode & 0o004


def test_the_installed_tree_is_as_small_as_documented(image: Image) -> None:
    """What the image adds to its base, as files and compressed, is what docs/install.md states."""
    document = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    ((stated, stated_compressed),) = re.findall(r"adds (\d+) MiB to `[^`]+`, (\d+) MiB compressed", document)
    size = sum(path.lstat().st_size for path in (image.tree / HOME).rglob("*") if path.is_file()) / 2**20
    assert size == pytest.approx(int(stated), rel=0.1)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=6) as layer:
        layer.add(image.tree / HOME, HOME)
    assert len(archive.getvalue()) / 2**20 == pytest.approx(int(stated_compressed), rel=0.1)


def test_the_module_is_the_command(image: Image) -> None:
    """`python -m exporter` does what the entry point does."""
    command = image.command("-m", "exporter", "--version")
    command[command.index("workspace-exporter")] = f"/{HOME}/bin/python"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, image.run("--version").stdout), done.stderr


def test_time_zones_do_not_depend_on_the_base(image: Image) -> None:
    """The zones are those of the locked package, also where the system has none."""
    program = "import zoneinfo; zoneinfo.reset_tzpath(()); print(zoneinfo.ZoneInfo('Asia/Shanghai'))"
    command = image.command("-c", program)
    command[command.index("workspace-exporter")] = f"/{HOME}/bin/python"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Asia/Shanghai\n"), done.stderr


def test_the_configuration_of_the_image(image: Image) -> None:
    """Entry point, arguments, port, health check and labels are in the built image."""
    config = image.config
    assert config["Entrypoint"] == ["workspace-exporter"]
    assert config["Cmd"] == ["run", "--config.file=/etc/workspace-exporter/config.yml"]
    assert list(config["ExposedPorts"]) == ["10068/tcp"]
    assert config["Healthcheck"]["Test"] == ["CMD", "workspace-exporter", "healthcheck"]
    prefix = "org.opencontainers.image."
    assert config["Labels"][f"{prefix}version"] == exporter.__version__
    assert config["Labels"][f"{prefix}revision"] == "0123abc"
    assert "revision: 0123abc" in image.run("--version").stdout


def test_the_demo_lives_in_it_and_ends_when_told(image: Image) -> None:
    """As process 1, read-only, it serves; its own health check agrees; SIGTERM ends it with exit code 0."""
    port = free_port()
    listen = [f"--web.listen-address=127.0.0.1:{port}", f"--simulator.listen-address=127.0.0.1:{free_port()}"]
    check = ["healthcheck", f"--url=http://127.0.0.1:{port}/-/ready"]
    assert image.run(*check).returncode == 1
    with subprocess.Popen(
        image.command("demo", *listen), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while (done := image.run(*check)).returncode and time.monotonic() < deadline:
                time.sleep(0.2)
            assert done.returncode == 0, done.stderr
            metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
            assert f'version="{exporter.__version__}"' in metrics
            assert 'revision="0123abc"' in metrics
            page_is_whole(f"http://127.0.0.1:{port}/")
            os.kill(inner(process.pid), signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert b"Traceback" not in said


def page_is_whole(url: str) -> None:
    """Read the status page and every file that it links: all are in the image."""
    page = httpx.get(url, trust_env=False).text
    linked = re.findall(r'"(\./static/[^"]+)"', page)
    assert {re.sub(r".*/|\?.*", "", link) for link in linked} == {"page.css", "page.js", "icon.svg"}
    for link in linked:
        answer = httpx.get(url + link, trust_env=False)
        assert answer.status_code == httpx.codes.OK
        assert answer.content


def inner(pid: int) -> int:
    """Return the process that `unshare --fork` started as number 1 of its own namespace."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(child)
