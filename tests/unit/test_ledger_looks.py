"""Small looks at the ledger, and small notes in it: each tells and keeps what its docstring says."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.contract.errors import Trouble
from syncd.contract.model import ContactRef, Identity
from syncd.ledger import (
    arrivals,
    cases,
    connections,
    exports,
    figures,
    file,
    glances,
    reports,
    reviews,
    room,
    upkeep,
    writes,
)
from syncd.ledger.budgets import Budget
from syncd.ledger.contacts import Rules
from syncd.ledger.file import (
    DiskFailed,
    DiskFull,
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerForbidden,
    file_of,
    meaning,
)
from syncd.ledger.place import Url, is_url
from syncd.ledger.reports import Far
from syncd.ledger.results import dump_identity
from syncd.ledger.room import OverBudget
from syncd.ledger.shared_time import SharedTime
from syncd.ledger.store import Ledger, Tx
from syncd.people.evidence import Learned

from .audit import sqlite3
from .by_hand import EMPTY, Tables, Where
from .conftest import Build
from .harness import DAY, EMAIL, PHONE, Harness

HOUR = 3600.0
OPEN_FILES = Path("/proc/self/fd")


def test_the_last_callback_of_each_provider_is_kept(harness: Harness) -> None:
    for heard in ({"ann": 5.0, "gone": 6.0}, {"ann": 7.0}):
        harness.run(harness.ledger.write(figures.note_heard, heard))
    told = harness.run(harness.ledger.read(figures.read, ["people"], ["ann", "bob"]))
    assert told.heard_at == {"ann": 7.0}


def test_how_far_everything_is(written: Harness) -> None:
    """One was written, one was not found, a third is asked about."""
    written.person("Cy")
    written.ask()
    assert written.run(written.ledger.read(reports.far)) == Far(done=2, total=3, found=1, charged=1.0)


def test_what_is_planned_is_told_of_some_jobs_alone(written: Harness) -> None:
    def planned(tx: Tx, jobs: list[int] | None) -> tuple[list[int], int]:
        total = reports.planned_totals(tx, since_event=0, jobs=jobs)
        return [one.job_id for one in reports.planned(tx, since_event=0, jobs=jobs)], sum(t.contacts for t in total)

    found = [written.run(written.ledger.read(planned, jobs)) for jobs in (None, [2], [])]
    assert [(set(jobs), count) for jobs, count in found] == [({1, 2}, 2), ({2}, 1), (set(), 0)]


def test_credits_are_told_by_the_hours_that_end_now(harness: Harness) -> None:
    harness.person("Ada")
    harness.ask()
    now = harness.clock.now()
    hours = harness.run(harness.ledger.read(glances.spent_by_hour, now=now, hours=3))
    this = now // HOUR * HOUR
    assert hours == [(this - 2 * HOUR, 0.0), (this - HOUR, 0.0), (this, 11.0)]
    later = harness.run(harness.ledger.read(glances.spent_by_hour, now=now + 2 * HOUR, hours=3))
    assert [amount for _, amount in later] == [11.0, 0.0, 0.0]
    assert len(harness.run(harness.ledger.read(glances.spent_by_hour, now=now))) == 24


@pytest.mark.parametrize(
    ("at", "told"), [(None, ""), (0.0, "1970-01-01T00:00:00Z"), (1.8e9, "2027-01-15T08:00:00Z"), (1e11, "")]
)
def test_moments_are_told_as_people_write_them(at: float | None, told: str) -> None:
    """What waits for an event waits until the year 9999: that is no moment."""
    assert exports._moment(at) == told


# --- connections --------------------------------------------------------------------------------------


def test_a_halt_is_told_in_the_newest_words_since_the_first_moment(harness: Harness) -> None:
    def halt(trouble: Trouble, message: str, cure: str, now: float) -> bool:
        return harness.run(harness.ledger.write(connections.halt, "ann", trouble, message, cure, now=now))

    told = "SELECT trouble, message, cure, since FROM connection WHERE name = 'ann'"
    assert halt(Trouble.CREDITS, "none left", "buy", 5.0)
    assert not halt(Trouble.CREDITS, "one left", "buy more", 6.0)
    assert harness.sql(told) == [("credits", "one left", "buy more", 5.0)]
    assert halt(Trouble.CREDENTIALS, "a wrong key", "another key", 7.0)
    assert harness.sql(told) == [("credentials", "a wrong key", "another key", 5.0)]
    assert harness.run(harness.ledger.read(connections.troubles)) == {"ann": Trouble.CREDENTIALS}
    cleared = [harness.run(harness.ledger.write(connections.clear, "ann")) for _ in range(2)]
    assert (cleared, harness.sql(told)) == ([True, False], [("", "", "", None)])
    assert halt(Trouble.CREDITS, "none left", "buy", 8.0)
    assert harness.sql(told)[0][3] == 8.0


def test_refusals_in_a_row_are_counted_until_a_call_is_taken(harness: Harness) -> None:
    def refuse(after: float | None, now: float) -> connections.Refused:
        return harness.run(harness.ledger.write(connections.refuses, "ann", after, lambda n: 100.0 * n, now=now))

    assert harness.run(harness.ledger.read(connections.refused, "ann")) == connections.NONE
    assert [refuse(None, 0.0), refuse(5.0, 1.0), refuse(None, 2.0)] == [(1, 100.0), (2, 6.0), (3, 302.0)]
    assert harness.run(harness.ledger.read(connections.refused, "ann")) == (3, 302.0)
    refuse(1.0, 3.0)
    assert harness.run(harness.ledger.read(connections.refused, "ann")) == (4, 302.0), "the longest pause stands"
    harness.run(harness.ledger.write(connections.takes, "ann"))
    assert harness.run(harness.ledger.read(connections.refused, "ann")).in_a_row == 0
    assert harness.run(harness.ledger.read(glances.limits, now=301.0))["ann"]["until"] == 302.0
    assert harness.run(harness.ledger.read(glances.limits, now=302.0))["ann"]["until"] is None


def test_the_first_account_and_the_newest_balance_are_kept(harness: Harness) -> None:
    kept = [harness.run(harness.ledger.write(connections.keep_account, "ann", mark)) for mark in ("one", "two")]
    assert kept == ["one", "one"]
    for balance, now in ((Decimal(7), 1.0), (Decimal("6.5"), 2.0)):
        harness.run(harness.ledger.write(connections.note_balance, "ann", balance, now=now))
    assert harness.sql("SELECT balance, balance_at FROM connection WHERE name = 'ann'") == [("6.5", 2.0)]


# --- budgets ------------------------------------------------------------------------------------------


def test_what_does_not_fit_into_a_budget_is_news_once_a_day(harness: Harness) -> None:
    over = OverBudget(Budget(name="small", per_day=Decimal(1)), "day", Decimal(10))

    def note(now: float, more: Decimal = Decimal(0)) -> bool:
        dearer = OverBudget(Budget(name="small", per_day=Decimal(1)), "day", over.needs + more)
        return harness.run(harness.ledger.write(room.note_reached, "people", "ann", dearer, now=now))

    assert [note(5.0), note(6.0), note(6.0 + DAY), note(7.0 + 2 * DAY)] == [True, False, False, True]
    assert note(8.0 + 2 * DAY, Decimal(1)), "another call does not fit"
    since = harness.sql("SELECT needs_mc, since, at FROM over_budget ORDER BY needs_mc")
    assert since == [(10_000, 7.0 + 2 * DAY, 7.0 + 2 * DAY), (11_000, 8.0 + 2 * DAY, 8.0 + 2 * DAY)]


# --- who a contact is ---------------------------------------------------------------------------------


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(("written_at", "known"), [(4.0, False), (5.0, False), (6.0, True)])
def test_a_mailbox_that_was_found_before_the_record_was_anothers_is_not_theirs(
    tables: Tables, written_at: float, known: bool
) -> None:
    tables.add(Where("contact", "id"), 1, **{**EMPTY, "became_at": 5.0, "lacks": '["phone"]'})
    row = {"state": "done", "reason": "written", "value": "ada@acme.example.com", "updated_at": written_at}
    tables.add(Where("job", "id"), 1, contact_id=1, field="email", sync="a", **row)
    told = {one.field: one for one in tables.read(cases.read, [1], Rules()).cases}[PHONE]
    assert told.identity.email == ("ada@acme.example.com" if known else None)


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize("found", [None, "ada@acme.example.com"])
@pytest.mark.parametrize("learned", [None, "https://www.linkedin.com/in/ada-learned"])
def test_of_a_contact_what_answers_brought_is_known_beside_what_the_crm_says(
    tables: Tables, found: str | None, learned: str | None
) -> None:
    """A phone is asked for with it; the record's own word is told apart."""
    identity = dump_identity(Identity(first_name="Ada", last_name="Test"))
    tables.add(Where("contact", "id"), 1, **{**EMPTY, "identity": identity, "learned": learned, "lacks": '["phone"]'})
    if found is not None:
        row = {"state": "done", "reason": "written", "value": found, "updated_at": 5.0}
        tables.add(Where("job", "id"), 1, contact_id=1, field="email", sync="a", **row)
    told = {one.field: one for one in tables.read(cases.read, [1], Rules()).cases}[PHONE]
    assert (told.identity.linkedin_url, told.identity.email) == (learned, found)
    assert (told.own.linkedin_url, told.own.email, told.own.first_name) == (None, None, "Ada")


