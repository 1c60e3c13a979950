"""What Zeliq's callbacks say. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.zeliq import Connector, Options
from syncd.contract.errors import Garbled, Skip
from syncd.contract.model import Answer, EnrichmentResult, Field, Grade, Identity, Outcome, Source
from syncd.contract.testing.samples import BY_COMPANY, BY_MAIL, BY_NAME, EMAIL, PHONE, PROFILE, delivery
from syncd.contract.testing.samples import request as ask
from syncd.contract.testing.samples import submission as sub
from syncd.contract.testing.surroundings import DictMemory, tools, use

KEY = "sk-very-secret"
TOLD = Identity(linkedin_url=PROFILE)
ECHO = {"linkedin_url": PROFILE}


def make(url: str | None = None, memory: DictMemory | None = None, **options: Any) -> Connector:
    return Connector("zeliq", Options(api_key=SecretStr(KEY), **options), url, tools(memory))


def parse(
    body: object,
    told: Identity = TOLD,
    field: tuple[Field, ...] = EMAIL,
    source: Source = Source.CALLBACK,
    **options: Any,
) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make(**options).parse(delivery(raw, source), sub(ask(told, field)))


def result(body: object, told: Identity = TOLD, field: tuple[Field, ...] = EMAIL) -> EnrichmentResult:
    (only,) = parse(body, told, field).results
    return only


def refused(body: object, told: Identity = TOLD, field: tuple[Field, ...] = EMAIL, **options: Any) -> Decimal | None:
    """What a body that is set aside says was charged."""
    with pytest.raises(Garbled) as caught:
        parse(body, told, field, **options)
    assert "@" not in str(caught.value)
    return caught.value.charged


def emails(
    *pairs: tuple[str, str], best: tuple[str, str | None] | None = None, echo: Mapping[str, str] = ECHO
) -> dict[str, Any]:
    top = best or (pairs[0] if pairs else (None, None))
    listed = [{"email": email, "status": status} for email, status in pairs]
    found = {"most_probable_email": top[0], "most_probable_email_status": top[1], "emails": listed}
    return {"credit_used": 1, "contact": found | dict(echo)}


def phones(*numbers: str, best: str | None = None, **echo: str) -> dict[str, Any]:
    found = {
        "most_probable_phone": best or (numbers[0] if numbers else None),
        "phones": [{"phone": n} for n in numbers],
    }
    return {"credit_used": 10, "contact": found | (echo or ECHO)}


def test_found_email() -> None:
    echo = ECHO | {"first_name": "Ada", "last_name": "Example", "domain": "www.acme.example.com"}
    answer = parse(emails(("ada@acme.example.com", "valid"), ("a@acme.example.com", "catch-all"), echo=echo))
    (only,) = answer.results
    assert (answer.final, answer.running, answer.charged, answer.unmatched) == (True, False, Decimal(1), 0)
    assert (only.request_id, only.field, only.outcome) == ("attempt-1", Field.EMAIL, Outcome.FOUND)
    assert only.said == (
        Identity(first_name="Ada", last_name="Example", domain="acme.example.com", linkedin_url=PROFILE),
    )
    assert [(c.value, c.grade, c.word) for c in only.candidates] == [
        ("ada@acme.example.com", Grade.VALID, "valid"),
        ("a@acme.example.com", Grade.CATCH_ALL, "catch-all"),
    ]


@pytest.mark.parametrize(("told", "charged"), [("2", 2), (1, 1), ("1", 1), (0.5, Decimal("0.5")), (4, 4)])
def test_case_36_credit_used_is_a_number_or_a_string(told: object, charged: Decimal | int) -> None:
    answer = parse(emails(("ada@acme.example.com", "valid")) | {"credit_used": told})
    assert (answer.charged, answer.note) == (charged, "")


@pytest.mark.parametrize("told", [0, "0", 0.0, "0.00"])
def test_case_36_nothing_found_costs_nothing(told: object) -> None:
    answer = parse({"credit_used": told, "contact": {}})
    assert (answer.results[0].outcome, answer.charged, answer.note) == (Outcome.NOT_FOUND, Decimal(0), "")


@pytest.mark.parametrize("told", [None, "", -1, "-3", -0.5])
def test_case_36_nothing_found_without_a_charge_is_not_known(told: object) -> None:
    answer = parse({"credit_used": told, "contact": {}})
    assert (answer.results[0].outcome, answer.charged) == (Outcome.NOT_FOUND, None)
    assert answer.note
    assert parse({"contact": {}}).charged is None


@pytest.mark.parametrize("told", ["a lot", True, [], {}, "NaN", "Infinity", "-NaN", "--1"])
def test_case_36_nothing_read_and_an_unreadable_charge_is_not_believed(told: object) -> None:
    assert refused({"credit_used": told, "contact": {}}) is None
    assert refused(b'{"credit_used": 1e999, "contact": {}}') is None


# --- unsigned answers -------------------------------------------------------------------------

FOUND_IT = {"most_probable_email": "x@y.example", "most_probable_email_status": "valid"}


def test_a11_a_find_without_echo_and_charge_is_set_aside() -> None:
    assert refused({"contact": FOUND_IT}) is None
    assert refused({"contact": FOUND_IT, "credit_used": 1}) == 1
    assert refused({"contact": FOUND_IT | ECHO}) is None
    assert parse({"contact": FOUND_IT | ECHO, "credit_used": 1}).results[0].outcome is Outcome.FOUND


@pytest.mark.parametrize("told", [None, "", "a lot", True, -1, "NaN", []])
def test_a11_a_find_with_an_unreadable_charge_is_set_aside(told: object) -> None:
    assert refused({"contact": FOUND_IT | ECHO, "credit_used": told}) is None


@pytest.mark.parametrize(("told", "charged"), [(1000, 1000), ("1000", 1000), (5, 5), (10**9, 10**9), (0, 0), ("0", 0)])
def test_a15_a_charge_that_does_not_fit_an_email_is_set_aside(told: object, charged: int) -> None:
    assert refused(emails(("ada@acme.example.com", "valid")) | {"credit_used": told}) == charged


@pytest.mark.parametrize(("told", "charged"), [(1000, 1000), (31, 31), (0, 0)])
def test_a15_a_charge_that_does_not_fit_a_phone_is_set_aside(told: object, charged: int) -> None:
    assert refused(phones("+447700900123") | {"credit_used": told}, field=PHONE) == charged


@pytest.mark.parametrize("told", [10, "10", 15, "15", 30])
def test_a15_charges_that_were_seen_fit(told: object) -> None:
    assert parse(phones("+447700900123") | {"credit_used": told}, field=PHONE).charged == Decimal(str(told))


@pytest.mark.parametrize("plan", ["advanced", "enterprise"])
def test_a15_an_email_may_be_free_by_the_plan(plan: str) -> None:
    body = emails(("ada@acme.example.com", "valid"))
    for charged in (0, 1, 2):
        assert parse(body | {"credit_used": charged}, plan=plan).charged == charged
    assert refused(body | {"credit_used": 1000}, plan=plan) == 1000
    assert refused(phones("+447700900123") | {"credit_used": 0}, field=PHONE, plan=plan) == 0


def test_a15_the_configured_price_decides_what_fits() -> None:
    body = phones("+447700900123")
    assert parse(body | {"credit_used": 0}, field=PHONE, price={"phone": 0}).charged == 0
    assert parse(body | {"credit_used": 50}, field=PHONE, price={"phone": 25}).charged == 50
    assert parse(body | {"credit_used": 15}, field=PHONE, price={"phone": 5}).charged == 15
    assert refused(body | {"credit_used": 51}, field=PHONE, price={"phone": 25}) == 51


def test_a15_an_absurd_charge_is_set_aside_whatever_was_found() -> None:
    assert refused(emails(("x@acme.example.com", "invalid")) | {"credit_used": 1000}) == 1000
    assert parse(emails(("x@acme.example.com", "invalid")) | {"credit_used": 1}).charged == 1


@pytest.mark.parametrize(
    "body",
    [
        {"credit_used": 10, "contact": {}},
        {"credit_used": "10", "contact": None},
        {"credit_used": 10},
        {"credit_used": 10, "contact": ECHO | {"phones": [{"tel": "+447700900123"}]}},
        {"credit_used": 10, "contact": ECHO | {"phones": {"0": "+447700900123"}}},
        {"credit_used": 10, "contact": ECHO | {"phones": ["none", "+", ""], "most_probable_phone": "n/a"}},
        {"credit_used": 10, "contact": [ECHO | {"phones": ["+447700900123"]}]},
        {"credit_used": 10, "contact": "+447700900123"},
        {"credit_used": 10, "contact": ECHO | {"most_probable_email": "ada@acme.example.com"}},
        {"credit_used": 10, "error": "FAILED", "contact": None},
    ],
)
@pytest.mark.parametrize("source", [Source.CALLBACK, Source.RECEIPT])
def test_a12_a_charge_with_nothing_read_is_never_not_found(body: object, source: Source) -> None:
    assert refused(body, field=PHONE, source=source) == 10


@pytest.mark.parametrize(
    ("contact", "values"),
    [
        ({"phones": ["+447700900123", " +44 7700 900124 "]}, ["+447700900123", "+44 7700 900124"]),
        ({"phones": [{"number": "+447700900123"}]}, ["+447700900123"]),
        ({"phones": [{"phone": "+447700900123"}, {"phone": None, "number": "+447700900124"}]}, None),
        ({"most_probable_phone": {"number": "+447700900123"}}, ["+447700900123"]),
        ({"most_probable_phone": {"phone": "+447700900123"}, "phones": ["+447700900123"]}, ["+447700900123"]),
    ],
)
@pytest.mark.parametrize("flat", [False, True])
def test_a12_phones_in_plain_shapes_are_read(contact: dict[str, Any], values: list[str] | None, flat: bool) -> None:
    body = {"credit_used": 10} | (contact | ECHO if flat else {"contact": contact | ECHO})
    only = result(body, field=PHONE)
    assert [c.value for c in only.candidates] == (values or ["+447700900123", "+447700900124"])
    assert (only.outcome, only.said) == (Outcome.FOUND, (TOLD,))


@pytest.mark.parametrize(
    ("contact", "grades"),
    [
        ({"emails": ["a@x.example"]}, [("a@x.example", Grade.UNKNOWN)]),
        (
            {
                "emails": ["a@x.example", "b@x.example"],
                "most_probable_email": "B@x.example",
                "most_probable_email_status": "valid",
            },
            [("B@x.example", Grade.VALID), ("a@x.example", Grade.UNKNOWN)],
        ),
        ({"most_probable_email": "a@x.example"}, [("a@x.example", Grade.UNKNOWN)]),
        ({"most_probable_email": {"email": "a@x.example", "status": "valid"}}, [("a@x.example", Grade.VALID)]),
        ({"emails": ["none", "", 7, None, "a@x.example"]}, [("a@x.example", Grade.UNKNOWN)]),
    ],
)
@pytest.mark.parametrize("flat", [False, True])
def test_a12_emails_in_plain_shapes_are_read(
    contact: dict[str, Any], grades: list[tuple[str, Grade]], flat: bool
) -> None:
    body = {"credit_used": 1} | (contact | ECHO if flat else {"contact": contact | ECHO})
    only = result(body)
    assert [(c.value, c.grade) for c in only.candidates] == grades
    assert (only.outcome, only.said) == (Outcome.FOUND, (TOLD,))


def test_a12_values_beside_the_contact_are_read_with_its_echo() -> None:
    only = result({"credit_used": 1, "contact": ECHO, "emails": ["a@x.example"]})
    assert (only.outcome, only.said) == (Outcome.FOUND, (TOLD,))


def test_a_result_that_came_with_the_acceptance_needs_no_echo() -> None:
    answer = parse({"contact": FOUND_IT}, source=Source.RECEIPT)
    assert (answer.results[0].outcome, answer.results[0].said, answer.charged) == (Outcome.FOUND, (), None)


HANDLE = "https://www.linkedin.com/in/"


@pytest.mark.parametrize(
    ("told", "echo", "believed"),
    [
        (TOLD, {"linkedin_url": "http://linkedin.com/in/Ada-Example/?x=1"}, True),
        (TOLD, {"linkedin_url": HANDLE + "zoltan-querfurt"}, False),
        (TOLD, {"linkedin_url": "not a profile"}, False),
        (TOLD, {"email": "ada@acme.example.com", "domain": "acme.example.com"}, False),
        (TOLD, {"first_name": "Zoltan", "last_name": "Querfurt"}, False),
        (TOLD, {"first_name": "Ada", "last_name": "Example"}, True),  # the handle says so
        (TOLD, {}, False),
        # A7: a handle that was renamed shares a word with the former one, or with the name
        (Identity(linkedin_url=HANDLE + "lea-old-12ab"), {"linkedin_url": HANDLE + "lea-new"}, True),
        (
            Identity(linkedin_url=HANDLE + "ldurand42"),
            {"linkedin_url": HANDLE + "lea", "last_name": "Durand"},
            True,
        ),
        (Identity(linkedin_url=HANDLE + "xq-12"), {"linkedin_url": HANDLE + "xq-13"}, False),
        (Identity(linkedin_url=HANDLE + "xq-12"), {"linkedin_url": HANDLE + "xq-12/"}, True),
        (Identity(linkedin_url=HANDLE + "ACwAAB123"), {"linkedin_url": HANDLE + "ACwAAB123"}, True),
        # A9: the same letters in two encodings
        (
            Identity(linkedin_url=HANDLE + "andr%C3%A9-dupont-1"),
            {"linkedin_url": HANDLE + "andre%CC%81-dupont-1"},
            True,
        ),
        # LinkedIn's own id can't be compared with a handle, but two ids can
        (TOLD, {"linkedin_url": HANDLE + "ACwAAB123"}, True),
        (Identity(linkedin_url=HANDLE + "ACwAAB123"), {"linkedin_url": HANDLE + "ada-example"}, True),
        (Identity(linkedin_url=HANDLE + "ACwAAB123"), {"linkedin_url": HANDLE + "ACwAAB124"}, False),
        (Identity(linkedin_url=HANDLE + "ACwAAB123"), {"first_name": "Ada"}, False),
        # A8: any part of name and employer
        (BY_NAME, {"first_name": "Ada", "last_name": "Example", "domain": "www.acme.example.com"}, True),
        (BY_NAME, {"first_name": "Bob", "last_name": "Sample", "domain": "mail.acme.example.com"}, True),
        (BY_NAME, {"first_name": "Ada", "last_name": "Brown", "domain": "other.example.org"}, True),
        (BY_NAME, {"first_name": "Bob", "last_name": "EXAMPLE", "domain": "other.example.org"}, True),
        (BY_NAME, {"first_name": "Bob", "last_name": "Sample", "domain": "other.example.org"}, False),
        (BY_NAME, {"first_name": "A.", "last_name": "Sample"}, False),
        (BY_NAME, {"linkedin_url": PROFILE}, True),  # the handle holds the name
        (BY_NAME, {"linkedin_url": HANDLE + "zoltan-querfurt"}, False),
        (BY_COMPANY, {"company": "ACME, Inc."}, True),
        (BY_COMPANY, {"domain": "acme.example.com"}, False),
    ],
)
def test_a_find_must_repeat_something_that_was_sent(told: Identity, echo: dict[str, str], believed: bool) -> None:
    body = emails(("ada@acme.example.com", "valid"), echo=echo)
    if believed:
        assert result(body, told).outcome is Outcome.FOUND
    else:
        assert refused(body, told) == 1


@pytest.mark.parametrize(
    ("email", "believed"),
    [
        ("ADA@acme.example.com", True),
        ("a.example@acme.example.com", True),  # A10: another mailbox at the same host is for the pipeline to judge
        ("ada@elsewhere.example.org", False),
        (None, False),
        ("", False),
    ],
)
def test_a10_a_phone_asked_by_email_must_repeat_its_host(email: str | None, believed: bool) -> None:
    body = {"credit_used": 10, "contact": {"phones": [{"phone": "+447700900123"}], "email": email}}
    if believed:
        assert result(body, BY_MAIL, PHONE).said == (Identity(email=email),)
    else:
        assert refused(body, BY_MAIL, PHONE) == 10


@pytest.mark.parametrize(
    ("told", "echoed"),
    [
        (("Grégoire", "Müller"), ("GREGOIRE", "Mueller")),
        (("Łukasz", "Øst"), ("Lukasz", "Ost")),
        (("Лев", "Яшин"), ("Lev", "Yashin")),
        (("Séan", "O'Brien"), ("Shawn", "OBrien")),
        (("Jan", "van den Berg"), ("Johan", "Vandenberg")),
        (("Bob", "Stone"), ("Robert", "Stone")),
        (("Zhang", "Min"), ("Min", "Zhang")),
        (("Mary", "Jones"), ("Mary", "Brown")),
    ],
)
def test_names_are_compared_without_regard_to_spelling(told: tuple[str, str], echoed: tuple[str, str]) -> None:
    asked = Identity(first_name=told[0], last_name=told[1], company="Acme")
    echo = {"first_name": echoed[0], "last_name": echoed[1]}
    assert result(emails(("x@acme.example.com", "valid"), echo=echo), asked).outcome is Outcome.FOUND


@pytest.mark.parametrize(
    ("told", "echoed"), [(("Paul", "Durand"), ("Maria", "Garcia")), (("D.", "Dvorak"), ("D.", "Owens"))]
)
def test_other_names_repeat_nothing(told: tuple[str, str], echoed: tuple[str, str]) -> None:
    asked = Identity(first_name=told[0], last_name=told[1], company="Acme")
    echo = {"first_name": echoed[0], "last_name": echoed[1]}
    assert refused(emails(("x@acme.example.com", "valid"), echo=echo), asked) == 1


def test_a1_a_pasted_profile_is_said_and_not_judged() -> None:
    echo = ECHO | {"first_name": "Maria", "last_name": "Garcia"}
    only = result(emails(("m@acme.example.com", "valid"), echo=echo))
    assert only.outcome is Outcome.FOUND
    assert only.said == (Identity(first_name="Maria", last_name="Garcia", linkedin_url=PROFILE),)


def test_nothing_found_says_whom_it_was_about_too() -> None:
    assert result({"credit_used": 0, "contact": ECHO}).said == (TOLD,)
    assert result({"credit_used": 0, "contact": {"first_name": " ", "domain": "??"}}).said == ()


def test_the_email_of_an_email_answer_is_no_echo() -> None:
    assert result(emails(("ada@acme.example.com", "valid"), echo=ECHO | {"email": "a@home.example.net"})).said == (
        TOLD,
    )


# --- what is read -----------------------------------------------------------------------------


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


def test_case_48_the_domain_of_a_found_email_says_nothing_of_the_person() -> None:
    body = emails(("ada@old-employer.example.org", "valid"), echo={"domain": "acme.example.com"})
    only = result(body, BY_NAME)
    assert (only.outcome, only.said) == (Outcome.FOUND, (Identity(domain="acme.example.com"),))


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
    assert refused(body) == 1
    assert result(body | {"credit_used": 0}).outcome is Outcome.NOT_FOUND


def test_a_flood_of_values_is_cut() -> None:
    body = emails(*((f"a{n}@acme.example.com", "valid") for n in range(500)))
    assert len(result(body).candidates) == 50


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 500, "error": "Internal Server Error", "message": "provider failed for ada@acme.example.com"},
        {"error": "FAILED", "contact": None, "credit_used": 0},
        {"statusCode": 400, "message": ["a", "b"]},
        {"statusCode": "E1", "contact": {}},
        {"error": {"code": 7}, "contact": ECHO | {"most_probable_email": None}},
        {"error": "FAILED", "credit_used": "none"},
    ],
)
def test_a14_case_69_error_object_is_a_failure_not_a_not_found(body: dict[str, Any]) -> None:
    answer = parse(body)
    (only,) = answer.results
    assert (only.outcome, only.candidates, answer.final) == (Outcome.FAILED, (), True)
    assert answer.charged == (Decimal(0) if body.get("credit_used") == 0 else None)
    assert only.note
    assert "ada@" not in only.note


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 200, "contact": None, "credit_used": 0},
        {"error": None, "contact": None, "credit_used": 0},
        {"error": "", "statusCode": "202", "contact": {}},
    ],
)
def test_a14_what_is_no_error_is_no_failure(body: object) -> None:
    assert result(body).outcome is Outcome.NOT_FOUND


def test_unknown_keys_are_ignored() -> None:
    body = emails(("ada@acme.example.com", "valid")) | {"version": 3, "meta": {"contact": None}, "error": None}
    assert result(body).outcome is Outcome.FOUND


def test_there_is_nothing_to_poll_and_nothing_signed() -> None:
    with pytest.raises(Skip):
        use(make, lambda c: c.poll(sub()))
    assert make().capabilities.poll_after is None
    assert make().authenticate(delivery(b""))
