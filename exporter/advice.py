"""An error -> a sentence, the likely cause, and the next step. Pure; with `advicewords` the one place for it.

The commands, the log (key `advice`) and the status page all say what stands there. Here an error is told from
others by its class, its status and code and, where no code does, by upstream's words: the facts behind that
are in api_facts.md, section 4 (signing in), 5 (codes; the gateway's are listed at
https://support.huaweicloud.com/devg-apisign/api-sign-errorcode.html) and 6 (endpoints, permissions).
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.advicewords import WORDS
from exporter.errors import (
    ApiError,
    BodyError,
    ConfigError,
    CredentialsError,
    ExporterError,
    ForbiddenError,
    NotFoundError,
    StatusError,
    ThrottledError,
    TransportError,
)
from exporter.failures import is_locked

ACTIONS = {
    "list_tasks": "workspace:scheduledTasks:list",
    "show_task": "workspace:scheduledTasks:get",
    "list_records": "workspace:scheduledTasks:listRecords",
    "list_record_details": "workspace:scheduledTasks:getRecord",
}
"""The identity-policy action that each operation needs (api_facts.md, section 0)."""
_KEYS = {
    "create_token": "iam_endpoint",
    "show_token": "iam_endpoint",
    "list_projects": "iam_endpoint",
    "metadata": "auth.metadata.endpoint",
}

Marks = tuple[tuple[tuple[str, ...], str], ...]
"""Words in a text and the name of the entry that they stand for; the first that fits."""
_TLS: Marks = (
    (("ca_file",), "ca_file"),
    (("expired", "not yet valid"), "tls_date"),
    (("mismatch", "not valid for", "doesn't match"), "tls_name"),
    (("self-signed", "self signed", "issuer", "unable to verify", "unknown ca"), "tls_authority"),
)
_BODY: Marks = (
    (("begins with '<",), "html"),
    (("not scoped to a project",), "project"),
)
_CODES = {
    "0101": "address",
    "0103": "address",
    "0308": "throttled",
    "WKS.00010099": "disabled_service",
    "WKS.00170312": "tenant",
}
_STATUSES: tuple[tuple[range | frozenset[int], str], ...] = (
    (range(300, 400), "redirect"),
    (frozenset({413, 414, 431, 494}), "too_large"),
    (frozenset({502, 503, 504}), "backend"),
    (range(500, 600), "server"),
)
_SCOPE: Marks = ((("scope", "project"), "scope"),)
_REFUSALS: Marks = (
    (("this host's clock is", "signature expired", "server time", "x-sdk-date"), "clock"),
    (("token expire", "token has expired", "decrypt token", "token must be updated"), "token_ended"),
    (("aksk", "access key", "signature", " ak "), "keys"),
)
_SIGN_INS: Marks = (
    (("locked",), "account_locked"),
    (("project", "scope"), "no_project"),
)
_CONFIG: Marks = (
    (("environment variable",), "environment"),
    (("cannot listen",), "listen"),
    (("cannot read", "is not a file", "is empty"), "file"),
    (("unknown key",), "key"),
    (("not YAML", "not UTF-8"), "yaml"),
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person is told of an error: what happened, why probably, what to do."""

    sentence: str
    """In upstream's own words where it had any."""
    cause: str
    next_step: str

    @property
    def hint(self) -> str:
        """Cause and next step in one line, for a log."""
        return f"Likely cause: {self.cause} Next step: {self.next_step}"


def advise(error: ExporterError) -> Advice:
    """Return what to tell of an error that this project raised."""
    what, cause, step = WORDS[kind_of(error)]
    if not isinstance(error, ApiError):
        return Advice(_ended(str(error)), cause, step)
    places = {
        "key": _KEYS.get(error.operation, "endpoint"),
        "action": ACTIONS.get(error.operation, f"to call {error.operation}"),
    }
    what, cause, step = (text.format_map(places) for text in (what, cause, step))
    return Advice(_sentence(what, error.answer.message or error.reason), cause, step)


def kind_of(error: ExporterError) -> str:
    """Return which entry of WORDS an error belongs to."""
    if isinstance(error, ConfigError):
        return _marked(error.reason, _CONFIG, "configuration")
    return _of_api(error) if isinstance(error, ApiError) else "command"


def _of_api(error: ApiError) -> str:
    match error:
        case CredentialsError():
            return _refusal(error)
        case TransportError():
            return _transport(error)
        case BodyError():
            return _marked(error.reason, _BODY, "body")
        case StatusError():
            return _status(error)
        case _:
            return error.label if error.label in {"project", "max_tasks"} else "internal"


def _transport(error: TransportError) -> str:
    if error.label == "tls":
        return _marked(error.reason.lower(), _TLS, "tls")
    if error.operation == "metadata":
        return "metadata"
    return error.label if error.label in {"dns", "connect", "timeout", "proxy", "protocol"} else "read"


def _status(error: StatusError) -> str:
    known = _CODES.get(_number(error.answer.code))
    if known:
        return known
    match error:
        case ForbiddenError():
            return _marked(error.answer.message.lower(), _SCOPE, "forbidden")
        case ThrottledError():
            return "throttled"
        case NotFoundError():
            return {"list_tasks": "address", "list_record_details": "details"}.get(error.operation, "task")
        case _:
            return next((kind for statuses, kind in _STATUSES if error.answer.status in statuses), "refused")


def _refusal(error: CredentialsError) -> str:
    """Why the credentials are refused, by what IAM, the gateway or the reader of secret files said."""
    if not error.answer.status:
        return "secret"
    if is_locked(error.answer):
        return "key_locked"
    said = f"{error.reason} {error.answer.message}".lower()
    match error.operation:
        case "metadata":
            return "agency"
        case "create_token":
            other = "sign_in_forbidden" if error.answer.status == 403 else "password"  # noqa: PLR2004 - RFC 9110
            return _marked(said, _SIGN_INS, other)
        case _:
            return _marked(said, _REFUSALS, "credentials")


def _number(code: str) -> str:
    """An error code as the table has it: the gateway writes APIGW.0101 and APIG.0101 alike."""
    prefix, _, number = code.partition(".")
    return number if prefix in {"APIGW", "APIG"} else code


def _marked(text: str, marks: Marks, otherwise: str) -> str:
    return next((kind for words, kind in marks if any(word in text for word in words)), otherwise)


def _sentence(what: str, said: str) -> str:
    """What happened and what was said of it, but not the same twice."""
    if said.lower().startswith(what.lower()):
        return _ended(what + said[len(what) :])
    return _ended(f"{what}: {said}")


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
