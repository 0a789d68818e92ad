"""The configuration: bad files, each with its exact message, and what its tests share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.config import Config, Project
from exporter.configfile import parse_config
from exporter.errors import ConfigError

FOLDER = Path("/etc/exporter")
"""Where the configuration is, as far as the tests say."""

BASE = """
projects:
  - name: prod
    region: cn-north-4
    project_id: 0a1b2c3d
    auth: {token: {token: hunter2}}
    tasks: [{id: 8d2e}]
"""
"""The smallest good configuration."""


def parse(text: str, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in `text`, as if from a file in FOLDER."""
    return parse_config(text, environment or {}, FOLDER)


def project(auth: str, more: str = "") -> Project:
    """A project that signs in with `auth`."""
    text = f"projects: [{{name: p, region: cn-north-4, project_id: a1, auth: {auth}, discovery: {{}}{more}}}]"
    return parse(text).projects[0]


def refused(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The error that `text` gives."""
    with pytest.raises(ConfigError) as caught:
        parse(text, environment)
    return str(caught.value)
