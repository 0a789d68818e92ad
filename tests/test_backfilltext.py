"""A task's past as OpenMetrics: in the format's order, dense enough, and right at every second."""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.backfill import LOOK_BACK_SECONDS, Replay, replay
from exporter.backfilltext import DAY_SECONDS, EOF_LINE, FAMILIES, LEFT_OUT, day_lines, header
from exporter.catalog import TASK_METRICS
from exporter.rendering import render_task
from tests.pasts import DAY, MIDNIGHT, NINE, Truth, config, past, run, truths

CONFIG = config()
Samples = dict[str, list[tuple[int, str]]]


def replayed(*runs: Truth) -> Replay:
    """The past of a task with these runs."""
    return replay(past(runs, CONFIG), CONFIG, 0.0)


def samples(lines: tuple[bytes, ...]) -> Samples:
    """By series: its timestamps and values, in the order of the text."""
    found: Samples = {}
    for line in b"".join(lines).decode().splitlines():
        series, value, time = line.rsplit(" ", 2)
        found.setdefault(series, []).append((int(time), value))
    return found


def test_a_day_reads_like_this() -> None:
    """A sample at each step and at each change; the literal lines of two families."""
    lines = day_lines(replayed(run(NINE + 5.5)), NINE - 500, NINE + 500, 240)
    text = dict(zip((family.name for family in FAMILIES), lines, strict=True))
    labels = '{project="prod",task_id="8d2e",task_name="nightly stop"}'
    running = "workspace_task_running_runs" + labels
    assert text["workspace_task_running_runs"].decode().splitlines() == [
        f"{running} 0.0 {NINE}",
        f"{running} 1.0 {NINE + 6}",
        f"{running} 0.0 {NINE + 126}",
        f"{running} 0.0 {NINE + 240}",
        f"{running} 0.0 {NINE + 480}",
    ]
    success = f'workspace_task_runs_total{{project="prod",status="success",{labels[16:]}'
    assert [
        line for line in text["workspace_task_runs_total"].decode().splitlines() if "success" in line
    ] == [
        f"{success} 0.0 {NINE}",
        f"{success} 0.0 {NINE + 6}",
        f"{success} 1.0 {NINE + 126}",
        f"{success} 1.0 {NINE + 240}",
        f"{success} 1.0 {NINE + 480}",
    ]


def test_the_format_is_openmetrics() -> None:
    """The reference parser takes a whole day: families in one piece, counters named as such."""
    lines = day_lines(replayed(run(NINE), run(NINE + 3600.0, "FAIL")), MIDNIGHT, MIDNIGHT + DAY, 240)
    parts = [header(family) + text for family, text in zip(FAMILIES, lines, strict=True)]
    text = (b"".join(parts) + EOF_LINE).decode()
    families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    assert {family.type for family in families if family.samples} == {"gauge", "counter"}
    assert [family.name for family in families] == [family.name.removesuffix("_total") for family in FAMILIES]


@settings(max_examples=15)
@given(
    truths(),
    st.sampled_from([97, 240, 299]),
    st.lists(st.integers(NINE, NINE + DAY), min_size=1, max_size=20),
)
def test_a_look_at_any_second_finds_that_second_s_values(
    runs: list[Truth], step: int, moments: list[int]
) -> None:
    """Within the look-back, over days and their seams, each series shows what was true."""
    source = replay(past(runs, CONFIG), CONFIG, 0.0)
    series: Samples = {}
    for start in range(MIDNIGHT, MIDNIGHT + 2 * DAY, DAY):
        for name, found in samples(day_lines(source, start, start + DAY, step)).items():
            series.setdefault(name, []).extend(found)
    for found in series.values():
        times = [time for time, _ in found]
        assert times == sorted(set(times))
    left_out = tuple(f"{name}{{" for name in LEFT_OUT)
    for moment in moments:
        if moment < source.first_start:
            continue
        for line in b"".join(render_task(source.state_at(moment))).decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(left_out):
                continue
            place = bisect_right(series[name], moment, key=lambda sample: sample[0]) - 1
            time, shown = series[name][place]
            assert (shown, moment - time < LOOK_BACK_SECONDS) == (value, True)


