"""Which addresses credentials may be sent to."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.urls import check_endpoint, check_proxy, cloud_domain

CANARY = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        "https://workspace.cn-north-4.myhuaweicloud.com",
        "https://workspace.example.com/",
        "https://workspace.example.com:8443/some/base/",
        "HTTPS://Workspace.Example.com",
        "https://192.0.2.1",
        "https://[2001:db8::1]:8443",
        "https://my_service",
        "https://xn--mnchen-3ya.example",
        "https://host.",
        "http://localhost",
        "http://LOCALHOST:8080",
        "http://127.0.0.1:10070",
        "http://127.8.9.10",
        "http://[::1]:10070/base",
    ],
)
def test_https_and_loopback_are_good(url: str) -> None:
    """Https to any host, plain http to this machine."""
    check_endpoint(url, allow_http=False)
    assert httpx.URL(url).host


@pytest.mark.parametrize(
    "url",
    [
        "http://workspace.example.com",
        "http://192.0.2.1",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://[2001:db8::1]",
        "http://[::ffff:192.0.2.1]",
    ],
)
def test_plain_http_to_elsewhere_needs_consent(url: str) -> None:
    """Credentials would cross the network in clear."""
    with pytest.raises(ValueError, match="plain http would show the credentials"):
        check_endpoint(url, allow_http=False)
    check_endpoint(url, allow_http=True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"https://user:{CANARY}@host", "a base URL without user, query and fragment is expected"),
        (f"https://{CANARY}@host", "a base URL without user, query and fragment is expected"),
        ("https://@host", "a base URL without user, query and fragment is expected"),
        (f"https://us/er:{CANARY}@host", "a base URL without user, query and fragment is expected"),
        (f"https://host/?token={CANARY}", "a base URL without user, query and fragment is expected"),
        ("https://host/?", "a base URL without user, query and fragment is expected"),
        ("https://host/#", "a base URL without user, query and fragment is expected"),
        (f"https://host#{CANARY}", "a base URL without user, query and fragment is expected"),
        (CANARY, "a URL that begins with https:// or http:// is expected"),
        ("", "a URL that begins with https:// or http:// is expected"),
        ("host", "a URL that begins with https:// or http:// is expected"),
        ("host:443", "a URL that begins with https:// or http:// is expected"),
        ("//host", "a URL that begins with https:// or http:// is expected"),
        ("https:host", "a URL that begins with https:// or http:// is expected"),
        ("https://", "a URL that begins with https:// or http:// is expected"),
        ("https://:443", "a URL that begins with https:// or http:// is expected"),
        (f"ftp://user:{CANARY}@host", "a URL that begins with https:// or http:// is expected"),
        ("https://host:0", "a URL that begins with https:// or http:// is expected"),
        ("https://host:65536", "not a URL"),
        (f"https://host:{CANARY}", "not a URL"),
        ("https://[::1", "not a URL"),
        (f"https://[{CANARY}]", "not a URL|the URL names no possible host"),
        ("https://[fe80::1%25eth0]", "the URL names no possible host"),
        ("https://a..b", "the URL names no possible host"),
        ("https://-a", "the URL names no possible host"),
        ("https://a|b", "the URL names no possible host"),
        ("https://%41", "the URL names no possible host"),
        ("https://" + "a" * 64, "the URL names no possible host"),
        ("https://" + "a." * 128, "the URL names no possible host"),
        ("https://münchen.example", "the URL holds a character that must be percent-encoded"),
        ("https://host/ä", "the URL holds a character that must be percent-encoded"),
        ("https://host/a b", "the URL holds a character that must be percent-encoded"),
        (" https://host", "the URL holds a character that must be percent-encoded"),
        ("https://host\n", "the URL holds a character that must be percent-encoded"),
        ("https://ho\tst", "the URL holds a character that must be percent-encoded"),
        ("https://host/\0", "the URL holds a character that must be percent-encoded"),
        (f"https://host\\@{CANARY}", "without user|percent-encoded"),
        ("https://host/a\\b", "the URL holds a character that must be percent-encoded"),
    ],
)
def test_anything_else_is_refused_without_being_repeated(url: str, reason: str) -> None:
    """A user part would be sent along and logged; a query would swallow the paths that are appended."""
    with pytest.raises(ValueError, match=f"^({reason})$" if "|" not in reason else reason) as caught:
        check_endpoint(url, allow_http=True)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example.com",
        "http://proxy.example.com:3128/",
        "https://proxy.example.com:3128",
        f"http://user:{CANARY}@proxy.example.com:3128",
        f"http://us%40er:{CANARY}%2F@proxy.example.com:3128",
        f"http://{CANARY}@[2001:db8::1]:3128",
    ],
)
def test_proxies(url: str) -> None:
    """Http or https, with or without a user part; plain http is common and carries no credentials of ours."""
    check_proxy(url)
    assert httpx.Proxy(url).url.host


@pytest.mark.parametrize(
    "url",
    [
        f"socks5://user:{CANARY}@proxy:1080",
        f"user:{CANARY}@proxy:3128",
        f"//user:{CANARY}@proxy",
        f"http://user:{CANARY}@",
        f"http://user:{CANARY}@:3128",
        f"http://user:{CANARY}@proxy:99999",
        f"http://user:{CANARY}@proxy:port",
        f"http://user:{CANARY}@[proxy",
        f"http://user:{CANARY}@proxy/path",
        f"http://user:{CANARY}@proxy?",
        f"http://user:{CANARY}@proxy#",
        f"http://us/er:{CANARY}@proxy",
        f"http://user:{CANARY} @proxy",
        f"http://user:{CANARY}ä@proxy",
        f"http://user:{CANARY}@pro xy",
    ],
)
def test_a_proxy_url_that_cannot_be_one_is_never_repeated(url: str) -> None:
    """Its user part is a secret."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        check_proxy(url)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("cn-north-4", "myhuaweicloud.com"),
        ("ap-southeast-3", "myhuaweicloud.com"),
        ("eu-west-101", "myhuaweicloud.eu"),
        ("eu-west-0", "myhuaweicloud.com"),
    ],
)
def test_the_european_site_has_its_own_domain(region: str, domain: str) -> None:
    """As the vendor's documents say for eu-west-101."""
    assert cloud_domain(region) == domain


@given(st.text(max_size=40).map("https://".__add__) | st.from_regex(r"https?://[ -~]{0,30}", fullmatch=True))
def test_what_is_accepted_the_http_library_accepts_too(url: str) -> None:
    """No text that passes here fails later, where nobody expects it, and what passes names one host."""
    try:
        check_endpoint(url, allow_http=True)
    except ValueError:
        return
    parsed = httpx.URL(url)
    assert parsed.raw_host
    assert parsed.userinfo == b""
    assert parsed.query == b""
