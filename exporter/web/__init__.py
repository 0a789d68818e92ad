"""What is answered over HTTP: the ASGI application, the status page and its files."""
