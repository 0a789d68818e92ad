"""A ready token: its file, its end, and what happens when it is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.errors import CredentialsError
from exporter.upstream.client import Client
from tests.upstream.fakes import (
    EPOCH,
    PROJECT_ID,
    TASK,
    TASKS,
    Observed,
    answer,
    client_over,
    fail,
    run,
    token_answer,
)

TOKEN = "canary-token"
AUTH = {"token": {"token": TOKEN}}
REFUSAL = {
    "error_code": "APIG.0301",
    "error_msg": "decrypt token fail",
}


class Api:
    """An API that takes some tokens, and IAM that tells their end."""

    def __init__(self) -> None:
        self.good = {TOKEN}
        self.asked: list[dict[str, str]] = []
        self.iam_latency = 0.0
        self.iam_status = 200
        self.iam_project = PROJECT_ID
        self.used: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.url.path == "/v3/auth/tokens":
            self.asked.append(dict(request.headers))
            await asyncio.sleep(self.iam_latency)
            if self.iam_status != 200:
                return answer(b"", self.iam_status)
            told = token_answer(seconds=3600, project=self.iam_project)
            return httpx.Response(200, content=told.stream)
        await asyncio.sleep(0.01)
        self.used.append(request.headers["x-auth-token"])
        return answer(TASKS) if self.used[-1] in self.good else answer(REFUSAL, 401)


async def refused(client: Client) -> CredentialsError:
    """Ask, and return the refusal."""
    error = await fail(client)
    assert isinstance(error, CredentialsError)
    return error


def test_a_token_is_sent_as_it_is() -> None:
    """Nothing is asked before; its end is asked once, when it has proved good."""

    async def main() -> tuple[Api, Observed, Client, object]:
        api, observed = Api(), Observed()
        client = client_over(api, AUTH, observer=observed)
        before = client.token_expiry
        for _ in range(3):
            await client.list_tasks(0, 50)
            await asyncio.sleep(1000)
        return api, observed, client, before

    api, observed, client, before = run(main())
    assert api.used == [TOKEN] * 3
    assert before is None
    assert client.token_expiry == ("token", EPOCH + 3600)
    assert observed.counts[("show_token", "200")] == 1
    assert api.asked[0]["x-subject-token"] == api.asked[0]["x-auth-token"] == TOKEN


@pytest.mark.parametrize("trouble", ["slow", "refused", "none"])
def test_the_question_for_the_end_delays_nothing(trouble: str) -> None:
    """IAM may be slow, refuse or not be known: the end is then unknown, and no request waits or fails."""

    async def main() -> tuple[Api, Client, float]:
        api = Api()
        api.iam_latency = 1e6 if trouble == "slow" else 0.0
        api.iam_status = 403 if trouble == "refused" else 200
        changes = {"iam_endpoint": None, "region": None} if trouble == "none" else {}
        client = client_over(api, AUTH, polling={"concurrency": 1}, **changes)
        begin = asyncio.get_running_loop().time()
        for _ in range(10):
            await client.list_tasks(0, 50)
        return api, client, asyncio.get_running_loop().time() - begin

    api, client, seconds = run(main())
    assert seconds == pytest.approx(0.1)
    assert client.token_expiry is None
    assert client.auth_ok
    assert len(api.asked) == (trouble != "none")


def test_an_end_that_iam_did_not_give_is_asked_for_again() -> None:
    """After ten minutes, by the next request."""

    async def main() -> tuple[int, object]:
        api = Api()
        api.iam_status = 500
        client = client_over(api, AUTH)
        for _ in range(100):
            await client.list_tasks(0, 50)
            await asyncio.sleep(10)
        api.iam_status = 200
        for _ in range(100):
            await client.list_tasks(0, 50)
            await asyncio.sleep(10)
        return len(api.asked), client.token_expiry

    assert run(main()) == (3, ("token", EPOCH + 3600))


def test_another_project() -> None:
    """Where IAM says that the token belongs to another project, a warning says so."""

    async def main() -> None:
        api = Api()
        api.iam_project = "another"
        client = client_over(api, AUTH)
        await client.list_tasks(0, 50)
        await asyncio.sleep(1)
        assert client.project_id == PROJECT_ID

    with capture_logs() as logs:
        run(main())
    assert [(entry["configured"], entry["of_the_token"]) for entry in logs] == [(PROJECT_ID, "another")]


def test_a_refused_token_is_left_alone() -> None:
    """About one request in a cycle tries it again, the others fail at once; it is noticed when it works."""

    async def main() -> tuple[Api, Client, list[CredentialsError], bool, int]:
        api = Api()
        client = client_over(api, AUTH, polling={"interval": "60s"})
        api.good.clear()
        errors = []
        for _ in range(600):
            errors.append(await refused(client))
            await asyncio.sleep(1)
        state, sent = client.auth_ok, len(api.used)
        api.good.add(TOKEN)
        await asyncio.sleep(60)
        await client.list_tasks(0, 50)
        return api, client, errors, state, sent

    _, client, errors, state, sent = run(main())
    assert sent <= 600 / 48 + 1
    assert (state, client.auth_ok) == (False, True)
    assert str(errors[0]) == (
        "list_tasks: the credentials were not accepted (401): APIG.0301 decrypt token fail"
    )
    assert errors[0].retry_at == pytest.approx(EPOCH + 48, abs=0.1)
    assert errors[0].label == "401"


def test_many_readers_of_a_token_that_was_refused() -> None:
    """When a good token is refused, those under way see it, and nobody who waits is sent with it."""

    async def main() -> Observed:
        api, observed = Api(), Observed()
        client = client_over(api, AUTH, observer=observed, polling={"concurrency": 4})
        await client.list_tasks(0, 50)
        api.good.clear()
        reads = (client.list_records(TASK, 0, 100) for _ in range(50))
        outcomes = await asyncio.gather(*reads, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {CredentialsError}
        return observed

    assert run(main()).counts[("list_records", "401")] == 4


def test_a_new_token_in_the_file(tmp_path: Path) -> None:
    """A refused token whose file has changed is past: the new one is used at once, and asked about."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)

    async def main() -> tuple[Api, Client]:
        api = Api()
        client = client_over(api, {"token": {"token_file": str(file)}})
        await client.list_tasks(0, 50)
        await asyncio.sleep(1)
        api.good = {"canary-two"}
        await refused(client)
        await refused(client)
        file.write_text("canary-two")
        await client.list_tasks(0, 50)
        await asyncio.sleep(1)
        return api, client

    api, client = run(main())
    assert api.used == [TOKEN, TOKEN, "canary-two"]
    assert [asked["x-subject-token"] for asked in api.asked] == [TOKEN, "canary-two"]
    assert client.auth_ok


