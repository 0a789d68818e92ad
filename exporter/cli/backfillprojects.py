"""Reads the pasts of all projects, one after the other; one that cannot be read does not stop the others.

A project is read whole or not at all: without one of its tasks a day would look as if the task had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from exporter.advice import ACTIONS
from exporter.cli.backfillbar import bar
from exporter.cli.backfillfiles import Spool
from exporter.cli.backfillread import MAX_RECORDS, Findings, PastReader, Span
from exporter.cli.complaints import complain, say
from exporter.collaborators import Upstream
from exporter.config import Config, Project
from exporter.errors import ApiError

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A project that could not be read: where (the project, or project/id of a task) and why."""

    project: str
    reasons: tuple[tuple[str, ApiError], ...]


async def read_projects(
    spool: Spool, config: Config, span: Span, build_client: Callable[[Project, Config], Upstream]
) -> tuple[Findings, list[Failure]]:
    """Put the pasts of every project that can be read into the spool; return what was met, and the others."""
    findings, failures = Findings(), []
    for project in config.projects:
        own = Findings()
        client = build_client(project, config)
        try:
            await _read(spool, PastReader(project, config, client, span, own), project)
        except ApiError as error:
            own.failed.insert(0, (f"project {project.name}", error))
        finally:
            await client.aclose()
        if own.failed:
            spool.drop(project.name)
            failures.append(Failure(project.name, tuple(own.failed)))
        else:
            findings.add(own)
    return findings, failures


async def _read(spool: Spool, reader: PastReader, project: Project) -> None:
    tasks = await reader.selected()
    with bar(f"tasks of {project.name}", len(tasks)) as advance:
        await reader.read(tasks, spool.put, advance)


def complain_of(failure: Failure) -> None:
    """Say on stderr what could not be read, with the likely cause and the next step; each reason once."""
    different = {str(error): (where, error) for where, error in failure.reasons}
    for where, error in list(different.values())[:_SHOWN]:
        complain(where, error)
    if len(failure.reasons) > len(different) or len(different) > _SHOWN:
        say(f"project {failure.project}: {_count(len(failure.reasons), 'task')} could not be read")


def told(findings: Findings) -> Iterator[str]:
    """Yield what the reading came upon, a line for each kind."""
    yield f"read: {_count(findings.tasks, 'task')}, {_count(findings.runs, 'run')} in the time asked for"
    if findings.never_ran:
        yield f"without a past, for they have no run: {_count(findings.never_ran, 'task')}"
    if findings.not_found:
        yield f"not found upstream: {_listed(findings.not_found)}"
    if findings.unscheduled:
        yield f"without expected runs, for want of a schedule: {_count(findings.unscheduled, 'task')}"
    if findings.details_forbidden:
        yield f"without the ends of runs: the permission {ACTIONS['list_record_details']} is missing"
    if findings.unended:
        yield f"taken as finished at the start, for the end is unknown: {_count(findings.unended, 'run')}"
    if findings.cut:
        yield f"not read whole (at most {MAX_RECORDS} records of a task are): {_listed(findings.cut)}"
    if findings.rejected:
        reasons = ", ".join(f"{number} ({reason})" for reason, number in sorted(findings.rejected.items()))
        yield f"malformed parts of records, left out: {reasons}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    return f"{_count(len(names), 'task')}: {shown}" + (", …" if len(names) > _SHOWN else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
