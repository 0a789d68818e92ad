"""One project of the cloud: where it is and which of its tasks are watched (contract, section 3)."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from exporter.secrets import Secret
from exporter.section import (
    Address,
    FilePath,
    KeyedError,
    OrEmpty,
    Regexes,
    Seconds,
    SecretText,
    Section,
    TaskId,
    Text,
    as_tuple,
    at,
    check_unique,
    given,
    secret_once,
)
from exporter.signin import Auth
from exporter.urls import check_endpoint, check_proxy, cloud_domain


class TaskConfig(Section):
    """One explicit task; thresholds in seconds, None for the default."""

    id: TaskId = Field(
        description="The task's id: letters, digits, `-` and `_`; unique in the project.",
        examples=["8d2e0c6a"],
    )
    name: Text | None = Field(
        default=None,
        description="The label `task_name`; otherwise the API's name, otherwise the id.",
        examples=["nightly stop"],
    )
    grace: Seconds | None = Field(
        default=None,
        description="How late a run may start before it counts as missed; otherwise `defaults.grace`.",
        examples=["30m"],
    )
    max_duration: Seconds | None = Field(
        default=None,
        description="How long a run may stay in progress before it counts as stuck; otherwise "
        "`defaults.max_duration`.",
        examples=["4h"],
    )


class Discovery(Section):
    """Take every task of the project whose name matches one of `include` and none of `exclude`."""

    include: Annotated[Regexes, Field(min_length=1)] = Field(
        default=(".*",),
        description="Regular expressions, searched in the task's name (its id where it has none): one must "
        "be found.",
        examples=[["^prod-", "night"]],
    )
    exclude: Regexes = Field(
        default=(),
        description="Regular expressions of which none may be found. Tasks under `tasks` are watched all the"
        " same.",
        examples=[["test"]],
    )

    @cached_property
    def _patterns(self) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
        return [re.compile(text) for text in self.include], [re.compile(text) for text in self.exclude]

    def matches(self, name: str) -> bool:
        """Whether a task of this name is selected; the expressions are searched, not matched whole."""
        include, exclude = self._patterns
        return any(p.search(name) for p in include) and not any(p.search(name) for p in exclude)


def _signs_in_with(method: str) -> dict[str, Any]:
    return {"required": ["auth"], "properties": {"auth": {"type": "object", **given(method)}}}


_OWN_PROXY: Final = {"anyOf": [given("proxy_url"), given("proxy_url_file")]}
_PROXY_OF_HOST: Final = {
    "type": "object",
    "required": ["proxy_from_environment"],
    "properties": {"proxy_from_environment": {"const": True}},
}
_PLACES_AND_TASKS: Final[dict[str, Any]] = {
    "allOf": [
        {"anyOf": [given("region"), given("endpoint")]},
        {"anyOf": [given("region"), given("project_id")]},
        {"if": _signs_in_with("token"), "then": given("project_id")},
        {"if": _signs_in_with("password"), "then": {"anyOf": [given("region"), given("iam_endpoint")]}},
        {"if": _PROXY_OF_HOST, "then": {"not": _OWN_PROXY}},
        {
            "anyOf": [
                {"required": ["tasks"], "properties": {"tasks": {"minItems": 1}}},
                {"required": ["discovery"]},
            ]
        },
        secret_once("proxy_url"),
    ]
}
"""What `Project._check` demands, as far as a JSON schema can say it."""


class Project(Section):
    """One project of the cloud: where it is, how to sign in, which tasks."""

    model_config = ConfigDict(json_schema_extra=_PLACES_AND_TASKS)

    name: Text = Field(description="The label `project`; unique in the file.", examples=["prod"])
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")] | None = Field(
        default=None,
        description="The region, which is also the name of the IAM project. It gives the default addresses, "
        "`https://workspace.REGION.myhuaweicloud.com` and `https://iam.REGION.myhuaweicloud.com`"
        " (`.eu` for the European site). Needed where an address, or the project's id, must be "
        "found by it.",
        examples=["ap-southeast-3"],
    )
    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        default=None,
        description="The project's id. Needed with a ready token; otherwise it is learned: with a password "
        "from the token, with keys by asking IAM for the region's project.",
        examples=["0a1b2c3d4e5f"],
    )
    endpoint: Address | None = Field(
        default=None,
        description="The Workspace API, instead of the region's.",
        examples=["https://workspace.example.com"],
    )
    iam_endpoint: Address | None = Field(
        default=None, description="IAM, instead of the region's.", examples=["https://iam.example.com"]
    )
    insecure_http: bool = Field(
        default=False,
        description="Take plain http for `endpoint` and `iam_endpoint` though they are not loopback "
        "addresses. Credentials then cross the network in clear.",
        examples=[True],
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="Certificate authorities (PEM) to trust instead of the built-in ones.",
        examples=["/etc/ssl/ca.pem"],
    )
    proxy_url: SecretText | None = Field(
        default=None,
        description="An http or https proxy for both addresses, with a user part where it asks for one.",
        examples=["http://proxy.example.com:3128"],
    )
    proxy_url_file: FilePath | None = Field(
        default=None, description="The file that holds `proxy_url`.", examples=["/run/secrets/proxy"]
    )
    proxy_from_environment: bool = Field(
        default=False,
        description="Use `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (also in lower "
        "case), which otherwise are not looked at. Contradicts `proxy_url`.",
        examples=[True],
    )
    auth: Auth = Field(
        description="How to sign in: exactly one of the four below.", examples=[{"metadata": {}}]
    )
    tasks: Annotated[tuple[TaskConfig, ...], BeforeValidator(as_tuple)] = Field(
        default=(),
        description="Tasks to watch by id. At least one of `tasks` and `discovery` is needed.",
        examples=[[{"id": "8d2e"}]],
    )
    discovery: OrEmpty[Discovery | None] = Field(
        default=None, description="Watch every task whose name matches.", examples=[{}]
    )

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
        check_unique([task.id for task in self.tasks], "tasks", "id")
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
