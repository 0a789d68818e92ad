"""How many inputs are tried: few by default, as many as `WORKSPACE_EXPORTER_EXAMPLES` says by night."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

VARIABLE = "WORKSPACE_EXPORTER_EXAMPLES"


def examples(default: int) -> settings:
    """Return the settings of one fuzz test. Inputs of a large run are drawn anew each time."""
    asked = os.environ.get(VARIABLE, "")
    return settings(
        max_examples=int(asked) if asked else default,
        deadline=None,
        derandomize=not asked,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
