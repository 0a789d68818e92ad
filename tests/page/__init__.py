"""A real browser, and something to show it."""
