"""`--web.listen-address [HOST]:PORT`: its text, and the socket that listens there."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

from exporter.errors import ConfigError

KEY: Final = "--web.listen-address"
BACKLOG: Final = 1024
"""Connections that the kernel completes before they are taken; it cuts this to net.core.somaxconn."""

_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?")
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_PORT = 65535
_Place = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]  # what getaddrinfo may return


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen. An empty host is every address, port 0 any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        """As the command line takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen_address(text: str) -> ListenAddress:
    """Return the address in `[HOST]:PORT`; an IPv6 address stands in brackets. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > _MAX_PORT:
        raise ConfigError(f"{text!r} is not [HOST]:PORT with a port from 0 to {_MAX_PORT}", key=KEY)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        valid = _is_ipv6(host)
    else:
        valid = not host or _HOST_NAME.fullmatch(host) is not None
    if not valid:
        raise ConfigError(f"{text!r} has no valid host; an IPv6 address stands in brackets", key=KEY)
    return ListenAddress(host, int(port))


def bind(address: ListenAddress) -> socket.socket:
    """Return a listening socket; ConfigError where the address is taken, unknown or not permitted.

    No SO_REUSEPORT: a second exporter on the same port must fail, not take half of the scrapes. An empty
    host is both families where the system has IPv6.
    """
    try:
        if not address.host:
            return _bind_every_address(address.port)
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # IPv4 first, as Prometheus does: `localhost` is where clients look for it first.
        family, _, _, _, place = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        return _listening(_stream(family), place)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {address}: {reason}", key=KEY) from None


def _bind_every_address(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            sock = _stream(socket.AF_INET6)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            return _listening(sock, ("::", port))
        except OSError as error:
            # Compiled in, but switched off: ipv6.disable=1, net.ipv6.conf.all.disable_ipv6=1.
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
    return _listening(_stream(socket.AF_INET), ("0.0.0.0", port))  # noqa: S104 - asked for


def _stream(family: int) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted: the end of an answer would
    # otherwise wait for the client's delayed acknowledgement, 40 ms.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def _listening(sock: socket.socket, place: _Place) -> socket.socket:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
