"""Trees of good answers, twisted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.simulator.answers import Answer
from exporter.simulator.faults import Fault, parse_faults
from exporter.simulator.twisting import asked, twisted

_ROWS = [
    {"id": str(number), "start_time": "2022-12-31 09:00:00", "success_num": number} for number in range(8)
]
_PAGE = Answer(200, {"tasks_records": _ROWS, "total_count": 8})
_ONE = Answer(200, {"id": "t", "task_name": "night", "day_interval": 1})
_QUERY = {"offset": "30", "limit": "10"}


def _fault(text: str) -> Fault:
    return parse_faults(text)[0].fault


def _tree(text: str, answer: Answer = _PAGE) -> dict[str, Any]:
    tree = json.loads(twisted(_fault(text), answer, _QUERY).body())
    assert isinstance(tree, dict)
    return tree


def test_fields_of_the_wrong_types() -> None:
    """Some fields of the rows have another type, some are left as they were; the same ones every time."""
    tree = _tree("types")
    changed = [
        name for wrong, right in zip(tree["tasks_records"], _ROWS, strict=True) for name in right
        if type(wrong[name]) is not type(right[name])
    ]  # fmt: skip
    assert 4 < len(changed) < 20
    assert tree == _tree("types")
    assert tree["total_count"] == 8
    assert _tree("types", _ONE) != _ONE.tree


def test_a_wrong_envelope() -> None:
    """The list is none and the total no number; of a single object, its id."""
    assert _tree("envelope") == {"tasks_records": {"none": "here"}, "total_count": "many"}
    assert _tree("envelope", _ONE)["id"] == {"none": "here"}


@pytest.mark.parametrize(
    ("text", "total"), [("count", 1008), ("count=+7", 15), ("count=-3", 5), ("count=0", 0)]
)
def test_totals_that_lie(text: str, total: int) -> None:
    """By as much as asked, or absolutely."""
    assert _tree(text)["total_count"] == total
    assert _tree(text)["tasks_records"] == _ROWS
    assert _tree(text, _ONE) == _ONE.tree


def test_pages_without_an_end() -> None:
    """Always full, with ids that no other page has, made from the first page whatever was asked for."""
    tree = _tree("endless")
    assert [row["id"] for row in tree["tasks_records"]] == [f"invented-{number}" for number in range(30, 40)]
    assert tree["total_count"] > 10**6
    assert asked(_fault("endless"), _QUERY) == {"offset": "0", "limit": "10"}
    assert asked(_fault("endless"), {}) == {}
    assert asked(_fault("types"), _QUERY) == _QUERY
    empty = Answer(200, {"tasks_records": [], "total_count": 0})
    assert len(_tree("endless", empty)["tasks_records"]) == 10
    assert _tree("endless", _ONE) == _ONE.tree


def test_rows_that_come_twice() -> None:
    """Each of them, one behind the other."""
    assert [row["id"] for row in _tree("repeat")["tasks_records"]][:4] == ["0", "0", "1", "1"]
    assert _tree("repeat", _ONE) == _ONE.tree


def test_lists_too_deep_to_read() -> None:
    """As deep as asked; deep ones break parsers that recurse."""
    assert _tree("deep=3") == {"tasks_records": [[[]]], "total_count": 1}
    assert _tree("deep=2", _ONE) == {"tree": [[]], "total_count": 1}
    body = twisted(_fault("deep"), _PAGE, _QUERY).body()
    with pytest.raises(RecursionError):
        json.loads(body)


def test_what_is_no_tree_stays() -> None:
    """A text, or a fault that twists nothing."""
    text = Answer(200, text="plain")
    assert twisted(_fault("types"), text, {}) is text
    assert twisted(_fault("slow"), _PAGE, {}) is _PAGE
