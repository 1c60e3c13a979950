"""Who is in a selection: what a pull has seen and what a sweep has not, among records that are called alike."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.contract.model import Contact, ContactRef, Identity, Page
from syncd.ledger import configured, contacts, selections
from syncd.ledger.configured import Changes

from .by_hand import DAY, EMPTY, NOW, Tables, Where

NEVER = 253_402_300_799.0  # the end of the year 9999

pytestmark = pytest.mark.sqlite  # rows are put there by hand


ALIKE = [("crm", "contacts"), ("crm", "leads"), ("other", "contacts"), ("other", "leads")]


@pytest.fixture
def alike(tables: Tables) -> Tables:
    """Four records with the id 7, each decided on and pulled long ago; and one with the id 8 in each place."""
    for n, (connection, object_) in enumerate(ALIKE, 1):
        where = {"connection": connection, "object": object_, "planned": 1, "pulled_at": 1.0, "fingerprint": 10 * n}
        for add, ext_id in ((0, "7"), (4, "8")):
            tables.add(Where("contact", "ext_id"), ext_id, id=n + add, person=f"p{n + add}", **{**EMPTY, **where})
    return tables


def test_a_pull_sees_the_record_of_its_own_crm_and_object(alike: Tables) -> None:
    pull = alike.write(selections.begin, "f", sweep_after=DAY, now=NOW)
    ref = ContactRef(connection="crm", object="contacts", id="7")
    page = Page(contacts=(Contact(ref=ref, revision="1", identity=Identity()),), cursor={"at": 1})
    alike.write(selections.seen, pull, page, at=5.0)
    assert alike.rows(Where("member", "contact_id"), ["selection_id", "sweep"]) == {1: [(1, 1)]}
    told = "SELECT id FROM contact WHERE planned = 0 OR pulled_at <> 1.0"
    assert alike.raw.execute(told).fetchall() == [(1,)]
    assert alike.raw.execute("SELECT planned, pulled_at FROM contact WHERE id = 1").fetchone() == (0, 5.0)
    alike.raw.execute("UPDATE contact SET planned = 1")
    alike.raw.commit()
    alike.write(selections.seen, pull, page, at=6.0)
    assert alike.raw.execute("SELECT planned, pulled_at FROM contact WHERE id = 1").fetchone() == (1, 6.0), "known"


def test_who_is_not_brought_by_a_sweep_leaves_its_own_selection_only(alike: Tables) -> None:
    pull, other = (alike.write(selections.begin, name, sweep_after=DAY, now=NOW) for name in ("f", "g"))
    member = Where("member", "contact_id")
    for contact, selection, sweep in ((1, 1, 0), (2, 1, 1), (3, 2, 0), (4, 1, 0), (4, 2, 0)):
        alike.add(member, contact, selection_id=selection, sweep=sweep)
    for contact, state in ((1, "queued"), (4, "done")):
        alike.add(Where("job", "contact_id"), contact, id=contact, field="email", state=state)
    assert alike.write(selections.not_seen, pull, 0) == (4, 1)
    assert alike.write(selections.not_seen, pull, 4) == (None, 0)
    assert alike.rows(member, ["selection_id"]) == {2: [(1,)], 3: [(2,)], 4: [(2,)]}
    assert alike.raw.execute("SELECT id FROM contact WHERE planned = 0 ORDER BY id").fetchall() == [(1,), (4,)]
    assert alike.write(selections.end, pull, brought=1, missing=1, now=NOW)
    assert not alike.write(selections.end, pull, now=NOW), "it was ended before"
    found = alike.rows(Where("selection", "fingerprint"), ["sweeping", "swept_at", "brought", "missing"])
    assert found == {"f": [(0, NOW, 1, 1)], "g": [(1, None, 0, 0)]}
    assert alike.write(selections.not_seen, pull, 0) == (None, 0), "no sweep is under way"
    assert alike.write(selections.begin, "f", sweep_after=DAY, now=NOW + DAY - 1).sweep == pull.sweep
    assert alike.write(selections.begin, "f", sweep_after=DAY, now=NOW + DAY).sweep == pull.sweep + 1
    assert alike.write(selections.begin, "g", sweep_after=0.0, now=NOW).sweep == other.sweep, "it goes on"


def test_at_the_end_of_a_sweep_who_waited_for_it_is_decided_on(alike: Tables) -> None:
    pull = alike.write(selections.begin, "f", sweep_after=DAY, now=NOW)
    for contact, (state, due) in enumerate(
        (("waiting", NEVER), ("waiting", NEVER - 1), ("queued", NEVER), ("waiting", NEVER + 1)), 1
    ):
        alike.add(Where("job", "contact_id"), contact, id=contact, field="email", state=state, due_at=due)
    alike.write(selections.end, pull, now=NOW)
    assert alike.raw.execute("SELECT id FROM contact WHERE planned = 0 ORDER BY id").fetchall() == [(1,), (4,)]


def test_who_leaves_a_selection_stays_in_the_others(alike: Tables) -> None:
    for name in ("f", "g"):
        alike.write(selections.make, name)
    for contact, selection in ((1, 1), (1, 2), (2, 1)):
        alike.add(Where("member", "contact_id"), contact, selection_id=selection, sweep=0)
    alike.write(selections.left, [1], "f")
    assert alike.rows(Where("member", "contact_id"), ["selection_id"]) == {1: [(2,)], 2: [(1,)]}
    assert alike.raw.execute("SELECT id FROM contact WHERE planned = 0").fetchall() == [(1,)]
    alike.write(selections.admit, "g", "other", "leads", ["7"])
    assert alike.rows(Where("member", "contact_id"), ["selection_id"])[4] == [(2,)]


@pytest.mark.parametrize(
    ("change", "planned"),
    [
        ({}, 1),
        ({"sync": "b", "opt_out": '{"email": "x"}', "fingerprint": 2}, 1),
        ({"requested": 0}, 1),
        ({"requested": 2}, 0),
        ({"revision": 6}, 0),
        ({"lacks": '["phone"]'}, 0),
        ({"blocked": '{"email": "x"}'}, 0),
        ({"identity": '{"ln": "B"}'}, 0),
    ],
)
def test_a_contact_of_which_nothing_changed_that_matters_keeps_its_plan(
    tables: Tables, change: dict[str, Any], planned: int
) -> None:
    before: dict[str, Any] = {
        "sync": "a",
        "revision": 5,
        "identity": "{}",
        "lacks": "[]",
        "blocked": "{}",
        "opt_out": "{}",
    }
    before |= {"fingerprint": 1, "requested": 1}
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **before, planned=1, pulled_at=1.0)
    tables.write(lambda tx: tx.run("contact_change", id=1, **{**before, **change}, now=9.0))
    found = tables.rows(Where("contact", "id"), [*before, "planned", "pulled_at"])
    assert found[1] == [(*{**before, **change}.values(), planned, 9.0)]
    assert found[2] == [(*before.values(), 1, 1.0)]


def test_what_was_learned_of_a_contact_is_kept_with_it(tables: Tables) -> None:
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **EMPTY)
    learn = [tables.write(lambda tx, p=p: tx.run("contact_learn", id=1, profile=p)) for p in ("x", "x", "y", None)]
    assert learn == [1, 0, 1, 1]
    tables.write(lambda tx: tx.run("contact_learn", id=1, profile="z"))
    assert tables.rows(Where("contact", "id"), ["learned"]) == {1: [("z",)], 2: [(None,)]}


def test_who_is_on_the_list_stays_for_the_first_reason_and_forgotten_once_forgotten(tables: Tables) -> None:
    def add(forgotten: int, reason: str) -> tuple[Any, ...]:
        row = {"digest": "d", "kind": "email", "reason": reason, "by": "me", "now": 1.0, "forgotten": forgotten}
        tables.write(lambda tx: tx.run("suppression_add", **row))
        return tables.rows(Where("suppression", "digest"), ["reason", "forgotten"])["d"][0]

    assert [add(0, "a"), add(0, "b"), add(1, "c"), add(0, "d")] == [("a", 0), ("a", 0), ("a", 1), ("a", 1)]


def test_what_a_new_sync_selects_is_decided_on_again(alike: Tables) -> None:
    """Of the contacts of its own selection, and of the jobs of one chunk; whatever is due earlier stays so."""
    for name in ("f", "g"):
        alike.write(selections.make, name)
    for contact, selection in ((1, 1), (2, 2), (3, 1), (4, 1)):
        alike.add(Where("member", "contact_id"), contact, selection_id=selection)
    for job in range(1, 6):
        alike.add(Where("job", "contact_id"), job, id=job, field="email", state="done")
    for job, at in ((1, 3.0), (3, 9.0)):
        alike.add(Where("again", "job_id"), job, at=at)
    changes = Changes(renamed={}, removed=[], fields=[], added=["f"], jobs=5)
    alike.write(configured.decide_again, changes, range(1, 4), now=5.0)
    assert alike.rows(Where("again", "job_id"), ["at"]) == {1: [(3.0,)], 3: [(5.0,)]}


def test_at_each_look_a_contact_is_seen_in_its_place(alike: Tables) -> None:
    for name, given in (("contact_fingerprints", {}), ("contacts_looked", {"at": 7.0})):
        where = {"connection": "crm", "object": "leads", "ids": '["7", "9"]', **given}
        if name == "contacts_looked":
            alike.write(lambda tx, where=where: tx.run("contacts_looked", **where))
        else:
            found = alike.read(lambda tx, where=where: [tuple(row) for row in tx.rows("contact_fingerprints", **where)])
            assert found == [(2, "7", 20)]
    assert alike.raw.execute("SELECT id FROM contact WHERE pulled_at = 7.0").fetchall() == [(2,)]


def test_who_is_in_a_selection_and_has_something_left_to_do_is_counted(alike: Tables) -> None:
    for n, (contact, state) in enumerate(
        ((1, "queued"), (1, "sent"), (2, "done"), (3, "review"), (4, "waiting"), (5, "queued")), 1
    ):
        alike.add(Where("job", "id"), n, contact_id=contact, field=f"f{n}", state=state, sync="a")
    missing = alike.read(lambda tx: tx.value("members_missing", ids="[1, 2, 3, 4]"))
    assert missing == 2
    left = alike.read(lambda tx: [row["id"] for row in tx.rows("jobs_left", contact_id=1, sync="a")])
    assert left == [1]
    assert alike.read(lambda tx: tx.rows("jobs_left", contact_id=1, sync="b")) == []


def test_members_of_one_selection_are_dropped(alike: Tables) -> None:
    for name in ("f", "g"):
        alike.write(selections.make, name)
    for contact, selection in ((1, 1), (1, 2), (2, 1), (3, 1)):
        alike.add(Where("member", "contact_id"), contact, selection_id=selection)
    alike.write(lambda tx: tx.run("members_drop", selection=1, ids="[1, 2]"))
    assert alike.rows(Where("member", "contact_id"), ["selection_id"]) == {1: [(2,)], 3: [(1,)]}
    alike.write(lambda tx: tx.run("members_left", fingerprint="g", ids="[1, 3]"))
    assert alike.rows(Where("member", "contact_id"), ["selection_id"]) == {3: [(1,)]}


def test_a_look_at_records_of_two_places_sees_each_in_its_own(alike: Tables) -> None:
    seen = [
        Contact(ref=ContactRef(connection="crm", object=object_, id=id_), revision="1", identity=Identity())
        for object_, id_ in (("contacts", "7"), ("leads", "8"))
    ]
    alike.write(contacts.store_look, "a", seen, [], [], fingerprint="f", now=9.0)
    assert alike.raw.execute("SELECT id FROM contact WHERE pulled_at = 9.0 ORDER BY id").fetchall() == [(1,), (6,)]
