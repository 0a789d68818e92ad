"""Tests, one file for each module; real programs where a user would have them."""
