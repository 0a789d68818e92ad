"""Credentials that end: fetched once, renewed ahead of time in the background, dropped when refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
import structlog
from structlog.testing import capture_logs

from exporter.errors import ApiError, CredentialsError, TransportError
from exporter.upstream.auth.credentials import TokenCredential
from exporter.upstream.auth.lease import Lease, Leased
from tests.upstream.fakes import EPOCH, run


@dataclass
class Source:
    """Gives numbered tokens, or errors."""

    lifetime: float | None = 1000.0
    latency: float = 1.0
    fetched: int = 0
    same: bool = False
    error: ApiError | None = None
    moments: list[float] = field(default_factory=list)
    """When it was asked, in seconds since it is there."""

    def __post_init__(self) -> None:
        self.begin = asyncio.get_running_loop().time()

    async def fetch(self) -> Leased[TokenCredential]:
        """Fetch a token."""
        self.fetched += 1
        self.moments.append(asyncio.get_running_loop().time() - self.begin)
        await asyncio.sleep(self.latency)
        if self.error:
            raise self.error
        name, lifetime = f"token-{self.fetched}", self.lifetime
        if self.same and lifetime is not None:
            name, lifetime = "token", lifetime - self.moments[-1]
        end = None if lifetime is None else EPOCH + lifetime
        return Leased(TokenCredential(name), lifetime, end)

    def lease(self, margin: float = 100.0) -> Lease[TokenCredential]:
        """A lease of it."""
        loop = asyncio.get_running_loop()
        log = structlog.get_logger()
        return Lease("password", self.fetch, margin=margin, pause=5.0, monotonic=loop.time, log=log)


def test_fetched_once() -> None:
    """Eight who need a token at once cause one fetch, and it is kept."""

    async def main() -> tuple[set[str], int, tuple[str, float] | None]:
        source = Source()
        lease = source.lease()
        assert lease.expiry is None
        tokens = {token.token for token in await asyncio.gather(*(lease.current() for _ in range(8)))}
        await asyncio.sleep(500)
        tokens.add((await lease.current()).token)
        return tokens, source.fetched, lease.expiry

    assert run(main()) == ({"token-1"}, 1, ("password", EPOCH + 1000))


@pytest.mark.parametrize(
    ("lifetime", "margin", "early"), [(1000, 100, 899), (1000, 2400, 749), (40, 2400, 29)]
)
def test_renewed_ahead_of_its_end(lifetime: float, margin: float, early: float) -> None:
    """Within the margin, at most a quarter of its life, one is fetched in the background: nobody waits."""

    async def main() -> list[str]:
        source = Source(lifetime)
        lease, loop = source.lease(margin), asyncio.get_running_loop()
        tokens = [(await lease.current()).token]
        for pause in (early, 1, 2):
            await asyncio.sleep(pause)
            begin = loop.time()
            tokens.append((await lease.current()).token)
            assert loop.time() == begin
        return tokens

    assert run(main()) == ["token-1", "token-1", "token-1", "token-2"]


def test_a_failed_renewal_is_not_noticed() -> None:
    """While the old token works, a renewal that fails is tried again once a minute, and said once a time."""

    async def main() -> tuple[list[str], list[float]]:
        source = Source()
        lease = source.lease()
        tokens = []
        for _ in range(2):
            tokens.append((await lease.current()).token)
            await asyncio.sleep(900)
            source.error = TransportError("unreachable", label="connect")
            for _ in range(95):
                tokens.append((await lease.current()).token)
                await asyncio.sleep(1)
            source.error = None
            await asyncio.sleep(5)
        return list(dict.fromkeys(tokens)), source.moments

    with capture_logs() as logs:
        tokens, moments = run(main())
    assert (tokens, moments) == (["token-1", "token-4"], [0, 901, 962, 1001, 1902, 1963])
    event = "credentials could not be renewed; the old ones still work"
    assert logs == [{"event": event, "error": "unreachable", "log_level": "warning"}] * 2


def test_past_its_end_everybody_waits_for_a_new_one() -> None:
    """A token that has ended is not used, whatever the reason that it was not renewed."""

    async def main() -> list[str]:
        source = Source()
        lease = source.lease()
        await lease.current()
        await asyncio.sleep(1000)
        return [token.token for token in await asyncio.gather(*(lease.current() for _ in range(8)))]

    assert run(main()) == ["token-2"] * 8


def test_past_its_end_a_failure_is_the_readers_and_not_said_to_be_harmless() -> None:
    """Nor is it where the old one was refused."""

    async def main() -> None:
        source = Source()
        lease = source.lease()
        first = await lease.current()
        source.error = TransportError("unreachable", label="connect")
        with pytest.raises(TransportError):
            await lease.renew(first)
        source.error = None
        await asyncio.sleep(10)
        await lease.current()
        source.error = TransportError("unreachable", label="connect")
        await asyncio.sleep(1000)
        with pytest.raises(TransportError):
            await lease.current()

    with capture_logs() as logs:
        run(main())
    assert logs == []


def test_a_failed_fetch_is_not_hammered() -> None:
    """After a fetch without an answer, the same error is given for some seconds without asking."""

    async def main() -> int:
        source = Source(error=TransportError("unreachable", label="connect"), latency=0.0)
        lease = source.lease()
        for _ in range(100):
            with pytest.raises(TransportError, match="unreachable"):
                await lease.current()
            await asyncio.sleep(0.1)
        return source.fetched

    assert run(main()) == 2


def test_a_refusal_is_asked_about_each_time() -> None:
    """Refused credentials know themselves when to try again: a changed password must not wait."""

    async def main() -> int:
        source = Source(error=CredentialsError("refused"), latency=0.0)
        lease = source.lease()
        for _ in range(3):
            with pytest.raises(CredentialsError):
                await lease.current()
        return source.fetched

    assert run(main()) == 3


def test_renewed_once() -> None:
    """Who is slow to learn that a token was refused gets the new one that others have fetched meanwhile."""

    async def main() -> int:
        source = Source()
        lease = source.lease()
        first = await lease.current()
        assert lease.holds(first)
        assert await asyncio.gather(*(lease.renew(first) for _ in range(8))) == [True] * 8
        assert not lease.holds(first)
        second = await lease.current()
        assert await lease.renew(first)
        assert lease.holds(second)
        source.same, source.error = True, None
        assert await lease.renew(second)
        third = await lease.current()
        assert not await lease.renew(third)
        return source.fetched

    assert run(main()) == 4


def test_a_refused_token_is_gone_also_where_no_other_can_be_had() -> None:
    """It is not used again, and its end is no longer told."""

    async def main() -> tuple[str, float] | None:
        source = Source()
        lease = source.lease()
        first = await lease.current()
        source.error = TransportError("unreachable", label="connect")
        with pytest.raises(TransportError):
            await lease.renew(first)
        assert not lease.holds(first)
        return lease.expiry

    assert run(main()) is None


@pytest.mark.parametrize(
    ("lifetime", "fetched"), [(None, 1), (0.0, 3), (-86_400.0, 3), (1.0, 100), (2.0, 50)]
)
def test_odd_lifetimes(lifetime: float | None, fetched: int) -> None:
    """No end is never renewed; an end in the past is taken for a minute, and is no reason to hammer."""

    async def main() -> int:
        source = Source(lifetime=lifetime, latency=0.0)
        lease = source.lease()
        for _ in range(100):
            await lease.current()
            await asyncio.sleep(1)
        await lease.aclose()
        return source.fetched

    assert run(main()) == fetched


def test_the_same_credential_again_is_not_asked_for_at_once() -> None:
    """A source that has nothing newer yet is asked once a minute, not at every request."""

    async def main() -> list[float]:
        source = Source(lifetime=1000.0, same=True, latency=0.0)
        lease = source.lease(margin=2400.0)
        for _ in range(1180):
            await lease.current()
            await asyncio.sleep(1)
        return source.moments

    assert run(main()) == [0, 750, 938, 998, 1000, 1060, 1120]


def test_the_end_ends_a_fetch() -> None:
    """Nothing is left running."""

    async def main() -> int:
        source = Source(latency=1e6)
        lease = source.lease()
        task = asyncio.create_task(lease.current())
        await asyncio.sleep(1)
        task.cancel()
        await lease.aclose()
        return len(asyncio.all_tasks()) - 1

    assert run(main()) == 0
