"""YAML text -> plain data, strictly: no duplicate keys, no bombs, errors that name the place.

PyYAML does the parsing. What is refused on top: a key given twice (YAML 1.2, section 3.2.1.1, leaves that
undefined and parsers take the last one silently), aliases that contain themselves, and documents that
expand to more values than any configuration needs. An error never repeats a value: it may be a password.
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
_QUOTED = re.compile(r""" ?(?:'.*'|".*")""", re.DOTALL)
_WORD = re.compile(r"[\w.-]{0,64}")
_SPECIAL_KEYS = {"tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"}
"""`<<` and `=`: PyYAML replaces them while it builds the mapping."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class VariableText(str):
    """A scalar that was only a variable (`${X}`): a key that is no text reads it as YAML."""

    __slots__ = ()


def load(text: str) -> Any:
    """Return the one document in `text` as dicts, lists and scalars; an empty text is None.

    Raises ConfigError whose key is the path of a duplicate key, or whose reason names line and column.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ConfigError(f"longer than {_MAX_CHARACTERS} characters")
    try:
        return _construct(_Loader(text))
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"not YAML: {_place(error)}{_hint(error, text)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"not YAML: a character that YAML does not allow (line {line})") from None


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


def shown(key: object) -> str:
    """Return a key as an error may name it: what it begins with as a word, and `…` for anything more.

    A key that is no word may hold a secret: `{password:hunter2}`, without a space, is one long key.
    """
    text = str(key)
    match = _WORD.match(text)
    word = match.group() if match else ""
    return word if word == text else f"{word}…"


def _construct(loader: yaml.SafeLoader) -> Any:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Checker(loader).check(node, "", 0)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _substitute(value: Any, environment: Mapping[str, str], path: str) -> Any:
    if isinstance(value, dict):
        return {key: _substitute(item, environment, join(path, shown(key))) for key, item in value.items()}
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
        if _SURROGATE.search(environment[name]):  # os.environ's way to show bytes that are not UTF-8
            raise ConfigError(f"the environment variable {name} is not UTF-8", key=path)
        return environment[name]

    return read


class _Loader(yaml.SafeLoader):
    """Stops at the depth that is too deep: PyYAML goes on to Python's own limit, slower at each level."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth > _MAX_DEPTH:
            raise ConfigError(f"nested deeper than {_MAX_DEPTH} levels")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Checker:
    """Walks the node graph before anything is constructed: what is refused never takes memory."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._seen = 0

    def check(self, node: yaml.Node, path: str, depth: int) -> None:
        self._seen += 1
        if self._seen > _MAX_VALUES:
            raise ConfigError(f"the document expands to more than {_MAX_VALUES} values")
        if depth > _MAX_DEPTH:  # with aliases: what they stand for was composed where it was named
            raise ConfigError(f"nested deeper than {_MAX_DEPTH} levels, or an alias that contains itself")
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.check(item, join(path, index), depth + 1)
        elif isinstance(node, yaml.MappingNode):
            self._check_mapping(node, path, depth)
        else:
            self._check_scalar(node, path)

    def _check_mapping(self, node: yaml.MappingNode, path: str, depth: int) -> None:
        keys: set[Hashable] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key must be a plain word", key=path)
            below = join(path, shown(key_node.value))
            if key_node.value in keys:
                raise ConfigError("the key is given twice", key=below)
            keys.add(key_node.value)
            if key_node.tag not in _SPECIAL_KEYS:
                self._check_scalar(key_node, below)
            self.check(value_node, below, depth + 1)

    def _check_scalar(self, node: yaml.Node, path: str) -> None:
        """Construct it alone: PyYAML fails on `2024-13-45` or `!!bool x` with errors of many types."""
        if _SURROGATE.search(node.value):
            raise ConfigError("half of a surrogate pair, which is no character", key=path)
        try:
            self._loader.construct_object(node)
        except yaml.YAMLError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the value is at fault; it may be a secret
            reason = "looks like a date, number or truth value and is none; put it in quotes"
            raise ConfigError(reason, key=path) from None


def _place(error: yaml.MarkedYAMLError) -> str:
    """What is wrong and where, without the text itself: `password: *hunter2` is an undefined alias."""
    mark = error.problem_mark or error.context_mark
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    problem = error.problem or ""
    if problem.startswith("but ") and error.context:
        problem = f"{error.context}, {problem}"
    if not (isinstance(error, yaml.parser.ParserError) and problem.startswith("expected ")):
        problem = _QUOTED.sub("", problem)  # the parser's own quotes hold its tokens, all others the text
    return f"{problem}{where}"


_HINTS = {
    "expected <block end>": "this line is not indented as those above that it belongs to",
    "found unexpected end of stream": "a quote is not closed",
    "mapping values are not allowed": "a text with a colon stands in quotes, and a key has a line of its own",
}
"""By how PyYAML's problem begins."""


def _hint(error: yaml.MarkedYAMLError, text: str) -> str:
    """What probably is to be mended, where the parser's own words do not say it."""
    mark = error.problem_mark
    if mark is None:
        return ""
    if text[max(mark.index - 1, 0) : mark.index + 1] == "${":  # in `{token: ${TOKEN}}` it begins a mapping
        return '; inside { } and [ ] a variable stands in quotes: "${NAME}"'
    if text[mark.index : mark.index + 1] == "\t":
        return "; lines are indented by spaces, not by tabs"
    problem = error.problem or ""
    return next((f"; {hint}" for words, hint in _HINTS.items() if problem.startswith(words)), "")
