"""Header fields that every answer carries, unless the endpoint has said otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the status page: its own files and nothing else, nothing inline."""

_FIELDS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


def secured(app: ASGIApp) -> ASGIApp:
    """Return an application that adds the fields to what `app` answers; a field that is there stays."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        async def secured_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = {name for name, _ in message["headers"]}
                missing = [field for field in _FIELDS if field[0] not in named]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        await app(scope, receive, secured_send)

    return application
