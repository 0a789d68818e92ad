"""`healthcheck`: 0 when the exporter answers ready, 1 with one line when not, 2 for what is no URL."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.serving.certificates import authority, server_certificate


@contextmanager
def answering(
    status: int, body: bytes, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Answer every GET so, on an ephemeral port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_ready_is_silence(invoke: Invoke) -> None:
    """Exit 0, and nothing to read: it runs every few seconds."""
    with answering(200, b"workspace-exporter is ready.\n") as port:
        outcome = invoke("healthcheck", "--url", f"http://127.0.0.1:{port}/-/ready")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_not_ready_tells_the_reason(invoke: Invoke) -> None:
    """What the exporter said stands in `docker inspect`; an escape sequence does not."""
    with answering(503, b"waiting for the first answer of: \x1b[31mprod\nand so on\n") as port:
        outcome = invoke("healthcheck", "--url", f"http://127.0.0.1:{port}/-/ready")
    outcome.fails_with_one_line(1, "/-/ready: 503 waiting for the first answer of: \\x1b[31mprod\\nand so on")


def test_a_long_answer_is_cut(invoke: Invoke) -> None:
    """The line stays a line."""
    with answering(500, b"x" * 1_000_000) as port:
        outcome = invoke("healthcheck", "--url", f"http://127.0.0.1:{port}/")
    outcome.fails_with_one_line(1, "500 xxx")
    assert len(outcome.err) < 300


def test_a_redirect_is_not_ready(invoke: Invoke) -> None:
    """Somebody else answers there."""
    with answering(302, b"") as port:
        outcome = invoke("healthcheck", "--url", f"http://127.0.0.1:{port}/")
    outcome.fails_with_one_line(1, ": 302")


def test_nobody_listens(invoke: Invoke) -> None:
    """The line names address and reason, but no password of the URL."""
    outcome = invoke("healthcheck", "--url", "http://user:hunter2@127.0.0.1:1/-/ready")
    outcome.fails_with_one_line(1, "http://127.0.0.1:1/-/ready: Connection refused; does the exporter run")
    assert "hunter2" not in outcome.err


def test_a_certificate_of_another_name_is_taken_on_loopback(invoke: Invoke) -> None:
    """A container's own certificate names its service, and nobody sits between it and itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate("exporter.example.test").configure_cert(context)
    with answering(200, b"ready", context) as port:
        assert invoke("healthcheck", "--url", f"https://localhost:{port}/-/ready").code == 0


def test_elsewhere_a_certificate_is_checked(invoke: Invoke) -> None:
    """127.0.0.2 is this host as well, but not one of the names that are known for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate().configure_cert(context)
    with answering(200, b"ready", context) as port:
        url = f"https://127.1:{port}/-/ready"
        invoke("healthcheck", "--url", url).fails_with_one_line(1, "CERTIFICATE_VERIFY_FAILED")


def test_an_authority_of_ones_own_is_named_by_the_customary_variable(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SSL_CERT_FILE, as for any program that uses OpenSSL; one that is none is named in the error."""
    trusted = tmp_path / "ca.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate("127.0.0.2").configure_cert(context)
    with answering(200, b"ready", context, host="127.0.0.2") as port:
        url = f"https://127.0.0.2:{port}/-/ready"
        invoke("healthcheck", "--url", url).fails_with_one_line(1, f"SSL_CERT_FILE: {trusted}: No such file")
        trusted.write_text("nothing")
        invoke("healthcheck", "--url", url).fails_with_one_line(1, f"{trusted}: no certificate in PEM form")
        trusted.write_bytes(authority().cert_pem.bytes())
        assert invoke("healthcheck", "--url", url).code == 0


@pytest.mark.parametrize("url", ["localhost:10068", "ftp://x/", "http://", "http://[::1", "", "x"])
def test_what_is_no_url_is_a_usage_error(invoke: Invoke, url: str) -> None:
    """The line names the flag."""
    invoke("healthcheck", "--url", url).fails_with_one_line(2, "healthcheck: ", "--url")


def test_the_environments_proxy_is_not_asked(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question never leaves the host."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(200, b"ready") as port:
        assert invoke("healthcheck", "--url", f"http://127.0.0.1:{port}/").code == 0
