"""The whole poller and the real client against a cloud that misbehaves."""
