"""YAML text -> plain data, strictly: no duplicate keys, no bombs, errors that name the place.

PyYAML does the parsing. What is refused on top: a key given twice (YAML 1.2, section 3.2.1.1, leaves that
undefined and parsers take the last one silently), aliases that contain themselves, and documents that
expand to more values than any configuration needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import yaml

from exporter.errors import ConfigError

_MAX_VALUES = 200_000
_MAX_DEPTH = 50
_MAX_CHARACTERS = 8 * 1024 * 1024
_VARIABLE = re.compile(r"\$(?:(?P<plain>\$)|\{(?P<name>[^}]*)\}|(?P<open>\{))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(r""" ?(?:'(?!<).*'|".*")""", re.DOTALL)


class VariableText(str):
    """A scalar that was only a variable (`${X}`): a key that is no text reads it as YAML."""

    __slots__ = ()


def load(text: str) -> Any:
    """Return the one document in `text` as dicts, lists and scalars; an empty text is None.

    Raises ConfigError whose key is the path of a duplicate key, or whose reason names line and column.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ConfigError(f"longer than {_MAX_CHARACTERS} characters")
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Checker().check(node, "", 0)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"not YAML: {_place(error)}") from None
    except yaml.YAMLError:
        raise ConfigError("not YAML: it holds a character that YAML does not allow") from None
    except RecursionError:
        raise ConfigError(f"nested deeper than {_MAX_DEPTH} levels") from None
    except (ValueError, OverflowError, TypeError):  # 2024-13-45 looks like a date and is none
        raise ConfigError("a value looks like a date or number and is none; put it in quotes") from None
    finally:
        loader.dispose()


def decode(data: bytes) -> str:
    """Return a file's bytes as text; anything but UTF-8 is a ConfigError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 (byte {error.start})") from None


def substitute(value: Any, environment: Mapping[str, str]) -> Any:
    """Return `value` with `${VAR}` in every text replaced from `environment`, and `$$` by a plain `$`.

    A text that is only one variable becomes a VariableText. Keys are left alone. An unset variable is a
    ConfigError with the path of the key.
    """
    return _substitute(value, environment, "")


def parse_variable(text: VariableText) -> Any:
    """Return what a scalar that was only a variable says as YAML; a text that is no YAML stays text."""
    try:
        return load(text)
    except ConfigError:
        return str(text)


def join(path: str, key: str | int) -> str:
    """Return the path of a key below `path`: `projects[0].auth`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _substitute(value: Any, environment: Mapping[str, str], path: str) -> Any:
    if isinstance(value, dict):
        return {key: _substitute(item, environment, join(path, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, environment, join(path, index)) for index, item in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value
    return _expand(value, _reader(environment, path))


def _expand(text: str, read: Callable[[re.Match[str]], str]) -> str:
    whole = _VARIABLE.fullmatch(text)
    if whole and whole["plain"] is None:
        return VariableText(read(whole))
    return _VARIABLE.sub(read, text)


def _reader(environment: Mapping[str, str], path: str) -> Callable[[re.Match[str]], str]:
    def read(match: re.Match[str]) -> str:
        if match["plain"]:
            return "$"
        name = match["name"]
        if name is None or not _NAME.fullmatch(name):
            raise ConfigError("`${` begins a variable such as ${NAME}; a plain `$` is written `$$`", key=path)
        if name not in environment:
            raise ConfigError(f"the environment variable {name} is not set", key=path)
        return environment[name]

    return read


class _Checker:
    """Walks the node graph before anything is constructed: what is refused never takes memory."""

    def __init__(self) -> None:
        self._seen = 0

    def check(self, node: yaml.Node, path: str, depth: int) -> None:
        self._seen += 1
        if self._seen > _MAX_VALUES:
            raise ConfigError(f"the document expands to more than {_MAX_VALUES} values")
        if depth > _MAX_DEPTH:
            raise ConfigError(f"nested deeper than {_MAX_DEPTH} levels, or an alias that contains itself")
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.check(item, join(path, index), depth + 1)
        elif isinstance(node, yaml.MappingNode):
            self._check_mapping(node, path, depth)

    def _check_mapping(self, node: yaml.MappingNode, path: str, depth: int) -> None:
        keys: set[Hashable] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key must be a plain word", key=path)
            below = join(path, key_node.value)
            if key_node.value in keys:
                raise ConfigError("the key is given twice", key=below)
            keys.add(key_node.value)
            self.check(value_node, below, depth + 1)


def _place(error: yaml.MarkedYAMLError) -> str:
    """What is wrong and where, without the text itself: `password: *hunter2` is an undefined alias."""
    mark = error.problem_mark or error.context_mark
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{_QUOTED.sub('', error.problem or error.context or '')}{where}"
