"""Numbers from a key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.dice import Dice, hex_digits, identifier


def test_the_same_key_throws_the_same_numbers() -> None:
    """Two dice with one key agree throw by throw, beyond the numbers of one digest; other keys differ."""
    one, other, third = Dice("a", 1), Dice("a", 1), Dice("a", 2)
    throws = [one.unit() for _ in range(40)]
    assert throws == [other.unit() for _ in range(40)]
    assert throws != [third.unit() for _ in range(40)]
    assert len(set(throws)) == 40


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    """("a", "bc") and ("ab", "c") are different keys."""
    assert hex_digits(32, "a", "bc") != hex_digits(32, "ab", "c")


@given(st.integers(), st.integers(-5, 5), st.integers(0, 9))
def test_throws_stay_within_their_range(key: int, low: int, size: int) -> None:
    """`between` gives both ends and nothing outside, of an empty range its low end; `unit` stays below 1."""
    dice = Dice(key)
    assert all(low <= dice.between(low, low + size) <= low + size for _ in range(20))
    assert all(0 <= dice.unit() < 1 for _ in range(20))
    assert dice.between(low, low - 1) == low


def test_chance_and_pick_follow_their_odds() -> None:
    """Of 2,000 throws about a fifth has the chance of a fifth; every choice is picked."""
    dice = Dice("odds")
    assert 300 < sum(dice.chance(0.2) for _ in range(2000)) < 500
    assert {dice.pick("abc") for _ in range(50)} == {"a", "b", "c"}
    assert not any(dice.chance(0) for _ in range(100))
    assert all(dice.chance(1) for _ in range(100))


def test_an_identifier_has_the_shape_of_a_uuid() -> None:
    """Groups of 8, 4, 4, 4 and 12 hexadecimal digits."""
    assert [len(part) for part in identifier("x").split("-")] == [8, 4, 4, 4, 12]
