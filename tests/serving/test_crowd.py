"""The server's connections together: who makes room, and how all of them end."""

from __future__ import annotations

import asyncio
from typing import Any

from exporter.serving.crowd import Crowd, Limits
from tests.serving.site import echo


class Fake:
    """A connection that does as it is told, and notes it."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.told: list[str] = []
        self.closed = False

    def join(self, *, waiting: bool = True) -> Fake:
        """Come in."""
        self.crowd.add(self)
        self.crowd.enter(self, waiting=waiting)
        return self

    def abort(self) -> None:
        """End; the socket closes a moment later."""
        self.told.append("abort")
        self.crowd.forget(self)
        asyncio.get_running_loop().call_soon(self._lost)

    def _lost(self) -> None:
        self.closed = True
        self.crowd.lost()

    def retire(self) -> None:
        """Note it."""
        self.told.append("retire")

    def finish(self) -> None:
        """Note it, and stay."""
        self.told.append("finish")


def crowd(**limits: int) -> Crowd:
    """Return an empty crowd."""
    return Crowd(echo, lambda: None, Limits(**limits))


async def test_the_longest_awaited_makes_room() -> None:
    """A connection that has begun to wait anew goes after those that have waited since before."""
    group = crowd(connections=3)
    first, second, third = (Fake(group).join() for _ in range(3))
    group.enter(first, waiting=False)
    group.enter(first, waiting=True)
    Fake(group).join()
    assert (first.told, second.told, third.told) == ([], ["abort"], [])
    assert len(group) == 3
    await group.close(0)


async def test_one_that_is_being_answered_is_not_put_out() -> None:
    """Where all are being answered a new one comes in on top: answers end by themselves."""
    group = crowd(connections=1)
    busy = Fake(group).join(waiting=False)
    waiting = Fake(group).join()
    assert busy.told == []
    assert len(group) == 2
    Fake(group).join()
    assert (busy.told, waiting.told) == ([], ["abort"])
    await group.close(0)


async def test_stalled_answers() -> None:
    """Past their number the one that has stalled longest is cut off; one that flows again does not count."""
    group = crowd(stalled=2)
    first, second, third, fourth = (Fake(group).join(waiting=False) for _ in range(4))
    group.stall(first)
    group.stall(second)
    group.flow(first)
    group.stall(third)
    assert group.stalled == 2
    group.stall(fourth)
    assert [fake.told for fake in (first, second, third, fourth)] == [[], ["abort"], [], []]
    await group.close(0)


async def test_costly_work_is_done_from_both_ends() -> None:
    """One piece in a turn of the event loop, alternately the newest and the oldest."""
    group = crowd()
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    done: list[str] = []
    for name in "abcde":
        group.queue(lambda name=name: done.append(name))  # type: ignore[misc]
    await asyncio.sleep(0)
    assert done == ["e"]
    group.queue(lambda: done.append("f"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert done == ["e", "a", "f", "b", "d", "c"]
    group.queue(lambda: done.append("g"))
    for _ in range(2):
        await asyncio.sleep(0)
    assert (done[-1], failures) == ("g", [])


async def test_retiring() -> None:
    """All are told, and all stay."""
    group = crowd()
    members = [Fake(group).join(), Fake(group).join(waiting=False)]
    group.retire()
    assert [member.told for member in members] == [["retire"], ["retire"]]
    assert len(group) == 2
    await group.close(0)


async def test_closing_waits_for_answers_and_sockets() -> None:
    """Closing asks first, waits for answers as long as it is allowed to, then ends what is left."""
    group = crowd()
    member = Fake(group).join(waiting=False)
    go = asyncio.Event()

    async def answer() -> None:
        await go.wait()

    group.work(asyncio.create_task(answer()))
    closing = asyncio.create_task(group.close(60))
    await asyncio.sleep(0)
    assert member.told == ["finish"]
    go.set()
    await closing
    assert member.told == ["finish", "abort"]
    assert member.closed
    assert len(group) == 0


async def test_closing_waits_for_the_sockets_of_those_who_came_after_all_were_gone() -> None:
    """That none was open at some time before says nothing."""
    group = crowd()
    Fake(group).join().abort()
    await asyncio.sleep(0)
    members = [Fake(group).join(), Fake(group).join()]
    await group.close(0)
    assert [member.closed for member in members] == [True, True]


async def test_closing_waits_for_no_answer_longer_than_it_may() -> None:
    """One that never ends is cut off; one that has ended is not held."""
    group = crowd()
    member = Fake(group).join(waiting=False)
    ended, endless = (asyncio.create_task(asyncio.sleep(delay)) for delay in (0, 3600))
    group.work(ended)
    group.work(endless)
    await ended
    await asyncio.sleep(0)
    assert group._tasks == {endless}
    await asyncio.wait_for(group.close(0), 5)
    assert member.told == ["finish", "abort"]
    endless.cancel()


async def test_closing_an_empty_crowd() -> None:
    """There is nothing to wait for."""
    await crowd().close(60)
