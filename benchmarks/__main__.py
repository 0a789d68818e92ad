"""`make bench`: prints one table and writes benchmarks/latest.json."""

from __future__ import annotations

import argparse
import json
import platform
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import exposition, hostile_clients, whole

_LATEST = Path(__file__).parent / "latest.json"


def main() -> None:
    """Measure at several sizes."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--tasks", type=int, nargs="+", default=[100, 1000], help="sizes (10000 takes minutes)"
    )
    parser.add_argument("--skip-hostile", action="store_true", help="leave out the hostile clients")
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    for tasks in arguments.tasks:
        figures = {f"exposition: {name}": value for name, value in exposition.measure(tasks).items()}
        figures |= {f"whole: {name}": value for name, value in whole.measure(tasks).items()}
        figures |= _ratios(figures)
        results[f"{tasks} tasks"] = figures
    hostile = {} if arguments.skip_hostile else hostile_clients.measure()
    about = {
        "date": datetime.now(UTC).isoformat(),
        "python": platform.python_version(),
        "machine": _machine(),
    }
    latest = {"about": about, "results": results, "hostile clients": hostile}
    _LATEST.write_text(json.dumps(latest, indent=2) + "\n", encoding="utf-8")
    title = f"{about['machine']}, Python {about['python']}, {about['date'][:10]}"
    _show(title, results)
    if hostile:
        _show("A normal scrape beside 500 hostile clients", hostile)


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    """How much less than the client library's rendering a scrape costs, over loopback and in the server."""
    library = {
        "gzip": figures["exposition: generate_latest and gzip.compress (s)"],
        "identity": figures["exposition: generate_latest (s)"],
    }
    compared = (
        ("gzip", "idle, gzip, p50"),
        ("gzip", "idle, gzip, CPU"),
        ("gzip", "during a refresh, gzip, p50"),
        ("identity", "idle, identity, p50"),
        ("identity", "idle, identity, CPU"),
    )
    return {
        f"scrape, {what}: times less": library[encoding] / figures[f"whole: scrape, {what} (s)"]
        for encoding, what in compared
    }


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.machine()


def _show(title: str, results: dict[str, dict[str, float]]) -> None:
    table = Table(title=title)
    table.add_column("what")
    for column in results:
        table.add_column(column, justify="right")
    names = dict.fromkeys(name for figures in results.values() for name in figures)
    for name in names:
        table.add_row(name, *(_text(figures.get(name)) for figures in results.values()))
    Console().print(table)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"


if __name__ == "__main__":
    main()
