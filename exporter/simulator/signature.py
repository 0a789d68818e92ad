"""The gateway's side of SDK-HMAC-SHA256: whether a request was signed with a secret key.

Written from the description of the algorithm (https://support.huaweicloud.com/devg-apisign/), apart from the
exporter's signer, so that each is a check of the other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "SDK-HMAC-SHA256"
WINDOW_SECONDS = 15 * 60
"""How far X-Sdk-Date may be from the gateway's time."""

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Access=(?P<access>[^,\s]+), SignedHeaders=(?P<names>[^,\s]+), "
    r"Signature=(?P<signature>[0-9a-f]+)"
)
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_UNSIGNED = "UNSIGNED-PAYLOAD"


class SignatureError(Exception):
    """The signature does not hold; the text says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it arrived: `headers` by lower-case name, `path` and `query` still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The Authorization header's three parts."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(value: str) -> Authorization:
    """Read an Authorization header.

    Raises:
        SignatureError: it is none of this algorithm.

    """
    found = _AUTHORIZATION.fullmatch(value)
    if found is None:
        raise SignatureError("Authorization format incorrect")
    return Authorization(found["access"], tuple(found["names"].split(";")), found["signature"])


def verify(request: SignedRequest, authorization: Authorization, secret_key: str, now: float) -> None:
    """Return if the request was signed with that key, within 15 minutes of `now` (epoch seconds).

    Raises:
        SignatureError: it was not.

    """
    _check_date(request.headers.get("x-sdk-date", ""), now)
    _check_payload(request)
    expected = signature(request, authorization.signed_headers, secret_key)
    if not hmac.compare_digest(expected, authorization.signature):
        raise SignatureError("verify aksk signature fail")


def signature(request: SignedRequest, signed_headers: tuple[str, ...], secret_key: str) -> str:
    """Return the signature that the key's owner gives the request."""
    digest = hashlib.sha256(canonical(request, signed_headers).encode()).hexdigest()
    text = f"{ALGORITHM}\n{request.headers['x-sdk-date']}\n{digest}"
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical(request: SignedRequest, signed_headers: tuple[str, ...]) -> str:
    """Return the canonical request.

    Raises:
        SignatureError: X-Sdk-Date is not signed, or a signed header did not arrive.

    """
    if "x-sdk-date" not in signed_headers:
        raise SignatureError("x-sdk-date is not among the signed headers")
    missing = [name for name in signed_headers if name not in request.headers]
    if missing:
        raise SignatureError(f"signed header {missing[0]} is missing")
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in signed_headers)
    parts = (
        request.method.upper(),
        _canonical_path(request.path),
        _canonical_query(request.query),
        headers,
        ";".join(signed_headers),
        _payload_hash(request),
    )
    return "\n".join(parts)


def _check_date(date: str, now: float) -> None:
    try:
        signed_at = dt.datetime.strptime(date, _DATE_FORMAT).replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        raise SignatureError("X-Sdk-Date is missing or malformed") from None
    if abs(signed_at - now) > WINDOW_SECONDS:
        raise SignatureError("signature expired, X-Sdk-Date is too far from the server's time")


def _check_payload(request: SignedRequest) -> None:
    stated = request.headers.get("x-sdk-content-sha256")
    if stated not in {None, _UNSIGNED, hashlib.sha256(request.body).hexdigest()}:
        raise SignatureError("X-Sdk-Content-Sha256 does not fit the body")


def _payload_hash(request: SignedRequest) -> str:
    actual = hashlib.sha256(request.body).hexdigest()
    return request.headers.get("x-sdk-content-sha256", actual) if request.body else actual


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(segment, safe="~") for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    decoded = sorted((unquote(key), unquote(value)) for key, _, value in pairs)
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in decoded)
