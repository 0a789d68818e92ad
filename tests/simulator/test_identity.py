"""The account: tokens, passwords, keys, locks."""

from __future__ import annotations

import pytest

from exporter.simulator.identity import Identity, LockedError, RefusedError
from exporter.simulator.options import Credentials, Options
from exporter.simulator.signature import SignedRequest, signature

_ACCOUNT = Credentials()
_DATE, _NOW = "20191115T033655Z", 1573789015.0


def _identity(**options: object) -> Identity:
    return Identity(Options(**options), "project", _NOW)  # type: ignore[arg-type]


def _sign_in(identity: Identity, password: str = _ACCOUNT.password, now: float = _NOW) -> None:
    identity.check_password(_ACCOUNT.domain_name, _ACCOUNT.user_name, password, now)


def _signed(access_key: str, secret_key: str, **headers: str) -> SignedRequest:
    named = {"x-sdk-date": _DATE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = SignedRequest("GET", "/", "", named)
    names = tuple(sorted(named))
    signed = signature(request, names, secret_key)
    parts = f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={';'.join(names)}, Signature={signed}"
    return SignedRequest("GET", "/", "", {**named, "authorization": parts})


def test_tokens_are_good_until_they_end() -> None:
    """A new one does not invalidate the old; each is of its own project, and long like a real one."""
    identity = _identity()
    first = identity.issue_token("a", 100, _NOW)
    second = identity.issue_token("b", 200, _NOW + 50)
    assert first != second
    assert len(first) > 1000
    assert identity.token(first, _NOW + 99).project_id == "a"
    assert identity.token(second, _NOW + 99).project_id == "b"
    with pytest.raises(RefusedError, match="token expires"):
        identity.token(first, _NOW + 100)
    with pytest.raises(RefusedError, match="decrypt token fail"):
        identity.token("invented", _NOW)


def test_expired_tokens_are_forgotten_in_time() -> None:
    """The next issue clears them away."""
    identity = _identity()
    old = identity.issue_token("a", 1, _NOW)
    identity.issue_token("a", 1, _NOW + 2)
    with pytest.raises(RefusedError, match="decrypt token fail"):
        identity.token(old, _NOW + 2)


def test_the_fixed_token_is_there_from_the_begin_and_can_be_revoked() -> None:
    """With its own lifetime; revoking takes all tokens."""
    identity = _identity(fixed_token_lifetime=60.0)
    assert identity.token(_ACCOUNT.token, _NOW + 59).expires == _NOW + 60
    issued = identity.issue_token("a", 100, _NOW)
    identity.revoke_tokens()
    for text in (_ACCOUNT.token, issued):
        with pytest.raises(RefusedError):
            identity.token(text, _NOW)


@pytest.mark.parametrize(
    "names",
    [("other", "demo-user", "demo-password"), ("demo-domain", "other", "demo-password")],
)
def test_all_three_names_must_be_right(names: tuple[str, str, str]) -> None:
    """Domain and user count as much as the password."""
    with pytest.raises(RefusedError, match="wrong"):
        _identity().check_password(*names, _NOW)


def test_five_wrong_passwords_lock_the_account() -> None:
    """For 15 minutes even the right one is refused; then it is good again."""
    identity = _identity()
    for attempt in range(5):
        with pytest.raises(RefusedError, match="wrong"):
            _sign_in(identity, "guess", _NOW + attempt)
    with pytest.raises(LockedError):
        _sign_in(identity, now=_NOW + 5)
    with pytest.raises(LockedError):
        _sign_in(identity, now=_NOW + 4 + 15 * 60 - 1)
    _sign_in(identity, now=_NOW + 4 + 15 * 60)


def test_a_good_password_or_a_long_time_forgives_wrong_ones() -> None:
    """Only five within 15 minutes and none good between them lock."""
    identity = _identity()
    for attempt in range(20):
        with pytest.raises(RefusedError, match="wrong"):
            _sign_in(identity, "guess", _NOW + attempt * 226)
    for attempt in range(20):
        if attempt % 4 == 0:
            _sign_in(identity, now=_NOW + 5000)
        with pytest.raises(RefusedError, match="wrong"):
            _sign_in(identity, "guess", _NOW + 5000)


def test_a_signature_needs_the_account_s_key() -> None:
    """The right key opens, another secret or an unknown access key does not."""
    identity = _identity()
    identity.check_signature(_signed(_ACCOUNT.access_key, _ACCOUNT.secret_key), _NOW)
    with pytest.raises(RefusedError, match="verify aksk signature fail"):
        identity.check_signature(_signed(_ACCOUNT.access_key, "guess"), _NOW)
    with pytest.raises(RefusedError, match="does not exist"):
        identity.check_signature(_signed("UNKNOWN", _ACCOUNT.secret_key), _NOW)
    with pytest.raises(RefusedError, match="format incorrect"):
        identity.check_signature(SignedRequest("GET", "/", "", {"authorization": "x"}), _NOW)
    with pytest.raises(RefusedError, match="security token"):
        identity.check_signature(
            _signed(_ACCOUNT.access_key, _ACCOUNT.secret_key, x_security_token="x"), _NOW
        )


def test_more_than_five_wrong_signatures_lock_the_key() -> None:
    """Six in a row, for five minutes; a good one between them forgives."""
    identity = _identity()
    good, bad = _signed(_ACCOUNT.access_key, _ACCOUNT.secret_key), _signed(_ACCOUNT.access_key, "guess")
    for attempt in range(6 + 5):
        if attempt == 5:
            identity.check_signature(good, _NOW)
        with pytest.raises(RefusedError, match="verify"):
            identity.check_signature(bad, _NOW)
    with pytest.raises(LockedError, match="AK access failed to reach the limit"):
        identity.check_signature(good, _NOW + 299)
    identity.check_signature(good, _NOW + 300)


def test_temporary_keys_need_their_security_token_and_end() -> None:
    """The metadata service shows the same pair in the first half of its life, then a new one."""
    identity = _identity()
    pair = identity.temporary_keys(1000, _NOW)
    assert identity.temporary_keys(1000, _NOW + 500) == pair
    newer = identity.temporary_keys(1000, _NOW + 501)
    assert newer != pair
    good = _signed(pair.access_key, pair.secret_key, x_security_token=pair.security_token)
    identity.check_signature(good, _NOW + 899)
    for wrong in (
        _signed(pair.access_key, pair.secret_key),
        _signed(pair.access_key, pair.secret_key, x_security_token=newer.security_token),
    ):
        with pytest.raises(RefusedError, match="security token"):
            identity.check_signature(wrong, _NOW)
    short = _identity().temporary_keys(10, _NOW)
    lapsed = _identity()
    lapsed.temporary_keys(10, _NOW)
    request = _signed(short.access_key, short.secret_key, x_security_token=short.security_token)
    with pytest.raises(RefusedError, match="expired"):
        lapsed.check_signature(request, _NOW + 10)
    assert newer.secret_key not in repr(newer)
    assert newer.security_token not in repr(newer)


def test_metadata_tokens_end_too() -> None:
    """An unknown one was never good."""
    identity = _identity()
    token = identity.issue_metadata_token(60, _NOW)
    assert identity.metadata_token_good(token, _NOW + 59)
    assert not identity.metadata_token_good(token, _NOW + 60)
    assert not identity.metadata_token_good("invented", _NOW)
