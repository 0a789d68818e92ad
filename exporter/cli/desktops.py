"""The desktops of the runs that did not succeed, read live."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from exporter.cli.live import Changed
from exporter.config import RunClass, Statuses
from exporter.conversation import converse
from exporter.decode import Page
from exporter.details import summarize_details
from exporter.errors import ApiError, CredentialsError, ForbiddenError
from exporter.history import Run
from exporter.paging import PageRequest, first_details
from exporter.poller import Upstream
from exporter.records import RecordDetail


@dataclass(frozen=True, slots=True)
class Desktop:
    """One desktop that did not succeed, with the class of its word."""

    detail: RecordDetail
    outcome: RunClass

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.detail.desktop_name or self.detail.desktop_id or self.detail.id


@dataclass(frozen=True, slots=True)
class RunDesktops:
    """What the desktops of one run tell: those that did not succeed, failed ones first.

    `read` desktops were looked at, `unread` more exist; `duration` is in seconds.
    """

    unsuccessful: tuple[Desktop, ...]
    read: int
    unread: int
    duration: float | None


async def read_desktops(
    upstream: Upstream, task_id: str, runs: Sequence[Run], statuses: Statuses, changed: Changed
) -> tuple[dict[str, RunDesktops], list[ApiError]]:
    """Return the desktops of each run that did not succeed, by run id, and what could not be read of them.

    Where a permission or the credentials are missing, no further run is asked for.
    """
    wanted = [run for run in runs if run.status not in {None, "success"}]
    found: dict[str, RunDesktops] = {}
    errors: list[ApiError] = []
    for number, run in enumerate(wanted):
        changed("desktops", number, len(wanted))
        try:
            found[run.record.id] = await _read(upstream, task_id, run, statuses)
        except ApiError as error:
            errors.append(error)
            if isinstance(error, (ForbiddenError, CredentialsError)):
                break
    return found, errors


async def _read(upstream: Upstream, task_id: str, run: Run, statuses: Statuses) -> RunDesktops:
    def fetch(request: PageRequest) -> Awaitable[Page[RecordDetail]]:
        return upstream.list_record_details(task_id, run.record.id, request.offset, request.limit)

    read = await converse(first_details(), fetch)
    desktops = [Desktop(detail, statuses.class_of(detail.status)) for detail in read.items]
    unsuccessful = (desktop for desktop in desktops if desktop.outcome != "success")
    return RunDesktops(
        unsuccessful=tuple(sorted(unsuccessful, key=lambda desktop: (desktop.outcome, desktop.name))),
        read=len(read.items),
        unread=max(0, read.total - len(read.items)),
        duration=summarize_details(run.record, read.items, statuses).duration,
    )
