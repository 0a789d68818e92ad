"""Known secrets are taken out of a text before it reaches an error, a log or a page. Pure.

Upstream's words are shown to people, and an upstream (or a proxy on the way) may repeat what it was sent.
"""

from __future__ import annotations

import base64
import html
import json
from collections import deque
from collections.abc import Iterator
from urllib.parse import quote

_SHORTEST = 4
"""Shorter values are no secrets worth the name, and cutting them out would spell them by their gaps."""
_SHORTEST_CORE = 8
"""Bytes from which on the inner part of their Base64 is no accident in another text."""
_KEPT = 4
"""How many values of a kind are remembered: an answer may still repeat the token before the last."""
_INSTEAD = "<secret>"


class Mask:
    """The secrets of one project, by kind: the newest values of each."""

    def __init__(self) -> None:
        self._kinds: dict[str, deque[str]] = {}

    def know(self, kind: str, value: str) -> None:
        """Remember a secret that is in use; a value of the same kind that is long out of use is dropped."""
        values = self._kinds.setdefault(kind, deque(maxlen=_KEPT))
        if value not in values:
            values.append(value)

    def __call__(self, text: str) -> str:
        """Return `text` without any known secret, as it is or in the encodings in which it may be repeated.

        Mask first and cut afterwards: half a secret is not found.
        """
        known = {shape for values in self._kinds.values() for value in values for shape in _shapes(value)}
        for shape in sorted(known, key=len, reverse=True):
            text = text.replace(shape, _INSTEAD)
        return text


def _shapes(secret: str) -> set[str]:
    """The secret as it is or as JSON, each also within an address, within HTML, and within Base64."""
    if len(secret) < _SHORTEST:
        return set()
    plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    outer = {shape for text in plain for shape in (quote(text, safe="", errors="replace"), html.escape(text))}
    return plain | outer | {core for text in plain for core in _base64_cores(text.encode("utf-8", "replace"))}


def _base64_cores(data: bytes) -> Iterator[str]:
    """What Base64 makes of `data`, also in the middle of other bytes: it depends on where it begins there."""
    yield base64.b64encode(data).decode()
    if len(data) < _SHORTEST_CORE:
        return
    for skipped in range(3):
        encoded = base64.b64encode(bytes(skipped) + data).decode()
        yield encoded[-(-8 * skipped // 6) : 8 * (skipped + len(data)) // 6]
