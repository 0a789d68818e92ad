"""`workspace-exporter backfill` against the simulated cloud: its files, what it says, how it resumes."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.catalog import TASK_METRICS
from exporter.cli import backfill as command
from exporter.cli.wiring import SYSTEM_CLOCKS
from exporter.errors import ConfigError
from exporter.simulator import plan as plans
from exporter.simulator.planting import PlantedRun
from tests.cli.cloud import Cloud, write_config
from tests.cli.conftest import Invoke
from tests.cli.outcome import Outcome

DAY = 86_400


@pytest.fixture(name="config")
def _config(cloud: Cloud, tmp_path: Path) -> Path:
    """A configuration of a cloud with a task of ten days."""
    cloud.add_task("daily", history_days=10)
    return write_config(tmp_path / "config.yml", cloud.project())


@pytest.fixture(autouse=True, name="now")
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let the range end well within a day, whenever the test is run."""
    noon = time.time() // DAY * DAY + DAY / 2
    now = noon if noon <= time.time() else noon - DAY
    clocks = replace(SYSTEM_CLOCKS, epoch=lambda: now)
    monkeypatch.setattr("exporter.cli.backfill.SYSTEM_CLOCKS", clocks)
    return now


def files(path: Path) -> dict[str, bytes]:
    """The days in a folder."""
    return {file.name: file.read_bytes() for file in sorted(path.glob("*.om"))}


def values(text: bytes, name: str) -> dict[str, list[float]]:
    """The values of a metric by task, or of each of its series."""
    families = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    found: dict[str, list[float]] = {}
    for family in families:
        for sample in family.samples:
            if sample.name == name:
                found.setdefault(sample.labels["task_id"], []).append(sample.value)
    return found


def failed(done: Outcome, *parts: str) -> None:
    """Assert that it failed, and that stderr holds the parts in order and ends with what became of it."""
    assert done.code == 1, done
    rest = done.err
    for part in parts:
        assert part in rest, done
        rest = rest.partition(part)[2]
    assert "next step: " in done.err
    assert done.err.endswith("workspace-exporter: nothing was written, since no project could be read\n")


def test_each_day_has_its_file_and_the_output_says_what_is_missing(
    invoke: Invoke, config: Path, tmp_path: Path
) -> None:
    """Three days touched by 2.5 days, only live names, nothing unfinished left, what is left out named."""
    done = invoke(
        "backfill", "--config.file", config, "--since", "60h", "--until", "3h", "-o", tmp_path / "o" / "p"
    )
    assert (done.code, done.err) == (0, "")
    assert "read: 1 task, " in done.out
    assert "workspace_task_enabled: no record tells" in done.out
    texts = files(tmp_path / "o" / "p")
    assert len(texts) == 3
    live = {metric.name for metric in TASK_METRICS}
    for text in texts.values():
        assert text.endswith(b"\n# EOF\n")
        assert {line.split(b"{")[0].decode() for line in text.splitlines() if line[:1] != b"#"} <= live
    assert {path.name for path in (tmp_path / "o" / "p").iterdir()} == {*texts, "backfill.json"}


def test_complete_days_are_skipped_and_damaged_ones_are_written_again(
    invoke: Invoke, config: Path, tmp_path: Path
) -> None:
    """The same command resumes: it says what is there, and gives the same bytes for what is not."""
    flags = ("backfill", "--config.file", config, "--since", "60h", "-o", tmp_path / "o")
    assert invoke(*flags).code == 0
    before = files(tmp_path / "o")
    names = list(before)
    (tmp_path / "o" / names[0]).unlink()
    (tmp_path / "o" / names[1]).write_bytes(before[names[1]][:-100])
    (tmp_path / "o" / ".partial-left").mkdir()
    again = invoke(*flags)
    assert f"skipped, for complete already: 1 day, {names[2]}"[:-3] in again.out
    assert f"written: 2 days, {names[0][:-3]} to {names[1][:-3]}" in again.out
    assert files(tmp_path / "o") == before
    last = invoke(*flags)
    assert last.out == f"skipped, for complete already: 3 days, {names[0][:-3]} to {names[2][:-3]}\n"


