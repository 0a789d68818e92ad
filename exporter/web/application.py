"""The ASGI application: what the exporter answers over HTTP (contract, section 6).

It is handed functions, not the poller, and keeps no state. A scrape is answered before any routing: it is
what this process is for, and costs 1 µs here where the routes cost 8. Everything else goes through
Starlette's router. Passwords, TLS, sizes of requests, HEAD's missing body and errors nobody expected are the
server's business, not this module's.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router

from exporter.errors import ConfigError
from exporter.negotiation import Format, accepts_gzip, choose_format
from exporter.web.assets import load_assets
from exporter.web.page import StatusPage
from exporter.web.pagequery import parse_query, select
from exporter.web.securityheaders import PAGE_POLICY, secured
from exporter.web.viewjson import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from exporter.views import Overview
    from exporter.web.assets import Asset
    from exporter.web.pagequery import Query

PATHS = frozenset({"/api/v1/tasks", "/-/healthy", "/-/ready", "/-/reload"})
"""Fixed paths; a telemetry path may be none of them, nor lie under `/static/`."""
UNGUARDED_PATHS = frozenset({"/-/healthy", "/-/ready"})
"""Paths that need no password."""

_TELEMETRY_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+|/")
_BATCH_BYTES = 64 * 1024
# Each reader of the task list holds an overview of its own for as long as it reads.
_MAX_STREAMS = 8
# Who waits for a page holds a connection that cannot be taken back for somebody else.
_MAX_PAGES = 32
_STREAM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Site:
    """What the application answers from."""

    metrics: Callable[[Format, bool], Awaitable[Sequence[bytes]]]
    """The exposition in a format, compressed with gzip or not: its pieces in order, ready to send."""
    overview: Callable[[], Awaitable[Overview]]
    not_ready: Callable[[], str | None]
    """Why the exporter is not ready; None when it is."""
    reload: Callable[[], Awaitable[str | None]]
    """Load the configuration again; the reason when it cannot be used, None when it is in force."""
    lifecycle: bool = False
    """`--web.enable-lifecycle`: whether `/-/reload` is open."""
    telemetry_path: str = "/metrics"
    """`--web.telemetry-path`; where it is `/`, the status page is at `/status`."""


def create_app(site: Site) -> ASGIApp:
    """Return the application. Raises ConfigError for a telemetry path that cannot be."""
    check_telemetry_path(site.telemetry_path)
    telemetry = _Telemetry(site)
    routes = _routes(site)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == site.telemetry_path:
            await telemetry(scope, receive, send)
        else:
            await routes(scope, receive, send)

    return secured(app)


def check_telemetry_path(path: str) -> None:
    """Raise ConfigError where `--web.telemetry-path` is no plain path or hides another endpoint."""
    key = "--web.telemetry-path"
    if not _TELEMETRY_PATH.fullmatch(path):
        raise ConfigError(f"{path!r} is not a path such as /metrics", key=key)
    if path in PATHS | {"/status"} or path.startswith("/static/"):
        raise ConfigError(f"{path} is taken by another endpoint", key=key)


class _Telemetry:
    """The scrape. What the site hands over, thousands of pieces, is sent some at a time."""

    def __init__(self, site: Site) -> None:
        self._metrics = site.metrics
        self._headers = {
            (form, gzip): _telemetry_headers(form, gzip=gzip) for form in Format for gzip in (False, True)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            await _text("Method Not Allowed\n", 405, {"allow": "GET, HEAD"})(scope, receive, send)
            return
        accept, accept_encoding = _negotiated(scope)
        form, gzip = choose_format(accept), accepts_gzip(accept_encoding)
        pieces = await self._metrics(form, gzip)
        length = (b"content-length", str(sum(map(len, pieces))).encode())
        headers = [*self._headers[form, gzip], length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for batch in _batches(pieces):
            await send({"type": "http.response.body", "body": batch, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _batches(pieces: Iterable[bytes]) -> Iterator[bytes]:
    # The server gathers small pieces too, but each goes through every wrapper of `send` on its way there:
    # with ten thousand tasks these are 5,600 pieces, and a third of the server's time for a scrape.
    gathered, size = [], 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _BATCH_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _negotiated(scope: Scope) -> tuple[str, str]:
    """Return Accept and Accept-Encoding; a field sent as several lines is one list (RFC 9110, 5.3)."""
    accept, encoding = "", ""
    for name, value in scope["headers"]:
        if name == b"accept":
            accept = f"{accept},{value.decode('latin-1')}" if accept else value.decode("latin-1")
        elif name == b"accept-encoding":
            encoding = f"{encoding},{value.decode('latin-1')}" if encoding else value.decode("latin-1")
    return accept, encoding


def _telemetry_headers(form: Format, *, gzip: bool) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", form.content_type.encode()),
        (b"vary", b"Accept, Accept-Encoding"),
        (b"cache-control", b"no-store"),
    ]
    return [*headers, (b"content-encoding", b"gzip")] if gzip else headers


def _routes(site: Site) -> ASGIApp:
    assets = load_assets()
    people = _People(site, StatusPage(assets, site.telemetry_path))

    async def healthy(_: Request) -> Response:
        return _text("workspace-exporter is healthy.\n")

    async def ready(_: Request) -> Response:
        reason = site.not_ready()
        return _text("workspace-exporter is ready.\n") if reason is None else _text(f"{reason}\n", 503)

    async def reload(request: Request) -> Response:
        return await _reload(site, request)

    return Router(
        [
            Route("/status" if site.telemetry_path == "/" else "/", people.page),
            Route("/api/v1/tasks", people.tasks),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            Route("/-/reload", reload, methods=["POST"]),
            *(_asset_route(asset) for asset in assets.values()),
        ],
        redirect_slashes=False,  # anything else is 404
    )


async def _reload(site: Site, request: Request) -> Response:
    if not site.lifecycle:
        return _text("The lifecycle API is not enabled: start with --web.enable-lifecycle.\n", 403)
    # A form on any web page can POST here from a browser behind the firewall; browsers say so.
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return _text("A reload cannot be asked for by another site.\n", 403)
    reason = await site.reload()
    return _text("Configuration reloaded.\n") if reason is None else _text(f"{reason}\n", 500)


class _People:
    """The status page, and the same as JSON. Both can be long work, so both give way to scrapes."""

    def __init__(self, site: Site, page: StatusPage) -> None:
        self._overview = site.overview
        self._page = page
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._streams = asyncio.Semaphore(_MAX_STREAMS)

    async def page(self, request: Request) -> Response:
        if self._waiting >= _MAX_PAGES:
            return _text("The status page has too many readers.\n", 429, {"retry-after": "1"})
        self._waiting += 1
        try:
            body = await self._render(parse_query(request.scope["query_string"]))
        finally:
            self._waiting -= 1
        headers = {"content-security-policy": PAGE_POLICY, "vary": "Accept-Encoding"}
        if accepts_gzip(_negotiated(request.scope)[1]):
            headers["content-encoding"] = "gzip"
            body = zlib.compress(body, level=5, wbits=31)
        return Response(body, headers=headers, media_type="text/html")

    async def _render(self, query: Query) -> bytes:
        # However many ask at once, one page is made at a time, and in pieces: a scrape waits for one of them.
        async with self._turn:
            pieces = []
            for piece in self._page.render(await self._overview(), query):
                pieces.append(piece)
                await asyncio.sleep(0)
        return b"".join(pieces)

    async def tasks(self, _: Request) -> ASGIApp:
        if self._streams.locked():
            return _text("The task list has too many readers.\n", 429, {"retry-after": "5"})
        return self._stream

    async def _stream(self, scope: Scope, _: Receive, send: Send) -> None:
        """Send the document piece by piece. Raises TimeoutError for a reader that takes too long."""
        gzip = accepts_gzip(_negotiated(scope)[1])
        headers = [(b"content-type", b"application/json"), (b"vary", b"Accept-Encoding")]
        if gzip:
            headers.append((b"content-encoding", b"gzip"))
        async with self._streams, asyncio.timeout(_STREAM_SECONDS):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for piece in await self._pieces(scope, gzip=gzip) if scope["method"] == "GET" else ():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b""})

    async def _pieces(self, scope: Scope, *, gzip: bool) -> Iterator[bytes]:
        overview = await self._overview()
        tasks = select(overview.tasks, parse_query(scope["query_string"])).tasks
        pieces = encode(overview, tasks)
        return _compressed(pieces) if gzip else pieces


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=5, wbits=31)
    for piece in pieces:
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()


def _asset_route(asset: Asset) -> Route:
    current = asset.url.partition("?")[2].encode()

    async def endpoint(request: Request) -> Response:
        # An address that names the content never gets other content.
        fresh = request.scope["query_string"] == current
        cache = "private, max-age=31536000, immutable" if fresh else "no-cache"
        return Response(asset.body, headers={"cache-control": cache, "content-type": asset.media_type})

    return Route(asset.path, endpoint)


def _text(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text.encode("utf-8", "replace"), status, headers)
