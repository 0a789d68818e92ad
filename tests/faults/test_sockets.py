"""What only a network can do wrong: connections, TLS, names, and answers that never end."""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.front import BLOCK, HEAD, Behaviour, Front, front
from tests.faults.stage import INTERVAL, NIGHTLY, leaping_loop, run, stage
from tests.faults.trial import AUTH, POLL, Case, check_recovery, check_well, endure, gained, told
from tests.serving.certificates import authority, server_certificate, stranger

GIB = 1 << 30
MIB = 1 << 20
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (BLOCK, b" " * BLOCK)
BODY = b'{"scheduled_tasks": [], "total_count":0}'
Make = Callable[[Front], Behaviour]

BEHAVIOURS: dict[str, tuple[Make, str, str]] = {
    "reset before the headers": (
        lambda at: at.says(then="reset"),
        "read",
        "the connection broke: Connection",
    ),
    "end before the headers": (lambda at: at.says(), "protocol", "the connection was closed early"),
    "stall before the headers": (
        lambda at: at.says(then="hang"),
        "timeout",
        "no complete answer within 10 s",
    ),
    "stall within the headers": (
        lambda at: at.says(HEAD[:20], then="hang"),
        "timeout",
        "no complete answer within 10 s",
    ),
    "stall after the headers": (
        lambda at: at.says(HEAD + b"Content-Length: 40\r\n\r\n", then="hang"),
        "timeout",
        "no complete answer within 10 s",
    ),
    "stall within the body": (
        lambda at: at.says(HEAD + b"Content-Length: 40\r\n\r\n" + BODY[:20], then="hang"),
        "timeout",
        "no complete answer within 10 s",
    ),
    "reset within the body": (
        lambda at: at.says(HEAD + b"Content-Length: 40\r\n\r\n" + BODY[:20], pause=0.1, then="reset"),
        "read",
        "the connection broke",
    ),
    "end within the body": (
        lambda at: at.says(HEAD + b"Content-Length: 40\r\n\r\n" + BODY[:20]),
        "protocol",
        "the connection was closed early",
    ),
    "trickle": (
        lambda at: at.repeats(HEAD + b"Content-Length: 4000\r\n\r\n", b" ", 4000, pause=1.0),
        "timeout",
        "no complete answer within 10 s",
    ),
    "trickle of headers": (
        lambda at: at.repeats(HEAD, b"A: b\r\n", 4000, pause=1.0),
        "timeout",
        "no complete answer within 10 s",
    ),
    "headers without end": (
        lambda at: at.repeats(HEAD, b"A: " + b"b" * 1000 + b"\r\n", 100 * MIB),
        "protocol",
        "or what came is not HTTP",
    ),
    "no HTTP": (lambda at: at.says(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol", "what came is not HTTP"),
    "a wrong chunk": (lambda at: at.says(CHUNKED + b"zz\r\n"), "protocol", "what came is not HTTP"),
    "a packing that nobody asked for": (
        lambda at: at.says(HEAD + b"Content-Encoding: br\r\nContent-Length: 40\r\n\r\n" + BODY),
        "body",
        "packed in a way that was not asked for",
    ),
    "a packed body that is cut": (
        lambda at: at.says(HEAD + b"Content-Encoding: gzip\r\n\r\n" + zlib.compress(BODY, wbits=31)[:20]),
        "body",
        "the packed answer is cut short",
    ),
}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_connection_that_misbehaves(name: str) -> None:
    """Each request of five minutes meets it."""
    make, code, says = BEHAVIOURS[name]

    async def main() -> None:
        async with front() as cloud, stage(network=True, address=f"http://127.0.0.1:{cloud.port}") as that:
            cloud.app = that.app
            await endure(
                that, Case("", code, says), lambda: cloud.misbehave(make(cloud)), cloud.heal, brief=True
            )

    run(main())


def test_nobody_listens() -> None:
    """The port is closed for half an hour."""

    async def main() -> None:
        async with front() as cloud, stage(network=True, address=f"http://127.0.0.1:{cloud.port}") as that:
            cloud.app = that.app
            case = Case("", "connect", "no connection: Connection refused")
            await endure(that, case, cloud.close, cloud.open)

    run(main())


def test_the_name_cannot_be_resolved() -> None:
    """The resolver does not know the host for some minutes."""

    async def main() -> None:
        names = leaping_loop().names
        names["cloud.example.test"] = "127.0.0.1"
        async with front() as cloud:
            address = f"http://cloud.example.test:{cloud.port}"

            def begin() -> None:
                names.clear()
                cloud.cut()

            async def end() -> None:
                names["cloud.example.test"] = "127.0.0.1"

            async with stage(network=True, address=address, insecure_http=True) as that:
                cloud.app = that.app
                case = Case("", "dns", "the host name cannot be resolved: Name or service not known")
                await endure(that, case, begin, end, brief=True)

    run(main())


def tls(certificate: Any) -> ssl.SSLContext:
    """Return what a server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def expired() -> ssl.SSLContext:
    """Return what a server shows whose certificate ended years ago."""
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2021))
    return tls(authority().issue_cert("localhost", "127.0.0.1", not_before=begin, not_after=end))


TLS_CASES: dict[str, tuple[Callable[[], ssl.SSLContext | None], str]] = {
    "expired": (expired, "no secure connection: certificate has expired"),
    "untrusted": (
        lambda: tls(stranger().issue_cert("localhost", "127.0.0.1")),
        "no secure connection: unable to get local issuer certificate",
    ),
    "of another host": (
        lambda: tls(authority().issue_cert("elsewhere.example.test")),
        "no secure connection: IP address mismatch",
    ),
    "no TLS at all": (lambda: None, "no secure connection: "),
}


@pytest.mark.parametrize("name", TLS_CASES)
def test_no_secure_connection(name: str, tmp_path: Path) -> None:
    """The server shows another certificate for some minutes, or none: nothing is sent to it."""
    make, says = TLS_CASES[name]
    (tmp_path / "ca.pem").write_bytes(authority().cert_pem.bytes())

    async def main() -> None:
        async with front(tls(server_certificate())) as cloud:
            address, ca_file = f"https://127.0.0.1:{cloud.port}", str(tmp_path / "ca.pem")
            async with stage(network=True, address=address, ca_file=ca_file) as that:
                cloud.app = that.app
                await that.pass_time(3 * INTERVAL)
                before = await that.scrape()
                check_well(before)
                answered = that.service.answered
                that.heard()
                cloud.close()
                await cloud.open(make())
                lines = await that.next_lines(2 * INTERVAL)
                during = await that.scrape()
                assert says in told(lines[0])
                assert {code for _, code in gained(during, before)} == {"tls"}
                assert (during.value(POLL), during.value(AUTH)) == (0, 1)
                assert during.withdrawable(NIGHTLY) == before.withdrawable(NIGHTLY)
                await that.pass_time(5 * INTERVAL)
                assert that.service.answered == answered
                cloud.close()
                await cloud.open(tls(server_certificate()))
                await check_recovery(that, 2)

    run(main())


def bomb(size: int) -> bytes:
    """Return a packed body that unpacks to `size` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first, again = (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (size // MIB - 1)


HUGE: dict[str, tuple[Make, int]] = {
    "announced": (
        lambda at: at.repeats(HEAD + b"Content-Length: %d\r\n\r\n" % GIB, bytes(BLOCK), GIB),
        8 * MIB,
    ),
    "chunked": (lambda at: at.repeats(CHUNKED, CHUNK, GIB), 18 * MIB),
    "until the end": (lambda at: at.repeats(HEAD + b"\r\n", bytes(BLOCK), GIB), 18 * MIB),
    "an error": (
        lambda at: at.repeats(b"HTTP/1.1 500 Oops\r\n\r\n", bytes(BLOCK), GIB),
        8 * MIB,
    ),
    "a bomb": (lambda at: at.says(HEAD + b"Content-Encoding: gzip\r\n\r\n" + bomb(GIB)), 8 * MIB),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_gibibyte(name: str) -> None:
    """No more than 10 MiB of an answer are read or unpacked, however it comes, and what was read is let go.

    `most` is what a server can write to one connection: what is read, and what lies in the two sockets.
    """
    make, most = HUGE[name]

    async def main() -> None:
        async with front() as cloud, stage(network=True, address=f"http://127.0.0.1:{cloud.port}") as that:
            cloud.app = that.app
            await that.pass_time(2 * INTERVAL)
            before = await that.scrape()
            behaviour = make(cloud)
            tracemalloc.start()
            cloud.misbehave(behaviour)
            await that.next_lines(2 * INTERVAL)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            during = await that.scrape()
            await cloud.heal()
            counted = gained(during, before)
            assert {code for _, code in counted} == {"500" if name == "an error" else "body"}
            assert cloud.sent / sum(counted.values()) <= most
            assert peak < 64 * MIB
            await check_recovery(that, 2)

    run(main())


def test_a_certain_answer_comes_while_another_never_ends() -> None:
    """Interim answers without end (RFC 9110, section 15.2) are no answer, and hold no other project up."""

    async def main() -> None:
        async with front() as cloud, stage(network=True, address=f"http://127.0.0.1:{cloud.port}") as that:
            cloud.app = that.app
            await that.pass_time(2 * INTERVAL)
            before = await that.scrape()
            interim = b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
            cloud.misbehave(cloud.repeats(interim, interim, 10 * MIB, pause=0.05))
            await that.next_lines(2 * INTERVAL)
            assert {code for _, code in gained(await that.scrape(), before)} == {"timeout"}
            await cloud.heal()
            await asyncio.sleep(0)
            await check_recovery(that, 2)

    run(main())
