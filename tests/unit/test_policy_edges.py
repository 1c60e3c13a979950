"""The decision at its edges: one fact more or less, one second earlier or later. Pure."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from syncd.config import Ages, FieldPolicy
from syncd.config.sections import OnDoubt, Prefer
from syncd.contract.model import Candidate, EnrichmentResult, Field, Grade, Identity, Outcome
from syncd.ledger.results import Heard
from syncd.ledger.states import Reason
from syncd.policy import values
from syncd.policy.asking import request_for, unasked
from syncd.policy.decide import Ask, Decision, Facts, Nothing, Opening, Policy, Review, Wait, Write, decide
from syncd.policy.values import Usable
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

WHO = Identity(first_name="Ada", last_name="Test", domain="acme.example.com", country="France")
ELSEWHERE = replace(WHO, domain="other.example")  # first and last name agree, the employer does not
STRANGER = Identity(first_name="Zoltan", last_name="Querfurt", domain="elsewhere.example.org")
MAIL, NUMBER = "ada@acme.example.com", "+33639980123"
EMAIL, PHONE, MOBILE, PROFILE = Field.EMAIL, Field.PHONE, Field.MOBILE, Field.LINKEDIN
NOW, FOUND_FOR, MISSED_FOR, DAY = 1_000_000.0, 500.0, 200.0, 86_400.0
FIELD = FieldPolicy(property="x", also=(), providers=("ann", "bob"), accept=frozenset({Grade.VALID}))


def policy(field: FieldPolicy = FIELD, **more: Any) -> Policy:
    return Policy(sync="people", field=field, ages=lambda _: Ages(found=FOUND_FOR, not_found=MISSED_FOR), **more)


def facts(*heard: Heard, field: Field = EMAIL, **more: Any) -> Facts:
    return Facts(field=field, contact=WHO, now=NOW, heard=heard, **more)


def heard(
    outcome: Outcome = Outcome.FOUND, *texts: str, by: str = "ann", who: Identity = WHO, id_: int = 1, **more: Any
) -> Heard:
    candidates = tuple(Candidate(value=text, grade=Grade.VALID) for text in texts)
    result = EnrichmentResult(request_id="", field=EMAIL, outcome=outcome, candidates=candidates, said=(who,))
    return Heard(id=id_, provider=by, result=result, **{"asked_at": NOW - 10, **more})


def what(wanted: Policy | None, known: Facts) -> Decision:
    return decide(wanted, known)[0]


FIND, MISS = heard(Outcome.FOUND, MAIL), heard(Outcome.NOT_FOUND)


# --- before any answer is looked at -------------------------------------------------------------------


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_what_the_crm_said_stands_until_it_was_looked_at_again(reason: Reason, seconds: float) -> None:
    known = facts(FIND, ended=(reason, "as it ended"), ended_at=50 + seconds, seen_at=50.0)
    said_by_the_crm = reason in {Reason.WRITTEN, Reason.VALUE_KEPT, Reason.GONE, Reason.CLEARED}
    stands = what(policy(), known) == Nothing(reason, "as it ended")
    assert stands is (said_by_the_crm and seconds > 0)
    assert (what(None, known) == Nothing(reason, "as it ended")) is stands, "whoever asks for it"


def test_without_a_sync_nothing_is_done() -> None:
    assert what(None, facts(FIND)) == Nothing(Reason.CANCELLED, "no sync asks for the email of this contact any more")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"selected": None}, Wait),
        ({"selected": False}, Reason.CANCELLED),
        ({"blocked": "opted_out"}, Reason.BLOCKED),
        ({"selected": False, "blocked": "opted_out"}, Reason.CANCELLED),
        ({"lacks": False}, Reason.VALUE_KEPT),
        ({"lacks": False, "ended": (Reason.WRITTEN, "")}, Reason.WRITTEN),
        ({"lacks": False, "ended": (Reason.VALUE_KEPT, "")}, Reason.VALUE_KEPT),
        ({"lacks": False, "ended": (Reason.NOT_FOUND, "")}, Reason.VALUE_KEPT),
        ({"lacks": False, "blocked": "opted_out"}, Reason.BLOCKED),
        ({"lacks": False, "blocked": "opted_out", "refreshing": NOW - 1}, Reason.BLOCKED),
        ({"written": MAIL}, Reason.CLEARED),
        ({"written": MAIL, "lacks": False}, Reason.VALUE_KEPT),
    ],
)
def test_what_is_not_wanted_is_neither_asked_nor_written(more: dict[str, Any], expected: object) -> None:
    decision = what(policy(), facts(FIND, **more))
    assert (decision.reason if isinstance(decision, Nothing) else type(decision)) == expected
    assert isinstance(what(policy(), facts(FIND)), Write)


@pytest.mark.parametrize(("refill", "history", "who"), [(False, True, "a program"), (True, False, "somebody")])
def test_a_cleared_value_of_ours_is_told_from_a_blank(refill: bool, history: bool, who: str) -> None:
    cleared = what(policy(refill=refill), facts(FIND, written=MAIL, history=history))
    assert isinstance(cleared, Nothing)
    assert cleared.note.startswith(who)


def test_with_refill_another_value_may_be_written_and_the_same_one_may_not() -> None:
    both = heard(Outcome.FOUND, MAIL, "ada.test@acme.example.com")
    again = what(policy(refill=True), facts(both, written=MAIL))
    assert isinstance(again, Write)
    assert again.value.text == "ada.test@acme.example.com"
    assert what(policy(refill=True), facts(FIND, written=MAIL.upper())) == Ask(
        "bob", "found a value that was cleared in the CRM"
    )


# --- which answers count ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "counts_for"),
    [
        (Outcome.FOUND, FOUND_FOR),
        (Outcome.NOT_FOUND, MISSED_FOR),
        (Outcome.FAILED, DAY),
        (Outcome.MISSING, None),
        (Outcome.UNRESOLVED, None),
        (Outcome.SKIPPED, None),
    ],
)
def test_an_answer_counts_until_it_is_too_old_to_the_second(outcome: Outcome, counts_for: float | None) -> None:
    texts = ("poor",) if outcome is Outcome.FOUND else ()
    alone = policy(replace(FIELD, providers=("ann",)))
    old = heard(outcome, *texts, asked_at=NOW - (counts_for or NOW))
    assert isinstance(what(alone, facts(old)), Ask if counts_for else Nothing)
    if counts_for:
        fresh = replace(old, asked_at=old.asked_at + 1)
        ended = what(alone, facts(fresh))
        assert isinstance(ended, Nothing)
        assert ended.until == NOW + 1, "and is decided on again when it does not any more"
        assert what(alone, facts(old)) == Ask("ann", "", anew=True)


def test_it_is_decided_again_when_the_first_answer_of_a_provider_in_use_is_too_old() -> None:
    later = heard(Outcome.NOT_FOUND, by="bob", asked_at=NOW - 1)
    former = heard(Outcome.NOT_FOUND, by="eve", asked_at=NOW - 100)
    ended = what(policy(), facts(MISS, later, former))
    assert isinstance(ended, Nothing)
    assert ended.until == NOW - 10 + MISSED_FOR


def test_what_was_asked_before_the_record_became_anothers_does_not_count() -> None:
    assert isinstance(what(policy(), facts(FIND, became_at=NOW - 10)), Write)
    assert what(policy(), facts(FIND, became_at=NOW - 9)) == Ask("ann", "", anew=True)


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (FIND, True),
        (MISS, False),
        (heard(Outcome.FOUND, "poor"), False),
        (heard(Outcome.FOUND, MAIL, who=STRANGER), False),
        (heard(Outcome.FOUND, MAIL, who=ELSEWHERE), True),
        (heard(Outcome.FOUND, MAIL, decision="refused"), True),
        (heard(Outcome.FOUND, MAIL, who=STRANGER, decision="refused"), True),
    ],
)
def test_a_retry_forgets_what_was_in_vain_and_nothing_else(one: Heard, kept: bool) -> None:
    decision = what(policy(), facts(one, retried_at=NOW - 9))
    assert (decision == Ask("ann", "", anew=True)) is not kept
    assert what(policy(), facts(one, retried_at=NOW - 10)) == what(policy(), facts(one))


@pytest.mark.parametrize(("seconds", "counts"), [(0.0, True), (-1.0, False)])
def test_a_value_is_verified_again_by_what_was_said_since(seconds: float, counts: bool) -> None:
    known = facts(
        heard(Outcome.FOUND, MAIL, asked_at=NOW - 10 + seconds), lacks=False, written=MAIL, refreshing=NOW - 10
    )
    verified = what(policy(), known)
    assert verified == (
        Nothing(Reason.WRITTEN, "verified again: valid by ann") if counts else Ask("ann", "", anew=False)
    )


def test_an_answer_of_a_provider_that_is_not_asked_any_more_is_not_written() -> None:
    former = heard(Outcome.FOUND, MAIL, by="eve")
    assert what(policy(), facts(former)) == Ask("ann", "found ")
    assert isinstance(what(policy(), facts(former, FIND)), Write)
    came_along = facts(heard(Outcome.FOUND, NUMBER, by="eve"), field=MOBILE)
    assert isinstance(what(policy(replace(FIELD, mobile="m")), came_along), Write), "what came along is kept"


# --- doubt --------------------------------------------------------------------------------------------

DOUBTFUL = heard(Outcome.FOUND, MAIL, who=ELSEWHERE)


def test_of_two_doubtful_values_the_first_one_is_looked_at() -> None:
    other = heard(Outcome.FOUND, "ada.test@other.example", by="bob", who=ELSEWHERE, id_=2)
    first = what(policy(), facts(DOUBTFUL, other))
    assert isinstance(first, Review)
    assert (first.result_id, first.waits) == (1, True)
    last = what(policy(on_doubt=OnDoubt.NEXT), facts(DOUBTFUL, other))
    assert isinstance(last, Review)
    assert (last.result_id, last.waits) == (1, False)


def test_a_stranger_s_value_is_accepted_by_no_policy() -> None:
    strange = heard(Outcome.FOUND, MAIL, who=STRANGER)
    for on_doubt in OnDoubt:
        assert isinstance(what(policy(on_doubt=on_doubt), facts(strange)), Ask)


def test_a_shared_answer_comes_with_its_doubt_unless_a_person_has_decided() -> None:
    shared = replace(FIND, doubt="asked for another record")
    assert isinstance(what(policy(), facts(shared)), Review)
    assert isinstance(what(policy(), facts(replace(shared, decision="accepted"))), Write)


def test_the_doubt_of_a_shared_answer_makes_a_stranger_s_value_no_better() -> None:
    strange = heard(Outcome.FOUND, MAIL, who=STRANGER, doubt="asked for another record")
    assert isinstance(what(policy(), facts(strange)), Ask)


def test_whom_a_miss_speaks_of_does_not_matter() -> None:
    alone = policy(replace(FIELD, providers=("ann",)))
    ended = what(alone, facts(heard(Outcome.NOT_FOUND, who=STRANGER)))
    assert ended == Nothing(Reason.NOT_FOUND, "not found", NOW - 10 + MISSED_FOR)


# --- whom to ask, or why nobody -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opening", "outcome", "expected"),
    [
        (Opening.NONE, Outcome.NOT_FOUND, Ask("bob", "not found")),
        (Opening.WAY, Outcome.NOT_FOUND, Ask("ann", "not found")),
        (Opening.MORE, Outcome.NOT_FOUND, Ask("ann", "not found", anew=True)),
        (Opening.MORE, Outcome.SKIPPED, Ask("ann", "skipped", anew=True)),
        (Opening.WAY, Outcome.MISSING, Ask("bob", "missing")),
        (Opening.MORE, Outcome.FAILED, Ask("bob", "failed")),
    ],
)
def test_the_same_provider_is_asked_differently_only_where_it_found_nobody(
    opening: Opening, outcome: Outcome, expected: Ask
) -> None:
    known = facts(heard(outcome), opening=lambda name: opening if name == "ann" else Opening.NONE)
    assert what(policy(), known) == expected


@pytest.mark.parametrize("then", [Outcome.NOT_FOUND, Outcome.FAILED])
def test_that_too_little_was_known_says_nothing_once_the_provider_was_asked_all_the_same(then: Outcome) -> None:
    """The e-mail that it needs was typed in later: when its miss counts no more, it is asked again."""
    lapsed = NOW - max(MISSED_FOR, DAY)
    alone = policy(replace(FIELD, providers=("ann",)))
    skipped = heard(Outcome.SKIPPED, asked_at=lapsed - 10)
    asked = heard(then, asked_at=lapsed - 5, id_=2)
    assert what(alone, facts(skipped, asked)) == Ask("ann", "", anew=True)
    skipped_since = replace(skipped, asked_at=lapsed, id=3)
    assert what(alone, facts(asked, skipped_since)) == Nothing(Reason.REJECTED, "skipped")
    by_another = heard(then, asked_at=lapsed - 5, by="bob", id_=2)
    assert what(alone, facts(skipped, by_another)) == Nothing(Reason.REJECTED, "skipped")


def test_a_provider_that_has_said_nothing_so_far_is_not_asked_anew() -> None:
    assert what(policy(), facts(opening=lambda _: Opening.MORE)) == Ask("ann", "")
    twice = facts(MISS, heard(Outcome.FOUND, "poor", id_=2), opening=lambda _: Opening.WAY)
    assert what(policy(), twice) == Ask("bob", "found not a valid e-mail address"), "it has found somebody, too"


def test_of_several_values_it_is_said_what_speaks_against_those_that_are_not_usable() -> None:
    """Of a provider that is not asked any more; another one's turn has come."""
    two = (Candidate(value=MAIL, grade=Grade.VALID), Candidate(value="b@acme.example.com", grade=Grade.PROBABLE))
    former = replace(FIND, provider="former", result=replace(FIND.result, candidates=two))
    assert what(policy(), facts(former)) == Ask("ann", "found probable only")
    both = (*two, Candidate(value="c@acme.example.com", grade=Grade.CATCH_ALL))
    former = replace(former, result=replace(FIND.result, candidates=both))
    assert what(policy(), facts(former)) == Ask("ann", "found catch_all only, probable only")


