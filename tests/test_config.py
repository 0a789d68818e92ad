"""The configuration's values: defaults, what each key takes, what contradicts what (contract, section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.config import AkskAuth, Config, MetadataAuth, PasswordAuth, TokenAuth
from exporter.configfile import validate
from exporter.errors import ConfigError
from exporter.secrets import Secret
from tests.config import BASE, FOLDER, parse, project

WHOLE = """
projects:
  - name: prod
    region: cn-north-4
    project_id: 0a1b
    endpoint: https://workspace.example.com/base/
    iam_endpoint: https://iam.example.com/
    ca_file: /etc/ssl/ca.pem
    proxy_url: http://user:secret@proxy.example.com:3128
    auth:
      password: {domain_name: dom, user_name: usr, password: pwd}
    tasks:
      - id: 8d2e_A-1
        name: nightly stop
        grace: 5m
        max_duration: 1h30m
    discovery:
      include: ["^prod-", night]
      exclude: [test]
  - name: staging
    region: eu-west-101
    proxy_from_environment: true
    auth:
      aksk: {access_key: ak, secret_key: sk, security_token: st}
    discovery: {}
  - name: edge
    endpoint: http://localhost:8080
    insecure_http: true
    project_id: 1c2d
    auth:
      metadata: {endpoint: http://192.0.2.1}
    discovery:
  - name: fixed
    region: ap-southeast-3
    project_id: 2e3f
    auth: {token: {token_file: token}}
    tasks: [{id: x}]
polling:
  interval: 30s
  refresh: 10m
  timeout: 5s
  concurrency: 4
  requests_per_second: 0.5
  history: 1000
  max_age: 1d
  details: false
  max_tasks: 50
defaults: {grace: 10m, max_duration: 1h}
statuses:
  success: [DONE]
  failed: [BROKEN, DEAD]
  skipped: []
  running: [BUSY]
time_zone: Asia/Shanghai
"""


def test_the_defaults_are_the_contract_s() -> None:
    """Literal values: what stands in the contract's example."""
    config = parse(BASE)
    assert config.polling.model_dump() == {
        "interval": 60.0,
        "refresh": 900.0,
        "timeout": 10.0,
        "concurrency": 8,
        "requests_per_second": 10.0,
        "history": 100,
        "max_age": 86_400.0,
        "details": True,
        "max_tasks": 20_000,
    }
    assert config.defaults.model_dump() == {"grace": 900.0, "max_duration": 7200.0}
    assert config.statuses.model_dump() == {
        "success": ("SUCCESS", "FINISH"),
        "failed": ("FAIL", "FAILED"),
        "skipped": ("SKIP", "SKIPPED"),
        "running": ("RUNNING", "WAITING", "INIT"),
    }
    assert config.time_zone == "UTC"
    only = config.projects[0]
    assert (only.insecure_http, only.proxy_from_environment, only.discovery) == (False, False, None)
    assert (only.ca_file, only.proxy_secret) == (None, None)
    assert only.tasks[0].model_dump() == {"id": "8d2e", "name": None, "grace": None, "max_duration": None}


def test_every_key_is_taken() -> None:
    """A file that sets each key once."""
    config = parse(WHOLE)
    prod, staging, edge, fixed = config.projects
    assert (prod.name, prod.region, prod.project_id) == ("prod", "cn-north-4", "0a1b")
    assert (prod.base_url, prod.iam_url) == ("https://workspace.example.com/base", "https://iam.example.com")
    assert prod.ca_file == Path("/etc/ssl/ca.pem")
    assert prod.proxy_secret == Secret("http://user:secret@proxy.example.com:3128")
    assert isinstance(prod.auth.method, PasswordAuth)
    assert (prod.auth.method.domain_name, prod.auth.method.user_name) == ("dom", "usr")
    assert prod.auth.method.password_secret == Secret("pwd")
    assert prod.tasks[0].model_dump() == {
        "id": "8d2e_A-1",
        "name": "nightly stop",
        "grace": 300.0,
        "max_duration": 5400.0,
    }
    assert isinstance(staging.auth.method, AkskAuth)
    assert staging.auth.method.access_key_secret == Secret("ak")
    assert staging.auth.method.secret_key_secret == Secret("sk")
    assert staging.auth.method.security_token_secret == Secret("st")
    assert staging.proxy_from_environment
    assert isinstance(edge.auth.method, MetadataAuth)
    assert edge.auth.method.endpoint == "http://192.0.2.1"
    assert (edge.base_url, edge.iam_url) == ("http://localhost:8080", None)
    assert isinstance(fixed.auth.method, TokenAuth)
    assert fixed.auth.method.token_secret == Secret(file=FOLDER / "token")
    assert config.polling.model_dump() == {
        "interval": 30.0,
        "refresh": 600.0,
        "timeout": 5.0,
        "concurrency": 4,
        "requests_per_second": 0.5,
        "history": 1000,
        "max_age": 86_400.0,
        "details": False,
        "max_tasks": 50,
    }
    assert config.defaults.model_dump() == {"grace": 600.0, "max_duration": 3600.0}
    assert config.statuses.model_dump() == {
        "success": ("DONE",),
        "failed": ("BROKEN", "DEAD"),
        "skipped": (),
        "running": ("BUSY",),
    }
    assert config.time_zone == "Asia/Shanghai"


@pytest.mark.parametrize("section", ["polling", "defaults", "statuses"])
def test_a_section_with_nothing_under_it_means_its_defaults(section: str) -> None:
    """`polling:` with all its keys commented out is what people leave behind."""
    assert parse(f"{BASE}{section}:\n") == parse(BASE)


def test_discovery_and_metadata_need_nothing_under_them() -> None:
    """`discovery:` alone takes every task, `metadata:` alone the usual service."""
    config = parse(
        "projects:\n- name: p\n  region: cn-north-4\n  auth:\n    metadata:\n  discovery:\n"
    ).projects[0]
    assert config.discovery is not None
    assert config.discovery.include == (".*",)
    assert isinstance(config.auth.method, MetadataAuth)
    assert config.auth.method.endpoint == "http://169.254.169.254"


@pytest.mark.parametrize(
    ("region", "workspace", "iam"),
    [
        (
            "cn-north-4",
            "https://workspace.cn-north-4.myhuaweicloud.com",
            "https://iam.cn-north-4.myhuaweicloud.com",
        ),
        (
            "eu-west-101",
            "https://workspace.eu-west-101.myhuaweicloud.eu",
            "https://iam.eu-west-101.myhuaweicloud.eu",
        ),
    ],
)
def test_the_region_gives_the_default_endpoints(region: str, workspace: str, iam: str) -> None:
    """The European site has another domain."""
    only = parse(BASE.replace("cn-north-4", region)).projects[0]
    assert (only.base_url, only.iam_url) == (workspace, iam)


# Names of tasks


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("prod-stop", True),
        ("my prod-stop", False),
        ("good night", True),
        ("prod-test", False),
        ("night test", False),
        ("other", False),
        ("NIGHT", False),
        ("", False),
    ],
)
def test_names_are_searched_for_the_expressions(name: str, *, chosen: bool) -> None:
    """One of `include` is found and none of `exclude`: searched, not matched whole."""
    discovery = parse(WHOLE).projects[0].discovery
    assert discovery is not None
    assert discovery.matches(name) is chosen


