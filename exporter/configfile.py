"""A configuration file's bytes -> Config, with errors that name the file and the key.

`parse_config` is pure; `read_config` is the one small shell that opens files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter import yamltext
from exporter.config import Config
from exporter.errors import ConfigError
from exporter.section import KeyedError, Section

Kind = TypeVar("Kind", bound=Section)

_ALIKE = 0.75
"""How alike two keys are, from 0 to 1, of which one may be meant by the other."""
_SAID = {
    "missing": "a value is needed",
    "string_type": "text is expected (put it in quotes)",
    "int_type": "a whole number is expected",
    "float_type": "a number is expected",
    "bool_type": "true or false is expected",
    "tuple_type": "a list is expected",
    "model_type": "a mapping of keys is expected",
    "model_attributes_type": "a mapping of keys is expected",
    "too_short": "at least one entry is needed",
    "finite_number": "a finite number is expected",
    "greater_than_equal": "at least {ge:.15g} is expected",
    "less_than_equal": "at most {le:.15g} is expected",
    "string_pattern_mismatch": "text of the form {pattern} is expected",
}


def parse_config(text: str, environment: Mapping[str, str], folder: Path) -> Config:
    """Return the checked configuration.

    `environment` fills `${VAR}`, `folder` is where relative file names begin. Raises ConfigError with the
    path of the first wrong key; it never repeats a value that could be a secret.
    """
    values = yamltext.substitute(yamltext.load(text), environment)
    if not isinstance(values, dict):
        raise ConfigError("the file must hold a mapping of keys (projects, polling, …)")
    return validate(Config, values, folder)


def read_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read and check a configuration file and the files that it names; raises ConfigError."""
    try:
        text = yamltext.decode(read_bytes(path))
        config = parse_config(text, environment, path.parent)
        _check_files(config)
    except ConfigError as error:
        raise error.located(str(path)) from None
    return config


def validate(kind: type[Kind], values: Any, folder: Path) -> Kind:
    """Return `values` as a `kind`; raises ConfigError for an unknown key, else what is wrong first."""
    try:
        return kind.model_validate(values, context={"folder": folder})
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        # A misspelt key is why the right one is missing: it is the one to name.
        unknown = (each for each in errors if each["type"] == "extra_forbidden")
        raise _translate(next(unknown, errors[0])) from None


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; raises ConfigError saying why it cannot be read."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise ConfigError(f"cannot read {path}: {reason}") from None


def secret_files(config: Config) -> list[tuple[str, Path]]:
    """Return every secret's file with the path of its key."""
    found = []
    for index, project in enumerate(config.projects):
        place = f"projects[{index}]"
        for kind, method in project.auth.model_dump(exclude_none=True).items():
            files = {key: value for key, value in method.items() if key.endswith("_file")}
            found += [(f"{place}.auth.{kind}.{key}", value) for key, value in files.items()]
        if project.proxy_url_file:
            found.append((f"{place}.proxy_url_file", project.proxy_url_file))
    return found


def _check_files(config: Config) -> None:
    for index, project in enumerate(config.projects):
        if project.ca_file:
            _check_readable(f"projects[{index}].ca_file", project.ca_file)
    for key, path in secret_files(config):
        if not _check_readable(key, path).strip():
            raise ConfigError(f"{path} is empty", key=key)


def _check_readable(key: str, path: Path) -> bytes:
    try:
        return read_bytes(path)
    except ConfigError as error:
        raise ConfigError(error.reason, key=key) from None


def _translate(error: ErrorDetails) -> ConfigError:
    path = ""
    for part in error["loc"]:
        path = yamltext.join(path, part if isinstance(part, int) else yamltext.shown(part))
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, KeyedError):
        return ConfigError(str(cause), key=yamltext.join(path, cause.key))
    if isinstance(cause, ValueError):
        return ConfigError(str(cause), key=path)
    if error["type"] == "extra_forbidden":
        return ConfigError(_unknown_key(str(error["loc"][-1])), key=path)
    said = _SAID.get(error["type"])
    reason = said.format_map(error.get("ctx", {})) if said else error["msg"].replace("Input", "the value", 1)
    return ConfigError(reason, key=path)


def _unknown_key(key: str) -> str:
    """Say what may have been meant: a key that is alike, or this one at another place."""
    known = sorted({name for section in _sections(Section) for name in section.model_fields})
    if key in known:
        return "unknown key here (it belongs to another section)"
    near = get_close_matches(key, known, n=1, cutoff=_ALIKE)
    return f"unknown key (did you mean {near[0]}?)" if near else "unknown key"


def _sections(kind: type[Section]) -> Iterator[type[Section]]:
    for section in kind.__subclasses__():
        yield section
        yield from _sections(section)