def test_days_made_otherwise_are_written_again(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """Another step makes other samples: no folder holds both."""
    flags = ("backfill", "--config.file", config, "--since", "60h", "-o", tmp_path / "o")
    assert invoke(*flags).code == 0
    again = invoke(*flags, "--step", "2m")
    assert "skipped" not in again.out
    assert "written: 3 days" in again.out


def test_all_is_read_whatever_polling_history_is(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    """The window is one of live reads; the past goes back as far as upstream does."""
    cloud.add_task("daily", history_days=150)
    config = write_config(
        tmp_path / "c.yml", cloud.project(), polling={"history": 1, "requests_per_second": 0}
    )
    done = invoke(
        "backfill",
        "--config.file",
        config,
        "--since",
        "140d",
        "--step",
        "299s",
        "--no-details",
        "-o",
        tmp_path / "o",
    )
    assert done.code == 0, done
    assert "140 runs" in done.out or "139 runs" in done.out
    assert "taken as finished at the start" in done.out
    texts = files(tmp_path / "o")
    assert len(texts) == 141
    counted = max(values(list(texts.values())[-1], "workspace_task_runs_total")["daily"])
    assert counted in {139, 140}


def test_blocks_come_from_the_program_that_is_named(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """It is called once for each day; what it makes appears in blocks/, and is replaced with its day."""
    tool = tmp_path / "promtool"
    tool.write_text('#!/bin/sh\n[ -s "$5" ] && mkdir "$6/$(basename "$5")-$$"\n', "utf-8")
    tool.chmod(0o755)
    flags = ("backfill", "--config.file", config, "--since", "60h", "-o", tmp_path / "o", "--promtool", tool)
    assert invoke(*flags).code == 0
    blocks = sorted(path.name for path in (tmp_path / "o" / "blocks").iterdir())
    assert [name.partition("-" + name.rpartition("-")[2])[0] for name in blocks] == list(
        files(tmp_path / "o")
    )
    next((tmp_path / "o").glob("*.om")).unlink()
    assert invoke(*flags).code == 0
    again = sorted(path.name for path in (tmp_path / "o" / "blocks").iterdir())
    assert (len(again), len(set(again) & set(blocks))) == (3, 2)
    tool.write_text("#!/bin/sh\necho no room >&2; exit 1\n", "utf-8")
    next((tmp_path / "o").glob("*.om")).unlink()
    failed = invoke(*flags)
    assert failed.code == 1
    failed.ends_with_one_line("promtool failed on", "no room")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--since", "x"), "--since: a duration such as"),
        (("--since", "2h"), "--since: 2h before now is not earlier than --until, 3h before now"),
        (("--since", "90d", "--until", "-1h"), "--until: a duration such as"),
        (("--since", "90d", "--step", "5m"), "--step: whole seconds from 1s to less than 5m"),
        (("--since", "90d", "--step", "0"), "--step: whole seconds"),
        (("--since", "90d", "--step", "1500ms"), "--step: whole seconds"),
        (("--since", "90y"), "--since: there is no time before 1970"),
        (("--since", "90d", "--promtool", "no-such-tool"), "--promtool: there is no program no-such-tool"),
    ],
)
def test_a_bad_value_is_one_line(
    invoke: Invoke, config: Path, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    """Exit code 2, and the flag is named."""
    done = invoke("backfill", "--config.file", config, "-o", tmp_path / "o", *flags)
    done.fails_with_one_line(2, said)


def test_a_folder_that_cannot_be_is_one_line(invoke: Invoke, config: Path) -> None:
    """A file stands where the folder should be."""
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", config)
    done.fails_with_one_line(2, "-o: ", "File exists")


def test_two_at_once_do_not_share_a_folder(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """The second one says so, and leaves the work of the first alone."""
    lock = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path)
    finally:
        os.close(lock)
    done.fails_with_one_line(1, "another backfill is writing to")


def test_nothing_is_written_while_a_task_cannot_be_read(
    invoke: Invoke, cloud: Cloud, config: Path, tmp_path: Path
) -> None:
    """A day without one of its tasks would count as complete."""
    cloud.service.faults.put("400@records/daily")
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path / "o")
    failed(done, "prod/daily: ")
    assert not files(tmp_path / "o")


def test_credentials_that_are_refused_midway_end_it(
    invoke: Invoke, cloud: Cloud, config: Path, tmp_path: Path
) -> None:
    """The other tasks are not asked for in vain."""
    cloud.service.faults.put("401@records,401@details")
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path / "o")
    failed(done, "project prod: The token is not accepted: ", "code APIGW.0301")
    assert not files(tmp_path / "o")


def test_malformed_records_are_left_out_and_counted(
    invoke: Invoke, cloud: Cloud, config: Path, tmp_path: Path
) -> None:
    """As in the daemon; the output says how many, and why."""
    now = int(time.time())
    cloud.world.plant_run("daily", PlantedRun(now - 2 * DAY, wire={"start_time": "yesterday"}))
    done = invoke("backfill", "--config.file", config, "--since", "3d", "-o", tmp_path / "o")
    assert "malformed parts of records, left out: 1 (time)\n" in done.out


