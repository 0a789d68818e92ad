"""The files that the status page links: read once, served from memory, named by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEDIA_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: where it is served, and the reference to link it by."""

    path: str
    url: str
    """Relative, so that a proxy may serve the page under a prefix; changes with the content."""
    media_type: str
    body: bytes


def load_assets() -> Mapping[str, Asset]:
    """Return the assets by file name."""
    folder = files("exporter.web").joinpath("static")
    return {
        name: _asset(name, media_type, folder.joinpath(name).read_bytes())
        for name, media_type in _MEDIA_TYPES.items()
    }


def _asset(name: str, media_type: str, body: bytes) -> Asset:
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"/static/{name}", f"./static/{name}?v={digest}", media_type, body)
