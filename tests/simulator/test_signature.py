"""SDK-HMAC-SHA256, the gateway's side."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.signature import (
    Authorization,
    SignatureError,
    SignedRequest,
    canonical,
    parse_authorization,
    signature,
    verify,
)

# The example of the vendor's document (devg-apisign), with its published keys.
_ACCESS_KEY = "QTWAOYTTINDUT2QVKYUC"
_SECRET_KEY = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
_DATE = "20191115T033655Z"
_NOW = dt.datetime(2019, 11, 15, 3, 36, 55, tzinfo=dt.UTC).timestamp()
_EXAMPLE = SignedRequest(
    "GET",
    "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
    "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
    {
        "content-type": "application/json",
        "host": "service.region.example.com",
        "x-sdk-date": _DATE,
    },
)
_NAMES = ("content-type", "host", "x-sdk-date")
_SIGNATURE = "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
_AUTHORIZATION = Authorization(_ACCESS_KEY, _NAMES, _SIGNATURE)


def test_the_published_example_is_accepted() -> None:
    """Hash of the canonical request and signature are those of the vendor's document."""
    digest = hashlib.sha256(canonical(_EXAMPLE, _NAMES).encode()).hexdigest()
    assert digest == "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
    assert signature(_EXAMPLE, _NAMES, _SECRET_KEY) == _SIGNATURE
    signed = ";".join(_NAMES)
    header = f"SDK-HMAC-SHA256 Access={_ACCESS_KEY}, SignedHeaders={signed}, Signature={_SIGNATURE}"
    assert parse_authorization(header) == _AUTHORIZATION
    verify(_EXAMPLE, _AUTHORIZATION, _SECRET_KEY, _NOW)


@pytest.mark.parametrize(
    "request_",
    [
        replace(_EXAMPLE, method="POST"),
        replace(_EXAMPLE, path="/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpc"),
        replace(_EXAMPLE, query="limit=3&marker=13551d6b-755d-4757-b956-536f674975c0"),
        replace(_EXAMPLE, query=""),
        replace(_EXAMPLE, body=b"{}"),
        replace(_EXAMPLE, headers={**_EXAMPLE.headers, "host": "other.example.com"}),
        replace(_EXAMPLE, headers={**_EXAMPLE.headers, "x-sdk-date": "20191115T033656Z"}),
    ],
)
def test_whatever_was_signed_may_not_change(request_: SignedRequest) -> None:
    """Method, path, query, headers, date and body are all covered."""
    with pytest.raises(SignatureError, match="verify aksk signature fail"):
        verify(request_, _AUTHORIZATION, _SECRET_KEY, _NOW)


def test_another_key_is_refused() -> None:
    """The signature proves the secret key."""
    with pytest.raises(SignatureError, match="verify aksk signature fail"):
        verify(_EXAMPLE, _AUTHORIZATION, _SECRET_KEY + "x", _NOW)


def test_headers_that_are_not_signed_may_change() -> None:
    """Only the signed ones are covered."""
    headers = {**_EXAMPLE.headers, "user-agent": "any", "x_odd": "1"}
    verify(replace(_EXAMPLE, headers=headers), _AUTHORIZATION, _SECRET_KEY, _NOW)


def test_the_order_of_the_query_does_not_matter() -> None:
    """Arguments are sorted before they are signed."""
    query = "marker=13551d6b-755d-4757-b956-536f674975c0&limit=2"
    verify(replace(_EXAMPLE, query=query), _AUTHORIZATION, _SECRET_KEY, _NOW)


@pytest.mark.parametrize("skew", [-900, 900, 0])
def test_within_a_quarter_of_an_hour_the_clock_may_be_wrong(skew: float) -> None:
    """15 minutes either way are good, one second more is not."""
    verify(_EXAMPLE, _AUTHORIZATION, _SECRET_KEY, _NOW + skew)
    if skew:
        with pytest.raises(SignatureError, match="too far"):
            verify(_EXAMPLE, _AUTHORIZATION, _SECRET_KEY, _NOW + skew + skew / 900)


@pytest.mark.parametrize("date", ["", "yesterday", "2019-11-15T03:36:55Z"])
def test_a_date_that_cannot_be_read_is_refused(date: str) -> None:
    """X-Sdk-Date is mandatory."""
    headers = {**_EXAMPLE.headers, "x-sdk-date": date}
    with pytest.raises(SignatureError, match="X-Sdk-Date"):
        verify(replace(_EXAMPLE, headers=headers), _AUTHORIZATION, _SECRET_KEY, _NOW)


def test_the_date_must_be_signed_and_signed_headers_must_arrive() -> None:
    """Otherwise an old signature would be good for ever."""
    with pytest.raises(SignatureError, match="not among the signed headers"):
        canonical(_EXAMPLE, ("host",))
    with pytest.raises(SignatureError, match="signed header x-project-id is missing"):
        canonical(_EXAMPLE, ("host", "x-project-id", "x-sdk-date"))


def test_the_stated_hash_of_the_body_must_be_true() -> None:
    """X-Sdk-Content-Sha256 is the body's hash or UNSIGNED-PAYLOAD."""
    names = ("x-sdk-content-sha256", "x-sdk-date")
    for stated, good in (
        ("UNSIGNED-PAYLOAD", True),
        (hashlib.sha256(b"{}").hexdigest(), True),
        ("0" * 64, False),
    ):
        request = SignedRequest("POST", "/", "", {"x-sdk-date": _DATE, "x-sdk-content-sha256": stated}, b"{}")
        authorization = Authorization("k", names, signature(request, names, "secret"))
        if good:
            verify(request, authorization, "secret", _NOW)
        else:
            with pytest.raises(SignatureError, match="X-Sdk-Content-Sha256"):
                verify(request, authorization, "secret", _NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer x",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=b",
        "SDK-HMAC-SHA256, Access=a, SignedHeaders=b, Signature=c",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=b, Signature=XYZ",
    ],
)
def test_other_authorizations_are_none(header: str) -> None:
    """Anything else than the three parts behind the algorithm."""
    with pytest.raises(SignatureError, match="format incorrect"):
        parse_authorization(header)


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="/\x00"), max_size=12)
_HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@settings(max_examples=200)
@given(
    st.lists(_TEXT, min_size=1, max_size=4),
    st.lists(st.tuples(_TEXT, _TEXT), max_size=4),
    st.dictionaries(st.sampled_from(["X-Project-Id", "X-Security-Token", "Content-Type", "X_Odd"]), _HEADER),
    st.binary(max_size=30),
    _HEADER,
)
def test_the_official_signer_is_understood(
    path: list[str],
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    secret_key: str,
) -> None:
    """What the vendor's own signer signs is accepted as it goes over the wire, and not with another key."""
    request = SdkRequest(
        method="POST",
        schema="https",
        host="workspace.example.com",
        resource_path="/" + "/".join(path).replace("%", ""),
        query_params=query,
        header_params={**headers, "X-Sdk-Date": _DATE},
        body=body,
    )
    sent_path = request.resource_path
    signed = Signer(BasicCredentials("key", secret_key)).sign(request)
    _, _, sent_query = signed.uri.partition("?")
    if "?" in sent_path:
        sent_query = signed.uri[len(sent_path) + 1 :]
    arrived = {
        name.lower(): value.encode("iso-8859-1").decode() for name, value in signed.header_params.items()
    }
    received = SignedRequest("POST", sent_path, sent_query, arrived, body)
    authorization = parse_authorization(arrived["authorization"])
    verify(received, authorization, secret_key, _NOW)
    with pytest.raises(SignatureError):
        verify(received, authorization, secret_key + "x", _NOW)
