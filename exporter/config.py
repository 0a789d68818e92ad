"""The configuration as frozen, checked values (contract, section 3). `configfile` makes it from text."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from exporter.secrets import Secret
from exporter.section import (
    FilePath,
    IntervalSeconds,
    KeyedError,
    PositiveSeconds,
    Regexes,
    Seconds,
    Section,
    TaskId,
    Text,
    Words,
    ZoneName,
    as_tuple,
    at,
)
from exporter.urls import check_endpoint, check_proxy, cloud_domain


class TokenAuth(Section):
    """A ready X-Auth-Token."""

    token: SecretStr | None = None
    token_file: FilePath | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_secrets("token")
        return self

    @property
    def token_secret(self) -> Secret:
        """The token."""
        return self._secret("token") or Secret()


class PasswordAuth(Section):
    """An IAM user; the token is fetched and renewed."""

    domain_name: Text
    user_name: Text
    password: SecretStr | None = None
    password_file: FilePath | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_secrets("password")
        return self

    @property
    def password_secret(self) -> Secret:
        """The user's password."""
        return self._secret("password") or Secret()


class AkskAuth(Section):
    """An access key pair, with a security token where it is temporary."""

    access_key: SecretStr | None = None
    access_key_file: FilePath | None = None
    secret_key: SecretStr | None = None
    secret_key_file: FilePath | None = None
    security_token: SecretStr | None = None
    security_token_file: FilePath | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_secrets("access_key", "secret_key", optional=["security_token"])
        return self

    @property
    def access_key_secret(self) -> Secret:
        """The access key id (AK)."""
        return self._secret("access_key") or Secret()

    @property
    def secret_key_secret(self) -> Secret:
        """The secret access key (SK)."""
        return self._secret("secret_key") or Secret()

    @property
    def security_token_secret(self) -> Secret | None:
        """The token that belongs to temporary keys."""
        return self._secret("security_token")


class MetadataAuth(Section):
    """Temporary keys of the ECS agency, from the metadata service."""

    endpoint: Text = "http://169.254.169.254"

    @model_validator(mode="after")
    def _check(self) -> Self:
        with at("endpoint"):
            check_endpoint(self.endpoint, allow_http=True)
        return self


class Auth(Section):
    """Exactly one way to sign in."""

    token: TokenAuth | None = None
    password: PasswordAuth | None = None
    aksk: AkskAuth | None = None
    metadata: MetadataAuth | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_metadata(cls, values: Any) -> Any:
        if isinstance(values, dict) and "metadata" in values and values["metadata"] is None:
            return {**values, "metadata": {}}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.model_fields_set) != 1 or self.method is None:
            raise ValueError("exactly one of token, password, aksk, metadata is needed")
        return self

    @property
    def method(self) -> TokenAuth | PasswordAuth | AkskAuth | MetadataAuth | None:
        """The one that was chosen."""
        return self.token or self.password or self.aksk or self.metadata


class TaskConfig(Section):
    """One explicit task; thresholds in seconds, None for the default."""

    id: TaskId
    name: Text | None = None
    grace: Seconds | None = None
    max_duration: Seconds | None = None


class Discovery(Section):
    """Take every task of the project whose name matches one of `include` and none of `exclude`."""

    include: Annotated[Regexes, Field(min_length=1)] = (".*",)
    exclude: Regexes = ()

    @cached_property
    def _patterns(self) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
        return [re.compile(text) for text in self.include], [re.compile(text) for text in self.exclude]

    def matches(self, name: str) -> bool:
        """Whether a task of this name is selected; the expressions are searched, not matched whole."""
        include, exclude = self._patterns
        return any(p.search(name) for p in include) and not any(p.search(name) for p in exclude)


