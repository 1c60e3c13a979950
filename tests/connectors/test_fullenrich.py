"""FullEnrich's connector against a scripted server. Numbered tests are the cases that it must survive."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.fullenrich import Connector, Options
from syncd.contract import normal
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Skip, Split, Trouble, Unlisted
from syncd.contract.model import (
    ContactRef,
    Field,
    Identity,
    Level,
    Receipt,
    Submission,
)
from syncd.contract.pacing import Window
from syncd.contract.testing.samples import (
    ADA,
    BOTH,
    BY_COMPANY,
    BY_NAME,
    CALLBACK,
    EMAIL,
    EVENTS,
    NOBODY,
    PHONE,
    PROFILE,
    person,
    several,
)
from syncd.contract.testing.samples import request as ask
from syncd.contract.testing.samples import submission as sub
from syncd.contract.testing.server import Call, Reply, Script, scripted
from syncd.contract.testing.surroundings import DictMemory, use

from .fullenrich_said import JOB, KEY, Made, make

WHOSE = {"connection": "crm", "object": "contacts"}
OLD_KEY = "fe-older-secret"
ACCEPTED = Reply(200, {"enrichment_id": JOB})


def told(what: Submission) -> Submission:
    """The same with what the one way to ask tells of each person."""
    asked = (replace(one, identity=make().questions(one)[0].told) for one in what.requests)
    return replace(what, requests=tuple(asked))


def submit(script: Script, what: Submission | None = None, **options: Any) -> Receipt:
    receipt: Receipt = use(lambda: make(script.url, **options), lambda c: c.submit(told(what or sub())))
    return receipt


def sent(what: Submission | None = None, **options: Any) -> Call:
    with scripted(ACCEPTED) as script:
        assert submit(script, what, **options) == Receipt(provider_id=JOB)
    (call,) = script.calls
    return call


def contact(identity: Identity, fields: tuple[Field, ...] = EMAIL, **options: Any) -> Made:
    made: Made = sent(sub(ask(identity, fields)), **options).json["data"][0]
    del made["custom"]
    return made


def error(code: str, status: int = 400, message: str = "no") -> Reply:
    return Reply(status, {"code": code, "message": message})


def refused(reply: Reply, people: int = 2) -> tuple[BaseException, int]:
    """What submit raises, and how many calls it made."""
    with scripted(reply) as script, pytest.raises(Exception) as caught:  # noqa: PT011
        submit(script, several([person(n) for n in range(people)]))
    return caught.value, len(script.calls)


# --- what is sent -----------------------------------------------------------------------------


def test_start_of_a_bulk() -> None:
    call = sent(several([ADA, BY_NAME]))
    assert (call.method, call.path, dict(call.query)) == ("POST", "/api/v2/contact/enrich/bulk", {"silentFail": "true"})
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.json == {
        "name": "syncd batch-1",
        "webhook_url": CALLBACK,
        "webhook_events": {"contact_finished": EVENTS},
        "data": [
            {
                "first_name": "Ada",
                "last_name": "Example",
                "domain": "acme.example.com",
                "company_name": "Acme",
                "linkedin_url": PROFILE,
                "enrich_fields": ["contact.work_emails", "contact.phones"],
                "custom": {"attempt_id": "attempt-0", "batch_id": "batch-1", "contact_id": "500"} | WHOSE,
            },
            {
                "first_name": "Ada",
                "last_name": "Example",
                "domain": "acme.example.com",
                "enrich_fields": ["contact.work_emails", "contact.phones"],
                "custom": {"attempt_id": "attempt-1", "batch_id": "batch-1", "contact_id": "501"} | WHOSE,
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
            "custom": {"attempt_id": "attempt-1", "batch_id": "batch-1", "contact_id": "501"} | WHOSE,
        }
    ]


def test_contact_events_have_an_address_of_their_own_or_are_left_out() -> None:
    what = sub()
    assert sent(what).json["webhook_events"] == {"contact_finished": EVENTS}
    assert sent(what).json["webhook_url"] == CALLBACK
    assert "webhook_events" not in sent(replace(what, contact_url="")).json


def test_case_08_empty_data_may_be_one_odd_contacts_fault() -> None:
    reply = error("error.enrichment.data.empty")
    for people, kind in ((2, Split), (1, Unlisted)):
        caught, calls = refused(reply, people)
        assert (type(caught), calls) == (kind, 1)


def test_there_is_one_way_to_ask_and_it_tells_all() -> None:
    known = replace(
        ADA,
        full_name="Ada Example",
        email="a@acme.example.com",
        emails=("a@acme.example.com",),
        phones=("+447700900123",),
        country="FR",
        employer_country="GB",
    )
    for field in (EMAIL, PHONE, BOTH):
        assert [(one.way, one.told) for one in make().questions(ask(known, field))] == [("all", ADA)]
    assert make().questions(ask(contact="x" * 101)) == ()
    nameless = Identity(linkedin_url=PROFILE, first_name="Ada", company="Acme")
    assert make().questions(ask(nameless))[0].told == Identity(linkedin_url=PROFILE)


def test_capabilities_say_that_it_echoes_and_bills_finds_only() -> None:
    assert (make().capabilities.echoes, make().capabilities.bills_finds_only) == (True, True)


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
    assert isinstance(refused(reply, people=1)[0], Unlisted)


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


def test_case_06_custom_holds_short_strings_only() -> None:
    custom = sent().json["data"][0]["custom"]
    assert custom == {"attempt_id": "attempt-1", "batch_id": "batch-1", "contact_id": "501"} | WHOSE
    assert "100" in (make().lacks(ask(contact="x" * 101)) or "")
    assert make().lacks(ask(contact="x" * 100)) is None
    long = replace(ask(), ref=ContactRef(connection="c" * 101, object="o" * 100, id="501"))
    assert sent(sub(long)).json["data"][0]["custom"] == {
        "attempt_id": "attempt-1",
        "batch_id": "batch-1",
        "contact_id": "501",
        "object": "o" * 100,
    }
    unnamed = replace(ask(), ref=ContactRef(connection="crm", object="", id="501"))
    assert "object" not in sent(sub(unnamed)).json["data"][0]["custom"]


@pytest.mark.parametrize(
    "code", ["custom.key.exceeded", "custom.value.exceeded", "name.empty", "enrich_fields.empty", "enrich_field.value"]
)
def test_case_06_complaints_about_what_we_add_halt(code: str) -> None:
    caught, _ = refused(error(f"error.enrichment.{code}"))
    assert isinstance(caught, Halt)
    assert caught.trouble is Trouble.MISCONFIGURED


def test_case_07_name_is_never_empty_and_tells_the_batch() -> None:
    assert sent().json["name"] == "syncd batch-1"
    assert sent(sub(label=" ")).json["name"] == "syncd batch-1"
    label = "hubspot-contacts 2026-11-27 Ada Example +33"
    assert sent(sub(label=label)).json["name"] == sent(sub(label=label), version="v1").json["name"] == label


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
    named = Identity(first_name="A", last_name="B", company="Acme")
    assert (
        contact(normal.tidy(replace(named, domain="https://www.Acme.example.com/contact")))["domain"]
        == "acme.example.com"
    )
    assert "domain" not in contact(normal.tidy(replace(named, domain="??")))


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


@pytest.mark.parametrize("status", [200, 202, 301, 302, 307])
def test_l25_a_web_page_or_a_redirect_leaves_the_call_in_doubt(status: int) -> None:
    page = Reply(status, b"<!doctype html>", {"content-type": "text/html", "location": "/elsewhere"})
    caught, calls = refused(page)
    assert isinstance(caught, InDoubt)
    assert calls == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"enrichment_id": "4', b'{"portal": "log in first"}'])
def test_l25_a_2xx_without_fullenrichs_answer_is_in_doubt(body: bytes) -> None:
    caught, _ = refused(Reply(200, body))
    assert isinstance(caught, InDoubt)
    caught, _ = refused(Reply(204))
    assert isinstance(caught, InDoubt)


@pytest.mark.parametrize("status", [404, 405, 409])
def test_l16_an_unlisted_refusal_may_be_one_contacts_fault(status: int) -> None:
    caught, calls = refused(Reply(status, b"<!doctype html>", {"content-type": "text/html"}), people=1)
    assert isinstance(caught, Unlisted)
    assert caught.kind == f"FullEnrich {status}"
    assert "base_url" in caught.cure
    assert calls == 1


@pytest.mark.parametrize(
    "body", [b"{}", b'{"enrichment_id": 7}', b'{"enrichment_id": "a/../b"}', b'{"enrichment_id": ""}']
)
def test_case_21_acceptance_without_a_usable_id(body: bytes) -> None:
    with scripted(Reply(200, body)) as script:
        assert submit(script) == Receipt()


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


@pytest.mark.parametrize("status", [408, 425])
def test_refused_for_now_is_safe_to_repeat(status: int) -> None:
    caught, _ = refused(Reply(status, b"", {"Retry-After": "5"}))
    assert type(caught) is Retry
    assert caught.after == 5.0


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


def findings(reply: Reply, verify: Reply | None = None) -> tuple[Level, str]:
    with scripted(verify or Reply(404), reply) as script:
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


GOOD = Reply(200, {"balance": 7})


@pytest.mark.parametrize(
    ("verify", "level", "what"),
    [
        (Reply(200, {"workspace_id": "w-1"}), Level.OK, "the key of workspace w-1 is accepted, 7 credits are left"),
        (Reply(200, {}), Level.OK, "the key is accepted, 7 credits are left"),
        (Reply(200, {"workspace_id": 7}), Level.OK, "the key is accepted, 7 credits are left"),
        (Reply(200, {"workspace_id": "a b"}), Level.OK, "the key is accepted, 7 credits are left"),
        (Reply(200, b"<html>"), Level.OK, "the key is accepted, 7 credits are left"),
        (Reply(404, {"message": "Workspace ID not found"}), Level.OK, "the key is accepted, 7 credits are left"),
        (Reply(405), Level.OK, "the key is accepted, 7 credits are left"),
        (error("error.api.key", 401), Level.ERROR, ""),
        (error("error.rate.limit", 429), Level.ERROR, ""),
        (Reply(500), Level.ERROR, ""),
    ],
)
def test_check_shows_the_workspace_where_it_is_told(verify: Reply, level: Level, what: str) -> None:
    found = findings(GOOD, verify)
    assert found[0] is level
    assert found[1] == what or level is Level.ERROR


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_key_of_another_workspace_is_an_error_until_the_former_one_is_back(version: str) -> None:
    memory = DictMemory()
    first, second = (Reply(200, {"workspace_id": name}) for name in ("w-1", "w-2"))

    async def act(connector: Connector) -> None:
        assert [f.level for f in await connector.check()] == [Level.OK]
        await connector.submit(told(sub()))
        (finding,) = await connector.check()
        assert (finding.level, finding.trouble) == (Level.ERROR, Trouble.ACCOUNT)
        assert "w-1" in finding.what
        assert "w-2" in finding.what
        with pytest.raises(Halt) as caught:
            await connector.submit(told(sub()))
        assert (caught.value.trouble, str(caught.value)) == (Trouble.ACCOUNT, finding.what)
        assert [f.level for f in await connector.check()] == [Level.OK]
        await connector.submit(told(sub()))

    with scripted(first, GOOD, ACCEPTED, second, GOOD, first, GOOD, ACCEPTED) as script:
        use(lambda: make(script.url, memory, version=version), act)
    assert memory.kept == {"workspace": "w-1"}
    assert next(call.path for call in script.calls if call.method == "GET") == f"/api/{version}/account/keys/verify"
    assert [call.method for call in script.calls].count("POST") == 2


def test_the_workspace_is_known_after_a_restart() -> None:
    with scripted(Reply(200, {"workspace_id": "w-2"}), GOOD) as script:
        (finding,) = use(lambda: make(script.url, DictMemory({"workspace": "w-1"})), lambda c: c.check())
    assert finding.trouble is Trouble.ACCOUNT


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/v1/", "/api/v2"])
def test_base_url_may_end_in_a_version_or_not(suffix: str) -> None:
    with scripted(ACCEPTED) as script:
        use(lambda: make(script.url + suffix), lambda c: c.submit(sub()))
    assert script.calls[0].path == "/api/v2/contact/enrich/bulk"


@pytest.mark.parametrize("options", [{"version": "v3"}, {"api_key": ""}, {"previous_api_key": "a b"}, {"plan": "x"}])
def test_options_are_checked(options: Made) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"api_key": KEY} | options)
