"""One of the API's answers without what it is about: keys, types, order, times, counts and codes stay. Pure.

A text survives only where its key is known to hold a harmless word and the text looks like one; everything
else is handed to `replace`. So a field that nobody knows yet hides what it says, but not that it is there.
What `decode` and `failures` make of an answer stays the same, but for the texts that were replaced.
Sources of the keys: records_api.txt and api_facts.md, sections 0, 3 and 5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isinf
from typing import Any, NoReturn

from exporter.failures import TELLING_PHRASES
from exporter.timestamps import TimeError, parse_zone

_PART = r"(?:[0-9]{1,2}|[A-Za-z]{1,3})"
_WORD = re.compile(r"\s*[A-Za-z]+(?:_[A-Za-z]+)*\s*")
_CODE = re.compile(r"[A-Za-z]{1,10}\.[0-9]{1,12}|[0-9]{1,8}|[A-Za-z]+(?:_[A-Za-z]+)*")
_TIME = re.compile(r"(?=[^0-9]*[0-9])(?:[0-9\s:.,+/-]|[TtZz](?![A-Za-z])|GMT|UTC|gmt|utc)+")
_LIST = re.compile(rf"\s*{_PART}(?:\s*[,;]\s*{_PART})*\s*")
_OFFSET = r"(?:(?<![A-Za-z])|(?<=GMT)|(?<=UTC))[+-](?:[0-9]{4}|[0-9]{1,2}(?::[0-9]{2})?)(?![0-9])"
_ZONE = re.compile(rf"(?:[A-Za-z_/ (),]|{_OFFSET})+")
_LONGEST = {_WORD: 48, _CODE: 48, _TIME: 64, _LIST: 1000, _ZONE: 48}

_WORDS: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("status", "last_status", "exec_status", "task_type", "scheduled_type"), _WORD),
    **dict.fromkeys(("life_cycle_type", "execute_object_type", "object_type"), _WORD),
    **dict.fromkeys(("result_code", "error_code", "errorCode", "code"), _CODE),
    **dict.fromkeys(("start_time", "end_time", "expire_time", "next_execution_time"), _TIME),
    **dict.fromkeys(("scheduled_time", "scheduled_date", "create_time", "update_time"), _TIME),
    **dict.fromkeys(("week_list", "month_list", "date_list"), _LIST),
    "time_zone": _ZONE,
}
"""What a harmless text looks like, by the keys that hold one."""
_NUMBERS = frozenset(
    {
        *(key for key, pattern in _WORDS.items() if pattern in (_TIME, _CODE, _LIST)),
        *("total_count", "success_num", "failed_num", "skip_num"),
        *("priority", "wait_time", "day_interval", "life_cycle_exec_period"),
    }
)
_MESSAGES = frozenset({"error_msg", "errorMsg", "message", "error_detail"})
_KNOWN_KEYS = frozenset(
    {
        *_WORDS,
        *_NUMBERS,
        *_MESSAGES,
        *("scheduled_tasks", "tasks_records", "tasks_records_details", "future_executions"),
        *("id", "task_id", "record_id", "desktop_id", "object_id", "exec_script_id", "execute_task_id"),
        *("task_name", "desktop_name", "object_name", "name", "description", "enable", "extra_params"),
        *("apply_objects", "force_execute", "fail_reason", "error", "title", "request_id"),
        *("encoded_authorization_message",),
    }
)
_IDENTIFIER = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*")
_LONGEST_KEY = 40
_MOST_UNKNOWN_KEYS = 30
"""An object with more keys that nobody knows is a table, and its keys are somebody's names."""
_SMALL = 1000
"""From here on a number that nobody knows might tell one customer from another."""
_DEEPEST = 24
_DEEPER = "deeper"
_MAX_DIGITS = 300
_LARGEST = 1.5e308

Replace = Callable[[str, bool], str]
"""Gives the text that stands for another one; told whether it is an id, whose shape is of interest."""


@dataclass(frozen=True, slots=True)
class Anonymiser:
    """`is_secret` says whether a text holds a secret in use: such a text never survives."""

    replace: Replace
    is_secret: Callable[[str], bool]

    def tree(self, value: Any, key: str = "", depth: int = 0) -> Any:
        """Return a decoded JSON value that stands under `key`, anonymised."""
        if depth > _DEEPEST:
            return _DEEPER
        match value:
            case dict():
                return self._object(value, depth)
            case list():
                return [self.tree(item, key, depth + 1) for item in value]
            case str():
                return self.text(key, value)
            case bool() | None:
                return value
            case _:
                return value if key in _NUMBERS else _number(value)

    def text(self, key: str, text: str) -> str:
        """Return the text that stands under `key`, or what stands for it."""
        if not text.strip() or (_harmless(key, text) and not self.is_secret(text)):
            return text
        other = self.replace(text, _names_an_id(key))
        said = phrases(text) if key in _MESSAGES else ()
        return ": ".join((other, " ".join(said))) if said else other

    def _object(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        few = len(value.keys() - _KNOWN_KEYS) <= _MOST_UNKNOWN_KEYS
        return {self._key(key, few=few): self.tree(item, key, depth + 1) for key, item in value.items()}

    def _key(self, key: str, *, few: bool) -> str:
        if key in _KNOWN_KEYS:
            return key
        plain = few and len(key) <= _LONGEST_KEY and _IDENTIFIER.fullmatch(key)
        return key if plain and not self.is_secret(key) else self.replace(key, False)


def phrases(text: str) -> tuple[str, ...]:
    """Return the phrases of a message by which `failures` tells errors apart: our words, not its."""
    lower = text.lower()
    return tuple(phrase for phrase in TELLING_PHRASES if phrase in lower)


def parse_json(body: bytes) -> Any:
    """Return an answer's JSON as it can be written again; raises ValueError or RecursionError as `json` does.

    A number beyond what anybody writes comes as another one that is: the decoder takes neither.
    """
    return json.loads(body.decode("utf-8"), parse_constant=_refuse, parse_int=_integer, parse_float=_fraction)


def _harmless(key: str, text: str) -> bool:
    pattern = _WORDS.get(key)
    if pattern is None or len(text) > _LONGEST[pattern]:
        return False
    return bool(pattern.fullmatch(text)) or (pattern is _ZONE and _is_zone(text))


def _is_zone(text: str) -> bool:
    try:
        parse_zone(text)
    except TimeError:
        return False
    return True


def _names_an_id(key: str) -> bool:
    return key == "id" or key.endswith(("_id", "Id"))


def _number(value: float) -> float:
    """A number that nobody knows: as it is while it is small, else 1 with as many digits."""
    if abs(value) < _SMALL:
        return value
    rounded = 10 ** (len(str(abs(int(value)))) - 1)
    return type(value)(rounded if value > 0 else -rounded)


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _fraction(digits: str) -> float:
    value = float(digits)
    return _LARGEST if isinf(value) else value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
