"""The few kinds of panel that the dashboard uses, each with a title, a description and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common as commons
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel = Builder[dashboard.Panel]
DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "${runbooks}"
HERE = (
    "/d/${__dashboard.uid}?${__url_time_range}"
    "&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
)
OF_ROW = (
    f"{HERE}&var-project=${{__data.fields.project:percentencode}}"
    "&var-task=${__data.fields.task_name:percentencode}"
)
"""The dashboard narrowed to the task of a table's row."""
OF_SERIES = (
    f"{HERE}&var-project=${{__field.labels.project:percentencode}}"
    "&var-task=${__field.labels.task_name:percentencode}"
)
"""The dashboard narrowed to the task of a series."""
GOOD, BAD, WARNING, NEUTRAL, IDLE = "green", "red", "orange", "blue", "text"
AS_TIME, AS_DISTANCE = "dateTimeAsIso", "dateTimeFromNow"
"""Grafana's units for milliseconds since the epoch."""
_SHADE: Mapping[str, object] = {
    "unit": "bool_yes_no",
    "min": 0,
    "max": 1,
    "color": {"mode": "fixed", "fixedColor": BAD},
    "custom.axisPlacement": "hidden",
    "custom.lineWidth": 0,
    "custom.fillOpacity": 20,
    "custom.lineInterpolation": "stepAfter",
}
"""How a flag is drawn. Its unit, being another one, gives it a scale of its own."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What every panel has: title, description, unit (by Grafana's name of it), and size in grid units."""

    title: str
    description: str
    unit: str
    width: int
    height: int = 8
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and what its series are called.

    A `flag` is 1 while something is the case and 0 otherwise; beside it, lines of another unit are drawn.
    """

    expr: str
    legend: str = ""
    flag: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """How a table shows a field.

    `name` is a label, or the value: `Value` of a single query, otherwise `Value #A` of the first, and so on.
    """

    name: str
    title: str
    unit: str = ""
    link: str = ""
    mappings: Sequence[dashboard.ValueMapping] = ()


TASK_COLUMNS = (Column("project", "Project"), Column("task_name", "Task", link=OF_ROW))
"""What every table of tasks begins with."""


class _AnyPanel(Protocol):
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def datasource(self, datasource: dashboard.DataSourceRef) -> Self: ...
    def links(self, links: list[Builder[dashboard.DashboardLink]]) -> Self: ...
    def targets(self, targets: list[Builder[Dataquery]]) -> Self: ...


P = TypeVar("P", bound=_AnyPanel)


def number(frame: Frame, *queries: Query, color: str = BAD, names: bool = False) -> Panel:
    """Return a panel that shows the present value: 0 in green, 1 and more in `color`."""
    panel = _framed(stat.Panel(), frame, queries, instant=True)
    panel.reduce_options(commons.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.BACKGROUND)
    panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME if names else common.BigValueTextMode.VALUE)
    return panel.thresholds(_steps((None, GOOD), (1, color)))


def ratio(frame: Frame, *queries: Query) -> Panel:
    """Return a panel that shows parts of one: from 99 % on green, below 95 % red."""
    panel = _framed(stat.Panel(), frame, queries, instant=True)
    panel.reduce_options(commons.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.graph_mode(common.BigValueGraphMode.NONE).text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    return panel.decimals(1).thresholds(_steps((None, BAD), (0.95, WARNING), (0.99, GOOD)))


def truth(frame: Frame, *queries: Query, yes: str, no: str) -> Panel:
    """Return a panel that shows 1 and 0 as words, in green and red."""
    panel = _framed(stat.Panel(), frame, queries, instant=True)
    panel.reduce_options(commons.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.graph_mode(common.BigValueGraphMode.NONE).text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    return panel.mappings([words({"1": (yes, GOOD), "0": (no, BAD)})])


def lines(frame: Frame, *queries: Query, least: float | None = 0, bars: bool = False) -> Panel:
    """Return a panel of values over time; `bars` stack, and suit amounts rather than levels.

    A flag is no line: while it is 1, the whole height is shaded.
    """
    panel = _framed(timeseries.Panel(), frame, queries)
    panel.legend(
        commons.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    ).tooltip(
        commons.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    if least is not None:
        panel.min(least)
    for place, query in enumerate(queries):
        if query.flag:
            panel.override_by_query(_ref_id(place), _values(_SHADE))
    if bars:
        panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
        panel.stacking(commons.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    return panel.color_scheme(boards.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))


def timeline(frame: Frame, *queries: Query, mappings: dashboard.ValueMapping) -> Panel:
    """Return a panel with a bar for each series that changes colour with the series' value."""
    panel = _framed(statetimeline.Panel(), frame, queries)
    panel.show_value(common.VisibilityMode.NEVER).merge_values(True).row_height(0.85)
    panel.data_links([boards.DashboardLink("Show only this task").url(OF_SERIES)])
    return panel.mappings([mappings])


