"""Writeback: blank fields are filled, people's values stand, and no crash or lost answer changes that."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from syncd.contract.errors import Halt, Retry, Trouble
from syncd.contract.model import Author, Change, Selection, WriteOutcome, WriteStatus
from syncd.ledger import connections
from syncd.ledger.writes import LANDS
from syncd.pipeline.writeback import LINGER, RETRY_IN
from tests.contract.fake_crm import FakeCrm

from .conftest import Build
from .house import EMAIL, PHONE, House

MAIL, NUMBER = "ada@acme.example.com", "+33639980123"
Hook = Callable[[], object]


class Watched(FakeCrm):
    """`before` and `after` run around each write, `reread` after each read that follows a write;
    `says` replaces the status of a write that was not carried out."""

    def __init__(self, name: str = "crm", *, conditional: bool = False, history: bool = True) -> None:
        super().__init__(name, conditional=conditional, history=history)
        self.before: Hook = lambda: None
        self.after: Hook = lambda: None
        self.says: list[WriteStatus] = []
        self.changes: list[Change] = []

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
) -> tuple[House, Watched, str]:
    """A house where contact 501's value is accepted and due."""
    crm = Watched(conditional=conditional, history=history)
    fields = {EMAIL: ["ann"], PHONE: ["ann"]} if phone else {EMAIL: ["ann"]}
    house = build(crm=crm, fields=fields)
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.finds(ada, PHONE, NUMBER)
    house.ask()
    house.answer_all()
    house.verify()
    house.clock.time += LINGER
    return house, crm, ada


def again(house: House) -> None:
    """A few more passes, with the time in between that they ask for."""
    for _ in range(3):
        house.clock.time += LANDS + LINGER
        house.writeback()


# --- whether ----------------------------------------------------------------------------------


@pytest.mark.parametrize("conditional", [True, False])
def test_a_blank_field_is_filled(build: Build, conditional: bool) -> None:
    house, crm, ada = found(build, conditional=conditional, phone=True)
    assert house.writeback() == 2
    assert (house.job(ada), house.job(ada, PHONE)) == (("done", "written"), ("done", "written"))
    assert (house.held(ada), house.held(ada, "phone")) == (MAIL, NUMBER)
    assert crm.calls.count("write") == 1, "both fields in one call"
    assert crm.calls.count("read") == (1 if conditional else 2), "no second look where the CRM itself refuses"
    assert house.writeback() == 0


def test_the_change_names_what_it_was_decided_on(build: Build) -> None:
    house, crm, ada = found(build)
    revision = str(crm.records[ada].changed)
    house.writeback()
    assert crm.changes == [Change(ref=house.ref(ada), field=EMAIL, expected="", new=MAIL, revision=revision)]


def edit(house: House, ada: str) -> None:
    house.crm.edit(ada, "email", "typed@acme.example.com")


def clear(house: House, ada: str) -> None:
    house.crm.edit(ada, "email", "old@acme.example.com")
    house.crm.edit(ada, "email", "")


def opt_out(house: House, ada: str) -> None:
    house.crm.records[ada].blocked = {EMAIL: "opted_out"}


@pytest.mark.parametrize(
    ("meanwhile", "reason", "held"),
    [
        (edit, "human_value_kept", "typed@acme.example.com"),
        (clear, "human_value_kept", ""),
        (opt_out, "suppressed", ""),
        (lambda house, ada: house.crm.remove(ada), "contact_gone", ""),
    ],
    ids=["filled", "cleared by a person", "opted out", "deleted"],
)
def test_what_happened_since_the_purchase_is_respected(
    build: Build, meanwhile: Callable[[House, str], None], reason: str, held: str
) -> None:
    house, crm, ada = found(build)
    meanwhile(house, ada)
    house.writeback()
    assert (house.job(ada), house.held(ada), crm.changes) == (("done", reason), held, [])
    assert house.credits()["charged"] == 1


def test_a_value_in_another_property_counts(build: Build) -> None:
    house, _, ada = found(build, phone=True)
    house.crm.edit(ada, "mobile", "+44 7700 900123")
    house.writeback()
    assert (house.job(ada, PHONE), house.job(ada)) == (("done", "human_value_kept"), ("done", "written"))
    assert house.held(ada, "phone") == ""


