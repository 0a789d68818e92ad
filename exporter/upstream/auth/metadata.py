"""Temporary keys of the ECS agency, from the metadata service of the server that the exporter runs on.

Source: the official SDK, told in api_facts.md, section 4c. The service has a variant that wants a token
first, and one without; 404, 405 or 503 to the question for a token means the latter, for a day.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from exporter.config import MetadataAuth
from exporter.decode import decode_object
from exporter.errors import BodyError, StatusError, UnauthorizedError
from exporter.upstream.auth.credentials import KeyCredential
from exporter.upstream.auth.iam import time_of
from exporter.upstream.auth.lease import Lease, Leased
from exporter.upstream.auth.standing import Standing
from exporter.upstream.exchange import Exchange, Reply, Request, Timing
from exporter.upstream.masking import Mask
from exporter.upstream.secretfiles import fits_header
from exporter.upstream.signing import Keys

_TOKEN_SECONDS = 21_600
_NO_TOKENS = {404, 405, 503}
_ASK_AGAIN = 86_400.0
_NO_AGENCY = "Please configure Cloud Service Agency first"
_QUIET = 60.0
_MARGIN = 2400.0
"""Seconds before their end from which on new keys are asked for: as the official SDK does."""


def metadata_credentials(
    auth: MetadataAuth, exchange: Exchange, *, mask: Mask, timing: Timing, pause: float, log: Any
) -> Lease[KeyCredential]:
    """Return keys of the metadata service; `pause` is the seconds between two attempts without an answer."""
    service = _Service(auth, exchange, mask=mask, timing=timing)
    return Lease("metadata", service.fetch, margin=_MARGIN, pause=pause, monotonic=timing.monotonic, log=log)


class _Service:
    """Asks the metadata service."""

    def __init__(self, auth: MetadataAuth, exchange: Exchange, *, mask: Mask, timing: Timing) -> None:
        self._base = auth.endpoint.rstrip("/")
        self._exchange = exchange
        self._mask = mask
        self._timing = timing
        self._token = ""
        self._no_tokens_until = -math.inf
        self._standing = Standing(lambda _: _QUIET, clock=timing.clock, monotonic=timing.monotonic)

    async def fetch(self) -> Leased[KeyCredential]:
        """Ask for keys. Raises ApiError; CredentialsError where the server has no agency."""
        self._standing.check(_NO_AGENCY)
        if not self._token and self._timing.monotonic() >= self._no_tokens_until:
            await self._renew_token(optional=True)
        try:
            return await self._ask_keys()
        except UnauthorizedError as error:
            if _NO_AGENCY.lower() in error.answer.message.lower():
                raise self._standing.refuse(_NO_AGENCY, error, ": this server has no agency") from None
        await self._renew_token(optional=False)
        return await self._ask_keys()

    async def _renew_token(self, *, optional: bool) -> None:
        request = Request(
            "metadata",
            self._base,
            "/meta-data/latest/api/token",
            method="PUT",
            headers={"X-Metadata-Token-Ttl-Seconds": str(_TOKEN_SECONDS)},
        )
        try:
            self._token = await self._exchange.once(request, self._read_token, aside=True)
        except StatusError as error:
            if not optional or error.answer.status not in _NO_TOKENS:
                raise
            self._no_tokens_until = self._timing.monotonic() + _ASK_AGAIN

    def _read_token(self, reply: Reply) -> str:
        token = reply.body.decode("ascii", "replace").strip()
        if not fits_header(token):
            raise BodyError("the metadata service gave no usable token", label="body")
        self._mask.know("metadata token", token)
        return token

    async def _ask_keys(self) -> Leased[KeyCredential]:
        headers = {"X-Metadata-Token": self._token} if self._token else {}
        request = Request("metadata", self._base, "/openstack/latest/securitykey", headers=headers)
        return await self._exchange.persist(lambda: self._exchange.once(request, self._read_keys, aside=True))

    def _read_keys(self, reply: Reply) -> Leased[KeyCredential]:
        said = decode_object(reply.body, "metadata").get("credential")
        entries = said if isinstance(said, dict) else {}
        access, secret, token = entries.get("access"), entries.get("secret"), entries.get("securitytoken")
        if not (_is_word(access) and _is_word(secret) and _is_word(token)):
            raise BodyError("the metadata service gave no usable keys", label="body")
        for kind, value in (("access", access), ("secret", secret), ("securitytoken", token)):
            self._mask.know(f"metadata {kind}", value)
        end = time_of(entries.get("expires_at"))
        lifetime = None if end is None else end - self._timing.clock()
        return Leased(KeyCredential(Keys(access, secret, token)), lifetime, end)


def _is_word(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and fits_header(value)
