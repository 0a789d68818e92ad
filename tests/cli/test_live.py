"""Looks: what the daemon would know, read once, all of it, and of nothing but what was asked for."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from exporter.cli.live import Look, Wanted, looks, silence_log
from exporter.config import Config
from exporter.errors import CredentialsError, ForbiddenError, StatusError
from exporter.judgement import judge
from exporter.simulator.demo import demo_world
from exporter.simulator.planting import PlantedRun
from exporter.simulator.world import World
from exporter.state import TaskState
from exporter.views import Verdict
from tests.cli.still import HOUR, NOW, Still, unheard


def everything(_task_id: str, _name: str) -> bool:
    """Ask for each task."""
    return True


async def take(
    cloud: Still, config: Config, wanted: Wanted = everything, *, keep_records: bool = False
) -> list[Look]:
    """Look at each project."""
    async with looks(
        config.projects, config, cloud.live, wanted=wanted, changed=unheard, keep_records=keep_records
    ) as taken:
        return taken


def by_name(look: Look) -> dict[str, TaskState]:
    """The tasks that were read."""
    return {state.name: state for state in look.states}


async def test_every_kind_of_trouble_is_seen_as_the_daemon_sees_it() -> None:
    """The demonstration's cast, each with its verdict."""
    cloud = Still(demo_world(NOW))
    (look,) = await take(cloud, cloud.config())
    verdicts = {name: judge(state, NOW, 60)[0] for name, state in by_name(look).items()}
    expected = {
        "nightly stop, failing for days": Verdict.FAILED,
        "recovers in six minutes": Verdict.FAILED,
        "reboot, partly failed": Verdict.PARTIAL,
        "start reception, never started today": Verdict.MISSED,
        "rebuild, stuck for hours": Verdict.STUCK,
        "hibernate, skipped again and again": Verdict.NO_SUCCESS,
        "status that nobody documented": Verdict.UNKNOWN,
        "switched off an hour ago": Verdict.DISABLED,
        "new, has never run": Verdict.NEVER_RAN,
    }
    assert {name: verdicts[name] for name in expected} == expected
    assert look.ok
    assert len(verdicts) == 41


async def test_all_is_read_however_long_it_takes() -> None:
    """A cycle of the daemon would have ended with its interval; a look ends when it knows everything."""
    cloud = Still()
    for number in range(60):
        cloud.add(f"task {number}")
    (look,) = await take(cloud, cloud.config(polling={"interval": "1s", "refresh": "1s", "max_age": "2s"}))
    assert all(state.history and state.schedule for state in look.states)
    assert len(look.states) == 60


async def test_only_what_was_asked_for_is_read() -> None:
    """One read of records for one task; the names of all are known from the list."""
    cloud = Still()
    wanted = cloud.add("nightly stop")
    other = cloud.add("morning start")
    (look,) = await take(cloud, cloud.config(), lambda task_id, _: task_id == wanted)
    assert [state.task_id for state in look.states] == [wanted]
    assert look.known == {wanted: "nightly stop", other: "morning start"}
    assert cloud.asked("list_records") == 1
    assert cloud.asked("show_task") == 1


async def test_the_configured_name_is_the_one_that_is_asked_for() -> None:
    """It stands before that of the list, as everywhere."""
    cloud = Still()
    task = cloud.add("upstream's name")
    config = cloud.config({"tasks": [{"id": task, "name": "ours"}], "discovery": ""})
    (look,) = await take(cloud, config)
    assert look.known == {task: "ours"}


async def test_records_are_kept_where_they_are_wanted() -> None:
    """As they came; otherwise none, since there may be very many."""
    cloud = Still()
    cloud.add("nightly stop", history_days=3)
    (with_records,) = await take(cloud, cloud.config(), keep_records=True)
    (without,) = await take(cloud, cloud.config())
    assert len(with_records.upstream.records) == 3
    assert without.upstream.records == []


async def test_a_failure_that_passes_is_no_failure() -> None:
    """What the client's own retries do not outlast is tried in a second cycle."""
    cloud = Still(faults="500@records:x3")
    cloud.add("nightly stop")
    (look,) = await take(cloud, cloud.config())
    assert look.ok
    assert look.states[0].history is not None
    assert cloud.service.tally.statuses["list_records", 500] == 3


async def test_a_failure_that_stays_is_told() -> None:
    """By its first errors, and by how many tasks could not be read."""
    cloud = Still(faults="500@records")
    for number in range(5):
        cloud.add(f"task {number}")
    (look,) = await take(cloud, cloud.config())
    assert not look.ok
    assert look.unread == 5
    assert {type(problem) for problem in look.problems} == {StatusError}


async def test_one_projects_trouble_is_its_own() -> None:
    """Refused keys in one project, and the other is read."""
    cloud = Still(World(seed=1), World(seed=2))
    for world in cloud.worlds:
        cloud.add("nightly stop", world=world)
    wrong = {"auth": {"aksk": {"access_key": "DEMOACCESSKEY0000001", "secret_key": "no such key"}}}
    good, bad = await take(cloud, cloud.config({}, wrong))
    assert good.ok
    assert len(good.states) == 1
    assert bad.states == []
    assert [type(problem) for problem in bad.problems] == [CredentialsError]
    assert cloud.closed == ["p1", "p0"]


async def test_a_permission_that_is_missing_is_not_asked_for_again() -> None:
    """A second cycle would change nothing."""
    cloud = Still(faults="403@records")
    cloud.add("nightly stop")
    (look,) = await take(cloud, cloud.config())
    assert [type(problem) for problem in look.problems] == [ForbiddenError]
    assert cloud.asked("list_records") == 1


async def test_malformed_entries_are_counted() -> None:
    """They are left out of what is shown, but not in silence."""
    cloud = Still()
    task = cloud.add("nightly stop")
    cloud.world.plant_run(task, PlantedRun(int(NOW - HOUR), wire={"start_time": "yesterday"}))
    (look,) = await take(cloud, cloud.config())
    assert look.ok
    assert dict(look.rejected) == {"time": 1}


async def test_progress_counts_records_and_schedules() -> None:
    """Two steps for a task, one for a task that an event starts."""
    cloud = Still(demo_world(NOW))
    steps: list[tuple[str, int, int]] = []
    config = cloud.config()
    async with looks(
        config.projects, config, cloud.live, wanted=everything, changed=lambda *step: steps.append(step)
    ):
        pass
    assert steps[-1] == ("p0", 80, 80)
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)


async def test_an_interrupted_look_closes_its_connections() -> None:
    """Ctrl-C in the middle leaves nothing open."""
    cloud = Still(faults="stall=60s@records")
    cloud.add("nightly stop")
    hanging = asyncio.Event()

    def wanted(_task_id: str, _name: str) -> bool:
        hanging.set()
        return True

    looking = asyncio.create_task(take(cloud, cloud.config(), wanted))
    await hanging.wait()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert cloud.closed == ["p0"]


async def test_a_project_is_seen_as_on_the_status_page() -> None:
    """With the interval of the configuration, not with that of the look."""
    cloud = Still()
    cloud.add("nightly stop")
    (look,) = await take(cloud, cloud.config())
    view = look.view(60.0)
    assert (view.name, view.tasks, view.interval, view.poll_ok) == ("p0", 1, 60.0, True)
    assert view.last_success == NOW


def test_the_log_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings and errors of the poller are told by the command itself."""
    silence_log()
    structlog.get_logger().error("a cycle failed")
    assert capsys.readouterr() == ("", "")
