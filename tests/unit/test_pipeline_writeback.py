"""Writeback: blank fields are filled, people's values stand, and no crash or lost answer changes that."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from syncd.contract.errors import Halt, InDoubt, Retry, Trouble
from syncd.contract.model import Author, Change, ContactRef, Selection, Snapshot, WriteOutcome, WriteStatus
from syncd.ledger import connections, writes
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.ledger.writes import LANDS
from syncd.pipeline import inbox, verify
from syncd.pipeline.writeback import LINGER, RETRY_IN
from tests.contract.fake_crm import FakeCrm

from .conftest import Build
from .harness import EMAIL, PHONE, Harness

MAIL, NUMBER = "ada@acme.example.com", "+33639980123"
Hook = Callable[[], object]


class Watched(FakeCrm):
    """`before` and `after` run around each write, `meanwhile` once after the next read; `says` replaces the status of
    a write that was not carried out."""

    def __init__(self, name: str = "crm", *, conditional: bool = False, history: bool = True) -> None:
        super().__init__(name, conditional=conditional, history=history)
        self.before: Hook = lambda: None
        self.after: Hook = lambda: None
        self.says: list[WriteStatus] = []
        self.changes: list[Change] = []
        self.meanwhile: Callable[[], Awaitable[object]] | None = None  # once, after the next read

    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        snapshots = await super().read(refs, selection)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return snapshots

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        self.changes += changes
        self.before()
        if self.says:
            self._begin("write")
            status = self.says.pop(0)
            return [WriteOutcome(ref=c.ref, field=c.field, status=status, detail="because") for c in changes]
        outcomes = await super().write(changes, selection)
        self.after()
        return outcomes


def found(
    build: Build, *, conditional: bool = False, phone: bool = False, history: bool = True
) -> tuple[Harness, Watched, str]:
    """A harness where contact 501's value is accepted and due."""
    crm = Watched(conditional=conditional, history=history)
    fields = {EMAIL: ["ann"], PHONE: ["ann"]} if phone else {EMAIL: ["ann"]}
    harness = build(crm=crm, fields=fields)
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.finds(ada, PHONE, NUMBER)
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.clock.time += LINGER
    return harness, crm, ada


def again(harness: Harness) -> None:
    """A few more passes, with the time in between that they ask for."""
    for _ in range(3):
        harness.clock.time += LANDS + LINGER
        harness.writeback()


# --- whether ----------------------------------------------------------------------------------


@pytest.mark.parametrize("conditional", [True, False])
def test_a_blank_field_is_filled(build: Build, conditional: bool) -> None:
    harness, crm, ada = found(build, conditional=conditional, phone=True)
    assert harness.writeback() == 2
    assert (harness.job(ada), harness.job(ada, PHONE)) == (("done", "written"), ("done", "written"))
    assert (harness.held(ada), harness.held(ada, "phone")) == (MAIL, NUMBER)
    assert crm.calls.count("write") == 1, "both fields in one call"
    assert crm.calls.count("read") == (1 if conditional else 2), "no second look where the CRM itself refuses"
    assert harness.writeback() == 0


def test_the_change_names_what_it_was_decided_on(build: Build) -> None:
    harness, crm, ada = found(build)
    revision = str(crm.records[ada].changed)
    harness.writeback()
    assert crm.changes == [Change(ref=harness.ref(ada), field=EMAIL, expected="", new=MAIL, revision=revision)]


def edit(harness: Harness, ada: str) -> None:
    harness.crm.edit(ada, "email", "typed@acme.example.com")


def clear(harness: Harness, ada: str) -> None:
    harness.crm.edit(ada, "email", "old@acme.example.com")
    harness.crm.edit(ada, "email", "")


def opt_out(harness: Harness, ada: str) -> None:
    harness.crm.records[ada].blocked = {EMAIL: "opted_out"}


