"""What a process takes."""

from __future__ import annotations

import re
from pathlib import Path


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB. Raises OSError or RuntimeError where it has none."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"))
    if found is None:
        raise RuntimeError("no VmRSS")
    return int(found[1]) / 1024
