"""How many calls of the CRM an action needs."""

from __future__ import annotations

import pytest

from syncd.actions import crm_calls
from tests.contract.fake_crm import FakeCrm


@pytest.mark.parametrize(("records", "calls"), [(0, 0), (1, 3), (50, 3), (51, 5), (100, 5), (101, 8)])
def test_each_record_is_read_twice_and_written_once_in_batches(records: int, calls: int) -> None:
    crm = FakeCrm("crm", read_batch=50)  # and updates of a hundred records
    refs = [f"crm/contacts/{number}" for number in range(records)]
    assert crm_calls.needed({"crm": crm}, [*refs, *refs]) == calls  # two values of one record go together


def test_a_crm_that_is_not_configured_any_more_needs_none() -> None:
    assert crm_calls.needed({}, ["gone/contacts/1"]) == 0