def test_a_value_that_only_the_crm_does_not_take_is_not_bought_elsewhere() -> None:
    told = {MAIL: (Reason.DUPLICATE, 5.0), "old@acme.example.com": (Reason.WRITE_REFUSED, 4.0)}
    ended = what(policy(), facts(FIND, refused=told))
    assert ended == Nothing(Reason.DUPLICATE, "the CRM does not take the value that was found")
    newest = {**told, "old@acme.example.com": (Reason.WRITE_REFUSED, 6.0)}
    assert what(policy(), facts(FIND, refused=newest)) == replace(ended, reason=Reason.WRITE_REFUSED)
    assert what(policy(), facts(MISS, refused=told)) == Ask("bob", "not found")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((heard(Outcome.FOUND, MAIL, decision="refused"), heard(Outcome.FOUND, MAIL, who=STRANGER)), Reason.REFUSED),
        ((heard(Outcome.FOUND, MAIL, who=STRANGER), heard(Outcome.FOUND, "poor")), Reason.MISMATCH),
        ((heard(Outcome.FOUND, "poor"), heard(Outcome.UNRESOLVED)), Reason.LOW_QUALITY),
        ((heard(Outcome.MISSING), heard(Outcome.UNRESOLVED)), Reason.DOUBT_EXPIRED),
        ((heard(Outcome.FAILED), heard(Outcome.MISSING)), Reason.NO_CALLBACK),
        ((heard(Outcome.SKIPPED), heard(Outcome.FAILED)), Reason.UNDETERMINED),
        ((heard(Outcome.SKIPPED), heard(Outcome.NOT_FOUND)), Reason.NOT_FOUND),
        ((heard(Outcome.SKIPPED),), Reason.REJECTED),
    ],
)
def test_of_several_reasons_the_one_that_says_most_is_told(answers: Sequence[Heard], reason: Reason) -> None:
    alone = policy(replace(FIELD, providers=("ann",)))
    ended = what(alone, facts(*answers))
    assert isinstance(ended, Nothing)
    assert ended.reason is reason


