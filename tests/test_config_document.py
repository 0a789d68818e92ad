"""docs/configuration.md and docs/config.schema.json say what the configuration takes, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import Config
from exporter.configfile import parse_config
from exporter.errors import ConfigError
from exporter.section import Section
from exporter.serving.webconfig import UNSUPPORTED, WebConfig, parse_web_config
from tools.configreference import flow, kind, sections
from tools.configschema import config_schema, section_schema
from tools.documents import CONFIGURATION, MAIN_SCHEMA, ROOT, SCHEMA, configuration_document, schema_document

TEXT = CONFIGURATION.read_text("utf-8")
MAIN = dict(sections(MAIN_SCHEMA))
WEB = dict(sections(section_schema(WebConfig, variables=False)))
KEYS = [(path, key) for path, section in MAIN.items() for key in section["properties"]]
WEB_KEYS = [(path, key) for path, section in WEB.items() for key in section["properties"]]


def models(model: type[Section], path: str = "") -> dict[str, type[Section]]:
    """Every section by its path (`projects[].auth`), found from the Python types."""
    found = {path: model}
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            suffix = "[]" if "tuple" in str(field.annotation) else ""
            found |= models(inner, f"{path}.{name}{suffix}".removeprefix("."))
    return found


def _models_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def test_the_documents_are_what_make_docs_writes() -> None:
    """Both files; whoever changes a type or a description runs `make docs`."""
    assert configuration_document() == TEXT
    assert schema_document() == SCHEMA.read_text("utf-8")


@pytest.mark.parametrize(("model", "described"), [(Config, MAIN), (WebConfig, WEB)])
def test_every_section_and_key_is_described(model: type[Section], described: dict[str, Any]) -> None:
    """The schema has the models' sections and keys, in the same order, closed for others."""
    fields = {path: list(section.model_fields) for path, section in models(model).items()}
    assert {path: list(section["properties"]) for path, section in described.items()} == fields
    assert all(section["additionalProperties"] is False for section in described.values())


@pytest.mark.parametrize("found", [MAIN, WEB])
def test_every_key_says_what_it_means(found: dict[str, Any]) -> None:
    """A sentence or more; in the document each stands in the table of its section."""
    for section in found.values():
        for key, value in section["properties"].items():
            assert re.fullmatch(r"[A-Z].*\.", value["description"]), key
            assert f"| `{key}` | {kind(value)} |" in TEXT


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
        case ["projects[]", "auth", method]:
            project["auth"] = {method: {**_SECRETS[method], **section}}
            for key in section:
                if key.endswith("_file"):
                    project["auth"][method].pop(key.removesuffix("_file"), None)
        case ["projects[]", "tasks[]"]:
            project["tasks"] = [{"id": "x", **section}]
        case ["projects[]", "discovery"]:
            project["discovery"] = section
        case [name]:
            whole[name] = section
        case _:
            pytest.fail(f"no example for {path}")
    return whole


_SECRETS: dict[str, dict[str, str]] = {
    "token": {"token": "s"},
    "password": {"domain_name": "d", "user_name": "u", "password": "s"},
    "aksk": {"access_key": "s", "secret_key": "s"},
    "metadata": {},
}


@pytest.mark.parametrize(("path", "key"), KEYS)
def test_every_example_is_taken(path: str, key: str) -> None:
    """As it stands in the document, in a good file; and it is no repetition of the default."""
    value = MAIN[path]["properties"][key]
    for example in value["examples"]:
        assert example != value.get("default") or example == {}
        whole = _whole(path, {key: yaml.safe_load(flow(example))})
        assert parse_config(yaml.safe_dump(whole), {}, Path()).projects


@pytest.mark.parametrize(("path", "key"), KEYS)
def test_every_default_is_the_one_in_force(path: str, key: str) -> None:
    """To write the documented default changes nothing; where none is documented, the value is none."""
    value, required = MAIN[path]["properties"][key], MAIN[path].get("required", ())
    if "default" in value:
        written = parse_config(yaml.safe_dump(_whole(path, {key: value["default"]})), {}, Path())
        assert written == parse_config(yaml.safe_dump(_whole(path, {})), {}, Path())
    else:
        default = models(Config)[path].model_fields[key].get_default()
        assert (key in required) or default is None