@pytest.mark.parametrize("changed", [False, True])
def test_a_found_mailbox_is_known_of_whom_the_record_is_about_now(build: Build, changed: bool) -> None:
    """A phone is asked for with the e-mail that was found, unless the record is about somebody else since."""
    harness = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    contact = harness.person("Ada")
    harness.finds(contact, EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.job(contact) == ("done", "written")
    if changed:
        harness.crm.edit(contact, "email", "")
        record = harness.crm.records[contact]
        record.identity = replace(record.identity, first_name="Zoltan", last_name="Querfurt", linkedin_url=None)
        harness.clock.time += 60
        harness.pull()
    found = harness.run(harness.ledger.read(_mailboxes))
    assert found["phone"] == (() if changed else ("ada@acme.example.com",))


def test_a_write_is_judged_with_what_answers_brought(build: Build) -> None:
    """A profile alone, or the mailbox that was found for the person."""
    harness = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    contact = harness.person("Ada")
    harness.finds(contact, EMAIL, "ada@acme.example.com")
    harness.finds(contact, PHONE, "+33639980123")
    harness.ask()
    harness.answer_all()
    harness.verify()

    def learned(tx: Tx) -> dict[str, Learned]:
        return {str(one.field): one.learned for one in writes.to_write(tx, [1, 2])}

    assert harness.run(harness.ledger.read(learned)) == {
        "email": Learned(), "phone": Learned(email="ada@acme.example.com"),
    }  # fmt: skip
    profile = "https://www.linkedin.com/in/ada-learned"
    harness.run(harness.ledger.write(lambda tx: tx.run("contact_learn", id=1, profile=profile)))
    assert harness.run(harness.ledger.read(learned)) == {
        "email": Learned(profile=profile), "phone": Learned(profile=profile, email="ada@acme.example.com"),
    }  # fmt: skip


def _mailboxes(tx: Tx) -> dict[str, tuple[str, ...]]:
    return {str(one.field): one.identity.emails for one in cases.read(tx, [1], Rules()).cases}


# --- the file and the time ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EIO, DiskFailed),
        (errno.EACCES, LedgerForbidden),
        (errno.EROFS, LedgerForbidden),
        (errno.EBADF, LedgerError),
        (None, LedgerError),
    ],
)
def test_what_an_error_of_the_system_asks_for(number: int | None, kind: type[LedgerError]) -> None:
    told = meaning(OSError("said by nobody") if number is None else OSError(number, "it says"), "otherwise")
    assert (type(told), str(told)) == (kind, "otherwise" if number is None else "it says")


