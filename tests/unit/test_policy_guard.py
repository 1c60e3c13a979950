"""May a value be written, did it stand, may it be taken back: each judgement at its edges. Pure."""

from dataclasses import replace
from typing import Any

import pytest

from syncd.config import WritePolicy
from syncd.contract.model import Author, ContactRef, Field, Grade, Identity, Snapshot, Version
from syncd.ledger.states import JobState, Reason
from syncd.ledger.undos import ToUndo
from syncd.ledger.writes import ToWrite, Written
from syncd.people.evidence import Learned
from syncd.policy import guard, replacing, undo
from syncd.policy.guard import Again, Check, End, Judge, Put, Restore
from syncd.policy.replacing import Rule, Standing

MAIL, OTHER, OLD = "ada@acme.example.com", "typed@acme.example.com", "old@acme.example.com"
EMAIL, PHONE = Field.EMAIL, Field.PHONE
PERSON, MACHINE = Author.PERSON, Author.MACHINE
REF = ContactRef(connection="crm", object="contacts", id="1")
ADA = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com")
BO = Identity(first_name="Bo", last_name="Querfurt", company="Acme", domain="acme.example.com")
FILL, OWN, OVERWRITE, BETTER = WritePolicy


def job(**more: Any) -> ToWrite:
    values = {"identity": ADA, "said": (ADA,), "verdict": "same", **more}
    if values.get("begun"):
        values.setdefault("seen", "2")
    return ToWrite(
        job_id=1, contact_id=1, state=JobState.ACCEPTED, ref=REF, field=EMAIL, asked=EMAIL, value=MAIL,
        accepted_at=0.0, **values,
    )  # fmt: skip


def there(value: str = "", *history: tuple[str, str, Author], **more: Any) -> Snapshot:
    """What the CRM holds; its history, the newest first."""
    versions = tuple(Version(value=text, at=at, by=by) for text, at, by in history)
    told = {"versions": {EMAIL: versions}} if versions else {}
    return Snapshot(**{"ref": REF, "current": REF, "values": {EMAIL: value} if value else {}, **told, **more})


def ours(value: str, seen: str = "1", *, stands: bool = True) -> Written:
    return Written(property="email", value=value, seen=seen, stands=stands)


# --- before a write -----------------------------------------------------------------------------------


def test_a_blank_field_is_filled_from_what_was_seen_last() -> None:
    assert guard.before_write(job(), there(revision="r", changed_at="7")) == Put("", seen="7", revision="r")
    cleared = there("", ("", "3", MACHINE), (OTHER, "1", MACHINE), changed_at="7")
    assert guard.before_write(job(), cleared) == Put("", seen="3")


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (there(current=None), Reason.GONE),
        (there(MAIL), Reason.VALUE_KEPT),
        (there(MAIL.upper()), Reason.VALUE_KEPT),
        (there(OTHER), Reason.VALUE_KEPT),
        (there(blocked={EMAIL: "cleared_by_person"}), Reason.VALUE_KEPT),
        (there(blocked={EMAIL: "opted_out"}), Reason.BLOCKED),
        (there(elsewhere=frozenset({EMAIL})), Reason.VALUE_KEPT),
    ],
)
def test_what_stands_there_or_is_not_wanted_ends_it(now: Snapshot, reason: Reason) -> None:
    end = guard.before_write(job(), now)
    assert isinstance(end, End)
    assert (end.reason, end.restored) == (reason, False)


def test_another_fields_obstacles_are_none() -> None:
    now = there(blocked={PHONE: "opted_out"}, elsewhere=frozenset({PHONE}))
    assert guard.before_write(job(), now) == Put("", seen="")


@pytest.mark.parametrize(
    ("rule", "begun", "filled"),
    [
        (Rule(), False, True),
        (Rule(ours=(ours(OLD),)), False, False),
        (Rule(ours=(ours(OLD, stands=False),)), False, True),
        (Rule(ours=(ours(OLD),), refill=True), False, True),
        (Rule(ours=(ours(OLD),)), True, True),
    ],
)
def test_a_blank_where_ours_was_is_filled_only_with_refill(rule: Rule, begun: bool, filled: bool) -> None:
    decided = guard.before_write(job(begun=begun), there(), rule)
    assert decided == (Put("", seen="") if filled else End(Reason.CLEARED, "what syncd wrote was cleared since"))


