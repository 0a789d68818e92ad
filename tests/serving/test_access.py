"""Who gets in, and what every answer carries."""

from __future__ import annotations

import asyncio
import base64
import threading
from typing import TYPE_CHECKING

import bcrypt
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.serving.access import Access, Credentials, parse_credentials
from exporter.serving.passwords import PasswordCheck, Verdict
from exporter.serving.websource import WebSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

HASH = bcrypt.hashpw("sécret:".encode(), bcrypt.gensalt(4))
USERS = WebSettings(users={"alice": HASH})
OPEN = ("/-/healthy", "/-/ready")


async def application(_: Scope, __: Receive, send: Send) -> None:
    """Answer 200 with a header of its own."""
    headers = [(b"x-frame-options", b"DENY"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"in"})


class Door:
    """An Access under test; its settings can be changed."""

    def __init__(self, settings: WebSettings, passwords: PasswordCheck | None = None) -> None:
        self.settings = settings
        self.access = Access(application, lambda: self.settings, open_paths=OPEN, passwords=passwords)

    async def ask(
        self, path: str = "/metrics", authorization: str | list[str] = "", method: str = "GET"
    ) -> httpx.Response:
        """Make a request."""
        values = [authorization] if isinstance(authorization, str) else authorization
        headers = [("authorization", value) for value in values if value]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.access)) as client:
            return await client.request(method, f"http://exporter{path}", headers=headers)


def basic(text: str | bytes, scheme: str = "Basic") -> str:
    """Return an Authorization field."""
    raw = text.encode() if isinstance(text, str) else text
    return f"{scheme} {base64.b64encode(raw).decode()}"


async def test_no_users_no_password() -> None:
    """Without users everybody gets in."""
    assert (await Door(WebSettings()).ask()).text == "in"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (basic("alice:sécret:"), 200),
        (basic("alice:sécret:", "bAsIc"), 200),
        (basic("alice:sécret:", "Basic  "), 200),
        ("", 401),
        ("Basic", 401),
        ("Basic ", 401),
        (basic(""), 401),
        (basic("alice"), 401),
        (basic("alice:"), 401),
        (basic("alice:sécret"), 401),
        (basic("Alice:sécret:"), 401),
        (basic("bob:sécret:"), 401),
        (basic(b"\xff\xfe:x"), 401),
        (basic("alice:" + "p" * 73), 401),
        (basic("alice:" + "p" * 8000), 401),
        (basic("alice:\0"), 401),
        ("Basic %%%", 401),
        ("Basic YQ", 401),
        ("Basic YWxpY2U6 c8OpY3JldDo=", 401),
        (basic("alice:sécret:", "Bearer"), 401),
        ([basic("alice:sécret:"), basic("alice:sécret:")], 401),
    ],
)
async def test_credentials(authorization: str | list[str], status: int) -> None:
    """The user's own password gets in; anything else is a 401, never an error."""
    response = await Door(USERS).ask(authorization=authorization)
    assert response.status_code == status
    if status == 401:
        assert response.headers["www-authenticate"].startswith('Basic realm="')
        assert "alice" not in response.text


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/reload", "/nowhere", "/-/healthy/", "/-/READY"])
async def test_every_other_path_is_closed(path: str) -> None:
    """What is not open is closed, whether it exists or not."""
    assert (await Door(USERS).ask(path)).status_code == 401


@pytest.mark.parametrize("path", OPEN)
async def test_open_paths(path: str) -> None:
    """The probes of an orchestrator need no password."""
    assert (await Door(USERS).ask(path)).status_code == 200
    assert (await Door(USERS).ask(path, "nonsense")).status_code == 200


async def test_users_are_taken_up_at_once() -> None:
    """A change of the users is in force for the next request, also against an answer that was kept."""
    door = Door(USERS)
    good = basic("alice:sécret:")
    assert (await door.ask(authorization=good)).status_code == 200
    door.settings = WebSettings(users={"alice": bcrypt.hashpw(b"new", bcrypt.gensalt(4))})
    assert (await door.ask(authorization=good)).status_code == 401
    assert (await door.ask(authorization=basic("alice:new"))).status_code == 200


