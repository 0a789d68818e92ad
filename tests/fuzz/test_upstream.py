"""Whatever upstream answers: the cycle ends, nothing breaks, and a scrape can be read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.negotiation import Format
from tests.faults.between import LISTS, Twister, operation_of
from tests.faults.stage import EVENTS, INTERVAL, NIGHTLY, Stage, run, stage
from tests.faults.trial import check_well
from tests.fuzz.profile import examples
from tests.programs import require_program

READERS: dict[Format, Callable[[str], Iterable[Metric]]] = {
    Format.TEXT: text_string_to_metric_families,
    Format.OPENMETRICS: openmetrics.text_string_to_metric_families,
}
BROKEN = "a cycle broke off"
_TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        *("2025-06-15 16:10:00", "2025-06-15T16:10:00.000Z", "9999-12-31 23:59:59", "2025-02-30 00:00:00"),
        *("0001-01-01 00:00:00 GMT+14:00", "24:00:00", "23:59:60", "1,2,3,4,5,6,7", "L", "1,31,L", "0,13"),
        *("Asia/Shanghai", "GMT+8", "GMT+99:99", "Mars/Olympus", "../../etc/passwd", "UTC"),
        *("SUCCESS", "FAIL", "RUNNING", "skip", "DAY", "WEEK", "MONTH", "FIXED_TIME", "LIFE_CYCLE", "day"),
        *(
            'a"b\\c\nd',
            "\ud800",
            "\u0000",
            "\u2028",
            "{}",
            "<script>alert(1)</script>",
            "# EOF",
            NIGHTLY,
            EVENTS,
        ),
    ]
)
_NUMBERS = st.integers(-3, 40) | st.sampled_from([2**53, 2**63, -(2**63), 10**400]) | st.floats()
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    [
        *("id", "task_name", "task_type", "scheduled_type", "life_cycle_type", "time_zone", "last_status"),
        *("enable", "next_execution_time", "expire_time", "start_time", "end_time", "status", "success_num"),
        *("failed_num", "skip_num", "scheduled_time", "scheduled_date", "day_interval", "week_list"),
        *(
            "month_list",
            "date_list",
            "exec_status",
            "result_code",
            "fail_reason",
            "desktop_id",
            "desktop_name",
        ),
    ]
)
_CHANGES = st.dictionaries(_FIELDS, _VALUES, max_size=8)
_TWISTS = st.dictionaries(
    st.sampled_from(["list_tasks", "show_task", "list_records", "details"]),
    st.tuples(_CHANGES, st.none() | _VALUES, st.lists(_CHANGES | _VALUES, max_size=3)),
    min_size=1,
)
Twists = dict[str, tuple[dict[str, Any], Any, list[Any]]]


def twisted(twists: Twists, operation: str, tree: dict[str, Any]) -> object:
    """Change the fields of every row, and perhaps the total; add rows that never were."""
    if operation not in twists:
        return tree
    changes, total, rows = twists[operation]
    if operation not in LISTS:
        return {**tree, **changes}
    known = [{**row, **changes} for row in tree[LISTS[operation]]]
    copies = [{**known[0], **row} if known and isinstance(row, dict) else row for row in rows]
    return {
        **tree,
        LISTS[operation]: known + copies,
        "total_count": tree["total_count"] if total is None else total,
    }


async def check_readable(that: Stage) -> None:
    """Both formats can be read, and so can what the page is made from."""
    for form, read in READERS.items():
        text = b"".join(await that.daemon.metrics(form, False)).decode()
        assert len(list(read(text))) > 10
    await that.daemon.overview()


@examples(20)
@given(st.lists(_TWISTS, min_size=1, max_size=3))
@example([{"list_tasks": ({"expire_time": "2000-01-01 00:00:00"}, None, [])}])
@example([{"list_tasks": ({"enable": False}, None, [])}])
def test_any_tree(scenes: list[Twists]) -> None:
    """Trees of any content for some cycles each; after them, the truth is back within four cycles.

    Only an occurrence before what looked like an edit of the schedule does not count: the next one does.
    """

    async def main() -> None:
        twister = Twister()
        async with stage(between=twister.over, polling={"max_tasks": 60, "history": 20}) as that:
            await that.pass_time(2 * INTERVAL)
            for twists in scenes:
                twister.twist = lambda operation, tree, twists=twists: twisted(twists, operation, tree)
                that.plant("FAIL", 0.1)
                await that.pass_time(2 * INTERVAL)
                await check_readable(that)
            assert BROKEN not in [line["event"] for line in that.heard()]
            twister.twist = None
            await that.pass_time(4 * INTERVAL)
            check_well(await that.scrape(), expects=None)
            await that.until(14)
            check_well(await that.scrape())
            assert BROKEN not in [line["event"] for line in that.heard()]

    run(main())


_HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "date",
            "retry-after",
            "content-type",
            "content-encoding",
            "content-length",
            "location",
            "x-request-id",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
    | st.sampled_from(
        ["Sun, 15 Jun 2025 16:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "0", "-1", "1e9", "gzip"]
    ),
    max_size=4,
)
_BODIES = st.binary(max_size=60) | _VALUES.map(lambda value: json.dumps(value).encode("utf-8", "replace"))
_ANSWERS = st.tuples(st.integers(200, 599), _HEADERS, _BODIES)


class Answerer(httpx.AsyncBaseTransport):
    """Answers with what it is given, in turn; with the truth when that is used up."""

    def __init__(self) -> None:
        self.inner: httpx.AsyncBaseTransport | None = None
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def over(self, inner: httpx.AsyncBaseTransport) -> Answerer:
        """Stand before the cloud."""
        self.inner = inner
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        assert self.inner
        if not self.answers or operation_of(request) == "other":
            return await self.inner.handle_async_request(request)
        status, headers, body = self.answers.pop()

        async def chunks() -> Any:
            yield body

        return httpx.Response(status, headers=headers, content=chunks())


@examples(20)
@given(st.lists(_ANSWERS, min_size=1, max_size=12), st.sampled_from(["token", "password", "aksk"]))
def test_any_answer(answers: list[tuple[int, dict[str, str], bytes]], auth: str) -> None:
    """Any status, headers and body; no secret is told, and the truth is back when it ends."""

    async def main() -> None:
        answerer = Answerer()
        async with stage(auth=auth, between=answerer.over) as that:
            answerer.answers = list(answers)
            for _ in range(8):
                await that.pass_time(INTERVAL)
            await check_readable(that)
            heard = that.heard()
            assert BROKEN not in [line["event"] for line in heard]
            assert "demo-token" not in str(heard)
            assert "demo-password" not in str(heard)
            answerer.answers = []
            await that.pass_time(20 * INTERVAL)
            check_well(await that.scrape())

    run(main())


def rendered(names: list[str]) -> tuple[bytes, bytes]:
    """Return both formats of a scrape of tasks that have these names, types and zones."""

    async def main() -> tuple[bytes, bytes]:
        twister = Twister()
        async with stage(between=twister.over, polling={"details": False}) as that:

            def twist(operation: str, tree: dict[str, Any]) -> object:
                if operation == "list_tasks" and tree["scheduled_tasks"]:
                    row = tree["scheduled_tasks"][0]
                    rows = [
                        {**row, "id": f"{row['id']}-{number}", "task_name": name, "task_type": name}
                        for number, name in enumerate(names)
                    ]
                    return {"scheduled_tasks": rows, "total_count": len(rows)}
                return tree

            twister.twist = twist
            await that.pass_time(2 * INTERVAL)
            plain, modern = [
                b"".join(await that.daemon.metrics(form, False)) for form in (Format.TEXT, Format.OPENMETRICS)
            ]
            return plain, modern

    return run(main())


_NAMES = st.lists(_TEXTS | st.text(st.characters(), max_size=40), min_size=1, max_size=30)


@examples(20)
@given(_NAMES)
def test_any_name_in_a_label(names: list[str]) -> None:
    """What is read back from either format is the name, character for character, or its escaped half pair."""
    plain, modern = rendered(names)
    wanted = {name.encode("utf-8", "backslashreplace").decode() for name in names}
    for text, read in zip((plain, modern), READERS.values(), strict=True):
        samples = [sample for family in read(text.decode()) for sample in family.samples]
        found = {sample.labels["task_type"] for sample in samples if sample.name == "workspace_task_info"}
        assert found == wanted


@pytest.mark.real
@examples(3)
@given(_NAMES)
def test_promtool_has_no_complaint(names: list[str]) -> None:
    """Promtool reads a scrape with any names in it, and finds nothing to say."""
    promtool = require_program("promtool")
    plain, _ = rendered([*names, "".join(map(chr, range(1, 300)))])
    done = subprocess.run([promtool, "check", "metrics"], input=plain, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