def of_sqlite(code: int | None, kind: type[Exception] = sqlite3.OperationalError) -> Exception:
    """An error as SQLite raises it, with its extended code (https://sqlite.org/rescode.html)."""
    error = kind("it says")
    if code is not None:
        error.sqlite_errorcode = code  # type: ignore[attr-defined]
    return error


ASKS_FOR: dict[int, type[LedgerError]] = {
    3: LedgerForbidden, 5: LedgerBusy, 6: LedgerBusy, 8: LedgerForbidden, 10: DiskFailed, 11: LedgerCorrupt,
    13: DiskFull, 14: LedgerForbidden, 23: LedgerForbidden, 26: LedgerCorrupt,
}  # fmt: skip


@pytest.mark.parametrize("code", range(29))
@pytest.mark.parametrize("extended", [0, 1 << 8, 6 << 8])
def test_what_an_error_of_sqlite_asks_for(code: int, extended: int) -> None:
    kind = ASKS_FOR.get(code, LedgerError)
    told = meaning(of_sqlite(code | extended), "it could not be read")
    more = "; move it away and restore a copy of it" if kind is LedgerCorrupt else ""
    assert (type(told), str(told)) == (kind, f"it could not be read{more}")


@pytest.mark.parametrize(
    ("code", "kind"), [(None, LedgerError), (3082, LedgerError), (4874, LedgerError), (266, DiskFailed)]
)
def test_a_lack_of_memory_is_no_failure_of_the_disk(code: int | None, kind: type[LedgerError]) -> None:
    assert type(meaning(of_sqlite(code), "it says")) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (of_sqlite(1), sqlite3.OperationalError), (of_sqlite(8), sqlite3.OperationalError),
        (of_sqlite(8 | 1 << 8), sqlite3.OperationalError), (of_sqlite(None), sqlite3.OperationalError),
        (of_sqlite(5), LedgerBusy), (of_sqlite(9), LedgerError), (of_sqlite(13), DiskFull),
        (of_sqlite(19, sqlite3.IntegrityError), sqlite3.IntegrityError),
        (of_sqlite(10, sqlite3.DatabaseError), DiskFailed),
        (of_sqlite(3, sqlite3.DatabaseError), sqlite3.DatabaseError),
        (of_sqlite(11, sqlite3.DatabaseError), DiskFailed), (ValueError("ours"), ValueError),
    ],
)  # fmt: skip
def test_an_error_while_a_ledger_is_read_is_told_in_our_words(
    tmp_path: Path, error: Exception, kind: type[Exception]
) -> None:
    """What was asked for in the wrong way stays the error that it is. Where the file is whole by now, it is not
    damaged: the disk had not given a part of it."""
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    with pytest.raises(kind) as told, file.told_of(path):
        raise error
    assert type(told.value) is kind
    if isinstance(told.value, LedgerError):
        assert told.value.__cause__ is error or isinstance(told.value.__cause__, sqlite3.Error)


