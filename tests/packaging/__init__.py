"""Proofs of what users run: image, chart, compose file, unit, packages and the documents about them."""
