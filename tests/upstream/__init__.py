"""Tests of what asks the cloud."""
