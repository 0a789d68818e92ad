"""`docs/configuration.md` says what the configuration takes: every key, and nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic.fields import FieldInfo

from exporter.config import Config
from exporter.configfile import parse_config
from exporter.durations import format_duration
from exporter.section import Section

DOCUMENT = Path(__file__).parents[1] / "docs" / "configuration.md"
TEXT = DOCUMENT.read_text()
_HEADING = re.compile(r"^### (?:`([^`]+)`|Top level)$", re.MULTILINE)
_ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| `(.+)` \|$")
_DURATIONS = {"grace", "max_duration", "interval", "refresh", "timeout", "max_age"}


def sections_of(model: type[Section], path: str = "") -> dict[str, type[Section]]:
    """Every section of the configuration by its path: `projects[].auth`."""
    found = {path: model}
    for name, field in model.model_fields.items():
        for kind, suffix in _models_in(field.annotation):
            found |= sections_of(kind, f"{path}.{name}{suffix}".removeprefix("."))
    return found


def _models_in(annotation: Any) -> list[tuple[type[Section], str]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [(annotation, "")]
    suffix = "[]" if get_origin(annotation) is tuple else ""
    return [(kind, suffix) for part in get_args(annotation) for kind, _ in _models_in(part)]


def tables() -> dict[str, dict[str, tuple[str, str, str]]]:
    """For each section of the document its rows: key to type, default and example."""
    found = {}
    headings = list(_HEADING.finditer(TEXT))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        part = TEXT[heading.end() : following.start() if following else None]
        lines = [line for line in part.splitlines() if line.startswith("| `")]
        rows = [match.groups() for line in lines if (match := _ROW.match(line))]
        assert len(rows) == len(lines), heading.group()
        assert len({row[0] for row in rows}) == len(rows)
        found[heading[1] or ""] = {key: (kind, default, example) for key, kind, default, _, example in rows}
    return found


SECTIONS = sections_of(Config)
ROWS = [(path, key) for path, rows in tables().items() for key in rows]


def test_every_section_and_key_is_described_and_nothing_else() -> None:
    """The document's tables and the models' fields are the same, in the same order."""
    described = {path: list(rows) for path, rows in tables().items()}
    assert described == {path: list(model.model_fields) for path, model in SECTIONS.items()}


def _default(key: str, field: FieldInfo) -> str:
    """How the document writes a field's default."""
    if field.is_required():
        return "required"
    match field.default:
        case None:
            return "none"
        case Section():
            return "see below"
        case bool() as value:
            text = str(value).lower()
        case tuple() as value:
            text = f"[{', '.join(value)}]"
        case float() as value:
            text = format_duration(value) if key in _DURATIONS else f"{value:g}"
        case value:
            text = str(value)
    return f"`{text}`"


@pytest.mark.parametrize(("path", "key"), ROWS)
def test_every_default_is_the_one_in_force(path: str, key: str) -> None:
    """Literally, as it would be written."""
    assert tables()[path][key][1] == _default(key, SECTIONS[path].model_fields[key])


_SECRETS = {
    "projects[].auth.token": {"token": "s"},
    "projects[].auth.password": {"domain_name": "d", "user_name": "u", "password": "s"},
    "projects[].auth.aksk": {"access_key": "s", "secret_key": "s"},
    "projects[].auth.metadata": {},
}


def _whole(path: str, section: dict[str, Any]) -> dict[str, Any]:
    """A good configuration that has `section` at `path`."""
    project: dict[str, Any] = {
        "name": "p",
        "region": "r",
        "project_id": "a",
        "auth": {"metadata": {}},
        "discovery": {},
    }
    whole: dict[str, Any] = {"projects": [project]}
    match path.split("."):
        case [""]:
            return {**whole, **section}
        case ["projects[]"]:
            whole["projects"] = [{**project, **section}]
        case ["projects[]", "auth"]:
            project["auth"] = section
        case ["projects[]", "auth", kind]:
            project["auth"] = {kind: {**_SECRETS[path], **section}}
            for key in section:
                if key.endswith("_file"):
                    project["auth"][kind].pop(key.removesuffix("_file"), None)
        case ["projects[]", "tasks[]"]:
            project["tasks"] = [{"id": "x", **section}]
        case ["projects[]", "discovery"]:
            project["discovery"] = section
        case [name]:
            whole[name] = section
        case _:
            pytest.fail(f"no example for {path}")
    return whole


@pytest.mark.parametrize(("path", "key"), ROWS)
def test_every_example_is_taken(path: str, key: str) -> None:
    """Each as the value of its key in a good file, and it is no repetition of the default."""
    _, default, example = tables()[path][key]
    assert f"`{example}`" != default
    whole = _whole(path, {key: yaml.safe_load(example)})
    assert parse_config(yaml.safe_dump(whole), {}, Path()).projects


def test_the_types_are_few_and_right() -> None:
    """A reader learns them once."""
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for rows in tables().values():
        for key, (kind, *_) in rows.items():
            kinds[kind].add(key)
    assert kinds["duration"] == _DURATIONS
    assert kinds["secret"] == {
        "token",
        "password",
        "access_key",
        "secret_key",
        "security_token",
        "proxy_url",
    }
    assert kinds["file name"] == {*(f"{key}_file" for key in kinds["secret"]), "ca_file"}
    assert kinds["true or false"] == {"insecure_http", "proxy_from_environment", "details"}
    assert kinds["whole number"] == {"concurrency", "history", "max_tasks"}
    assert kinds["address"] == {"endpoint", "iam_endpoint"}
    assert set(kinds) <= {
        "duration",
        "secret",
        "file name",
        "true or false",
        "whole number",
        "number",
        "address",
        "text",
        "time zone",
        "mapping",
        "list of texts",
        "list of mappings",
    }


def test_the_whole_file_in_the_document_is_good() -> None:
    """What people copy first."""
    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 1
    config = parse_config(blocks[0], {"IAM_PASSWORD": "12345"}, Path())
    assert config.projects[0].name == "prod"
    assert config.polling == Config(projects=config.projects).polling
