"""docs/config.schema.json, as an editor reads it: it takes every good configuration and marks what it can.

The loader is the oracle. What the schema refuses the loader must refuse too: an editor that marks a good file
is worse than none. The other way round a schema cannot know files, the environment, and how values compare.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter import yamltext
from exporter.configfile import parse_config
from exporter.errors import ConfigError
from tests.config import BASE
from tests.fuzz.test_configuration import MAIN
from tests.packaging.chart import VALUES, defaults, rendered
from tests.packaging.workshop import ROOT, module
from tests.test_config import WHOLE

pytestmark = pytest.mark.real

SCHEMA = json.loads((ROOT / "docs" / "config.schema.json").read_text("utf-8"))
BAD = sorted((ROOT / "tests" / "config" / "bad").glob("*.yml"))
BEYOND = {
    "files": "access_key_file_missing ca_file_missing password_file_missing proxy_file_missing "
    "secret_key_file_missing security_token_file_missing "
    "token_file_empty token_file_folder token_file_missing",
    "the environment": "variable_empty_name variable_open variable_unset variable_unset_inside",
    "other values": "max_age_less_than_refresh name_twice refresh_more_than_max_age status_word_twice "
    "status_word_twice_without_case task_id_twice endpoint_http iam_endpoint_http",
    "long durations": "duration_too_long interval_short",
    "addresses": "endpoint_host endpoint_port proxy_host proxy_path proxy_scheme",
    "Python's regular expressions": "exclude_no_regex include_no_regex",
    "zones": "time_zone_of_the_host time_zone_unknown",
    "how JSON sees numbers": "float_for_int nan_for_float",
}
"""The mistakes in tests/config/bad that need to know more than a schema says."""


def complaints(tree: Any) -> list[str]:
    """Return what the schema says of a file's content before variables are replaced."""
    return [error.message for error in module("jsonschema").Draft7Validator(SCHEMA).iter_errors(tree)]


def fragments() -> list[tuple[str, str]]:
    """Every configuration in a document, an example file or the tests, with where it stands."""
    found = [("WHOLE", WHOLE), ("BASE", BASE), ("MAIN", MAIN)]
    found += [(path.name, path.read_text("utf-8")) for path in (ROOT / "examples").rglob("*.yml")]
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        found += [(path.name, block) for block in blocks]
    return [(name, text) for name, text in found if re.search(r"^projects:", text, re.MULTILINE)]


def test_it_is_a_schema() -> None:
    """Of the draft that it names."""
    jsonschema = module("jsonschema")
    assert jsonschema.validators.validator_for(SCHEMA) is jsonschema.Draft7Validator
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_every_configuration_here_is_good() -> None:
    """Those of the README, the documents, the examples and the tests."""
    found = fragments()
    assert {"README.md", "configuration.md", "install.md", "config.yml", "exporter.yml"} <= {
        n for n, _ in found
    }
    for name, text in found:
        assert not complaints(yamltext.load(text)), name


@pytest.mark.parametrize("name", ["", *VALUES])
def test_what_the_chart_renders_is_good(name: str) -> None:
    """The file in the ConfigMap, once a project is configured."""
    release = rendered(name) if name else defaults()
    for item in release.all("ConfigMap"):
        text = item["data"].get("config.yml", "")
        tree = yaml.safe_load(text) or {}
        if tree.get("projects"):
            assert not complaints(yamltext.load(text))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_mistake_that_a_schema_can_see_is_marked(path: Path) -> None:
    """All of tests/config/bad, but for what only the loader knows."""
    try:
        tree = yamltext.load(yamltext.decode(path.read_bytes()))
    except ConfigError:
        return  # no YAML: the editor says so without a schema
    beyond = {name for names in BEYOND.values() for name in names.split()}
    assert bool(complaints(tree)) == (path.stem not in beyond)


VARIABLES = """
projects:
  - ${WHOLE}
  - {name: "${A}", region: "${B}-4", auth: "${C}", tasks: ["${D}"], discovery: }
  - {name: $$, region: r, project_id: x, auth: {token: "${T}"}, discovery: {include: ["${R}$"]}}
  - {name: p, region: r, auth: {metadata: }, proxy_url: , proxy_url_file: x, discovery: {}}
polling: {interval: "${N}s", history: "${H}", details: "${D}", requests_per_second: "${R}"}
defaults: ${D}
statuses: {failed: "${F}"}
time_zone: ${Z}
"""


@pytest.mark.parametrize("text", ["projects: ${PROJECTS}\npolling:\ndefaults:\nstatuses:\n", VARIABLES])
def test_variables_and_empty_keys_are_no_mistakes(text: str) -> None:
    """Wherever the loader takes them."""
    assert not complaints(yamltext.load(text))


KEYS = sorted(set(re.findall(r'^ +"([a-z_]+)": \{$', json.dumps(SCHEMA, indent=1), re.MULTILINE)))
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 0.5, 1001, "", " ", "0", "0s", "90s", "1h30m", "30m1h", "5", "x", "a b"),
    *(
        [],
        [""],
        ["x"],
        {},
        {"x": 1},
        {"token": "t"},
        {"endpoint": "http://h"},
        {"include": []},
        [{"id": "a"}],
    ),
    *("https://h", "HTTPS://h:1/x", "https://u@h", "http://h?x", "ftp://h", "GMT+8", "$$", "r-1"),
]


@given(
    st.lists(
        st.tuples(st.randoms(use_true_random=False), st.sampled_from(KEYS), st.sampled_from(ODD)), max_size=3
    )
)
def test_what_the_schema_refuses_the_loader_refuses(edits: list[tuple[Any, str, Any]]) -> None:
    """Whole files with up to three values replaced, added or removed anywhere."""
    tree = yamltext.load(WHOLE)
    for chance, key, value in edits:
        places = [place for place in _mappings(tree) if key in place] or _mappings(tree)
        place = chance.choice(places)
        if chance.random() < 0.2:
            place.pop(key, None)
        else:
            place[key] = value
    if complaints(tree):
        with pytest.raises(ConfigError):
            parse_config(json.dumps(tree), {}, Path("/nonexistent"))


def _mappings(tree: Any) -> list[dict[str, Any]]:
    if isinstance(tree, list):
        return [found for item in tree for found in _mappings(item)]
    if isinstance(tree, dict):
        return [tree, *(found for item in tree.values() for found in _mappings(item))]
    return []