def test_with_nobody_to_ask_nothing_was_found() -> None:
    assert what(policy(replace(FIELD, providers=())), facts()) == Nothing(Reason.NOT_FOUND, "")


# --- values for other properties ----------------------------------------------------------------------

PHONES = replace(FIELD, mobile="mobile_phone")
LANDLINE = "+33142685300"


def test_a_mobile_number_goes_to_its_own_property_and_what_is_left_comes_along() -> None:
    numbers = (NUMBER, LANDLINE)
    for prefer, found in itertools.product(Prefer, (numbers, numbers[::-1])):
        both = what(policy(replace(PHONES, prefer=prefer)), facts(heard(Outcome.FOUND, *found), field=PHONE))
        assert isinstance(both, Write)
        assert (both.value.text, both.value.field) == (LANDLINE, PHONE)
        assert [(one.text, one.field) for one in both.brings] == [(NUMBER, MOBILE)]
    alone = what(policy(PHONES), facts(heard(Outcome.FOUND, NUMBER), field=PHONE))
    assert isinstance(alone, Write)
    assert (alone.value.field, alone.brings) == (MOBILE, ())


def test_without_a_property_of_its_own_a_mobile_number_is_a_phone() -> None:
    written = what(policy(), facts(heard(Outcome.FOUND, NUMBER), field=PHONE))
    assert isinstance(written, Write)
    assert written.value.field is PHONE


