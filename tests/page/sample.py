"""An overview with every verdict, every run status and every kind of trouble, as of a fixed moment."""

from __future__ import annotations

from exporter.views import ErrorView, Overview, ProjectView, ResultView, RunView, TaskView, Verdict

NOW = 1_773_283_512.0
"""2026-03-12 02:45:12 UTC, a Thursday."""
DAY = 86_400.0
HOSTILE = "<script>window.pwned = 1</script>\"'><img src=x onerror=window.pwned=2>{{ 7 * 7 }}"
SHANGHAI = "Asia/Shanghai"

_LETTERS = {"s": "success", "p": "partial", "f": "failed", "k": "skipped", "u": "unknown", "r": "running"}
_TASK_CONFLICT = ResultView(
    "failed", "WKS.00090012", 3, "任务冲突", ("dev-pc-017", "dev-pc-018", "dev-pc-044")
)
_OFFLINE = ResultView(
    "failed", "WKS.00170001", 1, "The desktop agent did not answer within 600 s", ("dev-pc-102",)
)
_IN_USE = ResultView("skipped", "WKS.00090047", 1, "A user is connected", ("dev-pc-003",))


def runs(statuses: str, *, newest: float, every: float = DAY, desktops: int = 120) -> tuple[RunView, ...]:
    """Return runs oldest first; `statuses` has one letter for each, `newest` is the start of the last."""
    starts = [newest - every * back for back in range(len(statuses))][::-1]
    return tuple(
        _run(f"run-{int(start)}", start, _LETTERS[letter], desktops)
        for start, letter in zip(starts, statuses, strict=True)
    )


