"""exporter.web.application: what every path, method and header is answered with."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.negotiation import Format
from exporter.web import application
from exporter.web.application import Site, check_telemetry_path, create_app
from exporter.web.viewjson import to_json
from tests.page import sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message, Scope

    from exporter.views import Overview

BODIES: dict[tuple[Format, bool], tuple[bytes, ...]] = {
    (Format.TEXT, False): (b"te", b"xt\n"),
    (Format.TEXT, True): (gzip.compress(b"text\n", mtime=0),),
    (Format.OPENMETRICS, False): (b"# EOF\n",),
    (Format.OPENMETRICS, True): (gzip.compress(b"# EOF\n", mtime=0),),
}
PATHS = ("/metrics", "/", "/api/v1/tasks", "/-/healthy", "/-/ready", "/-/reload", "/static/page.css")


@dataclass
class World:
    """What the site is told; tests change it."""

    shown: Overview = sample.OVERVIEW
    unready: str | None = None
    reload_reason: str | None = None
    reloads: int = 0
    asked: list[tuple[Format, bool]] = field(default_factory=list)
    fault: Exception | None = None

    async def metrics(self, form: Format, gzip_: bool) -> tuple[bytes, ...]:  # noqa: FBT001 - the contract of Site
        """Return the pieces that stands for a format and coding."""
        if self.fault:
            raise self.fault
        self.asked.append((form, gzip_))
        return BODIES[form, gzip_]

    async def overview(self) -> Overview:
        """Return the overview that is set."""
        if self.fault:
            raise self.fault
        return self.shown

    async def reload(self) -> str | None:
        """Count, and return the reason that is set."""
        self.reloads += 1
        return self.reload_reason

    def site(self, **changes: Any) -> Site:
        """Return a site on this world."""
        site = Site(self.metrics, self.overview, lambda: self.unready, self.reload, lifecycle=True)
        return replace(site, **changes)


@pytest.fixture
def world() -> World:
    """Return a healthy world."""
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application with the lifecycle API on."""
    async with client_of(world.site()) as client:
        yield client


def client_of(site: Site) -> httpx.AsyncClient:
    """Return a client of a site's application."""
    transport = httpx.ASGITransport(create_app(site))
    return httpx.AsyncClient(transport=transport, base_url="http://exporter.test")


async def messages(site: Site, path: str, *, method: str = "GET", **headers: str) -> list[Message]:
    """Return the ASGI messages that answer a request."""
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        pytest.fail("nothing is to be read")

    await create_app(site)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("accept", "accept_encoding", "expected"),
    [
        ("*/*", "identity", (Format.TEXT, False)),
        ("*/*", "gzip", (Format.TEXT, True)),
        ("application/openmetrics-text;version=1.0.0", "gzip;q=0", (Format.OPENMETRICS, False)),
        ("application/openmetrics-text;version=1.0.0", "gzip", (Format.OPENMETRICS, True)),
    ],
)
async def test_a_scrape_is_answered_in_the_negotiated_form(
    client: httpx.AsyncClient, world: World, accept: str, accept_encoding: str, expected: tuple[Format, bool]
) -> None:
    """Format and coding are asked of the site and named in the headers; caches learn what it depends on."""
    headers = {"accept": accept, "accept-encoding": accept_encoding}
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == httpx.codes.OK
    assert world.asked == [expected]
    assert answer.content == (b"text\n" if expected[0] is Format.TEXT else b"# EOF\n")
    assert answer.headers["content-type"] == expected[0].content_type
    assert answer.headers.get("content-encoding") == ("gzip" if expected[1] else None)
    assert answer.headers["content-length"] == str(len(b"".join(BODIES[expected])))
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_scrape_is_sent_in_batches(world: World) -> None:
    """However many pieces the site hands over, the server gets few, and none of them is large."""

    async def metrics(_form: Format, _gzip: bool) -> list[bytes]:  # noqa: FBT001 - the site's protocol
        return [b"%04d\n" % number for number in range(30_000)]

    start, *pieces, end = await messages(replace(world.site(), metrics=metrics), "/metrics")
    assert start["type"] == "http.response.start"
    assert b"".join(piece["body"] for piece in pieces) == b"".join(await metrics(Format.TEXT, False))
    assert max(len(piece["body"]) for piece in pieces) < 65 * 1024
    assert len(pieces) < 5
    assert all(piece["more_body"] for piece in pieces)
    assert not end.get("more_body")


