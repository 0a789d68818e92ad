"""A server in a thread that repeats to its client whatever the client said, in every place of an answer.

The first segment of the path names the answer; a proxy, which is asked for whole addresses, always refuses.
"""

from __future__ import annotations

import base64
import html
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import quote

_IDLE_SECONDS = 5.0
_TLS_HANDSHAKE = b"\x16"
_KEYS = {"securitytoken": "canary-temporary-token", "expires_at": "2099-01-08T03:50:07.574000Z"}
_TEMPORARY = {"access": "canary-temporary-access", "secret": "canary-temporary-secret", **_KEYS}


def _answer(status: str, body: str, *headers: str) -> bytes:
    data = body.encode()
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(data)}", "Connection: close"]
    return "\r\n".join((*head, "", "")).encode("latin-1", "replace") + data


def _json(status: str, tree: object, said: str) -> bytes:
    return _answer(status, json.dumps(tree), "Content-Type: application/json", f"X-Request-Id: {said}")


def _encoded(said: str) -> str:
    whole = base64.b64encode(said.encode()).decode()
    return " ".join((quote(said, safe=""), html.escape(said), whole))


_ANSWERS: Mapping[str, Callable[[str], bytes]] = {
    "gateway401": lambda said: _json(
        "401 Unauthorized", {"error_code": "APIGW.0301", "error_msg": said}, said
    ),
    "iam401": lambda said: _json("401 Unauthorized", {"error": {"code": 401, "message": said}}, said),
    "policy403": lambda said: _json(
        "403 Forbidden",
        {"error_code": said, "error_msg": said, "encoded_authorization_message": said},
        said,
    ),
    "detail400": lambda said: _json("400 Bad Request", {"errorCode": said, "error_detail": said}, said),
    "encoded400": lambda said: _json("400 Bad Request", {"code": "x", "message": _encoded(said)}, ""),
    "page404": lambda said: _answer("404 Not Found", f"<html><body>{html.escape(said)}</body></html>"),
    "text409": lambda said: _answer(f"409 {said}", said),
    "nojson": lambda said: _answer("200 OK", f"<html>{said}</html>"),
    "tag": lambda said: _answer("200 OK", f"<b>{said.split()[-1]}"),
    "envelope": lambda said: _json("200 OK", {"scheduled_tasks": said, "total_count": said}, said),
    "rows": lambda said: _json(
        "200 OK", {"scheduled_tasks": [{"id": said}, {said: said}, said], "total_count": 3}, said
    ),
    "redirect": lambda said: _answer("302 Found", said, f"Location: http://127.0.0.1:1/{quote(said)}"),
    "nohttp": lambda said: f"HTTP/9.9 {said}\r\n{said}\r\n\r\n".encode(),
    "cut": lambda said: _answer("200 OK", said * 2)[: -len(said)],
    "issued": lambda _: _answer(
        "201 Created",
        json.dumps({"token": {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": "0a1b"}}}),
        "X-Subject-Token: canary-issued-token",
    ),
    "token": lambda _: _answer("200 OK", "canary-metadata-token"),
    "keys": lambda _: _json("200 OK", {"credential": _TEMPORARY}, ""),
}
FAR_FETCHED = ("encoded400", "tag")
"""The answers that repeat what was said in encodings of the whole, or where it is about to be cut."""
MODES = tuple(mode for mode in _ANSWERS if mode not in {"issued", "token", "keys", *FAR_FETCHED})
"""The answers that repeat what was said. `issued` signs in to anybody; `token` and `keys` are those of
the metadata service."""


class Hostile:
    """The running server; `heard` is everything that clients said."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[str] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def respond(self, head: str, body: str) -> bytes:
        """Return the answer to a request."""
        self.heard += [head, body]
        request, _, fields = head.partition("\r\n")
        values = [line.partition(":")[2].strip() for line in fields.split("\r\n")]
        said = " ".join((*values, *body.split()))
        target = request.split(" ")[1]
        if not target.startswith("/"):
            return _json(f"407 {said}", {"code": said, "message": said}, said)
        _, mode, *path = target.split("/")
        return _ANSWERS["token" if (mode, path[-1]) == ("keys", "token") else mode](said)


@contextmanager
def hostile(tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """Serve on an ephemeral port for as long as the block lasts."""
    server_state = Hostile()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, ssl.SSLError):
                self.request.settimeout(_IDLE_SECONDS)
                if tls is not None:
                    self.request = tls.wrap_socket(self.request, server_side=True)
                self.request.sendall(server_state.respond(*_request(self.request)))

        def finish(self) -> None:
            self.request.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = False
        request_queue_size = 256

    with Server(("127.0.0.1", 0), Handler) as server:
        server_state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server_state
        finally:
            server.shutdown()
            thread.join()


def _request(connection: socket.socket) -> tuple[str, str]:
    """Read one request: its head, and its body as long as the head says."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError
        data += part
        if data.startswith(_TLS_HANDSHAKE):
            connection.sendall(_answer("400 Bad Request", "speak plainly"))
            raise ConnectionError
    head, _, body = data.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    length = next((line for line in text.lower().split("\r\n") if line.startswith("content-length:")), ":0")
    missing = int(length.partition(":")[2]) - len(body)
    while missing > 0:
        part = connection.recv(missing)
        body, missing = body + part, missing - len(part)
    return text, body.decode("latin-1")
