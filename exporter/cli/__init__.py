"""The commands: the only place that builds and wires."""
