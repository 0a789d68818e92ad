"""Projects whose secrets are canaries, each in another trouble; and the eye that finds one in any text."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.cloud import REGION, Cloud
from tests.cli.hostile import MODES, Hostile

Tree = dict[str, Any]
CANARY = "canary-"
TASK = "8d2e"
WAYS = ("inline", "file", "variable")
FIELDS = {
    "token": ("token",),
    "password": ("password",),
    "aksk": ("access_key", "secret_key", "security_token"),
}
_ACCENT = " ü%"
"""What a password may hold: an encoding writes it otherwise."""


def leaks(text: str) -> list[str]:
    """Return where a canary stands in a text, as it is or within Base64, with what stands around it."""
    shapes = {CANARY}
    for skipped in range(3):  # Base64 of the same bytes differs by where they begin
        encoded = base64.b64encode(b"x" * skipped + CANARY.encode()).decode()
        shapes.add(encoded[(8 * skipped + 5) // 6 : (8 * (skipped + len(CANARY))) // 6])
    return [text[max(0, at - 200) : at + 60] for shape in shapes if (at := text.find(shape)) >= 0]


@dataclass(slots=True)
class Aviary:
    """The projects of a configuration, the environment it needs, and every canary that flies in it."""

    folder: Path
    odd: str = _ACCENT
    projects: list[Tree] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    canaries: dict[str, str] = field(default_factory=dict)

    def secret(self, name: str, way: str, value: str = "") -> Tree:
        """Return the key of a secret with a new canary (or a given value that holds one)."""
        number = len(self.canaries)
        odd = self.odd if name == "password" else ""
        canary = value or f"{CANARY}{name.replace('_', '-')}-{number}{odd}"
        self.canaries[f"{name}-{number}"] = canary
        if way == "file":
            file = self.folder / f"secret-{number}"
            file.write_text(canary, "utf-8")
            file.chmod(0o600)
            return {f"{name}_file": str(file)}
        if way == "variable":
            self.environment[f"EXPORTER_TEST_{number}"] = canary
            return {name: f"${{EXPORTER_TEST_{number}}}"}
        return {name: canary.replace("$", "$$")}

    def auth(self, kind: str, way: str) -> Tree:
        """Return an `auth` of this kind, each of its secrets a canary."""
        tree: Tree = {}
        for name in FIELDS[kind]:
            tree |= self.secret(name, way)
        names = {"domain_name": "domain", "user_name": "user"} if kind == "password" else {}
        return {kind: {**names, **tree}}

    def add(self, name: str, auth: Tree, endpoint: str, iam_endpoint: str = "", **changes: Any) -> None:
        """Add a project that watches one task and whatever is listed."""
        place = {"region": REGION, "endpoint": endpoint, "iam_endpoint": iam_endpoint or endpoint}
        tasks = {"tasks": [{"id": TASK}], "discovery": {}}
        project = {"name": name, "project_id": "0a1b", "auth": auth, **place, **tasks, **changes}
        self.projects.append({key: value for key, value in project.items() if value is not None})

    def write(self, name: str = "config.yml", *projects: Tree) -> Path:
        """Write a configuration file of all projects, or of some."""
        polling = {"interval": "1h", "refresh": "1h", "timeout": "5s", "requests_per_second": 0}
        path = self.folder / name
        path.write_text(json.dumps({"projects": projects or self.projects, "polling": polling}), "utf-8")
        path.chmod(0o600)
        return path


def add_echoes(aviary: Aviary, server: Hostile, modes: Sequence[str] = MODES) -> None:
    """Every kind of `auth`, every answer that repeats what was said; the ways to give a secret take turns."""
    for number, mode in enumerate(modes):
        ways = [WAYS[(number + shift) % len(WAYS)] for shift in range(len(FIELDS))]
        url = f"{server.url}/{mode}"
        for kind, way in zip(FIELDS, ways, strict=True):
            aviary.add(f"{kind} {mode}", aviary.auth(kind, way), url)
        signed_in = aviary.auth("password", ways[0])
        aviary.add(f"signed in {mode}", signed_in, url, f"{server.url}/issued")
        aviary.add(f"looked up {mode}", aviary.auth("aksk", ways[1]), url, project_id=None)
        keys = {"metadata": {"endpoint": f"{server.url}/keys"}}
        aviary.add(f"metadata {mode}", keys, url)
        asked = {"metadata": {"endpoint": url}}
        aviary.add(f"no metadata {mode}", asked, url)


def add_dead_ends(aviary: Aviary, server: Hostile, tls: Hostile) -> None:
    """Every kind of `auth`, and hosts that never get to see it."""
    places = {
        "nobody": "http://127.0.0.1:1",
        "no name": "https://workspace.invalid",
        "not trusted": f"https://127.0.0.1:{tls.port}",
        "no TLS": f"https://127.0.0.1:{server.port}",
    }
    for number, (name, place) in enumerate(places.items()):
        for kind in FIELDS:
            aviary.add(f"{kind} {name}", aviary.auth(kind, WAYS[number % len(WAYS)]), place)


def add_proxies(aviary: Aviary, server: Hostile) -> None:
    """A proxy that refuses and repeats, one that is not there, one that speaks no HTTP; user and password."""
    number = 0
    for name, port in (("refusing", server.port), ("absent", 1)):
        for endpoint in ("http://127.0.0.1:2/x", "https://workspace.invalid"):
            for way in WAYS:
                number += 1
                user = f"{CANARY}proxy-user-{number}:{CANARY}proxy%2Fpassword-{number}"
                proxy = aviary.secret("proxy_url", way, f"http://{user}@127.0.0.1:{port}")
                auth = aviary.auth("token", way)
                aviary.add(f"proxy {name} {number}", auth, endpoint, **proxy)
    user = f"{CANARY}proxy-user-env:{CANARY}proxy-password-env"
    aviary.environment["https_proxy"] = aviary.environment["http_proxy"] = (
        f"http://{user}@127.0.0.1:{server.port}"
    )
    auth = aviary.auth("token", "inline")
    aviary.add("proxy of the environment", auth, "http://127.0.0.1:2/x", proxy_from_environment=True)


def add_good(aviary: Aviary, cloud: Cloud) -> None:
    """A cloud that accepts the canaries: what is said where nothing goes wrong."""
    account = cloud.service.options.credentials
    for kind, secrets in {
        "token": {"token": account.token},
        "password": {"password": account.password},
        "aksk": {"access_key": account.access_key, "secret_key": account.secret_key},
    }.items():
        for way in WAYS:
            tree: Tree = {}
            for name, value in secrets.items():
                tree |= aviary.secret(name, way, value)
            if kind == "password":
                tree |= {"domain_name": account.domain_name, "user_name": account.user_name}
            place = cloud.world.project.id if kind == "token" else None
            aviary.add(f"good {kind} {way}", {kind: tree}, cloud.url, project_id=place)
