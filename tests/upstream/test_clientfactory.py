"""A client from its configuration, over real sockets: where it connects, and what it takes up later."""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.config import Auth, Polling
from exporter.errors import ApiError, TransportError
from exporter.upstream.client import Client
from exporter.upstream.clientfactory import SYSTEM_TIMING, build_client
from exporter.upstream.exchange import Timing
from tests.loopback import GOOD, Loopback, serve
from tests.serving.certificates import authority, server_certificate, stranger
from tests.upstream.fakes import Observed, project

TOKEN = {"token": {"token": "canary-token"}}
QUIET = {"iam_endpoint": None, "region": None}


def quick(seconds: float) -> asyncio.Future[None]:
    """Sleep a hundredth of what is asked."""
    return asyncio.ensure_future(asyncio.sleep(seconds / 100))


TIMING = Timing(SYSTEM_TIMING.clock, SYSTEM_TIMING.monotonic, quick, lambda: 0.0)


def client(
    auth: dict[str, Any] | None = None, *, environment: dict[str, str] | None = None, **changes: Any
) -> tuple[Client, Observed]:
    """A client over the network, and what it is observed to do."""
    observed = Observed()
    built = build_client(
        project(auth or TOKEN, **{**QUIET, **changes}),
        Polling(requests_per_second=0.0, timeout="2s"),  # type: ignore[arg-type]
        zone=UTC,
        observer=observed,
        timing=TIMING,
        environment=environment or {},
    )
    return built, observed


async def ask(one: Client) -> None:
    """Ask once."""
    await one.list_tasks(0, 50)


async def fail(one: Client) -> ApiError:
    """Ask, and return the error."""
    with pytest.raises(ApiError) as caught:
        await ask(one)
    return caught.value


async def test_a_request_over_the_network() -> None:
    """The defaults work: a real connection, one request, the token in its header."""
    async with serve(GOOD) as server:
        one, observed = client(endpoint=server.url)
        await ask(one)
        await one.aclose()
    assert observed.requests == [("list_tasks", "200")]
    assert b"\r\nX-Auth-Token: canary-token\r\n" in server.heads[0]


async def test_no_way_to_sign_in() -> None:
    """The configuration refuses such a project; whoever makes one by hand is told."""
    nothing = project(TOKEN, **QUIET).model_copy(update={"auth": Auth.model_construct()})
    with pytest.raises(ValueError, match="no way to sign in"):
        build_client(nothing, Polling(), zone=UTC, observer=Observed())


async def test_connections_are_kept() -> None:
    """Requests one after the other use one connection."""
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while not reader.at_eof():
            writer.write(GOOD)
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")

    async with serve(count) as server:
        one, _ = client(endpoint=server.url)
        for _ in range(3):
            await ask(one)
        await one.aclose()
    assert connections == 1


async def test_a_closed_port() -> None:
    """Nobody listens: three attempts, counted as connect."""
    async with serve(GOOD) as server:
        pass
    one, observed = client(endpoint=server.url)
    error = await fail(one)
    await one.aclose()
    assert observed.requests == [("list_tasks", "connect")] * 3
    assert str(error) == "list_tasks: no connection: Connection refused"


def tls_of(certificate: Any) -> ssl.SSLContext:
    """A server's context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_a_changed_ca_file_is_taken_up(tmp_path: Path) -> None:
    """A wrong authority fails with the reason; the right one in the same file works without a restart."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(stranger().cert_pem.bytes())
    async with serve(GOOD, tls=tls_of(server_certificate())) as server:
        one, observed = client(endpoint=f"https://127.0.0.1:{server.port}", ca_file=str(ca))
        error = await fail(one)
        ca.write_bytes(b"half")
        with capture_logs() as logs:
            await fail(one)
        ca.write_bytes(authority().cert_pem.bytes())
        await ask(one)
        await one.aclose()
    assert isinstance(error, TransportError)
    assert error.label == "tls"
    assert "no secure connection: " in str(error)
    assert observed.requests[0] == ("list_tasks", "tls")
    assert observed.requests[-1] == ("list_tasks", "200")
    assert [entry["event"] for entry in logs] == ["CA or proxy cannot be used; the last ones stay"]


