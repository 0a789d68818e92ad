"""What hostile clients cost: the latency of a normal scrape, and the server's memory, beside 500 of them.

Three processes over loopback: the server (`exporter.serving.server` with an application that answers
500 kB), the hostile clients, and the scraper, which measures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from benchmarks.memory import resident
from exporter.serving.crowd import Limits
from exporter.serving.listen import ListenAddress
from exporter.serving.server import WebServer
from exporter.serving.websource import WebConfigSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

CLIENTS = 500
HEADER_SECONDS = Limits().header_seconds
ANSWER = b"x" * 500_000
PAUSE_SECONDS = 0.02
END_SECONDS = 15.0

_HEAD = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
_HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def _hello() -> bytes:
    """Return the first message of a handshake, whole."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@dataclass(frozen=True)
class Kind:
    """A way of being hostile: what is sent before nothing more is, and to what."""

    tls: bool
    sent: bytes
    handshake: bool = False
    reads: bool = True


@dataclass(frozen=True)
class Attack:
    """So many clients of a kind, which come again for some seconds."""

    name: str
    count: int
    seconds: float

    @property
    def arguments(self) -> list[str]:
        """As the command line takes it."""
        return [self.name, str(self.count), str(self.seconds)]


KINDS = {
    "nobody": Kind(tls=False, sent=b""),
    "silent": Kind(tls=False, sent=b""),
    "unfinished headers": Kind(tls=False, sent=_HEAD + b"X-A: "),
    "answer not read": Kind(tls=False, sent=_HEAD + b"\r\n", reads=False),
    "nobody, TLS": Kind(tls=True, sent=b""),
    "silent, TLS": Kind(tls=True, sent=b""),
    "half a TLS hello": Kind(tls=True, sent=_HALF_HELLO),
    "unfinished TLS handshake": Kind(tls=True, sent=_hello()),
    "unfinished headers, TLS": Kind(tls=True, sent=_HEAD + b"X-A: ", handshake=True),
}


def measure(seconds: float = 8.0) -> dict[str, dict[str, float]]:
    """Return, for each kind, p50, p99 and max of a scrape (ms), and the server's growth (MiB).

    `closed` is how many hostile connections ended, `longest_s` how many seconds the longest of them lived.
    """
    return {name: measure_one(name, seconds=seconds) for name in KINDS}


def measure_one(
    name: str, *, seconds: float, header_seconds: float = HEADER_SECONDS, again: bool = True
) -> dict[str, float]:
    """Measure one kind for some seconds, against a server of its own.

    With `again` a hostile client that is cut off comes again at once, and they come while it is measured;
    otherwise measuring begins when all are there.
    """
    attack = Attack(name, 0 if name.startswith("nobody") else CLIENTS, seconds if again else 0.0)
    with _server(tls=KINDS[name].tls, header_seconds=header_seconds) as (process, port):
        times, growth, ends = asyncio.run(_scrapes(attack, process.pid, port, seconds))
    times.sort()
    return {
        "scrapes": len(times),
        "p50_ms": _milliseconds(times, 0.50),
        "p99_ms": _milliseconds(times, 0.99),
        "max_ms": _milliseconds(times, 1.0),
        "memory_mb": round(growth, 1),
        **ends,
    }


def main() -> None:
    """Print a table."""
    print(f"{CLIENTS} hostile clients beside a scraper; times of a scrape in ms, growth of the server in MiB")
    for name in KINDS:
        row = measure_one(name, seconds=8.0)
        print(f"{name:26}" + "".join(f" {key} {value:<8}" for key, value in row.items()))


