"""Who gets in: ASGI middleware for Basic authentication (RFC 7617) and the operator's header fields."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.serving.passwords import PasswordCheck, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from exporter.serving.websource import WebSettings

_ANSWERS = {
    Verdict.REFUSED: (
        401,
        b"A user name and password are needed.\n",
        (b"www-authenticate", b'Basic realm="workspace-exporter", charset="UTF-8"'),
    ),
    # No 5xx: the server is well, it is being asked too much.
    Verdict.BUSY: (429, b"Too many passwords are waiting to be checked.\n", (b"retry-after", b"1")),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user's name and password, as sent; the password does not show."""

    name: str
    password: bytes = field(repr=False)


class Access:
    """Lets a request through to the application where it has the right, or needs none.

    `settings` is asked at every request, so that a change of the file is in force at once. `open_paths` need
    no password.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Callable[[], WebSettings],
        *,
        open_paths: Collection[str] = (),
        passwords: PasswordCheck | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._open_paths = frozenset(open_paths)
        self._passwords = passwords or PasswordCheck()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 429, or let the application answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = self._settings()
        decorated = _decorate(send, settings.headers) if settings.headers else send
        verdict = await self._judge(scope, settings)
        if verdict is Verdict.ACCEPTED:
            await self._app(scope, receive, decorated)
        else:
            await _answer(decorated, *_ANSWERS[verdict], head=scope["method"] == "HEAD")

    async def _judge(self, scope: Scope, settings: WebSettings) -> Verdict:
        if not settings.users or scope["path"] in self._open_paths:
            return Verdict.ACCEPTED
        credentials = parse_credentials(
            [value for name, value in scope["headers"] if name == b"authorization"]
        )
        if credentials is None:
            return Verdict.REFUSED
        origin = scope["client"][0] if scope.get("client") else ""
        return await self._passwords.check(settings.users, credentials.name, credentials.password, origin)


def parse_credentials(values: list[bytes]) -> Credentials | None:
    """Return what the Authorization fields of a request say; None for anything but one good Basic field."""
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(token.strip(b" "), validate=True).partition(b":")
        return Credentials(name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _decorate(send: Send, fields: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Return a `send` that sets the operator's fields; they replace what the application says."""
    names = {name for name, _ in fields}

    async def decorated(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].lower() not in names]
            message = {**message, "headers": [*kept, *fields]}
        await send(message)

    return decorated


async def _answer(send: Send, status: int, text: bytes, extra: tuple[bytes, bytes], *, head: bool) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else text})
