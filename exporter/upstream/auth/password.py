"""An IAM user's name and password: a token is fetched, renewed before its end, and once after a 401.

Source: api_facts.md, section 4a. Wrong passwords lock the account, so a refused one is not sent again for
15 minutes, unless it has changed.
"""

from __future__ import annotations

from typing import Any

from exporter.config import PasswordAuth, Project
from exporter.errors import BodyError, CredentialsError, StatusError
from exporter.timestamps import format_utc
from exporter.upstream.auth.credentials import TokenCredential
from exporter.upstream.auth.iam import TokenInfo, decode_token, token_request
from exporter.upstream.auth.lease import Lease, Leased
from exporter.upstream.auth.standing import Standing
from exporter.upstream.exchange import Exchange, Reply, Request, Timing
from exporter.upstream.masking import Mask
from exporter.upstream.secretfiles import SecretReader, fits_header

_REFUSED = {400, 401, 403}
"""What IAM answers to a wrong, locked or forbidden user."""
_QUIET = 900.0
_MARGIN = 600.0


def password_credentials(
    auth: PasswordAuth,
    project: Project,
    exchange: Exchange,
    *,
    mask: Mask,
    timing: Timing,
    pause: float,
    log: Any,
) -> Lease[TokenCredential]:
    """Return tokens by password; `pause` is the seconds between two attempts that got no answer."""
    user = _User(auth, project, exchange, mask=mask, timing=timing, log=log)
    return Lease("password", user.fetch, margin=_MARGIN, pause=pause, monotonic=timing.monotonic, log=log)


class _User:
    """Signs in."""

    def __init__(
        self,
        auth: PasswordAuth,
        project: Project,
        exchange: Exchange,
        *,
        mask: Mask,
        timing: Timing,
        log: Any,
    ) -> None:
        self._auth = auth
        self._project = project
        self._exchange = exchange
        self._mask = mask
        self._clock = timing.clock
        self._log = log
        self._password = SecretReader(
            "password", auth.password_secret, clock=timing.clock, learn=mask.know, log=log
        )
        self._standing = Standing(lambda _: _QUIET, clock=timing.clock, monotonic=timing.monotonic)

    async def fetch(self) -> Leased[TokenCredential]:
        """Sign in. Raises ApiError; CredentialsError while the password is refused."""
        password = self._password.read()
        self._standing.check(password)
        try:
            token, info = await self._exchange.persist(lambda: self._ask(password))
        except StatusError as error:
            if error.answer.status in _REFUSED:
                raise self._refused(password, error) from None
            raise
        self._standing.accept(password)
        return self._leased(token, info)

    async def _ask(self, password: str) -> tuple[str, TokenInfo]:
        auth, project = self._auth, self._project
        request = Request(
            "create_token",
            project.iam_url or "",
            "/v3/auth/tokens",
            method="POST",
            query=(("nocatalog", "true"),),
            headers={"Content-Type": "application/json;charset=utf8"},
            body=token_request(
                auth.domain_name, auth.user_name, password, region=project.region, project=project.project_id
            ),
        )
        return await self._exchange.once(request, self._read, aside=True)

    def _read(self, reply: Reply) -> tuple[str, TokenInfo]:
        token = reply.headers.get("x-subject-token", "")
        if not fits_header(token):
            raise BodyError("the answer has no usable header X-Subject-Token", label="body")
        self._mask.know("issued token", token)
        info = decode_token(reply.body, "create_token")
        if not (info.project_id or self._project.project_id):
            raise BodyError("the token is not scoped to a project", label="body")
        return token, info

    def _leased(self, token: str, info: TokenInfo) -> Leased[TokenCredential]:
        wanted = self._project.project_id
        if wanted and info.project_id and info.project_id != wanted:
            self._log.warning(
                "the token belongs to another project than the configured one",
                configured=wanted,
                of_the_token=info.project_id,
            )
        lifetime = None if info.expires is None else info.expires - (info.issued or self._clock())
        until = None if info.expires is None else format_utc(info.expires)
        self._log.info("signed in", user=self._auth.user_name, until=until)
        return Leased(TokenCredential(token, info.project_id), lifetime, info.expires)

    def _refused(self, password: str, error: StatusError) -> CredentialsError:
        refusal = self._standing.refuse(password, error, "; not sent again for 15 minutes: accounts lock")
        self._log.error("sign-in was refused", error=str(refusal), retry_at=format_utc(refusal.retry_at or 0))
        return refusal
