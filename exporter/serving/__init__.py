"""The HTTP server: connections, protocol, TLS, limits, passwords, and the web configuration file."""
