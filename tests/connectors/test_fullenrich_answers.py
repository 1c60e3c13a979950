"""What FullEnrich's results say. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from syncd.contract.errors import Garbled
from syncd.contract.model import (
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

from .fullenrich_said import BLANK, FOUND, JOB, Made, envelope, item, make, numbers, work
from .samples import ADA, BOTH, BY_COMPANY, BY_NAME, EMAIL, PHONE, PROFILE, delivery, person, several
from .samples import request as ask
from .samples import submission as sub


def parse(body: object, what: Submission | None = None, source: Source = Source.CALLBACK) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().parse(delivery(raw, source), what or sub())


def result(body: object, identity: Identity = ADA, fields: tuple[Field, ...] = EMAIL) -> EnrichmentResult:
    (only,) = parse(body, sub(ask(identity, fields))).results
    return only


def outcomes(answer: Answer) -> dict[str, Outcome]:
    return {f"{r.request_id} {r.field}": r.outcome for r in answer.results}


def test_case_02_contact_left_out_by_silent_fail_is_skipped() -> None:
    answer = parse(envelope(item("attempt-0", FOUND), item("attempt-1")), several([ADA, BY_NAME], EMAIL))
    assert outcomes(answer) == {"attempt-0 email": Outcome.FOUND, "attempt-1 email": Outcome.SKIPPED}
    assert result(envelope({"custom": {"attempt_id": "attempt-1"}, "contact_info": None})).outcome is Outcome.SKIPPED


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
    assert not email.mismatch


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
        ({"line_type": "LANDLINE"}, Grade.PROBABLE, "landline"),
        ({"line_type": "voip"}, Grade.PROBABLE, "voip"),
        ({"ownership_match": "MISMATCH"}, Grade.UNKNOWN, "ownership mismatch"),
        ({"line_type": "LANDLINE", "line_status": "INACTIVE"}, Grade.INVALID, "landline, inactive"),
    ],
)
def test_case_46_doubts_about_a_phone_lower_its_grade(extra: Made, grade: Grade, note: str) -> None:
    (candidate,) = result(envelope(item(info=numbers({"number": "+447700900123"} | extra))), fields=PHONE).candidates
    assert (candidate.grade, candidate.note) == (grade, note)


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


def test_case_48_another_domain_than_the_companys_is_no_mismatch() -> None:
    info = work(("ada@old-employer.example.org", "DELIVERABLE"))
    assert result(envelope(item(info=info, company_domain="acme.example.com"))).mismatch is False


@pytest.mark.parametrize(
    ("echo", "mismatch"),
    [
        ({}, False),
        ({"professional_network_url": PROFILE + "/", "first_name": "Ada"}, False),
        ({"linkedin_url": PROFILE}, False),
        ({"professional_network_url": "https://www.linkedin.com/in/bob-sample"}, True),
        ({"linkedin_url": "https://www.linkedin.com/in/bob-sample"}, True),
        ({"first_name": "Bob", "last_name": "Sample"}, True),
        ({"company_domain": "other.example.org"}, True),
    ],
)
def test_case_49_echo_of_another_person_is_a_mismatch(echo: dict[str, str], mismatch: bool) -> None:
    only = result(envelope(item(info=FOUND, **echo)))
    assert (only.outcome, only.mismatch) == (Outcome.FOUND, mismatch)


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
    assert result(envelope(item(info=info))).outcome is Outcome.NOT_FOUND


def test_either_version_is_read_whichever_is_configured() -> None:
    raw = json.dumps(v1({"most_probable_email": "ada@acme.example.com"})).encode()
    assert outcomes(make(version="v2").parse(delivery(raw), sub())) == {"attempt-1 email": Outcome.FOUND}
    raw = json.dumps(envelope(item(info=FOUND))).encode()
    assert outcomes(make(version="v1").parse(delivery(raw), sub())) == {"attempt-1 email": Outcome.FOUND}
