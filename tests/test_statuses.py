"""The section `statuses`: which class each of the API's words is in (contract, section 3)."""

from __future__ import annotations

import pytest

from exporter.config import Statuses
from tests.config import BASE, parse, refused


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("SUCCESS", "success"),
        ("success", "success"),
        (" Success ", "success"),
        ("FINISH", "success"),
        ("FAIL", "failed"),
        ("failed", "failed"),
        ("Skip", "skipped"),
        ("SKIPPED", "skipped"),
        ("RUNNING", "running"),
        ("waiting", "running"),
        ("Init", "running"),
        ("", "unknown"),
        (" ", "unknown"),
        ("PARTIAL", "unknown"),
        ("SUCCESSFUL", "unknown"),
        ("SUCC ESS", "unknown"),
        ("FİNİSH", "unknown"),
    ],
)
def test_words_are_compared_without_case(word: str, kind: str) -> None:
    """Every other word is unknown, and so is none."""
    assert Statuses().class_of(word) == kind


def test_one_class_may_be_set_and_the_others_stay() -> None:
    """The list replaces that of its class: what is wanted of the old words is written again."""
    statuses = parse(f"{BASE}statuses: {{failed: [ERROR, ' Broken ', Straße]}}").statuses
    assert statuses.class_of("error") == "failed"
    assert statuses.class_of("BROKEN") == "failed"
    assert statuses.class_of("STRASSE") == "failed"
    assert statuses.class_of("FAILED") == "unknown"
    assert statuses.class_of("SUCCESS") == "success"


def test_a_word_may_move_when_both_classes_are_written() -> None:
    """FINISH as a failure, taken out of the successes."""
    statuses = parse(f"{BASE}statuses: {{success: [SUCCESS], failed: [FAIL, FINISH]}}").statuses
    assert statuses.class_of("finish") == "failed"


def test_a_word_may_stand_twice_in_its_own_class() -> None:
    """That contradicts nothing."""
    assert parse(f"{BASE}statuses: {{success: [OK, ok]}}").statuses.class_of("Ok") == "success"


@pytest.mark.parametrize(
    ("statuses", "error"),
    [
        ("{success: [FAIL]}", "statuses.success: the word 'FAIL' stands under failed too"),
        ("{running: [finish]}", "statuses.running: the word 'finish' stands under success too"),
        ("{success: [a], failed: [A]}", "statuses.failed: the word 'A' stands under success too"),
        ("{skipped: [x], running: [y, ' X ']}", "statuses.running: the word 'X' stands under skipped too"),
    ],
)
def test_a_word_in_two_classes_names_the_key_that_was_written(statuses: str, error: str) -> None:
    """A default that stands nowhere in the file is not what its author should look for."""
    assert refused(f"{BASE}statuses: {statuses}") == error
