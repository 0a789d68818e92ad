"""The real programs together: simulator, exporter, Prometheus, Alertmanager, and a receiver of pages."""
