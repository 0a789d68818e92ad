"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# The machine may be busy: how long one example takes says nothing about the code. The same examples in every
# run: new ones are for the nightly size, where a find is looked at and not in the way of somebody's change.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("nightly", deadline=None)
settings.load_profile("nightly" if "WORKSPACE_EXPORTER_EXAMPLES" in os.environ else "suite")
