"""The HTTP client: TLS, proxies, limits, and nothing by surprise."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.errors import TransportError
from exporter.upstream.connections import (
    Connections,
    Route,
    bare_client,
    environment_proxy,
    file_version,
    http_client,
    proxy_user,
    silence_libraries,
)
from tests.loopback import GOOD, serve
from tests.serving.certificates import authority, server_certificate, stranger

BASE = "https://workspace.example.test"


def server_tls(expired: bool = False) -> ssl.SSLContext:  # noqa: FBT001, FBT002 - a test's switch
    """What a server of the test authority shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if expired:
        past = [datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2021)]
        leaf = authority().issue_cert("localhost", not_before=past[0], not_after=past[1])
    else:
        leaf = server_certificate()
    leaf.configure_cert(context)
    return context


def write_ca(path: Path, ca: Any = None) -> Path:
    """Write the test authority's certificate."""
    path.write_bytes((ca or authority()).cert_pem.bytes())
    return path


async def get(route: Route, url: str) -> int:
    """Ask once, and return the status."""
    async with http_client(route, 2) as http:
        return (await http.get(url)).status_code


async def test_a_ca_file_is_trusted(tmp_path: Path) -> None:
    """A certificate of the project's own authority is good."""
    route = Route(ca_file=write_ca(tmp_path / "ca.pem"))
    async with serve(GOOD, tls=server_tls()) as server:
        assert await get(route, f"https://localhost:{server.port}/") == 200


async def test_a_ca_file_is_trusted_alone(tmp_path: Path) -> None:
    """It replaces the built-in authorities: none of them is loaded beside it."""
    http = http_client(Route(ca_file=write_ca(tmp_path / "ca.pem")), 2)
    transport = http._transport
    assert isinstance(transport, httpx.AsyncHTTPTransport)
    context = transport._pool._ssl_context
    assert context is not None
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    await http.aclose()


@pytest.mark.parametrize("trouble", ["unknown authority", "built-in", "expired", "other name", "no TLS"])
async def test_bad_certificates_are_refused(tmp_path: Path, trouble: str) -> None:
    """An unknown authority, an expired certificate, another host's, and no TLS at all."""
    ca = write_ca(tmp_path / "ca.pem", stranger() if trouble == "unknown authority" else None)
    route = Route() if trouble == "built-in" else Route(ca_file=ca)
    host = "127.0.0.2" if trouble == "other name" else "127.0.0.1"
    tls = None if trouble == "no TLS" else server_tls(expired=trouble == "expired")
    async with serve(GOOD, tls=tls, wait=tls is not None, host=host) as server:
        with pytest.raises(httpx.ConnectError):
            await get(route, f"https://{host}:{server.port}/")


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_an_unusable_ca_file(tmp_path: Path, content: bytes | None) -> None:
    """A CA file that is missing or holds no certificate is said by name."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TransportError, match=r"ca_file: .*ca\.pem: ") as caught:
        http_client(Route(ca_file=path), 2)
    assert caught.value.label == "tls"


def test_a_file_version(tmp_path: Path) -> None:
    """Another content is another version; a missing file is an error."""
    path = write_ca(tmp_path / "ca.pem")
    before = file_version(path)
    assert file_version(path) == before
    write_ca(path, stranger())
    assert file_version(path) != before
    path.unlink()
    with pytest.raises(TransportError, match="No such file"):
        file_version(path)


async def test_nothing_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither proxy variables nor a netrc file change what is sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serve(GOOD) as server:
        assert await get(Route(), server.url) == 200
    assert b"authorization" not in server.heads[0].lower()


async def test_what_is_sent() -> None:
    """JSON is asked for, packed with gzip at most, over HTTP/1.1, and we say who we are."""
    async with serve(GOOD) as server:
        await get(Route(), server.url)
    head = server.heads[0].lower()
    assert head.startswith(b"get / http/1.1\r\n")
    assert b"\r\naccept: application/json\r\n" in head
    assert b"\r\naccept-encoding: gzip\r\n" in head
    assert b"\r\nuser-agent: workspace-exporter/" in head


async def test_redirects_are_not_followed() -> None:
    """A redirect is an answer, and its target is not asked."""
    async with serve(GOOD) as elsewhere:
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        async with serve(redirect.encode()) as server:
            assert await get(Route(), server.url) == 302
        assert elsewhere.heads == []


async def test_cookies_are_not_kept() -> None:
    """A cookie is neither stored nor sent back: a hostile upstream could fill memory with them."""
    setting = GOOD.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n", 1)
    async with serve(setting) as server, http_client(Route(), 2) as http:
        await http.get(server.url)
        await http.get(server.url)
        assert len(http.cookies.jar) == 0
    assert b"cookie" not in server.heads[1].lower()


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Agree to a CONNECT, and then close."""
    del reader
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await writer.drain()