@pytest.mark.parametrize(("length", "smaller"), [(99, False), (100, True), (20_000, True)])
def test_short_bodies_are_kept_as_they_came(length: int, smaller: bool) -> None:
    body = b"x" * length
    packed = arrivals.packed(body, b"x" * 50)
    assert (packed is not None) is smaller
    assert arrivals.unpacked(packed or body, b"x" * 50 if packed else None) == body


class _Database:
    """It answers after a while that it is 1,000 seconds later than the one before."""

    def __init__(self) -> None:
        self.says, self.after = 0.0, 0.0

    async def read(self, _: Any) -> float:
        self.says += 1_000.0
        await asyncio.sleep(self.after)
        return self.says


def test_what_comes_again_far_behind_in_a_body_is_packed_and_read_as_it_came() -> None:
    body = os.urandom(20_000) * 2
    packed = arrivals.packed(body, b"x" * 50)
    assert packed is not None
    assert len(packed) < 21_000
    assert arrivals.unpacked(packed, b"x" * 50) == body


def test_an_answer_that_took_long_says_too_little_of_the_time_unless_there_is_no_other() -> None:
    shared, database = SharedTime(), _Database()
    assert abs(shared() - time.time()) < 5
    for after, expected in ((0.55, 1_000.0), (0.0, 2_000.0), (0.55, 2_000.0)):
        database.after = after
        asyncio.run(shared.look(database))  # type: ignore[arg-type]
        assert expected <= shared() < expected + 5


# --- pages --------------------------------------------------------------------------------------------


def test_the_newest_pulls_and_answers_are_told(harness: Harness) -> None:
    contact = harness.person("Ada")
    harness.finds(contact, EMAIL, "ada@acme.example.com")
    for _ in range(3):
        harness.pull()
    beats = harness.run(harness.ledger.read(glances.beats, ["people", "others"], limit=2))
    assert ([one["id"] for one in beats["people"]], beats["others"]) == ([2, 3], [])
    harness.plan()
    harness.dispatch()
    harness.clock.time += 60
    harness.dispatch()
    for call in harness.fake.accepted.values():
        harness.call_back(call, body=f"{call.id} says nothing{' ' * 500}".encode())
    told = harness.run(harness.ledger.read(glances.set_aside, before=99, limit=5))
    assert [one["id"] for one in told] == [2, 1]
    assert [one["id"] for one in harness.run(harness.ledger.read(glances.set_aside, before=2, limit=5))] == [1]
    for one in told:
        body = harness.run(harness.ledger.read(glances.body, one["id"]))
        assert body == f"{one['submission_id']} says nothing{' ' * 500}"
    assert harness.run(harness.ledger.read(glances.body, 99)) is None


@pytest.mark.parametrize(
    ("field", "contact", "held"),
    [
        ("email", {"email": "a@x.test"}, "a@x.test"),
        ("email", {}, ""),
        ("email", {"phones": ["1"]}, ""),
        ("phone", {"phones": ["1"]}, "1"),
        ("phone", {"phones": ["1", "2"]}, ""),
        ("phone", {"email": "a@x.test"}, ""),
        ("phone", {"email": "a@x.test", "phones": ["1"]}, "1"),
    ],
)
def test_the_records_own_value_is_shown_where_it_has_a_single_one(
    field: str, contact: dict[str, Any], held: str
) -> None:
    assert reviews._held(field, contact) == held


