"""The request signature: the published vector, and the official SDK's signer as oracle."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.upstream.signing import Keys, canonical_query, sdk_date, sign

EXAMPLE = Keys("QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc")

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_segment = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/%?#"), max_size=12)
_value = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)
_header = st.sampled_from(["X-Project-Id", "X-Security-Token", "Content-Type-Hint", "X-Language", "Accept"])


def test_the_published_vector() -> None:
    """The vendor's worked example (devg-apisign, api-sign-0001) gives the published signature."""
    authorization = sign(
        EXAMPLE,
        "GET",
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        [("limit", "2"), ("marker", "13551d6b-755d-4757-b956-536f674975c0")],
        {
            "Content-Type": "application/json",
            "X-Sdk-Date": "20191115T033655Z",
            "Host": "service.region.example.com",
        },
    )
    assert authorization == (
        "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, "
        "Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
    )


@dataclass(frozen=True)
class Case:
    """A request to sign."""

    access: str
    secret: str
    method: str
    segments: list[str]
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    moment: int


_cases = st.builds(
    Case,
    access=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20),
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    segments=st.lists(_segment, max_size=4),
    query=st.lists(st.tuples(_text, _text), max_size=5),
    headers=st.dictionaries(_header, _value, max_size=4),
    body=st.binary(max_size=30),
    moment=st.integers(0, 4_000_000_000),
)


@settings(deadline=None)
@given(_cases)
@example(Case("AK", "SK", "GET", ["v2", "ä ~*", ""], [("b", "1 2"), ("a", "~*+/"), ("b", "")], {}, b"", 0))
def test_the_official_signer_agrees(case: Case) -> None:
    """For any request, signature and query string are those of the official SDK's signer."""
    path = "/" + "/".join(case.segments)
    headers = {"Host": "workspace.example.test", "X-Sdk-Date": sdk_date(case.moment), **case.headers}
    theirs = SdkRequest(
        method=case.method,
        schema="https",
        host="workspace.example.test",
        resource_path=path,
        query_params=list(case.query),
        header_params=dict(headers),
        body=case.body,
    )
    Signer(BasicCredentials(case.access, case.secret)).sign(theirs)
    keys = Keys(case.access, case.secret)
    ours = sign(keys, case.method, path, case.query, headers, body=case.body)
    assert ours == theirs.header_params["Authorization"]
    query = canonical_query(case.query)
    assert theirs.uri == (f"{path}?{query}" if query else path)


def test_a_path_is_signed_the_same_encoded_or_not() -> None:
    """An encoded path is decoded once before it is signed, as the gateway does."""
    headers = {"X-Sdk-Date": "20191115T033655Z", "Host": "h"}
    plain = sign(EXAMPLE, "GET", "/a b/ü", [], headers)
    assert sign(EXAMPLE, "GET", "/a%20b/%C3%BC", [], headers) == plain
    assert sign(EXAMPLE, "GET", "/a b/ü/", [], headers) == plain


def test_the_date_is_part_of_the_signature() -> None:
    """A second later the signature is another one; without a date there is none."""
    dates = [sdk_date(moment) for moment in (1_700_000_000, 1_700_000_001)]
    first, second = (sign(EXAMPLE, "GET", "/", [], {"X-Sdk-Date": date}) for date in dates)
    assert sdk_date(1_700_000_000.9) == "20231114T221320Z"
    assert first != second
    with pytest.raises(KeyError):
        sign(EXAMPLE, "GET", "/", [], {"Host": "h"})


def test_keys_do_not_show_themselves() -> None:
    """Neither repr nor the signature holds the secret key or the security token; repr no access key."""
    keys = Keys("AKAKAK", "canary-secret-key", "canary-security-token")
    headers = {"X-Sdk-Date": sdk_date(0), "X-Security-Token": keys.security_token}
    signature = sign(keys, "GET", "/", [], headers)
    assert "canary" not in repr(keys) + str(keys) + signature
    assert "AKAKAK" not in repr(keys) + str(keys)
