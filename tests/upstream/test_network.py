"""Sockets of TLS handshakes that nobody waits for any more: closed at once, not by the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from exporter.upstream.connections import Route, http_client
from tests.loopback import GOOD, serve
from tests.serving.certificates import authority, server_certificate

PATIENCE = 0.05
"""Seconds after which the client gives up: enough for loopback, and nothing ever comes."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Let nothing be closed by chance."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Silent:
    """Takes connections and says `greeting`, then nothing; counts those that the client has closed."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.greeting = greeting
        self.port = 0
        self.began = asyncio.Event()
        self.ended = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read to the end."""
        if self.greeting:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.greeting)
        while await reader.read(65536):
            self.began.set()
        writer.close()
        self.ended.set()


@asynccontextmanager
async def silent(greeting: bytes = b"") -> AsyncIterator[Silent]:
    """Run such a server."""
    what = Silent(greeting)
    server = await asyncio.start_server(what.handle, "127.0.0.1", 0)
    what.port = server.sockets[0].getsockname()[1]
    async with server:
        yield what


async def check_closed(server: Silent, http: httpx.AsyncClient, url: str) -> None:
    """A handshake that takes too long, and one whose reader is cancelled, leave no connection open."""
    for cancel in (False, True):
        server.began.clear()
        server.ended.clear()
        asking = asyncio.create_task(http.get(url))
        await server.began.wait()
        if cancel:
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asking, PATIENCE)
        await asyncio.wait_for(server.ended.wait(), 5)


async def test_a_handshake_without_answer_is_closed_with_the_request() -> None:
    """The server sees the end of the connection while it is still silent itself."""
    async with silent() as server, http_client(Route(), 2) as http:
        await check_closed(server, http, f"https://127.0.0.1:{server.port}/")


async def test_a_handshake_through_a_proxy_is_closed_too() -> None:
    """The proxy has opened the tunnel, and the host behind it says nothing."""
    async with silent(b"HTTP/1.1 200 OK\r\n\r\n") as proxy:
        url = "https://workspace.example.test"
        route = Route(proxies=((url, f"http://127.0.0.1:{proxy.port}"),))
        async with http_client(route, 2) as http:
            await check_closed(proxy, http, url)


async def test_a_handshake_that_ends_well_is_kept(tmp_path: Path) -> None:
    """What is sent and read goes through, and the connection serves another request."""
    (tmp_path / "ca.pem").write_bytes(authority().cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate().configure_cert(context)
    async with (
        serve(GOOD, tls=context, keep=True) as server,
        http_client(Route(ca_file=tmp_path / "ca.pem"), 2) as http,
    ):
        for _ in range(2):
            answer = await http.get(f"https://localhost:{server.port}/")
            assert (answer.status_code, len(answer.content)) == (200, 40)
        assert len(server.heads) == 2
