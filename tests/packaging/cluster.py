"""What a cluster would do with a rendered pod, as far as the exporter's process can tell.

The kubelet writes ConfigMaps and Secrets into files and replaces `$(VAR)` in the arguments; here the files
are below a folder of the test's, whose name takes the place of /etc/workspace-exporter wherever it stands.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.packaging.chart import Rendered

MOUNTED = "/etc/workspace-exporter"
COMMAND = str(Path(sys.executable).parent / "workspace-exporter")
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Pod:
    """A pod's files and arguments on this machine."""

    release: Rendered
    folder: Path
    port: int

    def mount(self, secrets: dict[str, dict[str, str]]) -> None:
        """Write the pod's files; `secrets` are those that the chart only names: name -> file -> content."""
        sources = {
            ("configMap", item["metadata"]["name"]): item["data"] for item in self.release.all("ConfigMap")
        }
        for item in self.release.all("Secret"):
            decoded = {name: base64.b64decode(text).decode() for name, text in item["data"].items()}
            sources["secret", item["metadata"]["name"]] = decoded
        paths = {
            mount["name"]: mount["mountPath"] for mount in self.release.container.get("volumeMounts", [])
        }
        for volume in self.release.pod.get("volumes", []):
            target = Path(self.place(paths[volume["name"]]))
            target.mkdir(parents=True)
            kind = "configMap" if "configMap" in volume else "secret"
            name = volume[kind].get("secretName") or volume[kind]["name"]
            for file, content in (sources.get((kind, name)) or secrets[name]).items():
                (target / file).write_text(self.place(content), encoding="utf-8")
                (target / file).chmod(0o400)

    def place(self, text: str) -> str:
        """Return a text with the mount's path replaced by this test's folder."""
        return text.replace(MOUNTED, str(self.folder))

    def arguments(self, environment: dict[str, str]) -> list[str]:
        """Return the container's arguments as its process gets them, listening on this machine only."""
        found = []
        for text in self.release.container["args"]:
            expanded = re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], text)
            expanded = re.sub(
                r"(--web\.listen-address=):\d+", rf"\g<1>127.0.0.1:{self.port}", self.place(expanded)
            )
            found.append(expanded)
        return found

    @contextmanager
    def started(self, environment: dict[str, str], *more: str) -> Iterator[subprocess.Popen[str]]:
        """Run the pod's command; it must end by itself when it is told to, with exit code 0."""
        process = subprocess.Popen(
            [COMMAND, *self.arguments(environment), *more],
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE_SECONDS)
            assert process.returncode == 0, said
        finally:
            process.kill()
            process.communicate()

    def probe(self, kind: str, trust: ssl.SSLContext | None = None) -> int:
        """Ask as the kubelet does, without credentials; returns 200 once that is the status, or the last."""
        handler: dict[str, Any] = self.release.container[kind]["httpGet"]
        url = f"{handler['scheme'].lower()}://127.0.0.1:{self.port}{handler['path']}"
        status, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        with httpx.Client(verify=trust or False, trust_env=False) as client:
            while status != httpx.codes.OK and time.monotonic() < deadline:
                try:
                    status = client.get(url).status_code
                except httpx.TransportError:
                    status = 0
                time.sleep(0.05)
        return status


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)
