"""One read of one task, asked for and folded in: its records, its schedule, or its last run's desktops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from exporter.collaborators import Clocks, Observer, Upstream
from exporter.conversation import converse
from exporter.decode import Page
from exporter.details import DesktopFailure
from exporter.errors import ApiError, CredentialsError, NotFoundError
from exporter.paging import PageRequest, first_details, newest_records
from exporter.polling import Due
from exporter.records import Record, RecordDetail
from exporter.tracking import TrackedTask

Failed = Callable[[TrackedTask, ApiError], None]
"""Is told of a read that failed."""


class Reader:
    """Reads tasks; `publish` shows one as it is after that. `history` is the window of records."""

    def __init__(
        self,
        upstream: Upstream,
        observer: Observer,
        clocks: Clocks,
        *,
        history: int,
        publish: Callable[[TrackedTask], None],
        log: Any,
    ) -> None:
        self._upstream = upstream
        self._observer = observer
        self._clocks = clocks
        self._history = history
        self._publish = publish
        self._log = log

    async def records(self, task: TrackedTask, due: Due, moment: float, failed: Failed) -> None:
        """Read the records, as was decided at `moment`. Raises CredentialsError; other errors are the task's.

        Of a task that the list holds, "it does not exist" is a failure: the next list tells which is true.
        """
        task_id, back_to = task.state.task_id, task.back_to(due)

        def fetch(request: PageRequest) -> Awaitable[Page[Record]]:
            return self._upstream.list_records(task_id, request.offset, request.limit)

        try:
            read = await converse(
                newest_records(self._history, back_to=back_to), fetch, self._observer.rejected
            )
        except CredentialsError:
            raise
        except ApiError as error:
            if isinstance(error, NotFoundError) and task.state.listing is None:
                task.missing(now=self._clocks.epoch(), moment=moment)
            else:
                task.records_failed(error, now=self._clocks.epoch(), moment=self._clocks.monotonic())
                failed(task, error)
        else:
            task.records(read, back_to, now=self._clocks.epoch(), moment=moment)
        self._publish(task)

    async def schedule(self, task: TrackedTask) -> None:
        """Read the schedule. Raises ApiError, unless no list holds the task and it does not exist."""
        try:
            schedule = await self._upstream.show_task(task.state.task_id)
        except NotFoundError:
            if task.state.listing is None:
                return  # deleted since its records were read: the next read of them says so
            raise
        task.schedule_read(schedule, now=self._clocks.epoch())
        self._publish(task)

    async def details(self, task: TrackedTask) -> None:
        """Read the desktops of the last run. Raises ApiError."""
        record = task.details_wanted
        if record is None:
            return

        def fetch(request: PageRequest) -> Awaitable[Page[RecordDetail]]:
            return self._upstream.list_record_details(
                task.state.task_id, record.id, request.offset, request.limit
            )

        try:
            desktops = (await converse(first_details(), fetch, self._observer.rejected)).items
        except NotFoundError:  # upstream keeps the record but not its desktops: no more will ever be known
            desktops = []
        task.details_read(record, desktops, now=self._clocks.epoch())
        self._publish(task)
        self._log_failures(task)

    def _log_failures(self, task: TrackedTask) -> None:
        details = task.state.details
        if details and details.failures:
            self._log.info(
                "desktops of the last run did not succeed",
                task=task.state.task_id,
                task_name=task.state.name,
                run=details.run_id,
                first=_alike(details.failures),
            )


def _alike(failures: Iterable[DesktopFailure]) -> list[str]:
    """Desktops that ended alike, in one text each: a run that fails on ten for one reason is one reason."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for failure in failures:
        names.setdefault((failure.outcome, failure.result_code, failure.reason), []).append(failure.name)
    return [f"{outcome} {code}: {reason} ({', '.join(of)})" for (outcome, code, reason), of in names.items()]
