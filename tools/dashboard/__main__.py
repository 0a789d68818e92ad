"""Writes the dashboard where people look for it, and where the chart can read it. `make docs` calls it."""

from __future__ import annotations

from pathlib import Path

from tools.dashboard.board import dashboard_json

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "grafana" / "dashboard.json"
COPY = ROOT / "helm" / "workspace-exporter" / "files" / "dashboard.json"
"""Helm reads no file outside the chart."""


def main() -> None:
    """Write both files."""
    text = dashboard_json()
    for path in (EXAMPLE, COPY):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
