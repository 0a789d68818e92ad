"""`--web.config.file`: which texts are taken, and which are refused at which key."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import bcrypt
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.serving.webconfig import WebConfig, parse_web_config
from tests.programs import require_program
from tests.serving.certificates import server_certificate, write_pair

FOLDER = Path("/etc/exporter")
HASH = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze"
TLS = "tls_server_config: {cert_file: server.crt, key_file: /keys/server.key%s}"

EMPTY = "{http_server_config: {headers: }, basic_auth_users: }"


def parse(text: str) -> WebConfig:
    """Parse as if from a file in FOLDER."""
    return parse_web_config(text, FOLDER)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "{}", "tls_server_config:", "tls_server_config: {}", EMPTY]
)
def test_an_empty_file_asks_for_nothing(text: str) -> None:
    """An empty file, or an empty section, is valid: no TLS, no passwords, no headers."""
    config = parse(text)
    assert config.tls_server_config is None
    assert config.basic_auth_users == {}
    assert config.headers == {}


def test_the_whole_format() -> None:
    """Every key that can be honoured is taken; relative paths begin at the file's folder."""
    config = parse(
        TLS % ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert, min_version: TLS13"
        + "\nhttp_server_config: {http2: false, headers: {X-Frame-Options: deny, X-XSS-Protection: '1'}}"
        + f"\nbasic_auth_users: {{alice: '{HASH}'}}"
    )
    tls = config.tls_server_config
    assert tls is not None
    assert tls.cert_file == FOLDER / "server.crt"
    assert tls.key_file == Path("/keys/server.key")
    assert tls.client_ca_file == FOLDER / "ca.crt"
    assert tls.min_version == "TLS13"
    assert config.headers == {"X-Frame-Options": "deny", "X-XSS-Protection": "1"}
    assert config.basic_auth_users["alice"].get_secret_value() == HASH


def test_the_highest_cost_is_the_toolkits() -> None:
    """A check takes some 20 s at 18; 19 is refused below."""
    assert parse(f"basic_auth_users: {{alice: '{HASH.replace('$10', '$18')}'}}").basic_auth_users


def test_defaults_are_the_toolkits() -> None:
    """TLS 1.2 and no client certificate where nothing is said."""
    tls = parse(TLS % "").tls_server_config
    assert tls is not None
    assert (tls.min_version, tls.client_auth_type, tls.client_ca_file) == ("TLS12", "NoClientCert", None)