def history(frame: Frame, *queries: Query, mappings: dashboard.ValueMapping) -> Panel:
    """Return a panel with a box for each series and step, coloured by the value."""
    panel = _framed(statushistory.Panel(), frame, queries)
    # At most so many boxes in a row; more are too narrow to be seen.
    panel.show_value(common.VisibilityMode.NEVER).row_height(0.9).max_data_points(96)
    return panel.mappings([mappings])


def rows(
    frame: Frame, *queries: Query, columns: Sequence[Column], sort: str, descending: bool = False
) -> Panel:
    """Return a table of the present samples, one row for each set of labels, columns in the given order.

    A field that `columns` does not name is left out.
    """
    panel = _framed(table.Panel(), frame, queries, instant=True)
    fields = [column.name for column in columns]
    only = {"include": {"names": fields}}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="filterFieldsByName", options=only))
    order = {"indexByName": {name: place for place, name in enumerate(fields)}}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=order))
    for column in columns:
        panel.override_by_name(column.name, _properties(column))
    title = next(column.title for column in columns if column.name == sort)
    return panel.sort_by([commons.TableSortByFieldState().display_name(title).desc(descending)])


def words(texts: dict[str, tuple[str, str]]) -> dashboard.ValueMapping:
    """Return a mapping of values to (text, colour)."""
    return dashboard.ValueMap(
        options={
            value: dashboard.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(texts.items())
        }
    )


def runbook(alert: str) -> str:
    """Return the address of an alert's section in docs/runbooks.md."""
    return f"{RUNBOOKS}#{alert.lower()}"


def _framed(panel: P, frame: Frame, queries: Sequence[Query], *, instant: bool = False) -> P:
    panel.title(frame.title).description(frame.description).unit(frame.unit).datasource(DATASOURCE)
    if frame.runbook:
        link = (
            boards.DashboardLink(f"Runbook: {frame.runbook}").url(runbook(frame.runbook)).target_blank(True)
        )
        panel.links([link])
    as_table = isinstance(panel, table.Panel)
    targets: list[Builder[Dataquery]] = [
        _target(query, _ref_id(place), instant=instant, as_table=as_table)
        for place, query in enumerate(queries)
    ]
    return panel.span(frame.width).height(frame.height).targets(targets)


def _target(query: Query, ref_id: str, *, instant: bool, as_table: bool) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).datasource(DATASOURCE)
    target.legend_format(query.legend)
    target.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
    return target.instant() if instant else target.range()


def _ref_id(place: int) -> str:
    return chr(ord("A") + place)


def _steps(*steps: tuple[float | None, str]) -> boards.ThresholdsConfig:
    thresholds = [dashboard.Threshold(value=value, color=color) for value, color in steps]
    return boards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(thresholds)


def _properties(column: Column) -> list[dashboard.DynamicConfigValue]:
    found: dict[str, object] = {"displayName": column.title}
    if column.unit:
        found["unit"] = column.unit
    if column.link:
        found["links"] = [{"title": column.title, "url": column.link}]
    if column.mappings:
        found["mappings"] = list(column.mappings)
        found["custom.cellOptions"] = {"type": "color-text"}
    return _values(found)


def _values(properties: Mapping[str, object]) -> list[dashboard.DynamicConfigValue]:
    return [dashboard.DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()]
