"""What a value of the configuration may be: variables read as YAML where the key takes no text."""

from __future__ import annotations

import pytest

from exporter.config import PasswordAuth, TokenAuth
from exporter.secrets import Secret
from tests.config import BASE, FOLDER, parse, refused


def test_variables_make_numbers_lists_and_mappings_where_the_key_takes_them() -> None:
    """A scalar that is only a variable is read as YAML."""
    environment = {
        "HISTORY": "50",
        "RATE": "0.5",
        "DETAILS": "false",
        "INTERVAL": "30s",
        "ZERO": "0",
        "INCLUDE": "[a, 'b.*']",
        "WORDS": "[OK]",
        "AUTH": "{token: {token: abc}}",
        "TASK": "{id: 8d2e, grace: 5m}",
        "POLLING": "{interval: 45s}",
    }
    config = parse(
        """
projects:
  - name: p
    region: cn-north-4
    project_id: a1
    auth: ${AUTH}
    tasks:
      - ${TASK}
    discovery:
      include: ${INCLUDE}
polling:
  interval: ${INTERVAL}
  history: ${HISTORY}
  requests_per_second: ${RATE}
  details: ${DETAILS}
defaults:
  grace: ${ZERO}
statuses:
  success: ${WORDS}
""",
        environment,
    )
    assert config.polling.model_dump(include={"interval", "history", "requests_per_second", "details"}) == {
        "interval": 30.0,
        "history": 50,
        "requests_per_second": 0.5,
        "details": False,
    }
    only = config.projects[0]
    assert config.defaults.grace == 0.0
    assert config.statuses.success == ("OK",)
    assert only.discovery is not None
    assert only.discovery.include == ("a", "b.*")
    assert only.tasks[0].grace == 300.0
    assert isinstance(only.auth.method, TokenAuth)
    assert only.auth.method.token_secret == Secret("abc")
    assert parse(f"{BASE}polling: ${{POLLING}}", environment).polling.interval == 45.0


@pytest.mark.parametrize(
    "value",
    [
        "12345",
        "yes",
        "null",
        "~",
        "#x",
        "a: b",
        "[1]",
        "{a: b}",
        "'quoted'",
        "1e3",
        "2024-12-24",
        "*x",
        "!x y",
        "x ",
        " x",
        "x\n",
        "a${B}",
        "$$",
        "0x1F",
        "ünï",
        "{{",
        "-",
    ],
)
def test_variables_stay_text_where_the_key_takes_text(value: str) -> None:
    """A password that looks like a number, a truth value or a list is still that password."""
    text = "{password: {domain_name: '${V}', user_name: '${V}', password: '${V}'}}"
    config = parse(
        BASE.replace("{token: {token: hunter2}}", text).replace("name: prod", "name: ${V}"), {"V": value}
    )
    only = config.projects[0]
    assert isinstance(only.auth.method, PasswordAuth)
    assert only.auth.method.password_secret == Secret(value)
    assert (only.auth.method.domain_name, only.auth.method.user_name) == (value, value)
    assert only.name == value


def test_variables_stay_text_in_lists_of_text_and_file_names() -> None:
    """Words and expressions in lists, ids, URLs, zones and file names are text too."""
    config = parse(
        BASE.replace("[{id: 8d2e}]", "[{id: '${N}', name: '${N}'}]")
        .replace("{token: hunter2}", "{token_file: '${N}'}")
        .replace("0a1b2c3d", "${N}")
        + "statuses: {success: ['${N}', 'x${N}']}\ntime_zone: ${Z}\n",
        {"N": "123", "Z": "GMT+8"},
    )
    only = config.projects[0]
    assert (only.project_id, only.tasks[0].id, only.tasks[0].name) == ("123", "123", "123")
    assert isinstance(only.auth.method, TokenAuth)
    assert only.auth.method.token_file == FOLDER / "123"
    assert config.statuses.success == ("123", "x123")
    assert config.time_zone == "GMT+8"


def test_a_variable_inside_a_text_is_only_text() -> None:
    """`5${UNIT}` is a text, whatever comes of it."""
    environment = {"UNIT": "m", "N": "0"}
    assert parse(f"{BASE}polling: {{interval: '5${{UNIT}}'}}", environment).polling.interval == 300.0
    assert refused(f"{BASE}polling: {{history: '5${{N}}'}}", environment) == (
        "polling.history: a whole number is expected"
    )


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("history", "many", "polling.history: a whole number is expected"),
        ("history", "", "polling.history: a whole number is expected"),
        ("history", "0", "polling.history: at least 1 is expected"),
        ("details", "perhaps", "polling.details: true or false is expected"),
        ("interval", "60", "polling.interval: a duration such as 90s, 15m or 1h30m is expected"),
        ("nonsense", "1", "polling.nonsense: unknown key"),
    ],
)
def test_a_variable_of_the_wrong_type_names_the_key(key: str, value: str, error: str) -> None:
    """The environment is no excuse."""
    assert refused(f"{BASE}polling: {{{key}: '${{V}}'}}", {"V": value}) == error


def test_a_section_in_a_variable_is_checked_like_any_other() -> None:
    """What is no mapping is said to be none."""
    assert refused(f"{BASE}polling: ${{P}}", {"P": "5"}) == "polling: a mapping of keys is expected"
    assert refused(f"{BASE}polling: ${{P}}", {"P": "{x: 5}"}) == "polling.x: unknown key"
