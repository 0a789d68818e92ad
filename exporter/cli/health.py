"""`workspace-exporter healthcheck`: for container health checks, which have no curl."""

from __future__ import annotations

import os
import re
import ssl

import click
import httpx

from exporter.errors import ExporterError
from exporter.terminaltext import safe

_TIMEOUT_SECONDS = 4.0
_REASON = 200
"""Bytes shown of an answer that is not good."""
_ERRNO = re.compile(r"^\[Errno -?[0-9]+\] ")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@click.command()
@click.option(
    "--url",
    default="http://127.0.0.1:10068/-/ready",
    show_default=True,
    help="What to ask; https to a loopback address accepts any certificate.",
)
def healthcheck(url: str) -> None:
    r"""Exit with 0 when the exporter answers that it is ready, otherwise with 1.

    \b
    Example:
      workspace-exporter healthcheck --url http://127.0.0.1:10068/-/ready
    """
    target = _parsed(url)
    shown = target.copy_with(userinfo=b"")
    try:
        with (
            httpx.Client(verify=_trust(target.host), trust_env=False, timeout=_TIMEOUT_SECONDS) as client,
            client.stream("GET", target) as answer,
        ):
            reason = b"" if answer.is_success else next(answer.iter_bytes(_REASON), b"")
    except httpx.HTTPError as error:
        why = _ERRNO.sub("", str(error)) or type(error).__name__
        hint = "; does the exporter run, and listen there?" if isinstance(error, httpx.ConnectError) else ""
        raise ExporterError(f"{shown}: {why}{hint}") from None
    if not answer.is_success:
        said = safe(reason.decode("utf-8", "replace").strip())
        raise ExporterError(f"{shown}: {answer.status_code} {said}")


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise click.UsageError("--url: a URL such as http://127.0.0.1:10068/-/ready is expected")
    return parsed


def _trust(host: str) -> ssl.SSLContext:
    """Return whom to believe. Raises ExporterError.

    On loopback nobody: the certificate of the own container names a service, not the address it is asked at.
    Elsewhere whom OpenSSL's customary variable names, for an authority of one's own; else the built-in ones.
    """
    if host not in _LOOPBACK:
        named = os.environ.get("SSL_CERT_FILE")
        try:
            return (
                ssl.create_default_context(cafile=named)
                if named
                else httpx.create_ssl_context(trust_env=False)
            )
        except OSError as error:  # an SSLError too, where the file holds no certificate
            reason = "no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise ExporterError(f"SSL_CERT_FILE: {named}: {reason}")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