def test_what_is_planned_says_of_each_whom_it_asks_or_why_nobody(written: Harness) -> None:
    """One was written, one not found, one is queued, of one the call is under way, one waits for a person."""
    told: dict[str, tuple[Any, ...]] = {
        "queued": ("ann", None, None), "sending": ("ann", None, None), "review": (None, "review", "a note"),
        "done": (None, "not_found", "a note"),
    }  # fmt: skip
    for state, expected in told.items():
        reason = "not_found" if state == "done" else ""
        row: Any = {"id": 1, "ref": "r", "sync": "s", "field": "email", "provider": "ann", "reason": reason}
        row |= {"state": state}
        one = reports._planned(row | {"note": "a note"})
        assert (one.provider, one.reason, one.skipped) == expected
        bare = reports._planned(row | {"note": ""})
        assert bare.skipped == (None if expected[0] else reason.replace("_", " ") or state)


def test_an_empty_ledger_wants_nobody(harness: Harness) -> None:
    frame = harness.run(harness.ledger.read(glances.frame))
    assert (frame.reviews, frame.doubts, frame.set_aside, frame.troubles) == (0, 0, 0, "0")


@pytest.mark.sqlite  # rows are put there by hand
def test_of_each_sync_the_newest_run_is_told(tables: Tables) -> None:
    """However many syncs there are, and however many runs each of them had; an undo is of no sync."""
    for id_, sync in enumerate(("b", "a", "", "c", "b", "c", "a", ""), 1):
        tables.add(Where("run", "sync"), sync, id=id_, started_at=float(id_))
    newest = tables.read(lambda tx: [(row["sync"], row["id"]) for row in tx.rows("runs_latest")])
    assert sorted(newest) == [("a", 7), ("b", 5), ("c", 6)]
    tables.raw.execute("DELETE FROM run WHERE sync <> ''")
    tables.raw.commit()
    assert tables.read(lambda tx: tx.rows("runs_latest")) == []


def test_what_needs_a_file_says_what_to_do_without_one() -> None:
    assert file_of(Path("ledger.db"), "otherwise") == Path("ledger.db")
    with pytest.raises(LedgerError, match=r"is in PostgreSQL \(.*\): otherwise"):
        file_of(Url("postgresql://localhost/syncd"), "otherwise")


def test_pulls_are_counted_behind_one_of_them(harness: Harness) -> None:
    assert harness.run(harness.ledger.read(reports.newest_run)) == 0
    assert harness.run(harness.ledger.read(reports.pulled_since, run=0)) == 0
    harness.person("Ada")
    harness.pull()
    harness.person("Bo")
    harness.pull()
    newest = harness.run(harness.ledger.read(reports.newest_run))
    assert newest == 2
    counted = [harness.run(harness.ledger.read(reports.pulled_since, run=run)) for run in (0, 1, newest)]
    assert counted[2] == 0
    assert counted[0] > counted[1] > 0


@pytest.mark.sqlite  # rows are put there by hand
def test_what_was_decided_is_counted_by_whom_is_asked_or_why_nobody_is(tables: Tables) -> None:
    """Since a moment, and what is queued; of what is asked the provider, of everything else the reason or the state."""
    jobs = (
        ("queued", "", "ann"), ("queued", "", "ann"), ("queued", "", "bob"), ("sending", "", "ann"),
        ("done", "not_found", "ann"), ("review", "", "ann"), ("waiting", "", "ann"), ("done", "written", "ann"),
    )  # fmt: skip
    for n, (state, reason, provider) in enumerate(jobs, 1):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "connection": "crm", "object": "o"})
        row = {"field": "email", "sync": "a", "state": state, "reason": reason, "provider": provider}
        tables.add(Where("job", "id"), n, contact_id=n, **row, steps=",4,5" if n == 8 else ",4,6")

    def told(jobs: list[int] | None = None) -> list[tuple[Any, ...]]:
        found = tables.read(reports.planned_totals, since_event=5, jobs=jobs)
        return [(one.provider, one.reason, one.contacts) for one in found]

    assert told() == [
        ("bob", None, 1), ("ann", None, 3), (None, "not_found", 1), (None, "review", 1), (None, "waiting", 1),
    ]  # fmt: skip
    assert told([1, 5]) == [("ann", None, 1), (None, "not_found", 1)]
    ids = [one.job_id for one in tables.read(reports.planned, since_event=5)]
    assert ids == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.sqlite  # rows are put there by hand
