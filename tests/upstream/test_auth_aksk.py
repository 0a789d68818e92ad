"""Access keys: every request signed as the gateway verifies it, and never so often refused that they lock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from exporter.errors import ApiError, CredentialsError, ForbiddenError
from exporter.upstream.client import Client
from tests.upstream.fakes import (
    BASE,
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
)

ACCESS, SECRET = "CANARYACCESSKEY", "canary-secret-key"
AUTH = {"aksk": {"access_key": ACCESS, "secret_key": SECRET}}
REFUSAL = {
    "error_code": "APIGW.0301",
    "error_msg": "Incorrect IAM authentication information: verify aksk signature fail",
}
LOCKED = {"error_code": "APIGW.0301", "error_msg": "AK access failed to reach the limit,forbidden"}


def verify(request: httpx.Request, secret: str) -> bool:
    """Whether the signature is the one that the official signer makes of what arrived."""
    authorization = request.headers["authorization"]
    access, signed, _ = (part.partition("=")[2] for part in authorization.split(", "))
    url = request.url
    oracle = SdkRequest(
        method=request.method,
        schema=url.scheme,
        host=url.netloc.decode(),
        resource_path=url.path,
        query_params=list(url.params.multi_items()),
        header_params={name: request.headers[name] for name in signed.split(";")},
        body=request.content,
    )
    Signer(BasicCredentials(access, secret)).sign(oracle)
    return bool(oracle.header_params["Authorization"] == authorization)


class Gateway:
    """Verifies signatures; locks nothing, but counts the refusals in a row."""

    def __init__(self) -> None:
        self.secret = SECRET
        self.projects = [{"id": PROJECT_ID, "name": "cn-north-4"}]
        self.requests: list[httpx.Request] = []
        self.refused = 0
        self.refusal = REFUSAL
        self.latency = 0.05
        self.date: str | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        await asyncio.sleep(self.latency)
        self.requests.append(request)
        headers = {"Date": self.date} if self.date else {}
        if not verify(request, self.secret):
            self.refused += 1
            return answer(self.refusal, 401, headers)
        self.refused = 0
        if request.url.path == "/v3/projects":
            return answer({"projects": self.projects})
        return answer(RECORDS if "records" in request.url.path else TASKS)


def test_signed_requests() -> None:
    """The project is looked up by region once; each request is signed with its own date."""

    async def main() -> tuple[Gateway, Observed, Client]:
        gateway, observed = Gateway(), Observed()
        client = client_over(gateway, AUTH, observer=observed)
        await client.list_tasks(0, 50, life_cycle=True)
        await asyncio.sleep(1)
        await client.list_records(TASK, 0, 100)
        return gateway, observed, client

    gateway, observed, client = run(main())
    assert observed.requests == [("list_projects", "200"), ("list_tasks", "200"), ("list_records", "200")]
    assert client.project_id == PROJECT_ID
    lookup, first, second = gateway.requests
    assert str(lookup.url).endswith("/v3/projects?name=cn-north-4")
    assert "x-project-id" not in lookup.headers
    assert first.headers["x-project-id"] == PROJECT_ID
    assert first.headers["x-sdk-date"] == "20231114T221320Z"
    assert second.headers["x-sdk-date"] == "20231114T221321Z"
    assert "SignedHeaders=host;x-project-id;x-sdk-date," in first.headers["authorization"]
    assert "x-security-token" not in first.headers
    assert client.token_expiry is None


def test_a_security_token_is_signed_too() -> None:
    """Temporary keys send their token, and sign it."""

    async def main() -> Gateway:
        gateway = Gateway()
        auth = {"aksk": {"access_key": ACCESS, "secret_key": SECRET, "security_token": "canary-security"}}
        await client_over(gateway, auth, project_id="p").list_tasks(0, 50)
        return gateway

    (request,) = run(main()).requests
    assert request.headers["x-security-token"] == "canary-security"
    assert "host;x-project-id;x-sdk-date;x-security-token" in request.headers["authorization"]
    assert SECRET not in str(request.headers)


def test_a_base_path_and_a_port_are_signed() -> None:
    """An endpoint below a path, on another port, signs what is sent."""

    async def main() -> Gateway:
        gateway = Gateway()
        client = client_over(gateway, AUTH, endpoint=f"{BASE}:8443/under/a%20path/", project_id="p")
        await client.list_tasks(0, 50)
        return gateway

    (request,) = run(main()).requests
    assert str(request.url).startswith(f"{BASE}:8443/under/a%20path/v2/p/scheduled-tasks?")
    assert request.headers["host"] == "workspace.example.test:8443"


@pytest.mark.parametrize(
    ("projects", "reason"),
    [
        ([], "no project is named cn-north-4: set project_id"),
        ([{"id": "a"}, {"id": "b"}], "2 projects are named cn-north-4: set project_id"),
        ([{"id": "../a"}], "IAM gave a project id that cannot be one"),
    ],
)
def test_the_project_is_not_to_be_found(projects: list[dict[str, str]], reason: str) -> None:
    """None or several of that name is an error that says what to do; the credentials are good."""

    async def main() -> tuple[ApiError, Client]:
        gateway = Gateway()
        gateway.projects = projects
        client = client_over(gateway, AUTH)
        return await fail(client), client

    error, client = run(main())
    assert error.reason == reason
    assert not error.retryable
    assert client.auth_ok
    assert client.project_id == ""


def test_eight_readers_look_the_project_up_once() -> None:
    """All who need the project's id at once cause one look-up."""

    async def main() -> Observed:
        observed = Observed()
        client = client_over(Gateway(), AUTH, observer=observed)
        await asyncio.gather(*(client.list_records(TASK, 0, 100) for _ in range(8)))
        return observed

    assert run(main()).counts[("list_projects", "200")] == 1


