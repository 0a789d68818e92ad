"""The simulated time."""

from __future__ import annotations

import pytest

from exporter.simulator.clock import SimulatedClock


def test_the_simulated_time_runs_at_its_own_speed() -> None:
    """It starts where it is told, runs `speed` times as fast, and may leap ahead; the real one stays."""
    wall = [1000.0]
    clock = SimulatedClock(lambda: wall[0], start=50.0, speed=60)
    assert (clock.now(), clock.wall()) == (50.0, 1000.0)
    wall[0] = 1002.0
    assert (clock.now(), clock.wall()) == (170.0, 1002.0)
    clock.advance(30)
    assert clock.now() == 200.0


def test_by_default_it_is_the_real_one() -> None:
    """Without a start and a speed there is one time."""
    assert SimulatedClock(lambda: 123.5).now() == 123.5


def test_time_never_stands_still_or_goes_back() -> None:
    """A speed of nothing and a leap back are refused."""
    with pytest.raises(ValueError, match="speed"):
        SimulatedClock(lambda: 0.0, speed=0)
    with pytest.raises(ValueError, match="go back"):
        SimulatedClock(lambda: 0.0).advance(-1)
