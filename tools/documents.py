"""Writes the documents that follow from the code. `make docs` calls it; tests hold the files equal to it.

docs/metrics.md comes from the catalogue, docs/config.schema.json and docs/configuration.md from the
configuration's types; what people wrote of the latter is in tools/templates/.
"""

from __future__ import annotations

import json
from pathlib import Path

from exporter.catalog import EXPORTER_METRICS, TASK_LABELS, TASK_METRICS, ExporterMetric, TaskMetric
from exporter.cli.main import cli
from exporter.config import Config
from exporter.serving.webconfig import UNSUPPORTED, WebConfig
from tools.configreference import flags, grammar, tables
from tools.configschema import config_schema, section_schema

ROOT = Path(__file__).resolve().parent.parent
METRICS = ROOT / "docs" / "metrics.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
SCHEMA = ROOT / "docs" / "config.schema.json"
MAIN_SCHEMA = section_schema(Config, variables=False)
_TEMPLATE = Path(__file__).parent / "templates" / "configuration.md"

_HEAD = """# Metrics

Written by `make docs` from `exporter/catalog.py`; change it there.

A value that is not known gives no sample, never 0. Where 0 means "none", the help says so. All times are
Unix seconds, all durations seconds. Gauges of a task are a function of the API's answers, the configuration
and the time: a restart, or which replica answers, changes nothing. Counters begin at 0 when the exporter
starts.

When reads fail, a task's last values stay until `polling.max_age`; then the gauges drawn from its records,
and its expected run, are withdrawn. Counters, poll gauges, info and thresholds remain. A task that is deleted
or no longer selected loses its series in the next cycle; of a configured task that does not exist only
`workspace_task_found` is left.

"""
_TASKS = """## Tasks

Each has the labels `project`, `task_id` and `task_name`, and those in the table. `status` is one of success,
partial, failed, skipped and unknown, and all five are always present.

"""
_EXPORTER = """
## The exporter itself

Beside these there are the usual `process_*` and `python_gc_*` metrics of the Python client library.

"""


def metrics_document() -> str:
    """Return the text of docs/metrics.md."""
    return _HEAD + _TASKS + _table(TASK_METRICS) + _EXPORTER + _table(EXPORTER_METRICS)


def configuration_document() -> str:
    """Return the text of docs/configuration.md: the template with what the types say."""
    parts = {
        "grammar": grammar(MAIN_SCHEMA),
        "keys": tables(MAIN_SCHEMA, "Top level"),
        "web_keys": tables(section_schema(WebConfig, variables=False), "Top level of the web configuration"),
        "web_refused": _refused(),
        "run_flags": flags(cli.commands["run"]),
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    for name, part in parts.items():
        before, after = text.split(f"{{{{ {name} }}}}\n")  # each stands there once
        text = before + part + after
    return text


def schema_document() -> str:
    """Return the text of docs/config.schema.json."""
    return json.dumps(config_schema(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the generated documents."""
    METRICS.write_text(metrics_document(), encoding="utf-8")
    CONFIGURATION.write_text(configuration_document(), encoding="utf-8")
    SCHEMA.write_text(schema_document(), encoding="utf-8")


def _refused() -> str:
    sections = {"WebConfig": "", "TlsServerConfig": "tls_server_config."}
    rows = [
        f"| `{path}{key}` | {why} |"
        for name, path in sections.items()
        for key, why in UNSUPPORTED[name].items()
    ]
    return "\n".join(["| key | instead |", "|---|---|", *rows]) + "\n"


def _table(metrics: tuple[TaskMetric, ...] | tuple[ExporterMetric, ...]) -> str:
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels if label not in TASK_LABELS[1:])
        rows.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
