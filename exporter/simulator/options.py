"""How the simulated service answers where the documents leave it open, and whom it lets in.

What the documents do not say (order, retention, time formats, the status of a missing task, …) is an option
here, since an exporter must get along with each of them (api_facts.md, sections 1 to 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_SECONDS = 86_400.0
ORDERS = ("newest", "oldest", "unordered")
TIMES = ("observed", "naive", "suffix", "rfc3339")
ABSENCES = ("empty", "null", "missing")
METADATA = ("token", "plain", "off")
MISSING_STATUSES = (404, 400)
_CHOICES: Mapping[str, tuple[object, ...]] = {
    "order": ORDERS,
    "times": TIMES,
    "absent": ABSENCES,
    "metadata": METADATA,
    "missing_status": MISSING_STATUSES,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the simulated account accepts. These are public values for a service that guards nothing."""

    domain_name: str = "demo-domain"
    user_name: str = "demo-user"
    password: str = field(default="demo-password", repr=False)
    access_key: str = "DEMOACCESSKEY0000001"
    secret_key: str = field(default="demo-secret-key-of-the-simulator-0000001", repr=False)
    token: str = field(default="demo-token", repr=False)


@dataclass(frozen=True, slots=True)
class Options:
    """The service's habits.

    `order` of the records. `times`: `naive` (`yyyy-MM-dd HH:mm:ss` in the record's zone), `suffix` (that with
    ` GMT+08:00`), `rfc3339` (`…Z` with a fraction), or as `observed` live: records and details RFC 3339, next
    run and end with a suffix. `absent`: how a value that a task has not is written. `retention` is how many
    records a task keeps, `retention_seconds` how long. `in_progress`: whether runs under way are listed.
    `clamp` cuts a larger page size silently. `missing_status` answers for a task that does not exist.
    `next_run_stays`: next_execution_time stays at a missed occurrence until a run starts. `clock_skew` is the
    service's clock less the real one, in seconds. `metadata`: which variant of the metadata service there is.
    Lifetimes are in seconds.
    """

    order: str = "newest"
    times: str = "observed"
    absent: str = "empty"
    retention: int = 1000
    retention_seconds: float | None = None
    in_progress: bool = True
    clamp: int | None = None
    missing_status: int = 404
    next_run_stays: bool = False
    clock_skew: float = 0.0
    metadata: str = "token"
    token_lifetime: float = DAY_SECONDS
    fixed_token_lifetime: float = 30 * DAY_SECONDS
    key_lifetime: float = DAY_SECONDS
    credentials: Credentials = field(default_factory=Credentials)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                known = ", ".join(map(str, choices))
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {known}")
        if self.retention < 0 or (self.clamp is not None and self.clamp < 1):
            raise ValueError("retention is at least 0, clamp at least 1")


def changed(options: Options, changes: Mapping[str, object]) -> Options:
    """Return the options with some of them changed, as a script's JSON names them.

    Raises:
        ValueError: an option is unknown, of the wrong type, or may not be changed while the service runs.

    """
    for name, value in changes.items():
        default = _DEFAULTS.get(name)
        if name not in _DEFAULTS or name == "credentials":
            raise ValueError(
                f"option {name!r} is none of {', '.join(sorted(_DEFAULTS.keys() - {'credentials'}))}"
            )
        if not _fits(value, default):
            raise ValueError(f"option {name}: {value!r} is of the wrong type")
    known_good: dict[str, Any] = dict(changes)
    return replace(options, **known_good)


def _fits(value: object, default: object) -> bool:
    """Return whether a value has the type of the default; one that is absent by default is a number."""
    if default is None:
        return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    if isinstance(default, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is type(default)


_DEFAULTS: Mapping[str, object] = {option.name: getattr(Options(), option.name) for option in fields(Options)}
