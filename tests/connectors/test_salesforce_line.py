"""The Salesforce connector's line: ways in, sessions, limits, and answers that are none.

The numbers are those of the project's list of Salesforce pitfalls; each pitfall that the connector can show has
a named test.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from connectors.salesforce import Options
from connectors.salesforce.options import Login
from syncd.contract.errors import Halt, RateLimited, Retry, Trouble
from syncd.contract.model import Field, Level, WriteStatus
from syncd.contract.ports import Crm
from syncd.contract.testing import StillClock
from tests.connectors.salesforce_play import APP, CONTACTS, MAIL, org, pages, pulled, put, read, ref, using, write
from tests.connectors.scripted_crm import Reply, Seen
from tests.connectors.scripted_org import EXPIRED, ORG, ScriptedOrg, record_id, refusal
from tests.contract.bench import START, bench

PASSWORD: dict[str, Any] = {
    "domain": "login",
    "username": "sync@acme.example.com",
    "password": "p&ss",
    "security_token": "T0ken",
    "api_version": "64.0",
}
SOAP = (
    "<?xml version='1.0'?><Envelope><result><serverUrl>https://acme.my.salesforce.com/services/Soap/u/64.0"
    "</serverUrl><sessionId>{}</sessionId><userId>0055g00000AAAAAAA0</userId></result></Envelope>"
)


# --- ways in ------------------------------------------------------------------------------------


def test_client_credentials_against_my_domain() -> None:
    with org() as crm:
        read(crm, crm.add(1))
        [login] = crm.asked("/oauth2/token")
        assert login.headers["host"] == "acme.my.salesforce.com"
        assert login.raw == b"grant_type=client_credentials"
        pair = base64.b64decode(login.headers["authorization"].removeprefix("Basic ")).decode()
        assert pair == f"{APP['client_id']}:{APP['client_secret']}"


def test_jwt_is_signed_with_the_key() -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    with org() as crm:
        one = crm.add(1)
        found = read(
            crm, one, domain="acme.my", client_id="consumer", username="sync@acme.example.com", private_key=pem
        )
        assert found[one].current
        [login] = crm.asked("/oauth2/token")
        assertion = login.raw.decode().partition("assertion=")[2]
        claims = jwt.decode(assertion, key.public_key(), ["RS256"], audience="https://acme.my.salesforce.com")
        assert (claims["iss"], claims["sub"]) == ("consumer", "sync@acme.example.com")


def test_a_key_that_is_none() -> None:
    with org() as crm, pytest.raises(Halt, match="private key") as caught:
        read(crm, record_id(1), domain="acme.my", client_id="c", username="u", private_key="no PEM at all")
    assert caught.value.trouble is Trouble.CREDENTIALS
    assert crm.seen == []


def test_passwords_work_until_they_end_and_check_says_so() -> None:
    with org() as crm:

        def welcome(_: Seen) -> Reply:
            crm.expire()
            return Reply(200, SOAP.format(f"{ORG[:15]}!AQ{crm.logins}").encode())

        crm.on("/Soap/u/64.0", welcome)
        findings = using(crm, lambda c: c.check([CONTACTS]), **PASSWORD)
        [warning] = [f for f in findings if "Summer '27" in f.what]
        assert warning.level is Level.WARNING
        assert "client_id" in warning.cure
        assert ORG[:15] in warning.what
        [login] = crm.asked("/Soap/u/64.0")
        assert b"<n1:password>p&amp;ssT0ken</n1:password>" in login.raw


BAD = [
    {**PASSWORD, "api_version": "66.0"},  # pitfall 38
    {**PASSWORD, "client_id": "both"},
    {**APP, "domain": "login"},
    {**APP, "client_secret": None},
    {**APP, "domain": "acme my"},
    {**APP, "api_version": "v66.0"},
    {**APP, "nonsense": 1},
    {"domain": "acme.my"},
]


@pytest.mark.parametrize("options", BAD)
def test_pitfall_38_what_can_t_work_is_refused_at_the_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(options)
    if options == BAD[0]:
        assert "External Client App" in str(caught.value)
    assert "consumer-secret" not in str(caught.value)


@pytest.mark.parametrize("domain", ["acme.my", "https://ACME.my.salesforce.com/lightning", " acme.my.salesforce.com "])
def test_a_domain_as_it_was_copied(domain: str) -> None:
    options = Options.model_validate({**APP, "domain": domain})
    assert (options.domain, options.login) == ("acme.my", Login.CLIENT_CREDENTIALS)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "invalid_client_id", "error_description": "client identifier invalid"}),
        (400, {"error": "invalid_grant", "error_description": "no client credentials user enabled"}),
        (400, {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}),
        (401, {"error": "invalid_client", "error_description": "invalid client credentials"}),
        (400, {"error": "invalid_grant"}),
    ],
)
def test_a_refused_login_is_told_once_with_its_cure(status: int, body: dict[str, str]) -> None:
    with org() as crm:
        crm.on("/oauth2/token", *[Reply(status, body)] * 5)

        async def twice(connector: Crm) -> list[str]:
            findings = await connector.check([CONTACTS])
            assert [f.level for f in findings] == [Level.ERROR]
            assert findings == await connector.check([CONTACTS])
            crm.clock.time += 301
            await connector.check([CONTACTS])
            return [findings[0].what, findings[0].cure]

        what, cure = using(crm, twice)
        assert body["error"] in what
        assert "External Client App" in cure
        assert APP["client_secret"] not in what + cure
        assert len(crm.asked("/oauth2/token")) == 2  # Salesforce locks users out who try too often


@pytest.mark.parametrize(
    "reply",
    [Reply(503, b"<html>"), Reply(200, b""), Reply(200, []), Reply(200, {}), Reply(cut=True), Reply(500, b"null")],
)
def test_pitfall_29_a_login_without_an_answer_comes_again(reply: Reply) -> None:
    with org() as crm:
        one = crm.add(1)
        crm.on("/oauth2/token", reply)
        assert read(crm, one)[one].current
        assert crm.clock.slept == [0.5]


def test_a_login_that_leads_elsewhere() -> None:
    with org() as crm:
        crm.on("/oauth2/token", Reply(302, b"", {"Location": "https://elsewhere.example.com/"}))
        with pytest.raises(Halt, match="redirected"):
            read(crm, record_id(1))


# --- sessions -----------------------------------------------------------------------------------


def test_many_calls_with_an_expired_session_log_in_once() -> None:
    with org() as crm:
        records = [crm.add(number) for number in range(200)]

        async def go(connector: Crm) -> None:
            await connector.read([ref(records[0])], CONTACTS)
            crm.expire()
            changes = [put(one, Field.EMAIL, MAIL) for one in records]
            reads = [connector.read([ref(one)], CONTACTS) for one in records[:8]]
            outcomes, _ = await asyncio.gather(connector.write(changes, CONTACTS), asyncio.gather(*reads))
            assert {outcome.status for outcome in outcomes} == {WriteStatus.WRITTEN}

        using(crm, go)
        assert len(crm.asked("/oauth2/token")) == 2


@pytest.mark.parametrize("reply", [Reply(401, b"<html>"), Reply(401, {"message": "no"}), Reply(401, b""), EXPIRED])
def test_pitfall_29_any_401_is_survived_once(reply: Reply) -> None:
    with org() as crm:
        one = crm.add(1)
        crm.on("/composite/sobjects/Contact", reply)
        assert read(crm, one)[one].current


def test_pitfall_39_another_org_stops_everything() -> None:
    with org() as crm, ScriptedOrg(StillClock(START)) as fresh:
        tools = bench(crm.clock)
        one = crm.add(1)
        assert using(crm, pulled, tools).keys() == {one}
        other = {"access_token": "00D9z00000ZZZZZ!x", "instance_url": "https://acme.my.salesforce.com"}
        fresh.on("/oauth2/token", Reply(body={**other, "id": "https://x/id/00D9z00000ZZZZZEA0/0055g00000AAAAAAA0"}))
        with pytest.raises(Halt, match="00D9z00000ZZZZZ") as caught:
            using(fresh, pulled, tools)
        assert caught.value.cure
        assert fresh.queries == []


# --- limits -------------------------------------------------------------------------------------


def test_every_answer_tells_how_much_is_used_errors_too() -> None:
    with org() as crm:
        one = crm.add(1)
        busy = Reply(503, b"", {"Sforce-Limit-Info": "api-usage=4500/5000"})
        crm.on("/composite/sobjects/Contact", busy)
        with pytest.raises(RateLimited, match="4500 of 5000") as caught:
            read(crm, one)
        assert caught.value.after == 900 - 0.5  # after one pause
        assert len(crm.asked("/composite/sobjects/Contact")) == 1


def test_pitfall_17_we_wait_and_look_again() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.usage = "api-usage=4000/5000"

        async def go(connector: Crm) -> None:
            for _ in range(3):
                with pytest.raises(RateLimited):
                    await pulled(connector)
            made = len(crm.seen)
            with pytest.raises(RateLimited):
                await connector.read([ref(one)], CONTACTS)
            assert len(crm.seen) == made  # nothing is asked while we wait
            crm.clock.time += 901
            crm.usage = "api-usage=3000/5000"
            assert set(await pulled(connector)) == {one}

        using(crm, go)


def test_share_is_of_the_whole_org() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.usage = "api-usage=4000/5000"
        assert set(using(crm, pulled, share=1.0)) == {one}
        findings = using(crm, lambda c: c.check([CONTACTS]))
        assert any(f.level is Level.WARNING and "4000 of 5000" in f.what for f in findings)


def test_pitfall_37_an_app_may_have_a_limit_of_its_own() -> None:
    with org() as crm:
        crm.add(1)
        crm.usage = "api-usage=25/5000; per-app-api-usage=240/250(appName=syncd)"
        with pytest.raises(RateLimited, match="app 240 of 250"):
            using(crm, pages)


def test_our_own_cap_holds_over_a_restart() -> None:
    with org() as crm:
        tools = bench(crm.clock)
        one = crm.add(1)

        async def go(connector: Crm) -> int:
            made = 0
            while made < 200:
                try:
                    await connector.read([ref(one)], CONTACTS)
                except RateLimited:
                    return made
                made += 1
            return made

        first = using(crm, go, tools, daily_calls=100)
        assert first == 100 - 3
        assert using(crm, go, tools, daily_calls=100) == 0
        crm.clock.time += 25 * 3_600
        assert using(crm, go, tools, daily_calls=100) > 90


def test_too_many_slow_calls_are_no_daily_limit() -> None:
    with org() as crm:
        one = crm.add(1)
        message = "ConcurrentPerOrgLongTxn Limit exceeded."
        crm.on("/composite/sobjects/Contact", Reply(403, refusal("REQUEST_LIMIT_EXCEEDED", message)))

        async def go(connector: Crm) -> bool:
            try:
                found = await connector.read([ref(one)], CONTACTS)
            except RateLimited as error:
                return 30 < (error.after or 0.0) <= 60
            return 5 <= sum(crm.clock.slept) <= 30 and found[0].current is not None

        assert using(crm, go)


# --- answers that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        Reply(502, b"<html><h1>Salesforce Edge</h1>"),
        Reply(503, refusal("SERVER_UNAVAILABLE")),
        Reply(420, b""),
        Reply(500, refusal("UNKNOWN_EXCEPTION")),
        Reply(200, b""),
        Reply(200, b"<html>"),
        Reply(200, {}),
        Reply(cut=True),
    ],
)
def test_pitfall_29_a_reading_call_is_repeated(reply: Reply) -> None:
    with org() as crm:
        one = crm.add(1)
        crm.on("/composite/sobjects/Contact", reply)
        if reply.body == {} and reply.status == 200 and not reply.cut:
            with pytest.raises(Retry):
                read(crm, one)
        assert read(crm, one)[one].current


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, refusal("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."), "API Enabled"),
        (403, refusal("INSUFFICIENT_ACCESS"), "right"),
        (410, refusal("UNSUPPORTED_API_VERSION"), "api_version"),
        (301, b"", "My Domain"),
        (401, refusal("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"), "policies"),
    ],
)
def test_pitfall_40_codes_lead_to_cures_whatever_the_language(status: int, body: Any, words: str) -> None:
    with org() as crm:
        crm.on("/composite/sobjects/Contact", Reply(status, body))
        with pytest.raises(Halt) as caught:
            read(crm, crm.add(1))
        assert words in caught.value.cure


def test_pitfall_40_a_translated_lock_is_a_lock() -> None:
    with org() as crm:
        one = crm.add(1)
        busy = [refusal("UNABLE_TO_LOCK_ROW", "Impossible d'obtenir un accès exclusif à cet enregistrement")]
        crm.refuse = lambda *_: busy.pop() if busy else None
        outcomes = write(crm, put(one, Field.EMAIL, MAIL))
        assert outcomes[one, Field.EMAIL].status is WriteStatus.WRITTEN


@pytest.mark.parametrize("code", ["QUERY_TIMEOUT", "INVALID_QUERY_LOCATOR"])
def test_pitfall_18_a_query_that_ends_early_begins_again(code: str) -> None:
    with org() as crm:
        one = crm.add(1)
        crm.on("/query", Reply(400, refusal("INVALID_TYPE")), Reply(400, refusal(code)))
        if code == "QUERY_TIMEOUT":
            with pytest.raises(Retry) as caught:
                using(crm, pulled)
            assert caught.value.after == 60
        assert set(using(crm, pulled)) == {one}


def test_pitfall_18_a_next_page_is_only_sought_at_salesforce() -> None:
    """Histories are the only answers that we follow by address."""
    with org() as crm:
        one = crm.add(1)
        row = {"ContactId": one, "Field": "Email", "NewValue": None, "CreatedById": "x", "CreatedDate": "2026"}
        crm.history = [row]
        for address in ("https://elsewhere.example.com/x", ""):
            part = {"totalSize": 2, "done": False, "records": [row], "nextRecordsUrl": address}
            composite = [{"referenceId": "q0", "httpStatusCode": 200, "body": part}]
            crm.on("/composite", Reply(body={"compositeResponse": composite}))
            with pytest.raises(Retry, match="not where"):
                read(crm, one)
        part = {"totalSize": 2, "done": False, "records": [row], "nextRecordsUrl": "/services/data/v66.0/query/0r8-1"}
        crm.on("/composite", Reply(body={"compositeResponse": [{**composite[0], "body": part}]}))
        crm.on("/query/0r8-1", Reply(body={"totalSize": 2, "done": True, "records": [row]}))
        assert len(read(crm, one)[one].versions[Field.EMAIL]) == 2


def test_nobody_answers() -> None:
    with org() as crm:
        pass
    with pytest.raises(Retry):
        read(crm, record_id(1))
