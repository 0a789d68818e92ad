"""Faults on demand: which request goes wrong, and how.

::

    SPEC   = RULE *("," RULE)
    RULE   = FAULT ["=" VALUE] ["@" WHERE] [":" AMOUNT]
    WHERE  = OPERATION ["/" ID]       ID: a project, task or record id in the path
    AMOUNT = probability (0.05) | "x" count (x3: the next three requests); without it: every request

OPERATION is one of list, show, records, details (or list_tasks, …), token, show_token, projects, metadata;
`api` (the default: the four of Workspace), `iam` (token, show_token, projects), `all`. Of several rules that
fit a request the first one that strikes wins, so `500@records:x2,429:0.1` fails the next two reads of
records, then throttles one request in ten. The faults and their values:

=============== ==================================================================================
400 … 599       an error of that status, in the shape of the service asked; 502, 503 and 504 are HTML.
                429 has Retry-After in seconds (`429=7`), as a date (`429=date`) or not (`429=none`)
html            200 with a page of HTML
empty           200 with no body
timeout         no answer for VALUE seconds (60s), then 504; `stall` is the same
slow            the answer comes after VALUE seconds (2s)
trickle         the body comes in drops over VALUE seconds (5s)
stall-body      half the body comes, the rest after VALUE seconds (60s)
truncated       the body ends in the middle of its JSON
cut             the connection ends in the middle of the body
types           fields of the rows have the wrong types
envelope        the list is a text, total_count a word
deep            the list is nested VALUE deep (100000)
huge            the body is padded to VALUE bytes (20M)
bomb            a gzip body that unpacks to VALUE bytes (100M)
redirect        302 to VALUE (http://127.0.0.1:9/)
count           total_count is VALUE (`count=0`), or VALUE more or fewer (`count=+7`); +1000
endless         every page is full, with rows that never were, for ever
repeat          every row comes twice
=============== ==================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from exporter.simulator import tally
from exporter.simulator.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_API = (tally.LIST_TASKS, tally.SHOW_TASK, tally.LIST_RECORDS, tally.LIST_DETAILS)
_IAM = (tally.CREATE_TOKEN, tally.SHOW_TOKEN, tally.LIST_PROJECTS)
_WHERE: Mapping[str, tuple[str, ...]] = {
    **{operation: (operation,) for operation in tally.OPERATIONS},
    "list": (tally.LIST_TASKS,),
    "show": (tally.SHOW_TASK,),
    "records": (tally.LIST_RECORDS,),
    "details": (tally.LIST_DETAILS,),
    "token": (tally.CREATE_TOKEN,),
    "projects": (tally.LIST_PROJECTS,),
    "api": _API,
    "iam": _IAM,
    "all": tally.OPERATIONS,
}
_RULE = re.compile(
    r"(?P<fault>[a-z0-9-]+?)"
    r"(?:=(?P<value>[^,]*?))?"
    r"(?:@(?P<where>[a-z_]+)(?:/(?P<id>[A-Za-z0-9_-]+))?)?"
    r"(?::(?P<amount>x[0-9]+|[01](?:\.[0-9]+)?|\.[0-9]+))?"
)
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)?")
_SECONDS_UNITS: Mapping[str | None, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_SIZE = re.compile(r"([0-9]+)([kMG])?")
_SIZE_UNITS: Mapping[str | None, int] = {"k": 2**10, "M": 2**20, "G": 2**30, None: 1}
_STATUSES = frozenset(map(str, range(400, 600))) - {"429"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: the fault's name, and its value as it is written."""

    name: str
    value: str

    @property
    def seconds(self) -> float:
        """The value as a duration in seconds."""
        return _seconds(self.value)

    @property
    def size(self) -> int:
        """The value as a number of bytes, or of levels."""
        return _size(self.value)


@dataclass(slots=True)
class Rule:
    """A fault and where it strikes: with a probability, for as many requests as are left."""

    fault: Fault
    operations: tuple[str, ...]
    segment: str = ""
    probability: float = 1.0
    left: float = inf
    seen: int = 0
    struck: int = 0

    def fits(self, operation: str, path: str) -> bool:
        """Return whether a request is one of those that this rule is for."""
        return operation in self.operations and (not self.segment or self.segment in path.split("/"))

    def strikes(self, *key: object) -> bool:
        """Return whether the fault strikes the next request that fits; `key` decides where it is chance."""
        self.seen += 1
        if self.left <= 0 or not Dice("fault", *key, self.seen).chance(self.probability):
            return False
        self.left -= 1
        self.struck += 1
        return True


