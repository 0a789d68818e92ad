"""One mapping of a configuration file: strict types, siblings for secrets, errors that know their key.

The sections themselves are in `config`, `project`, `signin`, `statuses` and `webconfig`; here is what a value
of each type may be. What a JSON schema can say of a type or a section stands beside it, for the editors'
schema and the reference (`tools/configschema.py`); `kind` is the type's name there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from exporter.durations import DURATION_PATTERN, format_duration, parse_duration
from exporter.records import TASK_ID
from exporter.secrets import Secret
from exporter.timestamps import TimeError, parse_zone
from exporter.yamltext import VariableText, parse_variable, shown

_SHORTEST_INTERVAL = 0.1
_Content = TypeVar("_Content")


class KeyedError(ValueError):
    """A contradiction inside a section, at the key (path below the section) that should change."""

    def __init__(self, key: str, reason: str) -> None:
        self.key = key
        super().__init__(reason)


def as_tuple(value: object) -> object:
    """Return a list as a tuple, so that what is frozen stays so; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def _seconds(value: object) -> object:
    if value == 0 and type(value) is int:  # the one duration that needs no unit
        return 0.0
    if not isinstance(value, str):
        raise ValueError("a duration such as 90s, 15m or 1h30m is expected")  # noqa: TRY004 - pydantic's way
    return parse_duration(value)


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("more than 0s is expected")
    return value


def _long_enough(value: float) -> float:
    if value < _SHORTEST_INTERVAL:
        raise ValueError(f"at least {format_duration(_SHORTEST_INTERVAL)} is expected")
    return value


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("the text is empty")
    return value


def _regex(value: str) -> str:
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # what `[[` may mean one day
            re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


def _zone(value: str) -> str:
    try:
        parse_zone(value)
    except TimeError as error:
        raise ValueError(
            f"{error}; a name such as Asia/Shanghai or an offset such as GMT+8 is expected"
        ) from None
    return value


def _task_id(value: str) -> str:
    if not TASK_ID.fullmatch(value):
        raise ValueError("a task id has letters, digits, - and _ only (at most 128)")
    return value


def _path(value: object, info: ValidationInfo) -> object:
    """A relative file name is relative to the configuration file, as in Prometheus."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("a file name is expected")
    folder = (info.context or {}).get("folder", Path())
    return folder / value


def _keys(value: object) -> object:
    return {} if value is None else value


_DURATION: Final = {"kind": "duration", "type": "string", "pattern": DURATION_PATTERN}
_MORE_THAN_ZERO: Final = {**_DURATION, "allOf": [{"pattern": r"[1-9]|\$"}]}
_FILLED: Final = {"type": "string", "pattern": r"\S"}
_ZERO: Final = {"type": ["string", "integer"], "minimum": 0, "maximum": 0}

Seconds = Annotated[float, BeforeValidator(_seconds), WithJsonSchema({**_DURATION, **_ZERO})]
"""A duration, in seconds."""
PositiveSeconds = Annotated[
    float, BeforeValidator(_seconds), AfterValidator(_positive), WithJsonSchema(_MORE_THAN_ZERO)
]
IntervalSeconds = Annotated[
    float, BeforeValidator(_seconds), AfterValidator(_long_enough), WithJsonSchema(_MORE_THAN_ZERO)
]
Text = Annotated[str, AfterValidator(_filled), WithJsonSchema(_FILLED)]
SecretText = Annotated[SecretStr, WithJsonSchema({**_FILLED, "kind": "secret"})]
Address = Annotated[
    Text,
    WithJsonSchema(
        {"kind": "address", "type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^@?#\s\\]+$"}
    ),
]
Word = Annotated[str, AfterValidator(_filled), AfterValidator(str.strip), WithJsonSchema(_FILLED)]
TaskId = Annotated[
    str, AfterValidator(_task_id), WithJsonSchema({"type": "string", "pattern": f"^{TASK_ID.pattern}$"})
]
ZoneName = Annotated[str, AfterValidator(_zone), WithJsonSchema({"kind": "time zone", "type": "string"})]
Regex = Annotated[str, AfterValidator(_regex)]
FilePath = Annotated[
    Path,
    BeforeValidator(_path),
    WithJsonSchema({"kind": "file name", "type": "string", "minLength": 1}),
]
Words = Annotated[tuple[Word, ...], BeforeValidator(as_tuple)]
Regexes = Annotated[tuple[Regex, ...], BeforeValidator(as_tuple)]
OrEmpty = Annotated[_Content, BeforeValidator(_keys), Field(json_schema_extra={"nullable": True})]
"""A section of which the key alone (`polling:`) means that all its keys have their defaults."""


def given(key: str) -> dict[str, Any]:
    """Return the JSON schema of a section in which `key` has a value."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def secret_given(key: str) -> dict[str, Any]:
    """Return the JSON schema of a section that has a secret, or the file with it, and not both."""
    return {"anyOf": [given(key), given(f"{key}_file")], **secret_once(key)}


def secret_once(key: str) -> dict[str, Any]:
    """Return the JSON schema of a section that has not both, a secret and the file with it."""
    return {"if": {"type": "object", **given(key)}, "then": {"not": given(f"{key}_file")}}


@contextmanager
def at(key: str) -> Iterator[None]:
    """Say of a ValueError inside which key it is about."""
    try:
        yield
    except ValueError as error:
        raise KeyedError(key, str(error)) from None


class Section(BaseModel):
    """One mapping of the file: strict types, no unknown keys, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_variables(cls, values: Any) -> Any:
        """Read a scalar that was only `${VAR}` as YAML, where the key takes anything but text."""
        if isinstance(values, VariableText):
            values = parse_variable(values)
        if not isinstance(values, dict):
            return values
        for key in values:
            if not isinstance(key, str):
                raise KeyedError(shown(key), "a key must be text (put it in quotes)")
        return {
            key: parse_variable(value)
            if isinstance(value, VariableText) and not cls._takes_text(key)
            else value
            for key, value in values.items()
        }

    @classmethod
    def _takes_text(cls, key: str) -> bool:
        field = cls.model_fields.get(key)
        if field is None:
            return True
        is_union = get_origin(field.annotation) in (Union, UnionType)
        kinds = [
            get_args(kind)[0] if get_origin(kind) is Annotated else kind
            for kind in (get_args(field.annotation) if is_union else (field.annotation,))
        ]
        return any(kind in kinds for kind in (str, SecretStr, Path))

    def _secret(self, key: str) -> Secret | None:
        """The secret of the siblings `key` and `key_file`."""
        value: SecretStr | None = getattr(self, key)
        file: Path | None = getattr(self, f"{key}_file")
        if value is None and file is None:
            return None
        return Secret(value=None if value is None else value.get_secret_value(), file=file)

    def _check_secrets(self, *required: str, optional: Iterable[str] = ()) -> None:
        for key in (*required, *optional):
            value, file = getattr(self, key), getattr(self, f"{key}_file")
            if value is not None and file is not None:
                raise KeyedError(f"{key}_file", f"{key} is given too; keep one of the two")
            if key in required and value is None and file is None:
                raise KeyedError(key, f"a value is needed (or {key}_file)")
            if value is not None and not value.get_secret_value().strip():
                raise KeyedError(key, "the value is empty")


def check_unique(values: list[str], section: str, key: str) -> None:
    """Raise KeyedError unless `key` differs in all entries of `section`."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise KeyedError(
                f"{section}[{index}].{key}", f"{value!r} stands at {section}[{values.index(value)}] too"
            )
