"""The HTTP client in force: TLS, proxy, limits. Taken up anew when the CA file or the proxy's file changes.

Nothing comes from the environment by surprise: no proxy, no netrc, no certificates; no redirect is followed
and no cookie kept. `ca_file` replaces the built-in authorities (as `ca_file` does in Prometheus): a project
that names its own trusts no other. The host's name for a proxy is looked up by the proxy.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import structlog

from exporter import __version__
from exporter.errors import ApiError, TransportError
from exporter.upstream.network import over_network
from exporter.upstream.secretfiles import signature
from exporter.urls import check_proxy

_IDLE = 30.0
"""Seconds that an idle connection is kept: shorter than the minute after which gateways close theirs."""
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"workspace-exporter/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Route:
    """How hosts are reached: `proxies` pairs a base URL with its proxy; any other one is reached directly.

    `ca_file` holds the trusted authorities in PEM, None for the built-in ones; `ca_version` tells one content
    of the file from another.
    """

    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: Path | None = None
    ca_version: Hashable = None


class _Silence(logging.Filter):
    """Drops what the HTTP libraries say: at debug level every header of an answer, also X-Subject-Token."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_SILENCE = _Silence()


def silence_libraries() -> None:
    """Keep the HTTP libraries from logging headers and addresses, whatever level is set later."""
    for name in (
        "httpx",
        *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    ):
        logging.getLogger(name).addFilter(_SILENCE)


def http_client(route: Route, connections: int) -> httpx.AsyncClient:
    """Return a client that follows `route`, with at most `connections`; raises TransportError."""
    tls = _tls(route.ca_file)
    mounts = {_pattern(base): _transport(tls, connections, proxy) for base, proxy in route.proxies}
    return bare_client(_transport(tls, connections), mounts)


def bare_client(
    transport: httpx.AsyncBaseTransport, mounts: Mapping[str, httpx.AsyncBaseTransport] | None = None
) -> httpx.AsyncClient:
    """Return a client over given transports; time is limited by its user, not by it."""
    return httpx.AsyncClient(
        transport=transport,
        mounts=mounts,
        headers=_HEADERS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=None,  # noqa: S113 - the exchange limits the whole request
        trust_env=False,
        follow_redirects=False,
    )


def environment_proxy(base: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy that the customary variables (`https_proxy`, `no_proxy`, …) name for a base URL."""
    url = httpx.URL(base)
    names = (f"{url.scheme}_proxy", f"{url.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    proxy = next((environment[name] for name in names if environment.get(name)), None)
    direct = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if proxy is None or any(_names(entry.strip(), url) for entry in direct.split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def proxy_user(proxy: str) -> list[str]:
    """Return what is secret in a proxy's URL: its user part and password, as they are written and decoded."""
    user = proxy.partition("://")[2].rpartition("@")[0]
    parts = (user, user.partition(":")[2])
    return list(dict.fromkeys(shape for part in parts for shape in (part, unquote(part)) if shape))


def file_version(path: Path) -> Hashable:
    """Return what tells one content of the CA file from another; raises TransportError."""
    try:
        return signature(path.stat())
    except OSError as error:
        raise TransportError(f"ca_file: {path}: {error.strerror}", label="tls") from None


def _names(entry: str, url: httpx.URL) -> bool:
    """Whether an entry of `no_proxy` is about a URL: `*`, a host or domain, with a port or without."""
    host, _, port = entry.lower().lstrip("*").lstrip(".").partition(":")
    if port and port != str(url.port or {"https": 443, "http": 80}[url.scheme]):
        return False
    return entry == "*" or (host != "" and f".{url.host}".endswith(f".{host}"))


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # an SSLError too, where the file holds no certificate
        reason = "holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
    raise TransportError(f"ca_file: {ca_file}: {reason}", label="tls")


def _transport(tls: ssl.SSLContext, connections: int, proxy: str | None = None) -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE
    )
    if proxy is None:
        return over_network(httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits))
    try:
        check_proxy(proxy)
    except ValueError as error:
        raise TransportError(f"proxy_url: {error}", label="proxy") from None
    through = httpx.Proxy(proxy, ssl_context=tls if proxy.startswith("https:") else None)
    return over_network(httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits, proxy=through))


def _pattern(base: str) -> str:
    url = httpx.URL(base)
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


class Connections:
    """Lends out one HTTP client, and builds another when what it depends on has changed.

    `depends` returns what a client is built from; `build` builds one; both may raise ApiError. A client that
    was replaced is closed when its last user has done with it.
    """

    def __init__(
        self,
        depends: Callable[[], Hashable],
        build: Callable[[Any], httpx.AsyncClient],
        log: Any = None,
    ) -> None:
        self._depends = depends
        self._build = build
        self._log = log or structlog.get_logger()
        self._known: Hashable = None
        self._trouble = ""
        self._http: httpx.AsyncClient | None = None
        self._users: dict[httpx.AsyncClient, int] = {}
        self._closed = False

    @asynccontextmanager
    async def use(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend the client. Raises ApiError while none could ever be built, and after `aclose`."""
        http = self._current()
        self._users[http] += 1
        try:
            yield http
        finally:
            self._users[http] -= 1
            await self._close_unused()

    async def aclose(self) -> None:
        """Close every client, also one in use."""
        self._closed = True
        for http in list(self._users):
            await http.aclose()

    def _current(self) -> httpx.AsyncClient:
        if self._closed:
            raise TransportError("the connections of this project are closed", label="connect")
        try:
            http = self._renew()
        except ApiError as error:
            if self._http is None:
                raise
            if self._trouble != str(error):
                self._log.warning("CA or proxy cannot be used; the last ones stay", error=str(error))
            self._trouble = str(error)
            return self._http
        self._trouble = ""
        return http

    def _renew(self) -> httpx.AsyncClient:
        known = self._depends()
        if self._http is None or known != self._known:
            self._http = self._build(known)
            self._known = known
            self._users[self._http] = 0
        return self._http

    async def _close_unused(self) -> None:
        unused = [http for http, users in self._users.items() if not users and http is not self._http]
        for http in unused:  # before any is closed: others look as well meanwhile
            del self._users[http]
        for http in unused:
            await http.aclose()
