"""A configured access key pair: read again when its files change.

Source: api_facts.md, section 4b. The gateway locks a key for five minutes after more than five refused
signatures in a row, also for everybody else who uses it.
"""

from __future__ import annotations

from typing import Any

from exporter.config import AkskAuth
from exporter.secrets import Secret
from exporter.upstream.auth.credentials import Credential, KeyCredential
from exporter.upstream.exchange import Timing
from exporter.upstream.masking import Mask
from exporter.upstream.secretfiles import SecretReader
from exporter.upstream.signing import Keys


class AkskCredentials:
    """The configured keys."""

    def __init__(self, auth: AkskAuth, *, mask: Mask, timing: Timing, log: Any) -> None:
        def reader(name: str, secret: Secret) -> SecretReader:
            return SecretReader(name, secret, clock=timing.clock, learn=mask.know, log=log, header=True)

        self._access_key = reader("access_key", auth.access_key_secret)
        self._secret_key = reader("secret_key", auth.secret_key_secret)
        token = auth.security_token_secret
        self._security_token = reader("security_token", token) if token else None

    async def current(self) -> KeyCredential:
        """Return the keys as they are configured or as their files hold them now. Raises CredentialsError."""
        return self._read()

    def holds(self, credential: Credential) -> bool:
        """Whether they are still the configured keys."""
        return credential == self._read()

    async def renew(self, refused: Credential) -> bool:
        """Whether the files hold other keys by now."""
        return not self.holds(refused)

    def accepted(self, credential: Credential) -> None:
        """Nothing to do."""

    @property
    def expiry(self) -> None:
        """Unknown: nothing says when configured keys end."""

    async def aclose(self) -> None:
        """Nothing is ever under way."""

    def _read(self) -> KeyCredential:
        token = self._security_token
        return KeyCredential(
            Keys(
                self._access_key.read(),
                self._secret_key.read(),
                token.read() if token else "",
            )
        )