def test_the_five_headers_of_the_toolkit() -> None:
    """These five can be set; a blank value leaves one unset."""
    fields = {
        "Content-Security-Policy": "default-src 'self'",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "sameorigin",
        "X-XSS-Protection": "",
    }
    lines = "".join(f'    {name}: "{value}"\n' for name, value in fields.items())
    config = parse(f"http_server_config:\n  headers:\n{lines}")
    assert config.headers == {name: value for name, value in fields.items() if value}
    assert parse("http_server_config: {headers: {X-Frame-Options: ''}}").headers == {}


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("[]", "", "mapping of keys (tls_server_config"),
        ("5", "", "mapping of keys (tls_server_config"),
        ("tls_server_config: 5", "tls_server_config", "mapping"),
        ("tls_server_config: cert", "tls_server_config", "mapping"),
        ("tls_config: {}", "tls_config", "unknown key"),
        ("tls_server_config: []", "tls_server_config", "mapping"),
        ("tls_server_config: {cert_file: a}", "tls_server_config.key_file", "needed"),
        ("tls_server_config: {key_file: a}", "tls_server_config.cert_file", "needed"),
        ("tls_server_config: {cert_file: '', key_file: a}", "tls_server_config.cert_file", "file name"),
        (TLS % ", min_version: TLS11", "tls_server_config.min_version", "TLS12"),
        (TLS % ", min_version: 1.2", "tls_server_config.min_version", "TLS12"),
        (TLS % ", client_auth_type: RequestClientCert", "tls_server_config.client_auth_type", "NoClientCert"),
        (
            TLS % ", client_auth_type: RequireAndVerifyClientCert",
            "tls_server_config.client_ca_file",
            "needed",
        ),
        (TLS % ", client_ca_file: ca", "tls_server_config.client_auth_type", "RequireAndVerifyClientCert"),
        ("http_server_config: {http2: true}", "http_server_config.http2", "HTTP/2"),
        ("http_server_config: {http2: 'yes'}", "http_server_config.http2", "true or false"),
        ("http_server_config: {headers: []}", "http_server_config.headers", "mapping"),
        ("http_server_config: {headers: {Server: x}}", "http_server_config.headers.Server", "cannot be set"),
        (
            "http_server_config: {headers: {X-Frame-Options: DENY}}",
            "http_server_config.headers.X-Frame-Options",
            "deny or sameorigin",
        ),
        (
            "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
            "http_server_config.headers.X-Content-Type-Options",
            "nosniff",
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nSet-Cookie: a=b"}}',
            "http_server_config.headers.X-XSS-Protection",
            "ASCII",
        ),
        (
            "http_server_config: {headers: {X-XSS-Protection: 1}}",
            "http_server_config.headers.X-XSS-Protection",
            "ASCII",
        ),
        ("basic_auth_users: [alice]", "basic_auth_users", "mapping"),
        (f"basic_auth_users: {{1: '{HASH}'}}", "basic_auth_users.1", "quotes"),
        ("basic_auth_users: {'alice:hunter2': ''}", "basic_auth_users.alice…", "colon"),
        (
            "http_server_config: {headers: {'X-Key: a': x}}",
            "http_server_config.headers.X-Key…",
            "cannot",
        ),
        (f"basic_auth_users: {{'': '{HASH}'}}", "basic_auth_users.", "colon"),
        (f"basic_auth_users: {{'a:b': '{HASH}'}}", "basic_auth_users.a…", "colon"),
        (f'basic_auth_users: {{"a\\nb": "{HASH}"}}', "basic_auth_users.a…", "control"),
        ("basic_auth_users: {alice: null}", "basic_auth_users.alice", "bcrypt"),
        ("basic_auth_users: {alice: hunter2}", "basic_auth_users.alice", "bcrypt"),
        (f"basic_auth_users: {{alice: '{HASH[:-1]}'}}", "basic_auth_users.alice", "bcrypt"),
        (f"basic_auth_users: {{alice: '{HASH.replace('$10', '$03')}'}}", "basic_auth_users.alice", "cost"),
        (f"basic_auth_users: {{alice: '{HASH.replace('$10', '$19')}'}}", "basic_auth_users.alice", "cost"),
        (f"basic_auth_users: {{a: '{HASH}', a: '{HASH}'}}", "basic_auth_users.a", "twice"),
        ("{", "", "not YAML"),
    ],
)
def test_what_cannot_be_used_is_an_error_at_its_key(text: str, key: str, reason: str) -> None:
    """A wrong key or value is refused with its path and the reason, never ignored."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.key == key
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "key",
    [
        "tls_server_config.cert",
        "tls_server_config.key",
        "tls_server_config.client_ca",
        "tls_server_config.client_allowed_sans",
        "tls_server_config.max_version",
        "tls_server_config.cipher_suites",
        "tls_server_config.prefer_server_cipher_suites",
        "tls_server_config.curve_preferences",
        "rate_limit",
    ],
)
def test_a_key_of_the_toolkit_that_cannot_be_honoured_is_an_error(key: str) -> None:
    """A security setting that this server cannot keep is refused by name, not ignored."""
    section, _, name = key.rpartition(".")
    text = TLS % f", {name}: anything" if section else f"{name}: {{interval: 1s}}"
    with pytest.raises(ConfigError, match="not supported by this exporter") as caught:
        parse(text)
    assert caught.value.key == key


@pytest.mark.parametrize("prefix", ["2a", "2b", "2x", "2y"])
def test_every_hash_that_is_taken_can_be_checked(prefix: str) -> None:
    """The hashes that are taken are those that the bcrypt library reads: a check never fails by its form."""
    hashed = bcrypt.hashpw(b"pw", bcrypt.gensalt(4)).decode().replace("$2b$", f"${prefix}$")
    parse(f"basic_auth_users: {{alice: '{hashed}'}}")
    assert bcrypt.checkpw(b"pw", hashed.encode())


@given(st.text("./Aeuz9", min_size=1, max_size=1))
def test_a_salt_that_the_library_refuses_is_refused_at_once(last: str) -> None:
    """A hash is taken exactly when the library can use its salt."""
    hashed = HASH.replace("$10$", "$04$")
    hashed = hashed[:28] + last + hashed[29:]
    try:
        bcrypt.checkpw(b"", hashed.encode())
    except ValueError:
        with pytest.raises(ConfigError):
            parse(f"basic_auth_users: {{alice: '{hashed}'}}")
    else:
        parse(f"basic_auth_users: {{alice: '{hashed}'}}")


def test_hashes_are_not_shown() -> None:
    """Neither the configuration's repr nor an error repeats a hash."""
    config = parse(f"basic_auth_users: {{alice: '{HASH}'}}")
    assert HASH not in repr(config)
    with pytest.raises(ConfigError) as caught:
        parse("basic_auth_users: {alice: canary-canary}")
    assert "canary" not in str(caught.value)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(HASH),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["tls_server_config", "cert_file", "key_file", "basic_auth_users", "headers", "http2", "x"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["tls_server_config", "http_server_config", "basic_auth_users"]), _VALUES)
)
def test_any_tree_is_taken_or_refused(tree: object) -> None:
    """Whatever the file holds, the answer is a configuration or a ConfigError."""
    with contextlib.suppress(ConfigError):
        parse(yaml.safe_dump(tree, allow_unicode=True))


@pytest.mark.real
@pytest.mark.parametrize(
    ("text", "good"),
    [
        (
            TLS.replace("/keys/", "")
            % ", client_ca_file: server.crt, client_auth_type: RequireAndVerifyClientCert"
            + f"\nbasic_auth_users: {{alice: '{HASH}'}}"
            + "\nhttp_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n",
            True,
        ),
        ("tls_server_config: {}", True),
        ("http_server_config: {headers: {X-Frame-Options: DENY}}", False),
        ("http_server_config: {headers: {Server: x}}", False),
        ("basic_auth_users: {alice: hunter2}", False),
        (TLS.replace("/keys/", "") % ", client_ca_file: server.crt", False),
        (TLS.replace("/keys/", "") % ", min_version: TLS9", False),
    ],
)
def test_the_toolkit_agrees(text: str, good: bool, tmp_path: Path) -> None:  # noqa: FBT001 - pytest's way
    """What is taken here passes `promtool check web-config`, and what that refuses is refused."""
    write_pair(tmp_path, server_certificate())
    file = tmp_path / "web.yml"
    file.write_text(text)
    checked = subprocess.run(
        [require_program("promtool"), "check", "web-config", str(file)], capture_output=True, check=False
    )
    assert (checked.returncode == 0) == good
    with contextlib.nullcontext() if good else pytest.raises(ConfigError):
        parse_web_config(text, tmp_path)