def test_since_when_the_first_of_each_queue_waits(tables: Tables) -> None:
    """The first, not the oldest; of calls the one whose time is over first, and of doubts the oldest."""
    assert tables.read(figures.read, ["a"], ["ann"]).waits_since == {}
    for n, (state, at) in enumerate((("applied", 1.0), ("received", 9.0), ("received", 2.0)), 1):
        tables.add(Where("delivery", "id"), n, submission_id=f"s{n}", state=state, received_at=at, body=b"")
    for n, (planned, at) in enumerate(((1, 1.0), (0, 8.0), (0, 2.0)), 1):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "planned": planned, "pulled_at": at})
    for n, (state, at) in enumerate((("done", 1.0), ("answered", 7.0), ("answered", 2.0)), 1):
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state=state, updated_at=at)
    for n, (state, at, deadline) in enumerate(
        (("accepted", 2.0, 9.0), ("in_doubt", 6.0, 5.0), ("settled", 1.0, 1.0), ("in_doubt", 5.0, 6.0)), 1
    ):
        row = {"created_at": at, "deadline": deadline, "shares": "{}", "run_id": 1}
        tables.add(Where("submission", "id"), f"s{n}", state=state, **row)
    told = tables.read(figures.read, ["a"], ["ann"])
    assert told.waits_since == {"inbox": 9.0, "plan": 8.0, "answered": 7.0, "sent": 6.0, "in_doubt": 5.0}
    assert told.inbox == 2


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ((0, 9, 0, 0.0), (0, 9, 0, 0.0), "0 credits"),
        ((0, 9, 0, 0.0), (4, 9, 1, 1.0), "25 % found, 1 credit"),
        ((2, 9, 1, 1.0), (4, 9, 3, 12.5), "100 % found, 11.5 credits"),
        ((2, 9, 1, 1.0), (2, 9, 1, 2001.0), "2,000 credits"),
        ((4, 9, 3, 1.0), (3, 9, 3, 1.0), "0 credits"),
        ((0, 9, 0, 0.0), (1, 9, 0, 3.0), "0 % found, 3 credits"),
    ],
)
def test_what_was_found_meanwhile_and_what_it_cost_in_words(
    before: tuple[int, int, int, float], now: tuple[int, int, int, float], said: str
) -> None:
    assert Far(*now).in_words(Far(*before)) == said


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("postgresql://ada:s%21cret@db.test/syncd", "postgresql://db.test/syncd", {"s%21cret", "s!cret"}),
        ("postgresql://db.test,two.test/syncd", "postgresql://db.test,two.test/syncd", set()),
        (
            "postgresql://ada@db.test/syncd?password=one&sslmode=require&sslpassword=two",
            "postgresql://db.test/syncd",
            {"one", "two"},
        ),
    ],
)
def test_a_password_in_an_address_is_a_secret(url: str, shown: str, secrets: set[str]) -> None:
    assert str(Url(url)) == shown
    assert set(Url(url).secrets) == secrets
    assert url not in repr(Url(url))
    assert is_url(url)


@pytest.mark.parametrize(
    "text", ["ledger.db", "mysql://db.test/syncd", "postgresql://db.test", "postgresql://db.test/", "postgres://["]
)
def test_what_names_no_database(text: str) -> None:
    assert not is_url(text)


@pytest.mark.sqlite  # rows are put there by hand
def test_marks_are_told_by_their_beginning(tables: Tables) -> None:
    tables.write(upkeep.set_marks, ["heard:ann", "heard:bob"], 5.0)
    for key, value in (("heard:ann", 7.0), ("heard", 1.0), ("heard;", 2.0), ("other:ann", 3.0)):
        tables.write(upkeep.set_mark, key, value)
    assert tables.read(upkeep.marks, "heard:") == {"ann": 7.0, "bob": 5.0}
    tables.write(upkeep.clear_mark, "heard:ann")
    assert (tables.read(upkeep.mark, "heard:ann"), tables.read(upkeep.mark, "heard:bob")) == (None, 5.0)