def test_a_merged_contact_is_written_where_it_stands_now(build: Build) -> None:
    house, crm, ada = found(build)
    winner = house.crm.add(house.crm.records[ada].identity)
    house.crm.merge(ada, winner)
    house.writeback()
    assert (house.held(winner), crm.changes[0].ref) == (MAIL, house.ref(winner))
    assert house.job(ada) == ("done", "written")


def test_two_contacts_that_were_merged_write_one_value(build: Build) -> None:
    house, crm, ada = found(build)
    twin = house.crm.add(house.crm.records[ada].identity)
    house.ask()
    house.verify()
    assert house.state(twin) == "accepted", "the answer is the person's"
    house.crm.merge(ada, twin)
    house.clock.time += LINGER
    house.writeback()
    again(house)
    assert {house.reason(ada), house.reason(twin)} == {"written", "human_value_kept"}
    assert len(crm.changes) == 1


def test_what_was_found_about_one_person_is_not_written_where_a_merge_made_it_another_one(build: Build) -> None:
    house, crm, ada = found(build)
    bo = house.person("Bo")
    house.crm.merge(ada, bo)
    house.writeback()
    assert (house.held(bo), crm.changes) == ("", [])
    assert house.state(ada) == "answered", "decided on anew, for who the record is about now"


def test_a_duplicate_names_the_holder_and_the_phone_is_still_written(build: Build) -> None:
    house, _, ada = found(build, phone=True)
    holder = house.crm.add(email=MAIL)
    house.writeback()
    assert (house.job(ada), house.note(ada)) == (("done", "duplicate_of"), f"held by {holder}")
    assert (house.job(ada, PHONE), house.held(ada, "phone")) == (("done", "written"), NUMBER)


def test_a_value_that_the_crm_refuses_does_not_stop_the_others(build: Build) -> None:
    house, crm, ada = found(build, phone=True)
    crm.refused.add(MAIL)
    house.writeback()
    assert (house.reason(ada), house.reason(ada, PHONE)) == ("write_refused", "written")


# --- races ------------------------------------------------------------------------------------


def test_a_colleague_between_read_and_write_gets_their_value_back(build: Build) -> None:
    house, crm, ada = found(build)
    crm.between_read_and_write = lambda: edit(house, ada)
    house.writeback()
    assert (house.held(ada), house.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert house.tally("races_put_right") == 1
    assert crm.changes[-1] == Change(ref=house.ref(ada), field=EMAIL, expected=MAIL, new="typed@acme.example.com")


def test_a_colleague_who_clears_between_read_and_write_finds_it_blank_again(build: Build) -> None:
    house, crm, ada = found(build)
    crm.between_read_and_write = lambda: clear(house, ada)
    house.writeback()
    assert (house.held(ada), house.job(ada)) == ("", ("done", "human_value_kept"))


def test_n14_a_crm_that_books_our_writes_under_a_person_is_still_seen_to_take_them(build: Build) -> None:
    house, crm, ada = found(build)
    crm.books_as = Author.PERSON
    house.writeback()
    assert (house.held(ada), house.job(ada)) == (MAIL, ("done", "written"))


def test_n14_and_a_colleague_s_value_still_comes_back_there(build: Build) -> None:
    house, crm, ada = found(build)
    crm.books_as = Author.PERSON
    crm.between_read_and_write = lambda: edit(house, ada)
    house.writeback()
    assert (house.held(ada), house.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))


def test_a_crm_that_guards_itself_refuses_and_the_decision_is_made_anew(build: Build) -> None:
    house, crm, ada = found(build, conditional=True)
    crm.between_read_and_write = lambda: edit(house, ada)
    house.writeback()
    again(house)
    assert (house.held(ada), house.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert len(crm.changes) == 1


@pytest.mark.parametrize("lost", ["refused", "raised", "unknown"])
def test_putting_back_that_fails_is_tried_again(build: Build, lost: str) -> None:
    house, crm, ada = found(build)
    crm.between_read_and_write = lambda: edit(house, ada)

    def then() -> None:  # the first write is through: now comes the one that puts back
        crm.after = lambda: None
        if lost == "raised":
            crm.fail("write", Retry("busy"))
        elif lost == "refused":
            crm.says.append(WriteStatus.RETRY)
        else:
            crm.lose_answers = 1

    crm.after = then
    house.writeback()
    assert house.state(ada) == "writing"
    again(house)
    assert (house.held(ada), house.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))


