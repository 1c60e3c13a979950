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


@pytest.mark.parametrize(
    ("state", "on_its_way", "answer_may_come"),
    [
        ("queued", False, False), ("sending", True, True), ("sent", True, True), ("in_doubt", False, False),
        ("answered", True, True), ("accepted", True, False), ("writing", True, False), ("review", False, False),
        ("done", False, False),
    ],
)  # fmt: skip
def test_what_may_still_be_written_is_on_its_way(
    tables: Tables, state: str, on_its_way: bool, answer_may_come: bool
) -> None:
    """Of this sync alone. While its CRM refuses whatever is written, one of these is waited for."""
    for _ in range(confirmations.IN_A_ROW):
        tables.write(confirmations.refuse, "a", "no", first=True, now=NOW)
    row = {"state": state, "submission_id": "s", "field": "email"}
    tables.add(Where("job", "id"), 1, contact_id=1, sync="b", **row)
    assert tables.read(confirmations.allowance, "a", "policy", limit=3, now=NOW) == 1
    assert not tables.read(confirmations.can_be_tried, "a")
    assert not tables.read(confirmations.is_under_way, "a")
    tables.add(Where("job", "id"), 2, contact_id=2, sync="a", **row)
    tables.add(Where("job", "id"), 3, contact_id=2, sync="a", **{**row, "field": "phone"})
    assert tables.read(lambda tx: tx.value("contacts_on_their_way", sync="a")) == int(on_its_way), "contacts, not jobs"
    assert tables.read(confirmations.can_be_tried, "a") is on_its_way
    assert tables.read(confirmations.is_under_way, "a") is answer_may_come
    assert tables.read(confirmations.allowance, "a", "policy", limit=3, now=NOW) == (0 if on_its_way else 1)


def test_one_process_at_a_time_tries_a_single_write(tables: Tables) -> None:
    for sync in ("a", "b"):
        tables.add(Where("sync_state", "sync"), sync, probe_at=5.0)
    assert tables.write(confirmations.postpone_probe, "a", 5.0, now=NOW)
    assert not tables.write(confirmations.postpone_probe, "a", 5.0, now=NOW + 1), "another one does by now"
    later = NOW + confirmations.FIRST_PROBE / 5
    assert tables.rows(Where("sync_state", "sync"), ["probe_at"]) == {"a": [(later,)], "b": [(5.0,)]}


def test_what_was_refused_is_due_once_a_write_was_confirmed(tables: Tables) -> None:
    for n, (sync, state, due) in enumerate(
        (("a", "accepted", NOW + 5), ("a", "accepted", NOW - 5), ("a", "writing", NOW + 5), ("b", "accepted", NOW + 5)),
        1,
    ):
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync=sync, state=state, due_at=due)
    assert not tables.write(confirmations.confirm, "a", "policy", now=NOW), "nothing was refused"
    tables.write(confirmations.refuse, "a", "no", first=True, now=NOW)
    tables.write(confirmations.refuse, "a", "no", first=False, now=NOW)
    assert tables.rows(Where("sync_state", "sync"), ["refused", "words"]) == {"a": [(1, "no")]}
    tables.raw.execute("UPDATE sync_state SET probes = 3, probe_at = 9.0")
    tables.raw.commit()
    assert tables.write(confirmations.confirm, "a", "policy", now=NOW)
    moments = [rows[0][0] for _, rows in sorted(tables.rows(Where("job", "id"), ["due_at"]).items())]
    assert moments == [NOW, NOW - 5, NOW + 5, NOW + 5]
    told = tables.rows(
        Where("sync_state", "sync"), ["policy", "confirmed_at", "refused", "words", "probes", "probe_at"]
    )
    assert told == {"a": [("policy", NOW, 0, "", 0, 0.0)]}
