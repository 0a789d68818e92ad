"""The web configuration on disk: what is taken up when the files change, and what is passed by."""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from structlog.testing import capture_logs

from exporter.errors import ConfigError
from exporter.serving import websource
from exporter.serving.websource import WebConfigSource, WebSettings
from tests.serving.certificates import authority, server_certificate, write_pair

if TYPE_CHECKING:
    from pathlib import Path

HASH = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze"
OTHER = "$2y$10$hLqFl9jSjoAAy95Z/zw8Ye8wkdMBM8c5Bn1ptYqP/AXyV0.oy0S8m"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key%s}\n"
MUTUAL = TLS % ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A web configuration with TLS and one user, and the files it names."""
    write_pair(tmp_path, server_certificate())
    authority().cert_pem.write_to_path(tmp_path / "ca.crt")
    file = tmp_path / "web.yml"
    file.write_text(TLS % "" + f"basic_auth_users: {{alice: '{HASH}'}}\n")
    return file


def settle(source: WebConfigSource) -> WebSettings | None:
    """Look twice: the first look sees a change, the second that it has settled."""
    assert source.poll() is None
    return source.poll()


def serial(settings: WebSettings) -> int:
    """Return the serial number of the certificate that a context shows."""
    assert settings.tls is not None
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = settings.tls.wrap_bio(incoming, outgoing, server_side=True)
    context = ssl.create_default_context()
    authority().configure_trust(context)
    client = context.wrap_bio(outgoing, incoming, server_hostname="localhost")
    for _ in range(3):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    shown = client.getpeercert()
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


def test_no_file() -> None:
    """Without `--web.config.file` there is neither TLS nor a password, and nothing to follow."""
    source = WebConfigSource(None)
    assert source.load() == WebSettings()
    assert source.poll() is None


def test_what_the_file_says(web: Path) -> None:
    """The settings hold what the server works with; hashes do not show in their repr."""
    web.write_text(
        MUTUAL
        + f"basic_auth_users: {{alice: '{HASH}'}}\n"
        + "http_server_config: {headers: {X-Frame-Options: deny}}\n"
    )
    settings = WebConfigSource(web).load()
    assert settings.tls is not None
    assert settings.tls.verify_mode is ssl.CERT_REQUIRED
    assert settings.tls.minimum_version is ssl.TLSVersion.TLSv1_2
    assert settings.users == {"alice": HASH.encode()}
    assert settings.headers == ((b"x-frame-options", b"deny"),)
    assert HASH not in repr(settings)


def test_minimum_version(web: Path) -> None:
    """`min_version: TLS13` refuses what is older, and no client may renegotiate."""
    web.write_text(TLS % ", min_version: TLS13")
    context = WebConfigSource(web).load().tls
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("name", "content", "key", "reason"),
    [
        ("server.crt", None, "tls_server_config.cert_file", "No such file"),
        ("server.key", None, "tls_server_config.key_file", "No such file"),
        ("ca.crt", None, "tls_server_config.client_ca_file", "No such file"),
        ("server.crt", b"", "tls_server_config.cert_file", "no certificate"),
        ("server.crt", b"\xff\xfe", "tls_server_config.cert_file", "no certificate"),
        ("server.key", b"", "tls_server_config.key_file", "no private key"),
        (
            "server.crt",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n",
            "tls_server_config.cert_file",
            "no certificate",
        ),
        ("ca.crt", b"junk", "tls_server_config.client_ca_file", "no certificate"),
        ("web.yml", None, "", "No such file"),
        ("web.yml", b"\xff", "", "UTF-8"),
        ("web.yml", b"rate_limit: {}", "rate_limit", "not supported"),
    ],
)
def test_errors_name_file_and_key(web: Path, name: str, content: bytes | None, key: str, reason: str) -> None:
    """What cannot be used is an error that names the web configuration, the key, and why."""
    web.write_text(MUTUAL)
    spoiled = web.parent / name
    spoiled.unlink()
    if content is not None:
        spoiled.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        WebConfigSource(web).load()
    assert (caught.value.source, caught.value.key) == (str(web), key)
    assert reason in caught.value.reason


def test_a_key_that_others_may_read(web: Path) -> None:
    """A private key that is not private is warned of, once; it is used all the same."""
    source = WebConfigSource(web)
    with capture_logs() as logs:
        source.load()
        assert logs == []
        (web.parent / "server.key").chmod(0o640)
        source.load()
        source.load()
    assert [(log["log_level"], log["file"], log["mode"]) for log in logs] == [
        ("warning", str(web.parent / "server.key"), "0640")
    ]


def test_a_key_of_another_user_is_read_by_its_group(web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes mounts a key as root's, readable by the pod's group: that is no carelessness."""
    key = web.parent / "server.key"
    monkeypatch.setattr(os, "geteuid", lambda: key.stat().st_uid + 1)
    key.chmod(0o440)
    source = WebConfigSource(web)
    with capture_logs() as logs:
        source.load()
        assert logs == []
        key.chmod(0o444)
        source.load()
    assert [log["mode"] for log in logs] == ["0444"]


