"""Checking passwords: what is accepted, and what a stranger can make it cost."""

from __future__ import annotations

import asyncio
import threading

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.serving import passwords
from exporter.serving.passwords import PasswordCheck, Verdict

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
USERS = {"alice": HASH}


class Counting:
    """bcrypt's comparison, which notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        """Compare, as bcrypt does."""
        self.asked.append((password, hashed))
        return bcrypt.checkpw(password, hashed)


class Gate:
    """A comparison that waits to be let through; notes how many run at once."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.running = 0
        self.most = 0

    def __call__(self, password: bytes, _: bytes) -> bool:
        """Wait, then take one password."""
        self.running += 1
        self.most = max(self.most, self.running)
        self.open.wait(10)
        self.running -= 1
        return password == b"secret"


@pytest.mark.parametrize(
    ("name", "password", "verdict"),
    [
        ("alice", b"secret", Verdict.ACCEPTED),
        ("alice", b"Secret", Verdict.REFUSED),
        ("alice", b"", Verdict.REFUSED),
        ("alice", b"secret\0", Verdict.REFUSED),
        ("alice", b"s" * 73, Verdict.REFUSED),
        ("bob", b"secret", Verdict.REFUSED),
        ("", b"secret", Verdict.REFUSED),
    ],
)
async def test_verdicts(name: str, password: bytes, verdict: Verdict) -> None:
    """Only the user's own password gets in; whatever else is sent is refused, and nothing raises."""
    assert await PasswordCheck().check(USERS, name, password, "") is verdict


async def test_a_user_that_does_not_exist_is_refused_whatever_the_comparison_says() -> None:
    """What stands in for its hash is nobody's."""
    check = PasswordCheck(lambda *_: True)
    assert await check.check(USERS, "alice", b"secret", "") is Verdict.ACCEPTED
    assert await check.check(USERS, "bob", b"secret", "") is Verdict.REFUSED


async def test_a_password_is_not_cut_at_72_bytes() -> None:
    """Since bcrypt would look at 72 bytes only, a longer password is refused."""
    users = {"alice": bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4))}
    assert await PasswordCheck().check(users, "alice", b"p" * 72, "") is Verdict.ACCEPTED
    assert await PasswordCheck().check(users, "alice", b"p" * 73, "") is Verdict.REFUSED


async def test_a_good_answer_is_kept() -> None:
    """A scraper pays for bcrypt once; a wrong password is checked every time."""
    compare = Counting()
    check = PasswordCheck(compare)
    for _ in range(3):
        assert await check.check(USERS, "alice", b"secret", "") is Verdict.ACCEPTED
    assert len(compare.asked) == 1
    for _ in range(3):
        assert await check.check(USERS, "alice", b"wrong", "") is Verdict.REFUSED
    assert len(compare.asked) == 4


async def test_a_kept_answer_ends_with_its_hash() -> None:
    """A new hash, or the user's removal, is in force at once, whatever was answered before."""
    check = PasswordCheck()
    assert await check.check(USERS, "alice", b"secret", "") is Verdict.ACCEPTED
    other = {"alice": bcrypt.hashpw(b"other", bcrypt.gensalt(4))}
    assert await check.check(other, "alice", b"secret", "") is Verdict.REFUSED
    assert await check.check({"bob": HASH}, "alice", b"secret", "") is Verdict.REFUSED


async def test_kept_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer that was not asked for longest is dropped first."""
    monkeypatch.setattr(passwords, "MAX_KEPT", 2)
    compare = Counting()
    check = PasswordCheck(compare)
    users = dict.fromkeys("abc", HASH)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert await check.check(users, name, b"secret", "") is Verdict.ACCEPTED
    assert len(compare.asked) == 4  # a, b, c, and b again


@given(
    st.tuples(st.binary(max_size=4), st.binary(max_size=4), st.binary(max_size=4)),
    st.tuples(st.binary(max_size=4), st.binary(max_size=4), st.binary(max_size=4)),
)
def test_no_two_credentials_share_a_kept_answer(one: tuple[bytes, ...], two: tuple[bytes, ...]) -> None:
    """Name, hash and password are told apart also where their texts run together the same."""
    check = PasswordCheck()
    assert (check._proof(*one) == check._proof(*two)) == (one == two)


@pytest.mark.parametrize("costs", [[4], [5, 5], [4, 5]])
async def test_an_unknown_user_costs_what_a_known_one_does(costs: list[int]) -> None:
    """A name that does not exist is checked against one as costly as the users', always the same."""
    compare = Counting()
    check = PasswordCheck(compare)
    users = {str(index): bcrypt.hashpw(b"x", bcrypt.gensalt(cost)) for index, cost in enumerate(costs)}
    drawn = {}
    for name in "abcdefghijklmnop":
        for _ in range(2):
            assert await check.check(users, name, b"x", "") is Verdict.REFUSED
        spent = [int(hashed[4:6]) for _, hashed in compare.asked[-2:]]
        assert len(set(spent)) == 1
        drawn[name] = spent[0]
    assert set(drawn.values()) <= set(costs)
    assert len(compare.asked) == 2 * len(drawn)


