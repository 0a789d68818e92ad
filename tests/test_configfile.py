"""The configuration file: each mistake with its one line, files that it names, and no secret in any error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.configfile import parse_config, read_config, secret_files
from exporter.errors import ConfigError
from tests.config import BASE

BAD = Path(__file__).parent / "config" / "bad"
CANARY = "hunter2"
MARK = "# error: "


def error_of(path: Path) -> str:
    """The error that a file gives."""
    with pytest.raises(ConfigError) as caught:
        read_config(path, {})
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yml")), ids=lambda path: path.stem)
def test_each_mistake_has_its_one_line(path: Path) -> None:
    """The first line of each file is its error: where, and why; the file's name comes before it."""
    first = path.read_bytes().partition(b"\n")[0].decode()
    assert first.startswith(MARK)
    expected = first.removeprefix(MARK).replace("FOLDER", str(BAD))
    assert error_of(path) == f"{path}: {expected}"
    assert CANARY not in expected
    assert "\n" not in error_of(path)


def test_every_bad_file_has_one_mistake_only() -> None:
    """The good part of the bad files is good: BASE, from which they differ."""
    assert parse_config(BASE, {}, BAD).projects[0].name == "prod"
    assert len(list(BAD.glob("*.yml"))) > 150


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """Windows' editors write one."""
    path = tmp_path / "config.yml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.encode())
    assert read_config(path, {}).projects[0].name == "prod"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "latin-1"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    """UTF-8 is what YAML files are written in."""
    path = tmp_path / "config.yml"
    path.write_bytes(f"# ä\n{BASE}".encode(encoding))
    assert re.search(r": not UTF-8 \(byte \d+\)$|does not allow \(line 1\)$", error_of(path))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """It does not exist, it is a folder, its name is none."""
    path = tmp_path / "none.yml"
    assert error_of(path) == f"{path}: cannot read {path}: No such file or directory"
    assert error_of(tmp_path) == f"{tmp_path}: cannot read {tmp_path}: Is a directory"
    assert error_of(Path("a\0b")).endswith("not a file name")


def test_files_are_relative_to_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to where the command was started, as in Prometheus."""
    monkeypatch.chdir("/")
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "ca.pem").write_text("x")
    (tmp_path / "token").write_text("x")
    text = BASE.replace("{token: hunter2}", "{token_file: ../token}").replace(
        "    auth", "    ca_file: ca.pem\n    auth"
    )
    (folder / "config.yml").write_text(text)
    only = read_config(folder / "config.yml", {}).projects[0]
    assert only.ca_file == folder / "ca.pem"
    monkeypatch.chdir(folder)
    assert read_config(Path("config.yml"), {}).projects[0].ca_file == Path("ca.pem")
    (tmp_path / "token").unlink()
    assert error_of(folder / "config.yml") == (
        f"{folder}/config.yml: projects[0].auth.token.token_file: "
        f"cannot read {folder}/../token: No such file or directory"
    )


def test_an_empty_secret_file_is_an_error(tmp_path: Path) -> None:
    """A mounted secret with nothing in it would only be refused later, by the cloud."""
    path = tmp_path / "config.yml"
    path.write_text(BASE.replace("{token: hunter2}", "{token_file: token}"))
    for content in (b"", b"\n", b" \t\r\n"):
        (tmp_path / "token").write_bytes(content)
        assert error_of(path).endswith(f"token.token_file: {tmp_path}/token is empty")
    (tmp_path / "token").write_bytes(b"abc\n")
    assert read_config(path, {}).projects[0].auth.token is not None


def test_all_secret_files_are_known_by_their_keys(tmp_path: Path) -> None:
    """So that a reload can check each of them."""
    text = """
projects:
  - name: a
    region: r
    proxy_url_file: proxy
    auth: {aksk: {access_key_file: ak, secret_key_file: sk, security_token_file: st}}
    discovery: {}
  - {name: b, region: r, auth: {password: {domain_name: d, user_name: u, password_file: pw}}, discovery: {}}
  - {name: c, region: r, project_id: a, auth: {token: {token_file: tk}}, discovery: {}}
  - {name: d, region: r, auth: {metadata: {}}, discovery: {}}
  - {name: e, region: r, project_id: a, auth: {token: {token: x}}, discovery: {}}
