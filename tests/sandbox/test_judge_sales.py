"""The judge and the money: right answers that were thrown away, people who were bought twice."""

from __future__ import annotations

import pytest

from syncd.sandbox.judge import Waiting
from syncd.sandbox.people import EMAIL, PHONE, Case, Find, Quirk, Record

from .final import Run, best, named


def counted(run: Run) -> tuple[int, int]:
    counts = run.judge().counts
    return counts["discarded"], counts["bought_twice"]


def one_of(case: Case, *, salesforce: bool = False) -> tuple[Run, Record]:
    """A run and its first record of the case, blank at the end."""
    run = Run(case, salesforce=salesforce)
    record = run.of(case, there=salesforce)[0]
    run.blank(record, there=salesforce)
    return run, record


# --- discarded ---


@pytest.mark.parametrize("case", [Case.NICKNAME, Case.PARTICLE, Case.NAME_SWAPPED, Case.JOB_CHANGER, Case.UNDIALABLE])
@pytest.mark.parametrize(("field", "vendor"), [(EMAIL, "zeliq"), (EMAIL, "fullenrich"), (PHONE, "fullenrich")])
def test_a_right_answer_thrown_away(case: Case, field: str, vendor: str) -> None:
    run, one = one_of(case)
    run.sell(one.person, field, vendor, **named(one))
    result = run.judge()
    assert (result.counts["discarded"], result.by_field[field]["discarded"], result.ok) == (1, 1, False)
    (example,) = result.examples["discarded"]
    assert (example["id"], example["vendor"], example["quirk"]) == ("h0", vendor, case)
    run.hubspot.set(one, **{field: best(one.person, field)})
    assert counted(run) == (0, 0)


def test_what_was_written_in_one_of_both_crms_is_not_thrown_away() -> None:
    run, one = one_of(Case.COMPANY_ONLY)
    run.sell(one.person, EMAIL, **named(one))
    assert (run.judge().counts["missed"], *counted(run)) == (2, 0, 0)
    run.blank(next(each for each in run.of(Case.COMPANY_ONLY, there=True) if each.person is one.person), there=True)
    assert (run.judge().counts["missed"], *counted(run)) == (4, 1, 0)


def test_each_answer_thrown_away_counts() -> None:
    run, one = one_of(Case.RENAMED_HANDLE)
    run.sell(one.person, EMAIL, linkedin_url=one.linkedin_url)
    run.sell(one.person, PHONE, "fullenrich", linkedin_url=one.linkedin_url)
    assert counted(run) == (2, 0)


def test_what_waits_is_not_thrown_away() -> None:
    run, one = one_of(Case.RENAMED_HANDLE)
    run.sell(one.person, EMAIL, linkedin_url=one.linkedin_url)
    run.waiting = [Waiting("h0", EMAIL, best(one.person, EMAIL))]
    assert counted(run) == (0, 0)
    run.waiting = [Waiting("h0", PHONE, best(one.person, PHONE))]
    assert counted(run) == (1, 0)


@pytest.mark.parametrize(
    "ending",
    [
        {"gone": True},
        {"merged": True},
        {"email": "colleague@acme.example", "edits": {EMAIL: "colleague@acme.example"}},
        {"edits": {EMAIL: ""}},
        {"refused": frozenset({EMAIL})},
        {"closed": frozenset({EMAIL})},
        {"email": "another@acme.example"},
    ],
)
def test_what_had_no_place_is_not_thrown_away(ending: dict[str, object]) -> None:
    run, one = one_of(Case.NICKNAME)
    run.sell(one.person, EMAIL, **named(one))
    assert counted(run) == (1, 0)
    run.hubspot.set(one, **ending)
    assert counted(run) == (0, 0)


