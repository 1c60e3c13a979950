"""Which written values may be put back: by contact and by run the same."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.model import ContactRef, Field
from syncd.ledger import undos
from syncd.ledger.undos import ToUndo, Wanted

from .by_hand import EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SEEDS = range(4)
SYNCS, FIELDS = ("a", "b"), (Field.EMAIL, Field.PHONE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_written_values_that_fit_are_found_in_both_ways(tables: Tables, seed: int) -> None:
    """By contact and by run; each property by itself, the newest first, with what it has covered."""
    rng = random.Random(seed)
    wanted = _some_writes(tables, rng)
    runs, moments = [None, 1, 2, 3], [None, 10.0, 20.0, 25.0, 30.0]
    for run, sync, since, until in itertools.product(runs, (None, *SYNCS), moments, moments):
        fits = [
            row for row in wanted
            if (run is None or row["run_id"] == run) and (sync is None or row["sync"] == sync)
            and (since is None or row["at"] >= since) and (until is None or row["at"] < until)
        ]  # fmt: skip
        heads: dict[tuple[int, str], int] = {}
        for row in sorted(fits, key=lambda row: -row["id"]):
            heads.setdefault((row["job"], row["property"]), row["id"])
        narrow: dict[str, Any] = {"run": run, "sync": sync, "since": since, "until": until}
        found = tables.read(undos.find, Wanted(**narrow))
        assert {(one.job_id, one.property): one.writes[0] for one in found} == heads
        for contact in (1, 2):
            ref = ContactRef(connection="crm", object="contacts", id=f"e{contact}")
            mine = tables.read(undos.find, Wanted(contact=ref, **narrow))
            assert mine == [one for one in found if one.contact_id == contact]


def _some_writes(tables: Tables, rng: random.Random) -> list[dict[str, Any]]:
    """Three runs of two syncs; returns the writes that may be put back."""
    for id_, sync in enumerate(("a", "b", "a"), 1):
        tables.add(Where("run", "sync"), sync, id=id_, started_at=10.0 * id_)
    wanted = []
    write = 0
    for contact in (1, 2):
        given = {**EMPTY, "connection": "crm", "object": "contacts", "sync": "a", "revision": 1, "pulled_at": 0.0}
        tables.add(Where("contact", "ext_id"), f"e{contact}", id=contact, **given)
        for n, (field, sync) in enumerate(zip(FIELDS, rng.sample(SYNCS, 2), strict=True)):
            job = contact * 10 + n
            tables.add(Where("job", "field"), field, id=job, contact_id=contact, sync=sync, state="done")
            for _ in range(6):
                write += 1
                state, put_back = rng.choice(["written", "written", "cleared"]), rng.choice(["", "", "kept", "undone"])
                row: dict[str, Any] = {
                    "id": write,
                    "state": state,
                    "run_id": rng.randint(1, 3),
                    "property": rng.choice("xy"),
                }
                row["at"] = float(10 * row["run_id"] + rng.choice((0, 5)))
                tables.add(Where("write", "job_id"), job, **row, seen="", before="b", after="a")
                if put_back:
                    tables.add(
                        Where("undo", "state"), put_back, write_id=write, run_id=1, contact_id=contact, job_id=job
                    )
                if state == "written" and put_back != "undone":
                    wanted.append({**row, "job": job, "sync": sync})
    return wanted


@pytest.mark.parametrize(("state", "later"), [("written", True), ("cleared", False), ("intent", False)])
@pytest.mark.parametrize("put_back", ["", "kept", "asked", "intent", "undone"])
def test_a_later_value_of_ours_stands_until_it_is_put_back(
    tables: Tables, state: str, later: bool, put_back: str
) -> None:
    given = {**EMPTY, "connection": "crm", "object": "contacts"}
    tables.add(Where("contact", "ext_id"), "e1", id=1, **given)
    tables.add(Where("job", "field"), "email", id=1, contact_id=1, sync="a", state="done")
    for id_, one, run in ((1, "written", 1), (2, state, 2)):
        tables.add(Where("write", "job_id"), 1, id=id_, state=one, run_id=run, property="x", at=1.0)
    if put_back:
        tables.add(Where("undo", "state"), put_back, write_id=2, run_id=1, contact_id=1, job_id=1)
    (first,) = tables.read(undos.find, Wanted(run=1))
    stands = later and put_back not in ("asked", "intent", "undone")
    assert bool(first.why_not) is stands
    ref = ContactRef(connection="crm", object="contacts", id="e1")
    assert tables.read(undos.find, Wanted(run=1, contact=ref)) == [first]


def test_a_value_that_was_told_once_more_is_put_back_to_what_was_there_first(tables: Tables) -> None:
    """A write that changes nothing covers the one before it."""
    tables.add(Where("contact", "ext_id"), "e1", id=1, **EMPTY, connection="crm", object="contacts")
    tables.add(Where("job", "field"), "email", id=1, contact_id=1, sync="a", state="done")
    for id_, before in ((1, ""), (2, "v"), (3, "v")):
        row = {"state": "written", "run_id": 1, "property": "x", "at": 1.0, "before": before, "after": "v"}
        tables.add(Where("write", "job_id"), 1, id=id_, **row)
    (one,) = tables.read(undos.find, Wanted(run=1))
    assert (one.ours, one.back, one.writes) == ("v", "", (3, 2, 1))


# --- how it goes on -----------------------------------------------------------------------------------


def _undoing(tables: Tables) -> dict[int, ToUndo]:
    """Run 5 puts back writes 1 to 4 (4 with 3, which has covered it), run 6 write 6; three of them are begun."""
    states = {1: "asked", 2: "intent", 3: "intent", 4: "intent", 5: "kept", 6: "intent"}
    for id_ in (5, 6):
        tables.add(Where("run", "sync"), "", id=id_, kind="undo", started_at=1.0)
    for write, state in states.items():
        contact = 1 if write in (3, 4) else write
        tables.add(Where("contact", "ext_id"), f"e{write}", id=write, **{**EMPTY, "connection": "crm", "planned": 1})
        tables.add(Where("job", "id"), write, contact_id=contact, field=f"f{write}", sync="a", state="done")
        tables.add(Where("write", "id"), write, job_id=write, state="written", run_id=1, property="x", at=1.0)
        row = {"write_id": write, "run_id": 6 if write == 6 else 5, "head": 3 if write == 4 else write}
        tables.add(
            Where("undo", "state"), state, **row, contact_id=contact, job_id=write, due_at=2.0, seen="s", note="n"
        )
    ref = ContactRef(connection="crm", object="contacts", id="x")
    return {
        write: ToUndo(
            run_id=6 if write == 6 else 5, head=write, job_id=write, ref=ref, contact_id=1 if write == 3 else write,
            field=Field.EMAIL, property="x", ours="a", back="b", read_before="", begun=states[write] == "intent",
        )
        for write in states
    }  # fmt: skip


TOLD = ["state", "seen", "note", "due_at", "done_at"]
UNDO = Where("undo", "write_id")


def test_what_may_be_under_way_is_looked_at_once_it_must_have_landed(tables: Tables) -> None:
    undoing = _undoing(tables)
    before = tables.rows(UNDO, TOLD)
    later = NOW + 120.0
    tables.write(undos.postpone, [undoing[1], undoing[2]], now=NOW)
    assert tables.rows(UNDO, TOLD) == {**before, 2: [("intent", "s", "n", later, None)]}
    tables.write(undos.postpone_all, now=NOW - 1)
    open_ = [("intent", "s", "n", later - 1, None)]
    assert tables.rows(UNDO, TOLD) == {**before, 2: [("intent", "s", "n", later, None)], 3: open_, 4: open_, 6: open_}


def test_an_undo_goes_on_and_ends_with_all_that_it_has_covered(tables: Tables) -> None:
    undoing = _undoing(tables)
    before = tables.rows(UNDO, TOLD)
    tables.write(undos.intend, [(undoing[1], "stamp"), (undoing[2], "another")], now=NOW)
    begun = {**before, 1: [("intent", "stamp", "", NOW + 120.0, None)]}
    assert tables.rows(UNDO, TOLD) == begun, "an open intent stays"
    tables.write(undos.again, [(undoing[1], "not yet")], due_at=9.0)
    assert tables.rows(UNDO, TOLD) == {**before, 1: [("asked", "", "not yet", 9.0, None)]}
    assert tables.write(undos.finish, [(undoing[3], "undone", ""), (undoing[6], "gone", "not there")], now=NOW) == 2
    ended = tables.rows(UNDO, ["state", "note", "done_at"])
    assert (ended[3], ended[4], ended[6]) == (
        [("undone", "", NOW)], [("undone", "", NOW)], [("gone", "not there", NOW)],
    )  # fmt: skip
    assert (ended[1], ended[2], ended[5]) == (
        [("asked", "not yet", None)],
        [("intent", "n", None)],
        [("kept", "n", None)],
    )
    assert tables.raw.execute("SELECT id FROM contact WHERE planned = 0 ORDER BY id").fetchall() == [(1,), (6,)]
    assert tables.rows(Where("run", "id"), ["ended_at"]) == {5: [(None,)], 6: [(NOW,)]}
    assert tables.read(undos.counts, 5) == {"asked": 1, "intent": 1, "kept": 1, "undone": 1}
    assert (tables.read(undos.left, 5), tables.read(undos.left, 6)) == ({"n": 1}, {"not there": 1})


def test_an_undo_that_is_stopped_leaves_what_is_not_begun(tables: Tables) -> None:
    _undoing(tables)
    tables.add(Where("undo", "state"), "asked", write_id=7, run_id=5, head=7, contact_id=5, job_id=5, note="n")
    tables.add(Where("claim", "kind"), "record", item="5")
    assert tables.write(undos.stop, 5, "a test", now=NOW) == 1
    ended = tables.rows(UNDO, ["state", "note", "done_at"])
    assert ended[1] == [("kept", "stopped by a test", NOW)]
    assert (ended[2], ended[5], ended[7]) == ([("intent", "n", None)], [("kept", "n", None)], [("asked", "n", None)])
    assert tables.raw.execute("SELECT id FROM contact WHERE planned = 0").fetchall() == [(1,)]
    assert tables.write(undos.stop, 5, "a test", now=NOW) == 0


@pytest.mark.parametrize("held", [("record", 4), ("contact", 3), ("record", 3)])
def test_what_is_put_back_next_is_due_and_of_a_record_that_nobody_holds(tables: Tables, held: tuple[str, int]) -> None:
    """The newest of the writes that are put back together, of one CRM, with no write open; the longest due first."""
    for n, (connection, writing) in enumerate((("crm", 0), ("crm", 0), ("crm", 0), ("other", 0), ("crm", 1)), 1):
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **{**EMPTY, "connection": connection})
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="writing" if writing else "done")
    for n, (contact, state, due, head) in enumerate(
        ((1, "asked", 2.0, 1), (1, "asked", 1.0, 1), (2, "kept", 2.0, 3), (2, "intent", NOW, 4), (3, "asked", 1.0, 5),
         (4, "asked", 1.0, 6), (5, "asked", 1.0, 7), (2, "asked", NOW + 1, 8)), 1,
    ):  # fmt: skip
        row = {"head": head, "write_id": n, "run_id": 1, "contact_id": contact, "job_id": contact, "due_at": due}
        tables.add(Where("undo", "state"), state, **row)
    kind, item = held
    tables.add(Where("claim", "kind"), kind, item=str(item))
    mine = [1, 2] if held == ("record", 3) else [3, 1, 2]
    assert tables.read(undos.due, "crm", 9, now=NOW) == mine
    assert tables.read(undos.due, "crm", 1, now=NOW) == mine[:1]
    assert tables.read(undos.due, "crm", 9, now=NOW - 1) == mine[:-1]
    assert tables.read(undos.due, "other", 9, now=NOW) == ([] if held == ("record", 4) else [4])


def test_what_would_be_put_back_is_what_is_put_back(tables: Tables) -> None:
    """A value that is only looked at is judged as the one that was asked for."""
    known = '{"fn": "Ada"}'
    where = {**EMPTY, "connection": "crm", "object": "contacts", "identity": known}
    tables.add(Where("contact", "ext_id"), "e1", id=1, **where)
    tables.add(Where("job", "field"), "phone", id=1, contact_id=1, sync="a", state="done", destination="mobile")
    for id_, (before, after) in enumerate((("a", "b"), ("b", "c")), 1):
        row = {"state": "written", "property": "x", "at": 1.0, "seen": f"stamp{id_}", "basis": ""}
        tables.add(Where("write", "job_id"), 1, id=id_, run_id=1, before=before, after=after, **row)
    (value,) = tables.read(undos.find, Wanted(run=1))
    would = undos.of(value)
    tables.write(undos.ask, [value], "a test", now=NOW)
    (will,) = tables.read(undos.load, [1], now=NOW)
    assert would == replace(will, run_id=0)
    assert (would.head, would.ours, would.back, would.read_before) == (2, "c", "a", "stamp2")
    assert (would.field, would.property, would.identity.first_name) == (Field.MOBILE, "x", "Ada")


def test_what_was_covered_and_put_back_with_the_newest_value_counts_with_it(tables: Tables) -> None:
    """A value is counted once, however many writes it took; why values were left is told by the most frequent first."""
    for n, (head, state, note, run) in enumerate(
        ((1, "kept", "x", 5), (1, "kept", "x", 5), (3, "gone", "y", 5), (4, "refused", "y", 5), (5, "undone", "z", 5),
         (6, "kept", "y", 6)), 1,
    ):  # fmt: skip
        row = {"head": head, "note": note, "run_id": run, "contact_id": n, "job_id": n}
        tables.add(Where("undo", "write_id"), n, state=state, **row)
    assert tables.read(undos.counts, 5) == {"kept": 1, "gone": 1, "refused": 1, "undone": 1}
    assert [*tables.read(undos.left, 5).items()] == [("y", 2), ("x", 1)]


def test_what_must_not_be_put_back_is_not_asked_for(tables: Tables) -> None:
    """A later value of ours stands over it: only what stands now is put back, with what it has covered."""
    tables.add(Where("contact", "ext_id"), "e1", id=1, **{**EMPTY, "connection": "crm", "object": "contacts"})
    for job, field in ((1, "email"), (2, "phone")):
        tables.add(Where("job", "field"), field, id=job, contact_id=1, sync="a", state="done")
    for id_, job, run in ((1, 1, 1), (2, 1, 2), (3, 2, 1)):
        row = {"property": f"x{job}", "state": "written", "at": 1.0, "before": "b", "after": f"v{id_}"}
        tables.add(Where("write", "job_id"), job, id=id_, run_id=run, **row)
    values, run = tables.write(undos.ask_for, Wanted(run=1), "a test", now=NOW)
    assert {one.writes: bool(one.why_not) for one in values} == {(1,): True, (3,): False}
    assert tables.rows(Where("undo", "write_id"), ["run_id", "state", "head"]) == {3: [(run, "asked", 3)]}
    told = tables.raw.execute("SELECT contacts, note FROM run WHERE id = ?", [run]).fetchone()
    assert told[0] == 1
    assert tables.write(undos.ask_for, Wanted(run=1), "a test", now=NOW)[1] is None, "nothing is left to put back"
