"""Builds the client of one project from its configuration: the one place that knows all its parts."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import tzinfo
from functools import partial
from typing import Any

import httpx
import structlog

from exporter.config import AkskAuth, MetadataAuth, PasswordAuth, Polling, Project, TokenAuth
from exporter.errors import CredentialsError, TransportError
from exporter.upstream.auth.aksk import AkskCredentials
from exporter.upstream.auth.credentials import Credentials
from exporter.upstream.auth.metadata import metadata_credentials
from exporter.upstream.auth.password import password_credentials
from exporter.upstream.auth.session import Session
from exporter.upstream.auth.standing import LOCK_AFTER, Standing
from exporter.upstream.auth.token import TokenCredentials
from exporter.upstream.client import Client
from exporter.upstream.connections import (
    Connections,
    Route,
    bare_client,
    environment_proxy,
    file_version,
    http_client,
    proxy_user,
    silence_libraries,
)
from exporter.upstream.exchange import Exchange, Observer, Tap, Timing
from exporter.upstream.masking import Mask
from exporter.upstream.ratelimit import Gate
from exporter.upstream.secretfiles import SecretReader

_METADATA_TIMEOUT = 3.0
_ASIDE = 2
"""Connections beside those of `concurrency`: a sign-in, and the question when a token ends."""
_LONGEST_PAUSE = 60.0
_LONGEST_HOLD = 300.0
_AFTER_LOCK = 360.0
"""Seconds between two tries of a key that may be locked, for five minutes (api_facts.md, section 4b)."""
_NO_ANSWER_PAUSE = 5.0

SYSTEM_TIMING = Timing(time.time, time.monotonic, asyncio.sleep, random.random)


def build_client(
    project: Project,
    polling: Polling,
    *,
    zone: tzinfo,
    observer: Observer,
    timing: Timing = SYSTEM_TIMING,
    transport: httpx.AsyncBaseTransport | None = None,
    environment: Mapping[str, str] = os.environ,
    tap: Tap | None = None,
) -> Client:
    """Return the client of a project; nothing is sent and no file is read until it is used.

    `transport` replaces the network, for tests; `environment` is read only with `proxy_from_environment`.
    `tap` is told what came of each request, but for those to the metadata service.
    """
    silence_libraries()
    log = structlog.get_logger().bind(project=project.name)
    mask = Mask()
    route = _route(project, mask, environment, timing, log)
    most = polling.concurrency + _ASIDE
    network = Connections(
        route, lambda known: bare_client(transport) if transport else http_client(known, most), log
    )
    direct = Connections(
        Route, lambda known: bare_client(transport) if transport else http_client(known, _ASIDE), log
    )
    gate = Gate(
        polling.requests_per_second,
        polling.concurrency,
        monotonic=timing.monotonic,
        sleep=timing.sleep,
        longest_hold=min(max(polling.interval, 1.0), _LONGEST_HOLD),
    )

    def exchange_over(connections: Connections, timeout: float, tap: Tap | None = None) -> Exchange:
        return Exchange(
            connections, gate, mask=mask, observer=observer, timing=timing, timeout=timeout, tap=tap
        )

    exchange = exchange_over(network, polling.timeout, tap)
    metadata = exchange_over(direct, min(polling.timeout, _METADATA_TIMEOUT))
    credentials = _credentials(
        project, exchange, metadata, mask=mask, timing=timing, interval=polling.interval, log=log
    )
    session = Session(
        credentials, exchange, _standing(project, polling.interval, timing), observer=observer, timing=timing
    )

    async def close() -> None:
        await network.aclose()
        await direct.aclose()

    return Client(project, session, exchange, zone=zone, close=close)


def _credentials(
    project: Project,
    exchange: Exchange,
    metadata: Exchange,
    *,
    mask: Mask,
    timing: Timing,
    interval: float,
    log: Any,
) -> Credentials:
    pause = min(_NO_ANSWER_PAUSE, interval / 2)
    match project.auth.method:
        case TokenAuth() as auth:
            return TokenCredentials(auth, project, exchange, mask=mask, timing=timing, log=log)
        case PasswordAuth() as auth:
            return password_credentials(
                auth, project, exchange, mask=mask, timing=timing, pause=pause, log=log
            )
        case AkskAuth() as auth:
            return AkskCredentials(auth, mask=mask, timing=timing, log=log)
        case MetadataAuth() as auth:
            return metadata_credentials(auth, metadata, mask=mask, timing=timing, pause=pause, log=log)
        case None:
            raise ValueError("the configuration names no way to sign in")


def _standing(project: Project, interval: float, timing: Timing) -> Standing:
    """Refused credentials are tried about once a cycle; keys that may be locked, less often than that."""
    often = min(_LONGEST_PAUSE, 0.8 * interval)
    keys = isinstance(project.auth.method, (AkskAuth, MetadataAuth))

    def pace(failures: int) -> float:
        return max(often, _AFTER_LOCK) if keys and failures >= LOCK_AFTER else often

    return Standing(pace, clock=timing.clock, monotonic=timing.monotonic, cautious=keys)


def _route(
    project: Project, mask: Mask, environment: Mapping[str, str], timing: Timing, log: Any
) -> Callable[[], Route]:
    """How the project's hosts are reached; asked before every request, since the files may change."""
    bases = [base for base in (project.base_url, project.iam_url) if base]
    ca_file = project.ca_file

    def learn(name: str, proxy: str) -> None:
        for number, part in enumerate(proxy_user(proxy)):
            mask.know(f"{name} {number}", part)

    if project.proxy_secret is not None:
        reader = SecretReader("proxy_url", project.proxy_secret, clock=timing.clock, learn=learn, log=log)
        proxies = partial(_configured_proxies, reader, bases)
    else:
        found = _environment_proxies(bases, environment) if project.proxy_from_environment else ()
        for base, proxy in found:
            learn(base, proxy)
        proxies = partial(tuple, found)

    return lambda: Route(proxies(), ca_file, file_version(ca_file) if ca_file else None)


def _configured_proxies(reader: SecretReader, bases: list[str]) -> tuple[tuple[str, str], ...]:
    try:
        proxy = reader.read()
    except CredentialsError as error:
        raise TransportError(error.reason, label="proxy") from None
    return tuple((base, proxy) for base in bases)


def _environment_proxies(bases: list[str], environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = ((base, environment_proxy(base, environment)) for base in bases)
    return tuple((base, proxy) for base, proxy in found if proxy is not None)
