"""Which addresses may be asked: rules for endpoints and proxies, and the vendor's default domains."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def check_endpoint(url: str, *, allow_http: bool) -> None:
    """Raise ValueError unless `url` is a base URL that credentials may be sent to.

    https, or http to a loopback address (or with `allow_http`); no user part, query or fragment. The message
    never repeats the URL: a user part would be a secret.
    """
    parts = _split(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("a base URL without user, query and fragment is expected")
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname or ""):
        raise ValueError("plain http would show the credentials; use https (or set insecure_http: true)")


def check_proxy(url: str) -> None:
    """Raise ValueError unless `url` is an http(s) proxy; the message never repeats it (secret user part)."""
    parts = _split(url)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
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
    usable = parts.hostname and port != 0 and url.isprintable() and " " not in url
    if parts.scheme not in {"https", "http"} or not usable:
        raise ValueError("a URL that begins with https:// or http:// is expected")
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