async def test_head_of_a_refusal() -> None:
    """A HEAD is refused with the head of the refusal, and no body."""
    response = await Door(USERS).ask(method="HEAD")
    assert (response.status_code, response.content) == (401, b"")


async def test_too_many_checks() -> None:
    """A check that finds no place is a 429 that says when to come again."""

    class Full(PasswordCheck):
        async def check(self, *_: object) -> Verdict:
            return Verdict.BUSY

    response = await Door(USERS, Full()).ask(authorization=basic("alice:x"))
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


async def test_the_clients_address_is_what_places_are_counted_by() -> None:
    """Places are counted by address, not by port; a socket without one is one address."""
    seen: list[object] = []

    class Noting(PasswordCheck):
        async def check(self, users: Mapping[str, bytes], name: str, password: bytes, origin: str) -> Verdict:
            seen.append((users, name, password, origin))
            return Verdict.ACCEPTED

    access = Access(application, lambda: USERS, passwords=Noting())
    headers = [(b"authorization", basic("alice:x").encode())]

    async def send(_: object) -> None:
        pass

    async def receive() -> dict[str, object]:
        return {}

    for client in (("192.0.2.1", 5), None):
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "client": client}
        await access(scope, receive, send)
    assert seen == [(USERS.users, "alice", b"x", "192.0.2.1"), (USERS.users, "alice", b"x", "")]


async def test_the_operators_fields() -> None:
    """The fields of the file are on every answer, in place of the application's, also on a refusal."""
    fields = ((b"x-frame-options", b"sameorigin"), (b"strict-transport-security", b"max-age=1"))
    door = Door(WebSettings(users=USERS.users, headers=fields))
    for path, status in (("/-/ready", 200), ("/", 401)):
        response = await door.ask(path)
        assert response.status_code == status
        assert response.headers["x-frame-options"] == "sameorigin"
        assert response.headers["strict-transport-security"] == "max-age=1"
    assert (await door.ask("/-/ready")).headers["content-type"] == "text/plain"


async def test_other_scopes_pass() -> None:
    """Anything but HTTP, such as a lifespan, is the application's business."""
    seen = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> dict[str, object]:
        return {}

    await Access(app, lambda: USERS)({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


@given(
    st.lists(st.binary(max_size=60) | st.builds(lambda raw: b"Basic " + base64.b64encode(raw), st.binary()))
)
def test_any_authorization(values: list[bytes]) -> None:
    """Whatever is sent is credentials or nothing."""
    found = parse_credentials(values)
    assert found is None or len(values) == 1


@given(st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"])), st.binary())
def test_credentials_round_trip(name: str, password: bytes) -> None:
    """A name without a colon, and any password, are read as they were written (RFC 7617)."""
    token = base64.b64encode(name.encode() + b":" + password)
    assert parse_credentials([b"Basic " + token]) == Credentials(name, password)


def test_a_password_does_not_show() -> None:
    """The repr of credentials, as in a traceback of a careless logger, has no password."""
    assert "canary" not in repr(Credentials("alice", b"canary"))


async def test_a_slow_check_holds_nobody_up() -> None:
    """While a password is being checked, open paths and users whose answer is kept are served."""
    go = threading.Event()

    def compare(password: bytes, _: bytes) -> bool:
        return password != b"slow" or go.wait(10)

    door = Door(USERS, PasswordCheck(compare))
    good = basic("alice:quick")
    await door.ask(authorization=good)
    slow = asyncio.create_task(door.ask(authorization=basic("alice:slow")))
    await asyncio.sleep(0)
    assert (await door.ask(authorization=good)).status_code == 200
    assert (await door.ask("/-/ready")).status_code == 200
    assert not slow.done()
    go.set()
    assert (await slow).status_code == 200