@pytest.mark.parametrize(("path", "key"), WEB_KEYS)
def test_every_example_of_the_web_configuration_is_taken(path: str, key: str) -> None:
    """Likewise; `false` is all that http2 takes."""
    value = WEB[path]["properties"][key]
    certificates: dict[str, Any] = {"cert_file": "c", "key_file": "k"}
    if "client" in key:
        certificates |= {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca"}
    around = {"": {}, "tls_server_config": certificates, "http_server_config": {}}[path]
    for example in value["examples"]:
        assert example != value.get("default") or key == "http2"
        section = {**around, key: yaml.safe_load(flow(example))}
        read = parse_web_config(yaml.safe_dump({path: section} if path else section), Path())
        assert getattr(getattr(read, path) if path else read, key) is not None


def test_the_keys_that_are_refused_are_refused() -> None:
    """Each with the advice that the document gives."""
    paths = {"TlsServerConfig": "tls_server_config.", "WebConfig": ""}
    for section, keys in UNSUPPORTED.items():
        for key, why in keys.items():
            assert f"| `{paths[section]}{key}` | {why} |\n" in TEXT
            tree = {"tls_server_config": {key: "x"}} if paths[section] else {key: "x"}
            with pytest.raises(ConfigError, match=re.escape(why)):
                parse_web_config(yaml.safe_dump(tree), Path())


def test_the_types_are_few_and_right() -> None:
    """A reader learns them once."""
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for path, key in KEYS:
        kinds[kind(MAIN[path]["properties"][key])].add(key)
    secrets = {"token", "password", "access_key", "secret_key", "security_token", "proxy_url"}
    methods = {"token", "password", "aksk", "metadata"}
    assert kinds == {
        "text": {"domain_name", "user_name", "id", "name", "region", "project_id"},
        "duration": {"grace", "max_duration", "interval", "refresh", "timeout", "max_age"},
        "secret": secrets,
        "file name": {*(f"{key}_file" for key in secrets), "ca_file"},
        "true or false": {"insecure_http", "proxy_from_environment", "details"},
        "whole number": {"concurrency", "history", "max_tasks"},
        "number": {"requests_per_second"},
        "address": {"endpoint", "iam_endpoint"},
        "time zone": {"time_zone"},
        "list of texts": {"include", "exclude", "success", "failed", "skipped", "running"},
        "list of mappings": {"projects", "tasks"},
        "mapping": {*methods, "auth", "discovery", "polling", "defaults", "statuses"},
    }


def test_the_files_in_the_document_are_good() -> None:
    """What people copy first."""
    config, web = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    read = parse_config(config, {"IAM_PASSWORD": "12345"}, Path())
    assert read.projects[0].name == "prod"
    assert read.polling == Config(projects=read.projects).polling
    assert set(parse_web_config(web, Path()).basic_auth_users) == {"prometheus"}


def test_the_mistake_in_the_document_is_said_so() -> None:
    """Word for word."""
    (line,) = re.findall(r"^workspace-exporter: config\.yml: (.*)$", TEXT, re.MULTILINE)
    tree = _whole("projects[]", {"tasks": [{"id": "a"}, {"id": "b", "grace": 90}]})
    with pytest.raises(ConfigError) as caught:
        parse_config(yaml.safe_dump(tree), {}, Path())
    assert str(caught.value) == line


def test_the_schema_is_flat_and_takes_variables() -> None:
    """No reference to follow; each value that is no text may be a variable."""
    text = json.dumps(config_schema())
    assert '"$ref"' not in text
    for section in dict(sections(config_schema())).values():
        assert all("string" in value["type"] for value in section["properties"].values())


def test_the_examples_name_their_schema() -> None:
    """The first line of the example files, and of the whole file in the document, lead to the schema."""
    examples = [ROOT / "examples" / name for name in ("config.yml", "compose/exporter.yml")]
    for folder, text in (*((path.parent, path.read_text("utf-8")) for path in examples), (ROOT, TEXT)):
        (path,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", text, re.MULTILINE)
        assert (folder / path).resolve() == SCHEMA


def test_every_variable_that_is_read_is_documented() -> None:
    """The names that the sources read, click's own, and those of proxies, which are read from a mapping."""
    table = TEXT.partition("## Environment variables")[2]
    named = set(re.findall(r"`([A-Z_]{4,})`", table))
    found = set()
    for path in (ROOT / "exporter").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("environ.get"):
                assert isinstance(node.args[0], ast.Constant), path
                found.add(str(node.args[0].value))
    proxies = {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}
    assert found | proxies | {"_WORKSPACE_EXPORTER_COMPLETE"} == named
