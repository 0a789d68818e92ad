"""Shared by the tests of the polling heart: time by hand, a fake upstream, recorders, oracles, stories."""