def test_many_readers_with_a_wrong_key_send_one_request() -> None:
    """An unproven key is tried by one: eight would lock it, for everybody who uses it."""

    async def main() -> Gateway:
        gateway = Gateway()
        gateway.secret = "another"
        client = client_over(gateway, AUTH, project_id="p")
        reads = (client.list_records(TASK, 0, 100) for _ in range(8))
        outcomes = await asyncio.gather(*reads, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {CredentialsError}
        return gateway

    assert len(run(main()).requests) == 1


def test_a_wrong_key_is_tried_rarely() -> None:
    """About once a cycle for five times, then once in six minutes; a lock lasts five."""

    async def main() -> list[float]:
        gateway = Gateway()
        gateway.secret, gateway.latency = "another", 0.0
        client = client_over(gateway, AUTH, project_id="p")
        loop, moments = asyncio.get_running_loop(), []
        begin = loop.time()
        for _ in range(1800):
            before = len(gateway.requests)
            await fail(client)
            if len(gateway.requests) > before:
                moments.append(loop.time() - begin)
            await asyncio.sleep(1)
        return moments

    assert run(main()) == [0, 48, 96, 144, 192, 552, 912, 1272, 1632]


def test_a_locked_key_waits() -> None:
    """When the gateway says that the key is locked, tries become rare at once."""

    async def main() -> tuple[ApiError, Client]:
        gateway = Gateway()
        gateway.secret, gateway.refusal = "another", LOCKED
        client = client_over(gateway, AUTH, project_id="p")
        return await fail(client), client

    error, client = run(main())
    assert isinstance(error, CredentialsError)
    assert error.retry_at == pytest.approx(EPOCH + 360, abs=1)
    assert "the access key is locked" in str(error)
    assert not client.auth_ok


def test_a_proven_key_that_is_refused() -> None:
    """Those under way are refused, nobody who waits is sent; it is noticed when the key works again."""

    async def main() -> tuple[Observed, bool, bool]:
        gateway, observed = Gateway(), Observed()
        client = client_over(gateway, AUTH, observer=observed, polling={"concurrency": 4}, project_id="p")
        await client.list_tasks(0, 50)
        gateway.secret = "another"
        reads = (client.list_records(TASK, 0, 100) for _ in range(30))
        await asyncio.gather(*reads, return_exceptions=True)
        refused = client.auth_ok
        gateway.secret = SECRET
        await asyncio.sleep(60)
        await client.list_tasks(0, 50)
        await asyncio.gather(*(client.list_records(TASK, 0, 100) for _ in range(8)))
        return observed, refused, client.auth_ok

    observed, refused, recovered = run(main())
    assert observed.counts[("list_records", "401")] == 4
    assert observed.counts[("list_records", "200")] == 8
    assert (refused, recovered) == (False, True)


def test_new_keys_in_their_files(tmp_path: Path) -> None:
    """Keys are rotated file by file: each pair is tried once, at once, and the right one works."""
    files = {"access_key_file": tmp_path / "ak", "secret_key_file": tmp_path / "sk"}
    for path, value in zip(files.values(), (ACCESS, "canary-old"), strict=True):
        path.write_text(value)
        path.chmod(0o600)

    async def main() -> tuple[Gateway, Client]:
        gateway = Gateway()
        auth = {"aksk": {key: str(path) for key, path in files.items()}}
        client = client_over(gateway, auth, project_id="p")
        await fail(client)
        await fail(client)
        files["secret_key_file"].write_text(SECRET)
        await client.list_tasks(0, 50)
        return gateway, client

    gateway, client = run(main())
    assert len(gateway.requests) == 2
    assert client.auth_ok


def test_a_missing_permission_is_no_refusal() -> None:
    """403 proves the key: it is a permission that is missing."""

    async def main() -> tuple[ApiError, Client]:
        client = client_over(
            lambda _: answer({"error_code": "APIGW.0302", "error_msg": "no"}, 403), AUTH, project_id="p"
        )
        return await fail(client), client

    error, client = run(main())
    assert isinstance(error, ForbiddenError)
    assert client.auth_ok


def test_a_wrong_clock_is_named() -> None:
    """Where this host's clock is far off, the refusal says so: signatures hold for fifteen minutes."""

    async def main() -> tuple[ApiError, ApiError]:
        gateway = Gateway()
        gateway.secret, gateway.date = "another", "Tue, 14 Nov 2023 22:33:20 GMT"
        behind = await fail(client_over(gateway, AUTH, project_id="p"))
        gateway.date = "Tue, 14 Nov 2023 21:53:20 GMT"
        return behind, await fail(client_over(gateway, AUTH, project_id="p"))

    behind, ahead = run(main())
    assert "; this host's clock is 1200 s behind: APIGW.0301" in str(behind)
    assert "; this host's clock is 1200 s ahead: APIGW.0301" in str(ahead)
