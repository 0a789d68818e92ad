"""The operations of the API: what is asked, what comes back, and what never comes out."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import ApiError, BodyError, NotFoundError
from exporter.records import Record, RecordDetail, Schedule, Task
from exporter.upstream.client import Client
from tests.upstream.fakes import (
    PROJECT_ID,
    TASK,
    TASKS,
    Observed,
    answer,
    client_over,
    run,
    token_answer,
)

AUTH = {"token": {"token": "canary-token"}}
RUN = "record-1"
QUIET = {"iam_endpoint": None, "region": None}


def ask(body: Any, call: Callable[[Client], Awaitable[Any]]) -> tuple[Any, str, Observed]:
    """The outcome of one call, the path and query that were asked, and what was counted."""
    urls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        urls.append(request.url.raw_path.decode())
        return answer(body)

    async def main() -> tuple[Any, str, Observed]:
        observed = Observed()
        outcome = await call(client_over(handler, AUTH, observer=observed, **QUIET))
        return outcome, urls[0], observed

    return run(main())


def test_list_tasks() -> None:
    """GET /v2/{project}/scheduled-tasks, by row index."""
    body = {"scheduled_tasks": [{"id": "t1", "task_name": "stop", "enable": True}], "total_count": 1}
    page, url, observed = ask(body, lambda client: client.list_tasks(100, 50))
    assert page.items == (Task("t1", "stop", enabled=True),)
    assert url == f"/v2/{PROJECT_ID}/scheduled-tasks?limit=50&offset=100"
    assert observed.requests == [("list_tasks", "200")]


def test_list_triggered_tasks() -> None:
    """Triggered tasks are listed only with scheduled_type=LIFE_CYCLE."""
    _, url, _ = ask(TASKS, lambda client: client.list_tasks(0, 50, life_cycle=True))
    assert url == f"/v2/{PROJECT_ID}/scheduled-tasks?limit=50&offset=0&scheduled_type=LIFE_CYCLE"


def test_show_task() -> None:
    """GET /v2/{project}/scheduled-tasks/{task}."""
    body = {
        "task_name": "stop",
        "scheduled_type": "DAY",
        "day_interval": 1,
        "expire_time": "1970-01-02 00:00:00",
    }
    schedule, url, observed = ask(body, lambda client: client.show_task(TASK))
    assert schedule == Schedule(name="stop", scheduled_type="DAY", day_interval=1, expires=86_400)
    assert url == f"/v2/{PROJECT_ID}/scheduled-tasks/{TASK}"
    assert observed.requests == [("show_task", "200")]


def test_list_records() -> None:
    """GET /v2/{project}/scheduled-tasks/{task}/records; a time without a zone is in the default zone."""
    body = {
        "tasks_records": [{"id": RUN, "start_time": "1970-01-02 00:00:00", "failed_num": 2}],
        "total_count": 7,
    }
    page, url, observed = ask(body, lambda client: client.list_records(TASK, 0, 100))
    assert page.items == (Record(RUN, 86_400.0, failed_num=2),)
    assert page.total == 7
    assert url == f"/v2/{PROJECT_ID}/scheduled-tasks/{TASK}/records?limit=100&offset=0"
    assert observed.requests == [("list_records", "200")]


def test_list_record_details() -> None:
    """GET /v2/{project}/scheduled-tasks/{task}/records/{record}."""
    body = {"tasks_records_details": [{"id": "d1", "result_code": "WKS.1"}], "total_count": 1}
    page, url, observed = ask(body, lambda client: client.list_record_details(TASK, RUN, 0, 100))
    assert page.items == (RecordDetail("d1", result_code="WKS.1"),)
    assert url == f"/v2/{PROJECT_ID}/scheduled-tasks/{TASK}/records/{RUN}?limit=100&offset=0"
    assert observed.requests == [("list_record_details", "200")]


CALLS: list[Callable[[Client], Awaitable[Any]]] = [
    lambda client: client.list_tasks(0, 50),
    lambda client: client.show_task(TASK),
    lambda client: client.list_records(TASK, 0, 100),
    lambda client: client.list_record_details(TASK, RUN, 0, 100),
]


@pytest.mark.parametrize("call", CALLS)
def test_malformed_answers(call: Callable[[Client], Awaitable[Any]]) -> None:
    """An answer of another shape fails the call, is counted as `body`, and is not asked for again."""

    async def main() -> Observed:
        observed = Observed()
        client = client_over(lambda _: answer(b"<html>"), AUTH, observer=observed, **QUIET)
        with pytest.raises(BodyError):
            await call(client)
        return observed

    assert [code for _, code in run(main()).requests] == ["body"]


@pytest.mark.parametrize(("offset", "limit"), [(0, 0), (-1, 10), (0, 51), (0, -5)])
def test_limits_that_the_api_does_not_take(offset: int, limit: int) -> None:
    """limit=0 is never sent, nor anything beyond the documented limits."""

    async def main() -> None:
        client = client_over(lambda _: pytest.fail("sent"), AUTH, **QUIET)
        with pytest.raises(ValueError, match="the API takes"):
            await client.list_tasks(offset, limit)

    run(main())


@settings(deadline=None)
@given(st.text(max_size=30) | st.sampled_from(["", ".", "..", "a/b", "a%2Fb", "a?b", "a#b", "é", "a" * 129]))
def test_ids_that_cannot_stand_in_a_path(text: str) -> None:
    """Such an id, which upstream itself may have given, is refused before anything is sent."""
    safe = text.replace("-", "").replace("_", "").isalnum() and text.isascii() and len(text) <= 128
    if safe or (text and set(text) <= {"-", "_"}):
        return

    async def main() -> Observed:
        observed = Observed()
        client = client_over(lambda _: pytest.fail("sent"), AUTH, observer=observed, **QUIET)
        calls = (
            client.show_task(text),
            client.list_records(text, 0, 10),
            client.list_record_details(TASK, text, 0, 10),
            client.list_record_details(text, RUN, 0, 10),
        )
        for call in calls:
            with pytest.raises(BodyError, match="nothing was sent"):
                await call
        return observed

    assert run(main()).requests == []


def test_a_task_that_does_not_exist() -> None:
    """It is told from other errors."""

    async def main() -> ApiError:
        missing = answer({"error_code": "WKS.0001", "error_msg": "The scheduled task does not exist"}, 400)
        with pytest.raises(NotFoundError) as caught:
            await client_over(lambda _: missing, AUTH, **QUIET).list_records(TASK, 0, 100)
        return caught.value

    assert run(main()).operation == "list_records"


def test_the_rate_limits_every_operation() -> None:
    """Sign-in, pages and retries together stay within the rate."""

    async def main() -> Observed:
        observed = Observed()

        def handler(request: httpx.Request) -> httpx.Response:
            return token_answer() if request.url.path.endswith("/tokens") else answer(b"", 503)

        auth = {"password": {"domain_name": "d", "user_name": "u", "password": "canary-password"}}
        client = client_over(handler, auth, observer=observed, polling={"requests_per_second": 0.5})

        async def reader() -> None:
            while asyncio.get_running_loop().time() < 1300:
                with pytest.raises(ApiError):
                    await client.list_records(TASK, 0, 100)

        await asyncio.gather(*(reader() for _ in range(20)))
        return observed

    ended = run(main()).ended
    assert len(ended) >= 140
    for first in ended:
        assert sum(first <= moment < first + 60 for moment in ended) <= 30


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """Everything that is logged, at debug level, by structlog and by the standard library."""
    stream = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


CANARIES = {
    "token": {"token": "canary-token"},
    "password": {"domain_name": "d", "user_name": "u", "password": "canary-password"},
    "aksk": {
        "access_key": "canary-access",
        "secret_key": "canary-secret",
        "security_token": "canary-security",
    },
    "metadata": {},
}


def echo(status: int, headers: dict[str, str]) -> Callable[[httpx.Request], httpx.Response]:
    """An upstream that repeats all it was sent, in every place that is shown to people."""

    def handler(request: httpx.Request) -> httpx.Response:
        everything = " ".join(request.headers.values()) + request.content.decode()
        sent = " ".join(re.findall('canary[^ ",]*', everything)) + everything
        if status == 200 and request.url.host == "169.254.169.254":
            if request.method == "PUT":
                return answer(b"canary-imds")
            keys = {"access": "canary-access", "secret": "canary-secret", "securitytoken": "canary-security"}
            return answer({"credential": keys})
        if status == 200 and request.method == "POST":
            return answer(b"", 201, {"X-Subject-Token": "canary-issued"})
        body: dict[str, Any] = {"error_code": sent, "error_msg": sent, "error_detail": sent}
        body["encoded_authorization_message"] = sent
        return answer(body, status, {**headers, "X-Request-Id": sent})

    return handler


@pytest.mark.parametrize("kind", list(CANARIES))
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500, "connect", "defect"])
def test_no_secret_comes_out(kind: str, status: int | str, output: io.StringIO) -> None:
    """Neither error nor traceback nor any log line at debug level tells a secret, whatever happens."""

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.headers} {request.content!r}", request=request)

    def defect(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    async def main() -> tuple[str, Client]:
        handler = {"connect": broken, "defect": defect}.get(str(status)) or echo(int(status), {})
        changes: dict[str, Any] = {} if kind == "password" else {"project_id": "p"}
        client = client_over(handler, {kind: CANARIES[kind]}, **changes)
        shown = []
        for _ in range(2):
            try:
                await client.list_tasks(0, 50)
            except (ApiError, ZeroDivisionError) as error:
                structlog.get_logger().exception("failed", error=str(error), repr=repr(error))
                shown.append("".join(traceback.format_exception(error)))
        await client.aclose()
        return "".join(shown), client

    shown, client = run(main())
    assert shown
    assert "canary" not in shown
    assert "canary" not in output.getvalue()
    assert "canary" not in repr(client)


def test_a_secret_of_a_file_comes_out_nowhere(tmp_path: Path, output: io.StringIO) -> None:
    """The same for secrets in files, also after they changed."""
    file = tmp_path / "token"
    file.write_text("canary-one")

    async def main() -> str:
        client = client_over(echo(400, {}), {"token": {"token_file": str(file)}}, **QUIET)
        shown = []
        for value in ("canary-two", "canary-three"):
            with pytest.raises(ApiError) as caught:
                await client.list_tasks(0, 50)
            shown.append(str(caught.value))
            file.write_text(value)
        return "".join(shown)

    shown = run(main())
    assert "<secret>" in shown
    assert "canary" not in shown + output.getvalue()
    assert "secret file has changed" in output.getvalue()