# --- another write of ours whose answer was lost ------------------------------------------------------

LEFT = "the record was changed since a write whose answer was lost: left as it is"


@pytest.mark.parametrize(
    ("now", "decided"),
    [
        (there(MAIL), Check()),
        (there(MAIL, (MAIL, "3", MACHINE)), Check()),
        (there(OTHER, (OTHER, "3", PERSON)), End(Reason.VALUE_KEPT, "somebody was quicker")),
        (there(MAIL, (MAIL, "4", MACHINE), (OTHER, "3", PERSON)), Check()),
        (there("", ("", "3", PERSON)), End(Reason.VALUE_KEPT, "somebody was quicker")),
        (there("", ("", "2", PERSON)), Put("", seen="2")),
        (there("", ("", "2", MACHINE), changed_at="9"), Put("", seen="2")),
        (there("", changed_at="2"), Put("", seen="2")),
        (there("", changed_at="1"), End(Reason.CLEARED, LEFT)),
        (there("", changed_at="3"), End(Reason.CLEARED, LEFT)),
    ],
)
def test_a_write_that_was_begun_is_judged_by_what_came_since(now: Snapshot, decided: object) -> None:
    assert guard.before_write(job(begun=True), now) == decided


def test_a_blank_without_a_history_proves_nothing_only_where_a_write_was_begun() -> None:
    assert guard.before_write(job(seen="2"), there(changed_at="3")) == Put("", seen="3")
    assert guard.before_write(job(begun=True, seen=""), there(changed_at="3")) == Put("", seen="3")
    assert guard.before_write(job(begun=True), there(changed_at="")) == Put("", seen="")


@pytest.mark.parametrize(
    ("now", "arrived"),
    [
        (there("", ("", "4", MACHINE), (MAIL, "3", MACHINE)), True),
        (there("", ("", "4", MACHINE), (MAIL, "2", MACHINE)), False),  # what was there before our read is not ours
        (there("", ("", "4", MACHINE), (OTHER, "3", MACHINE)), False),
        (there("", changed_at="3"), True),
        (there("", changed_at="2"), False),
        (there(""), False),
    ],
)
def test_a_write_that_was_lost_is_looked_for_before_the_same_value_is_written_again(
    now: Snapshot, arrived: bool
) -> None:
    decided = guard.before_write(job(lost="2"), now)
    assert decided == (End(Reason.CLEARED, guard.ARRIVED) if arrived else guard.before_write(job(), now))


# --- what may be replaced -----------------------------------------------------------------------------

BY_US = (OLD, "2", MACHINE)


@pytest.mark.parametrize("policy", [OWN, OVERWRITE, BETTER])
def test_our_own_value_is_replaced_as_long_as_nobody_wrote_after_us(policy: WritePolicy) -> None:
    rule = Rule(policy=policy, ours=(ours(OLD),))
    put = Put(OLD, seen="2")
    assert guard.before_write(job(), there(OLD, BY_US), rule) == put
    assert guard.before_write(job(), there(OLD, (OLD, "2", PERSON)), rule) == put, "ours, whoever the history names"
    for newer in ((OTHER, "3", MACHINE), (OLD, "3", PERSON)):
        end = guard.before_write(job(), there(OLD, newer, BY_US), rule)
        assert end == End(Reason.VALUE_KEPT, "somebody has written there since syncd did")


def test_a_better_value_replaces_what_a_program_wrote_after_us() -> None:
    theirs = there(OTHER, (OTHER, "3", MACHINE), BY_US)
    assert guard.before_write(job(), theirs, Rule(policy=BETTER, ours=(ours(OLD),))) == Put(OTHER, seen="3")