def test_the_mobile_property_takes_mobile_numbers_alone() -> None:
    lines = heard(Outcome.FOUND, LANDLINE, NUMBER)
    mobile = what(policy(PHONES), facts(lines, field=MOBILE))
    assert isinstance(mobile, Write)
    assert mobile.value.text == NUMBER
    none = what(policy(PHONES), facts(heard(Outcome.FOUND, LANDLINE), field=MOBILE))
    assert none == Nothing(Reason.CANCELLED, "no answer brings it any more")


def test_a_profile_is_written_where_the_answer_is_surely_the_contact_s() -> None:
    profile = "https://www.linkedin.com/in/ada-test"
    known = heard(Outcome.FOUND, MAIL, who=replace(WHO, linkedin_url=profile))
    wanted = what(policy(), facts(known, field=PROFILE))
    assert isinstance(wanted, Write)
    assert (wanted.value.text, wanted.value.field) == (profile, PROFILE)
    nothing = Nothing(Reason.CANCELLED, "no answer brings it any more")
    doubtful = heard(Outcome.FOUND, MAIL, who=replace(ELSEWHERE, linkedin_url=profile))
    for other in (FIND, doubtful, heard(Outcome.FOUND, who=replace(WHO, linkedin_url=profile))):
        assert what(policy(), facts(other, field=PROFILE)) == nothing


