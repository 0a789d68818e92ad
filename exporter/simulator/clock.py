"""The simulated time: it starts with the real one, and may run faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SimulatedClock:
    """The time in which the simulated world lives, in epoch seconds.

    simulated now = `start` + (wall now - wall time at construction) * `speed` + what it was advanced by.
    """

    def __init__(self, wall: Callable[[], float], *, start: float | None = None, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError("speed is more than 0")
        self._wall = wall
        self._origin = wall()
        self._start = self._origin if start is None else start
        self.speed = speed

    def wall(self) -> float:
        """Return the real time: that of sign-ins, signatures and the Date header."""
        return self._wall()

    def now(self) -> float:
        """Return the simulated time."""
        return self._start + (self._wall() - self._origin) * self.speed

    def advance(self, seconds: float) -> None:
        """Let the simulated time leap ahead.

        Raises:
            ValueError: the leap would go back.

        """
        if seconds < 0:
            raise ValueError("the simulated time does not go back")
        self._start += seconds