def test_what_came_between_our_read_and_our_write_is_no_later_edit() -> None:
    """The history names a person for our write."""
    between = there(OLD, (OLD, "4", PERSON), (OTHER, "3", MACHINE))
    assert guard.before_write(job(), between, Rule(policy=OVERWRITE, ours=(ours(OLD),))) == Put(OLD, seen="4")


def test_own_knows_all_that_we_ever_wrote_there() -> None:
    rule = Rule(policy=OWN, ours=(ours(OLD), ours("first@acme.example.com", seen="0")))
    history = there(OLD, BY_US, ("first@acme.example.com", "1", MACHINE))
    assert guard.before_write(job(), history, rule) == Put(OLD, seen="2")


def test_what_was_there_before_our_write_is_not_taken_for_ours() -> None:
    rule = Rule(policy=OVERWRITE, ours=(ours(OLD, seen="2"),))
    for by, put in ((MACHINE, True), (PERSON, False)):
        decided = guard.before_write(job(), there(OLD, (OLD, "2", by), (OTHER, "1", PERSON)), rule)
        assert isinstance(decided, Put) is put


@pytest.mark.parametrize(
    ("policy", "history", "put"),
    [
        (OWN, [BY_US, ("", "1", MACHINE)], True),
        (OWN, [BY_US, (MAIL, "1", MACHINE)], False),
        (OVERWRITE, [BY_US, (MAIL, "1", MACHINE)], True),
        (BETTER, [BY_US, (MAIL, "1", PERSON)], True),
    ],
)
def test_own_wants_that_nobody_else_ever_wrote_there(
    policy: WritePolicy, history: list[tuple[str, str, Author]], put: bool
) -> None:
    rule = Rule(policy=policy, ours=(ours(OLD),))
    assert isinstance(guard.before_write(job(), there(OLD, *history), rule), Put) is put


@pytest.mark.parametrize(
    ("policy", "history", "why"),
    [
        (FILL, [(OTHER, "1", MACHINE)], "somebody filled it first"),
        (OWN, [(OTHER, "1", MACHINE)], "it holds a value that is not syncd's"),
        (OVERWRITE, [(OTHER, "1", MACHINE)], "it holds a value that is not syncd's"),
        (BETTER, [(OTHER, "1", MACHINE)], ""),
        (BETTER, [], "it holds a value that is not syncd's"),
        (BETTER, [(OTHER, "2", MACHINE), (OLD, "1", PERSON)], "a person has written there"),
    ],
)
def test_a_strangers_value_is_replaced_only_by_a_better_one_and_never_a_persons(
    policy: WritePolicy, history: list[tuple[str, str, Author]], why: str
) -> None:
    decided = guard.before_write(job(), there(OTHER, *history), Rule(policy=policy))
    assert decided == (End(Reason.VALUE_KEPT, why) if why else Put(OTHER, seen="1"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"blocked": {EMAIL: "opted_out"}}, Reason.BLOCKED),
        ({"elsewhere": frozenset({EMAIL})}, Reason.VALUE_KEPT),
        ({"blocked": {PHONE: "opted_out"}, "elsewhere": frozenset({PHONE})}, None),
    ],
)
def test_a_value_is_not_replaced_where_the_field_is_not_wanted(more: dict[str, Any], reason: Reason | None) -> None:
    decided = guard.before_write(job(), there(OLD, BY_US, **more), Rule(policy=OVERWRITE, ours=(ours(OLD),)))
    assert (decided.reason if isinstance(decided, End) else None) is reason


@pytest.mark.parametrize(("before", "changed_at", "put"), [(OLD, "2", True), (OLD, "3", False), (OTHER, "2", False)])
def test_a_replacement_whose_answer_was_lost_wants_an_unchanged_record(before: str, changed_at: str, put: bool) -> None:
    rule = Rule(policy=OVERWRITE, ours=(ours(OLD),))
    decided = guard.before_write(job(begun=True, before=before), there(OLD, changed_at=changed_at), rule)
    assert isinstance(decided, Put) is put
    assert guard.before_write(job(before="", seen="1"), there(OLD, changed_at="3"), rule) == Put(OLD, seen="3")


