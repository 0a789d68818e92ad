"""A secret that cannot be printed by accident: its value, or the file that holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secret:
    """Exactly one of `value` and `file` is set. `repr` and `str` show neither the value nor its length."""

    value: str | None = field(default=None, repr=False)
    file: Path | None = None

    def __str__(self) -> str:
        return "<secret>"
