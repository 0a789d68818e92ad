"""Any text of a configuration: a configuration comes of it, or one line that says what is wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.config import Config
from exporter.configfile import parse_config
from exporter.errors import ConfigError
from exporter.serving.webconfig import WebConfig, parse_web_config
from tests.fuzz.profile import examples

MAIN = """\
projects:
  - name: prod
    region: cn-north-4
    project_id: 0a1b
    auth: {token: {token: canary-secret}}
    tasks: [{id: 8d2e, name: nightly stop, grace: 15m, max_duration: 2h}]
    discovery: {include: [".*"], exclude: ["test"]}
polling: {interval: 60s, refresh: 15m, timeout: 10s, concurrency: 8, requests_per_second: 10, history: 100}
defaults: {grace: 15m, max_duration: 2h}
statuses: {success: [SUCCESS, FINISH], failed: [FAIL]}
time_zone: UTC
"""
WEB = """\
tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS12}
http_server_config: {http2: false, headers: {X-Frame-Options: deny}}
basic_auth_users: {alice: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}
"""
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
_ODD = [
    *(
        "&a ",
        "*a",
        "<<: *a",
        "!!binary ",
        "!!python/object:os.system ",
        "!!set ",
        "!!timestamp ",
        "!!float ",
        "? ",
    ),
    *(
        "0x1F",
        "0o17",
        "1_000",
        "1:30:00",
        "12e03",
        ".inf",
        ".nan",
        "~",
        "null",
        "yes",
        "2001-12-14",
        "1" * 5000,
    ),
    *(
        "${UNSET}",
        "${HOME}",
        "$$",
        "${",
        "---\n",
        "...\n",
        "\t",
        "\u0000",
        "\ud7ff",
        "\ufeff",
        "\u2028",
        "# ",
    ),
    *("[" * 2000, "{a: " * 500, "- " * 2000, "'", '"', "|\n", ">-\n", "%YAML 9.9\n", "a" * 200_000, BOMB),
    *("(a+)+$", "[", "(?P<x>", "https://user:canary@x", "http://[::1", "0s", "-1s", "99999999999999999999d"),
]


def _mutations(text: str) -> st.SearchStrategy[str]:
    """Change a text in some places: a token replaced, a line doubled, dropped or put elsewhere."""
    tokens = re.split(r"(\s+|[:,\[\]{}])", text)
    places = st.integers(0, len(tokens) - 1)

    def change(edits: list[tuple[int, int, str]]) -> str:
        changed = list(tokens)
        for place, kind, odd in edits:
            changed[place] = {0: odd, 1: changed[place] * 2, 2: "", 3: changed[place] + odd}[kind]
        return "".join(changed)

    odd = st.sampled_from(_ODD) | st.text(max_size=12)
    return st.lists(st.tuples(places, st.integers(0, 3), odd), min_size=1, max_size=4).map(change)


def taken_or_refused(read: Callable[[], object]) -> object:
    """Return the configuration, or None after an error of one line without the canary; within seconds."""
    began = time.process_time()
    try:
        result = read()
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
        assert "canary" not in str(error)  # noqa: PT017 - both outcomes are right
        result = None
    assert time.process_time() - began < 5
    return result


def test_what_is_changed_is_good() -> None:
    """Both texts are configurations before anything is changed in them."""
    folder = Path("/nonexistent")
    assert parse_config(MAIN, {}, folder).projects[0].name == "prod"
    assert parse_web_config(WEB, folder).basic_auth_users


@examples(150)
@given(_mutations(MAIN))
@example(MAIN.replace("name: prod", "name: https://user:canary@x"))
def test_any_configuration(text: str) -> None:
    """No traceback, no secret in an error, no hang; what is put in a field that is no secret may show."""
    folder = Path("/nonexistent")
    result = taken_or_refused(lambda: parse_config(text, {"HOME": "/root"}, folder))
    if result is not None:
        assert isinstance(result, Config)
        assert "canary-secret" not in repr(result)


@examples(150)
@given(_mutations(WEB))
@example(WEB.replace("alice", "https://user:canary@x"))
@example(WEB.replace("X-Frame-Options", "https://user:canary@x"))
def test_any_web_configuration(text: str) -> None:
    """Likewise."""
    result = taken_or_refused(lambda: parse_web_config(text, Path("/nonexistent")))
    assert result is None or isinstance(result, WebConfig)


@pytest.mark.parametrize(
    "text", [BOMB, MAIN + BOMB, "x: " + "[" * 20_000, "x: " + "{a: " * 20_000, "- " * 50_000]
)
@pytest.mark.parametrize("read", ["main", "web"])
def test_bombs(text: str, read: str) -> None:
    """Aliases that unfold without end, and nesting without end, are refused in time that nobody notices."""
    folder = Path("/nonexistent")
    parse = {"main": lambda: parse_config(text, {}, folder), "web": lambda: parse_web_config(text, folder)}
    assert taken_or_refused(parse[read]) is None
