"""Bring up to date what the chart and the examples hold in common.

helm reads nothing outside the chart, so the chart has copies of the alert rules and the dashboard; and
examples/kubernetes/ is what the chart renders with its default values. Tests hold all of them equal.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHART = ROOT / "helm" / "workspace-exporter"
COPIES = {"prometheus/rules.yml": "rules.yml", "grafana/dashboard.json": "dashboard.json"}
MANIFESTS = ROOT / "examples" / "kubernetes" / "workspace-exporter.yaml"
RELEASE = ("workspace-exporter", str(CHART), "--namespace", "monitoring", "--skip-tests")


def main() -> int:
    """Copy and render; returns the exit code."""
    for source, copy in COPIES.items():
        shutil.copyfile(ROOT / "examples" / source, CHART / "files" / copy)
    helm = next((str(path) for path in [ROOT / ".cache" / "bin" / "helm"] if path.exists()), "helm")
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        [helm, "template", *RELEASE], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        return 1
    MANIFESTS.write_text(done.stdout, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