# --- what is usable -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("prefer", "first"), [(Prefer.MOBILE, NUMBER), (Prefer.FIRST, LANDLINE)])
def test_of_two_numbers_the_preferred_kind_goes_first(prefer: Prefer, first: str) -> None:
    found = [Candidate(value=text, grade=Grade.VALID) for text in ("nonsense", LANDLINE, NUMBER)]
    judged = values.judge(PHONE, found, WHO, replace(FIELD, prefer=prefer))
    assert judged[0].value is not None
    assert judged[0].value.text == first
    assert judged[-1].value is None


@pytest.mark.parametrize(
    ("field", "text", "kinds", "usable"),
    [
        (EMAIL, MAIL, {"work"}, True),
        (EMAIL, MAIL, {"personal"}, False),
        (EMAIL, "ada@gmail.com", {"personal"}, True),
        (EMAIL, "ada@gmail.com", {"work"}, False),
        (PHONE, NUMBER, {"mobile"}, True),
        (PHONE, NUMBER, {"fixed"}, False),
        (PHONE, LANDLINE, {"fixed"}, True),
        (PHONE, LANDLINE, {"mobile"}, False),
        (PHONE, "+12125550123", {"fixed"}, True),  # of either kind
        (PHONE, "+12125550123", {"mobile"}, True),
        (PHONE, "+12125550123", {"voip"}, False),
    ],
)
def test_only_the_wanted_kinds_are_usable(field: Field, text: str, kinds: set[str], usable: bool) -> None:
    (one,) = values.judge(
        field, [Candidate(value=text, grade=Grade.VALID)], WHO, replace(FIELD, kinds=frozenset(kinds))
    )
    assert isinstance(one.value, Usable) is usable
    assert bool(one.why) is not usable


@pytest.mark.parametrize(
    ("field", "one", "other", "country", "equal"),
    [
        (PROFILE, "https://www.linkedin.com/in/Ada/", " https://www.linkedin.com/in/ada", None, True),
        (PROFILE, "https://www.linkedin.com/in/ada", "https://www.linkedin.com/in/bo", None, False),
        (PHONE, "06 39 98 01 23", NUMBER, "France", True),
        (PHONE, "06 39 98 01 24", NUMBER, "France", False),
        (MOBILE, "+33 6 39 98 01 23", NUMBER, None, True),
        (EMAIL, f" {MAIL} ", MAIL, None, True),
        (EMAIL, "", MAIL, None, False),
    ],
)
def test_the_same_value_in_other_words(field: Field, one: str, other: str, country: str | None, equal: bool) -> None:
    assert values.same(field, one, other, replace(WHO, country=country)) is equal


def test_a_number_is_read_by_the_employer_s_country_where_the_contact_has_none() -> None:
    who = replace(WHO, country=None, employer_country="France")
    (one,) = values.judge(PHONE, [Candidate(value="06 39 98 01 23", grade=Grade.VALID)], who, FIELD)
    assert one.value is not None
    assert one.value.text == NUMBER
    assert values.same(PHONE, "06 39 98 01 23", NUMBER, who)


@pytest.mark.parametrize(("free", "ways_left"), [(True, ["profile", "name"]), (False, ["profile"])])
def test_a_second_way_is_open_only_where_a_miss_costs_nothing(free: bool, ways_left: list[str]) -> None:
    capabilities = replace(CAPABILITIES, bills_finds_only=free)
    ways = {"profile": ["linkedin_url"], "name": ["last_name"]}
    ann = FakeProvider("ann", capabilities=capabilities, ways=ways)
    request = request_for(EMAIL, replace(WHO, linkedin_url="https://www.linkedin.com/in/ada-test"))
    assert [question.way for question in unasked(ann, request, ())] == ways_left
    assert [question.way for question in unasked(ann, request, {"profile"})] == ways_left[1:]