def test_a_day_s_text_does_not_depend_on_where_the_whole_began() -> None:
    """The grid begins anew with each UTC day, so that a resumed backfill goes on with the same samples."""
    source = replayed(run(NINE))
    whole = samples(day_lines(source, NINE + 130, MIDNIGHT + DAY, 7 * 37))
    part = samples(day_lines(source, NINE + 1000, MIDNIGHT + DAY, 7 * 37))
    assert part == {
        name: [(NINE + 1000, found[-1][1]), *(each for each in found if each[0] > NINE + 1000)]
        for name, found in whole.items()
    }
    assert {time for found in part.values() for time, _ in found} == {
        NINE + 1000,
        *(time for time in range(MIDNIGHT, MIDNIGHT + DAY, 259) if time > NINE + 1000),
    }


def test_a_stretch_shorter_than_the_step_has_a_sample() -> None:
    """The last look before live data, or a beginning just before midnight."""
    found = samples(day_lines(replayed(run(NINE)), MIDNIGHT + DAY - 5, MIDNIGHT + DAY, 240))
    assert {time for each in found.values() for time, _ in each} == {MIDNIGHT + DAY - 5}


def test_samples_begin_one_step_before_the_first_run_and_never_without_one() -> None:
    """Counters start at 0 there; of the time before nothing tells whether the task existed."""
    found = samples(day_lines(replayed(run(NINE + 1.0)), MIDNIGHT, MIDNIGHT + DAY, 240))
    assert min(time for each in found.values() for time, _ in each) == NINE
    counters = [each[0] for name, each in found.items() if "_total" in name]
    assert counters == [(NINE, "0.0")] * 8
    for source in (replayed(), replayed(run(NINE + 9.0 * DAY))):
        assert set(day_lines(source, MIDNIGHT, MIDNIGHT + DAY, 240)) == {b""}


def test_a_run_at_midnight_belongs_to_the_day_it_begins() -> None:
    """Its sample is the first of that day, not one more of the day before."""
    source = replayed(run(NINE), run(MIDNIGHT + float(DAY)))
    name = (
        'workspace_task_last_start_timestamp_seconds{project="prod",task_id="8d2e",task_name="nightly stop"}'
    )
    one = samples(day_lines(source, MIDNIGHT, MIDNIGHT + DAY, 240))[name]
    two = samples(day_lines(source, MIDNIGHT + DAY, MIDNIGHT + 2 * DAY, 240))[name]
    assert (one[-1], two[0]) == (
        (MIDNIGHT + DAY - 240, "1.6724772e+09"),
        (MIDNIGHT + DAY, "1.6725312e+09"),
    )


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_exists_and_has_no_past(name: str) -> None:
    """Each name of the list is a live metric, and none of the families written."""
    assert name in {metric.name for metric in TASK_METRICS}
    assert name not in {family.name for family in FAMILIES}


def test_the_document_names_what_is_left_out() -> None:
    """The same metrics for the same reasons as the command tells."""
    text = (Path(__file__).parents[1] / "docs" / "backfill.md").read_text("utf-8")
    assert dict(re.findall(r"^\| `(workspace_task_\w+)` \| (.+) \|$", text, re.MULTILINE)) == LEFT_OUT


def test_all_else_that_tasks_have_is_written() -> None:
    """Over a day with a failed run, every family that is not left out has samples."""
    lines = day_lines(replayed(run(NINE, "FAIL", failed_num=3)), MIDNIGHT, MIDNIGHT + DAY_SECONDS, 240)
    empty = {family.name for family, text in zip(FAMILIES, lines, strict=True) if not text}
    assert not empty
    assert re.fullmatch(rb"# HELP \w+ .+\n# TYPE workspace_task_runs counter\n", header(FAMILIES[-2]))
