"""What went wrong, said on stderr with the likely cause and the next step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from exporter.advice import advise
from exporter.cli.live import Look
from exporter.errors import ApiError
from exporter.terminaltext import safe

_SHOWN_CHOICES = 20


def say(message: str, lines: Iterable[str] = ()) -> None:
    """Say something on stderr, with further lines below it."""
    click.echo(f"workspace-exporter: {safe(message)}", err=True)
    for line in lines:
        click.echo(f"  {safe(line)}", err=True)


def complain(where: str, error: ApiError) -> None:
    """Say what failed where, why probably, and what to do."""
    advice = advise(error)
    lines = [f"likely cause: {advice.cause}", f"next step: {advice.next_step}"]
    code = error.answer.code or error.label
    lines.append(
        f"code {code}" + (f", request id {error.answer.request_id}" if error.answer.request_id else "")
    )
    say(f"{where}: {advice.sentence}", lines)


def complain_of(looks: Sequence[Look]) -> bool:
    """Say of each project what failed there, once; returns whether nothing did."""
    for look in looks:
        where = f"project {look.project.name}"
        for error in {str(problem): problem for problem in look.problems}.values():
            complain(where, error)
        if look.unread:
            say(f"{where}: the records of {_count(look.unread, 'task')} could not be read")
        if look.rejected:
            reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(look.rejected.items()))
            say(f"{where}: malformed entries of upstream's answers were left out ({reasons})")
    return all(look.ok for look in looks)


def offer(message: str, choices: Sequence[str], more: str) -> None:
    """Say that something is not there, or not clear, and what there is: a bounded number of it."""
    shown = list(choices[:_SHOWN_CHOICES])
    if len(choices) > len(shown):
        shown.append(f"and {len(choices) - len(shown)} more: {more}")
    say(message, shown)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
