"""The commands, as a shell sees them: exit codes, what stands on stdout and stderr, signals."""
