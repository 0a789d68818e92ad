"""An explanation on a screen of 80 columns, what matters at night first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text

from exporter.cli.screen import RUN_STYLES, Screen, card, pairs, text, verdict_text
from exporter.explanation import Alert, Explanation, Metric
from exporter.state import TaskState
from exporter.views import ResultView, TaskView
from exporter.web.pagetext import relative

_SEVERITY_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


@dataclass(frozen=True, slots=True)
class Explained:
    """A task at `now` (epoch seconds), and why it is so; `clock` writes a moment in its zone."""

    state: TaskState
    view: TaskView
    why: Explanation
    now: float
    clock: Callable[[float], str]


def show_explanation(screen: Screen, found: Explained) -> None:
    """Print the task, the alerts that fire, the desktops of its last run, the quiet alerts, the metrics."""
    _show_task(screen, found)
    for alert in found.why.alerts:
        if alert.state == "firing":
            _show_firing(screen, alert)
    _show_desktops(screen, found)
    _show_others(screen, found, "unknown", "Alerts of which one look cannot tell whether they fire")
    _show_others(screen, found, "quiet", "Alerts that do not fire, and why")
    screen.heading(text("Metrics, and where they come from", "bold"))
    for metric in found.why.metrics:
        _show_metric(screen, metric)


def _show_task(screen: Screen, found: Explained) -> None:
    view = found.view
    enabled = {True: "enabled", False: "switched off", None: "enabled: not known"}[view.enabled]
    kind = " ".join(part for part in (view.task_type, view.scheduled_type, view.time_zone) if part)
    lines = [text(f"{view.project}/{view.id}"), text(f"{kind or 'nothing known of its kind'}; {enabled}")]
    for name, moment in (("next run", view.next_run), ("read", view.last_poll)):
        if moment is not None:
            lines.append(text(f"{name} {found.clock(moment)}, {relative(moment, found.now)}"))
    lead = Text.assemble(verdict_text(view.verdict), "  ", text(view.name, "bold"))
    screen.show(card(lead, lines), prose=True)


def _show_firing(screen: Screen, alert: Alert) -> None:
    style = _SEVERITY_STYLES[alert.severity]
    screen.heading(Text.assemble(text(f"FIRING  {alert.name}", style), text(f"  {alert.severity}")))
    rows = [
        ("what", text(alert.what, "bold")),
        *(("sample", text(sample)) for sample in alert.samples),
        ("rule", text(alert.rule)),
        ("source", text(alert.source)),
        ("ends", text(alert.ends)),
        ("runbook", text(alert.runbook)),
    ]
    screen.show(pairs(rows, indent=2), prose=True)


def _show_desktops(screen: Screen, found: Explained) -> None:
    results = found.view.last_run.results if found.view.last_run else ()
    if not results:
        return
    screen.heading(text("Desktops of the last run that did not succeed", "bold"))
    for result in results:
        lead = text(f"  {result.desktops} {result.outcome}  {result.code}", RUN_STYLES[result.outcome])
        lines = [text(line) for line in (result.reason, _examples(result)) if line]
        screen.show(card(lead, lines, indent=4), prose=True)
    command = f"workspace-exporter runs --config.file FILE --details {found.view.project}/{found.view.id}"
    screen.show(card(text("  Each of them:"), [text(command)], indent=4), prose=True)


def _examples(result: ResultView) -> str:
    more = ", …" if result.desktops > len(result.examples) else ""
    return ", ".join(result.examples) + more if result.examples else ""


def _show_others(screen: Screen, found: Explained, state: str, title: str) -> None:
    alerts = [alert for alert in found.why.alerts if alert.state == state]
    if alerts:
        screen.heading(text(title, "bold"))
    for alert in alerts:
        screen.show(card(text(f"  {alert.name}"), [text(alert.what, "dim")], indent=4), prose=True)


def _show_metric(screen: Screen, metric: Metric) -> None:
    values = [text(f"{labels} {value}".strip()) for labels, value in metric.samples]
    lead = text(f"  {metric.name}")
    if len(values) == 1 and lead.cell_len + 1 + values[0].cell_len <= screen.prose_width:
        lead, values = Text.assemble(lead, " ", values[0]), []
    screen.show(card(lead, [*values, text(metric.why, "dim")], indent=4), prose=True)