class Faults:
    """The rules in force; `put` changes them while the service runs."""

    def __init__(self, spec: str = "", *, seed: int = 1) -> None:
        self._seed = seed
        self.spec = ""
        self.rules: list[Rule] = []
        self.put(spec)

    def put(self, spec: str) -> None:
        """Replace all rules; the empty text ends all faults.

        Raises:
            ValueError: the text cannot be read; the rules stay as they were.

        """
        self.rules = parse_faults(spec)
        self.spec = spec

    def draw(self, operation: str, path: str) -> Fault | None:
        """Return what goes wrong with the request that arrives, or none."""
        for number, rule in enumerate(self.rules):
            if rule.fits(operation, path) and rule.strikes(self._seed, number, rule.fault.name):
                return rule.fault
        return None


def parse_faults(spec: str) -> list[Rule]:
    """Read the rules of a text.

    Raises:
        ValueError: one of them cannot be read; the text names it and says why.

    """
    return [_parse_rule(part.strip()) for part in spec.split(",") if part.strip()]


def _parse_rule(text: str) -> Rule:
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError(f"fault {text!r} is not of the form FAULT[=VALUE][@WHERE][:AMOUNT]")
    where = found["where"] or "api"
    if where not in _WHERE:
        raise ValueError(f"fault {text!r}: {where!r} is none of {', '.join(_WHERE)}")
    fault = _parse_fault(text, found["fault"], found["value"])
    rule = Rule(fault, _WHERE[where], found["id"] or "")
    amount = found["amount"] or "1"
    if amount.startswith("x"):
        rule.left = int(amount[1:])
    else:
        rule.probability = float(amount)
    if not 0 < rule.probability <= 1:
        raise ValueError(f"fault {text!r}: the probability is above 0, at most 1")
    return rule


def _parse_fault(text: str, name: str, value: str | None) -> Fault:
    known = _FAULTS.get("status" if name in _STATUSES else name)
    if known is None or name == "status":
        words = ", ".join(word for word in _FAULTS if word != "status")
        raise ValueError(f"fault {text!r}: {name!r} is no status of 400 to 599 and none of {words}")
    default, check = known
    fault = Fault(name, default if value is None else value)
    try:
        check(fault.value)
    except ValueError as error:
        raise ValueError(f"fault {text!r}: {error}") from None
    return fault


def _seconds(value: str) -> float:
    found = _SECONDS.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no duration such as 500ms, 3s or 2m")
    return float(found[1]) * _SECONDS_UNITS[found[2]]


def _size(value: str) -> int:
    found = _SIZE.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no size such as 1000, 64k, 20M or 1G")
    return int(found[1]) * _SIZE_UNITS[found[2]]


def _check_retry_after(value: str) -> None:
    if value not in {"date", "none"}:
        _seconds(value)


def _check_nothing(value: str) -> None:
    if value:
        raise ValueError(f"takes no value, not {value!r}")


def _check_count(value: str) -> None:
    if not re.fullmatch(r"[+-]?[0-9]+", value):
        raise ValueError(f"{value!r} is no number such as 0, +7 or -3")


def _check_location(value: str) -> None:
    if not re.match(r"https?://\S+$|/\S*$", value):
        raise ValueError(f"{value!r} is no location")


_FAULTS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "status": ("", _check_nothing),
    "429": ("1", _check_retry_after),
    "html": ("", _check_nothing),
    "empty": ("", _check_nothing),
    "timeout": ("60s", _seconds),
    "stall": ("60s", _seconds),
    "slow": ("2s", _seconds),
    "trickle": ("5s", _seconds),
    "stall-body": ("60s", _seconds),
    "truncated": ("", _check_nothing),
    "cut": ("", _check_nothing),
    "types": ("", _check_nothing),
    "envelope": ("", _check_nothing),
    "deep": ("100000", _size),
    "huge": ("20M", _size),
    "bomb": ("100M", _size),
    "redirect": ("http://127.0.0.1:9/", _check_location),
    "count": ("+1000", _check_count),
    "endless": ("", _check_nothing),
    "repeat": ("", _check_nothing),
}
