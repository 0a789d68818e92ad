"""Tokens by password: renewed ahead of their end and once after a 401; a refused password is left alone."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.errors import ApiError, BodyError, CredentialsError, TransportError
from exporter.upstream.client import Client
from tests.upstream.fakes import (
    EPOCH,
    PROJECT_ID,
    RECORDS,
    TASK,
    TASKS,
    Observed,
    answer,
    client_over,
    fail,
    run,
    token_answer,
)

PASSWORD = "canary-password"
AUTH = {"password": {"domain_name": "domain", "user_name": "reader", "password": PASSWORD}}
WRONG = {"error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}}
EXPIRED = {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication information: token expires"}


class Iam:
    """IAM and an API that takes its newest token."""

    def __init__(self, *, latency: float = 0.05) -> None:
        self.issued = 0
        self.latency = latency
        self.lifetime = 86_400.0
        self.project: str | None = PROJECT_ID
        self.passwords: list[str] = []
        self.scopes: list[Any] = []
        self.good = PASSWORD
        self.refusal = answer(WRONG, 401)
        self.valid: set[str] = set()
        self.down = False
        self.closed = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        await asyncio.sleep(self.latency)
        if request.url.path == "/v3/auth/tokens":
            return self._token(json.loads(request.content))
        if self.closed or request.headers.get("x-auth-token", "") not in self.valid:
            return answer(EXPIRED, 401)
        return answer(RECORDS if "records" in request.url.path else TASKS)

    def _token(self, body: Any) -> httpx.Response:
        if self.down:
            return answer(b"", 503)
        password = body["auth"]["identity"]["password"]["user"]["password"]
        self.passwords.append(password)
        self.scopes.append(body["auth"]["scope"]["project"])
        if password != self.good:
            return self.refusal
        self.issued += 1
        self.valid.add(f"issued-token-{self.issued}")
        now = asyncio.get_running_loop().time() - 1000.0
        return token_answer(self.issued, issued=now, seconds=self.lifetime, project=self.project)


def test_sign_in() -> None:
    """The first request signs in; the token's project is the project; its end is known."""

    async def main() -> tuple[Iam, Client, Observed, str]:
        iam, observed = Iam(), Observed()
        client = client_over(iam, AUTH, observer=observed)
        assert client.project_id == ""
        await client.list_tasks(0, 50)
        await client.list_tasks(0, 50)
        return iam, client, observed, await client.sign_in()

    iam, client, observed, project_id = run(main())
    assert project_id == client.project_id == PROJECT_ID
    assert iam.scopes == [{"name": "cn-north-4"}]
    assert observed.requests == [("create_token", "201"), ("list_tasks", "200"), ("list_tasks", "200")]
    assert client.auth_ok
    assert client.token_expiry is not None
    kind, end = client.token_expiry
    assert kind == "password"
    assert end == pytest.approx(EPOCH + 86_400, abs=1)


def test_eight_401_cause_one_sign_in() -> None:
    """Eight reads that all get a 401 at once cause one new sign-in, not eight; and all succeed."""

    async def main() -> tuple[Iam, Observed]:
        iam, observed = Iam(), Observed()
        client = client_over(iam, AUTH, observer=observed)
        await client.list_tasks(0, 50)
        iam.valid.clear()
        await asyncio.gather(*(client.list_records(TASK, 0, 100) for _ in range(8)))
        return iam, observed

    iam, observed = run(main())
    assert iam.issued == 2
    assert observed.counts[("list_records", "401")] == 8
    assert observed.counts[("list_records", "200")] == 8
    assert observed.counts[("create_token", "201")] == 2
    assert observed.retries == ["401"] * 8


def test_stragglers_use_the_new_token() -> None:
    """Those that waited for their turn while the token was renewed are sent with the new one."""

    async def main() -> tuple[Iam, Observed]:
        iam, observed = Iam(), Observed()
        client = client_over(iam, AUTH, observer=observed, polling={"concurrency": 2})
        await client.list_tasks(0, 50)
        iam.valid.clear()
        await asyncio.gather(*(client.list_records(TASK, 0, 100) for _ in range(50)))
        return iam, observed

    iam, observed = run(main())
    assert iam.issued == 2
    assert observed.counts[("list_records", "401")] == 2
    assert observed.counts[("list_records", "200")] == 50