@pytest.mark.parametrize(
    ("policy", "standing", "grade", "result", "wanted"),
    [
        (BETTER, None, Grade.CATCH_ALL, 1, True),
        (BETTER, None, Grade.UNKNOWN, 1, False),
        (BETTER, Standing(value=OLD, grade=Grade.PROBABLE, result_id=9), Grade.VALID, 1, True),
        (BETTER, Standing(value=OLD, grade=Grade.VALID, result_id=1), Grade.VALID, 9, False),
        (OWN, Standing(value=OLD, grade=Grade.VALID, result_id=1), Grade.UNKNOWN, 2, True),
        (OWN, Standing(value=OLD, result_id=2), Grade.VALID, 2, False),
        (OWN, None, Grade.VALID, 2, False),
        (FILL, Standing(value=OLD, result_id=1), Grade.VALID, 2, False),
    ],
)
def test_which_find_is_to_replace_what_stands(
    policy: WritePolicy, standing: Standing | None, grade: Grade, result: int, wanted: bool
) -> None:
    assert replacing.is_wanted(policy, standing, grade, result) is wanted


def test_the_value_that_stands_is_the_newest_that_was_not_put_back() -> None:
    values = (ours("c", stands=False), ours("b"), ours("a"))
    assert Rule(ours=values).standing == values[1]
    assert Rule(ours=values[:1]).standing is None


# --- who the record is about --------------------------------------------------------------------------


def judged(now: Identity, **more: Any) -> Put | Check | End | Judge:
    return guard.before_write(job(**more), there(identity=now))


def test_a_record_that_is_about_somebody_else_by_now_is_judged_anew() -> None:
    found = judged(BO)
    assert found == Judge(BO, "the record is about somebody else by now")
    assert isinstance(judged(BO, decided=True), Judge), "whatever a person has decided"
    assert isinstance(judged(BO, begun=True, seen=""), Judge)
    assert isinstance(judged(BO, verdict=""), Judge)
    assert guard.before_write(job(), there(MAIL, identity=BO)) == found, "although the same value stands there"


def test_a_record_that_is_about_somebody_else_is_not_written_even_by_what_stands_there() -> None:
    rule = Rule(policy=OVERWRITE, ours=(ours(OLD),))
    assert isinstance(guard.before_write(job(begun=True, before=OLD), there(OLD, identity=BO), rule), Judge)
    kept = guard.before_write(job(begun=True), there(OTHER, identity=BO))
    assert isinstance(kept, End), "that is the CRM's word, and stands"


@pytest.mark.parametrize(
    ("more", "anew"),
    [
        ({}, True),
        ({"decided": True}, False),
        ({"verdict": ""}, False),
        ({"verdict": "doubtful"}, False),
        ({"said": ()}, False),
    ],
)
def test_a_change_that_makes_the_verdict_worse_is_judged_anew(more: dict[str, Any], anew: bool) -> None:
    elsewhere = replace(ADA, company="Elsewhere", domain="elsewhere.example.org")
    found = judged(elsewhere, **more)
    assert isinstance(found, Judge) is anew
    if isinstance(found, Judge):
        assert found == Judge(elsewhere, "the contact has changed: another employer")


@pytest.mark.parametrize(
    ("more", "anew"),
    [
        ({"begun": True}, True),
        ({"begun": False}, False),
        ({"begun": True, "decided": True}, True),
        ({"begun": True, "verdict": "doubtful"}, True),
        ({"begun": True, "verdict": "other"}, False),
        ({"begun": True, "said": ()}, False),
        ({"begun": True, "said": (), "verdict": "doubtful"}, False),
    ],
)
def test_once_a_write_was_begun_the_answer_is_compared_even_with_an_unchanged_contact(
    more: dict[str, Any], anew: bool
) -> None:
    """A pull may have told the ledger of the change since."""
    assert isinstance(judged(ADA, **{"said": (BO,), "seen": "", **more}), Judge) is anew