@pytest.mark.parametrize(
    ("meanwhile", "reason", "held"),
    [
        (edit, "human_value_kept", "typed@acme.example.com"),
        (clear, "human_value_kept", ""),
        (opt_out, "suppressed", ""),
        (lambda harness, ada: harness.crm.remove(ada), "contact_gone", ""),
    ],
    ids=["filled", "cleared by a person", "opted out", "deleted"],
)
def test_what_happened_since_the_purchase_is_respected(
    build: Build, meanwhile: Callable[[Harness, str], None], reason: str, held: str
) -> None:
    harness, crm, ada = found(build)
    meanwhile(harness, ada)
    harness.writeback()
    assert (harness.job(ada), harness.held(ada), crm.changes) == (("done", reason), held, [])
    assert harness.credits()["charged"] == 1


def test_a_value_in_another_property_counts(build: Build) -> None:
    harness, _, ada = found(build, phone=True)
    harness.crm.edit(ada, "mobile", "+44 7700 900123")
    harness.writeback()
    assert (harness.job(ada, PHONE), harness.job(ada)) == (("done", "human_value_kept"), ("done", "written"))
    assert harness.held(ada, "phone") == ""


def test_a_merged_contact_is_written_where_it_stands_now(build: Build) -> None:
    harness, crm, ada = found(build)
    winner = harness.crm.add(harness.crm.records[ada].identity)
    harness.crm.merge(ada, winner)
    harness.writeback()
    assert (harness.held(winner), crm.changes[0].ref) == (MAIL, harness.ref(winner))
    assert harness.job(ada) == ("done", "written")


def test_two_contacts_that_were_merged_write_one_value(build: Build) -> None:
    harness, crm, ada = found(build)
    twin = harness.crm.add(harness.crm.records[ada].identity)
    harness.ask()
    harness.verify()
    assert harness.state(twin) == "accepted", "the answer is the person's"
    harness.crm.merge(ada, twin)
    harness.clock.time += LINGER
    harness.writeback()
    again(harness)
    assert {harness.reason(ada), harness.reason(twin)} == {"written", "human_value_kept"}
    assert len(crm.changes) == 1


def test_what_was_found_about_one_person_is_not_written_where_a_merge_made_it_another_one(build: Build) -> None:
    harness, crm, ada = found(build)
    bo = harness.person("Bo")
    harness.crm.merge(ada, bo)
    harness.writeback()
    assert (harness.held(bo), crm.changes) == ("", [])
    assert harness.state(ada) == "answered", "decided on anew, for who the record is about now"


def test_a_duplicate_names_the_holder_and_the_phone_is_still_written(build: Build) -> None:
    harness, _, ada = found(build, phone=True)
    holder = harness.crm.add(email=MAIL)
    harness.writeback()
    assert (harness.job(ada), harness.note(ada)) == (("done", "duplicate_of"), f"held by {holder}")
    assert (harness.job(ada, PHONE), harness.held(ada, "phone")) == (("done", "written"), NUMBER)


def test_a_value_that_the_crm_refuses_does_not_stop_the_others(build: Build) -> None:
    harness, crm, ada = found(build, phone=True)
    crm.refused.add(MAIL)
    harness.writeback()
    assert (harness.reason(ada), harness.reason(ada, PHONE)) == ("write_refused", "written")


# --- races ------------------------------------------------------------------------------------


