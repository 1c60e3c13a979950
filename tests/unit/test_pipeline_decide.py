"""May it be written, and did it stand? The judgement of write-back on snapshots alone."""

from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.model import Author, ContactRef, Field, Identity, Snapshot, Version
from syncd.ledger.states import JobState, Reason
from syncd.ledger.writes import ToWrite
from syncd.policy.guard import Again, Check, End, Judge, Put, Restore, after_write, before_write

OURS = "ada@acme.example.com"
REF = ContactRef(connection="crm", object="contacts", id="1")
PERSON, MACHINE = Author.PERSON, Author.MACHINE


def job(*, begun: bool = False, value: str = OURS, field: Field = Field.EMAIL, **more: Any) -> ToWrite:
    state = JobState.WRITING if begun else JobState.ACCEPTED
    return ToWrite(
        job_id=1, contact_id=1, state=state, ref=REF, field=field, asked=field, value=value, accepted_at=0.0,
        begun=begun, **more,
    )  # fmt: skip


def there(value: str = "", *versions: tuple[str, str, Author], **more: Any) -> Snapshot:
    """A contact that holds `value`; versions are (value, stamp, author), newest first."""
    history = tuple(Version(value=v, at=at, by=by) for v, at, by in versions)
    values = {Field.EMAIL: value} if value else {}
    return Snapshot(ref=REF, current=REF, revision="r7", values=values, versions={Field.EMAIL: history}, **more)


# --- without a history ------------------------------------------------------------------------


def test_l26_a_record_that_was_changed_since_a_lost_answer_is_left_as_it_is() -> None:
    first = before_write(job(), there(changed_at="5"))
    assert first == Put(before="", seen="5", revision="r7")
    begun = job(begun=True, seen="5")
    assert isinstance(before_write(begun, there(changed_at="5")), Put), "nobody has changed it: it did not arrive"
    left = before_write(begun, there(changed_at="6"))
    assert isinstance(left, End)
    assert (left.reason, bool(left.note)) == (Reason.CLEARED, True)
    assert before_write(begun, there(OURS, changed_at="6")) == Check()


def test_l26_nor_judged_anew_for_somebody_elses_record() -> None:
    stranger = Identity(first_name="Grace", last_name="Hopper", email="grace@navy.example.com")
    begun = replace(judged(begun=True), seen="5")
    left = before_write(begun, there(identity=stranger, changed_at="6"))
    assert isinstance(left, End)
    assert left.reason is Reason.CLEARED


def test_where_a_history_of_the_field_is_told_it_decides() -> None:
    old = ("", "2", MACHINE)
    assert isinstance(before_write(job(begun=True, seen="2"), there("", old, changed_at="6")), Put)
    theirs = before_write(job(begun=True, seen="2"), there("", ("", "5", PERSON), (OURS, "4", MACHINE), old))
    assert isinstance(theirs, End)


@pytest.mark.parametrize(
    ("held", "changed_at", "expected"),
    [
        (OURS, "6", End(Reason.WRITTEN)),
        ("", "6", End(Reason.CLEARED, "somebody cleared it right after it was written")),
        ("typed@a.test", "6", End(Reason.VALUE_KEPT, "somebody changed it right after it was written")),
        ("", "5", Again()),
        ("", "", Again()),
    ],
    ids=["stands", "cleared", "changed", "not written", "not told"],
)
def test_what_is_seen_after_a_write_without_a_history(held: str, changed_at: str, expected: End | Again) -> None:
    assert after_write(job(), "5" if changed_at else "", there(held, changed_at=changed_at)) == expected


# --- before -----------------------------------------------------------------------------------


def test_a_blank_field_is_written_over_what_was_seen() -> None:
    assert before_write(job(), there()) == Put(before="", seen="", revision="r7")
    emptied = there("", ("", "3", MACHINE), ("old@a.test", "2", PERSON))
    assert before_write(job(), emptied) == Put(before="", seen="3", revision="r7")


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        (there("typed@a.test"), Reason.VALUE_KEPT),
        (there(OURS), Reason.VALUE_KEPT),
        (there("", blocked={Field.EMAIL: "cleared_by_person"}), Reason.VALUE_KEPT),
        (there("", blocked={Field.EMAIL: "opted_out"}), Reason.BLOCKED),
        (there("", elsewhere=frozenset({Field.EMAIL})), Reason.VALUE_KEPT),
        (Snapshot(ref=REF, current=None), Reason.GONE),
    ],
    ids=["filled", "the same", "cleared", "opted out", "elsewhere", "gone"],
)
def test_what_is_not_to_be_written(snapshot: Snapshot, reason: Reason) -> None:
    what = before_write(job(), snapshot)
    assert isinstance(what, End)
    assert (what.reason, what.restored, bool(what.note)) == (reason, False, True)


def test_another_fields_block_does_not_matter() -> None:
    snapshot = there("", blocked={Field.PHONE: "opted_out"}, elsewhere=frozenset({Field.PHONE}))
    assert isinstance(before_write(job(), snapshot), Put)


