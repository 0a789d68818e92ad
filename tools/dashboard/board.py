"""The dashboard as a whole: variables, annotations, links, rows."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from tools.dashboard import promql
from tools.dashboard.health import health
from tools.dashboard.overview import overview
from tools.dashboard.panels import DATASOURCE, RUNBOOKS, Panel
from tools.dashboard.project import of_a_project
from tools.dashboard.tasks import of_tasks

UID = "workspace-exporter"
_ALL = dashboard.VariableOption(selected=True, text="All", value="$__all")
_JOB = dashboard.VariableOption(selected=True, text="workspace-exporter", value="workspace-exporter")
"""The contract of the alert rules: this is what the scrape job is called."""
_RUNBOOKS = "docs/runbooks.md"


def dashboard_json() -> str:
    """Return the text of examples/grafana/dashboard.json: the same for the same code."""
    tree: dict[str, Any] = json.loads(json.dumps(_board().build(), cls=JSONEncoder))
    _number(tree["panels"])
    # The SDK writes what belongs to other kinds of variable, and a theme, which is the reader's to choose.
    for variable in tree["templating"]["list"]:
        for name in ("id", "auto", "auto_min", "auto_count"):
            del variable[name]
    del tree["style"]
    # The SDK's model of an annotation lacks what is particular to Prometheus.
    tree["annotations"]["list"][0] |= {
        "step": "1m",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{project}} {{task_name}} {{instance}}",
        "tagKeys": "severity",
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _board() -> boards.Dashboard:
    board = boards.Dashboard("Scheduled tasks of Workspace desktops").uid(UID).version(1)
    board.description(
        "What the scheduled tasks of Huawei Cloud Workspace desktops did, missed and will do, "
        "and how well workspace-exporter sees them."
    )
    board.tags(["workspace-exporter", "prometheus", "huawei-cloud"]).timezone("browser").readonly()
    board.time("now-24h", "now").refresh("1m").tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    board.link(
        boards.DashboardLink("Runbooks")
        .type(dashboard.DashboardLinkType.LINK)
        .icon("doc")
        .tooltip(
            "What each alert means and what to do; set the variable Runbooks to where they are published"
        )
        .url(RUNBOOKS)
        .target_blank(True)
    )
    board.annotation(_alerts())
    for variable in (_datasource(), *_queries(), _runbooks()):
        board.with_variable(variable)
    board.with_row(boards.Row("Overview").datasource(DATASOURCE))
    for panel in overview():
        board.with_panel(panel)
    board.with_row(_closed("Project: $project", of_a_project()).repeat("project"))
    board.with_row(_closed("Tasks: $task", of_tasks()))
    return board.with_row(_closed("Exporter", health()))


def _closed(title: str, panels: list[Panel]) -> boards.Row:
    """Return a row that asks nothing of Prometheus until it is opened."""
    row = boards.Row(title).datasource(DATASOURCE)
    for panel in panels:
        row.with_panel(panel)
    return row


def _alerts() -> boards.AnnotationQuery:
    annotation = boards.AnnotationQuery().name("Firing alerts").datasource(DATASOURCE).enable(True)
    labels = f"alertname, severity, instance, {promql.TASK}"
    return annotation.icon_color("red").expr(f"max by ({labels}) ({promql.all_alerts()})")


def _datasource() -> boards.DatasourceVariable:
    variable = boards.DatasourceVariable("datasource").label("Data source").type("prometheus")
    return variable.description("The Prometheus that scrapes the exporter and evaluates its rules.")


def _queries() -> list[boards.QueryVariable]:
    scraped = 'job=~"$job", instance=~"$instance"'
    job = _query("job", "label_values(workspace_exporter_build_info, job)", "The exporter's scrape job.")
    # Never all: `up` exists for the targets of every job.
    job.include_all(False).current(_JOB)
    return [
        job,
        _query(
            "instance",
            'label_values(workspace_exporter_build_info{job=~"$job"}, instance)',
            "Replicas and shards of the exporter. Two replicas show each task once.",
        ),
        _query(
            "project",
            f"label_values(workspace_exporter_poll_interval_seconds{{{scraped}}}, project)",
            "Projects of the configuration, also those that cannot be read.",
        ),
        _query(
            "task",
            f'label_values(workspace_task_info{{{scraped}, project=~"$project"}}, task_name)',
            "Tasks by name; tasks of one name are shown together.",
        ),
    ]


def _query(name: str, query: str, description: str) -> boards.QueryVariable:
    variable = boards.QueryVariable(name).label(name.capitalize()).description(description)
    variable.datasource(DATASOURCE).query({"query": query, "refId": f"variable-{name}"})
    variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    return variable.multi(True).include_all(True).all_value(".+").current(_ALL)


def _runbooks() -> boards.TextBoxVariable:
    here = dashboard.VariableOption(selected=True, text=_RUNBOOKS, value=_RUNBOOKS)
    variable = boards.TextBoxVariable("runbooks").label("Runbooks").default_value(_RUNBOOKS).current(here)
    return variable.description("Where docs/runbooks.md is published; every copy of the project has its own.")


def _number(panels: list[dict[str, Any]]) -> None:
    """Give every panel and row an id, in the order of the dashboard."""
    everything = [found for panel in panels for found in (panel, *panel.get("panels", ()))]
    for place, panel in enumerate(everything, start=1):
        panel["id"] = place
