"""The account: who may sign in, which tokens and keys are good, and when wrong ones lock it.

Nothing here reads a clock; all times are epoch seconds of the service. The rules are api_facts.md, section 4.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.simulator.dice import hex_digits
from exporter.simulator.signature import SignatureError, SignedRequest, parse_authorization, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.simulator.options import Options

PASSWORD_FAILURES = 5
PASSWORD_WINDOW_SECONDS = 15 * 60
PASSWORD_LOCK_SECONDS = 15 * 60
KEY_FAILURES = 5
KEY_LOCK_SECONDS = 5 * 60
METADATA_TOKEN_SECONDS = 21_600
_TOKEN_BLOCKS = 12
_INCORRECT = "Incorrect IAM authentication information"


class RefusedError(Exception):
    """The credentials are not good; the text says why, and holds no secret."""


class LockedError(RefusedError):
    """Too many wrong ones: the account (or the access key) is locked for a while."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was issued. `project_id` is its scope; empty for a global one."""

    project_id: str
    issued: float
    expires: float


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Access keys; temporary ones have a security token and an end."""

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    expires: float | None = None

    def good(self, now: float) -> bool:
        """Return whether the keys have not expired."""
        return self.expires is None or self.expires > now


class Identity:
    """The state of the account. `fixed_project` is the scope of the fixed token."""

    def __init__(self, options: Options, fixed_project: str, now: float) -> None:
        credentials = options.credentials
        self._credentials = credentials
        self._tokens = {
            credentials.token: Token(fixed_project, now, now + options.fixed_token_lifetime),
        }
        self._keys = {credentials.access_key: KeyPair(credentials.access_key, credentials.secret_key)}
        self._issued = 0
        self._password_failures: deque[float] = deque()
        self._password_locked_until = 0.0
        self._key_failures: dict[str, int] = {}
        self._key_locked_until: dict[str, float] = {}
        self._temporary: KeyPair | None = None
        self._metadata_tokens: dict[str, float] = {}

    # Passwords and tokens

    def check_password(self, domain_name: str, user_name: str, password: str, now: float) -> None:
        """Return if the password is right.

        Raises:
            LockedError: five wrong ones within 15 minutes locked the account for 15 minutes.
            RefusedError: a name or the password is wrong.

        """
        if now < self._password_locked_until:
            raise LockedError("The user is locked. Try again later.")
        wanted = self._credentials
        if (domain_name, user_name, password) == (wanted.domain_name, wanted.user_name, wanted.password):
            self._password_failures.clear()
            return
        failures = self._password_failures
        failures.append(now)
        while failures[0] <= now - PASSWORD_WINDOW_SECONDS:
            failures.popleft()
        if len(failures) >= PASSWORD_FAILURES:
            self._password_locked_until = now + PASSWORD_LOCK_SECONDS
            failures.clear()
        raise RefusedError("The username or password is wrong.")

    def issue_token(self, project_id: str, lifetime: float, now: float) -> str:
        """Return a new token; those issued before stay good. It has the length of a real one."""
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires > now}
        self._issued += 1
        text = "".join(hex_digits(128, "token", self._issued, block) for block in range(_TOKEN_BLOCKS))
        self._tokens[text] = Token(project_id, now, now + lifetime)
        return text

    def token(self, text: str, now: float) -> Token:
        """Return what is known of a token.

        Raises:
            RefusedError: it was never issued, was revoked, or has expired.

        """
        known = self._tokens.get(text)
        if known is None:
            raise RefusedError(f"{_INCORRECT}: decrypt token fail")
        if known.expires <= now:
            raise RefusedError(f"{_INCORRECT}: token expires")
        return known

    def revoke_tokens(self) -> None:
        """Invalidate every token, as a change of the user's permissions does; the fixed one too."""
        self._tokens.clear()

    # Access keys

    def check_signature(self, request: SignedRequest, now: float) -> None:
        """Return if the request carries a good signature of a good key.

        Raises:
            LockedError: more than five wrong ones in a row locked the key for five minutes.
            RefusedError: key, security token or signature is wrong.

        """
        try:
            authorization = parse_authorization(request.headers.get("authorization", ""))
        except SignatureError as error:
            raise RefusedError(f"{_INCORRECT}: {error}") from None
        access_key = authorization.access_key
        if now < self._key_locked_until.get(access_key, 0.0):
            raise LockedError(
                "Incorrect IAM authentication information: AK access failed to reach the limit,forbidden"
            )
        try:
            pair = self._key_pair(access_key, request.headers, now)
            verify(request, authorization, pair.secret_key, now)
        except SignatureError as error:
            self._count_key_failure(access_key, now)
            raise RefusedError(f"{_INCORRECT}: {error}") from None
        self._key_failures.pop(access_key, None)

    def temporary_keys(self, lifetime: float, now: float) -> KeyPair:
        """Return the keys that the metadata service shows: new ones in the second half of their life."""
        current = self._temporary
        if current is None or current.expires is None or current.expires - now < lifetime / 2:
            self._issued += 1
            current = KeyPair(
                access_key=f"TEMP{hex_digits(16, 'access', self._issued).upper()}",
                secret_key=hex_digits(40, "secret", self._issued),
                security_token=hex_digits(120, "security", self._issued),
                expires=now + lifetime,
            )
            self._temporary = current
            self._keys = {
                key: pair for key, pair in self._keys.items() if pair.expires is None or pair.expires > now
            }
            self._keys[current.access_key] = current
        return current

    # The metadata service's own tokens

    def issue_metadata_token(self, lifetime: float, now: float) -> str:
        """Return a token for the metadata service."""
        self._issued += 1
        text = hex_digits(56, "metadata", self._issued)
        self._metadata_tokens[text] = now + lifetime
        return text

    def metadata_token_good(self, text: str, now: float) -> bool:
        """Return whether the metadata service issued that token and it still holds."""
        return self._metadata_tokens.get(text, now) > now

    def _key_pair(self, access_key: str, headers: Mapping[str, str], now: float) -> KeyPair:
        pair = self._keys.get(access_key)
        if pair is None:
            raise SignatureError("The access key does not exist")
        if not pair.good(now):
            raise SignatureError("The access key has expired")
        if pair.security_token != headers.get("x-security-token", ""):
            raise SignatureError("The security token is wrong or missing")
        return pair

    def _count_key_failure(self, access_key: str, now: float) -> None:
        failures = self._key_failures.get(access_key, 0) + 1
        self._key_failures[access_key] = failures
        if failures > KEY_FAILURES:
            self._key_locked_until[access_key] = now + KEY_LOCK_SECONDS
            del self._key_failures[access_key]
