"""Whatever happens upstream and however it answers: what is shown is what a naive observer would say."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, Phase, example, given, settings

from exporter.simulator import plan as plans
from exporter.simulator.options import Options
from tests.stories.histories import Cast, Do, History, Poll, Step, StillLife, histories, still_lifes
from tests.stories.telling import Telling, rendered

EXAMPLES = int(os.environ.get("WORKSPACE_EXPORTER_EXAMPLES", "150"))
"""How many histories are told; 10000 take about a quarter of an hour."""

ONE_OF_TWO_DELETED = History(
    begin=1_743_247_200,
    seed=0,
    listing=True,
    polling={"history": 5, "refresh": "1m", "details": False, "max_age": "2d"},
    options=Options(clamp=1),
    cast=(Cast(plans.daily("00:00:00"), "healthy", days=0.0, desktops=0),) * 2,
    steps=(Step(1, (), Poll()), Step(1, (Do("delete", 0),), Poll())),
)
"""A list of several pages that lacks a task is read once more, but the list of triggered tasks is not."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Ten thousand histories of failures are nothing to read."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories())
@example(ONE_OF_TWO_DELETED)
def test_every_history(history: History) -> None:
    """After every cycle counters and gauges are the naive observer's, and the counters are the ledger's."""
    with Telling(history) as telling:
        telling.play()


@settings(
    max_examples=max(EXAMPLES // 5, 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(still_lifes())
def test_order_paging_and_time_format_change_nothing(life: StillLife) -> None:
    """However the same records are answered: every byte of the task's metrics is the same."""
    shown = [rendered(life, options) for options in life.manners]
    assert all(pages == shown[0] for pages in shown)
