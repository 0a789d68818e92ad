"""The status page: an Overview and a Query -> HTML. Templates escape every value (autoescape)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter.views import Verdict
from exporter.web import pagetext
from exporter.web.pagequery import TROUBLE, select

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.views import Overview
    from exporter.web.assets import Asset
    from exporter.web.pagequery import Query, Selection


class Look(NamedTuple):
    """How a verdict or a run's status is drawn: a tone (page.css) and an icon (icons.svg)."""

    tone: str
    icon: str


VERDICT_LOOKS: dict[Verdict, Look] = {
    Verdict.FAILED: Look("bad", "cross"),
    Verdict.MISSED: Look("bad", "clock"),
    Verdict.PARTIAL: Look("warn", "half"),
    Verdict.STUCK: Look("warn", "hourglass"),
    Verdict.NOT_FOUND: Look("warn", "question"),
    Verdict.STALE: Look("warn", "alert"),
    Verdict.NO_SUCCESS: Look("warn", "alert"),
    Verdict.SKIPPED: Look("warn", "skip"),
    Verdict.UNKNOWN: Look("odd", "question"),
    Verdict.RUNNING: Look("info", "play"),
    Verdict.PENDING: Look("idle", "dots"),
    Verdict.NEVER_RAN: Look("idle", "dots"),
    Verdict.DISABLED: Look("idle", "pause"),
    Verdict.OK: Look("good", "check"),
}
RUN_LOOKS: dict[str, Look] = {
    "success": Look("good", "check"),
    "partial": Look("warn", "half"),
    "failed": Look("bad", "cross"),
    "skipped": Look("idle", "skip"),
    "unknown": Look("odd", "question"),
    "running": Look("info", "play"),
}
STRIP = 10
"""Cells of a task's strip of runs."""
_PIECE = 500
"""Parts of the template in one piece: a few milliseconds of work, so that a scrape can go between two."""


class StatusPage:
    """The compiled page. `assets` are the files it links, `telemetry_path` where the metrics are."""

    def __init__(self, assets: Mapping[str, Asset], telemetry_path: str) -> None:
        environment = Environment(
            loader=PackageLoader("exporter.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            duration=pagetext.duration,
            counts=pagetext.counts,
            cut=pagetext.cut,
            machine_time=pagetext.machine_time,
        )
        environment.globals.update(
            Verdict=Verdict,
            TROUBLE=TROUBLE,
            STRIP=STRIP,
            verdict_look=VERDICT_LOOKS.__getitem__,
            run_look=lambda status: RUN_LOOKS.get(status, RUN_LOOKS["unknown"]),
            asset={name: asset.url for name, asset in assets.items()},
            telemetry_url=f".{telemetry_path}",
        )
        self._template = environment.get_template("page.html")

    def render(self, overview: Overview, query: Query) -> Iterator[bytes]:
        """Yield the page as UTF-8 piece by piece; a lone surrogate in upstream's text is a question mark."""
        selection = select(overview.tasks, query)
        html = self._template.stream(
            overview=overview,
            query=query,
            selection=selection,
            window=_window(selection),
            troubled=sum(task.verdict.trouble for task in overview.tasks),
            clock=partial(pagetext.clock, now=overview.generated_at),
            relative=partial(pagetext.relative, now=overview.generated_at),
        )
        html.enable_buffering(_PIECE)
        yield from (piece.encode("utf-8", "replace") for piece in html)


def _window(selection: Selection) -> list[int | None]:
    """Return the page numbers to link: the ends and the neighbours; None stands for a gap."""
    near = range(selection.page - 2, selection.page + 3)
    numbers = sorted({1, selection.pages, *near} & set(range(1, selection.pages + 1)))
    window: list[int | None] = []
    for number in numbers:
        if window and number - (window[-1] or 0) > 1:
            window.append(None)
        window.append(number)
    return window