@pytest.mark.parametrize("field", [EMAIL, PHONE])
def test_neither_is_what_was_bought_of_somebody_who_opted_out(field: str) -> None:
    run, one = one_of(Case.NICKNAME)
    run.sell(one.person, field, **named(one))
    assert counted(run) == (1, 0)
    one.quirk, one.quirk_field = Quirk.OPTED_OUT, EMAIL
    assert counted(run) == (0, 0)


def test_unacceptable_or_free_or_lost_answers_are_not_thrown_away() -> None:
    run, one = one_of(Case.NICKNAME)
    run.sell(one.person, EMAIL, told=[Find("x@acme.example", "catch_all")], **named(one))
    run.sell(one.person, EMAIL, told=[Find("info@acme.example", "valid", usable=False)], **named(one))
    run.sell(one.person, EMAIL, cost=0, **named(one))
    run.sell(one.person, EMAIL, heard=False, **named(one))
    assert run.judge().counts["discarded"] == 0
    assert run.judge(("valid", "catch_all")).counts["discarded"] == 1


def test_a_strangers_answer_is_rightly_thrown_away() -> None:
    run = Run(Case.PASTED_PROFILE)
    holder, owner = run.of(Case.PASTED_PROFILE)[:2]
    run.blank(holder)
    run.sell(owner.person, EMAIL, linkedin_url=holder.linkedin_url)
    assert counted(run) == (0, 0)
    run.blank(owner)  # whose answer it was: the same question
    assert counted(run) == (1, 0)
    run.sales.clear()
    run.sell(owner.person, EMAIL, "fullenrich", linkedin_url=holder.linkedin_url, **named(holder))
    assert counted(run) == (0, 0)  # asked under the other's name


def test_neither_is_a_namesakes_answer_by_what_is_no_employer() -> None:
    run = Run(Case.PLACEHOLDER)
    one, other = run.of(Case.PLACEHOLDER)[:2]
    run.blank(one, other)
    run.sell(one.person, EMAIL, **named(other))
    assert counted(run) == (0, 0)
    run.sell(one.person, EMAIL, linkedin_url=one.linkedin_url)
    assert counted(run) == (1, 0)


def test_nor_is_the_answer_about_whoever_the_record_was_before() -> None:
    run, one = one_of(Case.CHANGES_HANDS)
    run.sell(one.person, EMAIL, linkedin_url=one.linkedin_url)
    assert counted(run) == (1, 0)
    run.hubspot.set(one, handed_over=True)
    assert counted(run) == (0, 0)
    assert one.becomes
    run.sell(one.becomes, EMAIL, linkedin_url=one.becomes.linkedin_url)
    assert counted(run) == (1, 0)  # but the answer about who it is now is


def test_what_is_bought_for_nobody_is_thrown_away() -> None:
    run, one = one_of(Case.FILLER)
    run.sell(one.person, EMAIL, **named(one))
    assert counted(run) == (1, 0)


def test_an_answer_gone_astray_is_nobodys_fault() -> None:
    run, one = one_of(Case.NICKNAME)
    run.sell(one.person, EMAIL, astray=True, **named(one))
    run.sell(one.person, EMAIL, astray=True, **named(one))
    assert counted(run) == (0, 0)


# --- bought twice ---


@pytest.mark.parametrize(
    "case", [Case.NICKNAME, Case.JOB_CHANGER, Case.RENAMED_HANDLE, Case.UNDIALABLE, Case.UNUSABLE_EMAIL]
)
def test_a_second_purchase_after_an_acceptable_one(case: Case) -> None:
    run = Run(case)
    one = run.of(case)[0]
    run.sell(one.person, EMAIL, **named(one))
    run.sell(one.person, PHONE, **named(one))
    assert counted(run) == (0, 0)
    run.sell(one.person, EMAIL, "fullenrich", **named(one))
    result = run.judge()
    assert (result.counts["bought_twice"], result.by_field[EMAIL]["bought_twice"], result.ok) == (1, 1, False)
    run.sell(one.person, EMAIL, "fullenrich", **named(one))
    assert counted(run) == (0, 2)


