"""`check-config --probe` against the simulated cloud: what it found, and which permission is missing."""

from __future__ import annotations

import ssl
from collections import Counter
from pathlib import Path

import pytest

from exporter.cli.probe import Probe
from exporter.configfile import parse_config
from exporter.decode import Page
from exporter.records import Record, Schedule, Task
from exporter.simulator import plan as plans
from exporter.simulator.options import Options
from exporter.upstream.client import Client
from tests.cli.cloud import Cloud, Tree, cloud_in_thread, write_config
from tests.cli.conftest import Invoke
from tests.cli.hostile import hostile
from tests.cli.outcome import Outcome
from tests.serving.certificates import server_certificate

ACTIONS = {
    "list": "workspace:scheduledTasks:list",
    "show": "workspace:scheduledTasks:get",
    "records": "workspace:scheduledTasks:listRecords",
    "details": "workspace:scheduledTasks:getRecord",
}


CONFIG = """
projects:
  - {name: prod, region: cn-north-4, project_id: 0a1b, auth: {token: {token: hunter2}}, tasks: [{id: 8d2e}]}
"""


class _Colourful(Client):
    """A client whose upstream sends escape sequences."""

    def __init__(self) -> None:
        """Nothing is needed."""

    async def sign_in(self) -> str:
        """Be let in."""
        return "0a1b"

    async def list_tasks(self, offset: int, limit: int, *, life_cycle: bool = False) -> Page[Task]:
        """Show nothing."""
        del offset, limit, life_cycle
        return Page((), received=0, total=0, rejected=Counter())

    async def show_task(self, task_id: str) -> Schedule:
        """Show a coloured zone."""
        return Schedule(name=task_id, scheduled_type="DAY", time_zone="\x1b[31mred")

    async def list_records(self, task_id: str, offset: int, limit: int) -> Page[Record]:
        """Show nothing."""
        del task_id, offset, limit
        return Page((), received=0, total=0, rejected=Counter())


@pytest.fixture
def probe(invoke: Invoke, tmp_path: Path) -> Invoke:
    """Return what probes projects of the configuration."""

    def run(*projects: Tree, **sections: object) -> Outcome:
        polling = {"timeout": "1s", "requests_per_second": 0}
        path = write_config(tmp_path / "config.yml", *projects, **{"polling": polling, **sections})
        return invoke("check-config", path, "--probe")

    return run


@pytest.mark.parametrize("kind", ["token", "password", "aksk", "metadata"])
def test_a_good_project_in_each_way_to_sign_in(cloud: Cloud, probe: Invoke, kind: str) -> None:
    """Sign-in, both lists, schedule, records, details: each is asked once, and what came is told."""
    task = cloud.add_task()
    cloud.world.add_task(
        plans.triggered("POST_DESKTOP_DISCONNECTED"), cloud.service.clock.now(), name="after a login"
    )
    outcome = probe(cloud.project(kind))
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.strip() for line in outcome.out.splitlines()]
    assert lines[1:7] == [
        "",
        "project prod",
        f"sign-in: good, project_id {cloud.world.project.id}",
        "list of tasks: 1 task",
        "list of tasks: 1 triggered task",
        "selected: 2 tasks",
    ]
    assert lines[7:9] == [f"schedule of {task}: DAY in UTC", f"records of {task}: 3 of 3 read"]
    assert lines[9].startswith("details of the run of ")
    assert lines[9].endswith(": 10 of 10 desktops")
    operations = cloud.service.tally.operations
    assert operations["list_tasks"] == 2
    assert {operations[name] for name in ("show_task", "list_records", "list_record_details")} == {1}


@pytest.mark.parametrize("operation", ACTIONS)
def test_a_missing_permission_is_named(cloud: Cloud, probe: Invoke, operation: str) -> None:
    """Each operation's 403 names the action that the policy lacks, with upstream's code and request id."""
    cloud.add_task()
    cloud.service.faults.put(f"403@{operation}")
    outcome = probe(cloud.project())
    missing = f"the permission {ACTIONS[operation]} is missing"
    (line,) = [line for line in outcome.out.splitlines() if missing in line]
    assert f"\n    next step: Attach an identity policy that allows {ACTIONS[operation]} " in outcome.out
    assert "WKS.00010403" in line
    assert "request id" in line
    assert outcome.code == 1
    assert outcome.err == ""
    others = [action for action in ACTIONS.values() if action != ACTIONS[operation]]
    assert not any(f"the permission {action} is missing" in outcome.out for action in others)


def test_explicit_tasks_need_no_permission_to_list(cloud: Cloud, probe: Invoke) -> None:
    """It is named, and everything else is asked and good."""
    task = cloud.add_task("8d2e")
    cloud.service.faults.put("403@list")
    outcome = probe(cloud.project(tasks=[{"id": task}], discovery=None))
    assert outcome.code == 0
    assert f"the permission {ACTIONS['list']} is missing" in outcome.out
    assert f"records of {task}: 3 of 3 read" in outcome.out


@pytest.mark.parametrize(
    ("kind", "field", "reason"),
    [
        ("token", "token", "decrypt token fail"),
        ("password", "password", "The username or password is wrong"),
        ("aksk", "secret_key", "401"),
        ("aksk", "access_key", "The request you have made requires authentication"),
    ],
)
def test_wrong_credentials_are_told(cloud: Cloud, probe: Invoke, kind: str, field: str, reason: str) -> None:
    """The line says what upstream said, and shows none of the credentials."""
    auth = {**cloud.account[kind], field: "hunter2-the-wrong-one"}
    outcome = probe(cloud.project(kind, auth={kind: auth}))
    assert outcome.code == 1
    assert reason in outcome.out
    assert "hunter2" not in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