def _run(run_id: str, start: float, status: str, desktops: int) -> RunView:
    success, failed, skipped = {
        "success": (desktops, 0, 0),
        "partial": (max(0, desktops - 5), 4, 1),
        "failed": (0, desktops, 0),
        "skipped": (0, 0, desktops),
        "running": (desktops // 2, 0, 0),
    }.get(status, (None, None, None))
    results: tuple[ResultView, ...] = (_TASK_CONFLICT, _OFFLINE, _IN_USE) if status == "partial" else ()
    if status == "failed":
        results = (
            ResultView("failed", "WKS.00010014", desktops, "Quota exceeded", ("dev-pc-001", "dev-pc-002")),
        )
    word = {"unknown": "HALTED", "failed": "FAIL", "skipped": "SKIP"}.get(status, "SUCCESS")
    return RunView(
        run_id,
        start,
        status,
        word=word,
        success=success,
        failed=failed,
        skipped=skipped,
        duration=None if status in {"running", "unknown"} else 252.0 + 7 * desktops,
        results=results,
    )


def task(name: str, verdict: Verdict, statuses: str = "", **fields: object) -> TaskView:
    """Return a daily task whose newest run started at 18:00 UTC yesterday; `fields` are TaskView's."""
    history = runs(statuses, newest=NOW - 8.75 * 3600)
    finished = [run for run in history if run.status != "running"]
    values: dict[str, object] = {
        "project": "prod",
        "id": f"8d2e{abs(hash_of(name)):028x}",
        "task_type": "STOP",
        "scheduled_type": "DAY",
        "time_zone": SHANGHAI,
        "enabled": True,
        "runs": history,
        "last_run": finished[-1] if finished else None,
        "next_run": NOW + 15.25 * 3600,
        "last_poll": NOW - 21,
    }
    return TaskView(name=name, verdict=verdict, **{**values, **fields})  # type: ignore[arg-type] # fields vary


def hash_of(text: str) -> int:
    """Return a number that is the same in every process."""
    value = 0
    for char in text:
        value = (value * 131 + ord(char)) % (1 << 112)
    return value


REFUSED = ErrorView(
    "list_tasks: HTTP 401: APIGW.0301 Incorrect IAM authentication information: decrypt token fail",
    cause="The token has ended, or belongs to another region.",
    next_step="Renew the token, or use auth.password, which renews it by itself.",
    code="APIGW.0301",
    request_id="7b1f6c0e2d3a4b5c8d9e0f1a2b3c4d5e",
)
_READ_TIMEOUT = ErrorView(
    "list_records: no complete answer within 10 s", code="timeout", request_id="c0ffee00c0ffee00c0ffee00"
)

TASKS = (
    task(
        "nightly stop of developers' desktops",
        Verdict.FAILED,
        "ssssspsfff",
        reasons=(
            "The last run failed: all 120 desktops.",
            "3 runs in a row were unsuccessful; the last success was 4 days ago.",
        ),
        consecutive_unsuccessful=3,
    ),
    task(
        "weekly rebuild of the training room",
        Verdict.MISSED,
        "ssss",
        reasons=("No run has started since one was due at Thu 12 Mar, 09:00; 15 min are allowed.",),
        task_type="REBUILD",
        scheduled_type="WEEK",
        expected_run=NOW - 6_312,
    ),
    task(
        "morning start",
        Verdict.PARTIAL,
        "ssskssssp",
        reasons=("The last run failed on 4 of 120 desktops.",),
        task_type="START",
    ),
    task(
        "snapshot of finance desktops",
        Verdict.STUCK,
        "sssssssssr",
        reasons=("A run has been in progress for 8 h 45 min; 2 h are allowed.",),
        task_type="CREATE_SNAPSHOT",
        running_since=NOW - 8.75 * 3600,
    ),
    task(
        "old cleanup",
        Verdict.NOT_FOUND,
        reasons=("The task is configured but does not exist upstream.",),
        found=False,
        task_type="",
        scheduled_type="",
        next_run=None,
        enabled=None,
    ),
    task(
        "hibernate, Frankfurt",
        Verdict.STALE,
        "ssssssssss",
        project="emea-desktops",
        reasons=("Its runs were last read 1 d 2 h ago.",),
        task_type="HIBERNATE",
        time_zone="Europe/Berlin",
        stale=True,
        last_poll=NOW - 26 * 3600,
        poll_error=_READ_TIMEOUT,
    ),
    task(
        "script: rotate certificates",
        Verdict.NO_SUCCESS,
        "skkukk",
        task_type="EXECUTE_SCRIPT",
        reasons=("No run has succeeded in the last 2 periods.",),
    ),
    task(
        "reboot of kiosks",
        Verdict.SKIPPED,
        "ssssssskkk",
        task_type="REBOOT",
        consecutive_skipped=3,
        reasons=("The last 3 runs were skipped.",),
    ),
    task(
        "pilot: status words", Verdict.UNKNOWN, "ssu", reasons=("The last run has the status word HALTED.",)
    ),
    task(HOSTILE, Verdict.RUNNING, "ssssr", running_since=NOW - 700, id="hostile"),
    task(
        "after create",
        Verdict.PENDING,
        scheduled_type="LIFE_CYCLE",
        life_cycle_type="POST_CREATE_DESKTOP_SUCCESS",
        next_run=None,
        time_zone="",
        last_poll=None,
    ),
    task("first of the quarter", Verdict.NEVER_RAN, scheduled_type="MONTH", next_run=NOW + 300 * DAY),
    task("summer hours", Verdict.DISABLED, "sss", enabled=False, next_run=None),
    task("evening stop, Beijing", Verdict.OK, "ssssssssss"),
    task("evening stop, Santiago", Verdict.OK, "sskssssss", time_zone="America/Santiago"),
    task(
        "evening stop, " + "a very long name of a floor in a building " * 5,
        Verdict.OK,
        "s",
        time_zone="GMT+8",
    ),
)

PROJECTS = (
    ProjectView("prod", "cn-north-4", 14, 60.0, NOW - 21, NOW - 21, poll_ok=True),
    ProjectView(
        "emea-desktops", "eu-west-101", 1, 60.0, NOW - 44, NOW - 26 * 3600, poll_ok=False, error=REFUSED
    ),
    ProjectView("lab", "ap-southeast-1", 1, 300.0, None, None, poll_ok=None),
)

OVERVIEW = Overview(NOW, "0.1.0", PROJECTS, TASKS)


def many(count: int) -> Overview:
    """Return an overview of so many tasks, one in a hundred failed, of one project."""
    healthy = runs("ssssssssss", newest=NOW - 3600)
    failed = runs("sssssssssf", newest=NOW - 3600)
    tasks = tuple(
        TaskView(
            "prod",
            f"{number:032x}",
            f"task {number:05d}",
            Verdict.OK if number % 100 else Verdict.FAILED,
            reasons=() if number % 100 else ("The last run failed: all 120 desktops.",),
            task_type="STOP",
            scheduled_type="DAY",
            time_zone=SHANGHAI,
            enabled=True,
            runs=healthy if number % 100 else failed,
            last_run=(healthy if number % 100 else failed)[-1],
            next_run=NOW + 3600 + number,
            last_poll=NOW - 30,
        )
        for number in range(count)
    )
    return Overview(
        NOW, "0.1.0", (ProjectView("prod", "cn-north-4", count, 60.0, NOW - 5, NOW - 5, poll_ok=True),), tasks
    )
