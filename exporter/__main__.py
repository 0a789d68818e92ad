"""`python -m exporter` is the command `workspace-exporter`."""

from exporter.cli.main import entry_point

entry_point()
