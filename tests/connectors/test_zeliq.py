"""Zeliq's connector against a scripted server. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors.zeliq import Connector, Options
from syncd.contract import normal
from syncd.contract.errors import Garbled, Halt, InDoubt, RateLimited, Retry, Skip, Trouble
from syncd.contract.model import Answer, EnrichmentResult, Field, Grade, Identity, Level, Outcome, Receipt
from syncd.contract.pacing import Window

from .samples import ADA, BY_COMPANY, BY_MAIL, BY_NAME, CALLBACK, EMAIL, NOBODY, PHONE, PROFILE, delivery
from .samples import request as ask
from .samples import submission as sub
from .scripted import Call, DictMemory, Reply, Script, scripted, tools, use

KEY = "sk-very-secret"
ACCEPTED = Reply(202, {"status": 202, "message": "Request accepted", "jobId": "job-1"})


def make(url: str | None = None, memory: DictMemory | None = None, **options: Any) -> Connector:
    return Connector("zeliq", Options(api_key=SecretStr(KEY), **options), url, tools(memory))


def submit(script: Script, identity: Identity = ADA, field: tuple[Field, ...] = EMAIL, **options: Any) -> Receipt:
    receipt: Receipt = use(lambda: make(script.url, **options), lambda c: c.submit(sub(ask(identity, field))))
    return receipt


def sent(identity: Identity, field: tuple[Field, ...] = EMAIL) -> Call:
    with scripted(ACCEPTED) as script:
        submit(script, identity, field)
    (call,) = script.calls
    return call


def refused(reply: Reply, field: tuple[Field, ...] = EMAIL) -> tuple[BaseException, int]:
    """What submit raises, and how many calls it made."""
    with scripted(reply) as script, pytest.raises(Exception) as caught:  # noqa: PT011
        submit(script, BY_COMPANY if field == EMAIL else BY_MAIL, field)
    return caught.value, len(script.calls)


def says(message: object, status: int = 400) -> Reply:
    return Reply(status, {"statusCode": status, "error": "VALIDATION_FAILED", "message": message})


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


# --- what is sent -----------------------------------------------------------------------------


def test_email_is_asked_by_profile_alone() -> None:
    call = sent(ADA)
    assert (call.method, call.path) == ("POST", "/api/contact/enrich/email")
    assert call.json == {"linkedin_url": PROFILE, "callbackUrl": CALLBACK}
    assert call.headers["x-api-key"] == KEY
    assert call.headers["x-request-origin"] == "syncd"
    assert call.headers["content-type"] == "application/json"
    assert "authorization" not in call.headers


def test_email_is_asked_by_name_and_domain_or_company() -> None:
    name = {"first_name": "Ada", "last_name": "Example", "callbackUrl": CALLBACK}
    assert sent(BY_NAME).json == name | {"domain": "acme.example.com"}
    assert sent(BY_COMPANY).json == name | {"company": "Acme"}


def test_phone_is_asked_by_profile_or_email() -> None:
    assert sent(ADA, PHONE).path == "/api/contact/enrich/phone"
    assert sent(ADA, PHONE).json == {"linkedin_url": PROFILE, "callbackUrl": CALLBACK}
    assert sent(BY_MAIL, PHONE).json == {"email": "ada@acme.example.com", "callbackUrl": CALLBACK}


def test_origin_can_be_left_out_and_is_bounded() -> None:
    with scripted(ACCEPTED) as script:
        submit(script, origin="")
    assert "x-request-origin" not in script.calls[0].headers
    with pytest.raises(ValidationError):
        Options(api_key=SecretStr(KEY), origin="x" * 51)
    with pytest.raises(ValidationError):
        Options(api_key=SecretStr(KEY), origin="two words")


@pytest.mark.parametrize("key", ["", " ", "sk-a b", "sk-a\n", "sk-é"])
def test_a_key_that_fits_no_header_is_refused_before_any_call(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options(api_key=SecretStr(key))
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/"])
def test_base_url_may_end_in_api_or_not(suffix: str) -> None:
    with scripted(ACCEPTED) as script:
        use(lambda: make(script.url + suffix), lambda c: c.submit(sub()))
    assert script.calls[0].path == "/api/contact/enrich/email"


def test_case_09_unicode_names_arrive_as_they_are() -> None:
    raw = Identity(first_name=" Gre\u0301goire\u00a0🎉", last_name="O'Brien-Łukasz", company="李小龙 & Söhne")
    call = sent(normal.tidy(raw))
    assert call.json["first_name"] == "Grégoire"
    assert call.json["last_name"] == "O'Brien-Łukasz"
    assert call.json["company"] == "李小龙 & Söhne"
    assert "Łukasz".encode() in call.body


def test_case_10_what_is_no_profile_falls_back_to_the_name() -> None:
    raw = Identity(linkedin_url="https://www.linkedin.com/sales/lead/ACw,x", first_name="A", last_name="B", company="C")
    assert "linkedin_url" not in sent(normal.tidy(raw)).json
    assert (
        sent(normal.tidy(Identity(linkedin_url="fr.linkedin.com/in/Ada-Example/?utm=1"))).json["linkedin_url"]
        == PROFILE
    )


def test_case_11_profile_without_company_is_enough() -> None:
    assert make().lacks(ask(Identity(linkedin_url=PROFILE), EMAIL)) is None
    assert sent(Identity(linkedin_url=PROFILE)).json == {"linkedin_url": PROFILE, "callbackUrl": CALLBACK}


def test_case_12_bare_domain_is_sent_and_a_bad_one_gives_way_to_the_company() -> None:
    name = {"first_name": "A", "last_name": "B", "company": "Acme"}
    good = normal.tidy(Identity(**name, domain="https://www.Acme.example.com/contact"))
    bad = normal.tidy(Identity(**name, domain="not a domain"))
    assert sent(good).json["domain"] == "acme.example.com"
    assert sent(bad).json["company"] == "Acme"
    assert "domain" not in sent(bad).json


def test_case_13_phone_needs_a_profile_or_an_email() -> None:
    zeliq = make()
    assert "e-mail" in (zeliq.lacks(ask(BY_NAME, PHONE)) or "")
    assert zeliq.lacks(ask(BY_MAIL, PHONE)) is None
    assert zeliq.capabilities.needs_email_for == {Field.PHONE}


def test_case_14_both_fields_are_two_calls() -> None:
    assert make().capabilities.batch == 1
    assert not make().capabilities.combines


@pytest.mark.parametrize(
    "identity", [NOBODY, Identity(first_name="Ada", last_name="Example"), Identity(first_name="Ada", company="Acme")]
)
def test_lacks_an_email_without_input(identity: Identity) -> None:
    assert make().lacks(ask(identity, EMAIL))


# --- how the call is answered -----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
def test_case_19_any_2xx_is_an_acceptance(status: int) -> None:
    with scripted(Reply(status, {"jobId": "job-1"}), Reply(status, {"status": status}), Reply(status)) as script:
        assert submit(script) == Receipt(provider_id="job-1")
        assert submit(script) == Receipt()
        assert submit(script) == Receipt()


def test_case_19_result_in_the_answer_is_kept() -> None:
    body = emails(("ada@acme.example.com", "valid"))
    with scripted(Reply(200, body)) as script:
        receipt = submit(script)
    assert receipt.body is not None
    assert json.loads(receipt.body) == body


@pytest.mark.parametrize("body", [b'{"status":202,"mess', b"OK", b"[1]", b"\xff\xfe", b'{"jobId": 7}'])
def test_case_20_garbled_2xx_is_an_acceptance_all_the_same(body: bytes) -> None:
    with scripted(Reply(200, body)) as script:
        assert submit(script) == Receipt()


def test_case_20_web_page_instead_of_the_api_halts() -> None:
    page = Reply(200, b"<!doctype html><title>App</title>", {"content-type": "text/html"})
    unnamed = Reply(200, b"\n <html>", {"content-type": "application/octet-stream"})
    for reply in (page, unnamed):
        error, calls = refused(reply)
        assert isinstance(error, Halt)
        assert error.trouble is Trouble.MISCONFIGURED
        assert "base_url" in error.cure
        assert calls == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 405])
def test_redirects_are_not_followed_and_strange_addresses_halt(status: int) -> None:
    with scripted() as elsewhere, scripted(Reply(status, b"", {"location": elsewhere.url})) as script:
        with pytest.raises(Halt) as caught:
            submit(script)
        assert elsewhere.calls == []
    assert caught.value.trouble is Trouble.MISCONFIGURED


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("linkedin_url or email is required", PHONE),
        ("Either linkedin_url OR (first_name, last_name, and company or domain) are required", EMAIL),
        (["linkedin_url must be a URL address"], EMAIL),
    ],
)
def test_refused_input_skips_this_person(message: object, field: tuple[Field, ...]) -> None:
    error, calls = refused(says(message), field)
    assert isinstance(error, Skip)
    assert calls == 1


@pytest.mark.parametrize("message", ["property origin should not exist", ["property x should not exist", "y"]])
def test_case_15_unknown_property_halts(message: object) -> None:
    error, calls = refused(says(message))
    assert isinstance(error, Halt)
    assert error.trouble is Trouble.MISCONFIGURED
    assert calls == 1


def test_case_15_refused_domain_is_sent_as_company_from_then_on() -> None:
    memory = DictMemory()
    with scripted(says("property domain should not exist"), ACCEPTED, ACCEPTED) as script:
        assert submit(script, BY_NAME, memory=memory) == Receipt(provider_id="job-1")
        assert submit(script, BY_NAME, memory=memory) == Receipt(provider_id="job-1")
    first, second, later = (call.json for call in script.calls)
    assert first["domain"] == "acme.example.com"
    assert second["company"] == later["company"] == "acme.example.com"
    assert "domain" not in second
    assert "domain" not in later


def test_case_15_refused_domain_is_repeated_once_only() -> None:
    complaint = says("property domain should not exist")
    with scripted(complaint, complaint, complaint) as script, pytest.raises(Halt):
        submit(script, BY_NAME)
    assert len(script.calls) == 2


def test_case_15_the_repeat_can_be_in_doubt_like_any_call() -> None:
    with scripted(says("property domain should not exist"), Reply(cut=True)) as script, pytest.raises(InDoubt):
        submit(script, BY_NAME)
    assert len(script.calls) == 2


@pytest.mark.parametrize("message", ["callbackUrl must be a URL address", ["callback_url should not be empty"]])
def test_case_16_bad_callback_address_halts(message: object) -> None:
    error, _ = refused(says(message))
    assert isinstance(error, Halt)
    assert "public_url" in error.cure


@pytest.mark.parametrize("reply", [Reply(cut=True), Reply(500), Reply(502, b"<html>"), Reply(503), Reply(504)])
def test_case_17_lost_answer_is_in_doubt_and_never_repeated(reply: Reply) -> None:
    error, calls = refused(reply)
    assert isinstance(error, InDoubt)
    assert calls == 1


def test_case_18_unreachable_is_safe_to_repeat() -> None:
    with scripted() as script:
        pass  # its port is closed now
    with pytest.raises(Retry):
        use(lambda: make(script.url), lambda c: c.submit(sub()))


@pytest.mark.parametrize(
    ("status", "message", "trouble"),
    [
        pytest.param(401, "API key is required", Trouble.CREDENTIALS, id="case_25_no_key"),
        pytest.param(401, "Invalid API key", Trouble.CREDENTIALS, id="case_25_regenerated_key"),
        pytest.param(403, "Forbidden", Trouble.CREDENTIALS, id="forbidden"),
        pytest.param(402, "No Credit Remaining", Trouble.CREDITS, id="case_27_no_credit"),
        pytest.param(423, "User is blocked", Trouble.BLOCKED, id="case_31_blocked"),
    ],
)
def test_account_troubles_halt(status: int, message: str, trouble: Trouble) -> None:
    error, calls = refused(says(message, status))
    assert isinstance(error, Halt)
    assert error.trouble is trouble
    assert message in str(error)
    assert error.cure.endswith(".")
    assert calls == 1


def limited(limits: object, **headers: str) -> RateLimited:
    error, calls = refused(
        Reply(429, {"statusCode": 429, "message": "Rate limit exceeded.", "limits": limits}, headers)
    )
    assert isinstance(error, RateLimited)
    assert calls == 1
    return error


def test_case_32_limits_are_learnt_from_a_429() -> None:
    error = limited({"perMinute": 200, "perHour": 400, "perDay": 2000})
    assert error.windows == (Window(60, 200), Window(3600, 400), Window(86400, 2000))
    assert error.after is None


@pytest.mark.parametrize(
    "limits", [None, [], "200", {"perMinute": "200"}, {"perMinute": True, "perHour": -1, "perDay": 0}]
)
def test_case_32_missing_or_odd_limits_teach_nothing(limits: object) -> None:
    assert limited(limits).windows == ()


@pytest.mark.parametrize(
    ("told", "after"),
    [("30", 30.0), ("999999", 900.0), ("-5", 0.0), ("soon", None), ("Fri, 15 Jan 2027 08:01:00 GMT", 40.0)],
)
def test_case_34_retry_after_is_honoured_and_capped(told: str, after: float | None) -> None:
    assert limited({"perMinute": 50}, **{"Retry-After": told}).after == after


def test_messages_hold_no_key_and_no_personal_data() -> None:
    error, _ = refused(
        says(f"no, {KEY} may not ask for ada@acme.example.com, +44 7700 900123 or https://x.example.com/ada")
    )
    for secret in (KEY, "ada@", "900123", "https"):
        assert secret not in str(error)


# --- balance and check ------------------------------------------------------------------------


def findings(reply: Reply) -> list[tuple[Level, str]]:
    with scripted(reply) as script:
        found = use(lambda: make(script.url), lambda c: c.check())
    assert all(f.cure for f in found if f.level is Level.ERROR)
    return [(f.level, f.what) for f in found]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        (4500, Decimal(4500)),
        ("12", Decimal(12)),
        (0.5, Decimal("0.5")),
        (None, None),
        (-1, None),
        (True, None),
        ("NaN", None),
    ],
)
def test_balance(told: object, left: Decimal | None) -> None:
    with scripted(Reply(200, {"credit_balance": told})) as script:
        assert use(lambda: make(script.url), lambda c: c.balance()) == left
    assert (script.calls[0].method, script.calls[0].path) == ("GET", "/api/credits/balance")


def test_check_says_what_is_left_or_what_is_wrong() -> None:
    assert findings(Reply(200, {"credit_balance": 7})) == [(Level.OK, "the key is accepted, 7 credits are left")]
    assert findings(Reply(200, {"credit_balance": 0}))[0][0] is Level.WARNING
    assert findings(Reply(200, {}))[0][0] is Level.WARNING
    assert findings(Reply(200, b"oops"))[0][0] is Level.WARNING
    assert findings(Reply(200, b"<html>"))[0][0] is Level.ERROR
    assert findings(says("Invalid API key", 401))[0][0] is Level.ERROR
    assert findings(says("what?", 400))[0][0] is Level.ERROR
    assert findings(Reply(500))[0][0] is Level.ERROR


# --- plans ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "limits", "email"),
    [
        ("free", (50, 200, 600), 1),
        ("starter", (200, 400, 2000), 1),
        ("essential", (600, 2000, 6000), 1),
        ("advanced", (600, 2000, 6000), 0),
        ("enterprise", (600, 2000, 6000), 0),
    ],
)
def test_plan_sets_limits_and_price(plan: str, limits: tuple[int, int, int], email: int) -> None:
    able = make(plan=plan).capabilities
    assert tuple(w.limit for w in able.windows) == limits
    assert tuple(w.seconds for w in able.windows) == (60, 3600, 86400)
    assert able.price == {Field.EMAIL: Decimal(email), Field.PHONE: Decimal(10)}


def test_starter_is_the_default_and_other_plans_are_refused() -> None:
    assert make().capabilities == Connector.capabilities
    with pytest.raises(ValidationError):
        make(plan="platinum")
    with pytest.raises(ValidationError):
        make(api_secret="x")


# --- what callbacks say -----------------------------------------------------------------------


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