@pytest.mark.sqlite  # rows are put there by hand
def test_of_each_write_its_own_answer_decision_and_undo_are_told(tables: Tables) -> None:
    """The newest undo of it; the reason is that of the decision right before it."""
    tables.add(Where("contact", "id"), 1, **{**EMPTY, "connection": "crm", "object": "o"})
    for job in (1, 2):
        tables.add(Where("job", "id"), job, contact_id=1, field=f"f{job}", state="done")
    for n, (job, at, result) in enumerate(((1, 10.0, 1), (1, 20.0, 2), (2, 30.0, 3), (1, 40.0, None)), 1):
        row = {"state": "written", "property": "x", "run_id": 1, "result_id": result}
        tables.add(Where("write", "id"), n, job_id=job, at=at, **row)
    for n, (decision, by) in enumerate((("accepted", "ada"), ("refused", "bo"), ("", "")), 1):
        tables.add(Where("result", "id"), n, job_id=1, provider=f"p{n}", submission_id=f"s{n}", outcome="found", at=1.0)
        tables.add(Where("review", "result_id"), n, job_id=1, decision=decision, decided_by=by)
    for write, run, state, done in (
        (1, 5, "kept", 50.0),
        (1, 6, "undone", None),
        (2, 6, "gone", 60.0),
        (3, 7, "asked", None),
    ):
        given = {
            "back": f"b{write}",
            "note": f"n{run}",
            "at": float(run),
            "done_at": done,
            "job_id": 1,
            "contact_id": 1,
        }
        tables.add(Where("undo", "write_id"), write, run_id=run, state=state, **given)
    steps = (
        (1, "answered", "accepted", 5.0),
        (1, "answered", "accepted", 15.0),
        (1, "accepted", "writing", 16.0),
        (1, "answered", "review", 17.0),
        (2, "answered", "accepted", 18.0),
        (1, "answered", "accepted", 40.0),
    )
    for n, (job, source, target, at) in enumerate(steps, 1):
        tables.add(Where("step", "id"), n, source=source, target=target, at=at, note=f"step{n}", jobs=1)
        tables.raw.execute("UPDATE job SET steps = steps || ? WHERE id = ?", [f",{n}", job])
    tables.raw.commit()
    columns = (
        "id",
        "provider",
        "submission_id",
        "decided_by",
        "undo_run",
        "undo_state",
        "back",
        "undo_note",
        "undo_at",
        "found",
    )
    told = tables.read(lambda tx: [tuple(row[one] for one in columns) for row in tx.rows("writes_of_job", job_id=1)])
    assert told == [
        (1, "p1", "s1", "ada", 6, "undone", "b1", "n6", 6.0, "step1"),
        (2, "p2", "s2", None, 6, "gone", "b2", "n6", 60.0, "step2"),
        (4, None, None, None, None, None, None, None, None, "step6"),
    ]


@pytest.mark.sqlite  # rows are put there by hand
def test_how_often_each_provider_finds_a_field(tables: Tables) -> None:
    for n, (provider, field, outcome) in enumerate(
        (
            ("ann", "email", "found"),
            ("ann", "email", "not_found"),
            ("ann", "email", "missing"),
            ("ann", "phone", "found"),
            ("bob", "email", "not_found"),
            ("bob", "email", "not_found"),
            ("ann", "email", "found"),
        ),
        1,
    ):
        tables.add(Where("job", "id"), n, contact_id=n, field=field, state="done")
        tables.add(Where("result", "id"), n, job_id=n, provider=provider, outcome=outcome, at=1.0)
    assert tables.read(reports.hit_rates, at_least=2) == {("ann", "email"): 2 / 3, ("bob", "email"): 0.0}
    assert ("ann", "phone") in tables.read(reports.hit_rates, at_least=1)
    assert tables.read(reports.hit_rates, at_least=4) == {}


@pytest.mark.sqlite  # rows are put there by hand
def test_which_pulls_are_the_last_and_which_ended_well(tables: Tables) -> None:
    runs = (
        ("a", 1.0, 2.0, ""),
        ("a", 3.0, 4.0, "it failed"),
        ("b", 5.0, None, ""),
        ("a", 6.0, None, ""),
        ("b", 0.5, 9.0, ""),
    )
    for n, (sync, started, ended, error) in enumerate(runs, 1):
        tables.add(Where("run", "id"), n, sync=sync, started_at=started, ended_at=ended, error=error)
    names = json.dumps(["b", "a", "c"])
    last = tables.read(lambda tx: {row["sync"]: tuple(row)[1:] for row in tx.rows("runs_last", syncs=names)})
    assert last == {"a": (6.0, None), "b": (0.5, 9.0)}
    assert tables.read(figures.read, ["a", "b", "c"], []).pulled_at == {"a": 2.0, "b": 9.0}


@pytest.mark.sqlite  # rows are put there by hand
def test_of_a_write_what_is_not_known_is_told_as_nothing(tables: Tables) -> None:
    tables.add(Where("contact", "id"), 1, **EMPTY, connection="crm", object="contacts", ext_id="1")
    tables.add(Where("job", "id"), 1, contact_id=1, field="email", sync="a", state="done")
    tables.add(Where("write", "id"), 1, job_id=1, state="written", at=1.0, run_id=0, property="x", after="v")
    ref = ContactRef(connection="crm", object="contacts", id="1")
    (told,) = tables.read(reports.journey, ref)["jobs"][0]["writes"]
    unknown = {"run": None, "found": "", "accepted_by": None, "cost": 0.0, "undo": None}
    assert told.items() >= unknown.items()