def test_refused_credentials_end_it(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    """No request can succeed, so none is tried for each task."""
    cloud.add_task("daily")
    keys = {"access_key": "AK", "secret_key": "wrong"}
    config = write_config(tmp_path / "c.yml", cloud.project(auth={"aksk": keys}))
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path / "o")
    assert done.code == 1
    assert "wrong" not in done.err
    assert not files(tmp_path / "o")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("400@details", "taken as finished at the start"),
        ("403@show", "without expected runs, for want of a schedule: 1 task"),
    ],
)
def test_what_could_not_be_read_beside_the_runs_is_told(
    invoke: Invoke, cloud: Cloud, config: Path, fault: str, said: str
) -> None:
    """Desktops and schedules may be missing: the runs are shown all the same."""
    cloud.service.faults.put(fault)
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", config.parent / "o")
    assert done.code == 0, done
    assert said in done.out


def test_desktops_that_nobody_may_read_are_not_asked_for_again_and_again(
    invoke: Invoke, cloud: Cloud, config: Path, tmp_path: Path
) -> None:
    """The permission is named, and the rest is done without the runs' ends."""
    cloud.service.faults.put("403@details")
    done = invoke("backfill", "--config.file", config, "--since", "9d", "-o", tmp_path / "o")
    assert done.code == 0, done
    assert "the permission workspace:scheduledTasks:getRecord is missing\n" in done.out
    assert sum(seen.operation == "list_record_details" for seen in cloud.service.tally.log) == 1


@pytest.mark.parametrize("fault", ["500@show", "404@records", "401@show", "401@details"])
def test_what_may_pass_or_contradicts_the_list_is_a_failed_read(
    invoke: Invoke, cloud: Cloud, config: Path, tmp_path: Path, fault: str
) -> None:
    """Days written now would lack what the next attempt finds."""
    cloud.service.faults.put(fault)
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path / "o")
    assert done.code == 1, done
    assert not files(tmp_path / "o")


