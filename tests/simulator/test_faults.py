"""The grammar of faults, and whom they strike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import faults as module
from exporter.simulator.faults import Fault, Faults, parse_faults

_API = ("list_tasks", "show_task", "list_records", "list_record_details")
_PATH = "/v2/p1/scheduled-tasks/t1/records"


def test_a_rule_in_full() -> None:
    """Fault, value, where and amount."""
    first, second, third = parse_faults("429=7@records/t1:0.1, slow=500ms@list:x3 ,500")
    assert (first.fault, first.operations, first.segment, first.probability) == (
        Fault("429", "7"),
        ("list_records",),
        "t1",
        0.1,
    )
    assert (second.fault.seconds, second.operations, second.left) == (0.5, ("list_tasks",), 3)
    assert (third.fault, third.operations, third.probability) == (Fault("500", ""), _API, 1.0)
    assert parse_faults("") == []
    assert parse_faults(" , ") == []


@pytest.mark.parametrize(
    ("where", "operations"),
    [
        ("list", ("list_tasks",)),
        ("show", ("show_task",)),
        ("details", ("list_record_details",)),
        ("token", ("create_token",)),
        ("show_token", ("show_token",)),
        ("projects", ("list_projects",)),
        ("metadata", ("metadata",)),
        ("list_records", ("list_records",)),
        ("api", _API),
        ("iam", ("create_token", "show_token", "list_projects")),
    ],
)
def test_operations_have_names(where: str, operations: tuple[str, ...]) -> None:
    """Short ones, those of the metrics, and groups."""
    assert parse_faults(f"500@{where}")[0].operations == operations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("slow", 2), ("slow=3s", 3), ("timeout=2m", 120), ("trickle=1.5", 1.5), ("stall", 60)],
)
def test_durations(text: str, seconds: float) -> None:
    """Seconds, milliseconds, minutes, or the fault's own default."""
    assert parse_faults(text)[0].fault.seconds == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("huge", 20 * 2**20), ("bomb=1G", 2**30), ("huge=64k", 65_536), ("deep=7", 7)]
)
def test_sizes(text: str, size: int) -> None:
    """Bytes in powers of 1,024."""
    assert parse_faults(text)[0].fault.size == size


def test_a_location_may_hold_a_colon() -> None:
    """A port is not taken for an amount."""
    rule = parse_faults("redirect=http://elsewhere:8080/x@list:x1")[0]
    assert (rule.fault.value, rule.left) == ("http://elsewhere:8080/x", 1)
    assert parse_faults("redirect=http://127.0.0.1:9/")[0].fault.value == "http://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("teapot", "'teapot' is no status of 400 to 599 and none of 429, html"),
        ("200", "'200' is no status"),
        ("600", "'600' is no status"),
        ("status", "'status' is no status"),
        ("500@nowhere", "'nowhere' is none of create_token"),
        ("500:0", "probability is above 0"),
        ("500:1.5", "probability is above 0"),
        ("500:lots", "not of the form"),
        ("500=7", "takes no value, not '7'"),
        ("429=soon", "'soon' is no duration"),
        ("slow=fast", "'fast' is no duration"),
        ("huge=big", "'big' is no size"),
        ("count=many", "'many' is no number"),
        ("redirect=elsewhere", "'elsewhere' is no location"),
        ("html=1", "takes no value"),
        ("500,,404@x y", "not of the form"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(text: str, message: str) -> None:
    """The text of the rule and the reason."""
    with pytest.raises(ValueError, match=message) as caught:
        parse_faults(text)
    assert str(caught.value).startswith("fault '")


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    """It is read, or refused with a ValueError."""
    try:
        rules = parse_faults(text)
    except ValueError:
        return
    assert all(rule.fault.name for rule in rules)


def test_a_counted_fault_strikes_so_many_requests() -> None:
    """The next that fit, and no more."""
    faults = Faults("500@records:x2")
    assert faults.draw("list_tasks", _PATH) is None
    struck = [faults.draw("list_records", _PATH) for _ in range(5)]
    assert [fault and fault.name for fault in struck] == ["500", "500", None, None, None]
    assert (faults.rules[0].seen, faults.rules[0].struck) == (5, 2)


def test_a_fault_may_be_for_one_task_or_project() -> None:
    """The id is a whole segment of the path."""
    faults = Faults("500@api/t1")
    assert faults.draw("list_records", _PATH) is not None
    assert faults.draw("list_records", _PATH.replace("t1", "t11")) is None
    assert Faults("500@api/p1").draw("list_records", _PATH) is not None


def test_the_first_rule_that_strikes_wins() -> None:
    """A spent one gives way to the next."""
    faults = Faults("500:x1,404")
    assert [faults.draw("show_task", _PATH) for _ in range(2)] == [Fault("500", ""), Fault("404", "")]


def test_chance_is_decided_by_the_seed() -> None:
    """The same seed strikes the same requests, about as many as the probability says."""

    def draws(seed: int) -> list[bool]:
        faults = Faults("500:0.2", seed=seed)
        return [faults.draw("show_task", _PATH) is not None for _ in range(1000)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert 150 < sum(draws(1)) < 250


def test_rules_change_while_the_service_runs() -> None:
    """A bad text leaves the old ones in force; the empty one ends them."""
    faults = Faults("500")
    with pytest.raises(ValueError, match="teapot"):
        faults.put("teapot")
    assert (faults.spec, faults.draw("show_task", _PATH)) == ("500", Fault("500", ""))
    faults.put("")
    assert faults.draw("show_task", _PATH) is None


def test_every_fault_is_documented() -> None:
    """The table of the module's docstring, which `--help` refers to, names each of them."""
    table = module.__doc__ or ""
    for name in module._FAULTS:
        assert name in {"status", "429", "stall"} or f"\n{name} " in table, name
