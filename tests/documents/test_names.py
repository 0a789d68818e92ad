"""No document names what is not there: metrics, alerts, keys, flags, permissions, files, and numbers of them.

That each list is whole too is held here and where it is made: docs/metrics.md is written from the catalogue,
docs/configuration.md from the types; test_rules has the runbooks' sections, tests/cli those of the commands.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import click
import pytest
import yaml

from exporter.advice import ACTIONS
from exporter.catalog import EXPORTER_METRICS, TASK_METRICS
from exporter.cli.main import cli
from exporter.config import Polling
from exporter.paging import DETAILS_LIMIT, MAX_RECORD_PAGES, RECORDS_LIMIT, TASKS_LIMIT
from exporter.polling import overload
from exporter.serving.webconfig import UNSUPPORTED, WebConfig
from tests.documents.pages import PAGES, ROOT, prose_of, text_of
from tools.configreference import sections
from tools.configschema import section_schema
from tools.documents import MAIN_SCHEMA

METRICS = {metric.name for metric in TASK_METRICS} | {metric.name for metric in EXPORTER_METRICS}
RULES = yaml.safe_load((ROOT / "examples" / "prometheus" / "rules.yml").read_text("utf-8"))
ALERTS = {rule["alert"] for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
README = text_of("README.md")


def keys() -> set[str]:
    """Every key of both configuration files, with its path: `polling.interval`, `auth.token`, `tasks`."""
    found = set()
    for schema in (MAIN_SCHEMA, section_schema(WebConfig, variables=False)):
        for path, section in sections(schema):
            parts = [*path.replace("[]", "").split("."), ""]
            for key in section["properties"]:
                parts[-1] = key
                found |= {".".join(parts[start:]).removeprefix(".") for start in range(len(parts))}
    paths = {"TlsServerConfig": "tls_server_config.", "WebConfig": ""}
    return found | {f"{paths[name]}{key}" for name, refused in UNSUPPORTED.items() for key in refused}


KEYS = keys()
SECTIONS = {key.rpartition(".")[0] for key in KEYS if "." in key}


METRIC = re.compile(r"\bworkspace_(?:task|exporter)_[a-z_]*")
ALERT = re.compile(r"\bWorkspace(?:Task|Exporter)[A-Z]\w+")
KEY = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)(?::[^`]*)?`")
KEY_OF_A_FILE = re.compile(r"`([a-z_]+_file)\b")
CODE = re.compile(r"`([^`\n]+)`")
PERMISSION = re.compile(r"workspace:scheduledTasks:\w+")
PATH = re.compile(r"`((?:examples|docs|exporter|tests|tools|helm)/[\w./-]+)`")
LINK = re.compile(r"\]\(([^)]+)\)")


@pytest.mark.parametrize("pattern", [METRIC, ALERT, KEY, KEY_OF_A_FILE, CODE, PERMISSION, PATH, LINK])
def test_the_pages_name_what_is_looked_for(pattern: re.Pattern[str]) -> None:
    """Otherwise the tests below would hold nothing."""
    assert sum(len(pattern.findall(prose_of(page))) for page in PAGES) > 5


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_that_is_named_exists(page: str) -> None:
    """Whole names; one that ends with an underscore or an ellipsis must begin some."""
    for name in METRIC.findall(text_of(page)):
        if name.endswith("_"):
            assert any(metric.startswith(name) for metric in METRICS), name
        else:
            assert name in METRICS or re.sub(r"_(bucket|sum|count)$", "", name) in METRICS, name


@pytest.mark.parametrize("page", PAGES)
def test_every_alert_that_is_named_exists(page: str) -> None:
    """By its whole name."""
    assert set(ALERT.findall(text_of(page))) <= ALERTS


@pytest.mark.parametrize("page", PAGES)
def test_every_key_that_is_named_exists(page: str) -> None:
    """What stands in code as `section.key`, and each `…_file`."""
    for name in KEY.findall(prose_of(page)):
        if name.split(".")[0] in {section.split(".")[-1] for section in SECTIONS}:
            assert name in KEYS, name
    for name in KEY_OF_A_FILE.findall(prose_of(page)):
        assert name in KEYS, name


@pytest.mark.parametrize("page", PAGES)
def test_every_flag_in_the_text_exists(page: str) -> None:
    """A command in running text has flags of its own; a flag that stands alone is some command's."""
    flags = {
        flag
        for command in cli.commands.values()
        for option in command.params
        if isinstance(option, click.Option)
        for flag in (*option.opts, *option.secondary_opts)
    } | {"--help", "--version"}
    for code in CODE.findall(prose_of(page)):
        words = code.split()
        if words[0] == "workspace-exporter" and len(words) > 1 and words[1] in cli.commands:
            real = {flag for option in cli.commands[words[1]].params for flag in option.opts} | {"--help"}
            assert {word.partition("=")[0] for word in words if word.startswith("--")} <= real, code
        elif words[0] == "workspace-exporter" and len(words) > 1:
            assert words[1] in {"COMMAND", "--version", "--help"}, code
        elif words[0].startswith("--") and words[0].partition("=")[0] not in flags:
            assert re.match(r"--(storage\.tsdb|build-arg|health-cmd|no-healthcheck)", words[0]), code


