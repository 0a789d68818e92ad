"""TLS without I/O: a client and a server stream that hand each other bytes."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.serving.tlsstream import TlsStream
from tests.serving.certificates import authority, client_context, server_certificate, stranger


class Peer:
    """A client, and the wire between it and a server stream."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext | None = None) -> None:
        self.stream = TlsStream(server)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = client or client_context()
        self.client = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    def carry(self) -> bytes:
        """Bring the client's bytes to the server and its answer back; return the server's plain text."""
        text = self.stream.receive(self._out.read())
        self._in.write(self.stream.outgoing())
        return text

    def handshake(self) -> None:
        """Finish the handshake."""
        while True:
            self._in.write(self.stream.outgoing())
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self.carry()
            else:
                self.carry()
                return

    def fetch(self) -> bytes:
        """Bring what the server left to be sent to the client, and read it."""
        self._in.write(self.stream.outgoing())
        return self.client.read(1 << 20)

    def drop(self) -> bytes:
        """Return the client's bytes, for the test to spoil."""
        return self._out.read()


def server_context() -> ssl.SSLContext:
    """Return a server's context with a certificate that clients trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate().configure_cert(context)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_text_in_both_directions(version: ssl.TLSVersion) -> None:
    """After the handshake plain text comes out on either side as it went in, in both versions of TLS."""
    client = client_context()
    client.maximum_version = version
    peer = Peer(server_context(), client)
    peer.handshake()
    peer.client.write(b"question")
    assert peer.carry() == b"question"
    peer.stream.send(b"answer")
    assert peer.fetch() == b"answer"


def test_a_handshake_in_single_bytes() -> None:
    """Bytes are held until the first record is whole; before, OpenSSL's memory is not taken."""
    peer = Peer(server_context())
    with pytest.raises(ssl.SSLWantReadError):
        peer.client.do_handshake()
    hello = peer.drop()
    for byte in hello[:-1]:
        assert not peer.stream.hold(bytes([byte]))
    assert not peer.stream.begun
    assert peer.stream.hold(hello[-1:])
    assert peer.stream.receive(b"") == b""
    assert peer.stream.begun
    peer.handshake()
    peer.client.write(b"question")
    assert peer.carry() == b"question"


def test_nothing_can_be_sent_before_the_handshake() -> None:
    """No text leaves unencrypted."""
    stream = TlsStream(server_context())
    with pytest.raises(ValueError, match="handshake"):
        stream.send(b"text")
    assert stream.outgoing() == b""


@pytest.mark.parametrize("first", [b"\x16\x03\x01\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x80"])
def test_what_cannot_become_a_handshake_is_not_waited_for(first: bytes) -> None:
    """A record that is too long, or of another kind, is an error at once, not after its rest."""
    stream = TlsStream(server_context())
    assert stream.hold(first.ljust(5, b"\0"))
    with pytest.raises(ssl.SSLError):
        stream.receive(b"")


def test_text_that_comes_with_the_handshake() -> None:
    """What arrives in one piece with the end of the handshake is not lost."""
    peer = Peer(server_context())
    with pytest.raises(ssl.SSLWantReadError):
        peer.client.do_handshake()
    peer.carry()
    peer.client.do_handshake()
    peer.client.write(b"question")
    assert peer.carry() == b"question"


def test_the_clients_end() -> None:
    """The client's close_notify is told apart from silence."""
    peer = Peer(server_context())
    peer.handshake()
    assert not peer.stream.ended
    with pytest.raises(ssl.SSLWantReadError):
        peer.client.unwrap()
    assert peer.carry() == b""
    assert peer.stream.ended


def test_the_servers_end() -> None:
    """The server says that it has ended, so that a client can tell a whole answer from a cut one."""
    peer = Peer(server_context())
    peer.handshake()
    peer.stream.send(b"last")
    peer.stream.end()
    assert peer.fetch() == b"last"
    assert peer.client.read(1) == b""


def test_an_end_before_the_handshake_says_nothing() -> None:
    """A connection that ends before its handshake needs no close_notify."""
    stream = TlsStream(server_context())
    stream.end()
    assert stream.outgoing() == b""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("known", [True, False])
def test_client_certificates(version: ssl.TLSVersion, known: bool) -> None:  # noqa: FBT001 - pytest's way
    """With a client CA only its clients get as far as text; the others are told by an alert."""
    server = server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(server)
    client = client_context(authority() if known else stranger())
    client.maximum_version = version
    peer = Peer(server, client)
    if known:
        peer.handshake()
        peer.client.write(b"question")
        assert peer.carry() == b"question"
    else:
        with pytest.raises(ssl.SSLError):
            peer.handshake()
        assert peer.stream.outgoing() != b""


@given(st.binary(min_size=1, max_size=200))
def test_bytes_that_are_no_tls(data: bytes) -> None:
    """Anything may arrive: it waits for more or is an ssl.SSLError, and gives no text."""
    stream = TlsStream(server_context())
    with contextlib.suppress(ssl.SSLError):
        if stream.hold(data):
            assert stream.receive(b"") == b""
