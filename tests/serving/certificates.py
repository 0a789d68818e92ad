"""Certificates for the tests' own servers and clients, made anew for each run."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@functools.cache
def authority() -> trustme.CA:
    """Return the authority that test servers and clients trust."""
    return trustme.CA()


@functools.cache
def stranger() -> trustme.CA:
    """Return an authority that nobody trusts."""
    return trustme.CA()


@functools.cache
def server_certificate(name: str = "localhost") -> trustme.LeafCert:
    """Return a certificate of `authority` for a name and the loopback addresses."""
    return authority().issue_cert(name, "127.0.0.1", "::1")


def write_pair(folder: Path, certificate: trustme.LeafCert) -> None:
    """Write `server.crt` and `server.key`."""
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    (folder / "server.crt").write_bytes(chain)
    (folder / "server.key").write_bytes(certificate.private_key_pem.bytes())
    (folder / "server.key").chmod(0o600)


def client_context(client: trustme.CA | None = None) -> ssl.SSLContext:
    """Return what a client trusts with; `client` issues it a certificate to show."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    if client is not None:
        client.issue_cert("scraper@example.test").configure_cert(context)
    return context