def test_a_colleague_between_read_and_write_gets_their_value_back(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.between_read_and_write = lambda: edit(harness, ada)
    harness.writeback()
    assert (harness.held(ada), harness.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert harness.tally("races_put_right") == 1
    assert crm.changes[-1] == Change(ref=harness.ref(ada), field=EMAIL, expected=MAIL, new="typed@acme.example.com")


def test_a_value_that_another_one_has_replaced_while_the_record_was_read_is_not_written(build: Build) -> None:
    harness, crm, ada = found(build)
    [[job]] = harness.sql("SELECT id FROM job")

    def decide_anew(tx: Tx) -> None:
        tx.move(job, JobState.ACCEPTED, JobState.ANSWERED, now=harness.clock.now())
        better = writes.accepting(job, "better@acme.example.com", "", now=0.0, result_id=1, target=None)
        tx.move_many([better], now=harness.clock.now())

    crm.meanwhile = lambda: harness.ledger.write(decide_anew)
    assert harness.writeback() == 0
    assert (crm.changes, harness.state(ada)) == ([], "accepted")
    again(harness)
    assert (harness.held(ada), harness.job(ada)) == ("better@acme.example.com", ("done", "written"))
    assert harness.sql("SELECT after, state FROM write") == [("better@acme.example.com", "written")]


def test_a_colleague_who_clears_between_read_and_write_finds_it_blank_again(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.between_read_and_write = lambda: clear(harness, ada)
    harness.writeback()
    assert (harness.held(ada), harness.job(ada)) == ("", ("done", "human_value_kept"))


def test_n14_a_crm_that_books_our_writes_under_a_person_is_still_seen_to_take_them(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.books_as = Author.PERSON
    harness.writeback()
    assert (harness.held(ada), harness.job(ada)) == (MAIL, ("done", "written"))


def test_n14_and_a_colleague_s_value_still_comes_back_there(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.books_as = Author.PERSON
    crm.between_read_and_write = lambda: edit(harness, ada)
    harness.writeback()
    assert (harness.held(ada), harness.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))


def test_a_crm_that_guards_itself_refuses_and_the_decision_is_made_anew(build: Build) -> None:
    harness, crm, ada = found(build, conditional=True)
    crm.between_read_and_write = lambda: edit(harness, ada)
    harness.writeback()
    again(harness)
    assert (harness.held(ada), harness.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert len(crm.changes) == 1


@pytest.mark.parametrize("lost", ["refused", "raised", "unknown"])
def test_putting_back_that_fails_is_tried_again(build: Build, lost: str) -> None:
    harness, crm, ada = found(build)
    crm.between_read_and_write = lambda: edit(harness, ada)

    def then() -> None:  # the first write is through: now comes the one that puts back
        crm.after = lambda: None
        if lost == "raised":
            crm.fail("write", Retry("busy"))
        elif lost == "refused":
            crm.says.append(WriteStatus.RETRY)
        else:
            crm.lose_answers = 1

    crm.after = then
    harness.writeback()
    assert harness.state(ada) == "writing"
    again(harness)
    assert (harness.held(ada), harness.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))


# --- crashes and lost answers -----------------------------------------------------------------


def test_a_crash_before_the_write_writes_once_after_it(build: Build) -> None:
    harness, crm, ada = found(build)

    def die() -> None:
        harness.remember_disk()
        crm.before = lambda: None
        raise Retry("the process ended here")

    crm.before = die
    harness.writeback()
    harness.crash()
    assert harness.state(ada) == "writing"
    again(harness)
    assert (harness.job(ada), harness.held(ada), len(crm.records[ada].history["email"])) == (
        ("done", "written"),
        MAIL,
        1,
    )
    assert harness.sql("SELECT state FROM write") == [("written",)], "one intent, and it is closed"


def test_a_crash_after_the_write_sees_that_it_stands_and_writes_nothing(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.after = harness.remember_disk
    harness.writeback()
    harness.crash()
    writes = len(crm.changes)
    again(harness)
    assert (harness.job(ada), harness.held(ada), len(crm.changes)) == (("done", "written"), MAIL, writes)


def test_a_crash_after_a_lost_race_still_puts_it_right(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.between_read_and_write = lambda: edit(harness, ada)

    def die() -> None:
        harness.remember_disk()
        crm.after = lambda: None
        crm.fail("read", Retry("the process ended here"))

    crm.after = die
    harness.writeback()
    assert harness.held(ada) == MAIL, "covered, and not put right yet"
    harness.crash()
    again(harness)
    assert (harness.held(ada), harness.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert harness.tally("races_put_right") == 1


def test_what_a_person_typed_after_the_crash_stands(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.after = harness.remember_disk
    harness.writeback()
    harness.crash()
    harness.crm.edit(ada, "email", "typed@acme.example.com")
    again(harness)
    assert (harness.held(ada), harness.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))


@pytest.mark.parametrize("conditional", [True, False])
def test_a_write_of_unknown_fate_is_looked_at_before_anything_else(build: Build, conditional: bool) -> None:
    harness, crm, ada = found(build, conditional=conditional)
    crm.lose_answers = 1
    harness.writeback()
    assert harness.state(ada) == "writing"
    assert harness.writeback() == 0, "and not at once: what is ill needs a rest"
    again(harness)
    assert (harness.job(ada), len(crm.changes)) == (("done", "written"), 1)


def test_an_unknown_write_that_did_not_happen_is_made(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.says.append(WriteStatus.UNKNOWN)
    harness.writeback()
    again(harness)
    assert (harness.job(ada), harness.held(ada), len(crm.changes)) == (("done", "written"), MAIL, 2)


@pytest.mark.parametrize("conditional", [True, False])
def test_l26_without_a_history_what_a_person_cleared_after_a_lost_answer_stays_blank(
    build: Build, conditional: bool
) -> None:
    harness, crm, ada = found(build, conditional=conditional, history=False)
    crm.lose_answers = 1
    harness.writeback()
    assert harness.held(ada) == MAIL
    clear(harness, ada)
    again(harness)
    assert (harness.job(ada), harness.held(ada), len(crm.changes)) == (("done", "cleared"), "", 1)
    for _ in range(2):  # and no pull, no plan brings it back
        harness.clock.time += 1000
        harness.ask()
        harness.finish()
        again(harness)
    assert (harness.held(ada), len(crm.changes)) == ("", 1)
    assert len(harness.fake.submitted) == 1


def test_l26_without_a_history_a_write_that_did_not_arrive_is_made(build: Build) -> None:
    harness, crm, ada = found(build, conditional=True, history=False)
    crm.says.append(WriteStatus.UNKNOWN)
    harness.writeback()
    again(harness)
    assert (harness.job(ada), harness.held(ada), len(crm.changes)) == (("done", "written"), MAIL, 2)


def test_l26_the_same_after_a_crash_in_the_middle_of_a_write(build: Build) -> None:
    harness, crm, ada = found(build, conditional=True, history=False)
    crm.before = harness.remember_disk
    crm.after = lambda: clear(harness, ada)
    harness.writeback()
    harness.crash()
    harness.recover()
    again(harness)
    assert (harness.reason(ada), harness.held(ada), len(crm.changes)) == ("cleared", "", 1)


def test_l26_while_a_write_is_open_no_other_field_of_the_record_hides_what_became_of_it(build: Build) -> None:
    harness, crm, ada = found(build, conditional=True, history=False, phone=True)
    harness.sql("UPDATE job SET due_at = due_at + 60 WHERE field = 'phone'")  # it was found a little later
    crm.says.append(WriteStatus.UNKNOWN)
    harness.writeback()
    harness.clock.time += 65
    assert harness.writeback() == 0, "the e-mail's write may be on its way"
    again(harness)
    assert [harness.reason(ada, field) for field in (EMAIL, PHONE)] == ["written", "written"]
    assert (harness.held(ada), harness.held(ada, "phone")) == (MAIL, NUMBER)


def test_a_write_that_is_to_be_repeated_waits_and_reads_again(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.says.append(WriteStatus.RETRY)
    harness.writeback()
    assert (harness.state(ada), harness.note(ada)) == ("accepted", "because")
    harness.clock.time += RETRY_IN - 1
    assert harness.writeback() == 0
    edit(harness, ada)
    again(harness)
    assert (harness.job(ada), len(crm.changes)) == (("done", "human_value_kept"), 1)


def test_a_write_that_the_crm_swallows_is_not_hammered(build: Build) -> None:
    """It says written, and nothing is there."""
    harness, crm, ada = found(build)
    crm.says += [WriteStatus.WRITTEN] * 2
    harness.writeback()
    harness.clock.time += LINGER
    assert (harness.writeback(), len(crm.changes)) == (0, 1)
    again(harness)
    assert harness.job(ada) == ("done", "written")


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_crm_that_is_busy_or_halted_loses_nothing(build: Build, method: str) -> None:
    harness, crm, ada = found(build)
    crm.fail(method, Retry("busy", after=3.0))
    assert harness.writeback() == 0
    crm.fail(method, Halt("no key", trouble=Trouble.CREDENTIALS, cure="give one"))
    assert harness.writeback() == 0
    calls = len(crm.calls)
    again(harness)
    assert len(crm.calls) == calls, "a halted CRM is left alone"
    harness.run(harness.ledger.write(connections.clear, "crm"))
    again(harness)
    assert (harness.job(ada), harness.held(ada)) == (("done", "written"), MAIL)


# --- batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", ["asked", "answered", "queued", "not decided on"])
def test_a_part_filled_batch_waits_a_little_for_company(build: Build, expected: str) -> None:
    harness, crm, _ = found(build)
    harness.clock.time -= LINGER
    harness.person("Bo")
    harness.pull()
    if expected != "not decided on":
        harness.plan()
    if expected in {"asked", "answered"}:
        harness.dispatch()
    if expected == "answered":
        harness.answer_all()
    assert (harness.writeback(), crm.calls.count("read")) == (0, 0)
    harness.clock.time += LINGER
    assert harness.writeback() == 1


def test_where_no_company_can_come_nothing_waits(build: Build) -> None:
    harness, _, ada = found(build)
    harness.clock.time -= LINGER
    assert harness.writeback() == 1
    assert harness.held(ada) == MAIL


def test_what_is_in_doubt_is_no_company(build: Build) -> None:
    harness, _, _ = found(build)
    harness.clock.time -= LINGER
    bo = harness.person("Bo")
    harness.fake.refusals.append(InDoubt("the connection was cut"))
    harness.ask()
    assert (harness.state(bo), harness.writeback()) == ("in_doubt", 1)


def test_as_long_as_full_batches_wait_the_next_ones_are_written_at_once(build: Build) -> None:
    crm = Watched()
    crm.capabilities = replace(crm.capabilities, write_batch=3)
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    bells, name = harness.parts.bells, f"writeback:{harness.sync.name}"
    bells.bells[name] = asyncio.Event()
    for n in range(7):
        one = harness.person(f"Ada{n}")
        harness.finds(one, EMAIL, f"{one}@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.clock.time += LINGER
    bells.goes_on(name)
    assert [(harness.writeback(), bells.goes_on(name)) for _ in range(2)] == [(6, True), (1, False)]


def test_what_is_answered_by_the_page_goes_on_to_the_crm_page_by_page(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MANY", 3)
    monkeypatch.setattr(verify, "MANY", 3)
    harness = build(fields={EMAIL: ["ann"]})
    bells = harness.parts.bells
    bells.bells.update({name: asyncio.Event() for name in ("verify", "writeback:contacts")})

    def gone_on(people: int) -> tuple[bool, bool]:
        for n in range(people):
            one = harness.person(f"Ada{people}{n}")
            harness.finds(one, EMAIL, f"{one}@acme.example.com")
        harness.ask()
        for name in bells.bells:
            bells.goes_on(name)
        for call in list(harness.fake.accepted.values()):
            harness.deliver(harness.fake.delivery(call))
        harness.inbox()
        harness.verify()
        return bells.goes_on("verify"), bells.goes_on("writeback:contacts")

    assert gone_on(2) == (False, False)
    assert gone_on(3) == (True, True)


def test_more_than_a_batch_is_written_in_several_two_at_once(build: Build) -> None:
    crm = Watched()
    crm.capabilities = replace(crm.capabilities, read_batch=2, write_batch=3)
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    people = [harness.person(f"Ada{n}") for n in range(7)]
    for one in people:
        harness.finds(one, EMAIL, f"{one}@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.clock.time += LINGER
    assert [harness.writeback() for _ in range(4)] == [6, 1, 0, 0]
    assert all(harness.held(one) for one in people)


def test_a_machines_reformatting_before_the_second_look_is_no_race(build: Build) -> None:
    harness, crm, ada = found(build, phone=True)
    crm.after = lambda: harness.crm.edit(ada, "phone", "+33 6 39 98 01 23", Author.MACHINE)
    harness.writeback()
    assert (harness.job(ada, PHONE), harness.job(ada)) == (("done", "written"), ("done", "written"))