def test_our_own_earlier_write_is_only_checked() -> None:
    assert before_write(job(begun=True), there(OURS.upper())) == Check()
    assert isinstance(before_write(job(begun=True), there("typed@a.test")), End)
    assert isinstance(before_write(job(begun=True), there()), Put)


# --- is it still the same person? -------------------------------------------------------------

ADA = Identity(first_name="Ada", last_name="Byron", company="Acme", domain="acme.example.com", country="GB")
PROFILE, OTHER = (f"https://www.linkedin.com/in/{handle}" for handle in ("ada-byron-example", "grace-example"))


def judged(who: Identity = ADA, said: Identity = ADA, **more: Any) -> ToWrite:
    return job(identity=who, said=(said,), verdict="same", **more)


@pytest.mark.parametrize(
    "now",
    [
        None,
        ADA,
        replace(ADA, first_name="ADA", last_name="byron"),
        replace(ADA, phones=("+442079460001",)),
        replace(ADA, company=None, domain=None, country=None),
        replace(ADA, linkedin_url=PROFILE),
    ],
    ids=["not read", "as it was", "in other letters", "with a phone", "the company is not read", "a profile was added"],
)
def test_who_is_the_same_person_still_is_written(now: Identity | None) -> None:
    assert isinstance(before_write(judged(), there("", identity=now)), Put)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(ADA, first_name="Grace", last_name="Hopper"), ADA),
        (replace(ADA, last_name="Lovelace"), ADA),
        (replace(ADA, company="Birch", domain="birch.example"), ADA),
        (replace(ADA, linkedin_url=OTHER), replace(ADA, linkedin_url=PROFILE)),
        (replace(ADA, email="other@acme.example.com"), replace(ADA, email="ada@acme.example.com")),
    ],
    ids=["another name", "another surname", "another employer", "another profile", "another mailbox"],
)
def test_who_is_or_may_be_somebody_else_is_judged_anew(now: Identity, said: Identity) -> None:
    what = before_write(judged(said=said), there("", identity=now))
    assert isinstance(what, Judge)
    assert what.note


def test_the_judgement_is_not_repeated_where_a_person_decided_or_nothing_was_judged() -> None:
    moved = there("", identity=replace(ADA, company="Birch", domain="birch.example"))
    assert isinstance(before_write(judged(decided=True), moved), Put)
    assert isinstance(before_write(job(identity=ADA), moved), Put)


def test_what_a_person_has_decided_is_weighed_by_no_rule() -> None:
    grace = replace(ADA, first_name="Grace", last_name="Hopper")
    moved = there("", identity=replace(ADA, company="Birch", domain="birch.example"))
    assert isinstance(before_write(judged(said=grace, decided=True), moved), Put)
    assert isinstance(before_write(judged(decided=True, begun=True), moved), Put), "nor after a lost answer"


def test_a_person_s_decision_was_about_whom_the_record_showed_then() -> None:
    somebody_else = there("", identity=replace(ADA, first_name="Grace", last_name="Hopper"))
    assert isinstance(before_write(judged(decided=True), somebody_else), Judge)


def test_a_mailbox_that_the_snapshot_does_not_tell_is_not_forgotten() -> None:
    """The answer named nothing else: without it, whose it is could not be told any more."""
    known, mailbox = replace(ADA, email=OURS), Identity(email=OURS)
    now = replace(ADA, company="Acme Holding")
    assert isinstance(
        before_write(judged(known, mailbox, field=Field.PHONE, value="+447700900123"), there("", identity=now)), Put
    )


def test_a_doubtful_answer_that_was_accepted_as_such_stays_so() -> None:
    """With `on_doubt: accept`, only a worse verdict is news."""
    doubtful = job(identity=ADA, said=(replace(ADA, domain="acme.org.example"),), verdict="doubtful")
    assert isinstance(before_write(doubtful, there("", identity=ADA)), Put)


def test_a_write_that_has_begun_is_not_judged_anew() -> None:
    """It may stand in the CRM already: what is there is looked at first."""
    grace = replace(ADA, first_name="Grace", last_name="Hopper")
    assert before_write(judged(begun=True), there(OURS, identity=grace)) == Check()