def test_everything_is_found_by_default() -> None:
    """`.*` finds the empty name too, and one of several lines."""
    discovery = project("{metadata: {}}").discovery
    assert discovery is not None
    assert all(discovery.matches(name) for name in ("", "a", "a\nb", "ä"))


def test_an_expression_that_may_change_its_meaning_is_taken_quietly() -> None:
    """Python warns of `[[`, on stderr and with the text; it works as it always did."""
    text = BASE.replace("tasks: [{id: 8d2e}]", "discovery: {include: ['[[a]']}")
    discovery = parse(text).projects[0].discovery
    assert discovery is not None
    assert discovery.matches("[")


def test_a_proxy_s_url_may_stand_in_a_file() -> None:
    """Its user part is a secret, so it has a sibling too."""
    assert project("{metadata: {}}", ", proxy_url_file: f").proxy_secret == Secret(file=FOLDER / "f")


def test_plain_http_needs_loopback_or_consent() -> None:
    """For both endpoints; `insecure_http` is the consent."""
    for key in ("endpoint", "iam_endpoint"):
        more = f", {key}: 'http://h.example.com'"
        with pytest.raises(ConfigError, match=rf"^projects\[0\]\.{key}: plain http would show"):
            project("{metadata: {}}", more)
        assert project("{metadata: {}}", f"{more}, insecure_http: true").name == "p"
        assert project("{metadata: {}}", f", {key}: 'http://127.0.0.1:1'").name == "p"


def test_what_is_no_mapping_is_no_configuration() -> None:
    """Also where it comes from elsewhere than a file."""
    with pytest.raises(ConfigError, match=r"^a mapping of keys is expected$"):
        validate(Config, ["projects"], FOLDER)


def test_a_configuration_cannot_be_changed() -> None:
    """It is handed to everybody."""
    config = parse(BASE)
    with pytest.raises(ValidationError):
        config.time_zone = "GMT"  # type: ignore[misc]


def test_no_secret_is_in_what_a_configuration_prints() -> None:
    """`repr`, `str`, a dump and its JSON, of the whole and of the secrets taken out."""
    canary = "hunter2-canary"
    text = WHOLE.replace("secret@", f"{canary}@")
    for secret in ("password: pwd", "access_key: ak", "secret_key: sk", "security_token: st"):
        text = text.replace(secret, f"{secret.split()[0]} {canary}")
    config = parse(text)
    prod, staging, *_ = config.projects
    assert prod.proxy_secret == Secret(f"http://user:{canary}@proxy.example.com:3128")
    assert isinstance(prod.auth.method, PasswordAuth)
    assert isinstance(staging.auth.method, AkskAuth)
    secrets = [
        prod.proxy_secret,
        prod.auth.method.password_secret,
        staging.auth.method.access_key_secret,
        staging.auth.method.secret_key_secret,
        staging.auth.method.security_token_secret,
    ]
    assert all(secret is not None and canary in (secret.value or "") for secret in secrets)
    for thing in (config, *secrets):
        assert canary not in f"{thing} {thing!r} {[thing]}"
    assert canary not in str(config.model_dump())
    assert canary not in config.model_dump_json()


def _sections(value: Any) -> st.SearchStrategy[Any]:
    """Anything that YAML can say."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
    return st.recursive(
        scalars | st.just(value) | st.binary(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["projects", "name", "auth", "token", "tasks", "id", "polling", "history"])
                | st.integers()
                | st.text(max_size=4),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )


@given(_sections({"token": {"token": "x"}}), st.sampled_from(sorted(Config.model_fields)))
def test_any_value_under_any_key_is_taken_or_refused_with_its_key(value: object, key: str) -> None:
    """No value gives anything but a configuration or one line that begins with the key."""
    values: dict[str, Any] = {
        "projects": [
            {
                "name": "p",
                "region": "r",
                "project_id": "a",
                "auth": {"token": {"token": "t"}},
                "tasks": [{"id": "x"}],
            }
        ]
    }
    try:
        validate(Config, {**values, key: value}, FOLDER)
    except ConfigError as error:
        assert str(error).startswith(key)  # noqa: PT017 - many values are good
        assert "\n" not in str(error)  # noqa: PT017
