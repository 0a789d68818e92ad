"""The configuration as frozen, checked values (contract, section 3). `configfile` makes it from text.

Each key's description and example stand beside it: `make docs` writes docs/configuration.md and
docs/config.schema.json from these types.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.project import Discovery, Project, TaskConfig
from exporter.section import (
    IntervalSeconds,
    KeyedError,
    OrEmpty,
    PositiveSeconds,
    Seconds,
    Section,
    ZoneName,
    as_tuple,
    check_unique,
)
from exporter.signin import AkskAuth, Auth, MetadataAuth, PasswordAuth, TokenAuth
from exporter.statuses import RunClass, Statuses

__all__ = [
    "AkskAuth",
    "Auth",
    "Config",
    "Defaults",
    "Discovery",
    "MetadataAuth",
    "PasswordAuth",
    "Polling",
    "Project",
    "RunClass",
    "Statuses",
    "TaskConfig",
    "TokenAuth",
]


class Polling(Section):
    """How often, how much, how long; durations in seconds."""

    interval: IntervalSeconds = Field(
        default=60.0,
        description="Time from the start of one cycle to the next; a cycle reads the list of tasks, and the "
        "records of those that changed or are due. At least 100ms.",
        examples=["30s"],
    )
    refresh: PositiveSeconds = Field(
        default=900.0,
        description="Every task's records are read at least this often, changed or not.",
        examples=["5m"],
    )
    timeout: PositiveSeconds = Field(
        default=10.0,
        description="The whole time of one request, from its start to the end of its answer.",
        examples=["20s"],
    )
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="Requests under way at a time, for each project; 1 to 1000.", examples=[4]
    )
    requests_per_second: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = Field(
        default=10.0,
        description="Requests a second for each project, on average; fractions are allowed, 0 is no limit. "
        "After a 429 it goes slower by itself for a while.",
        examples=[0.5],
    )
    history: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100,
        description="How many of a task's newest records are looked at; 1 to 1000. More than 100 cost "
        "further requests.",
        examples=[200],
    )
    max_age: PositiveSeconds = Field(
        default=86_400.0,
        description="When a task's records cannot be read for so long, the metrics drawn from them are "
        "withdrawn. Not less than `refresh`.",
        examples=["6h"],
    )
    details: bool = Field(
        default=True,
        description="Read the desktops of each task's last run once it has finished, up to 1,000 of them: "
        "they give duration, result codes and reasons.",
        examples=[False],
    )
    max_tasks: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=20_000,
        description="The most tasks of a project; what is beyond is not watched, and the cycle fails so that"
        " somebody notices.",
        examples=[500],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_age < self.refresh:
            raise KeyedError("max_age", "less than refresh: data would be withdrawn between two reads of it")
        return self


class Defaults(Section):
    """Thresholds of tasks that set none of their own, in seconds."""

    grace: Seconds = Field(
        default=900.0,
        description="How late a run may start before it counts as missed.",
        examples=["5m"],
    )
    max_duration: Seconds = Field(
        default=7200.0,
        description="How long a run may stay in progress before it counts as stuck.",
        examples=["30m"],
    )


class Config(Section):
    """The whole file."""

    projects: Annotated[tuple[Project, ...], BeforeValidator(as_tuple), Field(min_length=1)] = Field(
        description="The projects to watch, each with its own sign-in, limits and cycle; at least one.",
        examples=[[{"name": "prod", "region": "cn-north-4", "auth": {"metadata": {}}, "discovery": {}}]],
    )
    polling: OrEmpty[Polling] = Field(
        default=Polling(),
        description="How often, how much and how long to ask.",
        examples=[{"interval": "30s"}],
    )
    defaults: OrEmpty[Defaults] = Field(
        default=Defaults(),
        description="Thresholds of the tasks that set none of their own.",
        examples=[{"grace": "10m"}],
    )
    statuses: OrEmpty[Statuses] = Field(
        default=Statuses(),
        description="What the API's status words mean.",
        examples=[{"failed": ["FAIL", "FAILED", "ERROR"]}],
    )
    time_zone: ZoneName = Field(
        default="UTC",
        description="The zone of a time that carries none and whose record has none: an IANA name, or an "
        "offset east of Greenwich (`GMT+8`, `UTC+08:00`). The zone of the host is never used.",
        examples=["Asia/Shanghai"],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_unique([project.name for project in self.projects], "projects", "name")
        return self