async def test_a_proxy_is_asked_with_its_user() -> None:
    """A host with a proxy is reached through it, with the user part as Basic; another host directly."""
    async with serve(tunnel) as proxy, serve(GOOD) as direct:
        route = Route(proxies=((BASE, f"http://user:p%40ss@127.0.0.1:{proxy.port}"),))
        async with http_client(route, 2) as http:
            with pytest.raises(httpx.HTTPError):
                await http.get(f"{BASE}/path")
            assert (await http.get(direct.url)).status_code == 200
    credentials = base64.b64encode(b"user:p@ss")
    assert proxy.heads[0].startswith(b"CONNECT workspace.example.test:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + credentials in proxy.heads[0]
    assert b"roxy-" not in direct.heads[0]
    assert "p%40ss" not in repr(route)


async def test_a_proxy_that_refuses() -> None:
    """A proxy that wants another user is no answer of the API."""
    async with serve(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as proxy:
        with pytest.raises(httpx.ProxyError):
            await get(Route(proxies=((BASE, proxy.url),)), BASE)


def test_an_unusable_proxy() -> None:
    """What is no proxy URL is refused without repeating it."""
    with pytest.raises(TransportError) as caught:
        http_client(Route(proxies=((BASE, "socks5://canary@h:1"),)), 2)
    assert caught.value.label == "proxy"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "environment", "proxy"),
    [
        (BASE, {}, None),
        (BASE, {"https_proxy": "http://p:1"}, "http://p:1"),
        (BASE, {"HTTPS_PROXY": "p:1"}, "http://p:1"),
        (BASE, {"http_proxy": "http://p:1"}, None),
        ("http://h.test", {"http_proxy": "http://p:1"}, "http://p:1"),
        (BASE, {"https_proxy": "", "ALL_PROXY": "http://p:2"}, "http://p:2"),
        (BASE, {"https_proxy": "http://p:1", "no_proxy": "*"}, None),
        (BASE, {"https_proxy": "http://p:1", "NO_PROXY": "other, example.test"}, None),
        (BASE, {"https_proxy": "http://p:1", "no_proxy": ".example.test"}, None),
        (BASE, {"https_proxy": "http://p:1", "no_proxy": "*.Example.Test"}, None),
        (BASE, {"https_proxy": "http://p:1", "no_proxy": "workspace.example.test:443"}, None),
        (BASE, {"https_proxy": "http://p:1", "no_proxy": "workspace.example.test:444"}, "http://p:1"),
        (BASE, {"https_proxy": "http://p:1", "no_proxy": "ample.test,,."}, "http://p:1"),
    ],
)
def test_the_environment_proxy(base: str, environment: dict[str, str], proxy: str | None) -> None:
    """The customary variables, in both cases of letters, with their exceptions."""
    assert environment_proxy(base, environment) == proxy


@pytest.mark.parametrize(
    ("proxy", "secrets"),
    [
        ("http://h:1", []),
        ("http://user@h:1", ["user"]),
        ("http://user:p%40ss@h:1", ["user:p%40ss", "user:p@ss", "p%40ss", "p@ss"]),
        ("http://[", []),
    ],
)
def test_the_secret_part_of_a_proxy(proxy: str, secrets: list[str]) -> None:
    """The user part and the password, as written and decoded."""
    assert proxy_user(proxy) == secrets


class Factory:
    """Builds clients that remember whether they were closed."""

    def __init__(self) -> None:
        self.known: Any = 1
        self.built: list[httpx.AsyncClient] = []
        self.closed: list[httpx.AsyncClient] = []
        self.error: TransportError | None = None

    def depends(self) -> int:
        """What a client is built from."""
        if self.error:
            raise self.error
        return int(self.known)

    def build(self, known: int) -> httpx.AsyncClient:
        """Build a client, unless `known` is negative."""
        if known < 0:
            raise TransportError("negative", label="tls")
        http = bare_client(httpx.MockTransport(lambda _: httpx.Response(200)))
        close = http.aclose

        async def aclose() -> None:
            await asyncio.sleep(0)  # a connection takes a turn of the event loop to close
            self.closed.append(http)
            await close()

        http.aclose = aclose  # type: ignore[method-assign]
        self.built.append(http)
        return http


