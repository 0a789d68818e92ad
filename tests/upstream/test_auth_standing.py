"""Refused credentials: when they may be tried again, and by how many."""

from __future__ import annotations

import asyncio

import pytest

from exporter.errors import Answer, CredentialsError, UnauthorizedError
from exporter.upstream.auth.standing import LOCK_AFTER, Standing
from tests.upstream.fakes import EPOCH, run, virtual_timing

REFUSAL = UnauthorizedError(
    "not accepted",
    label="401",
    operation="list_tasks",
    answer=Answer(status=401, code="APIGW.0301", request_id="r"),
)
LOCKED = UnauthorizedError(
    "locked", label="401", answer=Answer(status=401, message="AK access failed to reach the limit,forbidden")
)


def standing(*, cautious: bool = False) -> Standing:
    """A standing whose refused credentials wait a minute, or six from five refusals on."""
    timing = virtual_timing()
    asked = {"cautious": True} if cautious else {}
    return Standing(
        lambda failures: 60.0 if failures < LOCK_AFTER else 360.0,
        clock=timing.clock,
        monotonic=timing.monotonic,
        **asked,
    )


def test_a_refused_credential_waits() -> None:
    """While it is not due, nobody may use it; the error says what upstream said and when it is due."""

    async def main() -> CredentialsError:
        state = standing()
        raised = state.refuse("old", REFUSAL, "; a hint")
        await asyncio.sleep(59)
        with pytest.raises(CredentialsError) as caught:
            await state.turn("old").__aenter__()
        assert str(caught.value) == str(raised)
        assert caught.value.retry_at == raised.retry_at
        return raised

    error = run(main())
    assert str(error) == "list_tasks: not accepted; a hint: APIGW.0301 (request id r)"
    assert error.retry_at == EPOCH + 60
    assert error.label == "401"


def test_one_try_when_it_is_due() -> None:
    """When it is due, one request goes ahead; the others wait for another pause."""

    async def main() -> list[object]:
        state = standing()
        state.refuse("old", REFUSAL)
        await asyncio.sleep(60)

        async def use() -> bool:
            async with state.turn("old") as again:
                await asyncio.sleep(1)
                return again

        return list(await asyncio.gather(*(use() for _ in range(3)), return_exceptions=True))

    outcomes = run(main())
    assert [outcome for outcome in outcomes if outcome is True] == [True]
    assert sum(isinstance(outcome, CredentialsError) for outcome in outcomes) == 2


def test_a_changed_credential_is_tried_at_once() -> None:
    """Another token or key is not refused before it was used."""

    async def main() -> bool:
        state = standing()
        assert state.refuse("old", REFUSAL).reason == "not accepted"
        async with state.turn("new") as again:
            return again

    assert run(main()) is False


def test_accepted_again() -> None:
    """A credential that is accepted again is as good as any."""

    async def main() -> list[bool]:
        state = standing()
        state.refuse("old", REFUSAL)
        await asyncio.sleep(60)
        async with state.turn("old"):
            state.accept("old")
        state.check("old")
        async with state.turn("old") as first, state.turn("old") as second:
            return [first, second]

    assert run(main()) == [False, False]


@pytest.mark.parametrize(
    ("errors", "pause"), [([REFUSAL] * 4, 60), ([REFUSAL] * 5, 360), ([LOCKED], 360), ([REFUSAL] * 9, 360)]
)
def test_the_pace_slows_down(errors: list[UnauthorizedError], pause: float) -> None:
    """After five refusals in a row, or when upstream says that the key is locked, tries become rare."""

    async def main() -> float | None:
        state = standing()
        return [state.refuse("key", error) for error in errors][-1].retry_at

    assert run(main()) == EPOCH + pause


def test_success_forgets_the_refusals() -> None:
    """The pace is about refusals in a row."""

    async def main() -> list[float | None]:
        state = standing()
        for _ in range(4):
            state.refuse("key", REFUSAL)
        state.accept("key")
        return [state.refuse("key", REFUSAL).retry_at for _ in range(5)]

    assert run(main()) == [EPOCH + 60] * 4 + [EPOCH + 360]


def test_without_caution_an_unproven_one_is_used_by_many_at_once() -> None:
    """A token cannot be locked."""

    async def main() -> list[bool]:
        state = standing()
        async with asyncio.timeout(1), state.turn("key") as first, state.turn("key") as second:
            return [first, second]

    assert run(main()) == [False, False]


def test_cautious_until_proven() -> None:
    """Unproven keys are used by one request at a time; the first that is refused stops the rest."""

    async def main() -> tuple[int, int]:
        state = standing(cautious=True)
        sent = refused = 0

        async def use() -> None:
            nonlocal sent, refused
            try:
                async with state.turn("key"):
                    sent += 1
                    await asyncio.sleep(1)
                raise state.refuse("key", REFUSAL)
            except CredentialsError:
                refused += 1

        await asyncio.gather(*(use() for _ in range(8)))
        return sent, refused

    assert run(main()) == (1, 8)


def test_proven_keys_are_used_by_all() -> None:
    """After the first success nobody waits for anybody."""

    async def main() -> float:
        state = standing(cautious=True)

        async def use() -> None:
            async with state.turn("key"):
                await asyncio.sleep(1)
                state.accept("key")

        now = asyncio.get_running_loop().time
        begin = now()
        await asyncio.gather(*(use() for _ in range(8)))
        return now() - begin

    assert run(main()) == 2.0


def test_a_cancelled_proof_lets_the_next_try() -> None:
    """Who is cancelled, or gets no answer, while the others wait for his proof, leaves it to the next."""

    async def main() -> bool:
        state = standing(cautious=True)
        entered = 0

        async def use() -> None:
            nonlocal entered
            async with state.turn("key"):
                entered += 1
                await asyncio.sleep(10)

        first, second = (asyncio.create_task(use()) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(1)
        assert entered == 2
        second.cancel()
        await asyncio.wait([first, second])
        async with state.turn("key") as again:
            return again

    assert run(main()) is False
