"""IAM's answers, and what is asked of it. Pure.

Sources: api_facts.md, section 4a and 4b; https://support.huaweicloud.com/api-iam/iam_30_0001.html.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from exporter.decode import decode_object
from exporter.errors import BodyError
from exporter.timestamps import TimeError, parse_time


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What IAM says of a token: epoch seconds, and the project of its scope; None or empty where unsaid."""

    expires: float | None
    issued: float | None
    project_id: str


def token_request(domain: str, user: str, password: str, *, region: str | None, project: str | None) -> bytes:
    """Return the body that asks for a token, scoped to the project id, or to the project that a region has.

    Without a scope the token would be a global one, which the Workspace API does not take.
    """
    scope = {"id": project} if project else {"name": region}
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": user, "password": password, "domain": {"name": domain}}},
    }
    return json.dumps({"auth": {"identity": identity, "scope": {"project": scope}}}).encode()


def decode_token(body: bytes, operation: str) -> TokenInfo:
    """Decode what POST and GET /v3/auth/tokens answer; raises BodyError."""
    token = decode_object(body, operation).get("token")
    if not isinstance(token, dict):
        raise BodyError("the answer holds no token object", label="body", operation=operation)
    project = token.get("project")
    project_id = project.get("id") if isinstance(project, dict) else None
    return TokenInfo(
        expires=time_of(token.get("expires_at")),
        issued=time_of(token.get("issued_at")),
        project_id=project_id if isinstance(project_id, str) else "",
    )


def decode_projects(body: bytes) -> list[str]:
    """Decode what GET /v3/projects answers: the projects' ids; raises BodyError."""
    projects = decode_object(body, "list_projects").get("projects")
    if not isinstance(projects, list):
        raise BodyError("projects is not a list", label="body", operation="list_projects")
    ids = [project.get("id") for project in projects if isinstance(project, dict)]
    return [entry for entry in ids if isinstance(entry, str)]


def time_of(value: Any) -> float | None:
    """Return one of IAM's times (`2020-01-04T09:05:22.701000Z`) as epoch seconds; None for anything else."""
    try:
        return parse_time(value, "") if isinstance(value, str) else None
    except TimeError:
        return None
