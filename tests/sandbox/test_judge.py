"""The judge: content with the right final state, and able to tell every kind of wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.judge import Judgement, judge
from syncd.sandbox.people import EMAIL, FIELDS, PHONE, Ending, Find, Quirk, Record
from syncd.sandbox.world import World

WATERFALL = {EMAIL: ["zeliq", "fullenrich"], PHONE: ["fullenrich", "zeliq"]}


class Final:
    """A CRM in its final state, made by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows = {one.number: Ending(f"c{one.number}", one.email, one.phone, one.mobile) for one in world.records}

    def endings(self) -> Mapping[int, Ending]:
        return self.rows

    def set(self, record: Record, **values: object) -> None:
        self.rows[record.number] = replace(self.rows[record.number], **values)  # type: ignore[arg-type]

    def judge(self, accept: tuple[str, ...] = ("valid",)) -> Judgement:
        return judge(self.world, self, WATERFALL, accept)


def best(record: Record, field: str) -> str | None:
    """What a hand-written waterfall yields, for records that every vendor can be asked about."""
    for vendor in WATERFALL[field]:
        for one in record.person.finds.get((vendor, field), ()):
            if one.status == "valid" and (("@" in one.value) if field == EMAIL else len(one.value) > 7):
                return one.value
    return None


def done(quirks: Mapping[Quirk, float] | None = None, contacts: int = 200) -> Final:
    """A perfect final state of a world in which everybody can be asked about."""
    world = World(5, contacts, SandboxClock(), quirks or {})
    final = Final(world)
    for one in world.records:
        one.linkedin_url = one.person.linkedin_url = one.person.linkedin_url or f"linkedin.com/in/{one.person.key}"
        if one.quirk is Quirk.TWICE and one.twin is not None and one.twin < one.number:
            final.set(one, phone=one.phone or best(one, PHONE))
            continue
        for field in FIELDS:
            blocked = one.quirk in {Quirk.OPTED_OUT, Quirk.CLEARED, Quirk.CONFLICT, Quirk.CONFLICT_ADDITIONAL}
            if one.lacks(field) and not (blocked and field == one.quirk_field):
                final.set(one, **{field: best(one, field)})
    return final


def filled(final: Final, field: str) -> Record:
    return next(one for one in final.world.records if one.lacks(field) and final.rows[one.number].value(field))


@pytest.mark.parametrize("quirks", [{}, {quirk: 0.08 for quirk in Quirk if quirk is not Quirk.HOLDER}])
def test_it_is_content_with_the_right_state(quirks: dict[Quirk, float]) -> None:
    # Nobody acts in this world: records to be edited, deleted or merged are like others.
    result = done(quirks).judge()
    assert result.ok, result.examples
    assert result.counts["written"] == result.counts["findable"] > 100
    assert result.counts["lacking"] > result.counts["findable"]


def test_it_misses_what_is_not_there() -> None:
    final = done()
    final.set(filled(final, EMAIL), email=None)
    final.set(filled(final, PHONE), phone=None)
    result = final.judge()
    assert not result.ok
    assert result.counts["missed"] == 2
    assert [one["why"] for one in result.examples["missed"]] == ["found", "found"]


def test_nothing_written_is_all_missed() -> None:
    final = done()
    untouched = Final(final.world).judge()
    assert untouched.counts["missed"] == untouched.counts["findable"] == final.judge().counts["written"]
    assert len(untouched.examples["missed"]) == 20


def test_a_strangers_value_is_wrong() -> None:
    final = done()
    one, other = filled(final, EMAIL), final.world.records[-1]
    final.set(one, email=other.person.emails[1])
    final.set(filled(final, PHONE), phone="+442079460999")
    assert final.judge().counts["wrong"] == 2


def test_a_value_of_the_wrong_vendor_is_wrong() -> None:
    final = done()
    one = filled(final, EMAIL)
    one.person.finds["zeliq", EMAIL] = (Find("first@acme.example", "valid"),)
    one.person.finds["fullenrich", EMAIL] = (Find("second@acme.example", "valid"),)
    final.set(one, email="second@acme.example")
    assert final.judge().counts["wrong"] == 1
    final.set(one, email="FIRST@acme.example")
    assert final.judge().ok


@pytest.mark.parametrize("status", ["catch_all", "probable", "unknown", "invalid"])
def test_an_unaccepted_find_is_unverified_unless_accepted(status: str) -> None:
    final = done()
    one = filled(final, EMAIL)
    one.person.finds["zeliq", EMAIL] = (Find("maybe@acme.example", status),)
    one.person.finds["fullenrich", EMAIL] = ()
    final.set(one, email="maybe@acme.example")
    assert final.judge().counts["unverified"] == 1
    assert final.judge(("valid", status)).counts["unverified"] == 0


def test_an_address_that_is_none_is_unverified_whatever_its_status() -> None:
    final = done()
    one = filled(final, EMAIL)
    one.person.finds["zeliq", EMAIL] = (Find("ana at acme.example", "valid"),)
    one.person.finds["fullenrich", EMAIL] = ()
    final.set(one, email="ana at acme.example")
    assert final.judge().counts["unverified"] == 1


def test_what_was_there_is_to_stay() -> None:
    final = done()
    complete = next(one for one in final.world.records if one.email and one.phone)
    final.set(complete, email=complete.person.emails[1], phone=None)
    assert final.judge().counts["overwritten"] == 2


def test_a_mobile_number_counts_as_a_phone() -> None:
    final = done()
    mobile = next(one for one in final.world.records if one.mobile)
    assert final.judge().ok
    final.set(mobile, phone="+442079460999")
    assert final.judge().counts["overwritten"] == 1


