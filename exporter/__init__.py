"""workspace-exporter: a Prometheus exporter for the scheduled tasks of Huawei Cloud Workspace."""

__version__ = "0.1.0"
