"""exporter.metricstore: whatever comes and goes, what is kept is what a render of everything would give."""

from __future__ import annotations

import gzip
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exporter import gzipping
from exporter.catalog import LAST_POLL
from exporter.metricstore import Key, MetricStore
from exporter.negotiation import Format
from exporter.rendering import END, Chunks, render_task
from exporter.state import TaskState
from tests.states import task_state, task_states
from tests.vanilla import vanilla_body


def lines(text: bytes) -> list[bytes]:
    """The lines in an order of their own: the order of tasks in a family is not promised."""
    return sorted(text.splitlines())


@given(st.lists(task_states(), max_size=4, unique_by=lambda state: (state.project, state.task_id)))
def test_hostile_names_change_nothing(states: list[TaskState]) -> None:
    """Whatever names hold, the body is the client library's."""
    store = MetricStore()
    store.update({(state.project, state.task_id): render_task(state) for state in states})
    for form in Format:
        text = b"".join(store.identity(form)) + END[form]
        assert sorted(text.split(b"\n")) == sorted(vanilla_body(states, form).split(b"\n"))


Change = tuple[str, int, float]


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "touch", "remove"]), st.integers(0, 120), st.floats(1, 2e9)),
        max_size=60,
    ),
    st.integers(1, 5),
)
def test_whatever_changes_the_kept_body_is_a_fresh_render(changes: list[Change], batches: int) -> None:
    """Tasks come, change, are touched and go, in batches: compressed and plain bodies stay the truth."""
    store, known = MetricStore(), dict[str, TaskState]()
    for start in range(batches):
        put: dict[Key, Chunks | None] = {}
        touched: dict[Key, float] = {}
        for kind, number, value in changes[start::batches]:
            key = ("prod", f"t{number}")
            if kind == "put":
                state = task_state(task_id=key[1], grace=value, last_poll=1.0)
                known[key[1]], put[key] = state, render_task(state)
                touched.pop(key, None)
            elif kind == "remove":
                known.pop(key[1], None)
                put[key] = None
                touched.pop(key, None)
            elif key[1] in known:
                known[key[1]] = replace(known[key[1]], last_poll=value)
                touched[key] = value
        before = store.identity(Format.TEXT)
        changed = store.update(put)
        changed |= store.touch(touched)
        assert changed == (b"".join(before) != b"".join(store.identity(Format.TEXT)))
        fresh = lines(vanilla_body(known.values(), Format.TEXT))
        assert lines(b"".join(store.identity(Format.TEXT))) == fresh
        member = gzipping.finish(store.compressed(Format.TEXT), gzipping.EMPTY)
        assert lines(gzip.decompress(b"".join(member))) == fresh


def test_the_order_does_not_depend_on_how_tasks_came() -> None:
    """A restart, and tasks that come one by one or at once, give the same bytes whenever asked for."""
    states = [
        task_state(task_id=f"t{number:03}", grace=float(number), found=number >= 100) for number in range(200)
    ]
    rendered: dict[Key, Chunks | None] = {(s.project, s.task_id): render_task(s) for s in states}
    at_once, one_by_one = MetricStore(), MetricStore()
    at_once.update(rendered)
    for key, chunks in reversed(rendered.items()):
        one_by_one.update({key: chunks})
        one_by_one.compressed(Format.TEXT)
    assert at_once.identity(Format.TEXT) == one_by_one.identity(Format.TEXT)
    assert at_once.compressed(Format.TEXT) == one_by_one.compressed(Format.TEXT)


def test_buckets_grow_with_the_tasks() -> None:
    """A changed task costs no more among many than among few: at most 48 to a bucket, on the average."""
    store = MetricStore()
    for first in range(0, 2000, 250):
        store.update(
            {
                (state.project, state.task_id): render_task(state)
                for state in (task_state(task_id=f"t{first + n}") for n in range(250))
            }
        )
    sizes = [len(bucket.keys) for bucket in store._buckets]
    assert (len(sizes), sum(sizes)) == (64, 2000)
    assert max(sizes) < 2 * 48


def test_a_poll_of_a_task_that_shows_none_changes_nothing() -> None:
    """It is gone, or it does not exist upstream."""
    store = MetricStore()
    store.update({("prod", "t1"): render_task(task_state(task_id="t1", found=False))})
    before = store.identity(Format.TEXT)
    assert not store.touch({("prod", "t1"): 5.0, ("prod", "t2"): 5.0})
    assert store.identity(Format.TEXT) == before


def test_an_unchanged_family_keeps_its_compressed_part() -> None:
    """A poll that changed nothing else costs the compression of one family of one bucket."""
    store = MetricStore()
    states = [task_state(task_id=f"t{number:03}", last_poll=1.0) for number in range(200)]
    store.update({(s.project, s.task_id): render_task(s) for s in states})
    store.compressed(Format.TEXT)
    parts = [list(bucket.parts) for bucket in store._buckets]
    assert store.touch({("prod", "t007"): 2.0})
    store.compressed(Format.TEXT)
    after = [list(bucket.parts) for bucket in store._buckets]
    changed = [(b, f) for b, of in enumerate(parts) for f, part in enumerate(of) if after[b][f] is not part]
    assert [family for _, family in changed] == [LAST_POLL]
