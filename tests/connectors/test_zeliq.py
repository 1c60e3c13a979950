"""Zeliq's connector against a scripted server. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors.zeliq import Connector, Options
from syncd.contract import normal
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Skip, Trouble, Unlisted
from syncd.contract.model import Field, Identity, Level, Receipt
from syncd.contract.pacing import Window
from syncd.contract.testing.samples import ADA, BY_COMPANY, BY_MAIL, BY_NAME, CALLBACK, EMAIL, NOBODY, PHONE, PROFILE
from syncd.contract.testing.samples import request as ask
from syncd.contract.testing.samples import submission as sub
from syncd.contract.testing.server import Call, Reply, Script, scripted
from syncd.contract.testing.surroundings import DictMemory, tools, use

KEY = "sk-very-secret"
ACCEPTED = Reply(202, {"status": 202, "message": "Request accepted", "jobId": "job-1"})


def make(url: str | None = None, memory: DictMemory | None = None, **options: Any) -> Connector:
    return Connector("zeliq", Options(api_key=SecretStr(KEY), **options), url, tools(memory))


def told(identity: Identity, field: tuple[Field, ...] = EMAIL) -> Identity:
    """What the best way to ask tells of somebody."""
    return make().questions(ask(identity, field))[0].told


def submit(script: Script, identity: Identity = ADA, field: tuple[Field, ...] = EMAIL, **options: Any) -> Receipt:
    what = sub(ask(told(identity, field), field))
    receipt: Receipt = use(lambda: make(script.url, **options), lambda c: c.submit(what))
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


# --- how it can be asked ----------------------------------------------------------------------

FULL = replace(ADA, email="ada@acme.example.com", country="FR", full_name="Ada Example", phones=("+447700900123",))


def ways(identity: Identity, field: tuple[Field, ...] = EMAIL) -> list[tuple[str, Identity]]:
    return [(one.way, one.told) for one in make().questions(ask(identity, field))]


def test_q5_email_is_asked_by_profile_and_then_by_name_and_employer() -> None:
    by_name = Identity(first_name="Ada", last_name="Example", company="Acme", domain="acme.example.com")
    assert ways(FULL) == [("profile", Identity(linkedin_url=PROFILE)), ("name", by_name)]
    assert ways(BY_NAME) == [("name", BY_NAME)]
    assert ways(BY_COMPANY) == [("name", BY_COMPANY)]
    assert ways(Identity(linkedin_url=PROFILE, first_name="Ada")) == [("profile", Identity(linkedin_url=PROFILE))]


def test_q6_phone_is_asked_by_profile_and_then_by_email() -> None:
    assert ways(FULL, PHONE) == [("profile", Identity(linkedin_url=PROFILE)), ("email", BY_MAIL)]
    assert ways(replace(FULL, linkedin_url=None), PHONE) == [("email", BY_MAIL)]
    assert ways(replace(FULL, email=None), PHONE) == [("profile", Identity(linkedin_url=PROFILE))]
    assert ways(BY_NAME, PHONE) == []


def test_a_submission_sends_what_it_tells_and_nothing_else() -> None:
    with scripted(ACCEPTED, ACCEPTED) as script:
        for way in make().questions(ask(FULL, EMAIL)):
            what = sub(ask(way.told, EMAIL))
            use(lambda: make(script.url), partial(Connector.submit, submission=what))
    first, second = (set(call.json) - {"callbackUrl", "callback_url"} for call in script.calls)
    assert (first, second) == ({"linkedin_url"}, {"first_name", "last_name", "company", "domain"})


def test_capabilities_say_that_it_echoes_and_bills_finds_only() -> None:
    assert (make().capabilities.echoes, make().capabilities.bills_finds_only) == (True, True)


# --- what is sent -----------------------------------------------------------------------------

BACK = {"callbackUrl": CALLBACK, "callback_url": CALLBACK}


def test_email_is_asked_by_profile_alone() -> None:
    call = sent(ADA)
    assert (call.method, call.path) == ("POST", "/api/contact/enrich/email")
    assert call.json == {"linkedin_url": PROFILE} | BACK
    assert call.headers["x-api-key"] == KEY
    assert call.headers["x-request-origin"] == "syncd"
    assert call.headers["content-type"] == "application/json"
    assert "authorization" not in call.headers


def test_email_is_asked_by_name_and_domain_or_company() -> None:
    name = {"first_name": "Ada", "last_name": "Example"} | BACK
    assert sent(BY_NAME).json == name | {"domain": "acme.example.com"}
    assert sent(BY_COMPANY).json == name | {"company": "Acme"}


def test_phone_is_asked_by_profile_or_email() -> None:
    assert sent(ADA, PHONE).path == "/api/contact/enrich/phone"
    assert sent(ADA, PHONE).json == {"linkedin_url": PROFILE} | BACK
    assert sent(BY_MAIL, PHONE).json == {"email": "ada@acme.example.com"} | BACK


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
    assert sent(Identity(linkedin_url=PROFILE)).json == {"linkedin_url": PROFILE} | BACK


def test_case_12_bare_domain_is_sent_beside_the_company_and_a_bad_one_left_out() -> None:
    named = Identity(first_name="A", last_name="B", company="Acme")
    good = normal.tidy(replace(named, domain="https://www.Acme.example.com/contact"))
    bad = normal.tidy(replace(named, domain="not a domain"))
    assert sent(good).json["domain"] == "acme.example.com"
    assert sent(good).json["company"] == "Acme"
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
    with scripted(Reply(status, {"jobId": "job-1"}), Reply(status, {"status": status})) as script:
        assert submit(script) == Receipt(provider_id="job-1")
        assert submit(script) == Receipt()


def test_case_19_result_in_the_answer_is_kept() -> None:
    body = {"credit_used": 1, "contact": {"most_probable_email": "ada@acme.example.com"}}
    with scripted(Reply(200, body)) as script:
        receipt = submit(script)
    assert receipt.body is not None
    assert json.loads(receipt.body) == body


NOT_ZELIQS = {
    "a page": Reply(200, b"<!doctype html><title>App</title>", {"content-type": "text/html"}),
    "an unnamed page": Reply(200, b"\n <html>", {"content-type": "application/octet-stream"}),
    "half of it": Reply(200, b'{"status":202,"mess'),
    "text": Reply(200, b"OK"),
    "a list": Reply(200, b"[1]"),
    "no letters": Reply(200, b"\xff\xfe"),
    "nothing": Reply(200, b""),
    "no content": Reply(204),
    "another shape": Reply(200, {"portal": "log in first"}),
    "an empty object": Reply(200, {}),
}


@pytest.mark.parametrize("reply", NOT_ZELIQS.values(), ids=NOT_ZELIQS.keys())
def test_l25_a_2xx_without_zeliqs_answer_is_in_doubt(reply: Reply) -> None:
    error, calls = refused(reply)
    assert isinstance(error, InDoubt)
    assert calls == 1


def test_l25_half_of_zeliqs_answer_after_a_good_one_is_in_doubt() -> None:
    with scripted(ACCEPTED, NOT_ZELIQS["a page"]) as script:
        assert submit(script) == Receipt(provider_id="job-1")
        with pytest.raises(InDoubt):
            submit(script)


def test_case_20_an_acceptance_without_a_usable_id() -> None:
    with scripted(Reply(200, b'{"jobId": 7}')) as script:
        assert submit(script) == Receipt()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_l25_redirects_are_not_followed_and_leave_the_call_in_doubt(status: int) -> None:
    with scripted() as elsewhere, scripted(Reply(status, b"", {"location": elsewhere.url})) as script:
        with pytest.raises(InDoubt):
            submit(script)
        assert elsewhere.calls == []


@pytest.mark.parametrize("status", [404, 405, 409, 410, 418])
def test_l16_an_unlisted_refusal_may_be_one_persons_fault(status: int) -> None:
    error, calls = refused(says("no such contact", status))
    assert isinstance(error, Unlisted)
    assert (error.kind, calls) == (f"Zeliq {status}", 1)
    assert "no such contact" in str(error)
    assert "base_url" in error.cure


def test_l16_a_400_that_speaks_of_no_input_is_not_one_persons_fault_for_sure() -> None:
    error, _ = refused(says("Something went wrong"))
    assert isinstance(error, Unlisted)


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


def unknown(*names: str) -> Reply:
    """The refusal of properties, one alone as a string and several as a list."""
    complaints = [f"property {name} should not exist" for name in names]
    return says(complaints[0] if len(names) == 1 else complaints)


def test_case_15_refused_domain_is_sent_as_company_from_then_on() -> None:
    memory = DictMemory()
    with scripted(unknown("domain"), ACCEPTED, ACCEPTED) as script:
        assert submit(script, BY_NAME, memory=memory) == Receipt(provider_id="job-1")
        assert submit(script, BY_NAME, memory=memory) == Receipt(provider_id="job-1")
    first, second, later = (call.json for call in script.calls)
    assert first["domain"] == "acme.example.com"
    assert second["company"] == later["company"] == "acme.example.com"
    assert "domain" not in second
    assert "domain" not in later
    assert memory.kept == {"refused_properties": ["domain"]}


def test_case_15_a_known_company_needs_no_domain_in_its_place() -> None:
    with scripted(unknown("domain"), ACCEPTED) as script:
        submit(script, replace(ADA, linkedin_url=None))
    assert [call.json["company"] for call in script.calls] == ["Acme", "Acme"]
    assert "domain" not in script.calls[1].json


@pytest.mark.parametrize(("refused", "kept"), [("callbackUrl", "callback_url"), ("callback_url", "callbackUrl")])
@pytest.mark.parametrize("field", [EMAIL, PHONE])
def test_one_name_of_the_callback_address_may_be_unknown(refused: str, kept: str, field: tuple[Field, ...]) -> None:
    memory = DictMemory()
    with scripted(unknown(refused), ACCEPTED, ACCEPTED) as script:
        submit(script, ADA, field, memory=memory)
        submit(script, ADA, field, memory=memory)
    assert set(script.calls[0].json) == {"linkedin_url", "callbackUrl", "callback_url"}
    assert [call.json for call in script.calls[1:]] == [{"linkedin_url": PROFILE, kept: CALLBACK}] * 2
    assert memory.kept == {"refused_properties": [refused]}


def test_two_unknown_properties_are_left_out_whether_told_together_or_not() -> None:
    for refusals in ([unknown("callbackUrl", "domain")], [unknown("callbackUrl"), unknown("domain")]):
        with scripted(*refusals, ACCEPTED) as script:
            submit(script, BY_NAME)
        assert len(script.calls) == len(refusals) + 1
        assert set(script.calls[-1].json) == {"first_name", "last_name", "company", "callback_url"}


@pytest.mark.parametrize(
    ("refusals", "calls"),
    [
        pytest.param([unknown("domain")] * 3, 2, id="the same again"),
        pytest.param([unknown("callbackUrl"), unknown("callback_url")], 2, id="both names in turn"),
        pytest.param([unknown("callbackUrl", "callback_url")], 1, id="both names at once"),
        pytest.param([unknown("domain", "first_name")], 1, id="one that is needed"),
        pytest.param([unknown("domain", "origin")], 1, id="one that was not sent"),
        pytest.param([unknown("domain"), unknown("callbackUrl"), unknown("callback_url")], 3, id="all in turn"),
    ],
)
def test_case_15_complaints_that_can_not_be_met_halt(refusals: list[Reply], calls: int) -> None:
    with scripted(*refusals, default=ACCEPTED) as script, pytest.raises(Halt) as caught:
        submit(script, BY_NAME)
    assert caught.value.trouble is Trouble.MISCONFIGURED
    assert len(script.calls) == calls


@pytest.mark.parametrize("kept", [{"refuses_domain": True}, {"refused_properties": ["domain"]}])
def test_case_15_a_complaint_about_what_was_not_sent_is_not_answered_again(kept: dict[str, Any]) -> None:
    with scripted(unknown("domain")) as script, pytest.raises(Halt):
        submit(script, BY_NAME, memory=DictMemory(kept))
    assert len(script.calls) == 1
    assert "domain" not in script.calls[0].json


def test_the_other_name_of_the_callback_address_is_tried_again_where_zeliq_has_changed() -> None:
    memory = DictMemory({"refused_properties": ["callback_url"]})
    with scripted(unknown("callbackUrl"), ACCEPTED) as script:
        submit(script, memory=memory)
    assert [set(call.json) - {"linkedin_url"} for call in script.calls] == [{"callbackUrl"}, {"callback_url"}]
    assert memory.kept == {"refused_properties": ["callbackUrl"]}


@pytest.mark.parametrize("kept", ["x", {}, [7, None], ["first_name", "linkedin_url"]])
def test_odd_memories_leave_nothing_out(kept: object) -> None:
    with scripted(ACCEPTED) as script:
        submit(script, BY_NAME, memory=DictMemory({"refused_properties": kept}))
    assert set(script.calls[0].json) == {"first_name", "last_name", "domain", "callbackUrl", "callback_url"}


@pytest.mark.parametrize("lost", [Reply(cut=True), Reply(500)])
def test_case_15_the_repeat_can_be_in_doubt_like_any_call(lost: Reply) -> None:
    with scripted(unknown("domain"), lost, default=ACCEPTED) as script, pytest.raises(InDoubt):
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


@pytest.mark.parametrize("status", [408, 425])
def test_refused_for_now_is_safe_to_repeat(status: int) -> None:
    error, _ = refused(Reply(status, b"", {"Retry-After": "5"}))
    assert type(error) is Retry
    assert error.after == 5.0


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
        ("free", (50, 200, 600), 2),
        ("starter", (200, 400, 2000), 2),
        ("essential", (600, 2000, 6000), 2),
        ("advanced", (600, 2000, 6000), 0),
        ("enterprise", (600, 2000, 6000), 0),
    ],
)
def test_plan_sets_limits_and_price(plan: str, limits: tuple[int, int, int], email: int) -> None:
    able = make(plan=plan).capabilities
    assert tuple(w.limit for w in able.windows) == limits
    assert tuple(w.seconds for w in able.windows) == (60, 3600, 86400)
    assert able.price == {Field.EMAIL: Decimal(email), Field.PHONE: Decimal(15)}


@pytest.mark.parametrize(
    ("price", "email", "phone"),
    [
        ({}, "0", "15"),
        ({"email": 1}, "1", "15"),
        ({"phone": "10"}, "0", "10"),
        ({"email": 0.5, "phone": 0}, "0.5", "0"),
    ],
)
def test_price_overrides_what_the_plan_says(price: dict[str, object], email: str, phone: str) -> None:
    able = make(plan="advanced", price=price).capabilities
    assert able.price == {Field.EMAIL: Decimal(email), Field.PHONE: Decimal(phone)}


@pytest.mark.parametrize("price", [{"email": -1}, {"phone": "NaN"}, {"phone": "Infinity"}, {"fax": 1}, 3])
def test_odd_prices_are_refused(price: object) -> None:
    with pytest.raises(ValidationError):
        make(price=price)


def test_starter_is_the_default_and_other_plans_are_refused() -> None:
    assert make().capabilities == Connector.capabilities
    with pytest.raises(ValidationError):
        make(plan="platinum")
    with pytest.raises(ValidationError):
        make(api_secret="x")
