"""A secret that cannot be printed by accident: its value, or its file; and who may read that file."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secret:
    """Exactly one of `value` and `file` is set. `repr` and `str` show neither the value nor its length."""

    value: str | None = field(default=None, repr=False)
    file: Path | None = None

    def __str__(self) -> str:
        return "<secret>"


def may_be_read_by_others(mode: int, owner: int, user: int) -> bool:
    """Whether a secret file of this mode, which belongs to `owner`, is open wider than `user` needs.

    A file of somebody else's is read by its group: that is how Kubernetes hands a secret (`root`, the pod's
    group, 0440) to a process that is not root.
    """
    needed = 0 if owner == user else stat.S_IRGRP
    return bool(mode & (stat.S_IRGRP | stat.S_IROTH) & ~needed)
