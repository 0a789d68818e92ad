"""SDK-HMAC-SHA256: the vendor's request signature with an access key pair. Pure.

Sources: https://support.huaweicloud.com/devg-apisign/ and the official SDK's signer; the steps and where the
two agree are in api_facts.md, section 4b. What is signed is the method, path, query, the host, the date, the
project and the security token, and the body: nothing that an HTTP library or a proxy changes on the way.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote

_ALGORITHM = "SDK-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key pair (AK, SK); temporary ones come with a security token. `repr` shows none of them."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str = field(default="", repr=False)


def sign(
    keys: Keys,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    *,
    body: bytes = b"",
) -> str:
    """Return the value of the `Authorization` header.

    `path` is the path as it is sent, `query` the pairs before encoding (send `canonical_query` of them),
    `headers` exactly the headers that are to be signed; `X-Sdk-Date` (see `sdk_date`) must be one of them,
    and a header whose name holds `_` cannot be signed. Raises KeyError without `X-Sdk-Date`.
    """
    signed = {name.lower(): value.strip() for name, value in headers.items()}
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            method.upper(),
            _canonical_path(path),
            canonical_query(query),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{_ALGORITHM}\n{signed['x-sdk-date']}\n{digest}"
    signature = hmac.new(keys.secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{_ALGORITHM} Access={keys.access_key}, SignedHeaders={names}, Signature={signature}"


def sdk_date(epoch: float) -> str:
    """Return the value of `X-Sdk-Date`: UTC, `yyyyMMddTHHmmssZ`; the gateway takes 15 minutes either way."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%dT%H%M%SZ")


def canonical_query(query: Iterable[tuple[str, str]]) -> str:
    """Return the query as it is signed and must be sent: sorted, encoded with a space as `%20`."""
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in sorted(query))


def _canonical_path(path: str) -> str:
    """Every segment decoded once and encoded again; a slash at the end, which the sent path need not have."""
    encoded = "/".join(_encode(segment) for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _encode(text: str) -> str:
    return quote(text, safe="~")
