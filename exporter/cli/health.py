"""`workspace-exporter healthcheck`: for container health checks, which have no curl."""

from __future__ import annotations

import ssl

import click
import httpx

from exporter.errors import ExporterError

_TIMEOUT_SECONDS = 4.0
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
    try:
        host = httpx.URL(url).host
        with httpx.Client(verify=_trust(host), trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
            answer = client.get(url)
    except httpx.InvalidURL:
        raise click.UsageError(f"--url: not a URL: {url}") from None
    except httpx.HTTPError as error:
        raise ExporterError(f"{url}: {str(error) or type(error).__name__}") from None
    if not answer.is_success:
        reason = " ".join(answer.text.split())[:200]
        raise ExporterError(f"{url}: {answer.status_code} {reason}")


def _trust(host: str) -> ssl.SSLContext | bool:
    """The certificate of the own container names a service, not the loopback address it is asked at."""
    if host not in _LOOPBACK:
        return True
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
