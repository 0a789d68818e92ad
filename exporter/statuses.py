"""What the API's status words mean: the section `statuses` (contract, section 3)."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from exporter.section import KeyedError, Section, Words

RunClass = Literal["success", "failed", "skipped", "running", "unknown"]
_CONFIGURED: tuple[RunClass, ...] = ("success", "failed", "skipped", "running")


class Statuses(Section):
    """The API's status words by class; no enumeration of them is published (api_facts.md, section 1)."""

    success: Words = Field(
        default=("SUCCESS", "FINISH"),
        description="The run has finished well.",
        examples=[["SUCCESS", "DONE"]],
    )
    failed: Words = Field(
        default=("FAIL", "FAILED"), description="The run has failed.", examples=[["FAIL", "ERROR"]]
    )
    skipped: Words = Field(
        default=("SKIP", "SKIPPED"),
        description="The run did nothing, for instance since its desktops were in use.",
        examples=[["SKIP"]],
    )
    running: Words = Field(
        default=("RUNNING", "WAITING", "INIT"),
        description="The run is still in progress.",
        examples=[["RUNNING", "EXECUTING"]],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        words: dict[str, str] = {}
        for kind in _CONFIGURED:
            for word in getattr(self, kind):
                other = words.setdefault(word.casefold(), kind)
                if other != kind:
                    own, else_ = (kind, other) if kind in self.model_fields_set else (other, kind)
                    raise KeyedError(own, f"the word {word!r} stands under {else_} too")
        return self

    @cached_property
    def _classes(self) -> dict[str, RunClass]:
        return {word.casefold(): kind for kind in _CONFIGURED for word in getattr(self, kind)}

    def class_of(self, word: str) -> RunClass:
        """Return the class of one of the API's words, compared without case; `unknown` for any other."""
        return self._classes.get(word.strip().casefold(), "unknown")
