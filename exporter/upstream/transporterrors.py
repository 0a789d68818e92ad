"""An exception of the HTTP library -> a TransportError in our own words. Pure.

The library's exceptions carry the request with its headers, and their texts may quote bytes of it or of a
hostile answer. So nothing of them is kept: only what the operating system, the resolver or OpenSSL said.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import httpx

from exporter.errors import TransportError

_MAX_CAUSES = 20


def transport_error(error: Exception, operation: str) -> TransportError:
    """Return what went wrong on the way: label dns, tls, proxy, connect, protocol or read.

    Raise it outside the `except` block, so that the library's exception is not chained to it.
    """
    label, reason = _describe(error)
    return TransportError(reason, label=label, operation=operation)


def _describe(error: Exception) -> tuple[str, str]:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "dns", f"the host name cannot be resolved: {cause.strerror}"
        if isinstance(cause, ssl.SSLError):
            return "tls", f"no secure connection: {_tls_reason(cause)}"
    if isinstance(error, httpx.ProxyError):
        return "proxy", "the proxy refused the connection"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)):
        return "connect", f"no connection{_system_reason(causes)}"
    if isinstance(error, (httpx.ProtocolError, httpx.InvalidURL)):
        return "protocol", "the connection was closed early, or what came is not HTTP"
    return "read", f"the connection broke{_system_reason(causes)}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, what it was raised from, and the parts of a group, nearest first."""
    queue: list[BaseException | None] = [error]
    for _ in range(_MAX_CAUSES):
        if not queue:
            return
        cause = queue.pop(0)
        if cause is None:
            continue
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            queue.extend(cause.exceptions)
        queue.append(cause.__cause__ or cause.__context__)


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    reason: str = getattr(error, "reason", None) or "handshake failed"  # unset where Python itself raises it
    return reason.replace("_", " ").lower()


def _system_reason(causes: list[BaseException]) -> str:
    numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno]
    return f": {os.strerror(numbers[0])}" if numbers else ""
