"""What a command leaves behind, and what the contract says of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.endtoend.processes import EXPORTER, ROOT

_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """An exit code, and the two streams."""

    code: int
    out: str
    err: str

    def fails_with_one_line(self, code: int, *parts: str) -> None:
        """Assert this exit code, silence on stdout, and one line on stderr that holds the parts in order."""
        assert self.code == code, self
        assert self.out == "", self
        self.ends_with_one_line(*parts)

    def ends_with_one_line(self, *parts: str) -> None:
        """Assert one line on stderr that holds the parts in order, and no traceback."""
        assert self.err.endswith("\n"), self
        assert self.err.count("\n") == 1, self
        assert self.err.startswith("workspace-exporter: "), self
        rest = self.err
        for part in parts:
            assert part in rest, self
            rest = rest.partition(part)[2]


def command(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Outcome:
    """Run a command to its end in a process of its own."""
    done = subprocess.run(
        [*EXPORTER, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