async def test_one_client_until_something_changes() -> None:
    """The same client serves as long as nothing changes; a replaced one is closed after its last use."""
    factory = Factory()
    connections = Connections(factory.depends, factory.build)
    async with connections.use() as first:
        async with connections.use() as again:
            assert again is first
        factory.known = 2
        async with connections.use() as second:
            assert second is not first
        assert not first.is_closed
    assert first.is_closed
    assert not second.is_closed
    await connections.aclose()
    assert second.is_closed


async def test_a_bad_change_leaves_the_old_client() -> None:
    """What cannot be built, or read, is said once, and the old client stays."""
    factory = Factory()
    connections = Connections(factory.depends, factory.build)
    async with connections.use() as first:
        pass
    with capture_logs() as logs:
        for known, error in ((-1, None), (-1, None), (1, TransportError("gone", label="tls")), (1, None)):
            factory.known, factory.error = known, error
            async with connections.use() as http:
                assert http is first
    assert [entry["error"] for entry in logs] == ["negative", "gone"]
    await connections.aclose()


async def test_without_any_client_there_is_an_error() -> None:
    """Where the first client cannot be built, every use says why; it is tried again each time."""
    factory = Factory()
    factory.known = -1
    connections = Connections(factory.depends, factory.build)
    for _ in range(2):
        with pytest.raises(TransportError, match="negative"):
            await connections.use().__aenter__()
    factory.known = 1
    async with connections.use():
        pass
    await connections.aclose()


async def test_after_the_end_there_is_no_client() -> None:
    """A request that comes after `aclose` is refused; one under way loses its connection and no more."""
    factory = Factory()
    connections = Connections(factory.depends, factory.build)
    async with connections.use() as http:
        await connections.aclose()
        assert http.is_closed
    with pytest.raises(TransportError, match="closed"):
        await connections.use().__aenter__()


async def test_two_changes_while_requests_are_under_way() -> None:
    """Each client that was replaced is closed once, whoever is the last to have done with it."""
    factory = Factory()
    connections = Connections(factory.depends, factory.build)
    async with connections.use():
        pass
    factory.known = 2
    second = connections.use()
    await second.__aenter__()
    factory.known = 3
    third = connections.use()
    await third.__aenter__()
    await asyncio.gather(second.__aexit__(None, None, None), third.__aexit__(None, None, None))
    assert sorted(map(id, factory.closed)) == sorted(map(id, factory.built[:2]))
    await connections.aclose()
    assert factory.built[2].is_closed


async def test_the_end_while_a_replaced_client_is_in_use() -> None:
    """Its request ends as the connections close, which disturbs nothing."""
    factory = Factory()
    connections = Connections(factory.depends, factory.build)
    first = connections.use()
    await first.__aenter__()
    factory.known = 2
    async with connections.use():
        pass
    await asyncio.gather(connections.aclose(), first.__aexit__(None, None, None))
    assert all(http.is_closed for http in factory.built)


@pytest.fixture
def unresolvable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host name can be resolved."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.usefixtures("unresolvable")
async def test_an_unknown_host() -> None:
    """A name that does not resolve."""
    with pytest.raises(httpx.ConnectError, match="Name or service"):
        await get(Route(), BASE)


async def test_the_libraries_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """At debug level, set before or after, no header of question or answer is logged."""
    silence_libraries()
    silence_libraries()
    for name in ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    token = GOOD.replace(b"\r\n\r\n", b"\r\nX-Subject-Token: canary\r\n\r\n", 1)
    async with serve(token) as server, http_client(Route(), 2) as http:
        response = await http.get(server.url, headers={"X-Auth-Token": "canary"})
    assert response.headers["x-subject-token"] == "canary"
    assert [record for record in caplog.records if record.name.startswith("http")] == []
    assert "canary" not in caplog.text
    assert len([entry for entry in logging.getLogger("httpx").filters if "Silence" in str(entry)]) == 1
