"""The configuration: bad files, each with its exact message, and texts to start from."""

BASE = """
projects:
  - name: prod
    region: cn-north-4
    project_id: 0a1b2c3d
    auth: {token: {token: hunter2}}
    tasks: [{id: 8d2e}]
"""
"""The smallest good configuration."""
