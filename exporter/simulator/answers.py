"""What an operation answers, before it becomes HTTP, and the three shapes of the cloud's errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPE = "application/json;charset=utf-8"
HTML_TYPE = "text/html"
TEXT_TYPE = "text/plain"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a tree for JSON (or a text for another media type), and headers of its own."""

    status: int
    tree: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    media_type: str = JSON_TYPE

    def body(self) -> bytes:
        """Return the body as it is sent."""
        if self.text is not None:
            return self.text.encode()
        return json.dumps(self.tree, ensure_ascii=False).encode()


def workspace_error(
    status: int, code: str, message: str, detail: str = "", authorization_message: str = ""
) -> Answer:
    """Return an error as Workspace writes it (ListScheduledTasksRecords, status code 400)."""
    tree = {"error_code": code, "error_msg": message, "error_detail": detail or message}
    return Answer(status, {**tree, "encoded_authorization_message": authorization_message})


def gateway_error(status: int, code: str, message: str, request_id: str = "") -> Answer:
    """Return an error as the API gateway in front of the service writes it."""
    return Answer(status, {"error_msg": message, "error_code": code, "request_id": request_id})


def iam_error(status: int, message: str, title: str) -> Answer:
    """Return an error as IAM writes it: nested, with a number for its code."""
    return Answer(status, {"error": {"code": status, "message": message, "title": title}})


def html_page(status: int, title: str) -> Answer:
    """Return what a proxy before the gateway shows when it finds nobody behind."""
    text = f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>{title}</body>\r\n</html>\r\n"
    return Answer(status, text=text, media_type=HTML_TYPE)
