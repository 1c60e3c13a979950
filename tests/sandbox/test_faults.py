"""The switchboard of faults."""

from __future__ import annotations

import pytest

from syncd.sandbox.faults import Faults, UnknownFault
from syncd.sandbox.server import options_help


def test_a_fault_strikes_as_often_as_told() -> None:
    faults = Faults(["hubspot_error:2:503@7"])
    assert [faults.take("hubspot_error") for _ in range(3)] == ["503@7", "503@7", None]
    assert faults.taken["hubspot_error"] == 2
    assert faults.active() == {}


def test_faults_of_one_name_queue_up() -> None:
    faults = Faults(["hubspot_error:1:500", "hubspot_error:1:502"])
    assert [faults.take("hubspot_error") for _ in range(3)] == ["500", "502", None]


def test_a_fault_can_stay_until_cleared() -> None:
    faults = Faults(["hubspot_burst:*"])
    assert [faults.take("hubspot_burst") for _ in range(5)] == [""] * 5
    assert faults.active() == {"hubspot_burst": ["*"]}
    faults.clear("hubspot_burst")
    assert faults.take("hubspot_burst") is None


def test_a_fault_can_be_a_matter_of_chance() -> None:
    faults = Faults(["hubspot_cut:25%"])
    struck = sum(faults.take("hubspot_cut") is not None for _ in range(2000))
    assert 400 < struck < 600


def test_settings_are_not_used_up() -> None:
    faults = Faults(["hubspot_conflict_form:1:4"])
    assert faults.setting("hubspot_conflict_form") == faults.setting("hubspot_conflict_form") == "4"


@pytest.mark.parametrize("bad", ["hubspot_error:0", "hubspot_error:-1", "hubspot_error:0%", "hubspot_error:many"])
def test_bad_counts_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"hubspot_error|invalid literal"):
        Faults([bad])


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownFault, match="did you mean 'hubspot_burst'"):
        Faults(["hubspot_bursts"])


def test_every_fault_is_described() -> None:
    listed = dict(options_help())
    assert {name.partition("_")[0] for name in listed} == {"hubspot", "salesforce", "zeliq", "fullenrich"}
    assert all(listed.values())
