"""Temporary keys from the metadata service: both variants, renewed before their end, never by a proxy."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from exporter.errors import ApiError, BodyError, CredentialsError, StatusError
from exporter.upstream.client import Client
from tests.upstream.fakes import EPOCH, TASKS, Observed, answer, client_over, fail, run
from tests.upstream.test_auth_aksk import verify

IMDS = "169.254.169.254"
AUTH: dict[str, Any] = {"metadata": {}}


class Server:
    """A metadata service with or without tokens, and an API that takes its newest keys."""

    def __init__(self, *, tokens: bool = True) -> None:
        self.tokens = tokens
        self.token_status = 404
        self.agency = True
        self.lifetime = 86_400.0
        self.serial = 0
        self.fixed = False
        self.valid_tokens: set[str] = set()
        self.seen: list[tuple[str, str, str]] = []
        self.keys_answer: tuple[Any, int] | None = None
        self.accept_keys = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.url.host != IMDS:
            good = self.accept_keys and verify(request, f"canary-secret-{self.serial}")
            return answer(TASKS) if good else answer(b"", 401)
        self.seen.append((request.method, request.url.path, request.headers.get("x-metadata-token", "")))
        if request.method == "PUT":
            return self._token(request)
        return self._keys(request)

    def _token(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/meta-data/latest/api/token"
        assert request.headers["x-metadata-token-ttl-seconds"] == "21600"
        if not self.tokens:
            return answer(b"", self.token_status)
        name = f"canary-imds-{len(self.seen)}"
        self.valid_tokens = {name}
        return answer(name.encode())

    def _keys(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/openstack/latest/securitykey"
        if self.tokens and request.headers.get("x-metadata-token") not in self.valid_tokens:
            return answer(b"unauthorized", 401)
        if not self.agency:
            return answer(b"<html><h1>401</h1> Please configure Cloud Service Agency first</html>", 401)
        if self.keys_answer:
            return answer(*self.keys_answer)
        if not (self.fixed and self.serial):
            self.serial += 1
        now = EPOCH + asyncio.get_running_loop().time() - 1000.0
        end = datetime.fromtimestamp(now + self.lifetime, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return answer(
            {
                "credential": {
                    "access": f"CANARYACCESS{self.serial}",
                    "secret": f"canary-secret-{self.serial}",
                    "securitytoken": f"canary-security-{self.serial}",
                    "expires_at": end,
                }
            }
        )


def over(server: Server, observed: Observed | None = None, **changes: Any) -> Client:
    """A client of it."""
    return client_over(server, AUTH, observer=observed, project_id="p", **changes)


PUT = ("PUT", "/meta-data/latest/api/token", "")
PLAIN = ("GET", "/openstack/latest/securitykey", "")


def test_with_a_token() -> None:
    """A token first, then the keys with it; requests are signed with the keys."""

    async def main() -> tuple[Server, Observed, Client]:
        server, observed = Server(), Observed()
        client = over(server, observed)
        await client.list_tasks(0, 50)
        await client.list_tasks(0, 50)
        return server, observed, client

    server, observed, client = run(main())
    assert server.seen == [PUT, ("GET", "/openstack/latest/securitykey", "canary-imds-1")]
    assert observed.requests == [("metadata", "200")] * 2 + [("list_tasks", "200")] * 2
    assert client.token_expiry is not None
    assert client.token_expiry[0] == "metadata"
    assert client.token_expiry[1] == pytest.approx(EPOCH + 86_400, abs=1)
    assert client.auth_ok


@pytest.mark.parametrize("status", [404, 405, 503])
def test_without_tokens(status: int) -> None:
    """A service that has no tokens is asked without, and about tokens again after a day."""

    async def main() -> Server:
        server = Server(tokens=False)
        server.token_status, server.lifetime = status, 7200.0
        client = over(server)
        for _ in range(30):
            await client.list_tasks(0, 50)
            await asyncio.sleep(3600)
        await client.aclose()
        return server

    seen = run(main()).seen
    assert seen[:2] == [PUT, PLAIN]
    assert seen.count(PUT) == 2
    assert {path for _, path, _ in seen[2:]} >= {"/openstack/latest/securitykey"}


def test_an_unexpected_answer_for_a_token() -> None:
    """Any other status is trouble, and no reason to go without a token."""

    async def main() -> tuple[Server, ApiError]:
        server = Server(tokens=False)
        server.token_status = 403
        return server, await fail(over(server))

    server, error = run(main())
    assert isinstance(error, StatusError)
    assert server.seen == [PUT]


def test_a_token_that_has_ended() -> None:
    """A 401 to the question for keys gets one new token, and one more try."""

    async def main() -> Server:
        server = Server()
        server.lifetime = 7200.0
        client = over(server)
        await client.list_tasks(0, 50)
        server.valid_tokens.clear()
        await asyncio.sleep(8000)
        await client.list_tasks(0, 50)
        return server

    assert [method for method, *_ in run(main()).seen] == ["PUT", "GET", "GET", "PUT", "GET"]


def test_a_token_that_never_works() -> None:
    """The second 401 is the answer."""

    async def main() -> tuple[Server, ApiError]:
        server = Server()
        server.keys_answer = (b"", 401)
        return server, await fail(over(server))

    server, error = run(main())
    assert [method for method, *_ in server.seen] == ["PUT", "GET", "PUT", "GET"]
    assert str(error) == "metadata: the credentials were not accepted (401)"


def test_a_token_that_cannot_be_renewed() -> None:
    """Where the service asks for a token and gives none, that is the answer."""

    async def main() -> tuple[Server, ApiError]:
        server = Server()
        server.keys_answer = (b"", 401)
        client = over(server)
        await fail(client)
        server.tokens = False
        await asyncio.sleep(60)
        return server, await fail(client)

    server, error = run(main())
    assert [method for method, *_ in server.seen[4:]] == ["GET", "PUT"]
    assert isinstance(error, StatusError)
    assert error.answer.status == 404


def test_no_agency() -> None:
    """A server without an agency says so; it is not asked again for a minute."""

    async def main() -> tuple[Server, ApiError, Client]:
        server = Server()
        server.agency = False
        client = over(server)
        error = await fail(client)
        for _ in range(58):
            await asyncio.sleep(1)
            await fail(client)
        count = len(server.seen)
        assert count == 2
        assert not client.auth_ok
        server.agency = True
        await asyncio.sleep(3)
        await client.list_tasks(0, 50)
        return server, error, client

    _, error, client = run(main())
    assert isinstance(error, CredentialsError)
    assert "this server has no agency" in str(error)
    assert client.auth_ok


def test_renewed_before_their_end() -> None:
    """From forty minutes before the end on, new keys are asked for in the background."""

    async def main() -> tuple[int, int]:
        server = Server()
        client = over(server)
        await client.list_tasks(0, 50)
        await asyncio.sleep(86_400 - 2401)
        await client.sign_in()
        early = server.serial
        await asyncio.sleep(2)
        await client.sign_in()
        await asyncio.sleep(1)
        await client.list_tasks(0, 50)
        return early, server.serial

    assert run(main()) == (1, 2)


def test_refused_keys_are_renewed_once() -> None:
    """A 401 gets new keys; where the service has no others, the refusal is the answer."""

    async def main() -> tuple[Server, ApiError, Observed]:
        server, observed = Server(), Observed()
        client = over(server, observed)
        await client.list_tasks(0, 50)
        server.serial += 1  # the API takes other keys than those that were given out
        await client.list_tasks(0, 50)
        server.fixed, server.accept_keys = True, False
        return server, await fail(client), observed

    _, error, observed = run(main())
    assert isinstance(error, CredentialsError)
    assert observed.counts[("list_tasks", "200")] == 2
    assert observed.counts[("list_tasks", "401")] == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credential": []},
        {"credential": {"access": "a", "secret": "b"}},
        {"credential": {"access": "a b", "secret": "b", "securitytoken": "c"}},
        {"credential": {"access": "a", "secret": 5, "securitytoken": "c"}},
    ],
)
def test_malformed_keys(body: Any) -> None:
    """Keys that are none are an answer that is not what it should be."""

    async def main() -> ApiError:
        server = Server()
        server.keys_answer = (body, 200)
        return await fail(over(server))

    error = run(main())
    assert isinstance(error, BodyError)
    assert str(error) == "metadata: the metadata service gave no usable keys"


def test_a_malformed_token() -> None:
    """A page instead of a token is not used as one."""

    async def main() -> ApiError:
        return await fail(client_over(lambda _: answer(b"<html> x"), AUTH, project_id="p"))

    assert "no usable token" in str(run(main()))


def test_keys_that_do_not_say_when_they_end() -> None:
    """They are used until they are refused."""

    async def main() -> Client:
        server = Server()
        server.serial = 1
        credential = {"access": "A", "secret": "canary-secret-1", "securitytoken": "t"}
        server.keys_answer = ({"credential": credential}, 200)
        client = over(server)
        await client.list_tasks(0, 50)
        return client

    assert run(main()).token_expiry is None
