"""The alert rules in compressed time: the few durations that no configuration sets, cut to seconds.

Everything else of `examples/prometheus/rules.yml` stays as it is. Thresholds that are configuration (`grace`,
`max_duration`, `interval`) are configured short instead. A substitution names its rule and must fit as often
as it says, so that a rule that changes makes it fail rather than pass by.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Cut:
    """In one alert's `field`, `long` stands `times` times and becomes `short`."""

    alert: str
    field: str
    long: str
    short: str
    times: int = 1


CUTS = (
    Cut("WorkspaceTaskRunFailureSuperseded", "expr", "[1h]", "[5s]"),
    Cut("WorkspaceExporterDown", "for", "5m", "2s"),
    Cut("WorkspaceExporterClockSkew", "for", "10m", "2s"),
    Cut("WorkspaceExporterPollFailing", "expr", ", 300)", ", 6)", times=2),
)
"""All of them: how long a failure that nobody saw is told, how long a level must last, and the least time
after which polls that fail are told (three poll intervals otherwise)."""


def compressed_rules(text: str) -> str:
    """Return a rules file with the durations of CUTS in place of its own."""
    tree = yaml.safe_load(text)
    rules = {rule["alert"]: rule for group in tree["groups"] for rule in group["rules"] if "alert" in rule}
    for cut in CUTS:
        _apply(cut, rules[cut.alert])
    return json.dumps(tree)


def _apply(cut: Cut, rule: dict[str, Any]) -> None:
    found = rule[cut.field].count(cut.long)
    if found != cut.times:
        raise ValueError(f"{cut.alert}: {cut.long!r} stands {found} times in {cut.field}, not {cut.times}")
    rule[cut.field] = rule[cut.field].replace(cut.long, cut.short)