def test_what_a_person_has_decided_is_not_compared_again() -> None:
    married = replace(ADA, phones=("+33639980123",), country="France")
    assert isinstance(judged(married, said=(BO,)), Judge)
    assert isinstance(judged(married, said=(BO,), decided=True), Put)


@pytest.mark.parametrize(
    "now",
    [
        replace(ADA, phones=("+33639980123",)),
        replace(ADA, email=MAIL),
        replace(ADA, company=None, domain=None),
    ],
)
def test_a_number_and_the_value_itself_change_nothing(now: Identity) -> None:
    assert isinstance(judged(now, said=(BO,)), Put), "the answer is not even compared"
    mail = replace(ADA, email="another@acme.example.com")
    assert isinstance(judged(mail, said=(BO,)), Judge)
    assert isinstance(judged(mail, said=(BO,), learned=Learned(email="another@acme.example.com")), Put)


def test_of_the_employer_what_the_company_had_said_stays_where_the_record_says_nothing() -> None:
    alone = replace(ADA, company=None, domain=None, country=None, employer_country=None)
    known = replace(ADA, country="France", employer_country="France", email="ada@private.example")
    assert guard._as_it_is(known, alone) == replace(alone, company="Acme", domain="acme.example.com",
        country="France", employer_country="France", email="ada@private.example")  # fmt: skip
    moved = replace(alone, country="Spain", employer_country="Italy", email="ada@new.example")
    told = guard._as_it_is(known, moved)
    assert (told.country, told.employer_country, told.email) == ("Spain", "Italy", "ada@new.example")
    another = replace(alone, company="Elsewhere")
    assert guard._as_it_is(known, another).domain == "acme.example.com"
    assert guard._as_it_is(known, replace(another, domain="elsewhere.example.org")).domain == "elsewhere.example.org"
    assert guard._as_it_is(replace(known, domain=None), replace(alone, domain="new.example.org")).domain == (
        "new.example.org"
    )


# --- after a write ------------------------------------------------------------------------------------


ANOTHER = "third@acme.example.com"
PUT_BACK = [(ANOTHER, "5", PERSON), (MAIL, "4", MACHINE), (OTHER, "3", PERSON)]


@pytest.mark.parametrize("taken", [False, True])
def test_what_we_put_back_may_have_covered_another_edit(taken: bool) -> None:
    """A person filled it, we wrote over that, another person filled it once more, and we put the first one back."""
    ours_again = there(OTHER, (OTHER, "6", MACHINE), *PUT_BACK)
    assert guard.after_write(job(), "2", ours_again, taken=taken) == Restore(ANOTHER)
    theirs = there(OTHER, (OTHER, "6", PERSON), *PUT_BACK)
    kept = End(Reason.VALUE_KEPT, "somebody changed it right after it was written")
    assert guard.after_write(job(), "2", theirs, taken=taken) == kept, "a person wants the first one"


@pytest.mark.parametrize(
    ("now", "taken", "end"),
    [
        (there(current=None), False, End(Reason.GONE, "the contact went while it was written")),
        (there(MAIL, (MAIL, "3", MACHINE)), False, End(Reason.WRITTEN)),
        (there(MAIL, (MAIL, "3", PERSON)), True, End(Reason.WRITTEN)),
        (there(MAIL, (MAIL, "3", PERSON)), False, End(Reason.VALUE_KEPT, "somebody filled it first")),
        (there(MAIL, (MAIL, "4", MACHINE), (OTHER, "3", PERSON)), False, Restore(OTHER)),
        (there(MAIL, (MAIL, "4", MACHINE), ("", "3", PERSON)), False, Restore("")),
        (there(MAIL, (MAIL, "4", MACHINE), (OTHER, "2", PERSON)), False, End(Reason.WRITTEN)),
        (there(MAIL, (MAIL, "4", MACHINE), (OTHER, "3", MACHINE)), False, Restore(OTHER)),
        (there(OTHER, (OTHER, "4", PERSON), (MAIL, "3", MACHINE)), False,
            End(Reason.VALUE_KEPT, "somebody changed it right after it was written")),
        (there(OTHER, (OTHER, "5", MACHINE), (MAIL, "4", MACHINE), (OTHER, "3", PERSON)), False,
            End(Reason.VALUE_KEPT, "somebody changed it right after it was written")),
        (there("", ("", "1", MACHINE)), False, Again()),
        (there(OTHER, (OTHER, "1", MACHINE)), False, End(Reason.VALUE_KEPT, "somebody filled it first")),
    ],
)  # fmt: skip
def test_whether_it_stood_is_read_from_the_history(now: Snapshot, taken: bool, end: object) -> None:
    assert guard.after_write(job(), "2", now, taken=taken) == end


