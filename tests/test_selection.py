"""Which tasks a process watches: configured, discovered, sharded."""

from __future__ import annotations

import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Project, TaskConfig
from exporter.configfile import parse_config
from exporter.errors import ConfigError
from exporter.records import Task
from exporter.selection import Selected, Shard, parse_shard, select

WHOLE = Shard()


def project(tasks: str) -> Project:
    """A project that watches `tasks`."""
    text = f"projects: [{{name: prod, region: r, project_id: a, auth: {{metadata: {{}}}}, {tasks}}}]"
    return parse_config(text, {}, Path()).projects[0]


LISTED = [Task("1", "nightly stop"), Task("2", "morning start"), Task("3", ""), Task("4", "test stop")]


def test_configured_tasks_are_watched_whether_listed_or_not() -> None:
    """What the list says of them comes along; a task that it does not hold may not exist."""
    both = project("tasks: [{id: '2', name: own}, {id: 'x'}]")
    assert select(both, LISTED, WHOLE) == {
        "2": Selected("2", TaskConfig(id="2", name="own"), LISTED[1]),
        "x": Selected("x", TaskConfig(id="x"), None),
    }


def test_without_a_list_the_configured_tasks_remain() -> None:
    """Where listing is forbidden, or has failed."""
    mixed = project("tasks: [{id: '2'}], discovery: {}")
    assert select(mixed, None, WHOLE) == {"2": Selected("2", TaskConfig(id="2"), None)}


@pytest.mark.parametrize(
    ("discovery", "ids"),
    [
        ("{}", ["1", "2", "3", "4"]),
        ("{include: [stop]}", ["1", "4"]),
        ("{include: [stop, morning]}", ["1", "2", "4"]),
        ("{include: [stop], exclude: [^test]}", ["1"]),
        ("{exclude: ['']}", []),
        ("{include: ['^$']}", []),
        ("{include: ['^3$']}", ["3"]),
        ("{include: ['^STOP']}", []),
    ],
)
def test_discovery_takes_tasks_by_name(discovery: str, ids: list[str]) -> None:
    """A task without a name goes by its id."""
    chosen = select(project(f"discovery: {discovery}"), LISTED, WHOLE)
    assert chosen == {task.id: Selected(task.id, None, task) for task in LISTED if task.id in ids}


def test_a_configured_task_is_watched_whatever_discovery_says_of_it() -> None:
    """It was asked for by name, and its own thresholds stand."""
    for discovery in ("{exclude: [test]}", "{}"):
        both = project(f"tasks: [{{id: '4', grace: 5m}}], discovery: {discovery}")
        chosen = select(both, LISTED, WHOLE)
        assert chosen["4"] == Selected("4", TaskConfig(id="4", grace="5m"), LISTED[3])  # type: ignore[arg-type]
        assert set(chosen) == {"1", "2", "3", "4"}


def test_a_list_that_repeats_itself_changes_nothing() -> None:
    """The last word on a task counts."""
    again = [*LISTED, Task("1", "renamed stop")]
    assert select(project("discovery: {include: [renamed]}"), again, WHOLE) == {
        "1": Selected("1", None, again[-1])
    }


@pytest.mark.parametrize(
    ("text", "index", "count"),
    [
        ("0/1", 0, 1),
        ("3/4", 3, 4),
        ("99998/99999", 99_998, 99_999),
        ("workspace-exporter-3/4", 3, 4),
        ("web-0-1/2", 1, 2),
        ("01/4", 1, 4),
    ],
)
def test_shards_are_read(text: str, index: int, count: int) -> None:
    """A pod of a StatefulSet knows itself as `name-3`."""
    assert parse_shard(text) == Shard(index, count)
    assert str(Shard()) == "0/1"
    assert str(Shard(index, count)) == f"{index}/{count}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "1",
        "1/",
        "/2",
        "-1/4",
        "0/-1",
        "a/4",
        "name-/4",
        "1.0/4",
        "1/4/8",
        " 1/4",
        "1 /4",
        "+1/4",
        "0x1/4",
        "1/٤",
        "²/4",
        "100000/200000",
        "name3/4",
        "1/name-4",
    ],
)
def test_what_is_no_shard_is_an_error(text: str) -> None:
    """The option is named."""
    with pytest.raises(ConfigError) as caught:
        parse_shard(text)
    assert str(caught.value) == "--shard: K/N is expected, such as 0/4"


@pytest.mark.parametrize(
    ("text", "shown"), [("4/4", "4/4"), ("5/4", "5/4"), ("0/0", "0/0"), ("p-4/4", "4/4")]
)
def test_a_shard_beyond_its_count_is_an_error(text: str, shown: str) -> None:
    """0 <= K < N."""
    with pytest.raises(ConfigError) as caught:
        parse_shard(text)
    assert str(caught.value) == f"--shard: K/N needs 0 <= K < N, not {shown}"


_IDS = st.sets(st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12), max_size=30)


@given(_IDS, st.integers(1, 8))
def test_shards_are_disjoint_and_together_everything(ids: set[str], count: int) -> None:
    """Each task belongs to exactly one of N processes, configured or discovered."""
    listed = [Task(task_id) for task_id in sorted(ids)]
    some = ", ".join(f"{{id: '{task_id}'}}" for task_id in [*sorted(ids)[:3], "configured"])
    watched = project(f"tasks: [{some}], discovery: {{}}")
    parts = [select(watched, listed, Shard(index, count)) for index in range(count)]
    assert Counter(key for part in parts for key in part) == Counter({*ids, "configured"})
    assert {key: value for part in parts for key, value in part.items()} == select(watched, listed, WHOLE)


def test_one_shard_more_moves_only_what_it_takes() -> None:
    """Rendezvous hashing: a fifth of the tasks goes to the fifth process, none between the others."""
    ids = [f"task-{number}" for number in range(2000)]
    before = {key: [Shard(n, 4).holds("prod", key) for n in range(4)].index(True) for key in ids}
    after = {key: [Shard(n, 5).holds("prod", key) for n in range(5)].index(True) for key in ids}
    moved = [key for key in ids if before[key] != after[key]]
    assert {after[key] for key in moved} == {4}
    assert 320 < len(moved) < 480
    assert all(420 < number < 580 for number in Counter(before.values()).values())


def test_the_place_of_a_task_is_the_same_in_every_process() -> None:
    """No seed of a process comes in, and projects with equal ids are spread each by itself."""
    places = [
        [Shard(n, 4).holds(name, "8d2e") for n in range(4)].index(True) for name in ("a", "b", "c", "d")
    ]
    assert places == [3, 2, 3, 1]
