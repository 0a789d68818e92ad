"""The dashboard's file: as the code makes it, and by the rules of Grafana's dashboard-linter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml

from exporter.catalog import EXPORTER_METRICS, TASK_METRICS, ExporterMetric, TaskMetric
from tools.dashboard import promql
from tools.dashboard.__main__ import COPY, EXAMPLE, ROOT
from tools.dashboard.board import dashboard_json

Tree = dict[str, Any]
METRICS: tuple[TaskMetric | ExporterMetric, ...] = (*TASK_METRICS, *EXPORTER_METRICS)
BOARD: Tree = json.loads(EXAMPLE.read_text("utf-8"))
RULES = (ROOT / "examples" / "prometheus" / "rules.yml").read_text("utf-8")
VARIABLES: dict[str, Tree] = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
COUNTERS = {metric.name for metric in METRICS if metric.type == "counter"} | {
    "process_cpu_seconds_total",
    *(f"workspace_exporter_api_request_duration_seconds_{part}" for part in ("bucket", "sum", "count")),
}
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^{}]*)\}")
_RATE = re.compile(r"\b(?:rate|irate|increase|delta|deriv)\(")
_ADDED_UNMERGED = re.compile(
    r"\b(?:sum|count)\s*(?:by \([^)]*\))?\s*\((?:(?:rate|increase)\()?workspace_task_"
)
UNITS = {"short", "none", "s", "percentunit", "bytes", "reqps", "dateTimeAsIso", "dateTimeFromNow"}
"""Of Grafana's names of units, those that the dashboard uses."""


def panels(*, rows: bool = False) -> Iterator[Tree]:
    """Yield every panel, also those inside closed rows, and with `rows` the rows themselves."""
    for panel in BOARD["panels"]:
        if rows or panel["type"] != "row":
            yield panel
        yield from panel.get("panels") or ()


def queries() -> list[tuple[str, str]]:
    """Return (panel's title, expression) of every query, and of the annotation."""
    found = [
        (f"{panel['id']} {panel['title']}", target["expr"])
        for panel in panels()
        for target in panel["targets"]
    ]
    return [*found, *((each["name"], each["expr"]) for each in BOARD["annotations"]["list"])]


def selectors(expression: str) -> list[tuple[str, str]]:
    """Return (metric, matchers) of every selector of an expression."""
    return [(match[1], match[2]) for match in _SELECTOR.finditer(expression)]


every_panel = pytest.mark.parametrize(
    "panel", list(panels()), ids=lambda panel: f"{panel['id']} {panel['title']}"
)
every_query = pytest.mark.parametrize("expression", [pytest.param(text, id=name) for name, text in queries()])


@pytest.mark.parametrize("path", [EXAMPLE, COPY], ids=["example", "chart"])
def test_the_file_is_what_the_code_makes(path: Any) -> None:
    """Nobody edits the files by hand: `make docs` writes both."""
    assert path.read_text("utf-8") == dashboard_json()


def test_nothing_of_one_grafana_is_in_it() -> None:
    """It may be imported anywhere: no database id, one uid of its own, no data source but the variable."""
    assert "id" not in BOARD
    assert BOARD["uid"] == "workspace-exporter"
    uids = re.findall(r'"uid": "([^"]*)"', EXAMPLE.read_text("utf-8"))
    assert set(uids) == {"workspace-exporter", "${datasource}"}
    assert uids.count("workspace-exporter") == 1


def test_defaults() -> None:
    """A day up to now, read anew each minute, not editable in place, in the reader's own time zone."""
    assert BOARD["time"] == {"from": "now-24h", "to": "now"}
    assert BOARD["refresh"] == "1m"
    assert BOARD["editable"] is False
    assert BOARD["timezone"] == "browser"


def test_variables() -> None:
    """Data source, job, instance, project and task, each depending only on those before it."""
    assert list(VARIABLES) == ["datasource", "job", "instance", "project", "task", "runbooks"]
    seen: set[str] = set()
    for name, variable in VARIABLES.items():
        assert set(re.findall(r"\$\{?(\w+)", json.dumps(variable["query"]))) <= seen
        seen.add(name)