def test_only_what_is_newer_than_the_write_is_credited_to_us() -> None:
    earlier = there(MAIL, (MAIL, "2", PERSON))
    assert guard.after_write(job(), "2", earlier, taken=True) == End(Reason.VALUE_KEPT, "somebody filled it first")


@pytest.mark.parametrize(
    ("value", "changed_at", "end"),
    [
        (MAIL, "2", End(Reason.WRITTEN)),
        (MAIL, "3", End(Reason.WRITTEN)),
        (OTHER, "3", End(Reason.VALUE_KEPT, "somebody changed it right after it was written")),
        ("", "3", End(Reason.CLEARED, "somebody cleared it right after it was written")),
        ("", "2", Again()),
        ("", "", Again()),
    ],
)
def test_without_a_history_the_records_stamp_tells(value: str, changed_at: str, end: object) -> None:
    assert guard.after_write(job(), "2", there(value, changed_at=changed_at)) == end


# --- undo ---------------------------------------------------------------------------------------------

CHANGED = undo.End(undo.Outcome.KEPT, "somebody has changed it since")
WHILE = undo.End(undo.Outcome.KEPT, "somebody changed it while it was put back, or right after")
CONFIRMED = undo.End(undo.Outcome.KEPT, "somebody has written the same value there since")


def taking_back(**more: Any) -> ToUndo:
    """Our value is to be taken back; before it stood another one."""
    return ToUndo(
        run_id=1, head=1, job_id=1, ref=REF, contact_id=1, field=EMAIL, property="email", ours=MAIL, back=OLD,
        read_before="1", identity=ADA, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "decided"),
    [
        (there(MAIL, (MAIL, "2", MACHINE), revision="r"), Put(before=MAIL, seen="2", revision="r")),
        (there(MAIL, (MAIL, "2", MACHINE), (OLD, "0", PERSON)), Put(before=MAIL, seen="2")),
        (there(MAIL.upper(), changed_at="5"), Put(before=MAIL.upper(), seen="5")),
        (there(current=None), undo.End(undo.Outcome.GONE, "the contact is not there any more")),
        (there(MAIL, current=replace(REF, id="2")),
            undo.End(undo.Outcome.KEPT, "the contact was merged into crm/contacts/2")),
        (there(OTHER, (OTHER, "3", PERSON), (MAIL, "2", MACHINE)), CHANGED),
        (there(""), CHANGED),
        (there(OLD), CHANGED),
        (there(MAIL, (MAIL, "3", PERSON), (MAIL, "2", MACHINE)), CONFIRMED),
        (there(MAIL, (MAIL, "4", MACHINE), (OTHER, "3", MACHINE), (MAIL, "2", MACHINE)), CONFIRMED),
        (there(MAIL, (MAIL, "1", PERSON)), CONFIRMED),
        (there(MAIL, (MAIL, "1", MACHINE)), Put(before=MAIL, seen="1")),
    ],
)  # fmt: skip
def test_a_value_is_taken_back_only_while_it_stands_as_we_wrote_it(now: Snapshot, decided: object) -> None:
    assert undo.before_undo(taking_back(), now) == decided