def test_a_key_of_another_certificate(web: Path) -> None:
    """A key that does not belong to the certificate is an error at the key."""
    other = authority().issue_cert("localhost")
    other.private_key_pem.write_to_path(web.parent / "server.key")
    with pytest.raises(ConfigError, match="does not belong") as caught:
        WebConfigSource(web).load()
    assert caught.value.key == "tls_server_config.key_file"


def test_an_encrypted_key_is_refused_without_a_prompt(web: Path) -> None:
    """Nobody is asked for a passphrase: a daemon has no terminal."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with trustme

    pem = (web.parent / "server.key").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    (web.parent / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"canary"),
        )
    )
    with pytest.raises(ConfigError, match="encrypted") as caught:
        WebConfigSource(web).load()
    assert caught.value.key == "tls_server_config.key_file"


def test_a_pipe_is_not_waited_for(web: Path) -> None:
    """Only regular files are read: a pipe would hold the server for ever."""
    (web.parent / "server.key").unlink()
    os.mkfifo(web.parent / "server.key")
    with pytest.raises(ConfigError, match="is not a file"):
        WebConfigSource(web).load()


def test_files_are_bounded(web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file larger than any certificate bundle is an error, not memory."""
    monkeypatch.setattr(websource, "MAX_FILE_BYTES", 10)
    with pytest.raises(ConfigError, match="larger than 10 bytes"):
        WebConfigSource(web).load()


def test_nothing_changed(web: Path) -> None:
    """A look at files that are the same, though written anew, gives nothing."""
    source = WebConfigSource(web)
    source.load()
    assert source.poll() is None
    web.write_text(web.read_text())
    assert settle(source) is None


def test_a_change_that_is_asked_for_is_not_waited_for(web: Path) -> None:
    """One look is enough; where nothing has changed there is nothing new, and no error is hidden."""
    source = WebConfigSource(web)
    source.load()
    assert source.changed() is None
    web.write_text(web.read_text().replace("alice", "bob"))
    settings = source.changed()
    assert settings is not None
    assert settings.users == {"bob": HASH.encode()}
    assert source.changed() is None
    assert settle(source) is None
    web.write_text("nonsense")
    for _ in range(2):
        with pytest.raises(ConfigError, match="must hold a mapping"):
            source.changed()
    assert WebConfigSource(None).changed() is None


def test_users_are_taken_up(web: Path) -> None:
    """A changed hash is taken up at the second look, once."""
    source = WebConfigSource(web)
    source.load()
    web.write_text(web.read_text().replace(HASH, OTHER))
    settings = settle(source)
    assert settings is not None
    assert settings.users == {"alice": OTHER.encode()}
    assert source.poll() is None


def test_a_certificate_is_taken_up(web: Path) -> None:
    """A new pair of certificate and key is taken up; the configuration itself has not changed."""
    source = WebConfigSource(web)
    before = source.load()
    write_pair(web.parent, authority().issue_cert("localhost"))
    after = settle(source)
    assert after is not None
    assert serial(after) != serial(before)