async def test_what_stands_in_for_an_unknown_user_is_a_hash_of_the_users_cost() -> None:
    """Two digits, and as long as any: 60 letters."""
    asked: list[bytes] = []

    def refuse(_: bytes, hashed: bytes) -> bool:
        asked.append(hashed)
        return False

    users = {"alice": HASH.replace(b"$04$", b"$13$")}
    assert await PasswordCheck(refuse).check(users, "bob", b"x", "") is Verdict.REFUSED
    assert (asked[0][:7], len(asked[0])) == (b"$2b$13$", 60)


async def test_one_check_at_a_time() -> None:
    """However many ask, one core at most is spent on passwords, and the event loop goes on meanwhile."""
    gate = Gate()
    check = PasswordCheck(gate)
    asked = [asyncio.create_task(check.check(USERS, "alice", b"no", str(n))) for n in range(8)]
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.gather(*asked) == [Verdict.REFUSED] * 8
    assert gate.most == 1


async def test_the_same_credentials_at_once_are_checked_once() -> None:
    """Scrapes that come together wait for one answer."""
    compare = Counting()
    check = PasswordCheck(compare)
    asked = [check.check(USERS, "alice", b"secret", "") for _ in range(passwords.MAX_WAITING_OF_ONE)]
    assert set(await asyncio.gather(*asked)) == {Verdict.ACCEPTED}
    assert len(compare.asked) == 1


async def test_one_address_cannot_shut_out_another() -> None:
    """An address has few places in the queue; those past them are turned away, another address is not."""
    gate = Gate()
    check = PasswordCheck(gate)
    flood = [asyncio.create_task(check.check(USERS, "alice", b"no", "evil")) for _ in range(20)]
    good = asyncio.create_task(check.check(USERS, "alice", b"secret", "scraper"))
    await asyncio.sleep(0)
    gate.open.set()
    verdicts = await asyncio.gather(*flood)
    assert verdicts.count(Verdict.REFUSED) == passwords.MAX_WAITING_OF_ONE
    assert verdicts.count(Verdict.BUSY) == 20 - passwords.MAX_WAITING_OF_ONE
    assert await good is Verdict.ACCEPTED


async def test_the_queue_is_bounded_over_all_addresses() -> None:
    """From however many addresses they come, no more than so many wait; a kept answer needs no place."""
    gate = Gate()
    check = PasswordCheck(gate)
    gate.open.set()
    assert await check.check(USERS, "alice", b"secret", "scraper") is Verdict.ACCEPTED
    gate.open.clear()
    count = passwords.MAX_WAITING + 5
    flood = [asyncio.create_task(check.check(USERS, "alice", b"no", str(n))) for n in range(count)]
    await asyncio.sleep(0)
    assert await check.check(USERS, "alice", b"secret", "scraper") is Verdict.ACCEPTED
    gate.open.set()
    verdicts = await asyncio.gather(*flood)
    assert verdicts.count(Verdict.BUSY) == 5
    assert await check.check(USERS, "alice", b"no", "late") is Verdict.REFUSED


async def test_a_place_is_given_back() -> None:
    """A request that is cancelled while it waits leaves the queue."""
    gate = Gate()
    check = PasswordCheck(gate)
    waiting = [asyncio.create_task(check.check(USERS, "alice", b"no", "a")) for _ in range(4)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    gate.open.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await check.check(USERS, "alice", b"no", "a") is Verdict.REFUSED


async def test_a_place_given_back_is_one_place() -> None:
    """The others of the address keep theirs; who has none waiting is not remembered."""
    gate = Gate()
    check = PasswordCheck(gate)
    waiting = [asyncio.create_task(check.check(USERS, "alice", b"no", "a")) for _ in range(4)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    await asyncio.sleep(0)
    more = [asyncio.create_task(check.check(USERS, "alice", b"no", "a")) for _ in range(4)]
    await asyncio.sleep(0)
    gate.open.set()
    verdicts = await asyncio.gather(*waiting, *more)
    assert (verdicts.count(Verdict.REFUSED), verdicts.count(Verdict.BUSY)) == (4, 3)
    assert not check._waiting


async def test_passwords_are_not_kept() -> None:
    """What is kept is a digest under a key of this process: neither password nor hash can be found in it."""
    check = PasswordCheck()
    await check.check(USERS, "alice", b"secret", "")
    kept = b"".join(check._kept)
    assert b"secret" not in kept
    assert HASH not in kept
    other = PasswordCheck()
    await other.check(USERS, "alice", b"secret", "")
    assert set(other._kept).isdisjoint(check._kept)
