"""The web configuration on disk, and the files that it names -> what the server works with, kept up to date.

A change is taken up once two looks in a row have seen the same content, so that a file caught half written,
or a certificate whose key is not there yet, is passed by. Content is compared, not modification times: a
symbolic link swung to another directory (Kubernetes) and a write within one clock tick are seen alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from exporter import yamltext
from exporter.configfile import read_bytes
from exporter.errors import ConfigError
from exporter.secrets import may_be_read_by_others
from exporter.serving.webconfig import parse_web_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.serving.webconfig import TlsServerConfig, WebConfig

_log = structlog.get_logger(__name__)

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""More than any certificate bundle; a larger file is an error, not memory."""

_SECTION = "tls_server_config"
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What the server works with."""

    tls: ssl.SSLContext | None = None
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """User name to bcrypt hash; empty: no password is asked for."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Header fields of every answer, names in lower case."""


class WebConfigSource:
    """The file of `--web.config.file` (None: there is none) and what it names."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._files: tuple[Path, ...] = ()
        self._applied: bytes = b""
        self._seen: bytes = b""
        self._settings = WebSettings()
        self._warned: set[Path] = set()

    def load(self) -> WebSettings:
        """Read everything anew. Raises ConfigError naming file and key.

        TLS, client certificates and passwords, once asked for, are not switched off without a restart: an
        emptied file must not open the door.
        """
        if self._path is None:
            return WebSettings()
        try:
            config = parse_web_config(yamltext.decode(_read(self._path)), self._path.parent)
            self._files = _named_files(config.tls_server_config)
            # Taken before the files are used: what changes from here on is seen as a change by `poll`.
            digest = self._digest()
            settings = _settings(config)
            _check_no_weaker(self._settings, settings)
        except ConfigError as error:
            raise error.located(str(self._path)) from None
        self._applied = self._seen = digest
        self._settings = settings
        if config.tls_server_config:
            self._warn_of_exposure(config.tls_server_config.key_file)
        return settings

    def poll(self) -> WebSettings | None:
        """Look once: the new settings where the files have changed and settled, otherwise None.

        Raises ConfigError, at every look, for as long as what has settled cannot be used.
        """
        if self._path is None:
            return None
        digest = self._digest()
        settled = digest == self._seen
        self._seen = digest
        return self.load() if settled and digest != self._applied else None

    def changed(self) -> WebSettings | None:
        """Look now, for somebody who says that the files are whole; `poll` waits until they settle.

        Returns the new settings, or None where nothing has changed. Raises ConfigError.
        """
        if self._path is None or self._digest() == self._applied:
            return None
        return self.load()

    def _warn_of_exposure(self, key_file: Path) -> None:
        """Say, once for each file, that the private key is not private."""
        with contextlib.suppress(OSError):  # it has just been read; if it has gone since, there is no secret
            found = key_file.stat()
            open_wide = may_be_read_by_others(found.st_mode, found.st_uid, os.geteuid())
            if open_wide and key_file not in self._warned:
                self._warned.add(key_file)
                said = {"file": str(key_file), "mode": f"{stat.S_IMODE(found.st_mode):04o}"}
                _log.warning("secret file can be read by its group or by everyone", **said)

    def _digest(self) -> bytes:
        """Return a digest of the content of all files, or of why one cannot be read."""
        total = hashlib.sha256()
        for path in (self._path, *self._files):
            try:
                content = _read(path) if path else b""
            except ConfigError as error:
                content = str(error).encode()
            total.update(hashlib.sha256(content).digest())
        return total.digest()


def build_context(tls: TlsServerConfig) -> ssl.SSLContext:
    """Return a server context; raises ConfigError with the key whose file cannot be used.

    Client-initiated renegotiation (TLS 1.2) is off: it costs the client nothing.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _load_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "cert_file", tls.cert_file)
    _check_readable("key_file", tls.key_file)
    asked: list[bool] = []

    def no_passphrase() -> str:
        asked.append(True)
        return ""

    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, no_passphrase)
    except (OSError, ValueError) as error:
        raise ConfigError(_key_trouble(error, encrypted=bool(asked)), key=f"{_SECTION}.key_file") from None
    if tls.client_ca_file is not None:
        _load_certificates(context, "client_ca_file", tls.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _settings(config: WebConfig) -> WebSettings:
    tls = config.tls_server_config
    users = config.basic_auth_users.items()
    return WebSettings(
        tls=build_context(tls) if tls else None,
        users={name: hashed.get_secret_value().encode() for name, hashed in users},
        headers=tuple((name.lower().encode(), text.encode()) for name, text in config.headers.items()),
    )


def _check_no_weaker(old: WebSettings, new: WebSettings) -> None:
    if old.tls and not new.tls:
        raise ConfigError("TLS is not switched off without a restart", key=_SECTION)
    if old.tls and new.tls and old.tls.verify_mode > new.tls.verify_mode:
        reason = "client certificates go on being verified until a restart"
        raise ConfigError(reason, key=f"{_SECTION}.client_auth_type")
    if old.users and not new.users:
        raise ConfigError("passwords are not switched off without a restart", key="basic_auth_users")


def _named_files(tls: TlsServerConfig | None) -> tuple[Path, ...]:
    if tls is None:
        return ()
    files = (tls.cert_file, tls.key_file, tls.client_ca_file)
    return tuple(file for file in files if file is not None)


def _load_certificates(context: ssl.SSLContext, key: str, path: Path) -> None:
    """Take every certificate in a file as an authority: which tells, of any file, whether it holds some."""
    _check_readable(key, path)
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError):
        raise ConfigError(f"{path} holds no certificate in PEM form", key=f"{_SECTION}.{key}") from None


def _check_readable(key: str, path: Path) -> None:
    try:
        _read(path)
    except ConfigError as error:
        raise ConfigError(error.reason, key=f"{_SECTION}.{key}") from None


def _key_trouble(error: Exception, *, encrypted: bool) -> str:
    if encrypted:
        return "the key is encrypted; one without a passphrase is needed"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate in cert_file"
    return "the file holds no private key in PEM form that can be used with the certificate in cert_file"


def _read(path: Path) -> bytes:
    """Return the bytes of a regular file of bounded size: a pipe would be waited for without end."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return read_bytes(path)  # says why
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path} is not a file")
    if status.st_size > MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    return read_bytes(path)
