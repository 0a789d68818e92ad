"""The parts of the HTTP server (`exporter.server`): protocol, TLS, limits, passwords, web configuration."""
