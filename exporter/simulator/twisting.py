"""What a fault makes of the tree of a good answer: wrong types, wrong totals, rows that never were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.simulator.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.answers import Answer
    from exporter.simulator.faults import Fault

Tree = dict[str, Any]

_ENDLESS_TOTAL = 1_000_000_000
_WRONG: tuple[object, ...] = (None, 17, -1, 3.5, "many", True, (), {"nested": {}})


def asked(fault: Fault, query: Mapping[str, str]) -> Mapping[str, str]:
    """Return the arguments that the service sees: endless pages are all made from the first one."""
    return {**query, "offset": "0"} if fault.name == "endless" and "offset" in query else query


def twisted(fault: Fault, answer: Answer, query: Mapping[str, str]) -> Answer:
    """Return the answer with its tree twisted; `query` are the arguments as they were sent."""
    tree = answer.tree
    if not isinstance(tree, dict):
        return answer
    name = next((name for name, value in tree.items() if isinstance(value, list)), "")
    if fault.name == "deep":
        return replace(answer, text=_deep(fault.size, name or "tree"))
    twist = _TWISTS.get(fault.name)
    return answer if twist is None else replace(answer, tree=twist(fault, tree, name, query))


def _types(_fault: Fault, tree: Tree, name: str, _query: Mapping[str, str]) -> Tree:
    if not name:
        return _wrong_row(tree, 0)
    return {**tree, name: [_wrong_row(row, number) for number, row in enumerate(tree[name])]}


def _wrong_row(row: Tree, number: int) -> Tree:
    """Give every other field, or so, a value of another type."""
    wrong = {}
    for field, value in row.items():
        dice = Dice("types", number, field)
        others = [other for other in _WRONG if type(other) is not type(value)]
        wrong[field] = dice.pick(others) if dice.chance(0.5) else value
    return wrong


def _envelope(_fault: Fault, tree: Tree, name: str, _query: Mapping[str, str]) -> Tree:
    return {**tree, name or "id": {"none": "here"}, "total_count": "many"}


def _count(fault: Fault, tree: Tree, _name: str, _query: Mapping[str, str]) -> Tree:
    if "total_count" not in tree:
        return tree
    number = int(fault.value)
    return {**tree, "total_count": tree["total_count"] + number if fault.value[0] in "+-" else number}


def _endless(_fault: Fault, tree: Tree, name: str, query: Mapping[str, str]) -> Tree:
    if not name:
        return tree
    offset, limit = int(query.get("offset", "0")), int(query.get("limit", "10"))
    template = tree[name][0] if tree[name] else {}
    rows = [{**template, "id": f"invented-{offset + number}"} for number in range(limit)]
    return {**tree, name: rows, "total_count": _ENDLESS_TOTAL}


def _repeat(_fault: Fault, tree: Tree, name: str, _query: Mapping[str, str]) -> Tree:
    return {**tree, name: [row for row in tree[name] for _ in range(2)]} if name else tree


def _deep(levels: int, name: str) -> str:
    return f'{{"{name}": {"[" * levels}{"]" * levels}, "total_count": 1}}'


_TWISTS: Mapping[str, Callable[[Fault, Tree, str, Mapping[str, str]], Tree]] = {
    "types": _types,
    "envelope": _envelope,
    "count": _count,
    "endless": _endless,
    "repeat": _repeat,
}
