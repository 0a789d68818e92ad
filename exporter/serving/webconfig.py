"""The web configuration (`--web.config.file`) as frozen, checked values, from text.

The format is that of the Prometheus exporter toolkit (its docs/web-configuration.md). A key or value of that
format which this exporter cannot honour is an error that names it: a security setting is never ignored.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from exporter import yamltext
from exporter.configfile import validate
from exporter.errors import ConfigError
from exporter.section import FilePath, KeyedError, Section

MAX_BCRYPT_COST: Final = 18
"""A check costs 2^cost steps: 70 ms at 10, some 20 s at 18, which is the most that the toolkit speaks of."""

_LIBRARY = "the TLS library's own choice is used"
UNSUPPORTED: Final = {
    "TlsServerConfig": {
        "cert": "give cert_file",
        "key": "give key_file",
        "client_ca": "give client_ca_file",
        "client_allowed_sans": "use a client CA that signs only the clients to be let in",
        "max_version": _LIBRARY,
        "cipher_suites": _LIBRARY,
        "prefer_server_cipher_suites": _LIBRARY,
        "curve_preferences": _LIBRARY,
    },
    "WebConfig": {"rate_limit": "set limits in a proxy in front"},
}
"""By section, the toolkit's keys that cannot be honoured, and what to do instead."""
# The last of the 22 characters of the salt carries two bits: the library refuses any other letter there.
_BCRYPT = re.compile(r"\$2[abxy]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_MIN_BCRYPT_COST = 4
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The header fields that may be set, with the values that each may have (none: any printable text)."""
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")


def _nothing(value: Any) -> Any:
    """A section that is empty is none, as in the toolkit."""
    return None if value == {} else value


def _users(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("a mapping of user names to bcrypt hashes is expected")  # noqa: TRY004 - pydantic's way
    for name, hashed in value.items():
        place = yamltext.shown(name)  # who writes `alice:password` as one word has put a secret there
        if not isinstance(name, str):
            raise KeyedError(place, "a user name is text (put it in quotes)")
        if not name or ":" in name or not name.isprintable():
            raise KeyedError(place, "a user name has no colon and no control characters (RFC 7617)")
        _check_hash(place, hashed)
    return {name: SecretStr(hashed) for name, hashed in value.items()}


def _check_hash(place: str, hashed: Any) -> None:
    match = _BCRYPT.fullmatch(hashed) if isinstance(hashed, str) else None
    if match is None:
        raise KeyedError(place, "a bcrypt hash is expected, such as `htpasswd -nBC 10 NAME` prints")
    if not _MIN_BCRYPT_COST <= int(match["cost"]) <= MAX_BCRYPT_COST:
        raise KeyedError(place, f"the bcrypt cost must be from {_MIN_BCRYPT_COST} to {MAX_BCRYPT_COST}")


def _headers(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("a mapping of header names to values is expected")  # noqa: TRY004 - pydantic's way
    for name, text in value.items():
        allowed = HEADERS.get(name)
        if allowed is None:
            raise KeyedError(yamltext.shown(name), f"cannot be set; these can: {', '.join(HEADERS)}")
        if not isinstance(text, str) or not _FIELD_VALUE.fullmatch(text):
            raise KeyedError(name, "printable ASCII text is expected")
        if text and allowed and text not in allowed:
            raise KeyedError(name, f"expected is {' or '.join(allowed)}")
    return {name: text for name, text in value.items() if text}


class _ToolkitSection(Section):
    """A section of which some keys are known and refused with the reason."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_unsupported(cls, values: Any) -> Any:
        for key, why in UNSUPPORTED.get(cls.__name__, {}).items():
            if isinstance(values, dict) and key in values:
                raise KeyedError(key, f"not supported by this exporter: {why}")
        return values


class TlsServerConfig(_ToolkitSection):
    """The server's certificate and which clients it lets in; paths are relative to the file."""

    cert_file: FilePath = Field(
        description="The server's certificate (PEM), followed by those between it and the authority.",
        examples=["tls.crt"],
    )
    key_file: FilePath = Field(description="Its private key (PEM, not encrypted).", examples=["tls.key"])
    client_auth_type: Literal["NoClientCert", "RequireAndVerifyClientCert"] = Field(
        default="NoClientCert",
        description="Whether a client must show a certificate. The health checks must then show one too.",
        examples=["RequireAndVerifyClientCert"],
    )
    client_ca_file: FilePath | None = Field(
        default=None,
        description="The authority (PEM) that signs the clients' certificates.",
        examples=["clients.crt"],
    )
    min_version: Literal["TLS12", "TLS13"] = Field(
        default="TLS12", description="The oldest version of TLS that is spoken.", examples=["TLS13"]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        verifies = self.client_auth_type == "RequireAndVerifyClientCert"
        if verifies and self.client_ca_file is None:
            raise KeyedError("client_ca_file", "a value is needed to verify client certificates")
        if self.client_ca_file is not None and not verifies:
            raise KeyedError("client_auth_type", "RequireAndVerifyClientCert is needed with client_ca_file")
        return self


class HttpServerConfig(_ToolkitSection):
    """`http2` may only be false: this server speaks HTTP/1.1 alone."""

    http2: bool = Field(
        default=False,
        description="Only `false` is taken: this server speaks HTTP/1.1 alone.",
        examples=[False],
    )
    headers: Annotated[dict[str, str], BeforeValidator(_headers)] = Field(
        default_factory=dict,
        description=f"Header fields to set on every answer: {', '.join(f'`{name}`' for name in HEADERS)}.",
        examples=[{"X-Frame-Options": "deny"}],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.http2:
            raise KeyedError(
                "http2", "HTTP/2 is not supported by this exporter: false or nothing is expected"
            )
        return self


class WebConfig(_ToolkitSection):
    """The whole file; an empty one asks for neither TLS nor passwords."""

    tls_server_config: Annotated[TlsServerConfig | None, BeforeValidator(_nothing)] = Field(
        default=None,
        description="Serve https instead of http.",
        examples=[{"cert_file": "tls.crt", "key_file": "tls.key"}],
    )
    http_server_config: Annotated[HttpServerConfig | None, BeforeValidator(_nothing)] = Field(
        default=None,
        description="The version of HTTP, and header fields.",
        examples=[{"headers": {"X-Frame-Options": "deny"}}],
    )
    basic_auth_users: Annotated[dict[str, SecretStr], BeforeValidator(_users)] = Field(
        default_factory=dict,
        description="User names with the bcrypt hashes of their passwords, as `htpasswd -nBC 10 NAME` prints "
        f"them (cost {_MIN_BCRYPT_COST} to {MAX_BCRYPT_COST}). With one user or more, everything but "
        "`/-/healthy` and `/-/ready` asks for a password.",
        examples=[{"prometheus": "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"}],
    )

    @property
    def headers(self) -> dict[str, str]:
        """The header fields to set on every answer."""
        return self.http_server_config.headers if self.http_server_config else {}


def parse_web_config(text: str, folder: Path) -> WebConfig:
    """Return the checked web configuration; an empty text is a valid one.

    `folder` is where relative file names begin. Raises ConfigError with the path of the first wrong key; it
    never repeats a hash.
    """
    values = yamltext.load(text)
    if values is None:
        return WebConfig()
    if not isinstance(values, dict):
        raise ConfigError("the file must hold a mapping of keys (tls_server_config, basic_auth_users, …)")
    return validate(WebConfig, values, folder)
