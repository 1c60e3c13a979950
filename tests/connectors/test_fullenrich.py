"""FullEnrich's connector against a scripted server. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors.fullenrich import Connector, Options
from syncd.contract import normal
from syncd.contract.errors import Garbled, Halt, InDoubt, RateLimited, Retry, Skip, Split, Trouble
from syncd.contract.model import (
    Answer,
    Candidate,
    Delivery,
    EnrichmentResult,
    Field,
    Grade,
    Identity,
    Level,
    Outcome,
    Receipt,
    Source,
    Submission,
)
from syncd.contract.pacing import Window

from .samples import ADA, BOTH, BY_COMPANY, BY_NAME, CALLBACK, EMAIL, NOBODY, PHONE, PROFILE, delivery, person, several
from .samples import request as ask
from .samples import submission as sub
from .scripted import Call, Reply, Script, scripted, tools, use

KEY = "fe-very-secret"
OLD_KEY = "fe-older-secret"
JOB = "2db5ea61-1752-42cf-8ea1-ab1da060cd0a"
ACCEPTED = Reply(200, {"enrichment_id": JOB})
Made = dict[str, Any]


def make(url: str | None = None, **options: Any) -> Connector:
    return Connector("fullenrich", Options(api_key=SecretStr(KEY), **options), url, tools())


def submit(script: Script, what: Submission | None = None, **options: Any) -> Receipt:
    receipt: Receipt = use(lambda: make(script.url, **options), lambda c: c.submit(what or sub()))
    return receipt


def sent(what: Submission | None = None, **options: Any) -> Call:
    with scripted(ACCEPTED) as script:
        assert submit(script, what, **options) == Receipt(provider_id=JOB)
    (call,) = script.calls
    return call


def contact(identity: Identity, fields: tuple[Field, ...] = EMAIL, **options: Any) -> Made:
    told: Made = sent(sub(ask(identity, fields)), **options).json["data"][0]
    del told["custom"]
    return told


def error(code: str, status: int = 400, message: str = "no") -> Reply:
    return Reply(status, {"code": code, "message": message})


def refused(reply: Reply, people: int = 2) -> tuple[BaseException, int]:
    """What submit raises, and how many calls it made."""
    with scripted(reply) as script, pytest.raises(Exception) as caught:  # noqa: PT011
        submit(script, several([person(n) for n in range(people)]))
    return caught.value, len(script.calls)


def poll(reply: Reply, provider_id: str | None = JOB) -> tuple[Delivery | None, list[Call]]:
    with scripted(reply) as script:
        got: Delivery | None = use(lambda: make(script.url), lambda c: c.poll(sub(provider_id=provider_id)))
    return got, script.calls


def item(attempt: str | None = "attempt-1", info: object = None, **echo: str) -> Made:
    """One contact of a v2 result; `info` None: the key is not there."""
    made: Made = {"input": echo}
    if attempt is not None:
        made["custom"] = {"attempt_id": attempt, "batch_id": "batch-1", "contact_id": "501"}
    if info is not None:
        made["contact_info"] = info
    return made


def work(*pairs: tuple[str, str]) -> Made:
    """A `contact_info` with e-mails, the first also as the most probable one."""
    listed = [{"email": email, "status": status} for email, status in pairs]
    return {"most_probable_work_email": listed[0] if listed else None, "work_emails": listed, "phones": []}


def numbers(*phones: Made) -> Made:
    return {"most_probable_phone": phones[0] if phones else None, "phones": list(phones)}


def envelope(*items: object, status: object = "FINISHED", credits_used: object = 1) -> Made:
    return {"id": JOB, "name": "x", "status": status, "cost": {"credits": credits_used}, "data": list(items)}


FOUND = work(("ada@acme.example.com", "DELIVERABLE"))
BLANK: Made = {"most_probable_phone": None}


def parse(body: object, what: Submission | None = None, source: Source = Source.CALLBACK) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().parse(delivery(raw, source), what or sub())


def result(body: object, identity: Identity = ADA, fields: tuple[Field, ...] = EMAIL) -> EnrichmentResult:
    (only,) = parse(body, sub(ask(identity, fields))).results
    return only


def outcomes(answer: Answer) -> dict[str, Outcome]:
    return {f"{r.request_id} {r.field}": r.outcome for r in answer.results}


# --- what is sent -----------------------------------------------------------------------------


def test_start_of_a_bulk() -> None:
    call = sent(several([ADA, BY_NAME]))
    assert (call.method, call.path, dict(call.query)) == ("POST", "/api/v2/contact/enrich/bulk", {"silentFail": "true"})
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.json == {
        "name": "syncd batch-1",
        "webhook_url": CALLBACK,
        "webhook_events": {"contact_finished": CALLBACK},
        "data": [
            {
                "first_name": "Ada",
                "last_name": "Example",
                "domain": "acme.example.com",
                "company_name": "Acme",
                "linkedin_url": PROFILE,
                "enrich_fields": ["contact.work_emails", "contact.phones"],
                "custom": {"attempt_id": "attempt-0", "batch_id": "batch-1", "contact_id": "500"},
            },
            {
                "first_name": "Ada",
                "last_name": "Example",
                "domain": "acme.example.com",
                "enrich_fields": ["contact.work_emails", "contact.phones"],
                "custom": {"attempt_id": "attempt-1", "batch_id": "batch-1", "contact_id": "501"},
            },
        ],
    }


def test_contact_webhooks_can_be_left_out() -> None:
    assert "webhook_events" not in sent(contact_webhooks=False).json


def test_case_08_v1_has_its_own_keys() -> None:
    call = sent(version="v1")
    assert call.path == "/api/v1/contact/enrich/bulk"
    assert dict(call.query) == {"checkLinkedinUrl": "false", "checkDomain": "false"}
    assert set(call.json) == {"name", "webhook_url", "datas"}
    assert call.json["datas"] == [
        {
            "firstname": "Ada",
            "lastname": "Example",
            "domain": "acme.example.com",
            "company_name": "Acme",
            "linkedin_url": PROFILE,
            "enrich_fields": ["contact.emails"],
            "custom": {"attempt_id": "attempt-1", "batch_id": "batch-1", "contact_id": "501"},
        }
    ]


def test_case_08_empty_data_is_a_mistake_of_ours() -> None:
    caught, calls = refused(error("error.enrichment.data.empty"))
    assert isinstance(caught, Halt)
    assert caught.trouble is Trouble.MISCONFIGURED
    assert calls == 1


@pytest.mark.parametrize(
    "identity", [NOBODY, Identity(first_name="Ada", last_name="Example"), replace(BY_NAME, last_name=None)]
)
def test_case_01_who_lacks_input_is_known_before_any_call(identity: Identity) -> None:
    assert make().lacks(ask(identity))
    assert make().lacks(ask(replace(identity, linkedin_url=PROFILE))) is None


def test_case_01_refused_batch_is_split_and_a_single_contact_skipped() -> None:
    for code in ("error.enrichment.domain.empty", "error.linkedin.malformated", "error.enrichment.first_name.empty"):
        many, calls = refused(error(code))
        assert (type(many), calls) == (Split, 1)
        one, calls = refused(error(code), people=1)
        assert (type(one), calls) == (Skip, 1)
        assert code in str(one)


@pytest.mark.parametrize("reply", [error("error.something.new"), Reply(400, b"?"), Reply(413), Reply(422, {})])
def test_case_01_unknown_refusals_may_be_one_contacts_fault(reply: Reply) -> None:
    assert isinstance(refused(reply)[0], Split)
    assert isinstance(refused(reply, people=1)[0], Skip)


def test_case_02_contact_left_out_by_silent_fail_is_skipped() -> None:
    answer = parse(envelope(item("attempt-0", FOUND), item("attempt-1")), several([ADA, BY_NAME], EMAIL))
    assert outcomes(answer) == {"attempt-0 email": Outcome.FOUND, "attempt-1 email": Outcome.SKIPPED}
    assert result(envelope({"custom": {"attempt_id": "attempt-1"}, "contact_info": None})).outcome is Outcome.SKIPPED


def test_case_03_a_hundred_fit_one_call() -> None:
    assert make().capabilities.batch == 100
    call = sent(several([person(n) for n in range(100)]))
    assert len(call.json["data"]) == 100
    assert len({c["custom"]["attempt_id"] for c in call.json["data"]}) == 100


def test_case_04_a_single_contact_is_a_bulk_of_one() -> None:
    assert sent().path.endswith("/bulk")
    assert len(sent().json["data"]) == 1


@pytest.mark.parametrize("identity", [ADA, BY_NAME, BY_COMPANY, Identity(linkedin_url=PROFILE), person(7)])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_case_05_nothing_blank_is_ever_sent(identity: Identity, version: str) -> None:
    call = sent(sub(ask(identity, BOTH)), version=version)
    values = [value for person_ in call.json["data" if version == "v2" else "datas"] for value in person_.values()]
    assert all(value not in ("", None, [], {}) for value in [*values, *call.json.values()])


def test_case_06_custom_holds_three_short_strings() -> None:
    custom = sent().json["data"][0]["custom"]
    assert custom == {"attempt_id": "attempt-1", "batch_id": "batch-1", "contact_id": "501"}
    assert "100" in (make().lacks(ask(contact="x" * 101)) or "")
    assert make().lacks(ask(contact="x" * 100)) is None


@pytest.mark.parametrize(
    "code", ["custom.key.exceeded", "custom.value.exceeded", "name.empty", "enrich_fields.empty", "enrich_field.value"]
)
def test_case_06_complaints_about_what_we_add_halt(code: str) -> None:
    caught, _ = refused(error(f"error.enrichment.{code}"))
    assert isinstance(caught, Halt)
    assert caught.trouble is Trouble.MISCONFIGURED


def test_case_07_name_is_never_empty_and_tells_the_batch() -> None:
    assert sent().json["name"] == "syncd batch-1"


def test_case_09_unicode_names_arrive_as_they_are() -> None:
    raw = Identity(first_name=" Gre\u0301goire\u00a0🎉", last_name="Müller-Łukasz", company="李小龙")
    call = sent(sub(ask(normal.tidy(raw))))
    assert call.json["data"][0]["first_name"] == "Grégoire"
    assert "Müller-Łukasz".encode() in call.body
    assert make().lacks(ask(normal.tidy(Identity(first_name="Ada", last_name="🎉", company="Acme"))))


def test_case_10_profiles_are_canonical_and_ids_keep_their_case() -> None:
    told = contact(normal.tidy(Identity(linkedin_url="fr.linkedin.com/in/ACwAABcd/?x=1")))
    assert told["linkedin_url"] == "https://www.linkedin.com/in/ACwAABcd"
    fallen = contact(
        normal.tidy(Identity(linkedin_url="linkedin.com/company/acme", first_name="A", last_name="B", company="C"))
    )
    assert "linkedin_url" not in fallen


def test_case_11_profile_without_company_is_sent_alone() -> None:
    told = contact(Identity(first_name="Ada", last_name="Example", linkedin_url=PROFILE))
    assert told == {"linkedin_url": PROFILE, "enrich_fields": ["contact.work_emails"]}


def test_case_12_domain_is_a_bare_host_or_left_out() -> None:
    name = {"first_name": "A", "last_name": "B", "company": "Acme"}
    assert (
        contact(normal.tidy(Identity(**name, domain="https://www.Acme.example.com/contact")))["domain"]
        == "acme.example.com"
    )
    assert "domain" not in contact(normal.tidy(Identity(**name, domain="??")))


def test_email_and_country_are_not_told() -> None:
    told = contact(replace(ADA, email="ada@acme.example.com", country="FR"), PHONE)
    assert set(told) == {"first_name", "last_name", "domain", "company_name", "linkedin_url", "enrich_fields"}
    assert told["enrich_fields"] == ["contact.phones"]


# --- how the call is answered -----------------------------------------------------------------


@pytest.mark.parametrize("reply", [Reply(cut=True), Reply(500), Reply(502, b"<html>"), Reply(503), Reply(504)])
def test_case_17_lost_answer_is_in_doubt_and_never_repeated(reply: Reply) -> None:
    caught, calls = refused(reply)
    assert isinstance(caught, InDoubt)
    assert calls == 1


def test_case_18_unreachable_is_safe_to_repeat() -> None:
    with scripted() as script:
        pass  # its port is closed now
    with pytest.raises(Retry):
        submit(script)


@pytest.mark.parametrize("status", [200, 301, 307, 404, 405])
def test_case_20_web_page_instead_of_the_api_halts(status: int) -> None:
    page = Reply(status, b"<!doctype html>", {"content-type": "text/html", "location": "/elsewhere"})
    caught, calls = refused(page)
    assert isinstance(caught, Halt)
    assert caught.trouble is Trouble.MISCONFIGURED
    assert "base_url" in caught.cure
    assert calls == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"enrichment_id": 7}', b'{"enrichment_id": "a/../b"}', b'{"enrichment_id": ""}']
)
def test_case_21_acceptance_without_a_usable_id(body: bytes) -> None:
    with scripted(Reply(200, body)) as script:
        assert submit(script) == Receipt()
    assert poll(Reply(599), provider_id=None) == (None, [])


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        pytest.param(error("error.authorization.not_set", 401), Trouble.CREDENTIALS, id="case_24_not_set"),
        pytest.param(error("error.authorization.not_bearer", 401), Trouble.CREDENTIALS, id="case_24_not_bearer"),
        pytest.param(error("error.api.key", 401), Trouble.CREDENTIALS, id="case_24_unknown_key"),
        pytest.param(Reply(403), Trouble.CREDENTIALS, id="forbidden"),
        pytest.param(error("error.credits", 402), Trouble.CREDITS, id="case_30_no_credits"),
        pytest.param(Reply(423), Trouble.BLOCKED, id="blocked"),
        pytest.param(error("error.enrichment.webhook_url"), Trouble.MISCONFIGURED, id="webhook_url"),
    ],
)
def test_account_troubles_halt(reply: Reply, trouble: Trouble) -> None:
    caught, calls = refused(reply)
    assert isinstance(caught, Halt)
    assert caught.trouble is trouble
    assert caught.cure.endswith(".")
    assert KEY not in str(caught)
    assert calls == 1


def test_case_33_rate_limit_waits_for_the_next_clock_minute() -> None:
    caught, calls = refused(error("error.rate.limit", 429, "Too many requests. Try again in 1m"))
    assert isinstance(caught, RateLimited)
    assert caught.windows == ()
    assert caught.after is not None
    assert 40.0 <= caught.after <= 43.0  # the test's clock stands at 20 seconds past the minute
    assert calls == 1
    able = make().capabilities
    assert able.windows == (Window(60, 60, fixed=True),)
    assert able.polls_count


@pytest.mark.parametrize(("told", "after"), [("7", 7.0), ("86400", 900.0), ("Fri, 15 Jan 2027 08:01:00 GMT", 40.0)])
def test_case_34_retry_after_is_honoured_and_capped(told: str, after: float) -> None:
    caught, _ = refused(Reply(429, {"code": "error.rate.limit", "message": ""}, {"Retry-After": told}))
    assert isinstance(caught, RateLimited)
    assert caught.after == after


# --- balance and check ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "left"),
    [(5000, Decimal(5000)), (4999.75, Decimal("4999.75")), (None, None), (-1, None), ({}, None), (True, None)],
)
def test_case_38_balance_may_be_fractional(told: object, left: Decimal | None) -> None:
    with scripted(Reply(200, {"balance": told})) as script:
        assert use(lambda: make(script.url), lambda c: c.balance()) == left
    assert (script.calls[0].method, script.calls[0].path) == ("GET", "/api/v2/account/credits")


def findings(reply: Reply) -> tuple[Level, str]:
    with scripted(reply) as script:
        (finding,) = use(lambda: make(script.url), lambda c: c.check())
    assert finding.cure or finding.level is not Level.ERROR
    return finding.level, finding.what


def test_check_says_what_is_left_or_what_is_wrong() -> None:
    assert findings(Reply(200, {"balance": 7.5})) == (Level.OK, "the key is accepted, 7.5 credits are left")
    assert findings(Reply(200, {"balance": 0}))[0] is Level.WARNING
    assert findings(Reply(200, {}))[0] is Level.WARNING
    assert findings(Reply(200, b"<html>"))[0] is Level.ERROR
    assert findings(error("error.api.key", 401))[0] is Level.ERROR
    assert findings(error("error.rate.limit", 429))[0] is Level.ERROR
    assert findings(error("x", 400))[0] is Level.ERROR
    assert findings(Reply(500))[0] is Level.ERROR


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/v1/", "/api/v2"])
def test_base_url_may_end_in_a_version_or_not(suffix: str) -> None:
    with scripted(ACCEPTED) as script:
        use(lambda: make(script.url + suffix), lambda c: c.submit(sub()))
    assert script.calls[0].path == "/api/v2/contact/enrich/bulk"


@pytest.mark.parametrize("options", [{"version": "v3"}, {"api_key": ""}, {"previous_api_key": "a b"}, {"plan": "x"}])
def test_options_are_checked(options: Made) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"api_key": KEY} | options)


# --- polling ----------------------------------------------------------------------------------


def test_poll_of_a_finished_job() -> None:
    body = envelope(item(info=FOUND))
    got, (call,) = poll(Reply(200, body))
    assert got is not None
    assert (got.submission_id, got.source, json.loads(got.body)) == ("batch-1", Source.POLL, body)
    assert (call.method, call.path, dict(call.query)) == ("GET", f"/api/v2/contact/enrich/bulk/{JOB}", {})
    assert make().authenticate(got)
    assert make().parse(got, sub()).final


def test_case_29_a_402_to_a_poll_is_a_result() -> None:
    body = envelope(item(info=FOUND), status="CREDITS_INSUFFICIENT")
    got, _ = poll(Reply(402, body))
    assert got is not None
    assert outcomes(make().parse(got, sub())) == {"attempt-1 email": Outcome.FOUND}


def test_case_29_a_402_that_is_an_error_halts() -> None:
    with pytest.raises(Halt) as caught:
        poll(error("error.credits", 402))
    assert caught.value.trouble is Trouble.CREDITS


@pytest.mark.parametrize(
    "reply",
    [
        error("error.enrichment.in_progress", 400, "Enrichment not ready, try again in 30 seconds"),
        Reply(200, {"status": "IN_PROGRESS", "cost": {"credits": 0}}),
        Reply(200, {"status": "CREATED"}),
    ],
)
def test_case_62_both_ways_to_say_running(reply: Reply) -> None:
    assert poll(reply)[0] is None


@pytest.mark.parametrize("status", ["RATE_LIMIT", "UNKNOWN", "FAKE_ENRICH", "", None, 7, []])
def test_case_64_statuses_that_are_no_end_keep_running(status: object) -> None:
    assert poll(Reply(200, envelope(item(info=BLANK), status=status)))[0] is None


def test_case_64_canceled_is_an_end() -> None:
    assert poll(Reply(200, envelope(status="CANCELED")))[0] is not None


def test_case_65_lost_job_is_given_up_but_a_wrong_address_is_not() -> None:
    with pytest.raises(Skip):
        poll(error("error.enrichment.not_found", 404))
    with pytest.raises(Halt):
        poll(Reply(404, b"<html>", {"content-type": "text/html"}))
    with pytest.raises(Halt):
        poll(Reply(404))


@pytest.mark.parametrize("reply", [Reply(500), Reply(cut=True), Reply(200, b"{"), error("error.new", 400)])
def test_poll_may_be_repeated_when_it_fails(reply: Reply) -> None:
    with pytest.raises(Retry):
        poll(reply)


def test_case_33_polls_share_the_limit() -> None:
    with pytest.raises(RateLimited):
        poll(error("error.rate.limit", 429))


def test_an_id_is_quoted_in_the_path() -> None:
    got, (call,) = poll(Reply(200, {"status": "CREATED"}), provider_id="a/../b?c")
    assert got is None
    assert call.path == "/api/v2/contact/enrich/bulk/a%2F..%2Fb%3Fc"


# --- the signature ----------------------------------------------------------------------------


def signed(body: bytes, signature: str | None) -> Delivery:
    return delivery(body, headers={} if signature is None else {"x-signature-sha1": signature})


def sha1(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha1).hexdigest()


BODY = '{"status":"FINISHED","data":[{"name":"Grégoire"}]}'.encode()


def test_case_58_right_signature_in_any_case() -> None:
    assert make().authenticate(signed(BODY, sha1(BODY)))
    assert make().authenticate(signed(BODY, sha1(BODY).upper()))
    assert make().authenticate(signed(BODY, f" {sha1(BODY)} "))


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        sha1(BODY)[:-1],
        sha1(BODY) + "0",
        "sha1=" + sha1(BODY),
        sha1(BODY, "wrong"),
        "é" * 40,
        "\ud800",
        "0" * 40,
    ],
)
def test_case_58_wrong_or_missing_signature(signature: str | None) -> None:
    assert not make().authenticate(signed(BODY, signature))


def test_case_58_body_written_anew_by_a_proxy_has_another_signature() -> None:
    assert not make().authenticate(signed(json.dumps(json.loads(BODY)).encode(), sha1(BODY)))


def test_case_26_previous_key_signs_too_while_it_is_known() -> None:
    late = signed(BODY, sha1(BODY, OLD_KEY))
    assert not make().authenticate(late)
    rotated = make(previous_api_key=SecretStr(OLD_KEY))
    assert rotated.authenticate(late)
    assert rotated.authenticate(signed(BODY, sha1(BODY)))


# --- what a result says -----------------------------------------------------------------------


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
        {"number": "+33 6 39 98 00 01"}, {"number": "+33639980001", "region": "fr"}, {"number": "+33639980002"}
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
