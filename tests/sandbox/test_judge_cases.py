"""The judge and the hard cases: what it takes for right, and that it sees what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.sandbox.judge import Waiting
from syncd.sandbox.people import EMAIL, PHONE, Case, Find, Record

from .final import Run, best, named

PLAIN = (Case.JOB_CHANGER, Case.RENAMED_HANDLE, Case.NICKNAME, Case.PARTICLE, Case.NAME_SWAPPED, Case.COMPANY_ONLY,
         Case.SPELLED_TWICE, Case.UNDIALABLE, Case.UNUSABLE_EMAIL, Case.LANDLINE_FIRST, Case.PASTED_PROFILE,
         Case.NAMESAKES, Case.FILLER)  # fmt: skip
# Of these a blank is right as well: the evidence is doubtful.
DOUBTFUL = {Case.RENAMED_HANDLE, Case.JOB_CHANGER, Case.PASTED_PROFILE}


def flaws(run: Run) -> dict[str, int]:
    counts = run.judge().counts
    return {name: counts[name] for name in ("missed", "wrong", "unverified", "overwritten") if counts[name]}


def second(run: Run, case: Case, *, there: bool = False) -> tuple[Record, Record]:
    one, other = run.of(case, there=there)[:2]
    return one, other


@pytest.mark.parametrize("case", PLAIN)
def test_everybodys_own_values_are_right(case: Case) -> None:
    run = Run(case)
    assert flaws(run) == {}, run.judge().examples
    assert run.judge().kept[case] == len(run.of(case)) + len(run.of(case, there=True)) >= 24


@pytest.mark.parametrize("case", [case for case in PLAIN if case not in {*DOUBTFUL, Case.FILLER}])
def test_blanks_are_missed(case: Case) -> None:
    run = Run(case)
    one = run.of(case)[0]
    run.blank(one)
    assert flaws(run) == {"missed": 1 if one.email else 2}


@pytest.mark.parametrize("case", PLAIN)
def test_a_strangers_phone_is_wrong(case: Case) -> None:
    run = Run(case)
    one, other = second(run, case)
    stranger = next(each for each in run.of(case) if each.person.phones[0] not in one.person.phones and each is not one)
    run.hubspot.set(one, phone=stranger.person.phones[0])
    assert flaws(run) == {"wrong": 1}, other


def test_doubtful_values_may_wait_but_only_where_there_is_doubt() -> None:
    run = Run(Case.JOB_CHANGER)
    known, unknown = second(run, Case.JOB_CHANGER)
    run.blank(unknown)
    assert flaws(run) == {}
    run.blank(known)  # the profile agrees
    assert flaws(run) == {"missed": 2}


def test_of_a_pasted_profile_only_the_owner_is_certain() -> None:
    run = Run(Case.PASTED_PROFILE)
    holder, owner = second(run, Case.PASTED_PROFILE)
    run.blank(holder)
    assert flaws(run) == {}
    run.hubspot.set(holder, phone=best(owner.person, PHONE))
    assert flaws(run) == {"wrong": 1}
    run = Run(Case.PASTED_PROFILE)
    run.blank(second(run, Case.PASTED_PROFILE)[1])
    assert flaws(run) == {"missed": 2}


@pytest.mark.parametrize("case", [Case.PLACEHOLDER, Case.SHARED_HOST])
def test_nobody_is_asked_by_what_is_no_employer(case: Case) -> None:
    run = Run(case)
    assert flaws(run) == {"wrong": 24}  # everybody's own values: yet nobody can know them of the second of each pair
    for one in run.of(case):
        if one.linkedin_url is None:
            run.blank(one)
    assert flaws(run) == {}
    one, other = second(run, case)
    run.hubspot.set(other, phone=best(one.person, PHONE))
    assert flaws(run) == {"wrong": 1}
    run.hubspot.set(other, phone=None)
    run.blank(one)
    assert flaws(run) == {"missed": 2}


def test_namesakes_must_have_their_own_phones() -> None:
    run = Run(Case.NAMESAKES)
    one, other = second(run, Case.NAMESAKES)
    run.hubspot.set(one, phone=best(other.person, PHONE))
    run.hubspot.set(other, phone=best(one.person, PHONE))
    assert flaws(run) == {"wrong": 2}


def test_a_shared_mailbox_leads_to_nobody() -> None:
    run = Run(Case.SHARED_MAILBOX, salesforce=True)
    one, other, third = run.of(Case.SHARED_MAILBOX, there=True)[:3]
    assert flaws(run) == {}
    run.blank(one, other, there=True)
    assert flaws(run) == {}
    run.blank(third, there=True)
    assert flaws(run) == {"missed": 1}  # FullEnrich finds that one by name
    run.salesforce.set(other, phone=best(one.person, PHONE))
    assert flaws(run) == {"missed": 1, "wrong": 1}


def test_fillers_stay_blank() -> None:
    run = Run(Case.FILLER)
    one = run.of(Case.FILLER)[0]
    run.hubspot.set(one, email=one.person.emails[0])
    assert flaws(run) == {"wrong": 1}
    run = Run(Case.FILLER)
    one = run.of(Case.FILLER)[0]
    one.email = one.person.emails[0]  # held from the start: Zeliq could be asked for a phone with it
    run.hubspot.set(one, email=one.email, phone=one.person.phones[0])
    assert flaws(run) == {"wrong": 1}


@pytest.mark.parametrize(("case", "field"), [(Case.UNDIALABLE, PHONE), (Case.UNUSABLE_EMAIL, EMAIL)])
def test_what_cannot_be_used_is_unverified(case: Case, field: str) -> None:
    run = Run(case)
    one = run.of(case)[0]
    run.hubspot.set(one, **{field: one.person.finds["zeliq", field][0].value})
    assert flaws(run) == {"unverified": 1}


def test_either_of_landline_and_mobile_will_do() -> None:
    run = Run(Case.LANDLINE_FIRST)
    one = run.of(Case.LANDLINE_FIRST)[0]
    for number in one.person.phones:
        run.hubspot.set(one, phone=None, mobile=number)
        assert flaws(run) == {}


def test_who_opted_out_in_one_crm_is_left_alone_in_the_other() -> None:
    run = Run(Case.OPTED_OUT_ELSEWHERE)
    there = run.of(Case.OPTED_OUT_ELSEWHERE, there=True)
    assert len(there) == 10
    assert flaws(run) == {"wrong": 34}  # all the e-mails
    for one in run.hubspot.records:
        run.hubspot.set(one, email=None)
    for one in there:
        run.salesforce.set(one, email=None)
    assert flaws(run) == {}
    run.salesforce.set(there[0], phone=None)  # a matter of opinion
    assert flaws(run) == {}


@pytest.mark.parametrize("there", [False, True])
def test_a_record_that_changed_hands_is_judged_as_the_other_persons(there: bool) -> None:
    run = Run(Case.CHANGES_HANDS, salesforce=there)
    crm = run.salesforce if there else run.hubspot
    one = run.of(Case.CHANGES_HANDS, there=there)[0]
    assert flaws(run) == {}  # as long as it has not changed hands
    crm.set(one, handed_over=True)
    assert flaws(run) == {"wrong": 2}
    crm.set(one, early=frozenset({EMAIL, PHONE}))  # written while it was the former person's
    assert flaws(run) == {}
    crm.set(one, early=frozenset(), email=None, phone=None)
    assert flaws(run) == {}  # asked anew: not yet, perhaps
    assert one.becomes
    crm.set(one, email=best(one.becomes, EMAIL), phone=best(one.becomes, PHONE))
    assert flaws(run) == {}


# --- review ---


def test_a_right_value_that_waits_is_not_missed_and_a_strangers_does_not_help() -> None:
    run = Run(Case.NICKNAME)
    one, other = second(run, Case.NICKNAME)
    run.blank(one)
    assert flaws(run) == {"missed": 2}
    run.waiting = [Waiting("h0", field, best(one.person, field)) for field in (EMAIL, PHONE)]
    result = run.judge()
    assert (result.counts["missed"], dict(result.review), result.ok) == (0, {"right": 2}, True)
    run.waiting[0] = Waiting("h0", EMAIL, best(other.person, EMAIL))
    result = run.judge()
    assert (result.counts["missed"], dict(result.review)) == (1, {"right": 1, "strangers": 1})
    run.waiting = [Waiting("h7", EMAIL, best(one.person, EMAIL))]  # another record's
    assert flaws(run) == {"missed": 2}


def test_a_value_that_is_not_told_is_judged_by_the_answer() -> None:
    run = Run(Case.PASTED_PROFILE)
    holder, owner = second(run, Case.PASTED_PROFILE)
    run.blank(holder)
    run.waiting = [Waiting("h0", EMAIL)]
    assert dict(run.judge().review) == {"strangers": 1}  # nobody has answered anything
    run.sell(owner.person, EMAIL, linkedin_url=holder.linkedin_url)
    assert dict(run.judge().review) == {"strangers": 1}
    run.sell(holder.person, EMAIL, "fullenrich", **named(holder))
    assert dict(run.judge().review) == {"right": 1}


def test_an_unaccepted_status_is_still_unverified_among_good_values() -> None:
    run = Run(Case.NICKNAME)
    one = run.of(Case.NICKNAME)[0]
    maybe = Find("maybe@acme.example", "catch_all")
    for vendor in ("zeliq", "fullenrich"):
        one.person.finds[vendor, EMAIL] = (maybe,)
    run.hubspot.set(one, email=maybe.value)
    assert flaws(run) == {"unverified": 1}
    assert run.judge(("valid", "catch_all")).ok
    one.person.finds["zeliq", EMAIL] = (replace(maybe, status="valid"),)
    assert flaws(run) == {}
