"""The Grafana dashboard as code: what it asks Prometheus, how it shows it, and where it is written."""