def test_a_long_past_is_read_to_its_cap(
    invoke: Invoke, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies beyond the newest records that are read is said to be missing."""
    monkeypatch.setattr("exporter.paging.MAX_RECORD_PAGES", 1)
    cloud.add_task("daily", history_days=150)
    config = write_config(tmp_path / "c.yml", cloud.project())
    flags = ("--since", "140d", "--step", "299s", "--no-details")
    done = invoke("backfill", "--config.file", config, *flags, "-o", tmp_path / "o")
    assert done.code == 0, done
    assert "not read whole (at most 5000 records of a task are): 1 task: prod/daily\n" in done.out


def test_configured_tasks_need_no_list(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    """Where listing is forbidden; a task that does not exist is told, one without runs has no past."""
    cloud.add_task("daily", name="by day")
    cloud.world.add_task(plans.triggered("POST_CREATE_DESKTOP_SUCCESS", 0.0001), time.time(), task_id="idle")
    cloud.service.faults.put("403@list")
    tasks: list[dict[str, Any]] = [{"id": "daily", "max_duration": "1h"}, {"id": "idle"}, {"id": "gone"}]
    config = write_config(tmp_path / "c.yml", cloud.project(discovery=None, tasks=tasks))
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path / "o")
    assert done.code == 0, done
    assert "without a past, for they have no run: 1 task\nnot found upstream: 1 task: prod/gone\n" in done.out
    texts = files(tmp_path / "o")
    assert set(values(list(texts.values())[-1], "workspace_task_max_duration_seconds")) == {"daily"}


@pytest.fixture(name="two")
def _two(cloud: Cloud, config: Path) -> Callable[..., Path]:
    """What writes a configuration of two projects, `bad` and `good`; a wrong secret key goes to `bad`."""

    def write(*, wrong: str = "", discovery: dict[str, Any] | None = None) -> Path:
        keys = {**cloud.account["aksk"], **({"secret_key": wrong} if wrong else {})}
        bad = cloud.project(name="bad", auth={"aksk": keys}, discovery=discovery or {})
        return write_config(config, bad, cloud.project(name="good"), polling={"requests_per_second": 0})

    return write


def projects(text: bytes) -> set[str]:
    """The projects that a day holds."""
    return set(re.findall(r'project="([a-z]+)"', text.decode()))


def test_a_refused_project_leaves_its_days_unfinished_and_they_are_made_up_for(
    invoke: Invoke, two: Callable[..., Path], tmp_path: Path
) -> None:
    """The other one is written; what failed, why and what to do is said; the same command completes it."""
    flags = ("--since", "60h", "-o", tmp_path / "o")
    done = invoke("backfill", "--config.file", two(wrong="hunter2"), *flags)
    assert done.code == 1, done
    assert "project bad: " in done.err
    assert "likely cause: " in done.err
    assert done.err.endswith(
        "workspace-exporter: project bad could not be read, so the days are unfinished; "
        "give the same command again when that is mended\n"
    )
    assert "read: 1 task, " in done.out
    assert "written without project bad: 3 days, " in done.out
    before = files(tmp_path / "o")
    assert [projects(text) for text in before.values()] == [{"good"}] * 3
    again = invoke("backfill", "--config.file", two(), *flags)
    assert (again.code, again.err) == (0, "")
    assert "skipped" not in again.out
    after = files(tmp_path / "o")
    assert [projects(text) for text in after.values()] == [{"bad", "good"}] * 3
    kept = {
        name: b"".join(line for line in text.splitlines(keepends=True) if b'project="bad"' not in line)
        for name, text in after.items()
    }
    assert kept == before
    fresh = invoke("backfill", "--config.file", two(), "--since", "60h", "-o", tmp_path / "fresh")
    assert (fresh.code, files(tmp_path / "fresh")) == (0, after)


def test_a_day_that_holds_a_project_is_not_replaced_by_one_without_it(
    invoke: Invoke, two: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    """The day that grows stays as it was; days that are not there yet are written without the project."""
    config, flags = two(), ("--since", "60h", "-o", tmp_path / "o")
    assert invoke("backfill", "--config.file", config, *flags).code == 0
    before = files(tmp_path / "o")
    later = replace(SYSTEM_CLOCKS, epoch=lambda: now + 1800)
    monkeypatch.setattr("exporter.cli.backfill.SYSTEM_CLOCKS", later)
    first, *_, last = before
    (tmp_path / "o" / first).unlink()
    done = invoke("backfill", "--config.file", two(wrong="hunter2"), *flags)
    assert done.code == 1
    assert f"written without project bad: 1 day, {first[:-3]}\n" in done.out
    assert f"left as it was, for a new file would be without project bad: 1 day, {last[:-3]}\n" in done.out, (
        done
    )
    after = files(tmp_path / "o")
    assert {name: text for name, text in after.items() if name != first} == {
        name: text for name, text in before.items() if name != first
    }
    assert projects(after[first]) == {"good"}
    assert invoke("backfill", "--config.file", two(), *flags).code == 0
    assert [projects(text) for text in files(tmp_path / "o").values()] == [{"bad", "good"}] * 3


def test_an_unfinished_day_gets_no_blocks(invoke: Invoke, two: Callable[..., Path], tmp_path: Path) -> None:
    """They would have to be taken back."""
    tool = tmp_path / "promtool"
    tool.write_text('#!/bin/sh\nmkdir "$6/$(basename "$5")"\n', "utf-8")
    tool.chmod(0o755)
    flags = ("--since", "60h", "-o", tmp_path / "o", "--promtool", tool)
    assert invoke("backfill", "--config.file", two(wrong="hunter2"), *flags).code == 1
    assert not list((tmp_path / "o").glob("blocks/*"))
    assert invoke("backfill", "--config.file", two(), *flags).code == 0
    assert len(list((tmp_path / "o").glob("blocks/*"))) == 3


def test_one_task_that_cannot_be_read_keeps_its_project_out(
    invoke: Invoke, cloud: Cloud, two: Callable[..., Path], tmp_path: Path
) -> None:
    """Tasks of one project stand or fall together; what is the same reason is said once, with the number."""
    for number in range(5):
        cloud.add_task(f"odd-{number}")
    cloud.service.faults.put(",".join(f"400@records/odd-{number}" for number in range(5)))
    config = two(discovery={"exclude": ["odd"]})
    done = invoke("backfill", "--config.file", config, "--since", "60h", "--no-details", "-o", tmp_path / "o")
    assert done.code == 1
    assert done.err.count("likely cause: ") <= 3
    assert "project good: 5 tasks could not be read\n" in done.err
    assert [projects(text) for text in files(tmp_path / "o").values()] == [{"bad"}] * 3


def test_a_forbidden_list_ends_a_discovery(
    invoke: Invoke, cloud: Cloud, config: Path, tmp_path: Path
) -> None:
    """Nobody can tell which tasks there are."""
    cloud.service.faults.put("403@list")
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path / "o")
    failed(done, "project prod: A permission is missing (workspace:scheduledTasks:list)")


def test_more_tasks_than_max_tasks_are_an_error(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    """Half a project would look like all of it."""
    for name in ("one", "two"):
        cloud.add_task(name)
    config = write_config(tmp_path / "c.yml", cloud.project(), polling={"max_tasks": 1})
    done = invoke("backfill", "--config.file", config, "--since", "2d", "-o", tmp_path / "o")
    failed(done, "project prod: ", "more than max_tasks (1) tasks")


def test_durations_are_checked_before_anything_is_read() -> None:
    """The flags are what the configuration's durations are."""
    wishes = command.wishes_of(since="1h30m", until="0", step="30s", details=True, promtool=None)
    assert (wishes.since, wishes.until, wishes.step) == (5400.0, 0.0, 30)
    with pytest.raises(ConfigError):
        command.wishes_of(since="3h", until="3h", step="30s", details=True, promtool=None)
