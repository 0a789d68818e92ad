"""Numbers that depend on nothing but a key: the same seed always plants the same world.

A digest is used instead of `random.Random`, since seeding one of those for each of a million runs would cost
more than everything else together, and since a run must come out the same whichever was looked at first.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import unpack
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")
_WORD_VALUES = 2**64


def hex_digits(count: int, *key: object) -> str:
    """Return `count` (at most 128) hexadecimal digits that stand for the key."""
    text = "\x1f".join(map(str, key))
    return blake2b(text.encode(), digest_size=64).hexdigest()[:count]


def identifier(*key: object) -> str:
    """Return an identifier in the shape of a UUID (8-4-4-4-12) that stands for the key."""
    digits = hex_digits(32, *key)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Dice:
    """A stream of throws that depends only on the key and on how often it was thrown."""

    __slots__ = ("_key", "_round", "_words")

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key)).encode()
        self._round = 0
        self._words: list[int] = []

    def _word(self) -> int:
        if not self._words:
            digest = blake2b(self._key, digest_size=64, salt=self._round.to_bytes(8, "big")).digest()
            self._words = list(unpack("8Q", digest))
            self._round += 1
        return self._words.pop()

    def unit(self) -> float:
        """Return a number of [0, 1)."""
        return (self._word() >> 11) * 2**-53

    def between(self, low: int, high: int) -> int:
        """Return a whole number of [low, high]; `low` where the range is empty."""
        return low + self._word() * max(high - low + 1, 1) // _WORD_VALUES

    def chance(self, probability: float) -> bool:
        """Return whether an event of this probability happens."""
        return self.unit() < probability

    def pick(self, choices: Sequence[_T]) -> _T:
        """Return one of the choices, each as likely as the others."""
        return choices[self.between(0, len(choices) - 1)]
