"""Verify: what is good enough, in the waterfall's order, and why the rest is not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from syncd.config import Ages, FieldPolicy
from syncd.config.sections import OnDoubt
from syncd.contract.model import Candidate, EnrichmentResult, Field, Grade, Identity, Outcome
from syncd.ledger.results import Heard
from syncd.ledger.states import Reason
from syncd.policy.decide import Ask, Decision, Facts, Nothing, Opening, Policy, Review, Write
from syncd.policy.decide import decide as decide_on
from syncd.policy.values import Usable, same
from tests.contract.fake_provider import STRANGER, FakeProvider

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness

WHO = Identity(first_name="Ada", last_name="Test", domain="acme.example.com", country="France")


NOW = 1_000.0
DAY = 86_400.0


def policy(*providers: str, accept: Sequence[Grade] = (Grade.VALID,)) -> FieldPolicy:
    return FieldPolicy(property="x", also=(), providers=providers, accept=frozenset(accept))


def said(outcome: Outcome, *candidates: Candidate, who: Identity = WHO, note: str = "") -> EnrichmentResult:
    """`who`: whom the answer speaks of."""
    return EnrichmentResult(
        request_id="", field=EMAIL, outcome=outcome, candidates=candidates, said=(who,), note=note
    )  # fmt: skip


def found(value: str, grade: Grade = Grade.VALID, **more: object) -> EnrichmentResult:
    return said(Outcome.FOUND, Candidate(value=value, grade=grade), **more)  # type: ignore[arg-type]


def heard(provider: str, *results: EnrichmentResult, asked_at: float = NOW, **more: Any) -> list[Heard]:
    return [
        Heard(id=n, provider=provider, result=result, asked_at=asked_at, **more) for n, result in enumerate(results, 1)
    ]


def decide(
    answers: Sequence[Heard],
    field_policy: FieldPolicy,
    *,
    field: Field = EMAIL,
    who: Identity = WHO,
    became_at: float = 0.0,
    open_ways: Sequence[str] = (),
    on_doubt: OnDoubt = OnDoubt.REVIEW,
    silent: Sequence[str] = (),
) -> Decision:
    """`open_ways`: providers that could be asked in another way."""
    facts = Facts(
        field=field, contact=who, became_at=became_at, heard=answers, now=NOW,
        opening=lambda name: Opening.WAY if name in open_ways else Opening.NONE,
    )  # fmt: skip
    ages = Ages(found=90 * DAY, not_found=90 * DAY)
    policy = Policy(
        sync="people", field=field_policy, ages=lambda _: ages, on_doubt=on_doubt, silent=frozenset(silent)
    )  # fmt: skip
    return decide_on(policy, facts)[0]


def judge(
    *results: EnrichmentResult, field: Field = EMAIL, who: Identity = WHO, accept: Sequence[Grade] = (Grade.VALID,)
) -> Decision:
    """With one provider, which has said all this."""
    return decide(heard("ann", *results), policy("ann", accept=accept), field=field, who=who)


def outcome_of(what: Decision) -> tuple[str, str] | Decision:
    """(value, note) of what is accepted."""
    return (what.value.text, what.note) if isinstance(what, Write) else what


# --- grades -----------------------------------------------------------------------------------


@pytest.mark.parametrize("grade", list(Grade))
def test_only_the_accepted_grades_are_written(grade: Grade) -> None:
    by_default = judge(found("ada@acme.example.com", grade))
    assert isinstance(by_default, Write) is (grade is Grade.VALID)
    assert isinstance(judge(found("ada@acme.example.com", grade), accept=[grade]), Write)
    if grade is not Grade.VALID:
        assert by_default == Nothing(Reason.LOW_QUALITY, f"found {grade} only", until=NOW + 90 * DAY)


def test_the_first_acceptable_candidate_is_taken_not_the_first() -> None:
    result = said(
        Outcome.FOUND,
        Candidate(value="no address", grade=Grade.VALID),
        Candidate(value="info@acme.example.com", grade=Grade.CATCH_ALL),
        Candidate(value="ada@acme.example.com", grade=Grade.VALID),
    )
    assert outcome_of(judge(result)) == ("ada@acme.example.com", "valid by ann")


# --- the waterfall ----------------------------------------------------------------------------


def test_the_order_of_the_waterfall_decides_not_the_order_of_the_answers() -> None:
    both = [*heard("bob", found("bob@b.test")), *heard("ann", found("ann@a.test"))]
    nobody = replace(WHO, domain=None)
    assert outcome_of(decide(both, policy("ann", "bob"), who=nobody)) == ("ann@a.test", "valid by ann")


@pytest.mark.parametrize(
    "first",
    [
        said(Outcome.NOT_FOUND),
        said(Outcome.MISSING),
        said(Outcome.UNRESOLVED),
        said(Outcome.FAILED),
        said(Outcome.SKIPPED),
        found("ada@acme.example.com", Grade.CATCH_ALL),
        found("ada@acme.example.com", who=STRANGER),
    ],
    ids=lambda r: r.outcome,
)
def test_whatever_is_not_acceptable_gives_the_next_one_its_turn(first: EnrichmentResult) -> None:
    what = decide(heard("ann", first), policy("ann", "bob", "cid"))
    assert isinstance(what, Ask)
    assert what.provider == "bob"


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([said(Outcome.NOT_FOUND)], Reason.NOT_FOUND),
        ([said(Outcome.SKIPPED)], Reason.REJECTED),
        ([said(Outcome.SKIPPED), said(Outcome.NOT_FOUND)], Reason.NOT_FOUND),
        ([said(Outcome.MISSING), said(Outcome.NOT_FOUND)], Reason.NO_CALLBACK),
        ([said(Outcome.UNRESOLVED), said(Outcome.MISSING)], Reason.DOUBT_EXPIRED),
        ([said(Outcome.FAILED)], Reason.UNDETERMINED),
        ([said(Outcome.FAILED), said(Outcome.NOT_FOUND)], Reason.UNDETERMINED),
        ([found("x@y.test", Grade.INVALID), said(Outcome.MISSING)], Reason.LOW_QUALITY),
        ([found("x@y.test", who=STRANGER), said(Outcome.NOT_FOUND)], Reason.MISMATCH),
    ],
)
def test_the_reason_says_what_kept_it_from_being_found(results: list[EnrichmentResult], reason: Reason) -> None:
    what = judge(*results)
    assert isinstance(what, Nothing)
    assert what.reason is reason
    assert what.note


def test_the_note_says_what_the_provider_said() -> None:
    assert judge(said(Outcome.SKIPPED, note="no such profile")) == Nothing(Reason.REJECTED, "no such profile")
    stranger = judge(found("x@y.test", who=STRANGER))
    assert isinstance(stranger, Nothing)
    assert stranger.reason is Reason.MISMATCH
    assert stranger.note.startswith("the answer speaks of another person: ")


def test_a_find_about_somebody_else_is_never_accepted_but_a_right_one_beside_it_is() -> None:
    wrong, right = found("bob@b.test", who=STRANGER), found("ada@acme.example.com")
    assert outcome_of(judge(wrong, right)) == ("ada@acme.example.com", "valid by ann")


# --- whose it is ------------------------------------------------------------------------------

ELSEWHERE = replace(WHO, domain="other.example")  # first and last name agree, the employer does not
VALUE = Usable(text="ada@acme.example.com", field=EMAIL, kind="work")


@pytest.mark.parametrize(("on_doubt", "kind"), [(OnDoubt.REVIEW, Review), (OnDoubt.NEXT, Ask), (OnDoubt.ACCEPT, Write)])
def test_what_is_doubtful_goes_the_way_that_the_operator_chose(on_doubt: OnDoubt, kind: type[Decision]) -> None:
    answers = heard("ann", found("ada@acme.example.com", who=ELSEWHERE))
    assert isinstance(decide(answers, policy("ann", "bob"), on_doubt=on_doubt), kind)


def test_a_doubtful_value_waits_for_a_person_before_anybody_else_is_paid() -> None:
    what = decide(heard("ann", found("ada@acme.example.com", who=ELSEWHERE)), policy("ann", "bob"))
    assert what == Review(VALUE, 1, "another employer", waits=True)


@pytest.mark.parametrize(("until", "kind"), [(None, Review), (NOW + 1, Review), (NOW, Ask)])
def test_nobody_decided_in_time_so_that_the_next_one_is_asked(until: float | None, kind: type[Decision]) -> None:
    answers = heard("ann", found("ada@acme.example.com", who=ELSEWHERE), until=until)
    assert isinstance(decide(answers, policy("ann", "bob")), kind)


def test_what_is_still_in_doubt_at_the_end_waits_for_a_person_all_the_same() -> None:
    answers = [*heard("ann", found("ada@acme.example.com", who=ELSEWHERE)), *heard("bob", said(Outcome.NOT_FOUND))]
    what = decide(answers, policy("ann", "bob"), on_doubt=OnDoubt.NEXT)
    assert what == Review(VALUE, 1, "another employer", waits=False)


def test_a_sure_value_goes_before_a_doubtful_one() -> None:
    answers = [*heard("ann", found("a@acme.example.com", who=ELSEWHERE)), *heard("bob", found("b@acme.example.com"))]
    assert outcome_of(decide(answers, policy("ann", "bob"))) == ("b@acme.example.com", "valid by bob")


@pytest.mark.parametrize(
    ("decision", "expected"),
    [("accepted", ("ada@acme.example.com", "valid by ann")), ("refused", Reason.REFUSED)],
)
def test_a_person_s_decision_counts(decision: str, expected: object) -> None:
    what = decide(heard("ann", found("ada@acme.example.com", who=ELSEWHERE), decision=decision), policy("ann"))
    assert (what.reason if isinstance(what, Nothing) else outcome_of(what)) == expected


@pytest.mark.parametrize(("silent", "kind"), [((), Review), (("ann",), Write)])
def test_silence_is_doubtful_where_the_provider_usually_says_whom_it_found(
    silent: Sequence[str], kind: type[Decision]
) -> None:
    answers = heard("ann", found("ada@acme.example.com", who=Identity()))
    assert isinstance(decide(answers, policy("ann"), silent=silent), kind)


def test_a_doubt_that_came_with_a_shared_answer_is_gone_once_profile_or_mailbox_prove_it() -> None:
    profile = "https://www.linkedin.com/in/ada-test-example"
    doubt = "it was asked in the same words for another record"
    plain = decide(heard("ann", found("ada@acme.example.com"), doubt=doubt), policy("ann"))
    assert plain == Review(VALUE, 1, doubt, waits=True)
    known = replace(WHO, linkedin_url=profile)
    proven = heard("ann", found("ada@acme.example.com", who=known), doubt=doubt)
    assert isinstance(decide(proven, policy("ann"), who=known), Write)


def test_what_was_said_of_the_person_before_counts_for_nothing_once_the_record_is_about_another() -> None:
    former = heard("ann", found("ada@acme.example.com"), asked_at=NOW - 2)
    what = decide(former, policy("ann", "bob"), became_at=NOW - 1)
    assert what == Ask("ann", "", anew=True)
    assert isinstance(decide(former, policy("ann", "bob"), became_at=NOW - 2), Write)


def test_a_provider_that_found_nobody_is_asked_in_its_other_way_before_the_next_one() -> None:
    missed = heard("ann", said(Outcome.NOT_FOUND))
    assert decide(missed, policy("ann", "bob"), open_ways=["ann"]) == Ask("ann", "not found")
    assert decide(missed, policy("ann", "bob"), open_ways=["bob"]) == Ask("bob", "not found")


@pytest.mark.parametrize(
    "first",
    [found("ada@acme.example.com", Grade.CATCH_ALL), found("a@b.test", who=STRANGER)],
    ids=["a poor find", "a stranger"],
)
def test_a_provider_that_said_anything_else_is_not_asked_in_another_way(first: EnrichmentResult) -> None:
    what = decide(heard("ann", first), policy("ann", "bob"), open_ways=["ann", "bob"])
    assert isinstance(what, Ask)
    assert what.provider == "bob"


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
    assert (what.value.text if isinstance(what, Write) else None) == written


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
    what = judge(found(value), field=PHONE, who=replace(WHO, country=country))
    assert (what.value.text if isinstance(what, Write) else None) == written


def test_the_providers_region_goes_before_the_crms_country() -> None:
    result = said(Outcome.FOUND, Candidate(value="07700 900123", grade=Grade.VALID, region="GB"))
    assert outcome_of(judge(result, field=PHONE)) == ("+447700900123", "valid by ann, not in the numbering plan")


@pytest.mark.parametrize(
    ("value", "remark"),
    [
        ("ada@acme.example.com", ""),
        ("ada@gmail.com", ", a personal address"),
        ("ada@former.example.com", ", on another domain than the company's"),
    ],
)
def test_what_is_odd_about_an_address_is_said(value: str, remark: str) -> None:
    assert outcome_of(judge(found(value))) == (value, f"valid by ann{remark}")
    jobless = replace(WHO, domain=None)
    expected = (value, f"valid by ann{remark if 'personal' in remark else ''}")
    assert outcome_of(judge(found(value), who=jobless)) == expected


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
    harness = build(providers=[ann, bob], fields={EMAIL: ["ann", "bob"]})
    ada = harness.person()
    harness.finds(ada, EMAIL, "ada@acme.example.com", grade=Grade.CATCH_ALL, by="ann")
    harness.finds(ada, EMAIL, "ada@acme.example.com", by="bob")
    harness.ask()
    harness.answer_all("ann")
    assert harness.verify() == 1
    assert (harness.state(ada), harness.note(ada)) == ("queued", "found catch_all only")
    harness.dispatch("bob")
    harness.answer_all("bob")
    assert harness.verify() == 1
    assert (harness.state(ada), harness.note(ada)) == ("accepted", "valid by bob")
    assert harness.verify() == 0


def test_a_field_that_is_not_wanted_any_more_is_cancelled(build: Build) -> None:
    harness: Harness = build()
    ada = harness.person()
    harness.ask()
    harness.answer_all()
    fields = {EMAIL: harness.sync.fields[EMAIL]}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields=fields),)))
    harness.pull()
    harness.verify()
    assert harness.job(ada, PHONE) == ("done", "cancelled")
    assert harness.job(ada) == ("done", "not_found")


def test_answers_of_a_sync_that_is_gone_do_not_stand_in_the_way(build: Build) -> None:
    harness: Harness = build(fields={EMAIL: ["ann"]})
    for n in range(201):
        harness.person(f"Ada{n}")
    harness.ask()
    harness.answer_all()
    others = replace(harness.sync, name="others")
    harness.reopen(replace(harness.settings, syncs=(others,)))
    bo = harness.person("Bo")
    harness.ask()
    harness.call_back(harness.fake.submitted[-1])
    harness.verify()
    assert harness.job(bo) == ("done", "not_found")