async def test_a_missing_ca_file(tmp_path: Path) -> None:
    """A CA file that is not there is an error that names it, for each request, not a crash."""
    one, observed = client(endpoint="https://127.0.0.1:1", ca_file=str(tmp_path / "ca.pem"))
    assert "No such file or directory" in str(await fail(one))
    assert {code for _, code in observed.requests} == {"tls"}
    await one.aclose()


def write_settled(path: Path, text: str) -> None:
    """Write a file that counts as whole: its last write is long ago."""
    path.write_text(text)
    path.chmod(0o600)
    os.utime(path, (1, 1))


GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


async def test_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies are used only where the configuration says so."""
    async with serve(GATEWAY) as proxy, serve(GOOD) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        without, _ = client(endpoint=server.url, environment={"http_proxy": proxy.url})
        await ask(without)
        await without.aclose()
        assert proxy.heads == []
        within, _ = client(
            endpoint="http://workspace.example.test",
            insecure_http=True,
            proxy_from_environment=True,
            environment={"http_proxy": f"http://user:canary-pass@127.0.0.1:{proxy.port}"},
        )
        assert "502" in str(await fail(within))
        await within.aclose()
    assert proxy.heads[0].startswith(b"GET http://workspace.example.test/v2/")


async def test_a_proxy_whose_file_changes(tmp_path: Path) -> None:
    """Another proxy in the file is used from the next request on; an unusable one leaves the last."""
    file = tmp_path / "proxy"
    async with serve(GATEWAY) as first, serve(GATEWAY) as second:
        write_settled(file, f"{first.url}\n")
        one, _ = client(
            endpoint="http://workspace.example.test", insecure_http=True, proxy_url_file=str(file)
        )
        await fail(one)
        write_settled(file, "socks5://user:canary@h:1")
        with capture_logs() as logs:
            await fail(one)
        assert len(first.heads) == 6
        write_settled(file, second.url)
        await fail(one)
        await one.aclose()
    assert len(second.heads) == 3
    assert "CA or proxy cannot be used; the last ones stay" in [entry["event"] for entry in logs]
    assert "canary" not in str(logs)


async def test_a_proxy_file_that_is_missing(tmp_path: Path) -> None:
    """Without its proxy nothing is sent anywhere, least of all directly."""
    async with serve(GOOD) as server:
        one, observed = client(endpoint=server.url, proxy_url_file=str(tmp_path / "none"))
        error = await fail(one)
        await one.aclose()
    assert server.heads == []
    assert {code for _, code in observed.requests} == {"proxy"}
    assert error.label == "proxy"


async def test_an_upstream_that_repeats_the_proxy_user() -> None:
    """The user part of a proxy is a secret, as it is written, decoded, or as Basic."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        body = seen.heads[-1] + b"user:canary%40pass user:canary@pass canary@pass"
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    seen: Loopback
    async with serve(echo) as seen:
        one, _ = client(
            endpoint="http://workspace.example.test",
            insecure_http=True,
            proxy_url=f"http://user:canary%40pass@127.0.0.1:{seen.port}",
        )
        error = await fail(one)
        await one.aclose()
    assert b"roxy-Authorization: Basic " in seen.heads[0]
    assert "Basic <secret>" in str(error)
    assert "canary" not in str(error)


async def test_the_metadata_service_is_asked_without_a_proxy() -> None:
    """The metadata service is on the server itself: a proxy must never see its keys."""
    async with serve(GATEWAY) as proxy, serve(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n") as imds:
        auth = {"metadata": {"endpoint": imds.url}}
        one, observed = client(auth, endpoint=imds.url, proxy_url=proxy.url, project_id="p")
        await fail(one)
        await one.aclose()
    assert proxy.heads == []
    assert imds.heads[0].startswith(b"PUT /meta-data/latest/api/token ")
    assert observed.requests == [("metadata", "400")]


async def test_only_the_configured_hosts_are_asked() -> None:
    """Redirects to another host, and a Location, are nothing to follow."""
    async with serve(GOOD) as elsewhere:
        redirect = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with serve(redirect) as server:
            one, observed = client(endpoint=server.url)
            error = await fail(one)
            await one.aclose()
    assert elsewhere.heads == []
    assert observed.requests == [("list_tasks", "307")]
    assert "not followed" in str(error)
