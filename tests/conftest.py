"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# The machine may be busy: how long one example takes says nothing about the code.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
