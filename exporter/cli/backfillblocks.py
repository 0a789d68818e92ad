"""Days of OpenMetrics -> blocks, by Prometheus' own tool, one day at a time.

promtool reads its whole input once for every two hours that it holds: a day twelve times, whatever the number
of days, where one long file would be read twelve times for each of its days.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from exporter.cli.backfillfiles import Folder
from exporter.errors import ExporterError


def make_blocks(folder: Folder, promtool: Path, moment: int) -> None:
    """Make blocks of the day in which `moment` lies, unless there are some; they appear when all are whole.

    An unfinished day gets none.

    Raises ExporterError with promtool's last words where it fails.
    """
    day = folder.day(moment)
    if day is None or day.blocks or day.without:
        return
    made, file = folder.work / "blocks", folder.file(moment)
    made.mkdir()
    folder.blocks.mkdir(exist_ok=True)
    arguments = ("tsdb", "create-blocks-from", "openmetrics", "--quiet", file, made)
    done = subprocess.run((promtool, *arguments), capture_output=True, check=False)  # noqa: S603 - the user names it
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").split("\n")
        raise ExporterError(f"{promtool} failed on {file}: {' '.join(filter(None, said))[-300:]}")
    for block in made.iterdir():
        block.replace(folder.blocks / block.name)
        day.blocks.append(block.name)
    made.rmdir()
    folder.save()
