"""What shows who asks: a token, or a signature by keys; and what a kind of `auth` offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from exporter.upstream.exchange import Request
from exporter.upstream.signing import Keys, sdk_date, sign


class Credential(Protocol):
    """One credential; equal ones are the same to upstream."""

    @property
    def project_id(self) -> str:
        """The project that it belongs to, where it says so; otherwise empty."""

    def headers(self, request: Request, now: float) -> dict[str, str]:
        """Return the headers that sign a request at a moment (epoch seconds)."""


class Credentials(Protocol):
    """One kind of `auth`: gives a credential, and another one when that is refused."""

    async def current(self) -> Credential:
        """Return the credential in force, fetching it where needed. Raises ApiError."""

    def holds(self, credential: Credential) -> bool:
        """Whether `credential` is still the one in force."""

    async def renew(self, refused: Credential) -> bool:
        """Whether there is another credential than the refused one now. Raises ApiError."""

    def accepted(self, credential: Credential) -> None:
        """Take note that upstream accepted a request with `credential`."""

    @property
    def expiry(self) -> tuple[str, float] | None:
        """The kind (token, password, metadata) and the end in epoch seconds; None where unknown."""

    async def aclose(self) -> None:
        """End what is under way."""


@dataclass(frozen=True, slots=True)
class TokenCredential:
    """An IAM token, sent as it is (api_facts.md, section 4a)."""

    token: str = field(repr=False)
    project_id: str = field(default="", compare=False)

    def headers(self, request: Request, now: float) -> dict[str, str]:
        """Return X-Auth-Token."""
        del request, now
        return {"X-Auth-Token": self.token}


@dataclass(frozen=True, slots=True)
class KeyCredential:
    """An access key pair, by which every request is signed anew (api_facts.md, section 4b)."""

    keys: Keys = field(repr=False)
    project_id: str = field(default="", compare=False)

    def headers(self, request: Request, now: float) -> dict[str, str]:
        """Return the headers that are signed, and the signature of them and of the request."""
        url = request.url
        headers = {"Host": url.netloc.decode("ascii"), "X-Sdk-Date": sdk_date(now)}
        if request.project_id:
            headers["X-Project-Id"] = request.project_id
        if self.keys.security_token:
            headers["X-Security-Token"] = self.keys.security_token
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        signature = sign(self.keys, request.method, path, request.query, headers, body=request.body)
        return {**headers, "Authorization": signature}
