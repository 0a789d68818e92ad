"""(status, headers, body) of an unsuccessful answer -> the ApiError that says what to do about it. Pure.

Sources: api_facts.md, section 5: the API's own error shape, the gateway's and IAM's nested one; the gateway's
table of codes is https://support.huaweicloud.com/devg-apisign/api-sign-errorcode.html. Every word of an
answer is hostile: it is masked, flattened to one line and cut before anybody sees it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from exporter.decode import clean
from exporter.errors import (
    Answer,
    ForbiddenError,
    NotFoundError,
    StatusError,
    ThrottledError,
    UnauthorizedError,
)

_SHAPES = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))
_TAG = re.compile(r"<(?!secret>)[^<>]*>")
_SECONDS = re.compile(r"[0-9]{1,9}")
_LONGEST_WISH = 3600.0
_MAX_CODE = 64
_MAX_MESSAGE = 1000
_MAX_DETAIL = 500

_BY_STATUS: dict[int, tuple[type[StatusError], str]] = {
    401: (UnauthorizedError, "the credentials were not accepted"),
    403: (ForbiddenError, "a permission is missing"),
    429: (ThrottledError, "too many requests"),
}
_LOCKED_KEY = "ak access failed to reach the limit"
_ABSENT = "does not exist"
_OTHER_OBJECTS = ("tenant", "project", "domain", "the user", "the api")
TELLING_PHRASES = (_LOCKED_KEY, *_OTHER_OBJECTS, _ABSENT)
"""The words of a message, in lower case, on which the kind of an error depends."""
_ADVICE = {
    "0101": "the address serves no such API: check region and endpoint",
    "0103": "the address serves no such API: check region and endpoint",
    "WKS.00010099": "the Workspace service is switched off in this project",
    "WKS.00170312": "the Workspace service is not opened in this project",
}


def failure(
    operation: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    *,
    mask: Callable[[str], str] = str,
) -> StatusError:
    """Return the error of an answer whose status is not 2xx.

    `headers` has lower-case names, `now` is epoch seconds (for a Retry-After that is a date), `mask` takes
    secrets out of upstream's words. NotFoundError is a 404, or another 4xx whose message says that the object
    does not exist, unless it is not a task but the address or the tenant that is missing.
    """
    answer = _answer(status, headers, body, mask)
    kind, reason = _decide(answer)
    return kind(
        reason,
        label=str(status),
        operation=operation,
        answer=answer,
        retry_after=retry_after(headers, now),
    )


def request_id(headers: Mapping[str, str], mask: Callable[[str], str] = str) -> str:
    """Return the id by which the vendor's support finds a request; empty where the answer has none."""
    return _line(mask(headers.get("x-request-id") or headers.get("x-iam-trace-id") or ""), _MAX_CODE)


def is_locked(answer: Answer) -> bool:
    """Whether the gateway has locked an access key: five minutes after more than five refused signatures."""
    return _LOCKED_KEY in answer.message.lower()


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return Retry-After in seconds (RFC 9110, section 10.2.3); None without one, or for nonsense.

    A date is compared with the answer's own Date where it has one, so that a wrong local clock does no harm.
    A wish of more than an hour is cut to one: nobody may silence the exporter for longer.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_WISH)
    until = http_date(text)
    if until is None:
        return None
    return min(max(0.0, until - (http_date(headers.get("date", "")) or now)), _LONGEST_WISH)


def http_date(text: str) -> float | None:
    """Return an HTTP date (RFC 9110, section 5.6.7) as epoch seconds; None for anything else."""
    try:
        return parsedate_to_datetime(text).timestamp() if text.rstrip().endswith("GMT") else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _decide(answer: Answer) -> tuple[type[StatusError], str]:
    """The kind of error, and in a few words what it means."""
    advice = _advice(answer.code)
    if is_locked(answer):
        return UnauthorizedError, "the access key is locked for minutes after refused signatures"
    if answer.status in _BY_STATUS:
        kind, reason = _BY_STATUS[answer.status]
        return kind, f"{advice or reason} ({answer.status})"
    if _is_absent(answer):
        return NotFoundError, f"the object does not exist ({answer.status})"
    if 300 <= answer.status < 400:  # noqa: PLR2004 - RFC 9110, section 15.4
        advice = "a redirect, which is not followed: check the endpoint"
    return StatusError, f"{advice} ({answer.status})" if advice else f"HTTP status {answer.status}"


def _is_absent(answer: Answer) -> bool:
    message = answer.message.lower()
    if not 400 <= answer.status < 500 or _advice(answer.code):  # noqa: PLR2004 - RFC 9110, section 15.5
        return False
    if answer.status == 404:  # noqa: PLR2004 - RFC 9110, section 15.5.5
        return True
    return _ABSENT in message and not any(word in message for word in _OTHER_OBJECTS)


def _advice(code: str) -> str:
    """What a known code means; the gateway writes its codes as APIGW.0101 or APIG.0101."""
    prefix, _, number = code.partition(".")
    return _ADVICE.get(number if prefix in {"APIGW", "APIG"} else code, "")


def _answer(status: int, headers: Mapping[str, str], body: bytes, mask: Callable[[str], str]) -> Answer:
    code, message, detail = _said(mask(body.decode("utf-8", "replace")))  # whole: tags hide what they cut
    return Answer(
        status=status,
        code=_line(mask(code), _MAX_CODE),
        message=_line(mask(message), _MAX_MESSAGE),
        detail=_line(mask(detail), _MAX_DETAIL),
        request_id=request_id(headers, mask),
    )


def _said(text: str) -> tuple[str, str, str]:
    """Code, message and detail of any of the shapes; what is no JSON is its own message, without tags."""
    text = text.strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "", _page(text), ""
    for entry in _entries(value):
        for code, message in _SHAPES:
            if code in entry or message in entry:
                return _word(entry.get(code)), _word(entry.get(message)), _detail(entry, value)
    return "", "", ""


def _page(text: str) -> str:
    """The words of a page or plain text, whole, so that secrets in it are found; broken JSON says nothing."""
    return "" if text.startswith(("{", "[")) else _TAG.sub(" ", text)


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """The answer itself, then what is one level below any of its keys (IAM: `error`)."""
    if isinstance(value, dict):
        yield value
        yield from (item for item in value.values() if isinstance(item, dict))


def _detail(entry: dict[str, Any], whole: dict[str, Any]) -> str:
    encoded = _word(whole.get("encoded_authorization_message"))
    hint = f"encoded authorization message {encoded}" if encoded else ""
    return f"{_word(entry.get('error_detail'))} {hint}"


def _word(value: object) -> str:
    """Text as it came; IAM's code is a number. Anything else says nothing."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MAX_CODE:
        return str(value)
    return value if isinstance(value, str) else ""


def _line(text: str, length: int) -> str:
    """One printable line of bounded length: a line break or an escape sequence must not forge a log line."""
    flat = " ".join(text[: 4 * length].split())
    return clean("".join(character for character in flat if character.isprintable())[:length])