class Project(Section):
    """One project of the cloud: where it is, how to sign in, which tasks."""

    name: Text
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")] | None = None
    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    endpoint: Text | None = None
    iam_endpoint: Text | None = None
    insecure_http: bool = False
    ca_file: FilePath | None = None
    proxy_url: SecretStr | None = None
    proxy_url_file: FilePath | None = None
    proxy_from_environment: bool = False
    auth: Auth
    tasks: Annotated[tuple[TaskConfig, ...], BeforeValidator(as_tuple)] = ()
    discovery: Discovery | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_discovery(cls, values: Any) -> Any:
        if isinstance(values, dict) and "discovery" in values and values["discovery"] is None:
            return {**values, "discovery": {}}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_places()
        self._check_secrets(optional=["proxy_url"])
        if self.proxy_url is not None:
            with at("proxy_url"):
                check_proxy(self.proxy_url.get_secret_value())
        if self.proxy_from_environment and (self.proxy_url or self.proxy_url_file):
            raise KeyedError("proxy_from_environment", "a proxy is given too; keep one of the two")
        if not self.tasks and self.discovery is None:
            raise ValueError("at least one of tasks, discovery is needed")
        _unique([task.id for task in self.tasks], "tasks", "id")
        return self

    def _check_places(self) -> None:
        for key in ("endpoint", "iam_endpoint"):
            url = getattr(self, key)
            if url is not None:
                with at(key):
                    check_endpoint(url, allow_http=self.insecure_http)
        if self.region is None and self.endpoint is None:
            raise KeyedError("region", "a value is needed (or endpoint)")
        if self.project_id is None and self.auth.token is not None:
            raise KeyedError("project_id", "a value is needed with a ready token")
        if self.region is None and self.project_id is None:
            raise KeyedError("region", "a value is needed to look up the project (or project_id)")
        if self.region is None and self.auth.password is not None and self.iam_endpoint is None:
            raise KeyedError("region", "a value is needed to sign in (or iam_endpoint)")

    @property
    def proxy_secret(self) -> Secret | None:
        """The proxy's URL: its user part is a secret."""
        return self._secret("proxy_url")

    @property
    def base_url(self) -> str:
        """Where the Workspace API is, without a slash at the end (api_facts.md, section 6)."""
        return (self.endpoint or f"https://workspace.{self.region}.{cloud_domain(self.region or '')}").rstrip(
            "/"
        )

    @property
    def iam_url(self) -> str | None:
        """Where IAM is, without a slash at the end; None where neither it nor the region is known."""
        if self.iam_endpoint:
            return self.iam_endpoint.rstrip("/")
        return f"https://iam.{self.region}.{cloud_domain(self.region)}" if self.region else None


class Polling(Section):
    """How often, how much, how long; durations in seconds."""

    interval: IntervalSeconds = 60.0
    refresh: PositiveSeconds = 900.0
    timeout: PositiveSeconds = 10.0
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    requests_per_second: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = 10.0
    history: Annotated[int, Field(ge=1, le=1000)] = 100
    max_age: PositiveSeconds = 86_400.0
    details: bool = True
    max_tasks: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_age < self.refresh:
            raise KeyedError("max_age", "less than refresh: data would be withdrawn between two reads of it")
        return self


class Defaults(Section):
    """Thresholds of tasks that set none of their own, in seconds."""

    grace: Seconds = 900.0
    max_duration: Seconds = 7200.0


RunClass = Literal["success", "failed", "skipped", "running", "unknown"]


class Statuses(Section):
    """The API's status words by class; no enumeration of them is published (api_facts.md, section 1)."""

    success: Words = ("SUCCESS", "FINISH")
    failed: Words = ("FAIL", "FAILED")
    skipped: Words = ("SKIP", "SKIPPED")
    running: Words = ("RUNNING", "WAITING", "INIT")

    @model_validator(mode="after")
    def _check(self) -> Self:
        words: dict[str, str] = {}
        for kind in ("success", "failed", "skipped", "running"):
            for word in getattr(self, kind):
                other = words.setdefault(word.casefold(), kind)
                if other != kind:
                    own, else_ = (kind, other) if kind in self.model_fields_set else (other, kind)
                    raise KeyedError(own, f"the word {word!r} stands under {else_} too")
        return self

    @cached_property
    def _classes(self) -> dict[str, RunClass]:
        kinds: tuple[RunClass, ...] = ("success", "failed", "skipped", "running")
        return {word.casefold(): kind for kind in kinds for word in getattr(self, kind)}

    def class_of(self, word: str) -> RunClass:
        """Return the class of one of the API's words, compared without case; `unknown` for any other."""
        return self._classes.get(word.strip().casefold(), "unknown")


class Config(Section):
    """The whole file."""

    projects: Annotated[tuple[Project, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    polling: Polling = Polling()
    defaults: Defaults = Defaults()
    statuses: Statuses = Statuses()
    time_zone: ZoneName = "UTC"

    @model_validator(mode="before")
    @classmethod
    def _empty_sections(cls, values: Any) -> Any:
        """A section with nothing under it (`polling:`) means its defaults."""
        if not isinstance(values, dict):
            return values
        sections = ("polling", "defaults", "statuses")
        return {key: {} if item is None and key in sections else item for key, item in values.items()}

    @model_validator(mode="after")
    def _check(self) -> Self:
        _unique([project.name for project in self.projects], "projects", "name")
        return self


def _unique(values: list[str], section: str, key: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise KeyedError(
                f"{section}[{index}].{key}", f"{value!r} stands at {section}[{values.index(value)}] too"
            )
