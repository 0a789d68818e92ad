"""What a fault puts in place of an answer, and what it does to a body on its way; delays are only named."""

from __future__ import annotations

import zlib
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

from exporter.simulator import tally
from exporter.simulator.answers import (
    TEXT_TYPE,
    Answer,
    gateway_error,
    html_page,
    iam_error,
    workspace_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.simulator.faults import Fault

Chunk = tuple[float, bytes]
"""Seconds to wait, then bytes to send."""

_IAM = frozenset({tally.CREATE_TOKEN, tally.SHOW_TOKEN, tally.LIST_PROJECTS})
_PROXY_STATUSES: Mapping[int, str] = {
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}
_GATEWAY_STATUSES: Mapping[int, tuple[str, str]] = {
    401: ("APIGW.0301", "Incorrect IAM authentication information: token expires"),
    404: ("APIGW.0101", "The API does not exist or has not been published"),
    429: (
        "APIGW.0308",
        "The throttling threshold has been reached: policy user over ratelimit,limit:10,time:1 second",
    ),
}
_FORBIDDEN = 403
_RETRY_SECONDS = 5
_DROPS = 20
_BLOCK_BYTES = 64 * 1024


def instead(fault: Fault, operation: str, now: float, request_id: str) -> Answer | None:
    """Return what is answered in place of the truth; none where the fault only twists or delays it."""
    if fault.name.isdecimal():
        answer = error_answer(int(fault.name), operation, request_id)
        return replace(answer, headers=_retry_after(fault.value, now)) if fault.value else answer
    make = _INSTEAD.get(fault.name)
    return None if make is None else make(fault)


def error_answer(status: int, operation: str, request_id: str) -> Answer:
    """Return an error in the shape in which the service that was asked writes it."""
    if status in _PROXY_STATUSES:
        return html_page(status, _PROXY_STATUSES[status])
    if operation == tally.METADATA:
        return Answer(status, text=f"{status}", media_type=TEXT_TYPE)
    if operation in _IAM:
        return iam_error(status, "The request cannot be processed.", "Error")
    if status in _GATEWAY_STATUSES:
        return gateway_error(status, *_GATEWAY_STATUSES[status], request_id)
    if status == _FORBIDDEN:
        message = "Policy doesn't allow this action to be performed."
        return workspace_error(status, "WKS.00010403", message, authorization_message="XwFVZjVhAAAA" * 40)
    return workspace_error(status, f"WKS.00010{status}", "The request cannot be processed.")


def delay(fault: Fault) -> float:
    """Return how many seconds pass before anything is answered."""
    return fault.seconds if fault.name in {"slow", "timeout", "stall"} else 0.0


def chunks(fault: Fault, body: bytes) -> Iterator[Chunk]:
    """Yield the body as it goes over the wire."""
    half = len(body) // 2
    match fault.name:
        case "truncated" | "cut":
            yield 0.0, body[:half]
        case "stall-body":
            yield 0.0, body[:half]
            yield fault.seconds, body[half:]
        case "trickle":
            size = max(-(-len(body) // _DROPS), 1)
            for start in range(0, len(body), size):
                yield fault.seconds / _DROPS, body[start : start + size]
        case "huge":
            yield 0.0, body
            yield from ((0.0, block) for block in _blanks(fault.size - len(body)))
        case "bomb":
            yield from ((0.0, block) for block in _gzip(body, fault.size))
        case _:
            yield 0.0, body


def headers(fault: Fault, body: bytes) -> Mapping[str, str]:
    """Return the headers that belong to what `chunks` makes of the body.

    A body that is cut announces its whole length: the server can then only end the connection.
    """
    if fault.name == "cut":
        return {"Content-Length": str(len(body))}
    return {"Content-Encoding": "gzip"} if fault.name == "bomb" else {}


_INSTEAD: Mapping[str, Callable[[Fault], Answer]] = {
    "html": lambda _: html_page(200, "Maintenance"),
    "empty": lambda _: Answer(200, text=""),
    "redirect": lambda fault: Answer(302, text="", headers={"Location": fault.value}),
    "timeout": lambda _: html_page(504, _PROXY_STATUSES[504]),
    "stall": lambda _: html_page(504, _PROXY_STATUSES[504]),
}


def _retry_after(value: str, now: float) -> Mapping[str, str]:
    if value == "none":
        return {}
    return {"Retry-After": formatdate(now + _RETRY_SECONDS, usegmt=True) if value == "date" else value}


def _blanks(size: int) -> Iterator[bytes]:
    block = b" " * _BLOCK_BYTES
    for _ in range(max(size, 0) // _BLOCK_BYTES):
        yield block
    yield block[: max(size, 0) % _BLOCK_BYTES]


def _gzip(body: bytes, size: int) -> Iterator[bytes]:
    """Compress the body and blanks behind it as they are asked for: a reader who leaves ends the work."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    yield packer.compress(body)
    for block in _blanks(size - len(body)):
        packed = packer.compress(block)
        if packed:
            yield packed
    yield packer.flush()
