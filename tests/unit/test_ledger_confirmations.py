"""For how many contacts something is, or was perhaps, bought that may still be written."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.ledger import confirmations
from syncd.ledger.confirmations import DOUBTFUL, NotYet

from .by_hand import NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

UNDER_WAY = ("sending", "sent", "answered", "accepted", "writing")


@pytest.mark.parametrize(
    ("other", "belongs"),
    [
        *(({"state": state}, True) for state in UNDER_WAY),
        *(({"state": state}, False) for state in ("queued", "waiting", "review", "done")),
        ({"state": "in_doubt", "updated_at": NOW - DOUBTFUL + 1}, True),
        ({"state": "in_doubt", "updated_at": NOW - DOUBTFUL}, False),
        ({"state": "sent", "sync": "b"}, False),
        ({"state": "sent", "contact_id": 2}, False),
    ],
)
def test_who_is_on_their_way_with_another_field_is_no_further_contact(
    tables: Tables, other: dict[str, Any], belongs: bool
) -> None:
    """One may be bought for at first; the contact of job 1 is that one, or a further one."""
    row = {"sync": "a", "submission_id": "s", "updated_at": 1.0}
    tables.add(Where("job", "id"), 1, **{**row, "contact_id": 1, "field": "phone", "state": "queued"})
    tables.add(Where("job", "id"), 2, **{**row, "contact_id": 1, "field": "email", **other})
    on_their_way = tables.read(confirmations.allowance, "a", "policy", limit=1, now=NOW) == 0
    assert on_their_way is (belongs or "contact_id" in other)
    if belongs:
        tables.read(confirmations.require, "a", "policy", [1], limit=1, now=NOW)
    elif on_their_way:
        with pytest.raises(NotYet):
            tables.read(confirmations.require, "a", "policy", [1], limit=1, now=NOW)


def test_jobs_of_one_contact_are_one_contact(tables: Tables) -> None:
    row = {"sync": "a", "submission_id": None, "state": "queued"}
    for job, (contact, field) in enumerate(((1, "email"), (1, "phone"), (2, "email")), 1):
        tables.add(Where("job", "id"), job, **row, contact_id=contact, field=field)
    tables.read(confirmations.require, "a", "policy", [1, 2], limit=1, now=NOW)
    with pytest.raises(NotYet):
        tables.read(confirmations.require, "a", "policy", [1, 2, 3], limit=1, now=NOW)