# --- after ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "snapshot", "judged"),
    [
        ("", there(OURS), End(Reason.WRITTEN)),
        ("", there(), Again()),
        ("", there("typed@a.test"), Again()),
        ("", there(OURS, (OURS, "5", MACHINE)), End(Reason.WRITTEN)),
        ("3", there(OURS, (OURS, "5", MACHINE), ("", "3", MACHINE), ("x@a.test", "2", PERSON)), End(Reason.WRITTEN)),
        ("3", there(OURS, (OURS, "5", MACHINE), ("x@a.test", "4", PERSON), ("", "3", PERSON)), Restore("x@a.test")),
        ("3", there(OURS, (OURS, "5", MACHINE), ("", "4", PERSON), ("", "3", MACHINE)), Restore("")),
        ("", there(OURS, (OURS, "5", MACHINE), ("x@a.test", "4", MACHINE)), Restore("x@a.test")),
        ("", there(OURS, (OURS, "6", MACHINE), (OURS, "5", MACHINE), ("x@a.test", "4", PERSON)), Restore("x@a.test")),
        ("3", there(OURS, (OURS, "6", MACHINE), (OURS, "5", MACHINE), ("", "3", PERSON)), End(Reason.WRITTEN)),
        ("", there("", ("", "3", PERSON)), Again()),
    ],
)
def test_the_snapshot_after_the_write(seen: str, snapshot: Snapshot, judged: End | Restore | Again) -> None:
    assert after_write(job(), seen, snapshot) == judged


@pytest.mark.parametrize(
    "snapshot",
    [
        there("x@a.test", ("x@a.test", "6", PERSON), (OURS, "5", MACHINE)),
        there("x@a.test", ("x@a.test", "6", PERSON)),
        there(OURS, (OURS, "6", PERSON)),
    ],
    ids=["changed after", "never ours", "typed by hand, the same"],
)
def test_what_a_person_did_after_or_instead_stands(snapshot: Snapshot) -> None:
    what = after_write(job(), "", snapshot)
    assert isinstance(what, End)
    assert (what.reason, what.restored) == (Reason.VALUE_KEPT, False)


@pytest.mark.parametrize("by", [PERSON, MACHINE])
def test_what_was_cleared_before_anybody_looked_had_been_written(by: Author) -> None:
    """Or it would be written there again, when it is decided on once more."""
    cleared = End(Reason.CLEARED, "somebody cleared it right after it was written")
    snapshot = there("", ("", "6", by), (OURS, "5", MACHINE))
    assert after_write(job(), "3", snapshot) == cleared
    assert before_write(job(begun=True, seen="3"), snapshot) == cleared
    never_ours = there("", ("", "6", by), ("x@a.test", "5", PERSON))
    assert before_write(job(begun=True, seen="3"), never_ours) != cleared


@pytest.mark.parametrize(
    ("seen", "snapshot", "judged"),
    [
        ("", there(OURS, (OURS, "5", PERSON)), End(Reason.WRITTEN)),
        ("3", there(OURS, (OURS, "5", PERSON), ("", "3", PERSON)), End(Reason.WRITTEN)),
        ("3", there(OURS, (OURS, "5", PERSON), ("x@a.test", "4", PERSON), ("", "3", PERSON)), Restore("x@a.test")),
        ("3", there(OURS, (OURS, "5", PERSON), ("", "4", PERSON), ("x@a.test", "3", PERSON)), Restore("")),
        ("6", there("", ("", "6", PERSON), (OURS, "5", PERSON)), Again()),
    ],
)
def test_n14_a_write_that_was_taken_is_ours_under_whatever_name_the_history_books_it(
    seen: str, snapshot: Snapshot, judged: End | Restore | Again
) -> None:
    assert after_write(job(), seen, snapshot, taken=True) == judged


def test_n14_what_follows_a_write_that_was_taken_is_still_somebody_else_s() -> None:
    for later in ("x@a.test", ""):
        what = after_write(job(), "3", there(later, (later, "6", PERSON), (OURS, "5", PERSON)), taken=True)
        assert isinstance(what, End)
        assert what.reason is (Reason.VALUE_KEPT if later else Reason.CLEARED)


def test_gone_while_it_was_written() -> None:
    what = after_write(job(), "", Snapshot(ref=REF, current=None))
    assert isinstance(what, End)
    assert what.reason is Reason.GONE


def test_the_crms_own_wording_of_our_phone_is_ours() -> None:
    version = Version(value="+33 6 39 98 01 23", at="5", by=MACHINE)
    values = {Field.PHONE: version.value}
    snapshot = Snapshot(ref=REF, current=REF, values=values, versions={Field.PHONE: (version,)})
    assert after_write(job(value="+33639980123", field=Field.PHONE), "", snapshot) == End(Reason.WRITTEN)


@pytest.mark.parametrize(
    ("wording", "ours"),
    [
        ("07700 900000", True),
        ("+44 7700 900000", True),
        ("0044 (0)7700 900000", True),
        ("07700 900001", False),
        ("+33 7700 900000", False),
    ],
)
def test_v10_our_number_is_known_again_in_another_wording(wording: str, ours: bool) -> None:
    version = Version(value=wording, at="5", by=MACHINE)
    versions = {Field.PHONE: (version,)}
    snapshot = Snapshot(ref=REF, current=REF, values={Field.PHONE: wording}, versions=versions)
    written = job(value="+447700900000", field=Field.PHONE, identity=ADA)
    assert (after_write(written, "", snapshot) == End(Reason.WRITTEN)) is ours
