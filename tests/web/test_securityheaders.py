"""exporter.web.securityheaders: fields are added once, and never in place of an endpoint's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.web.securityheaders import secured

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send


async def test_an_endpoints_own_fields_stay() -> None:
    """What the application says itself is kept, the rest is added once; bodies pass untouched."""
    own = [(b"content-type", b"text/plain"), (b"x-frame-options", b"SAMEORIGIN")]

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": own})
        await send({"type": "http.response.body", "body": b"hello"})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await secured(app)({"type": "http"}, receive, send)
    names = [name for name, _ in sent[0]["headers"]]
    assert len(names) == len(set(names))
    headers = dict(sent[0]["headers"])
    assert headers[b"x-frame-options"] == b"SAMEORIGIN"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"
    assert sent[1] == {"type": "http.response.body", "body": b"hello"}
    assert own == [(b"content-type", b"text/plain"), (b"x-frame-options", b"SAMEORIGIN")]