# --- crashes and lost answers -----------------------------------------------------------------


def test_a_crash_before_the_write_writes_once_after_it(build: Build) -> None:
    house, crm, ada = found(build)

    def die() -> None:
        house.remember_disk()
        crm.before = lambda: None
        raise Retry("the process ended here")

    crm.before = die
    house.writeback()
    house.crash()
    assert house.state(ada) == "writing"
    again(house)
    assert (house.job(ada), house.held(ada), len(crm.records[ada].history["email"])) == (("done", "written"), MAIL, 1)
    assert house.sql("SELECT state FROM write") == [("written",)], "one intent, and it is closed"


def test_a_crash_after_the_write_sees_that_it_stands_and_writes_nothing(build: Build) -> None:
    house, crm, ada = found(build)
    crm.after = house.remember_disk
    house.writeback()
    house.crash()
    writes = len(crm.changes)
    again(house)
    assert (house.job(ada), house.held(ada), len(crm.changes)) == (("done", "written"), MAIL, writes)


def test_a_crash_after_a_lost_race_still_puts_it_right(build: Build) -> None:
    house, crm, ada = found(build)
    crm.between_read_and_write = lambda: edit(house, ada)

    def die() -> None:
        house.remember_disk()
        crm.after = lambda: None
        crm.fail("read", Retry("the process ended here"))

    crm.after = die
    house.writeback()
    assert house.held(ada) == MAIL, "covered, and not put right yet"
    house.crash()
    again(house)
    assert (house.held(ada), house.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert house.tally("races_put_right") == 1


def test_what_a_person_typed_after_the_crash_stands(build: Build) -> None:
    house, crm, ada = found(build)
    crm.after = house.remember_disk
    house.writeback()
    house.crash()
    house.crm.edit(ada, "email", "typed@acme.example.com")
    again(house)
    assert (house.held(ada), house.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))


@pytest.mark.parametrize("conditional", [True, False])
def test_a_write_of_unknown_fate_is_looked_at_before_anything_else(build: Build, conditional: bool) -> None:
    house, crm, ada = found(build, conditional=conditional)
    crm.lose_answers = 1
    house.writeback()
    assert house.state(ada) == "writing"
    assert house.writeback() == 0, "and not at once: what is ill needs a rest"
    again(house)
    assert (house.job(ada), len(crm.changes)) == (("done", "written"), 1)


def test_an_unknown_write_that_did_not_happen_is_made(build: Build) -> None:
    house, crm, ada = found(build)
    crm.says.append(WriteStatus.UNKNOWN)
    house.writeback()
    again(house)
    assert (house.job(ada), house.held(ada), len(crm.changes)) == (("done", "written"), MAIL, 2)


@pytest.mark.parametrize("conditional", [True, False])
def test_l26_without_a_history_what_a_person_cleared_after_a_lost_answer_stays_blank(
    build: Build, conditional: bool
) -> None:
    house, crm, ada = found(build, conditional=conditional, history=False)
    crm.lose_answers = 1
    house.writeback()
    assert house.held(ada) == MAIL
    clear(house, ada)
    again(house)
    assert (house.job(ada), house.held(ada), len(crm.changes)) == (("done", "cleared"), "", 1)
    for _ in range(2):  # and no pull, no plan brings it back
        house.clock.time += 1000
        house.ask()
        house.finish()
        again(house)
    assert (house.held(ada), len(crm.changes)) == ("", 1)
    assert len(house.fake.submitted) == 1


def test_l26_without_a_history_a_write_that_did_not_arrive_is_made(build: Build) -> None:
    house, crm, ada = found(build, conditional=True, history=False)
    crm.says.append(WriteStatus.UNKNOWN)
    house.writeback()
    again(house)
    assert (house.job(ada), house.held(ada), len(crm.changes)) == (("done", "written"), MAIL, 2)


