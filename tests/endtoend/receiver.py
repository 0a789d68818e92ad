"""Takes Alertmanager's webhook notifications and remembers the alerts in them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Alert = dict[str, Any]


class Receiver:
    """The alerts that arrived, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.alerts: list[Alert] = []

    def find(self, status: str, **labels: str) -> Alert | None:
        """Return the first alert of this status (firing, resolved) with these labels."""
        for alert in list(self.alerts):
            if alert["status"] == status and labels.items() <= alert["labels"].items():
                return alert
        return None


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on an ephemeral port for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        receiver: ClassVar[Receiver]

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.receiver.alerts += json.loads(body)["alerts"]
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/alerts")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Handler.receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
