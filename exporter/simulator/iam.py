"""IAM's three operations and the metadata service (api_facts.md, sections 4a to 4c)."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from exporter.simulator.answers import TEXT_TYPE, Answer, iam_error
from exporter.simulator.dice import hex_digits
from exporter.simulator.identity import METADATA_TOKEN_SECONDS, RefusedError
from exporter.simulator.service import refusal

if TYPE_CHECKING:
    from exporter.simulator.identity import Token
    from exporter.simulator.service import Call, Service
    from exporter.simulator.tasks import Project

_DOMAIN_ID = hex_digits(32, "domain")
_USER_ID = hex_digits(32, "user")


class _MalformedError(Exception):
    """A body that is no request for a token."""


def create_token(service: Service, call: Call) -> Answer:
    """Answer POST /v3/auth/tokens: a password for a token, in the header X-Subject-Token."""
    now = service.wall()
    try:
        auth = _member(_parsed(call.body), "auth")
        domain_name, user_name, password = _password(auth)
        service.identity.check_password(domain_name, user_name, password, now)
        project = _scope(service, auth)
    except _MalformedError as error:
        return iam_error(400, str(error), "Bad Request")
    except RefusedError as error:
        return iam_error(401, str(error), "Unauthorized")
    project_id = "" if project is None else project.id
    text = service.identity.issue_token(project_id, service.options.token_lifetime, now)
    tree = _token_tree(service, service.identity.token(text, now), catalog="nocatalog" not in call.arguments)
    return Answer(201, tree, headers={"X-Subject-Token": text})


def show_token(service: Service, call: Call) -> Answer:
    """Answer GET /v3/auth/tokens: what a token (X-Subject-Token) is good for."""
    now = service.wall()
    try:
        service.identity.token(call.headers.get("x-auth-token", ""), now)
    except RefusedError:
        return iam_error(401, "The request you have made requires authentication.", "Unauthorized")
    subject = call.headers.get("x-subject-token", "")
    try:
        token = service.identity.token(subject, now)
    except RefusedError:
        return iam_error(404, "The token could not be found.", "Not Found")
    tree = _token_tree(service, token, catalog="nocatalog" not in call.arguments)
    return Answer(200, tree, headers={"X-Subject-Token": subject})


def list_projects(service: Service, call: Call) -> Answer:
    """Answer GET /v3/projects?name=: the projects of that name, or all."""
    refused = refusal(service, call, None)
    if refused is not None:
        return iam_error(401, "The request you have made requires authentication.", "Unauthorized")
    name = call.arguments.get("name")
    rows = [
        {"id": project.id, "name": project.name, "domain_id": _DOMAIN_ID, "enabled": True, "is_domain": False}
        for project in service.projects()
        if name in {None, project.name}
    ]
    return Answer(200, {"projects": rows, "links": {"self": "/v3/projects", "next": None, "previous": None}})


def metadata_token(service: Service, call: Call) -> Answer:
    """Answer PUT /meta-data/latest/api/token: a token for the metadata service, as text."""
    if service.options.metadata != "token":
        return Answer(404, text="404 Not Found", media_type=TEXT_TYPE)
    text = call.headers.get("x-metadata-token-ttl-seconds", str(METADATA_TOKEN_SECONDS))
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) <= METADATA_TOKEN_SECONDS:
        return Answer(400, text="400 Bad Request", media_type=TEXT_TYPE)
    issued = service.identity.issue_metadata_token(float(text), service.wall())
    return Answer(200, text=issued, media_type=TEXT_TYPE)


def security_key(service: Service, call: Call) -> Answer:
    """Answer GET /openstack/latest/securitykey: the temporary keys of the agency."""
    options, now = service.options, service.wall()
    if options.metadata == "off":
        return Answer(404, text="404 Not Found", media_type=TEXT_TYPE)
    token = call.headers.get("x-metadata-token", "")
    if options.metadata == "token" and not service.identity.metadata_token_good(token, now):
        return Answer(401, text="401 Unauthorized", media_type=TEXT_TYPE)
    pair = service.identity.temporary_keys(options.key_lifetime, now)
    credential = {
        "access": pair.access_key,
        "secret": pair.secret_key,
        "securitytoken": pair.security_token,
        "expires_at": _utc(pair.expires or now),
    }
    return Answer(200, {"credential": credential})


def _token_tree(service: Service, token: Token, *, catalog: bool) -> dict[str, object]:
    tree: dict[str, object] = {
        "expires_at": _utc(token.expires),
        "issued_at": _utc(token.issued),
        "methods": ["password"],
        "user": {"id": _USER_ID, "name": service.options.credentials.user_name},
        "roles": [{"id": "0", "name": "te_admin"}],
    }
    if token.project_id:
        name = service.worlds[token.project_id].project.name
        tree["project"] = {"id": token.project_id, "name": name, "domain": {"id": _DOMAIN_ID}}
    else:
        tree["domain"] = {"id": _DOMAIN_ID, "name": service.options.credentials.domain_name}
    if catalog:
        tree["catalog"] = [{"type": "workspace", "name": "workspace", "endpoints": []}]
    return {"token": tree}


def _password(auth: dict[str, object]) -> tuple[str, str, str]:
    identity = _member(auth, "identity")
    if identity.get("methods") != ["password"]:
        raise _MalformedError("Only the method password is supported here.")
    user = _member(_member(identity, "password"), "user")
    return _text(_member(user, "domain"), "name"), _text(user, "name"), _text(user, "password")


def _scope(service: Service, auth: dict[str, object]) -> Project | None:
    """Return the project that the token is for; none for a global token. A project beats a domain."""
    if "scope" not in auth or "project" not in _member(auth, "scope"):
        return None
    wanted = _member(_member(auth, "scope"), "project")
    for project in service.projects():
        if wanted.get("id") == project.id or ("id" not in wanted and wanted.get("name") == project.name):
            return project
    raise RefusedError("The user has no such project.")


def _parsed(body: bytes) -> dict[str, object]:
    try:
        tree = json.loads(body)
    except ValueError:
        raise _MalformedError("The body is not JSON.") from None
    if not isinstance(tree, dict):
        raise _MalformedError("The body is no object.")
    return tree


def _member(tree: dict[str, object], name: str) -> dict[str, object]:
    value = tree.get(name)
    if not isinstance(value, dict):
        raise _MalformedError(f"{name} is missing or is no object.")
    return value


def _text(tree: dict[str, object], name: str) -> str:
    value = tree.get(name)
    if not isinstance(value, str):
        raise _MalformedError(f"{name} is missing or is no text.")
    return value


def _utc(instant: float) -> str:
    """Return an instant as IAM writes it: UTC with microseconds."""
    return dt.datetime.fromtimestamp(instant, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