async def test_a_list_header_may_come_in_several_lines(client: httpx.AsyncClient, world: World) -> None:
    """RFC 9110, 5.3: lines of one field are one list."""
    lines = [
        ("accept", "text/plain;q=0.1"),
        ("accept", "application/openmetrics-text"),
        ("accept-encoding", "gzip;q=0.1"),
        ("accept-encoding", "identity;q=0.5"),
    ]
    await client.get("/metrics", headers=lines)
    assert world.asked == [(Format.OPENMETRICS, False)]


async def test_headers_that_are_not_text_are_no_fault(world: World) -> None:
    """Bytes outside ASCII in Accept leave the default."""
    site = world.site()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"accept", b"\xff\xfe/\x80"), (b"accept-encoding", b"\xc3\x28")]
    scope = {"type": "http", "method": "GET", "path": "/metrics", "query_string": b"", "headers": headers}
    await create_app(site)(scope, httpx_receive, send)
    assert sent[0]["status"] == httpx.codes.OK


async def httpx_receive() -> Message:
    """Return an empty request body."""
    return {"type": "http.request", "body": b"", "more_body": False}


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/-/reload"])
async def test_head_has_the_header_of_get(client: httpx.AsyncClient, path: str) -> None:
    """Same status and fields (RFC 9110, 9.3.2); that no body goes out is the server's business."""
    get, head = await client.get(path), await client.head(path)
    assert head.status_code == get.status_code == httpx.codes.OK
    assert head.headers == get.headers


async def test_head_of_the_list_does_not_make_it(world: World) -> None:
    """Megabytes of JSON are not written to be thrown away."""
    _, *pieces = await messages(world.site(), "/api/v1/tasks", method="HEAD")
    assert [piece["body"] for piece in pieces] == [b""]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE"])
async def test_a_known_path_with_another_method_is_405(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    """405 names the methods that are allowed (RFC 9110, 15.5.6)."""
    allowed = {"POST"} if path == "/-/reload" else {"GET", "HEAD"}
    answer = await client.request(method, path)
    if method in allowed:
        assert answer.status_code == httpx.codes.OK
    else:
        assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
        assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    ["/metrics/", "/nothing", "/-/", "/api/v1", "/static/", "/static/../web.py", "/-/healthy/", "//metrics"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_anything_else_is_404(world: World, method: str, path: str) -> None:
    """No redirect, no guessing, no files beyond the three that the page links."""
    start, _ = await messages(world.site(), path, method=method)
    assert start["status"] == httpx.codes.NOT_FOUND


async def test_healthy_always_and_ready_with_a_reason(client: httpx.AsyncClient, world: World) -> None:
    """Not ready is 503 and says why; healthy does not depend on it."""
    assert (await client.get("/-/ready")).status_code == httpx.codes.OK
    world.unready = "project prod: first poll under way"
    answer = await client.get("/-/ready")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.text == "project prod: first poll under way\n"
    assert (await client.get("/-/healthy")).status_code == httpx.codes.OK


async def test_reload_says_how_it_went(client: httpx.AsyncClient, world: World) -> None:
    """200 when the configuration is in force, 500 with the reason when the old one stays."""
    assert (await client.post("/-/reload")).status_code == httpx.codes.OK
    world.reload_reason = "config.yml: projects[0].name: required"
    answer = await client.post("/-/reload")
    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert answer.text == "config.yml: projects[0].name: required\n"
    assert world.reloads == 2


async def test_reload_is_closed_without_the_flag(world: World) -> None:
    """403, and nothing is reloaded."""
    async with client_of(world.site(lifecycle=False)) as client:
        assert (await client.post("/-/reload")).status_code == httpx.codes.FORBIDDEN
    assert world.reloads == 0


async def test_reload_is_not_taken_from_another_site(client: httpx.AsyncClient, world: World) -> None:
    """A browser that posts a form of a foreign page says so, and is refused."""
    for origin in ("cross-site", "same-site"):
        answer = await client.post("/-/reload", headers={"sec-fetch-site": origin})
        assert answer.status_code == httpx.codes.FORBIDDEN
    assert world.reloads == 0
    await client.post("/-/reload", headers={"sec-fetch-site": "same-origin"})
    assert world.reloads == 1


async def test_the_page_comes_with_a_strict_policy(client: httpx.AsyncClient) -> None:
    """Nothing but our own files; no inline script or style, no frame, no base, no foreign form target."""
    answer = await client.get("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[key] for key in ("script-src", "style-src", "img-src", "connect-src", "form-action")} == {
        "'self'"
    }
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    """Also errors, each field once; and no name or version of a server is told."""
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert len(headers.get_list("cache-control")) == len(headers.get_list("content-security-policy")) == 1


async def test_the_page_and_the_list_may_be_compressed(client: httpx.AsyncClient) -> None:
    """They are where gzip is accepted: the same content either way."""
    for path in ("/", "/api/v1/tasks"):
        plain = await client.get(path, headers={"accept-encoding": "gzip;q=0"})
        packed = await client.get(path, headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == plain.content
        assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


async def test_the_task_list_is_the_overview_as_json(client: httpx.AsyncClient) -> None:
    """Complete, and filtered by the same query string as the page."""
    answer = await client.get("/api/v1/tasks")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    whole = to_json(sample.OVERVIEW)
    assert {task["id"]: task for task in document["tasks"]} == {task["id"]: task for task in whole["tasks"]}
    assert document["projects"] == whole["projects"]
    failed = (await client.get("/api/v1/tasks?state=failed")).json()["tasks"]
    assert [task["name"] for task in failed] == ["nightly stop of developers' desktops"]


async def test_a_long_list_leaves_room_for_scrapes(world: World) -> None:
    """While ten thousand tasks are written, a scrape is answered between two pieces."""
    world.shown = sample.many(10_000)
    app = create_app(world.site())
    events: list[str] = []

    async def request(path: str) -> None:
        async def send(message: Message) -> None:
            events.append(f"{path} {len(message.get('body', b''))}")

        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
        await app(scope, httpx_receive, send)

    async with asyncio.TaskGroup() as group:
        group.create_task(request("/api/v1/tasks"))
        group.create_task(request("/metrics"))
    scraped = max(number for number, event in enumerate(events) if event.startswith("/metrics"))
    assert len(events) > 200
    assert scraped < 10
    assert max(int(event.split()[1]) for event in events) < 200_000


async def test_slow_readers_of_the_list_are_few_and_cut_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads too slowly loses the connection; while the places are taken, others get 429."""
    monkeypatch.setattr(application, "_STREAM_SECONDS", 0.05)
    app = create_app(world.site())
    reading = asyncio.Semaphore(0)

    async def never_read(message: Message) -> None:
        if message["type"] == "http.response.body":
            reading.release()
            await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/api/v1/tasks", "query_string": b"", "headers": []}

    async def read() -> None:
        await app(dict(scope), httpx_receive, never_read)

    readers = [asyncio.create_task(read()) for _ in range(8)]
    for _ in readers:
        await reading.acquire()
    status = (await messages_of(app, scope))[0]["status"]
    assert status == httpx.codes.TOO_MANY_REQUESTS
    results = await asyncio.gather(*readers, return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError] * 8
    assert (await messages_of(app, scope))[0]["status"] == httpx.codes.OK


async def test_readers_of_the_page_are_few(world: World) -> None:
    """Each takes its turn; while many wait, others get 429 at once, and are asked to come again."""
    app = create_app(world.site())
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    answers = await asyncio.gather(*(messages_of(app, scope) for _ in range(40)))
    starts = [messages[0] for messages in answers]
    assert [start["status"] for start in starts] == [200] * 32 + [429] * 8
    assert (b"retry-after", b"1") in starts[-1]["headers"]
    assert (await messages_of(app, scope))[0]["status"] == httpx.codes.OK


async def messages_of(app: Any, scope: dict[str, Any]) -> list[Message]:
    """Return what an application answers to a scope."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(dict(scope), httpx_receive, send)
    return sent


@pytest.mark.parametrize("path", ["/metrics", "/"])
async def test_an_error_inside_is_left_to_the_server(world: World, path: str) -> None:
    """Nothing has been sent, so that the server can still answer 500, and log what it was."""
    world.fault = RuntimeError("broken")
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    with pytest.raises(RuntimeError, match="broken"):
        await create_app(world.site())(scope, httpx_receive, send)
    assert sent == []


@pytest.mark.parametrize(
    "query",
    [
        "?state=%ff%fe&page=-1&sort=;drop&q=%00%1b[31m",
        "?page=99999999999999999999",
        "?q=" + "%F0%9F%98%80" * 300,
        "?" + "&".join(f"a{number}=1" for number in range(500)),
        "?q=<script>alert(1)</script>&project=\"'><img>",
        "?%",
        "?===&&&",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/tasks"])
async def test_hostile_query_strings_are_answered(client: httpx.AsyncClient, path: str, query: str) -> None:
    """No query is an error, and none gets markup into the page."""
    answer = await client.get(path + query)
    assert answer.status_code == httpx.codes.OK
    assert "<script>alert" not in answer.text
    assert "><img>" not in answer.text


FUZZED = create_app(World().site())
_TOKEN = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@settings(deadline=None)
@given(
    method=_TOKEN,
    path=st.one_of(st.sampled_from(PATHS), st.text(max_size=40).map("/".__add__)),
    query=st.binary(max_size=200),
    headers=st.lists(st.tuples(st.binary(max_size=20).map(bytes.lower), st.binary(max_size=60)), max_size=12),
)
async def test_no_request_is_a_server_error(
    method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Any method, path, query and headers: an answer below 500."""
    scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}
    sent = await messages_of(FUZZED, scope)
    assert sent[0]["status"] < httpx.codes.INTERNAL_SERVER_ERROR
    assert not sent[-1].get("more_body")


async def test_metrics_at_the_root_move_the_page(world: World) -> None:
    """With `--web.telemetry-path /` the page is at `/status`, and links the metrics there."""
    async with client_of(world.site(telemetry_path="/")) as client:
        assert (await client.get("/")).content == b"text\n"
        page = await client.get("/status")
        assert page.status_code == httpx.codes.OK
        assert 'href="./"' in page.text
        assert (await client.get("/metrics")).status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("path", ["/metrics", "/", "/prom/v1/metrics", "/-/metrics", "/a_b~c.d"])
def test_telemetry_paths_that_can_be(path: str) -> None:
    """Any plain path that is not taken."""
    check_telemetry_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "metrics",
        "/metrics/",
        "//",
        "/a?b",
        "/a b",
        "/ä",
        "/api/v1/tasks",
        "/-/ready",
        "/static/x",
        "/status",
    ],
)
def test_telemetry_paths_that_cannot_be(path: str) -> None:
    """The error names the flag."""
    with pytest.raises(ConfigError, match=r"--web\.telemetry-path"):
        check_telemetry_path(path)


async def test_assets_are_cached_by_content(client: httpx.AsyncClient) -> None:
    """The address in the page may be kept for ever; any other address of the file is asked for again."""
    page = await client.get("/")
    start = page.text.index("./static/page.css")
    address = page.text[start + 1 : page.text.index('"', start)]
    linked = await client.get(address)
    assert linked.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert linked.headers["content-type"] == "text/css; charset=utf-8"
    bare = await client.get("/static/page.css?v=0")
    assert bare.headers["cache-control"] == "no-cache"
    assert bare.content == linked.content


async def test_lifespan_is_answered(world: World) -> None:
    """A server that speaks the lifespan protocol is told that start and stop are complete."""
    asked = iter(["lifespan.startup", "lifespan.shutdown"])
    told: list[str] = []

    async def receive() -> Message:
        return {"type": next(asked)}

    async def send(message: Message) -> None:
        told.append(message["type"])

    await create_app(world.site())({"type": "lifespan", "app": None}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_json_document_is_json() -> None:
    """What `to_json` returns needs no help to be encoded."""
    assert json.loads(json.dumps(to_json(sample.OVERVIEW))) == to_json(sample.OVERVIEW)
