"""Which task a person means by TASK: a task id, or `project/id`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.cli.complaints import offer
from exporter.cli.live import Look
from exporter.config import Config, Project
from exporter.state import TaskState

MORE = "workspace-exporter tasks --config.file FILE"


@dataclass(frozen=True, slots=True)
class Target:
    """A task id, and the project's name where one was given: an id holds no slash, a name may."""

    project: str
    task_id: str

    def __str__(self) -> str:
        return f"{self.project}/{self.task_id}" if self.project else self.task_id

    def wanted(self, task_id: str, name: str) -> bool:
        """Whether this is the task that is meant."""
        del name
        return task_id == self.task_id


def parse_target(text: str) -> Target:
    """Return what TASK says."""
    project, _, task_id = text.rpartition("/")
    return Target(project, task_id)


def candidates(config: Config, target: Target) -> list[Project]:
    """Return the projects in which the task may be; says so where no project has that name."""
    if not target.project:
        return list(config.projects)
    named = [project for project in config.projects if project.name == target.project]
    if not named:
        offer(f"no project is called {target.project!r}; there are:", [p.name for p in config.projects], MORE)
    return named


def resolve(looks: Sequence[Look], target: Target) -> tuple[Look, TaskState] | None:
    """Return the one task that is meant; says what there is where none or several are."""
    found = [(look, state) for look in looks for state in look.states]
    if len(found) == 1:
        return found[0]
    if found:
        _say_several(target, [state for _, state in found])
    else:
        _say_none(looks, target)
    return None


def _say_several(target: Target, states: Sequence[TaskState]) -> None:
    lines = [_line(state.project, state.task_id, state.name) for state in states]
    offer(f"{target.task_id} is in several projects; say which:", lines, MORE)


def _say_none(looks: Sequence[Look], target: Target) -> None:
    """Offer the selected tasks, those first in which the typed text is found."""
    known = [(look.project.name, task_id, name) for look in looks for task_id, name in look.known.items()]
    known.sort(key=lambda task: (not _holds(target, *task[1:]), task[0], task[2], task[1]))
    lines = [_line(*task) for task in known]
    left_out = [
        _line(look.project.name, entry.id, entry.name)
        for look in looks
        if (entry := look.upstream.listed.get(target.task_id)) is not None
    ]
    if left_out:
        said = f"{', '.join(left_out)} exists, but the configuration does not select it"
        offer(f"{said}; selected {'are:' if lines else 'is nothing'}", lines, MORE)
    else:
        there = "there are:" if lines else "there is none that can be read"
        offer(f"no selected task has the id {target}; {there}", lines, MORE)


def _holds(target: Target, task_id: str, name: str) -> bool:
    return target.task_id in task_id or target.task_id.casefold() in name.casefold()


def _line(project: str, task_id: str, name: str) -> str:
    return f"{project}/{task_id}  {name}".rstrip()
