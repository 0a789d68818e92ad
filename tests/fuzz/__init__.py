"""Hostile input, made up by hypothesis, through the whole exporter."""