def test_an_answer_that_was_not_acceptable_excuses_the_next_vendor() -> None:
    run = Run(Case.NICKNAME)
    one = run.of(Case.NICKNAME)[0]
    run.sell(one.person, EMAIL, told=[Find("x@acme.example", "catch_all")], **named(one))
    run.sell(one.person, EMAIL, "fullenrich", **named(one))
    assert counted(run) == (0, 0)
    assert run.judge(("valid", "catch_all")).counts["bought_twice"] == 1


def test_free_answers_are_not_bought() -> None:
    run = Run(Case.NICKNAME)
    one = run.of(Case.NICKNAME)[0]
    for cost in (0, 1, 0):
        run.sell(one.person, EMAIL, cost=cost, **named(one))
    assert counted(run) == (0, 0)


@pytest.mark.parametrize("case", [Case.SPELLED_TWICE, Case.COMPANY_ONLY])
def test_one_person_in_both_crms_is_bought_once(case: Case) -> None:
    run = Run(case)
    there = run.of(case, there=True)[0]
    here = next(one for one in run.of(case) if one.person is there.person)
    run.sell(here.person, EMAIL, **named(here))
    assert counted(run) == (0, 0)
    run.sell(here.person, EMAIL, **named(there))
    assert counted(run) == (0, 1)


def alike(**values: object) -> tuple[Run, Record, Record]:
    """Two records of one person in one CRM, by name at the same employer, the second as told."""
    run = Run(Case.COMPANY_ONLY)
    one, other = run.of(Case.COMPANY_ONLY)[:2]
    for name in ("person", "first_name", "last_name", "company", "website", "employer"):
        setattr(other, name, getattr(one, name))
    for record in (one, other):
        for name, value in values.items():
            setattr(record, name, value)
    return run, one, other


@pytest.mark.parametrize(
    ("common", "twice"),
    [
        ({}, 0),  # the CRM says that they are two
        ({"linkedin_url": "https://www.linkedin.com/in/both"}, 1),
        ({"other_emails": ("both@acme.example",)}, 1),
    ],
)
def test_records_of_one_crm_are_one_person_only_by_something_strong(common: dict[str, object], twice: int) -> None:
    run, one, other = alike(**common)
    run.sell(one.person, EMAIL, **named(one))
    run.sell(one.person, EMAIL, **named(other))
    assert counted(run)[1] == twice
    run.sell(one.person, EMAIL, **named(other))
    assert counted(run)[1] == twice + 1


def test_two_profiles_are_two_whatever_else_agrees() -> None:
    run, one, other = alike(other_emails=("both@acme.example",))
    one.linkedin_url, other.linkedin_url = "linkedin.com/in/one", "linkedin.com/in/other"
    run.sell(one.person, EMAIL, **named(one))
    run.sell(one.person, EMAIL, **named(other))
    assert counted(run)[1] == 0


def test_a_record_that_has_the_value_is_not_one_more_to_ask_about() -> None:
    run, one, other = alike()
    other.email = "held@acme.example"
    run.sell(one.person, EMAIL, **named(one))
    run.sell(one.person, EMAIL, **named(other))
    assert counted(run)[1] == 1


def test_whom_a_pasted_profile_leads_to_may_be_bought_once_more() -> None:
    run = Run(Case.PASTED_PROFILE)
    holder, owner = run.of(Case.PASTED_PROFILE)[:2]
    run.sell(owner.person, EMAIL, linkedin_url=holder.linkedin_url)
    run.sell(owner.person, EMAIL, **named(owner))
    assert counted(run) == (0, 0)
    run.sell(owner.person, EMAIL, "fullenrich", **named(owner))
    assert counted(run) == (0, 1)


def test_without_sales_there_is_nothing_to_count() -> None:
    assert counted(Run(Case.NICKNAME)) == (0, 0)