"""
    assert secret_files(parse_config(text, {}, tmp_path)) == [
        ("projects[0].auth.aksk.access_key_file", tmp_path / "ak"),
        ("projects[0].auth.aksk.secret_key_file", tmp_path / "sk"),
        ("projects[0].auth.aksk.security_token_file", tmp_path / "st"),
        ("projects[0].proxy_url_file", tmp_path / "proxy"),
        ("projects[1].auth.password.password_file", tmp_path / "pw"),
        ("projects[2].auth.token.token_file", tmp_path / "tk"),
    ]


# No secret in any error

TEMPLATES = {
    "token": "auth: {token: {token: §}}",
    "password": "auth: {password: {domain_name: d, user_name: u, password: §}}",
    "access_key": "auth: {aksk: {access_key: §, secret_key: s}}",
    "secret_key": "auth: {aksk: {access_key: a, secret_key: §}}",
    "security_token": "auth: {aksk: {access_key: a, secret_key: s, security_token: §}}",
    "proxy": "proxy_url: §\n    auth: {metadata: {}}",
    "proxy user": "proxy_url: 'http://user:§@proxy.example.com:3128'\n    auth: {metadata: {}}",
    "endpoint user": "endpoint: 'https://user:§@example.com'\n    auth: {metadata: {}}",
    "block": "auth:\n      token:\n        token: §",
    "lost": "auth:\n      token:\n        token:\n        §",
    "misplaced": "auth: {token: §}",
    "worse": "auth: §",
    "metadata": "auth: {metadata: {endpoint: 'http://user:§@h'}}",
}
SHAPES = [
    "§",
    "*§",
    "&§",
    "&§ x",
    "!§ x",
    "!!§ x",
    "!<§> x",
    "!<%3C§%3E> x",
    "!<tag:yaml.org,2002:§> x",
    "!x!§ y",
    "!!bool §",
    "!!int §",
    "!!float §",
    "!!timestamp §",
    "!!binary §",
    "!!null §",
    "!!set {§}",
    "!!omap [§]",
    "[§]",
    "[§",
    "{§}",
    "{§",
    "{§: x}",
    "{x: §}",
    "{§: 1, §: 2}",
    "{? § : x}",
    "{? [§] : x}",
    "'§",
    "'§'x",
    '"§',
    '"\\§"',
    '"\\ud800§"',
    "|§",
    "| §",
    ">§\n",
    "%§",
    "`§",
    "-§",
    "- §",
    "§: x",
    "x: §",
    "§: §: §",
    "#§",
    "x #§",
    "${§",
    "${§ x}",
    "$${§}",
    "§$",
    "§\0",
    "§\x07",
    "§\n§",
    "§\n\t§",
    "§\n: x",
    "§'§\"§",
    "2024-13-45 §",
    "§ " * 3,
    "http://§:§@§",
    "http://§@h/§",
    "http://§:§@[",
    "socks5://§:§@h",
]


def load_with(key: str, shape: str) -> list[ConfigError]:
    """The errors of files in which the canary stands in `shape` under `key`; no good one may show it."""
    text = BASE.replace("auth: {token: {token: hunter2}}", TEMPLATES[key].replace("§", shape, 1))
    errors = []
    for whole in (text, text.replace("tasks:", "tasksss:"), text.replace("region:", "regio:")):
        try:
            config = parse_config(whole.replace("§", CANARY), {}, BAD)
        except ConfigError as error:
            errors += [error, error.located("config.yml")]
        else:
            assert CANARY not in f"{config} {config!r} {config.projects[0].auth.method!r}", (key, shape)
    return errors


def check_silent(error: ConfigError) -> None:
    """Assert that an error shows keys, as far as they are words, and variables' names, but no values."""
    assert re.fullmatch(r"[\w.\[\]…-]*", error.key)
    reason = error.reason.replace(f"the environment variable {CANARY} is not set", "")
    assert CANARY not in reason
    assert str(error) == ": ".join(part for part in (error.source, error.key, error.reason) if part)
    assert error.__cause__ is None


@pytest.mark.parametrize("key", TEMPLATES)
def test_no_error_repeats_a_secret(key: str) -> None:
    """Whatever YAML makes of what stands where a secret belongs: alias, tag, list, mapping, open quote."""
    errors = [error for shape in SHAPES for error in load_with(key, shape)]
    assert len(errors) > len(SHAPES)
    for error in errors:
        check_silent(error)


_PIECES = st.sampled_from([*"{}[]&*!|>'\"%`?:,-# \n\t\\$@/", "<<: ", "!!", ": ", "${", "~", "yes", "1", "é"])


@given(
    st.sampled_from(sorted(TEMPLATES)),
    st.lists(_PIECES, max_size=4).map("".join),
    st.lists(_PIECES, max_size=4).map("".join),
)
@example("token", "!<%3C", "%3E> x")
@example("password", "*", "")
@example("endpoint user", "/", "")
def test_no_characters_around_a_secret_bring_it_out(key: str, before: str, after: str) -> None:
    """The same with what nobody thought of."""
    for error in load_with(key, f"{before}§{after}"):
        check_silent(error)
