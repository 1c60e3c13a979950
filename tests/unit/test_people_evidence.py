"""The table of evidence: what is in it, and that a new kind is one entry, for records and for answers."""

from dataclasses import fields

import pytest

from syncd.people import answers, evidence
from syncd.people.answers import Verdict
from syncd.people.evidence import EVIDENCE, STRONG, Evidence, Sameness, Weight
from syncd.people.identity import Identity

PROFILE = "https://www.linkedin.com/in/ada-stone"
ADA = Identity(first_name="Ada", last_name="Stone", company="Acme", domain="acme.example")
TAX = Evidence(
    "tax number", Weight.STRONG, lambda known: tuple(one for one in known.others if one.startswith("tax:"))
)  # fmt: skip


def who(**parts: object) -> Identity:
    return Identity(**{"first_name": "Ada", "last_name": "Stone", **parts})  # type: ignore[arg-type]


def test_new_evidence_is_one_entry_for_records_and_for_answers() -> None:
    one, other = who(others=("tax:42",)), who(others=("tax:42",), company="Birch")
    assert evidence.compare(one, other, one_crm=True).verdict is Sameness.UNKNOWN
    assert evidence.compare(one, other, one_crm=True, table=(*EVIDENCE, TAX)).verdict is Sameness.SAME
    said = who(others=("tax:43",))
    assert answers.about(one, [said]).verdict is Verdict.SAME
    judged = answers.about(one, [said], table=(*STRONG, TAX))
    assert (judged.verdict, judged.contradicts) == (Verdict.DOUBTFUL, ("another tax number",))
    assert answers.about(one, [one], table=(*STRONG, TAX)).agrees[-1] == "the tax number"


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (who(linkedin_url=PROFILE), who(linkedin_url=PROFILE + "-2"), "profile"),
        (who(email="ada@acme.example"), who(email="stone@acme.example"), "work mailbox"),
        (who(country="France"), who(country="DE"), "country"),
        (who(phones=("+33639980012",)), who(phones=("+33639980013",)), "mobile number"),
    ],
)
def test_a_contradiction_is_a_veto_for_a_name_at_an_employer(one: Identity, other: Identity, why: str) -> None:
    at_acme = [Identity(**{**_parts(x), "company": "Acme", "domain": "acme.example"}) for x in (one, other)]  # type: ignore[arg-type]
    compared = evidence.compare(*at_acme, one_crm=False)
    assert (compared.verdict, compared.contradicts) == (Sameness.DIFFERENT, (why,))
    assert evidence.compare(at_acme[0], ADA, one_crm=False).verdict is Sameness.SAME, "what is not known is no veto"


def _parts(identity: Identity) -> dict[str, object]:
    return {name: getattr(identity, name) for name in (one.name for one in fields(identity))}


def test_a_mailbox_outweighs_another_profile() -> None:
    one, other = (who(linkedin_url=url, email="ada@acme.example") for url in (PROFILE, PROFILE + "-new"))
    assert evidence.compare(one, other, one_crm=True).verdict is Sameness.SAME


def test_a_member_id_may_be_the_same_profile_as_a_handle() -> None:
    member = "https://www.linkedin.com/in/ACwAAB12345678"
    one, other = (Identity(**{**_parts(ADA), "linkedin_url": url}) for url in (PROFILE, member))  # type: ignore[arg-type]
    assert evidence.compare(one, other, one_crm=False).verdict is Sameness.SAME
    assert answers.about(one, [other]).verdict is Verdict.SAME
    assert evidence.contradictions(one, Identity(linkedin_url=PROFILE + "-2")) == ("profile",)


@pytest.mark.parametrize(
    ("before", "now", "another"),
    [
        (who(linkedin_url=PROFILE), Identity(first_name="Bob", last_name="Birch", linkedin_url=PROFILE), True),
        (who(), who(last_name="Brook"), True),
        (who(email="ada@acme.example"), who(last_name="Brook", email="ada@acme.example"), False),
        (who(company="Acme"), who(company="Birch"), False),
        (who(), who(linkedin_url=PROFILE), False),
        (Identity(linkedin_url=PROFILE), Identity(linkedin_url=PROFILE + "-2"), True),
        (Identity(linkedin_url=PROFILE), who(linkedin_url=PROFILE), False),
    ],
    ids=["hand-over", "surname", "marriage", "job change", "more known", "another profile alone", "a name comes"],
)
def test_when_a_record_is_about_somebody_else(before: Identity, now: Identity, another: bool) -> None:
    assert evidence.became_another(before, now) is another


def test_what_identifies_nobody_is_neither_told_nor_compared() -> None:
    known = who(linkedin_url=PROFILE, email="info@acme.example", emails=("info@acme.example", "shared@acme.example"))
    usable = evidence.usable(known, [PROFILE, "shared@acme.example"])
    assert (usable.linkedin_url, usable.email, usable.emails) == (None, None, ())


def test_another_profile_outweighs_a_mailbox_where_no_name_can_be_compared() -> None:
    nameless = Identity(linkedin_url=PROFILE, email="ada@acme.example")
    said = Identity(linkedin_url=PROFILE + "-2", email="ada@acme.example")
    assert answers.about(nameless, [said]).verdict is Verdict.DOUBTFUL
    assert answers.about(nameless, [Identity(linkedin_url=PROFILE, email="a@birch.example")]).verdict is Verdict.SAME


def test_a_profile_that_identifies_nobody_still_contradicts_another_one() -> None:
    ada = evidence.usable(Identity(**{**_parts(ADA), "linkedin_url": PROFILE}), [PROFILE])  # type: ignore[arg-type]
    judged = answers.about(ada, [Identity(**{**_parts(ADA), "linkedin_url": PROFILE + "-2"})])  # type: ignore[arg-type]
    assert (judged.verdict, judged.contradicts) == (Verdict.DOUBTFUL, ("another profile",))
    same = answers.about(ada, [Identity(**{**_parts(ADA), "linkedin_url": PROFILE})])  # type: ignore[arg-type]
    assert (same.verdict, same.proven) == (Verdict.SAME, False)