def test_a_token_that_changed_while_it_was_refused(tmp_path: Path) -> None:
    """The request that was refused is sent again with the new token of the file."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    used = []

    def handler(request: httpx.Request) -> httpx.Response:
        used.append(request.headers["x-auth-token"])
        file.write_text("canary-two")
        return answer(TASKS) if used[-1] == "canary-two" else answer(REFUSAL, 401)

    async def main() -> None:
        changes = {"iam_endpoint": None, "region": None}
        await client_over(handler, {"token": {"token_file": str(file)}}, **changes).list_tasks(0, 50)

    run(main())
    assert used == [TOKEN, "canary-two"]


def test_no_token(tmp_path: Path) -> None:
    """Where the file never held a token, the error says so, and the credentials are not good."""

    async def main() -> tuple[CredentialsError, Client]:
        client = client_over(Api(), {"token": {"token_file": str(tmp_path / "none")}})
        error = await refused(client)
        with pytest.raises(CredentialsError):
            await client.sign_in()
        return error, client

    error, client = run(main())
    assert "No such file" in str(error)
    assert error.retry_at is None
    assert not client.auth_ok


def test_the_end() -> None:
    """`aclose` ends the question for the token's end."""

    async def main() -> int:
        api = Api()
        api.iam_latency = 1e6
        client = client_over(api, AUTH)
        await client.list_tasks(0, 50)
        await asyncio.sleep(0.01)
        await client.aclose()
        return len(asyncio.all_tasks()) - 1

    assert run(main()) == 0


def test_the_end_after_a_new_token(tmp_path: Path) -> None:
    """The question about a token that is no longer in use is given up; none is left at the end."""
    file = tmp_path / "token"
    file.write_text(TOKEN)

    async def main() -> tuple[int, list[str]]:
        api = Api()
        api.good.add("canary-two")
        api.iam_latency = 5.0
        client = client_over(api, {"token": {"token_file": str(file)}})
        await client.list_tasks(0, 50)
        await asyncio.sleep(0.01)
        file.write_text("canary-two")
        await asyncio.sleep(2)
        await client.list_tasks(0, 50)
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 2
        await client.aclose()
        return len(asyncio.all_tasks()) - 1, [headers["x-subject-token"] for headers in api.asked]

    assert run(main()) == (0, [TOKEN, "canary-two"])