def test_a_client_ca_is_taken_up(web: Path) -> None:
    """A new client CA is taken up, also where the file's name is new."""
    web.write_text(MUTUAL)
    source = WebConfigSource(web)
    first = source.load()
    trustme.CA().cert_pem.write_to_path(web.parent / "other.crt")
    web.write_text(MUTUAL.replace("ca.crt", "other.crt"))
    second = settle(source)
    assert first.tls is not None
    assert second is not None
    assert second.tls is not None
    assert first.tls.get_ca_certs() != second.tls.get_ca_certs()
    trustme.CA().cert_pem.write_to_path(web.parent / "other.crt")
    assert settle(source) is not None


def test_the_swing_of_a_symbolic_link(web: Path) -> None:
    """Kubernetes swings a link to a directory: name, size and times of the link's own files may stay."""
    folder = web.parent
    for version in ("one", "two"):
        (folder / version).mkdir()
        write_pair(folder / version, authority().issue_cert("localhost"))
        for file in (folder / version).iterdir():
            os.utime(file, (1, 1))
    (folder / "..data").symlink_to("one")
    for name in ("server.crt", "server.key"):
        (folder / name).unlink()
        (folder / name).symlink_to(f"..data/{name}")
    source = WebConfigSource(web)
    before = source.load()
    (folder / "..data_tmp").symlink_to("two")
    (folder / "..data_tmp").rename(folder / "..data")
    after = settle(source)
    assert after is not None
    assert serial(after) != serial(before)


def test_a_half_written_file_is_passed_by(web: Path) -> None:
    """A file that looks different at every look is not taken up before it looks the same twice."""
    source = WebConfigSource(web)
    source.load()
    whole = web.read_text() + f"  # {'x' * 100}\n"
    for length in range(0, len(whole), 20):
        web.write_text(whole[:length])
        assert source.poll() is None
    web.write_text(whole)
    settings = settle(source)
    assert settings is not None
    assert settings.users == {"alice": HASH.encode()}


def test_a_pair_seen_between_two_writes_is_tried_again(web: Path) -> None:
    """A certificate whose key is not there yet is an error at every look; the pair is taken when complete."""
    source = WebConfigSource(web)
    before = source.load()
    new = authority().issue_cert("localhost")
    (web.parent / "server.crt").write_bytes(new.cert_chain_pems[0].bytes())
    assert source.poll() is None
    for _ in range(2):
        with pytest.raises(ConfigError, match="does not belong"):
            source.poll()
    (web.parent / "server.key").write_bytes(new.private_key_pem.bytes())
    after = settle(source)
    assert after is not None
    assert serial(after) != serial(before)


def test_a_file_that_vanishes_and_comes_back(web: Path) -> None:
    """A missing file is an error as long as it is missing; with the old content back nothing has changed."""
    source = WebConfigSource(web)
    source.load()
    text = web.read_text()
    web.unlink()
    assert source.poll() is None
    with pytest.raises(ConfigError, match="No such file"):
        source.poll()
    web.write_text(text)
    assert settle(source) is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "tls_server_config"),
        (TLS % "", "tls_server_config.client_auth_type"),
        (MUTUAL, "basic_auth_users"),
    ],
)
def test_protection_is_not_dropped_by_a_change(web: Path, text: str, key: str) -> None:
    """An emptied file does not open the door: TLS, client certificates and passwords last until a restart."""
    web.write_text(MUTUAL + f"basic_auth_users: {{alice: '{HASH}'}}\n")
    source = WebConfigSource(web)
    source.load()
    web.write_text(text)
    assert source.poll() is None
    with pytest.raises(ConfigError, match="restart") as caught:
        source.poll()
    assert caught.value.key == key
    assert WebConfigSource(web).load() is not None


def test_protection_can_be_added(web: Path) -> None:
    """TLS and passwords are taken up by a server that began without."""
    text = web.read_text()
    web.write_text("")
    source = WebConfigSource(web)
    source.load()
    web.write_text(text)
    settings = settle(source)
    assert settings is not None
    assert settings.tls is not None
    assert settings.users
