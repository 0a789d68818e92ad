"""How a task's runs turn out: a behaviour is a mixture of kinds of outcome, thrown once for each occurrence.

A behaviour is written as its kinds with their shares: `failing` (every run), `failing:0.05` (one in twenty,
the rest healthy), `failing:0.02,missed:0.01`. The API's words and result codes in use here are plausible, not
published: no document lists them (record `status`, detail `result_code`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.simulator.plan import SECONDS_A_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.dice import Dice

FAILED_REASONS: Mapping[str, str] = {
    "WKS.00010301": "The desktop did not reach the wanted state in time.",
    "WKS.00010302": "任务冲突",
    "WKS.00010303": "The desktop is being migrated.",
    "WKS.00010304": 'Agent answered "<timeout>" & gave up.',
    "ECS.0103": "Insufficient resources in the availability zone.",
}
SKIPPED_REASONS: Mapping[str, str] = {
    "WKS.00010401": "A user is connected to the desktop.",
    "WKS.00010402": "The desktop is already in the wanted state.",
}
REASONS: Mapping[str, str] = {**FAILED_REASONS, **SKIPPED_REASONS}

MAX_EARLY_SECONDS = 30
"""No run starts earlier than this before it is due."""
MAX_LATE_SECONDS = 600
"""No run starts later than this after it is due."""
STUCK_SECONDS = 8 * 3600
LONGEST_SECONDS = STUCK_SECONDS + 3600
"""No run that is not planted takes longer than this."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run turns out.

    `lateness` is its start less its due time in seconds (negative: early), `duration` its length in seconds
    (`None`: it never ends), `status` the API's word once it has finished. A count of `None` is left out of
    the answer. `codes` says why desktops failed or were skipped: (`failed` or `skipped`, result code, how
    many).
    """

    status: str = "SUCCESS"
    success: int | None = 0
    failed: int | None = 0
    skipped: int | None = 0
    lateness: int = 0
    duration: int | None = 60
    codes: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A mixture of kinds; what their shares leave of 1 is healthy."""

    shares: tuple[tuple[str, float], ...]

    def outcome(self, dice: Dice, desktops: int, due: int) -> Outcome | None:
        """Return how the run due at that instant turns out, or none where it never starts."""
        left = dice.unit()
        for kind, share in self.shares:
            if left < share:
                return _KINDS[kind](dice, desktops, due)
            left -= share
        return _healthy(dice, desktops, due)

    def __str__(self) -> str:
        """The behaviour as it is written."""
        return ",".join(kind if share == 1 else f"{kind}:{share:g}" for kind, share in self.shares)


def parse_behaviour(text: str) -> Behaviour:
    """Read a behaviour as it is written.

    Raises:
        ValueError: a kind is not known, a share is no number of (0, 1], or the shares exceed 1.

    """
    shares = []
    for part in text.split(","):
        kind, _, share = part.strip().partition(":")
        if kind not in _KINDS:
            raise ValueError(f"behaviour {kind!r} is none of {', '.join(_KINDS)}")
        try:
            number = float(share or 1)
        except ValueError:
            number = 0.0
        if not 0 < number <= 1:
            raise ValueError(f"behaviour {part.strip()!r}: the share is a number above 0, at most 1")
        shares.append((kind, number))
    if sum(share for _, share in shares) > 1:
        raise ValueError(f"behaviour {text!r}: the shares exceed 1")
    return Behaviour(tuple(shares))


def spread(outcome: str, count: int, dice: Dice) -> tuple[tuple[str, str, int], ...]:
    """Return the result codes of so many failed or skipped desktops: mostly one cause, some of another."""
    codes = tuple(FAILED_REASONS if outcome == "failed" else SKIPPED_REASONS)
    main, other = dice.pick(codes), dice.pick(codes)
    others = dice.between(0, count // 3) if main != other else 0
    shares = ((outcome, main, count - others), (outcome, other, others))
    return tuple(share for share in shares if share[2] > 0)


def _lateness(dice: Dice) -> int:
    return dice.between(0, 12)


def _duration(dice: Dice) -> int:
    return dice.between(40, 400)


def _healthy(dice: Dice, desktops: int, _due: int) -> Outcome:
    busy = dice.between(0, desktops // 10) if dice.chance(0.15) else 0
    return Outcome(
        success=desktops - busy,
        skipped=busy,
        lateness=_lateness(dice),
        duration=_duration(dice),
        codes=spread("skipped", busy, dice),
    )


def _failing(dice: Dice, desktops: int, _due: int) -> Outcome:
    good = dice.between(0, desktops // 4)
    return Outcome(
        "FAIL",
        success=good,
        failed=desktops - good,
        lateness=_lateness(dice),
        duration=_duration(dice),
        codes=spread("failed", desktops - good, dice),
    )


def _partial(dice: Dice, desktops: int, _due: int) -> Outcome:
    # The document's own example says SUCCESS of a run with a failed desktop.
    bad = dice.between(1, max(desktops // 3, 1))
    return Outcome(
        success=max(desktops - bad, 1),
        failed=bad,
        lateness=_lateness(dice),
        duration=_duration(dice),
        codes=spread("failed", bad, dice),
    )


def _skipped(dice: Dice, desktops: int, _due: int) -> Outcome:
    codes = spread("skipped", desktops, dice)
    return Outcome("SKIP", skipped=desktops, lateness=_lateness(dice), duration=5, codes=codes)


def _stuck(dice: Dice, desktops: int, _due: int) -> Outcome:
    duration = dice.between(STUCK_SECONDS, LONGEST_SECONDS)
    return Outcome(success=desktops, lateness=_lateness(dice), duration=duration)


def _slow(dice: Dice, desktops: int, _due: int) -> Outcome:
    return Outcome(success=desktops, lateness=_lateness(dice), duration=dice.between(2400, 4800))


def _late(dice: Dice, desktops: int, _due: int) -> Outcome:
    return Outcome(success=desktops, lateness=dice.between(240, MAX_LATE_SECONDS), duration=_duration(dice))


def _early(dice: Dice, desktops: int, _due: int) -> Outcome:
    early = dice.between(1, MAX_EARLY_SECONDS)
    return Outcome(success=desktops, lateness=-early, duration=_duration(dice))


def _flapping(dice: Dice, desktops: int, due: int) -> Outcome:
    kind = _failing if due // SECONDS_A_DAY % 2 else _healthy
    return kind(dice, desktops, due)


def _unknown(dice: Dice, desktops: int, _due: int) -> Outcome:
    return Outcome("ABNORMAL", success=desktops, lateness=_lateness(dice), duration=_duration(dice))


def _uncounted(dice: Dice, _desktops: int, _due: int) -> Outcome:
    return Outcome("FINISH", None, None, None, lateness=_lateness(dice), duration=_duration(dice))


def _missed(_dice: Dice, _desktops: int, _due: int) -> None:
    return None


_KINDS: Mapping[str, Callable[[Dice, int, int], Outcome | None]] = {
    "healthy": _healthy,
    "failing": _failing,
    "partial": _partial,
    "skipped": _skipped,
    "stuck": _stuck,
    "slow": _slow,
    "late": _late,
    "early": _early,
    "flapping": _flapping,
    "unknown": _unknown,
    "uncounted": _uncounted,
    "missed": _missed,
}
KINDS = tuple(_KINDS)
