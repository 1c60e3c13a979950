"""What FullEnrich's results say. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.contract.errors import Garbled
from syncd.contract.model import (
    CONTACT_EVENT,
    Answer,
    Candidate,
    EnrichmentResult,
    Field,
    Grade,
    Identity,
    Outcome,
    Source,
    Submission,
)
from syncd.contract.testing.samples import (
    ADA,
    BOTH,
    BY_COMPANY,
    BY_NAME,
    EMAIL,
    PHONE,
    PROFILE,
    delivery,
    person,
    several,
)
from syncd.contract.testing.samples import request as ask
from syncd.contract.testing.samples import submission as sub

from .fullenrich_said import BLANK, FOUND, JOB, Made, envelope, item, make, numbers, work


def parse(body: object, what: Submission | None = None, source: Source = Source.CALLBACK, part: str = "") -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().parse(delivery(raw, source, part=part), what or sub())


def refused(body: object, what: Submission | None = None, source: Source = Source.CALLBACK) -> Decimal | None:
    """What a body that is set aside says was charged."""
    with pytest.raises(Garbled) as caught:
        parse(body, what, source)
    return caught.value.charged


def result(body: object, identity: Identity = ADA, fields: tuple[Field, ...] = EMAIL) -> EnrichmentResult:
    (only,) = parse(body, sub(ask(identity, fields))).results
    return only


def outcomes(answer: Answer) -> dict[str, Outcome]:
    return {f"{r.request_id} {r.field}": r.outcome for r in answer.results}


def test_case_02_contact_left_out_by_silent_fail_is_skipped() -> None:
    answer = parse(envelope(item("attempt-0", FOUND), item("attempt-1")), several([ADA, BY_NAME], EMAIL))
    assert outcomes(answer) == {"attempt-0 email": Outcome.FOUND, "attempt-1 email": Outcome.SKIPPED}
    left_out = {"custom": {"attempt_id": "attempt-1"}, "contact_info": None}
    assert result(envelope(left_out, credits_used=0)).outcome is Outcome.SKIPPED


def test_found_email_and_phone() -> None:
    info = work(("ada@acme.example.com", "DELIVERABLE")) | numbers({"number": "+44 7700 900123", "region": "GB"})
    answer = parse(envelope(item(info=info), credits_used=11), sub(ask(ADA, BOTH)))
    assert (answer.final, answer.running, answer.charged, answer.provider_id) == (True, False, Decimal(11), JOB)
    email, phone = answer.results
    assert (email.outcome, phone.outcome) == (Outcome.FOUND, Outcome.FOUND)
    assert email.candidates == (Candidate(value="ada@acme.example.com", grade=Grade.VALID, word="DELIVERABLE"),)
    assert phone.candidates == (Candidate(value="+44 7700 900123", grade=Grade.VALID, region="GB"),)


V1_BLANK = {
    "most_probable_email": "",
    "most_probable_email_status": "",
    "most_probable_phone": "",
    "emails": [],
    "phones": [],
}


def v1(contact_: object, status: str = "FINISHED") -> Made:
    return {"id": JOB, "status": status, "datas": [{"custom": {"attempt_id": "attempt-1"}, "contact": contact_}]}


def test_v1_result() -> None:
    body = v1(
        {
            "firstname": "Ada",
            "lastname": "Example",
            "domain": "acme.example.com",
            "most_probable_email": "ada@acme.example.com",
            "most_probable_email_status": "CATCH_ALL",
            "most_probable_phone": "+44 7700 900123",
            "emails": [{"email": "ada@acme.example.com", "status": "CATCH_ALL"}],
            "phones": [{"number": "+447700900123", "region": "GB"}],
            "social_medias": [{"url": "x", "type": "LINKEDIN"}],
            "profile": {"linkedin_url": PROFILE},
        }
    )
    email, phone = parse(body, sub(ask(ADA, BOTH))).results
    assert [(c.value, c.grade) for c in email.candidates] == [("ada@acme.example.com", Grade.CATCH_ALL)]
    assert [(c.value, c.region) for c in phone.candidates] == [("+44 7700 900123", "GB")]
    name = Identity(first_name="Ada", last_name="Example", domain="acme.example.com")
    assert email.said == phone.said == (name, Identity(linkedin_url=PROFILE))


def test_v1_contact_left_out() -> None:
    assert outcomes(parse(v1(None))) == {"attempt-1 email": Outcome.SKIPPED}


@pytest.mark.parametrize("credits_used", [None, "14", 14.0, -1, True, [], 10**9])
def test_case_37_odd_cost_is_not_known(credits_used: object) -> None:
    assert parse(envelope(item(info=FOUND), credits_used=credits_used)).charged is None
    assert parse({"status": "FINISHED", "data": [], "cost": credits_used}).charged is None
    assert parse({"status": "FINISHED", "data": []}).charged is None


@pytest.mark.parametrize(
    "info",
    [
        BLANK,
        {},
        {"most_probable_work_email": None, "most_probable_phone": None, "work_emails": [], "phones": None},
        {"work_emails": [{"status": "NOT_FOUND"}], "most_probable_work_email": {"status": "NOT_FOUND"}},
        {"work_emails": {"email": "x@acme.example.com"}, "phones": [None, 7, {"number": ""}]},
    ],
)
def test_case_39_nothing_found_in_every_shape(info: Made) -> None:
    answer = parse(envelope(item(info=info), credits_used=0), sub(ask(ADA, BOTH)))
    assert outcomes(answer) == {"attempt-1 email": Outcome.NOT_FOUND, "attempt-1 phone": Outcome.NOT_FOUND}
    assert answer.charged == 0


def test_case_39_nothing_found_in_v1() -> None:
    assert outcomes(parse(v1(V1_BLANK), sub(ask(ADA, BOTH)))) == {
        "attempt-1 email": Outcome.NOT_FOUND,
        "attempt-1 phone": Outcome.NOT_FOUND,
    }


@pytest.mark.parametrize(
    ("word", "grade"),
    [
        pytest.param("DELIVERABLE", Grade.VALID, id="deliverable"),
        pytest.param("CATCH_ALL", Grade.CATCH_ALL, id="case_40_catch_all"),
        pytest.param("HIGH_PROBABILITY", Grade.PROBABLE, id="case_41_high_probability"),
        pytest.param("INVALID", Grade.INVALID, id="invalid"),
        pytest.param("INVALID_DOMAIN", Grade.INVALID, id="case_43_invalid_domain"),
        pytest.param("PROBABLY_VALID", Grade.UNKNOWN, id="case_43_probably_valid"),
        pytest.param("", Grade.UNKNOWN, id="no_word"),
    ],
)
def test_grades(word: str, grade: Grade) -> None:
    (candidate,) = result(envelope(item(info=work(("ada@acme.example.com", word))))).candidates
    assert (candidate.grade, candidate.word) == (grade, word)


def test_case_42_only_invalid_is_nothing_found_but_kept() -> None:
    info = {"work_emails": [{"email": "x@acme.example.com", "status": "INVALID"}], "most_probable_phone": None}
    only = result(envelope(item(info=info)))
    assert only.outcome is Outcome.NOT_FOUND
    assert [c.value for c in only.candidates] == ["x@acme.example.com"]


def test_best_grade_comes_first() -> None:
    info = work(
        ("c@acme.example.com", "CATCH_ALL"), ("i@acme.example.com", "INVALID"), ("d@acme.example.com", "DELIVERABLE")
    )
    assert [c.value[0] for c in result(envelope(item(info=info))).candidates] == ["d", "c", "i"]


def test_case_45_several_phones_once_each_in_order() -> None:
    info = numbers(
        {"number": "+33 6 39 98 00 01", "region": None},
        {"number": "+33639980001", "region": "fr"},
        {"number": "+33639980002"},
    )
    only = result(envelope(item(info=info)), fields=PHONE)
    assert [(c.value, c.region) for c in only.candidates] == [("+33 6 39 98 00 01", "FR"), ("+33639980002", None)]


@pytest.mark.parametrize(
    ("extra", "grade", "note"),
    [
        ({}, Grade.VALID, ""),
        ({"line_type": "MOBILE", "line_status": "ACTIVE", "ownership_match": "CONFIRMED"}, Grade.VALID, ""),
        ({"line_type": "UNKNOWN", "line_status": None, "connect_rate": "HIGH"}, Grade.VALID, ""),
        ({"line_type": "LANDLINE"}, Grade.VALID, ""),
        ({"line_type": "voip"}, Grade.VALID, ""),
        ({"ownership_match": "MISMATCH"}, Grade.UNKNOWN, "ownership mismatch"),
        ({"line_type": "LANDLINE", "line_status": "INACTIVE"}, Grade.INVALID, "inactive"),
    ],
)
def test_case_46_doubts_about_a_phone_lower_its_grade(extra: Made, grade: Grade, note: str) -> None:
    (candidate,) = result(envelope(item(info=numbers({"number": "+447700900123"} | extra))), fields=PHONE).candidates
    assert (candidate.grade, candidate.note) == (grade, note)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        *[("MOBILE", "mobile"), ("mobile", "mobile"), ("LANDLINE", "fixed"), ("VOIP", "voip"), ("Voip", "voip")],
        *[("UNKNOWN", ""), ("PAGER", ""), ("", ""), (None, ""), (7, "")],
    ],
)
def test_v6_the_kind_of_line_is_the_vendors_word(word: object, line: str) -> None:
    info = numbers({"number": "+442079460123", "region": "GB", "line_type": word})
    only = result(envelope(item(info=info)), fields=PHONE)
    assert only.outcome is Outcome.FOUND
    assert [(c.line, c.grade) for c in only.candidates] == [(line, Grade.VALID)]
    assert result(envelope(item(info=FOUND))).candidates[0].line == ""


@pytest.mark.parametrize(
    ("phone", "grade"),
    [
        ({"number": "07700 900123"}, Grade.UNKNOWN),
        ({"number": "07700 900123", "region": None}, Grade.UNKNOWN),
        ({"number": "07700 900123", "region": "nowhere"}, Grade.UNKNOWN),
        ({"number": "07700 900123", "region": "GB"}, Grade.VALID),
    ],
)
def test_case_47_number_without_country_is_kept_but_not_trusted(phone: Made, grade: Grade) -> None:
    (candidate,) = result(envelope(item(info=numbers(phone))), fields=PHONE).candidates
    assert (candidate.value, candidate.grade) == ("07700 900123", grade)


def test_case_28_credits_ran_out_in_the_middle() -> None:
    items = [
        item("attempt-0", FOUND),
        item("attempt-1", BLANK),
        item("attempt-2"),
        item("attempt-3", work(("x@a.example.com", "INVALID"))),
    ]
    answer = parse(envelope(*items, status="CREDITS_INSUFFICIENT"), several([person(n) for n in range(4)], EMAIL))
    assert list(outcomes(answer).values()) == [Outcome.FOUND, Outcome.NO_CREDITS, Outcome.NO_CREDITS, Outcome.NOT_FOUND]
    assert (answer.final, answer.charged) == (True, Decimal(1))
    assert "CREDITS_INSUFFICIENT" in answer.note


def test_case_28_one_field_can_be_paid_for_and_the_other_not() -> None:
    answer = parse(envelope(item(info=FOUND), status="CREDITS_INSUFFICIENT"), sub(ask(ADA, BOTH)))
    assert outcomes(answer) == {"attempt-1 email": Outcome.FOUND, "attempt-1 phone": Outcome.NO_CREDITS}
    assert outcomes(parse(v1(V1_BLANK, "CREDITS_INSUFFICIENT"))) == {"attempt-1 email": Outcome.NO_CREDITS}


def test_case_64_canceled_keeps_what_there_is() -> None:
    body = envelope(item("attempt-0", FOUND), item("attempt-1", BLANK), status="CANCELED")
    answer = parse(body, several([ADA, BY_COMPANY], EMAIL))
    assert outcomes(answer) == {"attempt-0 email": Outcome.FOUND, "attempt-1 email": Outcome.FAILED}
    assert answer.final


def test_a14_canceled_without_data_is_undetermined() -> None:
    two = several([ADA, BY_COMPANY], EMAIL)
    for body in (envelope(status="CANCELED", credits_used=0), {"id": JOB, "status": "CANCELED"}):
        for source in (Source.CALLBACK, Source.POLL):
            answer = parse(body, two, source)
            assert set(outcomes(answer).values()) == {Outcome.FAILED}
            assert (answer.final, answer.charged) == (True, Decimal(0) if "cost" in body else None)


def test_a14_a_canceled_job_that_lacks_a_contact_is_fetched_before_that_is_believed() -> None:
    two = several([ADA, BY_COMPANY], EMAIL)
    body = envelope(item("attempt-0", FOUND), status="CANCELED")
    assert list(outcomes(parse(body, two)).values()) == [Outcome.FOUND, Outcome.MISSING]
    assert list(outcomes(parse(body, two, Source.POLL)).values()) == [Outcome.FOUND, Outcome.FAILED]


@pytest.mark.parametrize("status", ["RATE_LIMIT", "UNKNOWN"])
def test_a14_a_status_that_stays_is_a_failure_that_keeps_what_there_is(status: str) -> None:
    three = several([ADA, BY_COMPANY, BY_NAME], EMAIL)
    body = envelope(item("attempt-0", FOUND), item("attempt-1", BLANK), status=status)
    answer = parse(body, three, Source.POLL)
    assert list(outcomes(answer).values()) == [Outcome.FOUND, Outcome.FAILED, Outcome.FAILED]
    assert (answer.final, answer.charged) == (True, Decimal(1))
    assert not parse(body, three).final


def test_a12_a_charge_with_nothing_read_is_never_not_found() -> None:
    for status in ("FINISHED", "CREDITS_INSUFFICIENT", "CANCELED"):
        assert refused(envelope(item(info=BLANK), status=status, credits_used=10), sub(ask(ADA, BOTH))) == 10
    assert refused(envelope(item(), credits_used=10)) == 10
    odd = {"phones": [{"tel": "+447700900123"}], "work_emails": ["ada@acme.example.com"]}
    assert refused(envelope(item(info=odd), credits_used=11), sub(ask(ADA, BOTH))) == 11
    assert refused({"status": "FINISHED", "data": {}, "cost": {"credits": 3}}) == 3


def test_a12_a_charge_for_a_value_that_was_read_is_believed() -> None:
    bounces = work(("x@acme.example.com", "INVALID"))
    assert parse(envelope(item(info=bounces), credits_used=1)).charged == 1
    two = several([ADA, BY_NAME], EMAIL)
    assert parse(envelope(item("attempt-0", FOUND), item("attempt-1", BLANK), credits_used=2), two).charged == 2


def test_a13_what_a_callback_lacks_is_missing_even_where_it_was_charged() -> None:
    two = several([ADA, BY_NAME], EMAIL)
    body = envelope(item("attempt-0", BLANK), credits_used=1)
    assert list(outcomes(parse(body, two)).values()) == [Outcome.NOT_FOUND, Outcome.MISSING]
    assert refused(body, two, Source.POLL) == 1


def test_case_48_the_domain_of_a_found_email_says_nothing_of_the_person() -> None:
    info = work(("ada@old-employer.example.org", "DELIVERABLE"))
    only = result(envelope(item(info=info, company_domain="acme.example.com")))
    assert (only.outcome, only.said) == (Outcome.FOUND, (Identity(domain="acme.example.com"),))


# --- whom it is about -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("echo", "said"),
    [
        ({}, None),
        ({"first_name": "", "professional_network_url": ""}, None),
        (
            {"professional_network_url": PROFILE + "/", "first_name": "Ada"},
            Identity(first_name="Ada", linkedin_url=PROFILE),
        ),
        ({"linkedin_url": PROFILE}, Identity(linkedin_url=PROFILE)),
        (
            {"first_name": "Bob", "last_name": "Sample", "full_name": "Bob Sample", "company_name": "Other"},
            Identity(first_name="Bob", last_name="Sample", company="Other"),
        ),
        ({"full_name": "Bob Sample"}, Identity(full_name="Bob Sample")),
        ({"company_domain": "www.Other.example.org"}, Identity(domain="other.example.org")),
    ],
)
def test_case_49_the_echo_is_said_and_not_judged(echo: dict[str, str], said: Identity | None) -> None:
    only = result(envelope(item(info=FOUND, **echo)))
    assert (only.outcome, only.said) == (Outcome.FOUND, () if said is None else (said,))


def job(name: str, domain: str | None = None, **more: object) -> Made:
    return {"title": "CEO", "company": {"name": name, "domain": domain}} | more


def found(**parts: object) -> tuple[Identity, ...]:
    """What an item says whose `profile` has these parts."""
    return result(envelope(item(info=FOUND, first_name="Bob") | {"profile": parts})).said


ECHO = Identity(first_name="Bob")


def test_the_person_found_is_said_beside_the_echo() -> None:
    said = found(
        full_name="Robert Sample",
        first_name="Robert",
        last_name="Sample",
        social_profiles={"professional_network": {"id": 7, "url": "linkedin.com/in/Bob-Sample/", "handle": "other"}},
        employment={"current": job("Acme", "https://acme.example.com", is_current=True), "all": []},
        location={"country": "France", "country_code": "FR", "city": "Lyon"},
    )
    person = Identity(
        first_name="Robert",
        last_name="Sample",
        company="Acme",
        domain="acme.example.com",
        linkedin_url="https://www.linkedin.com/in/bob-sample",
        country="France",
        title="CEO",
    )
    assert said == (ECHO, person)


@pytest.mark.parametrize(
    ("employment", "company", "domain"),
    [
        ({"current": job("Acme"), "all": [job("Old", "old.example.org", is_current=True)]}, "Acme", None),
        (
            {"current": {"title": "CEO"}, "all": [job("Acme", "acme.example.com", is_current=True)]},
            "Acme",
            "acme.example.com",
        ),
        (
            {"current": None, "all": [job("Old", "old.example.org", is_current=False), job("Acme", is_current=True)]},
            "Acme",
            None,
        ),
        ({"current": {"company": {"name": "", "domain": "acme.example.com"}}}, None, "acme.example.com"),
        ({"all": [job("Old", "old.example.org")]}, None, None),
        ({"all": [job("Old", "old.example.org", is_current=False, end_at="2020-01-01T00:00:00Z")]}, None, None),
        ({"all": [job("Old", "old.example.org", is_current="true")]}, None, None),
        ({"current": {"title": "CEO"}, "all": [job("Old", "old.example.org", end_at=None)]}, None, None),
        ({"current": "Acme", "all": {"0": job("Acme", is_current=True)}}, None, None),
        ("Acme", None, None),
    ],
)
def test_only_todays_job_tells_the_employer(employment: object, company: str | None, domain: str | None) -> None:
    echo, person = found(last_name="Sample", employment=employment)
    assert (echo, replace(person, title=None)) == (ECHO, Identity(last_name="Sample", company=company, domain=domain))


@pytest.mark.parametrize(
    ("parts", "person"),
    [
        ({"full_name": "Robert Sample"}, Identity(full_name="Robert Sample")),
        (
            {"full_name": "Robert Sample", "last_name": "Sample"},
            Identity(full_name="Robert Sample", last_name="Sample"),
        ),
        (
            {"social_profiles": {"professional_network": {"handle": "bob-sample"}}},
            Identity(linkedin_url="https://www.linkedin.com/in/bob-sample"),
        ),
        ({"social_profiles": {"professional_network": {"url": "https://example.com/bob"}}}, None),
        ({"social_profiles": [], "employment": 7, "location": "Lyon", "first_name": 7}, None),
        ({"location": {"country_code": "FR", "country": None}}, Identity(country="FR")),
        ({}, None),
    ],
)
def test_a_sparse_or_odd_profile_says_what_it_can(parts: Made, person: Identity | None) -> None:
    assert found(**parts) == ((ECHO,) if person is None else (ECHO, person))


@pytest.mark.parametrize("beside", [False, True])
def test_v1_the_person_found_is_said_beside_the_echo(beside: bool) -> None:
    profile = {
        "linkedin_id": 7,
        "linkedin_url": "https://www.linkedin.com/in/bob-sample/",
        "firstname": "Robert",
        "lastname": "Sample",
        "location": "Lyon, Auvergne-Rhône-Alpes, France",
        "position": {"title": "CEO", "end_at": None, "company": {"name": "Acme", "domain": "acme.example.com"}},
    }
    contact = {"firstname": "Bob", "most_probable_email": "bob@acme.example.com"}
    body = v1(contact if beside else contact | {"profile": profile})
    if beside:
        body["datas"][0]["profile"] = profile
    person = Identity(
        first_name="Robert",
        last_name="Sample",
        company="Acme",
        domain="acme.example.com",
        linkedin_url="https://www.linkedin.com/in/bob-sample",
        country="France",
        title="CEO",
    )
    assert result(body).said == (ECHO, person)


def test_v1_without_custom_the_profile_tells() -> None:
    body = v1({"most_probable_email": "p@a.example.com", "profile": {"linkedin_url": PROFILE}})
    del body["datas"][0]["custom"]
    answer = parse(body, several([person(0), ADA], EMAIL))
    assert outcomes(answer) == {"attempt-0 email": Outcome.MISSING, "attempt-1 email": Outcome.FOUND}


def test_v1_a_position_that_ended_is_no_employer() -> None:
    position = {"end_at": {"month": 1, "year": 2020}, "company": {"name": "Old", "domain": "old.example.org"}}
    profile = {"linkedin_handle": "bob-sample", "position": position, "location": "France"}
    said = result(v1({"most_probable_email": "bob@acme.example.com", "profile": profile})).said
    assert said == (Identity(linkedin_url="https://www.linkedin.com/in/bob-sample", country="France"),)


# --- whose item it is -------------------------------------------------------------------------


def test_case_50_any_order_and_strangers() -> None:
    people = [person(n) for n in range(3)]
    items = [item(f"attempt-{n}", work((f"p{n}@a.example.com", "DELIVERABLE"))) for n in (2, 0, 1)]
    answer = parse(envelope(*items, item("attempt-9", FOUND), "junk", None), several(people, EMAIL))
    assert [(r.request_id, r.candidates[0].value) for r in answer.results] == [
        (f"attempt-{n}", f"p{n}@a.example.com") for n in range(3)
    ]
    assert answer.unmatched == 3


def test_case_50_fewer_items_than_sent_are_missing_at_the_end() -> None:
    answer = parse(envelope(item("attempt-1", FOUND)), several([ADA, BY_NAME], EMAIL))
    assert outcomes(answer) == {"attempt-0 email": Outcome.MISSING, "attempt-1 email": Outcome.FOUND}
    assert list(outcomes(parse(envelope(), sub(ask(ADA, BOTH)))).values()) == [Outcome.MISSING, Outcome.MISSING]


def test_case_50_without_custom_the_input_tells() -> None:
    people = [person(0), BY_NAME, BY_COMPANY, person(3)]
    items = [
        item(
            None, work(("c@a.example.com", "DELIVERABLE")), first_name="ADA", last_name="Example", company_name="Acme"
        ),
        item(
            None,
            work(("n@a.example.com", "DELIVERABLE")),
            first_name="Ada",
            last_name="Example",
            company_domain="acme.example.com",
        ),
        item(None, work(("p@a.example.com", "DELIVERABLE")), professional_network_url="linkedin.com/in/person-0"),
        item(None, FOUND, first_name="No", last_name="Body", company_name="Acme"),
        item(None, FOUND),
    ]
    answer = parse(envelope(*items), several(people, EMAIL))
    assert [r.candidates[0].value[0] if r.candidates else r.outcome for r in answer.results] == [
        "p",
        "n",
        "c",
        Outcome.MISSING,
    ]
    assert answer.unmatched == 2


def test_case_50_an_input_that_fits_two_requests_is_nobodys() -> None:
    answer = parse(envelope(item(None, FOUND, professional_network_url=PROFILE)), several([ADA, ADA], EMAIL))
    assert set(outcomes(answer).values()) == {Outcome.MISSING}
    assert answer.unmatched == 1


def test_case_50_who_has_an_item_already_is_no_candidate_for_another() -> None:
    twice = envelope(item("attempt-0", BLANK), item(None, FOUND, professional_network_url=PROFILE))
    assert outcomes(parse(twice, several([ADA, ADA], EMAIL))) == {
        "attempt-0 email": Outcome.NOT_FOUND,
        "attempt-1 email": Outcome.FOUND,
    }


def test_case_50_an_id_counts_more_than_the_input_and_only_once() -> None:
    items = [item("attempt-1", FOUND), item("attempt-1", BLANK), item(7, FOUND, professional_network_url=PROFILE)]  # type: ignore[arg-type]
    answer = parse(envelope(*items))
    assert outcomes(answer) == {"attempt-1 email": Outcome.FOUND}
    assert answer.unmatched == 2


def test_case_51_an_odd_profile_loses_no_values() -> None:
    made = item(info=FOUND) | {
        "profile": {
            "employment": {"current": None, "all": [{"start_at": "2024-1-0T00:00:00.000Z"}]},
            "headline": "\ud83d",
        }
    }
    assert result(envelope(made | {"input": None})).outcome is Outcome.FOUND
    assert result(envelope(made | {"input": "x"})).outcome is Outcome.FOUND


def test_case_52_only_what_was_asked_for_is_taken() -> None:
    info = FOUND | numbers({"number": "+447700900123"}) | {"personal_emails": [{"email": "ada@home.example.net"}]}
    answer = parse(envelope(item(info=info)))
    assert outcomes(answer) == {"attempt-1 email": Outcome.FOUND}
    assert len(answer.results[0].candidates) == 1


def test_case_57_contact_event_completes_one_contact_only() -> None:
    two = several([ADA, BY_NAME])
    answer = parse(envelope(item("attempt-1", FOUND), status="IN_PROGRESS"), two)
    assert outcomes(answer) == {"attempt-1 email": Outcome.FOUND, "attempt-1 phone": Outcome.NOT_FOUND}
    assert (answer.final, answer.running, answer.charged, answer.provider_id) == (False, False, None, JOB)
    skipped = parse(envelope(item("attempt-0"), status="IN_PROGRESS"), two)
    assert set(outcomes(skipped).values()) == {Outcome.SKIPPED}


@pytest.mark.parametrize("status", ["IN_PROGRESS", "FINISHED", "CREDITS_INSUFFICIENT", "CANCELED", ""])
def test_a13_a_contact_event_ends_nothing_whatever_its_status(status: str) -> None:
    two = several([ADA, BY_NAME], EMAIL)
    answer = parse(envelope(item("attempt-1", FOUND), status=status, credits_used=1), two, part=CONTACT_EVENT)
    assert outcomes(answer) == {"attempt-1 email": Outcome.FOUND}
    assert (answer.final, answer.running, answer.charged) == (False, False, None)
    blank = parse(envelope(item("attempt-0", BLANK), status=status, credits_used=1), two, part=CONTACT_EVENT)
    assert outcomes(blank) == {
        "attempt-0 email": {
            "CREDITS_INSUFFICIENT": Outcome.NO_CREDITS,
            "CANCELED": Outcome.FAILED,
        }.get(status, Outcome.NOT_FOUND)
    }
    assert not blank.final


@pytest.mark.parametrize("status", ["RATE_LIMIT", "UNKNOWN", "CREATED"])
def test_a13_a_contact_event_with_a_status_that_may_pass_never_says_not_found(status: str) -> None:
    answer = parse(envelope(item(info=BLANK), status=status), part=CONTACT_EVENT)
    assert (answer.results, answer.final) == ((), False)
    assert parse(envelope(item(info=FOUND), status=status), part=CONTACT_EVENT).results[0].outcome is Outcome.FOUND


def test_a13_a_contact_event_with_several_contacts_gives_what_was_found_only() -> None:
    two = several([ADA, BY_NAME], EMAIL)
    answer = parse(envelope(item("attempt-0", FOUND), item("attempt-1", BLANK)), two, part=CONTACT_EVENT)
    assert (outcomes(answer), answer.final) == ({"attempt-0 email": Outcome.FOUND}, False)


def test_a13_one_contact_of_many_is_an_end_at_the_bulks_own_address() -> None:
    body = envelope(item("attempt-0", FOUND))
    answer = parse(body, several([ADA, BY_NAME], EMAIL))
    assert (list(outcomes(answer).values()), answer.final) == ([Outcome.FOUND, Outcome.MISSING], True)


def test_case_57_contact_event_about_a_stranger_changes_nothing() -> None:
    answer = parse(envelope(item("attempt-9", FOUND), status="IN_PROGRESS"))
    assert (answer.results, answer.unmatched, answer.final) == ((), 1, False)


def test_case_63_a_view_of_progress_never_says_not_found() -> None:
    body = envelope(item("attempt-0", FOUND), item("attempt-1", BLANK), status="IN_PROGRESS")
    assert outcomes(parse(body, several([ADA, BY_NAME], EMAIL))) == {"attempt-0 email": Outcome.FOUND}
    one = parse(envelope(item(info=BLANK), status="IN_PROGRESS"), source=Source.POLL)
    assert (one.results, one.running) == ((), True)


@pytest.mark.parametrize("status", ["RATE_LIMIT", "UNKNOWN", "FAKE_ENRICH", "CREATED"])
def test_case_64_other_statuses_give_what_they_have_and_end_nothing(status: str) -> None:
    answer = parse(
        envelope(item("attempt-0", FOUND), item("attempt-1", BLANK), status=status), several([ADA, BY_NAME], EMAIL)
    )
    assert outcomes(answer) == {"attempt-0 email": Outcome.FOUND}
    assert not answer.final
    assert status in answer.note
    assert parse({"status": status}).running


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b'{"status": "FINISHED", "data": [{"cus',
        b'{"status": "FINISHED", "data": {}}',
        b'{"status": "FINISHED", "datas": "x"}',
        b'{"code": "error.api.key", "message": "Unknown api key"}',
        b'{"status": "FINISHED", "data": [], "cost": {"credits": NaN}}',
        b"\xff\xfe{\x00}\x00",
        b"[" * 200_000,
        b'{"data":' * 100_000,
    ],
)
def test_case_68_what_is_no_result_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        parse(body)


@pytest.mark.parametrize(
    "value", ["a\x00b@x.example.com", "a\u202eb@x.example.com", "\ud800@x.example.com", "x" * 321, 7, None]
)
def test_case_68_values_that_can_not_be_stored_are_left_out(value: object) -> None:
    info = {"most_probable_work_email": value, "work_emails": [{"email": value, "status": "DELIVERABLE"}]}
    assert result(envelope(item(info=info), credits_used=0)).outcome is Outcome.NOT_FOUND
    assert refused(envelope(item(info=info), credits_used=1)) == 1


def test_either_version_is_read_whichever_is_configured() -> None:
    raw = json.dumps(v1({"most_probable_email": "ada@acme.example.com"})).encode()
    assert outcomes(make(version="v2").parse(delivery(raw), sub())) == {"attempt-1 email": Outcome.FOUND}
    raw = json.dumps(envelope(item(info=FOUND))).encode()
    assert outcomes(make(version="v1").parse(delivery(raw), sub())) == {"attempt-1 email": Outcome.FOUND}