async def _scrapes(
    attack: Attack, pid: int, port: int, seconds: float
) -> tuple[list[float], float, dict[str, float]]:
    tls = _trusting() if KINDS[attack.name].tls else None
    for _ in range(20):
        await _scrape(port, tls)
    before = most = resident(pid)
    process = await asyncio.create_subprocess_exec(
        *_self("attack", str(port), *attack.arguments), stdout=subprocess.PIPE
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    if not attack.seconds:
        await process.stdout.readline()
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(await _scrape(port, tls))
        most = max(most, resident(pid))
        await asyncio.sleep(PAUSE_SECONDS)
    output, _ = await process.communicate()
    return times, most - before, json.loads(output.splitlines()[-1])


async def _scrape(port: int, tls: ssl.SSLContext | None) -> float:
    """Return the seconds from connecting to the end of the answer."""
    begin = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(_HEAD + b"Connection: close\r\n\r\n")
    answer = await reader.read(-1)
    took = time.perf_counter() - begin
    writer.close()
    if not (answer.startswith(b"HTTP/1.1 200") and answer.endswith(ANSWER)):
        raise RuntimeError(f"a scrape failed: {answer[:100]!r}")
    return took


async def _attack(port: int, attack: Attack) -> None:
    """Attack; prints a line when all are there, and one with the result."""
    end = time.monotonic() + attack.seconds
    lives: list[float] = []
    there = asyncio.Barrier(attack.count + 1)
    hostile = [
        asyncio.create_task(_hostile(KINDS[attack.name], port, end, lives, there))
        for _ in range(attack.count)
    ]
    await there.wait()
    print("there", flush=True)
    await asyncio.gather(*hostile)
    print(json.dumps({"closed": len(lives), "longest_s": round(max(lives, default=0), 1)}))


async def _hostile(kind: Kind, port: int, end: float, lives: list[float], there: asyncio.Barrier) -> None:
    tls = _trusting() if kind.handshake else None
    first = True
    while first or time.monotonic() < end:
        begin = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=1024)
        writer.write(kind.sent)
        if first:
            first = False
            await there.wait()
        await (_until_closed(reader) if kind.reads else _unread(writer, end))
        writer.close()
        lives.append(time.monotonic() - begin)


async def _until_closed(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        async with asyncio.timeout(END_SECONDS):
            while await reader.read(65536):
                pass


async def _unread(writer: asyncio.StreamWriter, end: float) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(max(0, end - time.monotonic()))


@contextmanager
def _server(*, tls: bool, header_seconds: float) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with tempfile.TemporaryDirectory() as folder:
        web = _web_config(Path(folder)) if tls else ""
        command = _self("serve", str(web), str(header_seconds))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None  # noqa: S101 - asked for above
            try:
                yield process, int(process.stdout.readline())
            finally:
                process.terminate()
                process.wait(10)


async def _serve(web: str, header_seconds: float) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        headers = [(b"content-length", str(len(ANSWER)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})

    source = WebConfigSource(Path(web) if web else None)
    server = WebServer(
        app, ListenAddress("127.0.0.1", 0), source, limits=Limits(header_seconds=header_seconds)
    )
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(await server.start(), flush=True)
    await stopped.wait()
    await server.stop()


def _web_config(folder: Path) -> Path:
    certificate = trustme.CA().issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    (folder / "server.key").chmod(0o600)
    certificate.cert_chain_pems[0].write_to_path(folder / "server.crt")
    (folder / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    return folder / "web.yml"


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _milliseconds(times: list[float], quantile: float) -> float:
    return round(times[min(len(times) - 1, int(len(times) * quantile))] * 1000, 1)


def _self(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.hostile_clients", *arguments]


def _command_line() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command")
    serve = commands.add_parser("serve")
    serve.add_argument("web")
    serve.add_argument("header_seconds", type=float)
    attack = commands.add_parser("attack")
    attack.add_argument("port", type=int)
    attack.add_argument("name")
    attack.add_argument("count", type=int)
    attack.add_argument("seconds", type=float)
    given = parser.parse_args()
    if given.command == "serve":
        asyncio.run(_serve(given.web, given.header_seconds))
    elif given.command == "attack":
        asyncio.run(_attack(given.port, Attack(given.name, given.count, given.seconds)))
    else:
        main()


if __name__ == "__main__":
    _command_line()
