"""The configuration's schema as text for docs/configuration.md: a grammar, and a table of each section."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import yaml

from tools.configschema import Schema

_WORDS = {"boolean": "true or false", "integer": "whole number", "string": "text", "object": "mapping"}
_HEAD = ("| key | type | default | meaning | example |", "|---|---|---|---|---|")


def grammar(schema: Schema) -> str:
    """Return the whole file with a type in place of each value; what stands in [ ] may be left out."""
    return "\n".join(_section_lines(schema)) + "\n"


def tables(schema: Schema, top: str) -> str:
    """Return a heading and a table of keys for each section, in the order of the file; `top` is its first."""
    return "\n".join(_table(f"`{path}`" if path else top, section) for path, section in sections(schema))


def sections(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every section with its path, `projects[].auth`; that of the whole file is empty."""
    yield path, schema
    for key, value in schema["properties"].items():
        inner, suffix = _inside(value)
        if inner is not None:
            yield from sections(inner, f"{path}.{key}{suffix}".removeprefix("."))


def kind(value: Schema) -> str:
    """Return what a reader calls a value of this type."""
    if "title" in value:
        return str(value["title"])
    if "enum" in value:
        return f"{' or '.join(value['enum'])}"
    (name,) = {value["type"]} if isinstance(value["type"], str) else set(value["type"]) - {"null"}
    if name == "array":
        return f"list of {kind(value['items'])}s"
    if name == "object" and "properties" not in value:
        return f"mapping of {kind(value['additionalProperties'])}s"
    return _WORDS.get(name, name)


def flags(command: click.Command) -> str:
    """Return the table of a command's flags."""
    rows = [_flag(option) for option in command.params if isinstance(option, click.Option)]
    return "\n".join(["| flag | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _inside(value: Schema) -> tuple[Schema | None, str]:
    """The section that a value is, or is a list of; None for any other."""
    if "properties" in value:
        return value, ""
    items = value.get("items", {})
    return (items, "[]") if "properties" in items else (None, "")


def _table(title: str, section: Schema) -> str:
    rows = [_row(key, value, section) for key, value in section["properties"].items()]
    return "\n".join([f"### {title}", "", *_HEAD, *rows]) + "\n"


def _row(key: str, value: Schema, section: Schema) -> str:
    (example,) = value["examples"]
    cells = (
        f"`{key}`",
        kind(value),
        _default(key, value, section),
        value["description"],
        f"`{flow(example)}`",
    )
    return _line(*cells)


def _line(*cells: str) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _default(key: str, value: Schema, section: Schema) -> str:
    if key in section.get("required", ()):
        return "required"
    if "default" not in value:
        return "none"
    return "see below" if value["default"] == {} else f"`{flow(value['default'])}`"


def flow(value: Any) -> str:
    """Return a value as one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _section_lines(section: Schema) -> list[str]:
    lines = ["# exactly one of these"] if section.get("maxProperties") == 1 else []
    for key, value in section["properties"].items():
        inner, suffix = _inside(value)
        required = key in section.get("required", ())
        if inner is None:
            default = f" | default = {flow(value['default'])}" if "default" in value else ""
            line = f"{key}: <{kind(value)}>{default}"
            lines.append(line if required else f"[ {line} ]")
            continue
        below = _section_lines(inner)
        marks = ["- ", *["  "] * len(below)] if suffix else [""] * len(below)
        below = [f"  {mark}{line}" for mark, line in zip(marks, below, strict=False)]
        lines += [f"{key}:", *below] if required else [f"[ {key}:", *(f"  {line}" for line in below), "]"]
    return lines


def _flag(option: click.Option) -> str:
    shown = option.opts[0] if option.is_flag else f"{option.opts[0]} {option.make_metavar(_context())}"
    default = f"`{option.default}`" if isinstance(option.default, str) else ""
    return _line(f"`{shown}`", "required" if option.required else default, option.help or "")


def _context() -> click.Context:
    return click.Context(click.Command("workspace-exporter"))
