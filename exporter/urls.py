"""Which addresses may be asked: rules for endpoints and proxies, and the vendor's default domains."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\.?$){_LABEL}(?:\.{_LABEL})*\.?")
"""RFC 1123 section 2.1, with the underscore that container networks use; other letters as `xn--`."""


def check_endpoint(url: str, *, allow_http: bool) -> None:
    """Raise ValueError unless `url` is a base URL that credentials may be sent to.

    https, or http to a loopback address (or with `allow_http`); no user part, query or fragment. The message
    never repeats the URL: a user part would be a secret.
    """
    parts = _split(url)
    if any(mark in url for mark in "@?#"):  # also `https://us/er:secret@host`, which has no user part
        raise ValueError("a base URL without user, query and fragment is expected")
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname or ""):
        raise ValueError("plain http would show the credentials; use https (or set insecure_http: true)")


def check_proxy(url: str) -> None:
    """Raise ValueError unless `url` is an http(s) proxy; the message never repeats it (secret user part)."""
    parts = _split(url)
    if parts.path not in {"", "/"} or "?" in url or "#" in url:
        raise ValueError("a proxy URL has no path, query or fragment")


def cloud_domain(region: str) -> str:
    """Return the vendor's domain for a region: the European site has its own (api_facts.md, section 6)."""
    return "myhuaweicloud.eu" if region.startswith("eu-west-1") else "myhuaweicloud.com"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        raise ValueError("a URL that begins with https:// or http:// is expected")
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
        raise ValueError("the URL holds a character that must be percent-encoded")
    if not (_HOST_NAME.fullmatch(parts.hostname) or _is_address(parts.hostname)):
        raise ValueError("the URL names no possible host")
    return parts


def _is_address(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return "%" not in host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