@pytest.mark.parametrize("page", PAGES)
def test_every_permission_that_is_named_is_asked_for(page: str) -> None:
    """The four, in the vendor's spelling."""
    assert set(PERMISSION.findall(text_of(page))) <= set(ACTIONS.values())


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    """Paths of this repository in code, and targets of relative links and pictures with their headings."""
    for path in PATH.findall(text_of(page)):
        assert (ROOT / path).exists(), path
    for target in LINK.findall(prose_of(page)):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.resolve().exists(), target
        if anchor:
            assert anchor in _anchors(path), target


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_counts_the_alerts() -> None:
    """As many as there are."""
    assert [int(number) for number in re.findall(r"\*\*(\d+) alerts\*\*", README)] == [len(ALERTS)]


def test_the_alerts_have_one_list() -> None:
    """The runbooks' table: all of them, no other."""
    table = re.findall(r"^\| \[(\w+)\]\(#\w+\) \|", text_of("docs/runbooks.md"), re.MULTILINE)
    assert sorted(table) == sorted(ALERTS)


def test_the_metrics_have_one_list() -> None:
    """docs/metrics.md: all of them, no other."""
    table = re.findall(r"^\| `(\w+)` \|", text_of("docs/metrics.md"), re.MULTILINE)
    assert sorted(table) == sorted(METRICS)


def test_the_commands_have_the_same_list_everywhere() -> None:
    """The README's table and the sections of docs/commands.md."""
    table = re.findall(r"^\| `([a-z-]+)", README.partition("## Commands")[2], re.MULTILINE)
    headings = re.findall(r"^## ([a-z-]+)$", text_of("docs/commands.md"), re.MULTILINE)
    assert sorted(table) == sorted(headings) == sorted(cli.commands)


def test_the_sizing_is_what_the_exporter_reckons() -> None:
    """The formula and the example in the README, against the warning about too low a rate."""
    formula = " ".join(README.partition("## Sizing")[2].split())
    assert f"tasks / {TASKS_LIMIT}⌉" in formula
    assert f"⌈history / {RECORDS_LIMIT}⌉" in formula
    assert f"⌈desktops / {DETAILS_LIMIT}⌉" in formula
    polling = Polling(requests_per_second=0.1)
    told = overload(timed=1000, triggered=0, watched=1000, events=0, polling=polling) or ""
    lists, records = (int(number) for number in re.findall(r"(\d+) (?:requests )?for", told))
    assert (lists, records) == (1000 / TASKS_LIMIT + 1, round(1000 * polling.interval / polling.refresh))
    assert f"the first two lines are {lists} + {records} = {lists + records} calls a minute" in formula
    assert f"{(lists + records) / 60:.1f} a second, of the {Polling().requests_per_second:g}" in formula
    each = 1 / TASKS_LIMIT + polling.interval / polling.refresh
    assert math.isclose(1 / each, 12, abs_tol=1)
    assert "one call a minute for every dozen tasks" in " ".join(README.split())


def test_triggered_tasks_cost_what_the_readme_says() -> None:
    """Two reads more in each `refresh`."""
    polling = Polling(requests_per_second=0.1)
    told = overload(timed=0, triggered=300, watched=300, events=300, polling=polling) or ""
    more = 300 * (1 + 2) * polling.interval / polling.refresh
    assert f"{1 + 300 // TASKS_LIMIT} requests for the list and {more:.0f} for records" in told


def test_upstream_s_operations_are_those_that_are_asked() -> None:
    """docs/upstream.md: the operations that a request can be counted under, their permissions and pages."""
    row = re.compile(r"^\| `(\w+)` \| .+? \| ?([^|]*?) ?\| ?([0-9]*) ?\|$", re.MULTILINE)
    rows = row.findall(text_of("docs/upstream.md"))
    permissions = {name: permission.strip("`") for name, permission, _ in rows}
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "exporter" / "upstream").rglob("*.py"))
    named = {"create_token", "show_token", "list_projects", "metadata"}
    assert set(permissions) == set(ACTIONS) | named
    assert all(f'"{name}"' in sources for name in permissions)
    assert {name: permission for name, permission in permissions.items() if permission} == ACTIONS
    pages = {name: int(page) for name, _, page in rows if page}
    assert pages == {
        "list_tasks": TASKS_LIMIT,
        "list_records": RECORDS_LIMIT,
        "list_record_details": DETAILS_LIMIT,
    }
    assert f"up to {MAX_RECORD_PAGES} pages" in text_of("docs/upstream.md")


def test_upstream_s_defaults_are_those_in_force() -> None:
    """The status words, and the numbers that a setting changes."""
    text = " ".join(text_of("docs/upstream.md").split())
    defaults = Polling()
    assert f"{defaults.requests_per_second:g} a second; after a 429 half of that" in text
    assert f"{defaults.timeout:g} seconds, three tries at most" in text
    for section in ("success", "failed", "skipped", "running"):
        for word in MAIN_SCHEMA["properties"]["statuses"]["properties"][section]["default"]:
            assert word in text or word == "SKIPPED"


def test_every_module_has_its_place_in_the_architecture() -> None:
    """The table names each module or folder of exporter/, and nothing that is not there."""
    rows = re.findall(r"^\| ((?:`[\w/]+`(?:, )?)+) \|", text_of("docs/architecture.md"), re.MULTILINE)
    named = {name.rstrip("/") for row in rows for name in re.findall(r"`([\w/]+)`", row)}
    there = {
        path.stem
        for path in (ROOT / "exporter").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or path.is_dir())
    }
    assert named == there - {"cli", "collaborators", "durations", "errors", "secrets", "terminaltext", "urls"}
