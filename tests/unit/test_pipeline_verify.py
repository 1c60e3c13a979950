"""Verify: what is good enough, in the waterfall's order, and why the rest is not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from syncd.config import FieldPolicy
from syncd.contract.model import Candidate, EnrichmentResult, Field, Grade, Identity, Outcome
from syncd.ledger.states import Reason
from syncd.pipeline.values import phone, same
from syncd.pipeline.verify import Accepted, Ended, Turn, verdict
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .house import EMAIL, ONE_BY_ONE, PHONE, House

WHO = Identity(first_name="Ada", last_name="Test", domain="acme.example.com", country="France")


def policy(*providers: str, accept: Sequence[Grade] = (Grade.VALID,)) -> FieldPolicy:
    return FieldPolicy(property="x", also=(), providers=providers, accept=frozenset(accept))


def said(outcome: Outcome, *candidates: Candidate, mismatch: bool = False, note: str = "") -> EnrichmentResult:
    return EnrichmentResult(
        request_id="", field=EMAIL, outcome=outcome, candidates=candidates, mismatch=mismatch, note=note
    )


def found(value: str, grade: Grade = Grade.VALID, **more: object) -> EnrichmentResult:
    return said(Outcome.FOUND, Candidate(value=value, grade=grade), **more)  # type: ignore[arg-type]


def judge(
    *results: EnrichmentResult, field: Field = EMAIL, who: Identity = WHO, accept: Sequence[Grade] = (Grade.VALID,)
) -> Accepted | Turn | Ended:
    """With one provider, which has said all this."""
    return verdict(field, who, {"ann": results}, policy("ann", accept=accept))


# --- grades -----------------------------------------------------------------------------------


@pytest.mark.parametrize("grade", list(Grade))
def test_only_the_accepted_grades_are_written(grade: Grade) -> None:
    by_default = judge(found("ada@acme.example.com", grade))
    assert isinstance(by_default, Accepted) is (grade is Grade.VALID)
    assert isinstance(judge(found("ada@acme.example.com", grade), accept=[grade]), Accepted)
    if grade is not Grade.VALID:
        assert by_default == Ended(Reason.LOW_QUALITY, f"found {grade} only")


def test_the_first_acceptable_candidate_is_taken_not_the_first() -> None:
    result = said(
        Outcome.FOUND,
        Candidate(value="no address", grade=Grade.VALID),
        Candidate(value="info@acme.example.com", grade=Grade.CATCH_ALL),
        Candidate(value="ada@acme.example.com", grade=Grade.VALID),
    )
    assert judge(result) == Accepted("ada@acme.example.com", "valid by ann")


# --- the waterfall ----------------------------------------------------------------------------


def test_the_order_of_the_waterfall_decides_not_the_order_of_the_answers() -> None:
    both = {"bob": [found("bob@b.test")], "ann": [found("ann@a.test")]}
    assert verdict(EMAIL, Identity(), both, policy("ann", "bob")) == Accepted("ann@a.test", "valid by ann")


@pytest.mark.parametrize(
    "first",
    [
        said(Outcome.NOT_FOUND),
        said(Outcome.MISSING),
        said(Outcome.UNRESOLVED),
        said(Outcome.FAILED),
        said(Outcome.SKIPPED),
        found("ada@acme.example.com", Grade.CATCH_ALL),
        found("ada@acme.example.com", mismatch=True),
    ],
    ids=lambda r: r.outcome,
)
def test_whatever_is_not_acceptable_gives_the_next_one_its_turn(first: EnrichmentResult) -> None:
    what = verdict(EMAIL, WHO, {"ann": [first]}, policy("ann", "bob", "cid"))
    assert isinstance(what, Turn)
    assert what.provider == "bob"


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([said(Outcome.NOT_FOUND)], Reason.NOT_FOUND),
        ([said(Outcome.SKIPPED)], Reason.REJECTED),
        ([said(Outcome.SKIPPED), said(Outcome.NOT_FOUND)], Reason.NOT_FOUND),
        ([said(Outcome.MISSING), said(Outcome.NOT_FOUND)], Reason.NO_CALLBACK),
        ([said(Outcome.UNRESOLVED), said(Outcome.MISSING)], Reason.DOUBT_EXPIRED),
        ([found("x@y.test", Grade.INVALID), said(Outcome.MISSING)], Reason.LOW_QUALITY),
        ([found("x@y.test", mismatch=True), said(Outcome.NOT_FOUND)], Reason.MISMATCH),
    ],
)
def test_the_reason_says_what_kept_it_from_being_found(results: list[EnrichmentResult], reason: Reason) -> None:
    what = judge(*results)
    assert isinstance(what, Ended)
    assert what.reason is reason
    assert what.note


def test_the_note_says_what_the_provider_said() -> None:
    assert judge(said(Outcome.SKIPPED, note="no such profile")) == Ended(Reason.REJECTED, "no such profile")
    assert judge(found("x@y.test", mismatch=True)) == Ended(Reason.MISMATCH, "the answer speaks of another person")


def test_a_find_about_somebody_else_is_never_accepted_but_a_right_one_beside_it_is() -> None:
    wrong, right = found("bob@b.test", mismatch=True), found("ada@acme.example.com")
    assert judge(wrong, right) == Accepted("ada@acme.example.com", "valid by ann")


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Ada@ACME.Example.com", "Ada@acme.example.com"),
        ("  ada@acme.example.com ", "ada@acme.example.com"),
        ("ada@acme", None),
        ("ada", None),
        ("", None),
        ("ada@acme..example.com", None),
        ("mailto:ada@acme.example.com", None),
    ],
)
def test_an_email_is_written_in_one_form_or_not_at_all(value: str, written: str | None) -> None:
    what = judge(found(value))
    assert (what.value if isinstance(what, Accepted) else None) == written


@pytest.mark.parametrize(
    ("value", "country", "written"),
    [
        ("+44 7700 900123", None, "+447700900123"),
        ("07700 900123", "United Kingdom", "+447700900123"),
        ("07700 900123", "GB", "+447700900123"),
        ("07700 900123", None, None),
        ("06 39 98 01 23", "France", "+33639980123"),
        ("06 39 98 01 23", "fr", "+33639980123"),
        ("(212) 555-0123", "USA", "+12125550123"),
        ("0033 6 39 98 01 23", "France", "+33639980123"),
        ("+33 6 39 98 01 23", "Atlantis", "+33639980123"),
        ("06 39 98 01 23", "Atlantis", None),
        ("123", "France", None),
        ("call me", "France", None),
    ],
)
def test_a_phone_is_read_as_one_of_its_country(value: str, country: str | None, written: str | None) -> None:
    assert phone(value, country) == written
    what = judge(found(value), field=PHONE, who=Identity(country=country))
    assert (what.value if isinstance(what, Accepted) else None) == written


def test_the_providers_region_goes_before_the_crms_country() -> None:
    result = said(Outcome.FOUND, Candidate(value="07700 900123", grade=Grade.VALID, region="GB"))
    assert judge(result, field=PHONE) == Accepted("+447700900123", "valid by ann")


@pytest.mark.parametrize(
    ("value", "remark"),
    [
        ("ada@acme.example.com", ""),
        ("ada@gmail.com", ", a personal address"),
        ("ada@former.example.com", ", on another domain than the company's"),
    ],
)
def test_what_is_odd_about_an_address_is_said(value: str, remark: str) -> None:
    assert judge(found(value)) == Accepted(value, f"valid by ann{remark}")
    assert judge(found(value), who=Identity()) == Accepted(
        value, f"valid by ann{remark if 'personal' in remark else ''}"
    )


@pytest.mark.parametrize(
    ("field", "one", "other", "equal"),
    [
        (EMAIL, "Ada@Acme.test", "ada@acme.test ", True),
        (EMAIL, "ada@acme.test", "bob@acme.test", False),
        (PHONE, "+33639980123", "+33 6 39 98 01 23", True),
        (PHONE, "+33639980123", "0033639980123", True),
        (PHONE, "+33639980123", "+33639980124", False),
        (PHONE, "none", "-", False),
    ],
)
def test_the_same_value_is_recognised_in_other_words(field: Field, one: str, other: str, equal: bool) -> None:
    assert same(field, one, other) is same(field, other, one) is equal


# --- the stage --------------------------------------------------------------------------------


def test_from_an_answer_to_the_next_provider_to_an_accepted_value(build: Build) -> None:
    ann, bob = FakeProvider("ann", capabilities=ONE_BY_ONE), FakeProvider("bob", capabilities=ONE_BY_ONE)
    house = build(providers=[ann, bob], fields={EMAIL: ["ann", "bob"]})
    ada = house.person()
    house.finds(ada, EMAIL, "ada@acme.example.com", grade=Grade.CATCH_ALL, by="ann")
    house.finds(ada, EMAIL, "ada@acme.example.com", by="bob")
    house.ask()
    house.answer_all("ann")
    assert house.verify() == 1
    assert (house.state(ada), house.note(ada)) == ("queued", "found catch_all only")
    house.dispatch("bob")
    house.answer_all("bob")
    assert house.verify() == 1
    assert (house.state(ada), house.note(ada)) == ("accepted", "valid by bob")
    assert house.verify() == 0


def test_a_field_that_is_not_wanted_any_more_is_cancelled(build: Build) -> None:
    house: House = build()
    ada = house.person()
    house.ask()
    house.answer_all()
    fields = {EMAIL: house.sync.fields[EMAIL]}
    house.reopen(replace(house.settings, syncs=(replace(house.sync, fields=fields),)))
    house.verify()
    assert house.job(ada, PHONE) == ("done", "cancelled")
    assert house.job(ada) == ("done", "not_found")


def test_answers_of_a_sync_that_is_gone_do_not_stand_in_the_way(build: Build) -> None:
    house: House = build(fields={EMAIL: ["ann"]})
    for n in range(201):
        house.person(f"Ada{n}")
    house.ask()
    house.answer_all()
    others = replace(house.sync, name="others")
    house.reopen(replace(house.settings, syncs=(others,)))
    bo = house.person("Bo")
    house.ask()
    house.call_back(house.fake.submitted[-1])
    house.verify()
    assert house.job(bo) == ("done", "not_found")
