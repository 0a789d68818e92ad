"""How runs turn out."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.behaviours import (
    FAILED_REASONS,
    KINDS,
    MAX_EARLY_SECONDS,
    MAX_LATE_SECONDS,
    REASONS,
    SKIPPED_REASONS,
    parse_behaviour,
    spread,
)
from exporter.simulator.dice import Dice

_DAY = 86_400


def _verdicts(behaviour: str, count: int = 400, desktops: int = 12) -> Counter[str]:
    """Count what the status word and the counts of many runs say, in the crudest way."""
    parsed = parse_behaviour(behaviour)
    found: Counter[str] = Counter()
    for number in range(count):
        outcome = parsed.outcome(Dice(behaviour, number), desktops, number * _DAY)
        if outcome is None:
            found["missed"] += 1
        elif outcome.failed and outcome.success and outcome.status == "SUCCESS":
            found["partial"] += 1
        else:
            found[outcome.status] += 1
    return found


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("healthy", {"SUCCESS"}),
        ("failing", {"FAIL"}),
        ("partial", {"partial"}),
        ("skipped", {"SKIP"}),
        ("stuck", {"SUCCESS"}),
        ("slow", {"SUCCESS"}),
        ("late", {"SUCCESS"}),
        ("early", {"SUCCESS"}),
        ("unknown", {"ABNORMAL"}),
        ("uncounted", {"FINISH"}),
        ("missed", {"missed"}),
        ("flapping", {"SUCCESS", "FAIL"}),
    ],
)
def test_each_kind_does_what_it_says(behaviour: str, expected: set[str]) -> None:
    """Every run of a pure behaviour has its outcome, and no other."""
    assert _verdicts(behaviour).keys() == expected


def test_flapping_alternates_from_day_to_day() -> None:
    """A flapping task that runs daily fails every other day."""
    parsed = parse_behaviour("flapping")
    outcomes = [parsed.outcome(Dice(day), 5, day * _DAY) for day in range(6)]
    assert [outcome and outcome.status for outcome in outcomes] == ["SUCCESS", "FAIL"] * 3


def test_shares_are_kept() -> None:
    """What the shares leave of 1 is healthy."""
    found = _verdicts("failing:0.2,missed:0.1", 3000)
    assert 500 < found["FAIL"] < 700
    assert 220 < found["missed"] < 380
    assert found["SUCCESS"] == 3000 - found["FAIL"] - found["missed"]


@given(st.sampled_from(KINDS), st.integers(), st.integers(1, 300))
def test_counts_and_codes_fit_the_desktops(kind: str, key: int, desktops: int) -> None:
    """The counts sum up to the desktops, each failed or skipped one has a code, and none starts too early.

    A lone desktop of a partly failed run counts twice: such a run has at least two.
    """
    outcome = parse_behaviour(kind).outcome(Dice(key), desktops, key % 10**6 * _DAY)
    if outcome is None or outcome.success is None or outcome.failed is None or outcome.skipped is None:
        assert kind in {"missed", "uncounted"}
        return
    total = outcome.success + outcome.failed + outcome.skipped
    assert total == max(desktops, 2 if kind == "partial" else 1)
    coded: Counter[str] = Counter()
    for what, code, count in outcome.codes:
        coded[what] += count
        assert code in (FAILED_REASONS if what == "failed" else SKIPPED_REASONS)
        assert count > 0
    assert (coded["failed"], coded["skipped"]) == (outcome.failed, outcome.skipped)
    assert -MAX_EARLY_SECONDS <= outcome.lateness <= MAX_LATE_SECONDS
    assert REASONS.keys() == FAILED_REASONS.keys() | SKIPPED_REASONS.keys()


def test_nothing_is_spread_over_no_desktops() -> None:
    """Without failed desktops there is no code."""
    assert spread("failed", 0, Dice(1)) == ()


def test_a_behaviour_is_written_as_it_is_read() -> None:
    """Text and value are each other's inverse."""
    for text in ("healthy", "failing:0.25,missed:0.5", "flapping"):
        assert str(parse_behaviour(text)) == text
    assert str(parse_behaviour("failing:1")) == "failing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dancing", "'dancing' is none of healthy, failing"),
        ("", "is none of"),
        ("failing:often", "above 0"),
        ("failing:0", "above 0"),
        ("failing:1.5", "at most 1"),
        ("failing:nan", "above 0"),
        ("failing:0.7,missed:0.7", "exceed 1"),
    ],
)
def test_bad_behaviours_are_refused(text: str, message: str) -> None:
    """The message names the part that is wrong."""
    with pytest.raises(ValueError, match=message):
        parse_behaviour(text)
