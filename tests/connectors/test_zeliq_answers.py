"""What Zeliq's callbacks say. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.zeliq import Connector, Options
from syncd.contract.errors import Garbled, Skip
from syncd.contract.model import Answer, EnrichmentResult, Field, Grade, Identity, Outcome

from .samples import ADA, BY_COMPANY, BY_MAIL, BY_NAME, EMAIL, PHONE, PROFILE, delivery
from .samples import request as ask
from .samples import submission as sub
from .scripted import DictMemory, tools, use

KEY = "sk-very-secret"


def make(url: str | None = None, memory: DictMemory | None = None, **options: Any) -> Connector:
    return Connector("zeliq", Options(api_key=SecretStr(KEY), **options), url, tools(memory))


def parse(body: object, identity: Identity = ADA, field: tuple[Field, ...] = EMAIL) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().parse(delivery(raw), sub(ask(identity, field)))


def result(body: object, identity: Identity = ADA, field: tuple[Field, ...] = EMAIL) -> EnrichmentResult:
    (only,) = parse(body, identity, field).results
    return only


def emails(
    *pairs: tuple[str, str], best: tuple[str, str | None] | None = None, echo: dict[str, str] | None = None
) -> dict[str, Any]:
    top = best or (pairs[0] if pairs else (None, None))
    listed = [{"email": email, "status": status} for email, status in pairs]
    found = {"most_probable_email": top[0], "most_probable_email_status": top[1], "emails": listed}
    return {"credit_used": 1, "contact": found | (echo or {})}


def phones(*numbers: str, best: str | None = None, **echo: str) -> dict[str, Any]:
    found = {
        "most_probable_phone": best or (numbers[0] if numbers else None),
        "phones": [{"phone": n} for n in numbers],
    }
    return {"credit_used": 10, "contact": found | echo}


def test_found_email() -> None:
    answer = parse(
        emails(("ada@acme.example.com", "valid"), ("a@acme.example.com", "catch-all"), echo={"linkedin_url": PROFILE})
    )
    (only,) = answer.results
    assert (answer.final, answer.running, answer.charged, answer.unmatched) == (True, False, Decimal(1), 0)
    assert (only.request_id, only.field, only.outcome, only.mismatch) == (
        "attempt-1",
        Field.EMAIL,
        Outcome.FOUND,
        False,
    )
    assert [(c.value, c.grade, c.word) for c in only.candidates] == [
        ("ada@acme.example.com", Grade.VALID, "valid"),
        ("a@acme.example.com", Grade.CATCH_ALL, "catch-all"),
    ]


@pytest.mark.parametrize(
    ("told", "charged"),
    [
        *[("2", 2), (1, 1), (0, 0), ("15", 15), (0.5, Decimal("0.5"))],
        *[(None, None), ("", None), ("-3", None), (-1, None), ("a lot", None), (10**9, None), (True, None)],
        *[([], None), ({}, None), ("NaN", None), ("Infinity", None)],
    ],
)
def test_case_36_credit_used_is_a_number_a_string_or_not_known(told: object, charged: Decimal | int | None) -> None:
    answer = parse({"credit_used": told, "contact": {}})
    assert answer.charged == charged
    assert bool(answer.note) == (charged is None)


def test_case_36_missing_or_endless_credit_used_is_not_known() -> None:
    assert parse({"contact": {}}).charged is None
    assert parse(b'{"credit_used": 1e999, "contact": {}}').charged is None


@pytest.mark.parametrize(
    "contact",
    [
        None,
        {},
        {"most_probable_email": None, "most_probable_email_status": None, "emails": []},
        {"most_probable_email": "", "most_probable_email_status": "", "emails": None},
        {"most_probable_email": " ", "emails": [{"email": ""}, {}, None, 7, {"email": ["x"]}]},
        {"emails": "none"},
        {"most_probable_email_status": "unknown"},
    ],
)
@pytest.mark.parametrize("field", [EMAIL, PHONE])
def test_case_39_nothing_found_in_every_shape(contact: object, field: tuple[Field, ...]) -> None:
    answer = parse({"credit_used": 0, "contact": contact}, field=field)
    assert [(r.outcome, r.candidates) for r in answer.results] == [(Outcome.NOT_FOUND, ())]
    assert (answer.final, answer.charged) == (True, Decimal(0))


def test_case_39_credit_used_alone_is_nothing_found() -> None:
    assert result({"credit_used": 0}).outcome is Outcome.NOT_FOUND


def test_case_40_catch_all_is_kept_as_such() -> None:
    only = result(emails(("ada@acme.example.com", "catch-all")))
    assert only.outcome is Outcome.FOUND
    assert [c.grade for c in only.candidates] == [Grade.CATCH_ALL]


@pytest.mark.parametrize(
    ("word", "grade"),
    [
        ("valid", Grade.VALID),
        ("Safe To Send", Grade.VALID),
        ("catch_all", Grade.CATCH_ALL),
        ("unknown", Grade.UNKNOWN),
        ("accept_all", Grade.UNKNOWN),
        ("INVALID_DOMAIN", Grade.UNKNOWN),
        ("", Grade.UNKNOWN),
    ],
)
def test_case_43_unknown_words_are_graded_unknown_and_kept(word: str, grade: Grade) -> None:
    (candidate,) = result(emails(("ada@acme.example.com", word))).candidates
    assert (candidate.grade, candidate.word) == (grade, word)


@pytest.mark.parametrize("bad", ["invalid", "unknown", None])
def test_case_44_most_probable_is_not_trusted_for_its_place(bad: str | None) -> None:
    body = emails(
        ("b@acme.example.com", "catch-all"), ("ada@acme.example.com", "valid"), best=("x@acme.example.com", bad)
    )
    only = result(body)
    assert [c.value for c in only.candidates][:2] == ["ada@acme.example.com", "b@acme.example.com"]
    assert only.outcome is Outcome.FOUND


def test_case_44_only_invalid_is_nothing_found_but_kept() -> None:
    only = result(emails(("x@acme.example.com", "invalid")))
    assert only.outcome is Outcome.NOT_FOUND
    assert [c.grade for c in only.candidates] == [Grade.INVALID]


def test_status_of_the_list_counts_where_the_most_probable_has_none() -> None:
    only = result(emails(("Ada@acme.example.com", "valid"), best=("ada@acme.example.com", None)))
    assert [(c.value, c.grade) for c in only.candidates] == [("ada@acme.example.com", Grade.VALID)]


def test_the_most_probables_own_status_counts_first() -> None:
    only = result(emails(("ada@acme.example.com", "valid"), best=("ada@acme.example.com", "invalid")))
    assert [(c.grade, c.word) for c in only.candidates] == [(Grade.INVALID, "invalid")]


def test_case_45_several_phones_keep_their_order_once_each() -> None:
    body = phones("+447700900123", "+44 7700 900124", "+44 (7700) 900-123", best="+447700900124")
    assert [c.value for c in result(body, field=PHONE).candidates] == ["+447700900124", "+447700900123"]


def test_case_47_number_without_country_is_kept_behind_the_others() -> None:
    only = result(phones("07700 900123", "+447700900124"), field=PHONE)
    assert [(c.value, c.grade) for c in only.candidates] == [
        ("+447700900124", Grade.VALID),
        ("07700 900123", Grade.UNKNOWN),
    ]


def test_case_48_another_domain_than_the_companys_is_no_mismatch() -> None:
    only = result(emails(("ada@old-employer.example.org", "valid"), echo={"domain": "acme.example.com"}), BY_NAME)
    assert (only.outcome, only.mismatch) == (Outcome.FOUND, False)


@pytest.mark.parametrize(
    ("identity", "echo", "mismatch"),
    [
        (ADA, {"linkedin_url": "http://linkedin.com/in/Ada-Example/?x=1"}, False),
        (ADA, {"linkedin_url": "https://www.linkedin.com/in/bob-sample"}, True),
        (ADA, {"linkedin_url": "https://www.linkedin.com/in/ACwAAB123"}, False),
        (ADA, {"linkedin_url": "not a profile"}, False),
        (ADA, {"first_name": "Someone", "last_name": "Else"}, False),  # we sent no name
        (ADA, {}, False),
        (BY_NAME, {"first_name": "Ada", "last_name": "Example", "domain": "www.acme.example.com"}, False),
        (BY_NAME, {"first_name": "Bob", "last_name": "Sample", "domain": "acme.example.com"}, True),
        (BY_NAME, {"first_name": "Bob", "last_name": "Example"}, True),
        (BY_NAME, {"first_name": "A.", "last_name": "EXAMPLE-SMITH"}, False),
        (BY_NAME, {"domain": "other.example.org"}, True),
        (BY_NAME, {"domain": "mail.acme.example.com"}, False),
        (BY_COMPANY, {"domain": "other.example.org"}, False),  # we sent no domain
    ],
)
def test_case_49_echo_of_another_person_is_a_mismatch(identity: Identity, echo: dict[str, str], mismatch: bool) -> None:
    assert result(emails(("ada@acme.example.com", "valid"), echo=echo), identity).mismatch is mismatch


@pytest.mark.parametrize(
    ("sent_name", "echoed", "mismatch"),
    [
        (("Grégoire", "Müller-Lüdenscheid"), ("GREGOIRE", "Mueller Luedenscheid"), False),
        (("Łukasz", "Øst"), ("Lukasz", "Ost"), False),
        (("小龙", "李"), ("Xiaolong", "Li"), False),  # another script: nobody can tell
        (("Séan", "O'Brien"), ("Sean", "OBrien"), False),
        (("Séan", "O'Brien"), ("Sean", "Murphy"), True),
    ],
)
def test_case_49_another_spelling_is_no_other_person(
    sent_name: tuple[str, str], echoed: tuple[str, str], mismatch: bool
) -> None:
    asked = Identity(first_name=sent_name[0], last_name=sent_name[1], company="Acme")
    echo = {"first_name": echoed[0], "last_name": echoed[1]}
    assert result(emails(("x@acme.example.com", "valid"), echo=echo), asked).mismatch is mismatch


def test_case_49_phone_asked_by_email_must_echo_it() -> None:
    assert result(phones("+447700900123", email="ADA@acme.example.com"), BY_MAIL, PHONE).mismatch is False
    assert result(phones("+447700900123", email="bob@acme.example.com"), BY_MAIL, PHONE).mismatch is True
    assert result(phones("+447700900123"), BY_MAIL, PHONE).mismatch is False


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"credit_used": 1, "contact": {"most_prob',
        b'{"credit_used": NaN, "contact": {}}',
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"credit_used": 1}',
        b'{"hello": "world"}',
        b'{"contact": []}',
        b'{"contact": "ada"}',
        b"[" * 200_000,
        b'{"contact":' * 100_000,
        b'{"credit_used": ' + b"9" * 5000 + b"}",
    ],
)
def test_case_68_what_is_no_callback_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        parse(body)


@pytest.mark.parametrize(
    "value",
    [
        "a\x00b@acme.example.com",
        "a\nb@acme.example.com",
        "a\u200bb@acme.example.com",
        "\ud800@x.example.com",
        "x" * 321,
        7,
    ],
)
def test_case_68_values_that_can_not_be_stored_are_left_out(value: object) -> None:
    body = {
        "credit_used": 1,
        "contact": {"most_probable_email": value, "emails": [{"email": value, "status": "valid"}]},
    }
    assert result(body).outcome is Outcome.NOT_FOUND


def test_a_flood_of_values_is_cut() -> None:
    body = emails(*((f"a{n}@acme.example.com", "valid") for n in range(500)))
    assert len(result(body).candidates) == 50


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 500, "error": "Internal Server Error", "message": "provider failed for ada@acme.example.com"},
        {"error": "FAILED", "contact": None, "credit_used": 0},
        {"statusCode": 400, "message": ["a", "b"]},
    ],
)
def test_case_69_error_object_is_a_failure_not_a_not_found(body: object) -> None:
    answer = parse(body)
    (only,) = answer.results
    assert (only.outcome, only.candidates, answer.final) == (Outcome.FAILED, (), True)
    assert only.note
    assert "ada@" not in only.note


def test_unknown_keys_are_ignored() -> None:
    body = emails(("ada@acme.example.com", "valid")) | {"version": 3, "meta": {"contact": None}, "error": None}
    assert result(body).outcome is Outcome.FOUND


def test_there_is_nothing_to_poll_and_nothing_signed() -> None:
    with pytest.raises(Skip):
        use(make, lambda c: c.poll(sub()))
    assert make().capabilities.poll_after is None
    assert make().authenticate(delivery(b""))