@pytest.mark.parametrize(
    ("now", "decided"),
    [
        (there(OLD, (OLD, "4", MACHINE), (MAIL, "2", MACHINE)), Check()),
        (there(OLD, (OLD, "4", PERSON), (MAIL, "2", MACHINE)), CHANGED),
        (there(MAIL, (MAIL, "2", MACHINE), (OLD, "1", MACHINE)), Put(before=MAIL, seen="3")),
        (there(MAIL, (MAIL, "3", MACHINE)), Put(before=MAIL, seen="3")),
        (there(MAIL, (MAIL, "4", MACHINE)), Put(before=MAIL, seen="3")),
        (there(OLD, changed_at="3"), Check()),
        (there(MAIL, changed_at="3"), Put(before=MAIL, seen="3")),
        (there(OTHER, changed_at="4"), CHANGED),
    ],
)
def test_an_undo_whose_answer_was_lost_may_have_arrived(now: Snapshot, decided: object) -> None:
    assert undo.before_undo(taking_back(begun=True, seen="3"), now) == decided
    changed = undo.before_undo(taking_back(begun=True, seen="3"), there(MAIL, changed_at="4"))
    assert isinstance(changed, undo.End)
    assert changed.note.startswith("the record was changed since an undo whose answer was lost")


@pytest.mark.parametrize(
    ("now", "taken", "end"),
    [
        (there(current=None), False, undo.End(undo.Outcome.GONE, "the contact went while the value was put back")),
        (there(OLD), False, undo.End(undo.Outcome.UNDONE)),
        (there(MAIL), False, Again()),
        (there(OTHER), False, CHANGED),
        (there(OLD, (OLD, "4", MACHINE)), False, undo.End(undo.Outcome.UNDONE)),
        (there(OLD, (OLD, "4", PERSON)), True, undo.End(undo.Outcome.UNDONE)),
        (there(OLD, (OLD, "4", PERSON)), False, CHANGED),
        (there(MAIL, (MAIL, "3", MACHINE)), False, Again()),
        (there(OLD, (OLD, "5", MACHINE), (OTHER, "4", PERSON)), False, Restore(OTHER)),
        (there(OLD, (OLD, "5", MACHINE), (OTHER, "3", PERSON)), False, undo.End(undo.Outcome.UNDONE)),
        (there(OLD, (OLD, "5", PERSON), (OLD, "4", MACHINE)), False,
            WHILE),
        (there(OTHER, (OTHER, "5", PERSON), (OLD, "4", MACHINE)), False,
            WHILE),
        (there(OTHER, (OTHER, "6", MACHINE), (OLD, "5", MACHINE), (OTHER, "4", PERSON)), False,
            WHILE),
        (there(OTHER, (OTHER, "5", MACHINE)), False, CHANGED),
        (there(OTHER, (OTHER, "5", PERSON)), True, CHANGED),
        (there(OTHER, (OTHER, "5", MACHINE), (OLD, "4", MACHINE)), False, WHILE),
        (there(OLD, (OLD, "5", MACHINE), (OLD, "4", PERSON)), False, undo.End(undo.Outcome.UNDONE)),
        (there(OLD, (OLD, "6", MACHINE), (OLD, "5", PERSON), (OLD, "4", MACHINE)), False,
            undo.End(undo.Outcome.UNDONE)),
        (there(OTHER, (OTHER, "7", MACHINE), (ANOTHER, "6", PERSON), (OTHER, "5", PERSON), (OLD, "4", MACHINE)), False,
            Restore(ANOTHER)),
        (there(OTHER, (OTHER, "7", MACHINE), (OLD, "6", MACHINE), (OLD, "5", MACHINE), (OTHER, "4", PERSON)), False,
            WHILE),
        (there(OTHER, (OTHER, "6", MACHINE), (OLD, "5", PERSON), (OTHER, "4", PERSON)), True, WHILE),
        (there(OLD, (OLD, "5", PERSON), (OLD, "4", PERSON)), True,
            WHILE),
    ],
)  # fmt: skip
def test_whether_it_was_taken_back_is_read_from_what_came_since(now: Snapshot, taken: bool, end: object) -> None:
    assert undo.after_undo(taking_back(), "3", now, taken=taken) == end
