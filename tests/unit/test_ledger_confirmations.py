"""For how many contacts something is, or was perhaps, bought that may still be written."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.ledger import confirmations
from syncd.ledger.confirmations import Confirmation, NotYet

from .by_hand import DAY, EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

UNDER_WAY = ("sending", "sent", "answered", "accepted", "writing")


@pytest.mark.parametrize(
    ("other", "belongs"),
    [
        *(({"state": state}, True) for state in UNDER_WAY),
        *(({"state": state}, False) for state in ("queued", "waiting", "review", "done")),
        ({"state": "in_doubt", "updated_at": NOW - DAY + 1}, True),
        ({"state": "in_doubt", "updated_at": NOW - DAY}, False),
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
    for _ in range(3):
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


@pytest.mark.parametrize(
    ("refused", "policy", "confirmed_ago", "left"),
    [
        (0, "policy", 7 * DAY - 1, None), (0, "policy", 7 * DAY, 5), (0, "another", 1.0, 5), (1, "policy", 1.0, 5),
        (2, "policy", 1.0, 5), (3, "policy", 1.0, 1),
    ],
)  # fmt: skip
def test_how_much_may_be_bought_before_a_write_was_confirmed(
    tables: Tables, refused: int, policy: str, confirmed_ago: float, left: int | None
) -> None:
    """A write of the same policy in the last week speaks for the next ones, until one is refused; the third refusal in
    a row is the rule's fault."""
    at = NOW - confirmed_ago
    tables.add(Where("sync_state", "sync"), "a", policy=policy, confirmed_at=at, refused=refused)
    assert tables.read(confirmations.allowance, "a", "policy", limit=5, now=NOW) == left
    assert tables.read(confirmations.allowance, "a", "policy", limit=0, now=NOW) == (1 if refused == 3 else None)
    assert tables.read(confirmations.allowance, "new", "policy", limit=5, now=NOW) == 5


@pytest.mark.parametrize(("limit", "canary", "left"), [(0, 4, 3), (5, 4, 3), (2, 4, 1), (5, 1, 0), (1, 1, 0)])
def test_no_more_are_bought_than_a_canary_still_has(tables: Tables, limit: int, canary: int, left: int) -> None:
    """One is on its way."""
    tables.add(Where("job", "id"), 1, contact_id=1, field="email", sync="a", state="sent", submission_id="s")
    assert tables.read(confirmations.allowance, "a", "policy", limit=limit, now=NOW, canary=canary) == left
    looked_at = {"canary_policy": "policy", "canary_writes": canary, "canary_looked_at": 1}
    tables.add(Where("sync_state", "sync"), "a", **looked_at)
    left_by_limit = limit - 1 if limit else None
    assert tables.read(confirmations.allowance, "a", "policy", limit=limit, now=NOW, canary=canary) == left_by_limit


@pytest.mark.parametrize(("limit", "canary"), [(0, 1), (1, None), (1, 1), (1, 9)])
def test_where_more_are_on_their_way_than_may_be_nobody_is_bought_for(
    tables: Tables, limit: int, canary: int | None
) -> None:
    for n in range(1, 4):
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="sent", submission_id="s")
    assert tables.read(confirmations.allowance, "a", "policy", limit=limit, now=NOW, canary=canary) == 0


def test_a_single_write_is_tried_after_growing_pauses(tables: Tables) -> None:
    """From the third refusal in a row on; those of the same value are not counted twice."""
    found = []
    for n, first in enumerate((True, False, True, True, True, False, True, True)):
        tables.write(confirmations.refuse, "a", f"no {n}", first=first, now=NOW)
        one = tables.read(confirmations.load, "a")
        found.append((one.refused, one.probes, one.probe_at - NOW, one.is_shut))
    assert found == [
        (1, 0, 300.0, False), (1, 0, 300.0, False), (2, 0, 300.0, False), (3, 0, 300.0, True), (4, 1, 600.0, True),
        (4, 2, 1_200.0, True), (5, 3, 1_800.0, True), (6, 4, 1_800.0, True),
    ]  # fmt: skip


@pytest.mark.parametrize(("ahead", "may"), [(-1.0, True), (0.0, True), (1.0, False), (1_800.0, False), (1_801.0, True)])
def test_a_clock_that_was_set_back_makes_nobody_wait_for_longer(ahead: float, may: bool) -> None:
    assert Confirmation(probe_at=NOW + ahead).may_probe(NOW) is may


def test_of_a_sync_nothing_is_known_at_first(tables: Tables) -> None:
    assert tables.read(confirmations.load, "a") == Confirmation(
        policy="", confirmed_at=0.0, refused=0, words="", probes=0, probe_at=0.0
    )


@pytest.mark.parametrize(
    ("state", "more"), [("queued", True), ("sent", True), ("answered", True), ("review", False), ("done", False)]
)
def test_from_what_is_asked_or_still_to_be_asked_more_may_come(tables: Tables, state: str, more: bool) -> None:
    given = {"contact_id": 1, "field": "email", "state": state, "submission_id": "s", "provider": "ann"}
    tables.add(Where("contact", "id"), 1, **{**EMPTY, "planned": 1, "pulled_at": 1.0})
    tables.add(Where("job", "id"), 1, sync="a", **given)
    tables.add(Where("counter", "sync"), "a", field="email", state=state, reason="", n=1)
    tables.add(Where("counter", "sync"), "b", field="email", state="queued", reason="", n=0)
    assert tables.read(confirmations.may_bring_more, "a") is more
    assert not tables.read(confirmations.may_bring_more, "b")
    tables.add(Where("contact", "id"), 2, **{**EMPTY, "planned": 0})
    assert tables.read(confirmations.may_bring_more, "b"), "whom it asks about is not decided on"


def test_one_process_at_a_time_tries_a_single_write(tables: Tables) -> None:
    for sync in ("a", "b"):
        tables.add(Where("sync_state", "sync"), sync, probe_at=5.0)
    assert tables.write(confirmations.postpone_probe, "a", 5.0, now=NOW)
    assert not tables.write(confirmations.postpone_probe, "a", 5.0, now=NOW + 1), "another one does by now"
    later = NOW + 60.0
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
