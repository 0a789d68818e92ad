"""The exception tree. Each error carries its decision, so that nobody has to guess what to do about it.

::

    ExporterError
    ├── ConfigError            the user's file is wrong: exit code 2, the old configuration stays
    ├── ScheduleError          (exporter.schedule) a schedule that names no times
    └── ApiError               a request upstream gave no usable answer
        ├── TransportError     no answer: time-out, connection, TLS, body cut short
        ├── BodyError          an answer that is not what the API document says
        ├── StatusError        an HTTP status outside 2xx
        │   ├── NotFoundError      the object does not exist
        │   ├── ForbiddenError     a permission is missing
        │   ├── UnauthorizedError  the credentials were not accepted for this request
        │   └── ThrottledError     too many requests
        └── CredentialsError   sign-in was refused or is impossible; carries when to try again
"""

from __future__ import annotations

from dataclasses import dataclass


class ExporterError(Exception):
    """Everything that this project raises on purpose."""


class ConfigError(ExporterError):
    """A configuration that cannot be used: `source` (a file name), `key` (its path) and `reason`."""

    def __init__(self, reason: str, *, key: str = "", source: str = "") -> None:
        self.reason = reason
        self.key = key
        self.source = source
        super().__init__(": ".join(part for part in (source, key, reason) if part))

    def located(self, source: str) -> ConfigError:
        """Return the same error, naming the file it was found in."""
        return type(self)(self.reason, key=self.key, source=source)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an unsuccessful answer said of itself; every field may be empty.

    `code` and `message` are upstream's words (cut to a bounded length), `request_id` is the header
    `X-Request-Id` or `X-IAM-Trace-Id`, by which the vendor's support finds the request.
    """

    status: int = 0
    code: str = ""
    message: str = ""
    detail: str = ""
    request_id: str = ""


class ApiError(ExporterError):
    """A request upstream gave no usable answer.

    `label` is the `code` label of `workspace_exporter_api_requests_total`: the HTTP status, or a word;
    `retry_after` is upstream's own wish in seconds, where it had one.
    """

    def __init__(
        self,
        reason: str,
        *,
        label: str,
        operation: str = "",
        answer: Answer | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.reason = reason
        self.label = label
        self.operation = operation
        self.answer = answer or Answer()
        self.retry_after = retry_after
        super().__init__(reason)

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed when it is sent again soon."""
        return False

    def __str__(self) -> str:
        """Operation, reason, upstream's code and message, request id: what a log line or page shows."""
        said = " ".join(part for part in (self.answer.code, self.answer.message) if part)
        parts = [self.reason, said, self.answer.detail]
        text = ": ".join(part for part in parts if part)
        if self.operation:
            text = f"{self.operation}: {text}"
        if self.answer.request_id:
            text = f"{text} (request id {self.answer.request_id})"
        return text


class TransportError(ApiError):
    """No complete answer arrived; `label` is timeout, connect, dns, tls, protocol, proxy or read."""

    @property
    def retryable(self) -> bool:
        """Yes: the next connection may fare better."""
        return True


class BodyError(ApiError):
    """The answer arrived but is not what the API document says: label `body`. Never retried at once."""


class StatusError(ApiError):
    """An HTTP status outside 2xx; 5xx may pass, anything else will not."""

    @property
    def retryable(self) -> bool:
        """Whether the server, not the request, was at fault (5xx)."""
        return self.answer.status >= 500  # noqa: PLR2004 - RFC 9110 section 15.6


class NotFoundError(StatusError):
    """The object does not exist: 404, or a 4xx whose message says so (api_facts.md, section 5)."""


class ForbiddenError(StatusError):
    """403: the credentials are good, a permission is missing."""


class UnauthorizedError(StatusError):
    """401: the token or the signature was not accepted."""


class ThrottledError(StatusError):
    """429: too many requests."""

    @property
    def retryable(self) -> bool:
        """Yes, later (`retry_after`)."""
        return True


class CredentialsError(ApiError):
    """Sign-in was refused, or cannot be tried: no request of this project can succeed.

    `retry_at` (epoch seconds) is when the sign-in may be tried again: a refused password is not repeated
    for 15 minutes, since the account locks (api_facts.md, section 4a).
    """

    def __init__(
        self,
        reason: str,
        *,
        label: str = "credentials",
        operation: str = "",
        answer: Answer | None = None,
        retry_at: float | None = None,
    ) -> None:
        super().__init__(reason, label=label, operation=operation, answer=answer)
        self.retry_at = retry_at
