"""Which task TASK means, and what is said where that is not clear."""

from __future__ import annotations

import pytest

from exporter.cli.live import looks
from exporter.cli.target import Target, candidates, parse_target, resolve
from exporter.simulator.world import World
from tests.cli.still import Still, unheard


async def found(cloud: Still, text: str) -> tuple[str, str] | None:
    """The project and the id of the task that is meant."""
    target, config = parse_target(text), cloud.config()
    projects = candidates(config, target)
    if not projects:
        return None
    async with looks(projects, config, cloud.live, wanted=target.wanted, changed=unheard) as taken:
        match = resolve(taken, target)
        return (match[1].project, match[1].task_id) if match else None


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("8d2e", Target("", "8d2e")),
        ("prod/8d2e", Target("prod", "8d2e")),
        ("team/prod/8d2e", Target("team/prod", "8d2e")),
        ("prod/", Target("prod", "")),
    ],
)
def test_a_project_may_hold_a_slash_an_id_does_not(text: str, target: Target) -> None:
    """What stands before the last one is the project; what is typed is what is repeated."""
    assert parse_target(text) == target
    assert str(target) == text


async def test_an_id_is_looked_for_in_every_project() -> None:
    """Where one project alone has it, that needs no name."""
    cloud = Still(World(seed=1), World(seed=2))
    task = cloud.add("nightly stop", world=cloud.worlds[1])
    assert await found(cloud, task) == ("p1", task)


async def test_only_the_named_project_is_asked() -> None:
    """The others are not even signed in to."""
    cloud = Still(World(seed=1), World(seed=2))
    task = cloud.add("nightly stop", world=cloud.worlds[1])
    assert await found(cloud, f"p1/{task}") == ("p1", task)
    assert cloud.closed == ["p1"]


async def test_an_ambiguous_id_lists_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    """In the form in which it can be typed."""
    cloud = Still(World(seed=1), World(seed=2))
    for number, world in enumerate(cloud.worlds):
        cloud.add(f"task {number}", world=world, task_id="same")
    assert await found(cloud, "same") is None
    assert capsys.readouterr().err == (
        "workspace-exporter: same is in several projects; say which:\n  p0/same  task 0\n  p1/same  task 1\n"
    )
    assert await found(cloud, "p0/same") == ("p0", "same")


async def test_an_unknown_id_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty of it at the most, those first in which the typed text is found."""
    cloud = Still()
    for number in range(25):
        cloud.add(f"task {number:02d}", task_id=f"id-{number:02d}")
    assert await found(cloud, "24") is None
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "workspace-exporter: no selected task has the id 24; there are:",
        "  p0/id-24  task 24",
        "  p0/id-00  task 00",
    ]
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more: workspace-exporter tasks --config.file FILE"


async def test_where_there_is_no_task_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be offered."""
    assert await found(Still(), "8d2e") is None
    assert capsys.readouterr().err == (
        "workspace-exporter: no selected task has the id 8d2e; there is none that can be read\n"
    )


async def test_a_task_that_is_not_selected(capsys: pytest.CaptureFixture[str]) -> None:
    """It exists, but `discovery` leaves it out: that is said, since nobody would find it otherwise."""
    cloud = Still()
    task = cloud.add("a test", task_id="left-out")
    cloud.add("nightly stop", task_id="taken")
    target = parse_target(task)
    config = cloud.config({"discovery": {"exclude": ["test"]}})
    async with looks(config.projects, config, cloud.live, wanted=target.wanted, changed=unheard) as taken:
        assert resolve(taken, target) is None
    assert capsys.readouterr().err == (
        "workspace-exporter: p0/left-out  a test exists, but the configuration does not select it; "
        "selected are:\n"
        "  p0/taken  nightly stop\n"
    )


async def test_an_unknown_project_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is asked of the cloud."""
    cloud = Still(World(seed=1), World(seed=2))
    assert await found(cloud, "p2/8d2e") is None
    assert capsys.readouterr().err == (
        "workspace-exporter: no project is called 'p2'; there are:\n  p0\n  p1\n"
    )
    assert cloud.service.tally.total == 0


async def test_names_are_made_safe(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever names a task does not command the terminal of who looks for another."""
    cloud = Still()
    cloud.add("\x1b]0;owned\x07[bold]", task_id="8d2e")
    assert await found(cloud, "nope") is None
    assert "  p0/8d2e  \\x1b]0;owned\\x07[bold]\n" in capsys.readouterr().err
