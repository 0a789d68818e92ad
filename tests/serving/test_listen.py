"""`--web.listen-address`: its text, and the socket."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.serving.listen import ListenAddress, bind, parse_listen_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":10068", "", 10068),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("localhost:9000", "localhost", 9000),
        ("[::1]:9000", "::1", 9000),
        ("[::]:65535", "::", 65535),
        ("a-b.example:80", "a-b.example", 80),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """An address is a host, which may be left out, and a port; it is shown as it is written."""
    address = parse_listen_address(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10068",
        "localhost",
        ":",
        ":x",
        ":-1",
        ":65536",
        ":٣",
        "::1:9000",
        "[::1]",
        "[127.0.0.1]:1",
        "a b:1",
    ],
)
def test_what_is_no_address(text: str) -> None:
    """Anything else is an error of the flag, showing the text."""
    with pytest.raises(ConfigError) as caught:
        parse_listen_address(text)
    assert caught.value.key == "--web.listen-address"
    assert repr(text) in caught.value.reason


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    """No text raises anything but ConfigError, and what is taken is shown as it was written."""
    try:
        address = parse_listen_address(text)
    except ConfigError:
        return
    assert parse_listen_address(str(address)) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_free_port(host: str) -> None:
    """Port 0 takes a free one, and the socket accepts connections at once."""
    with bind(ListenAddress(host, 0)) as sock:
        port = sock.getsockname()[1]
        assert port > 0
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
async def test_no_answer_waits_for_an_acknowledgement(host: str) -> None:
    """What asyncio accepts sends small pieces at once (TCP_NODELAY): 40 ms for a scrape otherwise."""
    accepted = asyncio.get_running_loop().create_future()

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            sock = transport.get_extra_info("socket")
            accepted.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    with bind(ListenAddress(host, 0)) as sock:
        server = await asyncio.get_running_loop().create_server(Connection, sock=sock)
        _, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
        assert await asyncio.wait_for(accepted, 5)
        writer.close()
        await writer.wait_closed()
        server.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("host", ["::1", ""])
def test_ipv6(host: str) -> None:
    """An IPv6 address can be listened on, and an empty host is both families."""
    with (
        bind(ListenAddress(host, 0)) as sock,
        socket.create_connection(("::1", sock.getsockname()[1]), timeout=5),
    ):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_port_is_not_shared(host: str) -> None:
    """A second server on the same port fails at once, instead of taking half of the connections."""
    with bind(ListenAddress(host, 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigError, match="in use") as caught:
            bind(ListenAddress(host, port))
        assert str(port) in caught.value.reason


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_an_address_that_is_not_ours(host: str) -> None:
    """An address of another machine, or a name that cannot be one, is an error of the flag."""
    with pytest.raises(ConfigError, match="cannot listen on"):
        bind(ListenAddress(host, 0))


def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that cannot be looked up is an error of the flag, with the resolver's reason."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigError, match="cannot listen on nowhere:1: Name or service not known"):
        bind(ListenAddress("nowhere", 1))


def test_every_address_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where IPv6 is compiled in but switched off, or is not there at all, every address is every IPv4 one."""
    real = socket.socket

    def without_ipv6(family: int, kind: int, protocol: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, kind, protocol)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "socket", without_ipv6)
    with bind(ListenAddress("", 0)) as sock:
        assert sock.family == socket.AF_INET
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with bind(ListenAddress("", 0)) as sock:
        assert sock.family == socket.AF_INET
