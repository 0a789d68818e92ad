"""exporter.cli.backfillfiles: days, and a folder in which no half file is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli.backfillfiles import Folder, days_of, folder
from exporter.errors import ExporterError

DAY = 86_400


def test_midnights_cut_the_time() -> None:
    """Each stretch lies within one UTC day, and nothing lies between two of them."""
    assert list(days_of(DAY - 1, 2 * DAY + 1)) == [(DAY - 1, DAY), (DAY, 2 * DAY), (2 * DAY, 2 * DAY + 1)]
    assert list(days_of(DAY, DAY)) == []


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    """What was under way goes with the folder inside; the error names what the system said."""

    def lines() -> Iterator[list[bytes]]:
        raise OSError(28, "No space left on device")
        yield []

    def write() -> None:
        with folder(tmp_path) as held:
            held.write(0, DAY, lines())

    with pytest.raises(ExporterError, match="No space left on device"):
        write()
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_is_no_error_of_the_folder(tmp_path: Path) -> None:
    """It is the command line's own matter."""
    with pytest.raises(BrokenPipeError), folder(tmp_path):
        raise BrokenPipeError


def test_a_broken_note_means_that_nothing_is_complete(tmp_path: Path) -> None:
    """A file that nothing vouches for is written again."""
    (tmp_path / "backfill.json").write_text("{", "utf-8")
    held = Folder(tmp_path, tmp_path)
    held.begin("as now", 5)
    assert (held.manifest.settings, held.manifest.counted_from, held.holds(5, 6)) == ("as now", 5, False)
