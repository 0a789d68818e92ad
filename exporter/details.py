"""The desktops of a run -> what is shown of them: duration, result codes, reasons. Pure.

A record carries no end (api_facts.md, section 0), so a run's duration comes from its desktops. Result codes
may be labels; the localised `fail_reason` never is: it goes to the log and to people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from exporter.config import Statuses
from exporter.records import Record, RecordDetail

Outcome = Literal["failed", "skipped"]
TOP_CODES = 10
OTHER = "other"
UNREAD = "unread"
NO_CODE = "none"
"""The result code of a desktop for which the API gave none."""
_SHOWN_DESKTOPS = 10


@dataclass(frozen=True, slots=True, order=True)
class DesktopFailure:
    """One desktop that did not succeed, as a person wants to see it; failed ones come before skipped ones."""

    outcome: Outcome
    name: str
    result_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunDetails:
    """What the desktops of one run tell.

    `duration` is in seconds; `results` holds (outcome, result code, desktops), the ten most frequent codes of
    each outcome and the rest as `other`, what the record's counts hold beyond the desktops read as `unread`.
    """

    run_id: str
    duration: float | None
    results: tuple[tuple[Outcome, str, int], ...]
    failures: tuple[DesktopFailure, ...]


def summarize_details(record: Record, details: Iterable[RecordDetail], statuses: Statuses) -> RunDetails:
    """Return what the desktops of `record`'s run tell."""
    desktops = list(details)
    ends = [desktop.end for desktop in desktops if desktop.end is not None]
    duration = max(ends) - record.start if ends else None
    failures = [failure for desktop in desktops if (failure := _failure(desktop, statuses))]
    return RunDetails(
        run_id=record.id,
        duration=duration if duration is not None and duration >= 0 else None,
        results=(
            *_results("failed", failures, record.failed_num),
            *_results("skipped", failures, record.skip_num),
        ),
        failures=tuple(sorted(failures)[:_SHOWN_DESKTOPS]),
    )


def _failure(desktop: RecordDetail, statuses: Statuses) -> DesktopFailure | None:
    kind = statuses.class_of(desktop.status)
    if kind not in {"failed", "skipped"}:
        return None
    outcome: Outcome = "failed" if kind == "failed" else "skipped"
    name = desktop.desktop_name or desktop.desktop_id or desktop.id
    return DesktopFailure(outcome, name, desktop.result_code or NO_CODE, desktop.fail_reason)


def _results(
    outcome: Outcome, failures: list[DesktopFailure], counted: int | None
) -> list[tuple[Outcome, str, int]]:
    codes = Counter(failure.result_code for failure in failures if failure.outcome == outcome)
    ranked = sorted(codes.items(), key=lambda item: (-item[1], item[0]))
    kept = Counter(dict(ranked[:TOP_CODES]))
    rest = sum(number for _, number in ranked[TOP_CODES:])
    unread = (counted or 0) - sum(codes.values())
    if rest > 0:
        kept[OTHER] += rest
    if unread > 0:
        kept[UNREAD] += unread
    return [(outcome, code, number) for code, number in sorted(kept.items())]
