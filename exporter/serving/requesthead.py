"""The head of a request, as h11 read it -> a refusal, or the scope that an ASGI application is given."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    import h11
    from starlette.types import Scope

    from exporter.serving.crowd import Limits

    Address = tuple[str, int] | None

_VERSIONS = (b"1.0", b"1.1")
_AUTHORITY = re.compile(rb"https?://[^/?]*", re.IGNORECASE)


def refusal(request: h11.Request, limits: Limits) -> HTTPStatus | None:
    """Return why a request is refused before the application sees it; None for one that may pass."""
    if request.http_version not in _VERSIONS:
        return HTTPStatus.BAD_REQUEST
    if len(request.target) > limits.target_bytes:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    size = sum(len(name) + len(value) for name, value in request.headers)
    if size > limits.head_bytes or len(request.headers) > limits.head_fields:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return None


def refusal_of_broken(error: h11.RemoteProtocolError, unread: bytes) -> HTTPStatus:
    """Return the status for a head that h11 gave up on; `unread` is what it holds of it."""
    status = HTTPStatus(error.error_status_hint)
    if status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE and b"\n" not in unread:
        return HTTPStatus.REQUEST_URI_TOO_LONG  # not even the first line has ended
    return status


def make_scope(request: h11.Request, scheme: str, client: Address, server: Address) -> Scope:
    """Return the scope (ASGI specification, HTTP, version 2.4). A path that is no UTF-8 is mended."""
    raw_path, _, query = _origin_form(request.target).partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "scheme": scheme,
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "client": client,
        "server": server,
        "state": {},
    }


def _origin_form(target: bytes) -> bytes:
    """Return path and query of a target; a proxy's absolute form is taken too (RFC 9112, section 3.2.2)."""
    match = _AUTHORITY.match(target)
    if match is None:
        return target
    rest = target[match.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest
