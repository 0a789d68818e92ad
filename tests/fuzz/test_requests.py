"""Whatever a client sends to the real server in front of the real application and daemon."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.cli.daemon import Daemon
from exporter.web.application import Site, create_app
from tests.faults.stage import Stage, run, stage
from tests.fuzz.profile import examples
from tests.serving.site import raw, site, status

_BYTES = st.binary(max_size=12)
_VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
_PATHS = st.sampled_from(
    [
        *(
            "/",
            "/metrics",
            "/api/v1/tasks",
            "/-/healthy",
            "/-/ready",
            "/-/reload",
            "/static/",
            "/favicon.ico",
        ),
        *(
            "/?q=%ff&sort=x",
            "/?state=failed&q=<script>",
            "//metrics",
            "/metrics/",
            "/./metrics",
            "/%2e%2e/etc",
        ),
        *("*", "http://elsewhere/metrics", "/metrics?collect[]=x", "/\u00e9", "/%00", "/" + "a" * 9000),
    ]
)
_METHODS = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI", "get"]
)
_ACCEPT = st.lists(
    st.sampled_from(
        [
            *("text/plain", "application/openmetrics-text", "*/*", "text/html", "gzip", "identity", "*", ","),
            *(
                ";q=",
                ";version=",
                "0.0.4",
                "1.0.0",
                "0",
                "1",
                "0.5",
                "-1",
                "nan",
                "inf",
                "1e400",
                '"',
                " ",
                ";",
            ),
            *("escaping=allow-utf-8", "charset=utf-8", "/", "=", "\u00ff", "q=q=q"),
        ]
    )
    | _VISIBLE,
    max_size=12,
).map("".join)
_HEADERS = st.lists(
    st.tuples(st.just("Accept"), _ACCEPT)
    | st.tuples(st.just("Accept-Encoding"), _ACCEPT)
    | st.tuples(
        st.sampled_from(
            [
                "Authorization",
                "Content-Length",
                "Transfer-Encoding",
                "Expect",
                "Upgrade",
                "Connection",
                "Range",
            ]
        ),
        _VISIBLE
        | st.sampled_from(["0", "-1", "1", "chunked", "100-continue", "Basic !", "Basic Og==", "h2c"]),
    )
    | st.tuples(_VISIBLE, _VISIBLE),
    max_size=6,
)
_LINES = st.tuples(
    _METHODS | _VISIBLE, _PATHS | _VISIBLE.map("/".__add__), st.sampled_from(["1.1", "1.0", "2.0", ""])
)


class Current:
    """The daemon that is asked now, behind one application: making one costs more than many requests."""

    def __init__(self) -> None:
        self.daemon: Daemon | None = None
        self.app = create_app(
            Site(
                metrics=lambda form, gzip: self._now().metrics(form, gzip),
                overview=lambda: self._now().overview(),
                not_ready=lambda: self._now().not_ready(),
                reload=lambda: self._now().reload(),
                lifecycle=True,
            )
        )

    def _now(self) -> Daemon:
        assert self.daemon
        return self.daemon


CURRENT = Current()


async def asked(that: Stage, requests: list[bytes]) -> list[bytes]:
    """Send each request on a connection of its own; return what came until its end."""
    CURRENT.daemon = that.daemon
    answers = []
    async with site(CURRENT.app) as (port, _):
        for request in requests:
            async with raw(port) as client:
                client.send(request)
                client.writer.write_eof()
                answers.append(await client.rest())
    return answers


def serve(requests: list[bytes]) -> list[bytes]:
    """Ask a daemon that has polled twice; nothing may be told to the event loop's last resort."""
    errors: list[dict[str, Any]] = []

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(context))
        async with stage() as that:
            await that.pass_time(130)
            loop.patience = 0.001  # type: ignore[attr-defined]
            answers = await asked(that, requests)
            assert [line for line in that.heard() if line["log_level"] == "error"] == []
            return answers

    answers = run(main())
    assert [error for error in errors if "Exposition" not in str(error)] == []
    return answers


def written(line: tuple[str, str, str], headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    method, path, version = line
    fields = [("Host", "x"), *headers, ("Connection", "close")]
    text = f"{method} {path} HTTP/{version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    return text.encode("utf-8") + b"\r\n" + body


@examples(25)
@given(st.lists(st.tuples(_LINES, _HEADERS, _BYTES), min_size=1, max_size=12))
def test_any_request(requests: list[tuple[tuple[str, str, str], list[tuple[str, str]], bytes]]) -> None:
    """Any line, header fields and body give an answer below 500, or none; the next client is served.

    An unknown transfer coding is the one exception that HTTP itself makes.
    """
    sent = [written(*request) for request in requests]
    *answers, last = serve([*sent, written(("GET", "/-/healthy", "1.1"), [])])
    for request, answer in zip(sent, answers, strict=True):
        refused = b"transfer-encoding" in request.lower() and answer.startswith(
            b"HTTP/1.1 501"
        )  # RFC 9112, section 6.1
        assert not answer or refused or 200 <= status(answer) < 500, (request, answer[:200])
    assert status(last) == 200


@examples(25)
@given(st.lists(st.tuples(_ACCEPT, _ACCEPT), min_size=1, max_size=12))
def test_any_wish(wishes: list[tuple[str, str]]) -> None:
    """Whatever is accepted, a scrape is an exposition in the format and packing that its header names."""
    line = ("GET", "/metrics", "1.1")
    sent = [written(line, [("Accept", accept), ("Accept-Encoding", coding)]) for accept, coding in wishes]
    for request, answer in zip(sent, serve(sent), strict=True):
        head, _, body = answer.partition(b"\r\n\r\n")
        if status(answer) == 400:  # bytes that no header field may hold
            assert not request.isascii()
            continue
        assert status(answer) == 200
        text = (gzip.decompress(body) if b"content-encoding: gzip" in head.lower() else body).decode()
        modern = b"application/openmetrics-text" in head
        read = openmetrics.text_string_to_metric_families if modern else text_string_to_metric_families
        assert any(family.name == "workspace_task_info" for family in read(text))