def test_the_data_source_can_be_chosen() -> None:
    """As the linter's template-datasource-rule wants it."""
    variable = VARIABLES["datasource"]
    assert (variable["type"], variable["query"], variable["label"]) == (
        "datasource",
        "prometheus",
        "Data source",
    )


@pytest.mark.parametrize("name", ["job", "instance", "project", "task"])
def test_a_query_variable(name: str) -> None:
    """As template-job-rule, template-instance-rule and template-on-time-change-reload-rule want it."""
    variable = VARIABLES[name]
    assert variable["type"] == "query"
    assert variable["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert variable["label"] == name.capitalize()
    assert variable["multi"] is True
    assert variable["allValue"] == ".+"
    assert variable["refresh"] == 2
    assert re.fullmatch(r"label_values\(\w+(\{.*\})?, \w+\)", variable["query"]["query"])


def test_the_job_is_the_one_that_the_alerts_know() -> None:
    """Not all jobs at once, since `up` exists for the targets of every job."""
    assert VARIABLES["job"]["current"]["value"] == "workspace-exporter"
    assert VARIABLES["job"]["includeAll"] is False
    assert 'up{job="workspace-exporter"}' in RULES


@every_panel
def test_a_panel_explains_itself(panel: Tree) -> None:
    """Title, description, a unit that Grafana knows, the chosen data source, and something to show."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    for found in (panel, *panel["targets"]):
        assert found["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]


def test_a_flag_is_no_amount() -> None:
    """What is 0 or 1 has a scale and a unit of its own, so that nobody reads "1 s" or one record more."""
    flags = re.compile(r"_(poll_success|history_truncated|enabled|found|auth_success)\{")
    seen = 0
    for panel in (panel for panel in panels() if panel["type"] == "timeseries"):
        shaded = {
            override["matcher"]["options"]: {each["id"]: each["value"] for each in override["properties"]}
            for override in panel["fieldConfig"]["overrides"]
        }
        truths = {target["refId"] for target in panel["targets"] if flags.search(target["expr"])}
        assert set(shaded) == truths
        for drawn in shaded.values():
            assert drawn["unit"] == "bool_yes_no"
            assert (drawn["min"], drawn["max"]) == (0, 1)
        seen += len(truths)
    assert seen == 3


def test_ids_and_places_are_unique() -> None:
    """No panel lies on another one, none is wider than the grid, no two have the same id."""
    everything = list(panels(rows=True))
    ids = [panel["id"] for panel in everything]
    assert len(set(ids)) == len(ids)
    for place in (panel["gridPos"] for panel in everything):
        assert place["x"] + place["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in everything], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_panels_of_a_row_have_titles_of_their_own() -> None:
    """A title says which panel is meant."""
    for row in BOARD["panels"]:
        titles = [panel["title"] for panel in row.get("panels") or ()]
        assert len(set(titles)) == len(titles)


@every_query
def test_every_selector_uses_the_variables(expression: str) -> None:
    """As target-job-rule and target-instance-rule want it.

    Series of recording rules and alerts have lost the scrape's labels; they have the project's instead.
    """
    found = selectors(expression)
    assert found
    for metric, matchers in found:
        if metric == "ALERTS" or ":" in metric:
            assert re.search(r'project=~"\$project\|?"', matchers)
            continue
        assert 'job=~"$job", instance=~"$instance"' in matchers
        if metric.startswith("workspace_task_"):
            assert 'project=~"$project", task_name=~"$task"' in matchers


@every_query
def test_every_name_exists(expression: str) -> None:
    """A metric of the catalogue, a recording rule of the rules file, or one that every exporter has."""
    known = {metric.name for metric in METRICS} | COUNTERS
    known |= {
        rule["record"]
        for group in yaml.safe_load(RULES)["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    known |= {"up", "process_resident_memory_bytes", "ALERTS"}
    names = {name for name, _ in selectors(expression)}
    assert names <= known
    bare = re.sub(r"\{[^{}]*\}", "{}", expression)
    assert not {word for word in re.findall(r"\b[\w:]+\b(?!\{)", bare) if word in known}


def test_every_metric_is_shown() -> None:
    """Nothing of the catalogue is left out of the dashboard."""
    shown = {re.sub("_(bucket|sum|count)$", "", name) for _, text in queries() for name, _ in selectors(text)}
    assert {metric.name for metric in METRICS} - shown == set()


@every_query
def test_counters_are_rated_over_the_rate_interval(expression: str) -> None:
    """As target-counter-agg-rule and target-rate-interval-rule want it: counters only as rate or increase."""
    for match in _SELECTOR.finditer(expression):
        before, after = expression[: match.start()], expression[match.end() :]
        rated = bool(re.search(r"\b(rate|increase)\($", before))
        assert rated == (match[1] in COUNTERS)
        assert not rated or after.startswith("[$__rate_interval])")
    assert len(_RATE.findall(expression)) == expression.count("[$__rate_interval])")


@every_query
def test_two_replicas_count_once(expression: str) -> None:
    """What is said of tasks is aggregated before it is added up or compared: never a bare selector."""
    for match in _SELECTOR.finditer(expression):
        assert expression[: match.start()].count("(") > expression[: match.start()].count(")")
    assert not _ADDED_UNMERGED.search(expression)


def test_links_lead_to_the_runbooks() -> None:
    """Each alert of a task has its section in the mapping, and every anchor exists."""
    text = EXAMPLE.read_text("utf-8")
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbooks.md").read_text("utf-8"), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\$\{runbooks\}#([a-z]+)", text))
    assert linked
    assert linked <= anchors
    (alerts,) = (panel for panel in panels() if panel["title"] == "Firing alerts")
    (column,) = (
        each for each in alerts["fieldConfig"]["overrides"] if each["matcher"]["options"] == "runbook"
    )
    (mapping,) = (each["value"] for each in column["properties"] if each["id"] == "mappings")
    texts = {name: option["text"] for name, option in mapping[0]["options"].items()}
    assert set(texts) == set(re.findall(r"alert: (WorkspaceTask\w+)", RULES))
    assert set(texts.values()) <= anchors
    assert "${runbooks}#${__value.text}" in text


def test_alerts_are_annotations() -> None:
    """Every firing alert of the project stands on every graph."""
    (annotation,) = BOARD["annotations"]["list"]
    assert 'ALERTS{alertname=~"Workspace.*", alertstate="firing"' in annotation["expr"]
    assert annotation["enable"] is True
    assert annotation["datasource"]["uid"] == "${datasource}"


def test_tables_name_fields_that_their_queries_give() -> None:
    """A column is a label that the query keeps, or the value of one of the queries."""
    for panel in (panel for panel in panels() if panel["type"] == "table"):
        references = [target["refId"] for target in panel["targets"]]
        values = {"Value"} if len(references) == 1 else {f"Value #{reference}" for reference in references}
        labels = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", str(panel["targets"]))))) | {
            "runbook"
        }
        names = panel["transformations"][1]["options"]["include"]["names"]
        assert set(names) <= values | labels
        assert [each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]] == names
        titles = [p["value"] for each in panel["fieldConfig"]["overrides"] for p in each["properties"][:1]]
        assert panel["options"]["sortBy"][0]["displayName"] in titles


def test_the_states_are_all_in_words() -> None:
    """Each number of the state query has a word and a colour."""
    for kind in ("state-timeline", "status-history"):
        (panel,) = (panel for panel in panels() if panel["type"] == kind)
        options = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
        assert {number: option["text"] for number, option in options.items()} == {
            str(number): state for number, state in enumerate(promql.STATES, start=1)
        }
        assert len({option["color"] for option in options.values()}) == len(promql.STATES)


@pytest.mark.parametrize("select", [promql.of_task, promql.of_project, promql.of_instance])
def test_an_unknown_metric_is_refused(select: Any) -> None:
    """A name that the catalogue lacks ends the writing of the dashboard, so that no panel stays empty."""
    with pytest.raises(KeyError, match="invented"):
        select("invented")