def test_l26_the_same_after_a_crash_in_the_middle_of_a_write(build: Build) -> None:
    house, crm, ada = found(build, conditional=True, history=False)
    crm.before = house.remember_disk
    crm.after = lambda: clear(house, ada)
    house.writeback()
    house.crash()
    house.recover()
    again(house)
    assert (house.reason(ada), house.held(ada), len(crm.changes)) == ("cleared", "", 1)


def test_l26_while_a_write_is_open_no_other_field_of_the_record_hides_what_became_of_it(build: Build) -> None:
    house, crm, ada = found(build, conditional=True, history=False, phone=True)
    house.sql("UPDATE job SET due_at = due_at + 60 WHERE field = 'phone'")  # it was found a little later
    crm.says.append(WriteStatus.UNKNOWN)
    house.writeback()
    house.clock.time += 65
    assert house.writeback() == 0, "the e-mail's write may be on its way"
    again(house)
    assert [house.reason(ada, field) for field in (EMAIL, PHONE)] == ["written", "written"]
    assert (house.held(ada), house.held(ada, "phone")) == (MAIL, NUMBER)


def test_a_write_that_is_to_be_repeated_waits_and_reads_again(build: Build) -> None:
    house, crm, ada = found(build)
    crm.says.append(WriteStatus.RETRY)
    house.writeback()
    assert (house.state(ada), house.note(ada)) == ("accepted", "because")
    house.clock.time += RETRY_IN - 1
    assert house.writeback() == 0
    edit(house, ada)
    again(house)
    assert (house.job(ada), len(crm.changes)) == (("done", "human_value_kept"), 1)


def test_a_write_that_the_crm_swallows_is_not_hammered(build: Build) -> None:
    """It says written, and nothing is there."""
    house, crm, ada = found(build)
    crm.says += [WriteStatus.WRITTEN] * 2
    house.writeback()
    house.clock.time += LINGER
    assert (house.writeback(), len(crm.changes)) == (0, 1)
    again(house)
    assert house.job(ada) == ("done", "written")


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_crm_that_is_busy_or_halted_loses_nothing(build: Build, method: str) -> None:
    house, crm, ada = found(build)
    crm.fail(method, Retry("busy", after=3.0))
    assert house.writeback() == 0
    crm.fail(method, Halt("no key", trouble=Trouble.CREDENTIALS, cure="give one"))
    assert house.writeback() == 0
    calls = len(crm.calls)
    again(house)
    assert len(crm.calls) == calls, "a halted CRM is left alone"
    house.run(house.ledger.write(connections.clear, "crm"))
    again(house)
    assert (house.job(ada), house.held(ada)) == (("done", "written"), MAIL)


# --- batches ----------------------------------------------------------------------------------


def test_a_part_filled_batch_waits_a_little_for_company(build: Build) -> None:
    house, crm, _ = found(build)
    house.clock.time -= LINGER
    assert (house.writeback(), crm.calls.count("read")) == (0, 0)
    house.clock.time += LINGER
    assert house.writeback() == 1


def test_more_than_a_batch_is_written_in_several_two_at_once(build: Build) -> None:
    crm = Watched()
    crm.capabilities = replace(crm.capabilities, read_batch=2, write_batch=3)
    house = build(crm=crm, fields={EMAIL: ["ann"]})
    people = [house.person(f"Ada{n}") for n in range(7)]
    for one in people:
        house.finds(one, EMAIL, f"{one}@acme.example.com")
    house.ask()
    house.answer_all()
    house.verify()
    house.clock.time += LINGER
    assert [house.writeback() for _ in range(4)] == [6, 1, 0, 0]
    assert all(house.held(one) for one in people)


def test_a_machines_reformatting_before_the_second_look_is_no_race(build: Build) -> None:
    house, crm, ada = found(build, phone=True)
    crm.after = lambda: house.crm.edit(ada, "phone", "+33 6 39 98 01 23", Author.MACHINE)
    house.writeback()
    assert (house.job(ada, PHONE), house.job(ada)) == (("done", "written"), ("done", "written"))