def test_a_401_for_ever() -> None:
    """One renewal, one more try, then quiet: a few requests a minute until the API takes the tokens again."""

    async def main() -> tuple[list[ApiError], Counter[tuple[str, str]], bool, bool]:
        iam, observed = Iam(), Observed()
        client = client_over(iam, AUTH, observer=observed)
        await client.list_tasks(0, 50)
        iam.closed = True
        errors = []
        for _ in range(600):
            errors.append(await fail(client))
            await asyncio.sleep(1)
        counts, refused = Counter(observed.counts), client.auth_ok
        await asyncio.sleep(60)
        iam.closed = False
        await client.list_tasks(0, 50)
        return errors, counts, refused, client.auth_ok

    errors, counts, refused, recovered = run(main())
    assert all(isinstance(error, CredentialsError) for error in errors)
    assert counts[("list_tasks", "401")] <= 2 * 14
    assert counts[("create_token", "201")] <= 15
    assert (refused, recovered) == (False, True)


def test_renewed_before_its_end() -> None:
    """Ten minutes before the end a new token is fetched while the old one serves; no request waits."""

    async def main() -> tuple[Iam, Observed]:
        iam, observed = Iam(latency=0.0), Observed()
        client = client_over(iam, AUTH, observer=observed)
        await client.list_tasks(0, 50)
        iam.latency = 5.0
        await asyncio.sleep(86_400 - 599)
        before = asyncio.get_running_loop().time()
        await client.list_tasks(0, 50)
        assert asyncio.get_running_loop().time() - before == 5.0
        await asyncio.sleep(10)
        iam.valid.discard("issued-token-1")
        await client.list_tasks(0, 50)
        return iam, observed

    iam, observed = run(main())
    assert iam.issued == 2
    assert {code for _, code in observed.requests} == {"200", "201"}


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_password_is_not_sent_again_for_a_quarter_of_an_hour(status: int) -> None:
    """However often it is asked for: the account would lock."""

    async def main() -> tuple[Iam, list[ApiError], Client]:
        iam = Iam()
        iam.good, iam.refusal = "another", answer(WRONG, status)
        client = client_over(iam, AUTH)
        errors = []
        for _ in range(3 * 899):
            iam.refusal = answer(WRONG, status)
            errors.append(await fail(client))
            await asyncio.sleep(1)
        return iam, errors, client

    with capture_logs() as logs:
        iam, errors, client = run(main())
    assert iam.passwords == [PASSWORD] * 3
    assert not client.auth_ok
    assert all(isinstance(error, CredentialsError) for error in errors)
    first = errors[0]
    assert isinstance(first, CredentialsError)
    assert first.retry_at == pytest.approx(EPOCH + 900, abs=1)
    assert str(first).startswith("create_token: ")
    assert "not sent again for 15 minutes" in str(first)
    assert "The username or password is wrong." in str(first)
    assert PASSWORD not in str(errors) + str(logs)
    assert [entry["event"] for entry in logs] == ["sign-in was refused"] * 3


def test_a_changed_password_is_sent_at_once(tmp_path: Path) -> None:
    """A refused password waits, another one in its file does not."""
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    auth = {"password": {"domain_name": "d", "user_name": "u", "password_file": str(file)}}

    async def main() -> tuple[Iam, Client]:
        iam = Iam()
        iam.good = "canary-new-password"
        client = client_over(iam, auth)
        for _ in range(3):
            await fail(client)
        file.write_text(iam.good)
        await client.list_tasks(0, 50)
        return iam, client

    iam, client = run(main())
    assert iam.passwords == [PASSWORD, "canary-new-password"]
    assert client.auth_ok


