"""Pseudonyms: the same for the same, in the same order, good and bad alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.pseudonyms import Pseudonyms
from exporter.records import TASK_ID


def met(ids: list[str], texts: tuple[str, ...] = ()) -> Pseudonyms:
    """Pseudonyms for these."""
    names = Pseudonyms()
    for text in ids:
        names.meet(text, is_id=True)
    for text in texts:
        names.meet(text, is_id=False)
    return names


@given(st.lists(st.text(min_size=1) | st.from_regex(TASK_ID, fullmatch=True), unique=True))
def test_ids_keep_their_order_and_are_good_or_bad_as_before(ids: list[str]) -> None:
    """No two become one; what may stand in a path, and only that, still may; the real id is gone."""
    names = met(ids)
    given_out = [names.of(text) for text in sorted(ids)]
    assert given_out == sorted(set(given_out))
    for text in ids:
        assert bool(TASK_ID.fullmatch(names.of(text))) == bool(TASK_ID.fullmatch(text))
        assert names.of(text).isascii()


def test_the_shape_of_an_id_stays() -> None:
    """Its length and its dashes; what is no letter, digit, dash or underscore is a dot."""
    uuid = "8d2e0c6a-77b6-4a44-ba51-43ab91d13ab9"
    names = met([uuid, "a_b/ü?", "a" * 1025, "7"])
    assert names.of(uuid) == "002xxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
    assert names.of("a_b/ü?") == "003..."
    assert len(names.of("a" * 1025)) == 1025
    assert names.of("7") == "001"


def test_a_text_shows_nothing_of_itself() -> None:
    """Neither its length nor its words, nor its place in the alphabet: they are numbered as they were met."""
    names = met(["zzz"], ("nightly stop", "Alice"))
    assert dict(names.names) == {"zzz": "001", "nightly stop": "text 002", "Alice": "text 003"}


def test_what_is_an_id_once_is_one_everywhere() -> None:
    """A task that is called by its own id has one pseudonym."""
    names = met(["8d2e"], ("8d2e",))
    assert dict(names.names) == {"8d2e": "001x"}


def test_nobody_joins_late() -> None:
    """A text that was not met before the first pseudonym has none, and cannot get one."""
    names = met(["a"])
    assert names.of("a") == "001"
    with pytest.raises(KeyError):
        names.of("b")
    with pytest.raises(ValueError, match="given out"):
        names.meet("b", is_id=True)
