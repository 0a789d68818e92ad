"""The rules in compressed time differ from the published ones by the named durations alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from tests.endtoend import compressed
from tests.endtoend.compressed import CUTS, compressed_rules
from tests.endtoend.processes import ROOT

RULES = (ROOT / "examples" / "prometheus" / "rules.yml").read_text("utf-8")


def test_only_the_named_durations_differ() -> None:
    """Undoing each cut gives the published rules again."""
    tree = json.loads(compressed_rules(RULES))
    rules = {rule.get("alert"): rule for group in tree["groups"] for rule in group["rules"]}
    assert tree != yaml.safe_load(RULES)
    for cut in CUTS:
        rules[cut.alert][cut.field] = rules[cut.alert][cut.field].replace(cut.short, cut.long)
    assert tree == yaml.safe_load(RULES)


def test_a_cut_that_no_longer_fits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a rule has changed, the transformation must be looked at again."""
    monkeypatch.setattr(compressed, "CUTS", (replace(CUTS[0], times=2),))
    with pytest.raises(ValueError, match="stands 1 times in expr, not 2"):
        compressed_rules(RULES)