def test_a_password_that_is_refused_at_renewal() -> None:
    """While the old token works, requests go on; when it ends, they fail with the refusal."""

    async def main() -> tuple[Iam, ApiError]:
        iam = Iam(latency=0.0)
        client = client_over(iam, AUTH)
        await client.list_tasks(0, 50)
        iam.good = "another"
        await asyncio.sleep(86_400 - 500)
        for _ in range(100):
            await client.list_tasks(0, 50)
            await asyncio.sleep(1)
        await asyncio.sleep(400)
        return iam, await fail(client)

    iam, error = run(main())
    assert isinstance(error, CredentialsError)
    assert len(iam.passwords) == 2


def test_a_sign_in_that_gets_no_answer() -> None:
    """Eight who need a token while IAM is down share three attempts, and see its status."""

    async def main() -> tuple[list[Any], Observed, Client]:
        iam, observed = Iam(), Observed()
        iam.down = True
        client = client_over(iam, AUTH, observer=observed)
        reads = (client.list_records(TASK, 0, 100) for _ in range(8))
        outcomes = await asyncio.gather(*reads, return_exceptions=True)
        assert client.auth_ok
        await asyncio.sleep(6)
        iam.down = False
        await client.list_tasks(0, 50)
        return list(outcomes), observed, client

    outcomes, observed, _ = run(main())
    assert {type(outcome).__name__ for outcome in outcomes} == {"StatusError"}
    assert observed.counts[("create_token", "503")] == 3
    assert observed.retries == ["503", "503"]


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({}, {"token": {}}, "no usable header X-Subject-Token"),
        ({"X-Subject-Token": "two words"}, {"token": {}}, "no usable header X-Subject-Token"),
        ({"X-Subject-Token": "good"}, {}, "no token object"),
        ({"X-Subject-Token": "good"}, {"token": {"project": {"id": "../x"}}}, "project id"),
        ({"X-Subject-Token": "good"}, {"token": {}}, "not scoped to a project"),
    ],
)
def test_a_malformed_sign_in(headers: dict[str, str], body: Any, reason: str) -> None:
    """An answer without a token, or for no project, is no sign-in, and no refusal either."""

    async def main() -> tuple[ApiError, Client]:
        client = client_over(lambda _: answer(body, 201, headers), AUTH)
        return await fail(client), client

    error, client = run(main())
    assert isinstance(error, BodyError)
    assert reason in str(error)
    assert client.auth_ok


def test_a_configured_project_wins() -> None:
    """The token is asked for the configured project; where it belongs to another, a warning says so."""

    async def main() -> tuple[Iam, Client]:
        iam = Iam()
        client = client_over(iam, AUTH, project_id="configured")
        await client.list_tasks(0, 50)
        return iam, client

    with capture_logs() as logs:
        iam, client = run(main())
    assert iam.scopes == [{"id": "configured"}]
    assert client.project_id == "configured"
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["configured"], entry["of_the_token"]) for entry in warnings] == [
        ("configured", PROJECT_ID)
    ]


def test_a_cancelled_poll_leaves_no_half_made_sign_in() -> None:
    """Who is cancelled while signing in stops at once; the next one finds the token."""

    async def main() -> Iam:
        iam = Iam(latency=2.0)
        client = client_over(iam, AUTH)
        reads = [asyncio.create_task(client.list_tasks(0, 50)) for _ in range(8)]
        await asyncio.sleep(1)
        before = asyncio.get_running_loop().time()
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
        assert asyncio.get_running_loop().time() == before
        await client.list_tasks(0, 50)
        await client.aclose()
        return iam

    assert run(main()).issued == 1


def test_the_end_ends_a_sign_in() -> None:
    """`aclose` waits for nothing but the end of its own tasks; later requests are refused."""

    async def main() -> tuple[int, ApiError]:
        client = client_over(Iam(latency=1e6), AUTH)
        read = asyncio.create_task(client.list_tasks(0, 50))
        await asyncio.sleep(1)
        read.cancel()
        await client.aclose()
        return len(asyncio.all_tasks()) - 1, await fail(client)

    left, error = run(main())
    assert left == 0
    assert isinstance(error, TransportError)