def test_a_wrong_password_is_sent_once(cloud: Cloud, probe: Invoke) -> None:
    """Accounts lock after a few."""
    auth = {"password": {**cloud.account["password"], "password": "wrong"}}
    assert probe(cloud.project("password", auth=auth)).code == 1
    assert cloud.service.tally.statuses["create_token", 401] == 1


def test_nobody_listens(cloud: Cloud, probe: Invoke) -> None:
    """A refused connection is told as one."""
    outcome = probe(cloud.project(endpoint="http://127.0.0.1:1"))
    assert outcome.code == 1
    assert "list of tasks: list_tasks: no connection: Connection refused" in outcome.out


def test_an_unknown_host(cloud: Cloud, probe: Invoke) -> None:
    """A name that nobody knows is told as one (RFC 6761: `.invalid` never exists)."""
    outcome = probe(cloud.project(endpoint="https://workspace.invalid"))
    assert outcome.code == 1
    assert "list of tasks: list_tasks: the host name cannot be resolved" in outcome.out


def test_a_certificate_that_nobody_signed(cloud: Cloud, probe: Invoke) -> None:
    """TLS to a host that does not prove who it is: the reason is OpenSSL's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_certificate().configure_cert(context)
    with hostile(context) as server:
        outcome = probe(cloud.project(endpoint=f"https://127.0.0.1:{server.port}"))
    assert outcome.code == 1
    assert "no secure connection: unable to get local issuer certificate" in outcome.out


def test_a_host_that_speaks_no_tls(cloud: Cloud, probe: Invoke) -> None:
    """`https` to a port that speaks plain HTTP."""
    port = cloud.url.rpartition(":")[2]
    outcome = probe(cloud.project(endpoint=f"https://127.0.0.1:{port}"))
    assert outcome.code == 1
    assert "no secure connection: " in outcome.out


def test_one_project_in_trouble_does_not_hide_another(cloud: Cloud, probe: Invoke) -> None:
    """Each is asked, and the exit code tells that one of them failed."""
    cloud.add_task()
    wrong = cloud.project(name="wrong", endpoint="http://127.0.0.1:1")
    outcome = probe(wrong, cloud.project(name="right"))
    assert outcome.code == 1
    assert "project wrong" in outcome.out
    assert "1 task" in outcome.out.partition("project right")[2]


def test_a_configured_task_that_does_not_exist(cloud: Cloud, probe: Invoke) -> None:
    """It is told, but is no failure: its alert is for that."""
    outcome = probe(cloud.project(tasks=[{"id": "ghost"}], discovery=None))
    assert outcome.code == 0
    assert "The scheduled task does not exist" in outcome.out


def test_a_discovery_that_fits_no_task_is_told(cloud: Cloud, probe: Invoke) -> None:
    """With some of the names there are, so that the expression can be mended."""
    cloud.add_task(name="nightly stop")
    outcome = probe(cloud.project(discovery={"include": ["^Nightly"]}))
    assert outcome.code == 0
    said = "nothing would be watched: `discovery` fits no name; there are: 'nightly stop'"
    assert f"selected: 0 tasks\n    {said}\n" in outcome.out


def test_malformed_records_are_counted_by_reason(cloud: Cloud, probe: Invoke) -> None:
    """What the exporter would leave out is told now."""
    task = cloud.add_task()
    cloud.service.faults.put("types@records:x1")
    outcome = probe(cloud.project())
    assert f"records of {task}: " in outcome.out or "records: " in outcome.out
    assert "Traceback" not in outcome.out + outcome.err


def test_a_page_that_is_no_json(cloud: Cloud, probe: Invoke) -> None:
    """A proxy's maintenance page instead of an answer is an error, not an empty list."""
    cloud.service.faults.put("html@list")
    outcome = probe(cloud.project())
    assert outcome.code == 1
    assert "list of tasks: list_tasks: " in outcome.out


def test_details_are_not_asked_for_where_they_are_switched_off(cloud: Cloud, probe: Invoke) -> None:
    """`details: false` needs no getRecord."""
    cloud.add_task()
    outcome = probe(cloud.project(), polling={"details": False})
    assert outcome.code == 0
    assert cloud.service.tally.operations["list_record_details"] == 0


def test_warnings_go_to_stderr(cloud: Cloud, probe: Invoke, tmp_path: Path) -> None:
    """A secret file that all may read is warned of beside the report, not in it."""
    secret = tmp_path / "password"
    secret.write_text(cloud.account["password"]["password"], "utf-8")
    secret.chmod(0o644)
    names = {key: value for key, value in cloud.account["password"].items() if key != "password"}
    outcome = probe(cloud.project("password", auth={"password": {**names, "password_file": str(secret)}}))
    assert outcome.code == 0
    assert outcome.err.count("\n") == 1
    assert "level=warning" in outcome.err
    assert str(secret) in outcome.err
    assert str(secret) not in outcome.out


def test_a_clock_that_is_far_off_is_named(probe: Invoke) -> None:
    """Signatures are refused from a quarter of an hour on: the likely cause is told."""
    with cloud_in_thread(Options(clock_skew=3600)) as cloud:
        outcome = probe(cloud.project())
    assert outcome.code == 1
    assert "clock" in outcome.out


async def test_what_upstream_says_cannot_command_the_terminal() -> None:
    """An escape sequence in a task's time zone is shown, not sent."""
    config = parse_config(CONFIG, {}, Path())
    said: list[str] = []
    assert await Probe(config.projects[0], config, _Colourful(), said.append).run()
    assert "  schedule of 8d2e: DAY in \\x1b[31mred" in said
    assert all(line.isprintable() for line in said)