def test_a_colleagues_edit_is_to_stay() -> None:
    final = done()
    one = filled(final, EMAIL)
    final.set(one, edits={EMAIL: "colleague@acme.example"})
    assert final.judge().counts["overwritten"] == 1
    final.set(one, email="colleague@acme.example")
    assert final.judge().ok
    final.set(one, edits={EMAIL: ""})
    assert final.judge().counts["overwritten"] == 1
    final.set(one, email=None)
    assert final.judge().ok


@pytest.mark.parametrize(
    ("quirk", "flaw"),
    [
        (Quirk.OPTED_OUT, "wrong"),
        (Quirk.CLEARED, "overwritten"),
        (Quirk.CONFLICT, "wrong"),
        (Quirk.CONFLICT_ADDITIONAL, "wrong"),
    ],
)
def test_what_must_stay_blank(quirk: Quirk, flaw: str) -> None:
    final = done({quirk: 0.2})
    one = next(one for one in final.world.records if one.quirk is quirk)
    assert final.judge().kept[quirk] > 5
    value = one.person.emails[0] if one.quirk_field == EMAIL else one.person.phones[0]
    final.set(one, **{one.quirk_field: value})
    assert final.judge().counts[flaw] == 1


def test_the_phone_of_a_record_in_conflict_is_still_due() -> None:
    final = done({Quirk.CONFLICT: 0.2})
    one = next(one for one in final.world.records if one.quirk is Quirk.CONFLICT and one.lacks(PHONE))
    final.set(one, phone=None)
    assert final.judge().counts["missed"] == 1


def test_one_person_in_two_records_holds_the_email_once() -> None:
    final = done({Quirk.TWICE: 0.2})
    one = next(one for one in final.world.records if one.quirk is Quirk.TWICE)
    assert one.twin is not None
    two, email = final.world.records[one.twin], final.rows[one.number].email
    final.set(one, email=None)
    assert final.judge().counts["missed"] == 1
    final.set(two, email=email)
    assert final.judge().ok
    final.set(one, email=email)
    assert final.judge().counts["wrong"] >= 1


def test_of_the_deleted_nothing_is_expected() -> None:
    final = done()
    final.set(filled(final, EMAIL), email=None, phone=None, gone=True)
    assert final.judge().ok


def test_the_merged_keep_what_the_other_record_held() -> None:
    final = done({Quirk.MERGED: 0.2})
    one = next(one for one in final.world.records if one.quirk is Quirk.MERGED)
    assert one.twin is not None
    holder = final.world.records[one.twin]
    for record in (one, holder):
        final.set(record, id="new", email=holder.email, phone=holder.phone, merged=True)
    assert final.judge().ok
    for record in (one, holder):
        final.set(record, email=one.person.emails[0])
    assert final.judge().counts["overwritten"] == 2


def test_a_value_the_crm_refused_is_not_missed() -> None:
    final = done()
    final.set(filled(final, EMAIL), email=None, refused=frozenset({EMAIL}))
    assert final.judge().ok


def test_phones_are_the_same_by_their_digits() -> None:
    final = done()
    one = filled(final, PHONE)
    phone = final.rows[one.number].phone or ""
    final.set(one, phone=f"{phone[:4]} ({phone[4:7]}) {phone[7:]}")
    assert final.judge().ok


def person(record: Record, **finds: tuple[Find, ...]) -> None:
    """Let nobody find anything for the record but this, by `vendor_field`."""
    record.person.finds.clear()
    for key, found in finds.items():
        vendor, _, field = key.partition("_")
        record.person.finds[vendor, field] = found


def test_vendors_that_cannot_be_asked_are_passed_over() -> None:
    final = done()
    one = next(one for one in final.world.records if one.lacks(EMAIL) and one.lacks(PHONE))
    person(one, zeliq_phone=(Find("+442079460001", "valid"),))
    one.linkedin_url, one.company, one.website, one.employer = "linkedin.com/company/acme", "Acme", None, None
    final.set(one, email=None, phone=None)
    assert final.judge().ok  # Zeliq wants a profile or an e-mail for a phone, and there is none
    person(one, zeliq_phone=(Find("+442079460001", "valid"),), fullenrich_email=(Find("ida@acme.example", "valid"),))
    final.set(one, email="ida@acme.example")
    assert final.judge().counts["missed"] == 1  # the e-mail that was found would have done
    final.set(one, phone="+442079460001")
    assert final.judge().ok
    one.company = None
    final.set(one, email=None, phone=None)
    assert final.judge().ok  # nobody can be asked by name alone
    one.website = "http://www.acme.example/"
    assert final.judge().counts["missed"] == 2


def test_it_reads_as_plain_data() -> None:
    body = done().judge().as_json()
    assert body["ok"] is True
    assert {"contacts", "lacking", "findable", "written", "missed", "wrong", "overwritten", "unverified"} <= set(body)
    assert body["by_field"][EMAIL]["written"] + body["by_field"][PHONE]["written"] == body["written"]


def test_the_domain_of_a_known_email_may_be_taken_for_the_companys() -> None:
    final = done()
    one = next(one for one in final.world.records if one.email and one.lacks(PHONE))
    one.linkedin_url = one.company = one.website = one.employer = None
    one.person.finds["fullenrich", PHONE] = (Find("+442079460123", "valid"),)
    one.person.finds["zeliq", PHONE] = ()
    for phone, flaws in ((None, 0), ("+442079460123", 0), ("+442079460124", 1)):
        final.set(one, phone=phone)
        assert final.judge().counts["wrong"] == flaws
