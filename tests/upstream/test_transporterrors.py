"""The HTTP library's exceptions in our own words, without anything of the request."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from exporter.upstream.transporterrors import transport_error

REQUEST = httpx.Request("GET", "https://h.test/canary-path", headers={"X-Auth-Token": "canary-token"})


def caused(error: httpx.HTTPError, *causes: BaseException) -> httpx.HTTPError:
    """An exception of the library, raised from others."""
    error.request = REQUEST
    before: BaseException = error
    for cause in causes:
        before.__cause__ = cause
        before = cause
    return error


def verification() -> ssl.SSLCertVerificationError:
    """What OpenSSL says of an expired certificate."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


def handshake() -> ssl.SSLError:
    """What OpenSSL says of a peer that speaks no TLS."""
    error = ssl.SSLError(1, "canary")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


REFUSED = OSError(errno.ECONNREFUSED, "canary")
GROUP = OSError("All connection attempts failed")
GROUP.__cause__ = ExceptionGroup("several", [REFUSED, OSError(errno.ENETUNREACH, "canary")])


@pytest.mark.parametrize(
    ("error", "label", "reason"),
    [
        (
            caused(
                httpx.ConnectError("canary"), RuntimeError(), socket.gaierror(-2, "Name or service not known")
            ),
            "dns",
            "the host name cannot be resolved: Name or service not known",
        ),
        (
            caused(httpx.ConnectError("canary"), verification()),
            "tls",
            "no secure connection: certificate has expired",
        ),
        (
            caused(httpx.ConnectError("canary"), handshake()),
            "tls",
            "no secure connection: wrong version number",
        ),
        (ssl.SSLError("canary"), "tls", "no secure connection: handshake failed"),
        (caused(httpx.ProxyError("407 canary")), "proxy", "the proxy refused the connection"),
        (caused(httpx.ConnectError("canary"), REFUSED), "connect", "no connection: Connection refused"),
        (caused(httpx.ConnectError("canary"), GROUP), "connect", "no connection: Connection refused"),
        (caused(httpx.UnsupportedProtocol("canary")), "connect", "no connection"),
        (
            caused(httpx.RemoteProtocolError("canary")),
            "protocol",
            "the connection was closed early, or what came is not HTTP",
        ),
        (httpx.InvalidURL("canary"), "protocol", "the connection was closed early, or what came is not HTTP"),
        (
            caused(httpx.ReadError("canary"), OSError(errno.ECONNRESET, "canary")),
            "read",
            "the connection broke: Connection reset by peer",
        ),
        (caused(httpx.WriteError("canary")), "read", "the connection broke"),
    ],
)
def test_labels_and_reasons(error: Exception, label: str, reason: str) -> None:
    """Each kind of trouble has its label, and only the system's, the resolver's or OpenSSL's words."""
    found = transport_error(error, "list_tasks")
    assert (found.label, found.reason, found.operation) == (label, reason, "list_tasks")
    assert found.retryable
    assert "canary" not in str(found)


def test_a_ring_of_causes_ends() -> None:
    """Exceptions that cause each other in a ring are no endless loop."""
    first, second = httpx.ReadError("x"), OSError("y")
    first.__cause__, second.__cause__ = second, first
    assert transport_error(first, "x").label == "read"