@pytest.mark.sqlite  # rows are put there by hand
def test_what_speaks_for_an_answer_and_against_it_is_told(tables: Tables) -> None:
    tables.add(Where("contact", "id"), 1, **EMPTY, connection="crm", object="contacts", ext_id="1")
    tables.add(Where("job", "id"), 1, contact_id=1, field="email", sync="a", state="done")
    tables.add(Where("evidence", "id"), 1, text='{"for": ["the name"], "against": ["the employer"]}')
    for n, evidence in ((1, 1), (2, None)):
        tables.add(Where("result", "id"), n, job_id=1, candidates="[]", evidence_id=evidence, at=1.0)
    ref = ContactRef(connection="crm", object="contacts", id="1")
    told = tables.read(reports.journey, ref)["jobs"][0]["answers"]
    assert [(one["speaks_for"], one["speaks_against"]) for one in told] == [(["the name"], ["the employer"]), ([], [])]


@pytest.mark.sqlite  # rows are put there by hand
def test_the_other_records_of_a_person_are_told(tables: Tables) -> None:
    for n, (person, field) in enumerate((("p", "email"), ("p", "email"), ("q", "email"), ("p", "phone")), 1):
        record = {**EMPTY, "connection": "crm", "object": "o", "person": person}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **record)
        tables.add(Where("job", "id"), n, contact_id=n, field=field, person=person, state="done", reason="written")

    def others(job: int, person: str) -> list[str]:
        given = {"person": person, "field": "email", "job_id": job}
        return [row["ext_id"] for row in tables.read(lambda tx: tx.rows("same_person", **given))]

    assert (others(1, "p"), others(2, "p"), others(3, "q")) == (["e2"], ["e1"], [])


@pytest.mark.sqlite  # rows are put there by hand
def test_how_many_of_the_newest_answers_were_somebody_elses(tables: Tables) -> None:
    """Of the last thousand, those that were judged, since a moment."""
    answers = [(1, "ann", "other", 9.0)]
    answers += [(n, "ann", "same", 9.0) for n in (2, 3)] + [(4, "ann", "other", 5.0), (5, "ann", "", 9.0)]
    answers += [(6, "bob", "doubtful", 9.0), (7, "cy", "other", 4.9), (1001, "ann", "other", 9.0)]
    for id_, provider, verdict, at in answers:
        tables.add(Where("result", "id"), id_, job_id=id_, provider=provider, verdict=verdict, outcome="found", at=at)
    told = tables.read(reports.answers_lately, since=5.0)
    assert told == {"ann": {"judged": 4, "other": 2}, "bob": {"judged": 1, "other": 0}}


@pytest.mark.sqlite  # rows are put there by hand
def test_what_the_last_whole_pull_of_each_sync_brought(tables: Tables) -> None:
    for name, selection in (("b", "f"), ("a", "f"), ("c", "g"), ("d", "nothing")):
        tables.add(Where("sync", "name"), name, selection=selection)
    for fingerprint, swept, brought in (("f", 5.0, 7), ("g", None, 3), ("h", 6.0, 9)):
        tables.add(Where("selection", "fingerprint"), fingerprint, swept_at=swept, brought=brought, missing=2)
    told = tables.read(lambda tx: [tuple(row) for row in tx.rows("sweeps")])
    assert told == [("a", 7, 2, 5.0), ("b", 7, 2, 5.0)]
    for name, refused in (("b", 2), ("a", 1), ("c", 0)):
        tables.add(Where("sync_state", "sync"), name, refused=refused, words=f"no {name}")
    told = tables.read(lambda tx: [tuple(row) for row in tx.rows("syncs_refused")])
    assert told == [("a", 1, "no a"), ("b", 2, "no b")]


def test_what_a_log_holds_is_written_again_as_it_is_and_nothing_stays_open(tmp_path: Path) -> None:
    wal = tmp_path / "ledger.db-wal"
    held = os.urandom(3_000_001)
    wal.write_bytes(held)
    before = len([*OPEN_FILES.iterdir()])
    file._write_again(wal)
    assert wal.read_bytes() == held
    assert len([*OPEN_FILES.iterdir()]) == before


def test_where_there_is_no_log_nothing_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "plain.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (n)")
        file.write_wal_anew(connection, path)
        assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 5_000, "others are waited for, as before"
        assert not (tmp_path / "plain.db-wal").exists()
        assert not connection.in_transaction
        connection.execute("INSERT INTO t VALUES (1)")
