"""The configuration's types as one flat JSON schema, for editors and for docs/configuration.md.

Draft 7, without references and alternatives where none are needed: the YAML language server of the editors
completes and explains such a schema best. pydantic reads the types; this makes its schema flat, and adds what
holds for every value of the file: a text may hold `${VARIABLES}`, and anything else may be one.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from exporter.config import Config
from exporter.durations import format_duration
from exporter.section import Section

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
Schema = dict[str, Any]

_ONE_VARIABLE: Final = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"
_ANY_VARIABLE: Final = r"\$"
_NULL: Final = {"type": "null"}
_ORDER: Final = ("title", "description", "type", "default", "examples")


def config_schema() -> Schema:
    """Return the schema of the configuration file."""
    return {
        "$schema": DRAFT,
        "title": "Configuration of workspace-exporter",
        **section_schema(Config, variables=True),
    }


def section_schema(model: type[Section], *, variables: bool) -> Schema:
    """Return the flat schema of a section, as it is before or (without `variables`) after substitution."""
    whole = model.model_json_schema(schema_generator=_AsWritten)
    builder = _Builder(whole.pop("$defs", {}), variables=variables)
    return builder.content(whole)


class _AsWritten(GenerateJsonSchema):
    """Keeps the order of keys, in examples too."""

    def sort(self, value: Schema, parent_key: str | None = None) -> Schema:  # noqa: ARG002 - the library's
        return value


class _Builder:
    def __init__(self, sections: dict[str, Schema], *, variables: bool) -> None:
        self._sections = sections
        self._variables = variables

    def value(self, schema: Schema) -> Schema:
        """A value of the file: its content, or a variable in its place."""
        flat = self.content(schema)
        if not self._variables:
            return flat
        if "string" not in flat["type"]:
            return {**flat, "type": [*_types(flat), "string"], "pattern": _ONE_VARIABLE}
        if "pattern" in flat:
            return {**flat, "pattern": f"(?:{flat['pattern']})|{_ANY_VARIABLE}"}
        return flat

    def content(self, schema: Schema) -> Schema:
        flat = self._resolved(schema)
        if "properties" in flat:
            flat["properties"] = {key: self.value(inner) for key, inner in flat["properties"].items()}
        if "items" in flat:
            flat["items"] = self.value(flat["items"])
            flat |= {"minItems": flat.pop("minLength")} if "minLength" in flat else {}  # pydantic's slip
        if flat.pop("nullable", False) and "null" not in _types(flat):
            flat["type"] = [*_types(flat), "null"]
        title = flat.pop("kind", None)
        flat.pop("title", None)  # pydantic's own: the key once more
        _say_default(flat, title)
        named = {"title": title, **flat} if title else flat
        return {key: named[key] for key in sorted(named, key=_place)}

    def _resolved(self, schema: Schema) -> Schema:
        """The schema with what it refers to, and `X | None` as one schema of two types."""
        rest = dict(schema)
        if "$ref" in rest:
            section = self._sections[rest.pop("$ref").rpartition("/")[2]]
            return {**section, **rest}
        if _NULL in rest.get("anyOf", ()):
            (inner,) = [other for other in rest.pop("anyOf") if other != _NULL]
            found = self._resolved(inner)
            return {**found, **rest, "type": [*_types(found), "null"]}
        return rest


def _types(schema: Schema) -> list[str]:
    kinds = schema["type"]
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _say_default(flat: Schema, title: str | None) -> None:
    """Write a default as the file would; none where there is nothing to write."""
    default = flat.pop("default", None)
    if default is None:
        return
    if isinstance(default, dict):
        flat["default"] = {}  # each key of the section has its own
    elif isinstance(default, float):
        flat["default"] = format_duration(default) if title == "duration" else _number(default)
    else:
        flat["default"] = default


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value


def _place(key: str) -> int:
    return _ORDER.index(key) if key in _ORDER else len(_ORDER)
