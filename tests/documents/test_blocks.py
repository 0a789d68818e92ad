"""Every fenced block of every document is read by who would read it; a kind that nobody reads is an error.

Beyond this, tests/cli runs the examples of docs/commands.md, tests/packaging those of docs/install.md and the
chart's README, tests/endtoend the loop of docs/backfill.md.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from exporter.advice import ACTIONS
from exporter.cli.main import cli
from exporter.configfile import parse_config
from exporter.serving.webconfig import parse_web_config
from tests.documents.pages import ALL, PAGES, ROOT, SHELLS, Block, blocks, text_of
from tests.programs import require_program
from tools.configreference import grammar
from tools.documents import MAIN_SCHEMA

VALUES = yaml.safe_load((ROOT / "helm" / "workspace-exporter" / "values.yaml").read_text("utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
KINDS = {
    *SHELLS,
    "yaml",
    "json",
    "promql",
    "text",
}
PROGRAMS = {
    *("workspace-exporter", "make", "prometheus", "alertmanager", "promtool", "pip-audit"),
    *("python3", "python", "pip", "install", "sed", "mv", "rm", "curl", "grep", "break", "eval", "source"),
    *("systemctl", "docker", "kubectl", "helm"),
}
"""What the documents may tell somebody to type."""


def of(*languages: str) -> list[Block]:
    """The blocks of these languages."""
    return [block for block in ALL if block.language in languages]


def ours(words: list[str]) -> bool:
    """Whether a command is this project's own."""
    return Path(words[0]).name == "workspace-exporter"


OURS = [(block, words) for block in of(*SHELLS) for words in block.commands if ours(words)]


def test_every_page_is_walked() -> None:
    """The README, the documents and the chart's page are there, and every fence that opens closes."""
    assert {"README.md", "docs/configuration.md", "helm/workspace-exporter/README.md"} <= set(PAGES)
    for page in PAGES:
        fences = re.findall(r"^ *```", text_of(page), re.MULTILINE)
        assert len(fences) == 2 * len(blocks(page)), page


@pytest.mark.parametrize("block", ALL, ids=str)
def test_every_block_is_of_a_kind_that_somebody_reads(block: Block) -> None:
    """Also one without a language."""
    assert block.language in KINDS


@pytest.mark.parametrize("block", of(*SHELLS), ids=str)
def test_the_shell_understands(block: Block) -> None:
    """Each block parses; every program is one of a short list, every target of make is there."""
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for words in block.commands:
        while "=" in words[0]:
            del words[0]
        if not words[0].startswith(("$", "_")):
            assert Path(words[0]).name in PROGRAMS, words
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", MAKEFILE, re.MULTILINE), words


@pytest.mark.parametrize(
    ("block", "words"), OURS, ids=lambda value: str(value) if isinstance(value, Block) else ""
)
def test_every_command_of_ours_is_taken(block: Block, words: list[str]) -> None:
    """Click parses its flags without complaint, and the files of this repository that it names exist."""
    assert words, str(block)
    if words[1:] in (["--version"], ["--help"], []):
        return
    parent = click.Context(cli, **cli.context_settings)
    context = cli.commands[words[1]].make_context(words[1], words[2:], parent)
    assert not context.args
    for word in words:
        if word.startswith("examples/"):
            assert (ROOT / word).exists()


@pytest.mark.real
def test_every_flag_of_prometheus_is_known() -> None:
    """Those of the servers that the documents start."""
    seen = set()
    for block in of(*SHELLS):
        for words in block.commands:
            if words[0] in {"prometheus", "alertmanager"}:
                program = require_program(words[0])
                told = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
                for flag in re.findall(r"(--[a-z.-]+)", " ".join(words)):
                    assert flag in told.stdout + told.stderr
                    seen.add(flag)
                for word in words:
                    assert not word.startswith("examples/") or (ROOT / word).exists()
    assert "--config.file" in seen


def good(tree: dict[str, Any], text: str, folder: Path) -> None:
    """Assert that a YAML document is what its keys say it is."""
    names = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "x")
    if "projects" in tree:
        assert parse_config(text, names, folder).projects
    elif {"tls_server_config", "basic_auth_users", "http_server_config"} & set(tree):
        assert parse_web_config(text, folder) is not None
    elif "scrape_configs" in tree:
        assert [job["job_name"] for job in tree["scrape_configs"]] == ["workspace-exporter"]
    else:
        assert tree
        assert set(tree) <= set(VALUES)  # values of the chart; the packaging tests render them
        for key, read in (("config", parse_config), ("webConfig", None)):
            if tree.get(key):
                inner = yaml.safe_dump(tree[key])
                assert read(inner, names, folder) if read else parse_web_config(inner, folder) is not None


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_every_yaml_file_is_good(block: Block, tmp_path: Path) -> None:
    """A configuration is loaded as one, a web configuration too; values are the chart's."""
    good(yaml.safe_load(block.text), block.text, tmp_path)


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_every_json_is_json(block: Block) -> None:
    """A policy allows what the exporter asks for and nothing else; the rest tests/cli compares."""
    tree = json.loads(block.text)
    if "Statement" in tree:
        (statement,) = tree["Statement"]
        assert statement["Effect"] == "Allow"
        assert sorted(statement["Action"]) == sorted(ACTIONS.values())


@pytest.mark.real
def test_every_expression_is_promql(tmp_path: Path) -> None:
    """Promtool parses them, those in the running text too."""
    found = [block.text.strip() for block in of("promql")]
    for page in PAGES:
        found += re.findall(r"`((?:sum|max|rate|increase|count)\b[^`]*\([^`]*\))`", text_of(page))
    assert len(found) > 1
    rules = [{"record": f"r{number}", "expr": text} for number, text in enumerate(found)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}), "utf-8")
    command = [require_program("promtool"), "check", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", of("text"), ids=str)
def test_every_other_text_is_held_elsewhere(block: Block) -> None:
    """An error line (test_config_document), the grammar, the sizing (test_names), the modules' picture."""
    lines = block.text.splitlines()
    if block.text.startswith("workspace-exporter: "):
        assert len(lines) == 1
    elif block.page == "docs/architecture.md":
        words = set(re.findall(r"(?<![A-Za-z])[a-z]{3,}", block.text.split("history  ")[0]))
        modules = {path.stem for path in (ROOT / "exporter").rglob("*.py")} | {"web"}
        assert words - modules == {"cloud"}
    elif block.page == "README.md":
        assert "interval / refresh" in block.text
    else:
        assert block.text == grammar(MAIN_SCHEMA)
