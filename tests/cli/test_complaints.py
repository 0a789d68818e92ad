"""What went wrong, on stderr, in the words of the advice."""

from __future__ import annotations

import pytest

from exporter.cli.complaints import complain, complain_of, offer, say
from exporter.cli.live import looks
from exporter.errors import Answer, ForbiddenError, TransportError
from exporter.simulator.planting import PlantedRun
from tests.cli.still import HOUR, NOW, Still, unheard

Printed = pytest.CaptureFixture[str]


def test_an_error_with_everything_there_is_to_say(capsys: Printed) -> None:
    """What, why probably, what to do, and by what the vendor's support finds it."""
    answer = Answer(403, "WKS.00010403", "not allowed", request_id="req-1")
    error = ForbiddenError(
        "a permission is missing (403)", label="403", operation="list_records", answer=answer
    )
    complain("project prod", error)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "workspace-exporter: project prod: A permission is missing (workspace:scheduledTasks:listRecords): "
        "not allowed.\n"
        "  likely cause: No policy of the user or agency allows workspace:scheduledTasks:listRecords, or "
        "`project_id` is that of another region.\n"
        "  next step: Attach an identity policy that allows workspace:scheduledTasks:listRecords (the README "
        "shows the whole policy), and wait a few minutes.\n"
        "  code WKS.00010403, request id req-1\n"
    )


def test_an_error_without_an_answer(capsys: Printed) -> None:
    """Its code is the word under which the metrics count it."""
    complain("project prod", TransportError("no connection", label="connect"))
    assert capsys.readouterr().err.endswith("\n  code connect\n")


def test_nothing_is_obeyed_by_a_terminal(capsys: Printed) -> None:
    """Whoever wrote it."""
    say("a\x1b[31m", ["b\nc"])
    assert capsys.readouterr().err == "workspace-exporter: a\\x1b[31m\n  b\\nc\n"


@pytest.mark.parametrize(("number", "lines"), [(0, 1), (20, 21), (21, 22), (500, 22)])
def test_an_offer_is_bounded(number: int, lines: int, capsys: Printed) -> None:
    """Twenty choices, and how to see the others."""
    offer("which?", [str(n) for n in range(number)], "more")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == lines
    assert (said[-1] == f"  and {number - 20} more: more") == (number > 20)


async def test_malformed_entries_are_no_failure_but_said(capsys: Printed) -> None:
    """What was left out, and why; everything else is good."""
    cloud = Still()
    task = cloud.add("nightly stop")
    for hours in (1, 2):
        cloud.world.plant_run(task, PlantedRun(int(NOW - hours * HOUR), wire={"start_time": "yesterday"}))
    config = cloud.config()
    async with looks(
        config.projects, config, cloud.live, wanted=lambda _id, _name: True, changed=unheard
    ) as taken:
        assert complain_of(taken)
    assert capsys.readouterr().err == (
        "workspace-exporter: project p0: malformed entries of upstream's answers were left out (time 2)\n"
    )
