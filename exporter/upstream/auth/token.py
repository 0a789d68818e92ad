"""A ready token: used as it is, read again when its file changes, its end asked from IAM in the background.

Source: api_facts.md, section 4a. It cannot be renewed: a refused one is tried again by one request in a
while, so that the exporter notices when it works again, and at once when it changes.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from exporter.config import Project, TokenAuth
from exporter.errors import ApiError
from exporter.upstream.auth.credentials import Credential, TokenCredential
from exporter.upstream.auth.iam import TokenInfo, decode_token
from exporter.upstream.exchange import Exchange, Request, Timing
from exporter.upstream.masking import Mask
from exporter.upstream.secretfiles import SecretReader

_ASK_AGAIN = 600.0
"""Seconds until IAM is asked once more for an end that it did not give."""


class TokenCredentials:
    """The configured token, and what IAM says of it."""

    def __init__(
        self,
        auth: TokenAuth,
        project: Project,
        exchange: Exchange,
        *,
        mask: Mask,
        timing: Timing,
        log: Any,
    ) -> None:
        self._project = project
        self._exchange = exchange
        self._monotonic = timing.monotonic
        self._log = log
        self._token = SecretReader(
            "token", auth.token_secret, clock=timing.clock, learn=mask.know, log=log, header=True
        )
        self._asked: Credential | None = None
        self._ask_from = -math.inf
        self._asking: asyncio.Task[None] | None = None
        self._info: TokenInfo | None = None

    async def current(self) -> TokenCredential:
        """Return the token as it is configured or as its file holds it now. Raises CredentialsError."""
        return self._read()

    def holds(self, credential: Credential) -> bool:
        """Whether it is still the configured token."""
        return credential == self._read()

    async def renew(self, refused: Credential) -> bool:
        """Whether the file holds another token by now."""
        return not self.holds(refused)

    def accepted(self, credential: Credential) -> None:
        """Ask IAM for the token's end, in the background: once, or again later where that failed."""
        if credential != self._asked:
            self._asked, self._info, self._ask_from = credential, None, -math.inf
        if self._project.iam_url and self._info is None and self._monotonic() >= self._ask_from:
            self._ask_from = self._monotonic() + _ASK_AGAIN
            if self._asking is not None:
                self._asking.cancel()  # it is about a token that is no longer in use
            self._asking = asyncio.create_task(self._ask(self._project.iam_url, self._read()))

    @property
    def expiry(self) -> tuple[str, float] | None:
        """The end of the token, once IAM has said it."""
        end = self._info.expires if self._info else None
        return None if end is None else ("token", end)

    async def aclose(self) -> None:
        """End the question to IAM that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def _read(self) -> TokenCredential:
        return TokenCredential(self._token.read())

    async def _ask(self, iam_url: str, credential: TokenCredential) -> None:
        token = credential.token
        request = Request(
            "show_token",
            iam_url,
            "/v3/auth/tokens",
            query=(("nocatalog", "true"),),
            headers={"X-Auth-Token": token, "X-Subject-Token": token},
        )
        try:
            info = await self._exchange.once(
                request, lambda reply: decode_token(reply.body, "show_token"), aside=True
            )
        except ApiError as error:
            self._log.info("IAM does not say when the token ends", error=str(error))
            return
        if credential == self._asked:
            self._info = info
        wanted = self._project.project_id
        if info.project_id and info.project_id != wanted:
            self._log.warning(
                "the token belongs to another project than the configured one",
                configured=wanted,
                of_the_token=info.project_id,
            )
