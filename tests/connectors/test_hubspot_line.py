"""The HubSpot connector on a bad line: pace, refusals, tokens, odd bodies; and `check`.

The numbers are those of the project's list of HubSpot pitfalls; each pitfall that the connector can show has a
named test. Whole journeys are in `test_hubspot_sandbox`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import connectors.hubspot
from connectors.hubspot import Connector, Options
from connectors.hubspot.calls import Route
from connectors.hubspot.wire import THREADS, Wire
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Trouble
from syncd.contract.model import (
    Field,
    FieldMap,
    Level,
    Selection,
    WriteStatus,
)
from syncd.contract.testing import StillClock
from tests.connectors.hubspot_play import (
    DAILY,
    PHONE,
    ROLLING,
    SECONDLY,
    SELECTION,
    TOKEN,
    pages,
    pulled,
    put,
    read,
    ref,
    using,
    write,
)
from tests.connectors.scripted_crm import Reply, ScriptedCrm, Seen, contact, refusal
from tests.contract.bench import START, bench

# --- pace and trouble ---------------------------------------------------------------------------


def test_pitfall_20_secondly() -> None:
    clock = StillClock(START)
    with ScriptedCrm(contact("1")) as crm:
        crm.on("search", SECONDLY)
        assert len(using(crm, pulled, clock)) == 1
        assert len(crm.asked("search")) == 2
    assert any(1.0 <= pause <= 2.0 for pause in clock.slept)


def test_pitfall_21_ten_secondly() -> None:
    clock = StillClock(START)
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", ROLLING)
        assert len(read(crm, 1, clock=clock)) == 1
    assert any(10.0 <= pause <= 11.0 for pause in clock.slept)


def test_pitfall_21_daily_until_the_portal_s_midnight() -> None:
    clock = StillClock(START)

    async def act(connector: Connector) -> None:
        with pytest.raises(RateLimited) as first:
            await connector.read([ref(1)], SELECTION)
        clock.time += 60
        with pytest.raises(RateLimited) as second:
            await connector.read([ref(1)], SELECTION)
        assert first.value.after is not None
        assert second.value.after == pytest.approx(first.value.after - 60)
        assert (START + first.value.after) % 86_400 == pytest.approx(22 * 3_600)  # midnight in Paris, in summer
        clock.time += first.value.after
        await connector.read([ref(1)], SELECTION)

    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", DAILY)
        using(crm, act, clock)
        assert len(crm.asked("batch/read")) == 2


def test_pitfall_23_locked_and_moving() -> None:
    clock = StillClock(START)
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", Reply(423, {}))
        read(crm, 1, clock=clock)
        assert max(clock.slept) >= 2.0
        crm.on("batch/read", Reply(477, {}, {"Retry-After": "7200"}))
        with pytest.raises(Retry) as caught:
            read(crm, 1)
    assert caught.value.after == 7_200


OAUTH: dict[str, Any] = {"client_id": "c", "client_secret": "s", "refresh_token": "r"}


def test_pitfall_24_one_refresh_for_all() -> None:
    expired = Reply(
        401, refusal("The OAuth token used to make this call expired 75 second(s) ago.", "EXPIRED_AUTHENTICATION")
    )
    tokens = iter(("one", "two", "three"))

    def grant(request: Seen) -> Reply:
        assert b"grant_type=refresh_token" in request.raw
        assert "authorization" not in request.headers
        return Reply(body={"access_token": next(tokens), "expires_in": 1800, "token_type": "bearer"})

    def gate(request: Seen) -> Reply:
        if request.headers["authorization"] == "Bearer one":
            return expired
        return crm._usual(request)

    async def act(connector: Connector) -> None:
        selections = [[ref(n)] for n in range(1, 5)]
        await connector.pull(SELECTION, None).__anext__()
        await asyncio.gather(*(connector.read(refs, SELECTION) for refs in selections))

    with ScriptedCrm(*(contact(str(n)) for n in range(1, 5))) as crm:
        crm.on("oauth/2026-03/token", grant, grant, grant)
        crm.on("batch/read", *[gate] * 12)
        using(crm, act, **OAUTH)
        assert len(crm.asked("oauth/2026-03/token")) == 2


def test_pitfall_24_refresh_before_the_end() -> None:
    clock = StillClock(START)

    async def act(connector: Connector) -> None:
        await connector.read([ref(1)], SELECTION)
        clock.time += 1_600
        await connector.read([ref(1)], SELECTION)

    with ScriptedCrm(contact("1")) as crm:
        crm.on("oauth/2026-03/token", *[Reply(body={"access_token": "t", "expires_in": 1800})] * 2)
        using(crm, act, clock, **OAUTH)
        assert len(crm.asked("oauth/2026-03/token")) == 2


def test_a_revoked_refresh_token_halts() -> None:
    with ScriptedCrm() as crm:
        crm.on(
            "oauth/2026-03/token", Reply(400, {"status": "BAD_REFRESH_TOKEN", "message": "refresh token is invalid"})
        )
        with pytest.raises(Halt) as caught:
            read(crm, 1, **OAUTH)
    assert caught.value.trouble is Trouble.CREDENTIALS


@pytest.mark.parametrize(
    ("message", "category", "said"),
    [
        ("The OAuth token used to make this call expired 20336 day(s) ago.", "EXPIRED_AUTHENTICATION", "malformed"),
        ("The OAuth token used to make this call expired 75 second(s) ago.", "EXPIRED_AUTHENTICATION", "expired"),
        ("Authentication credentials not found.", "INVALID_AUTHENTICATION", "does not accept"),
    ],
)
def test_pitfall_24_three_kinds_of_401(message: str, category: str, said: str) -> None:
    with ScriptedCrm() as crm:
        crm.on("details", *[Reply(401, refusal(message, category))] * 2)
        with pytest.raises(Halt, match=said) as caught:
            read(crm, 1)
        [finding] = using(crm, lambda c: c.check([SELECTION]))
        assert len(crm.seen) == 2
    assert caught.value.trouble is Trouble.CREDENTIALS
    assert (finding.level, finding.what, finding.cure) == (Level.ERROR, str(caught.value), caught.value.cure)


def scopes(*names: str) -> Reply:
    errors = [{"message": "One or more …", "context": {"requiredGranularScopes": list(names)}}]
    return Reply(403, refusal("This app hasn't been granted all required scopes", "MISSING_SCOPES", errors=errors))


def test_pitfall_25_missing_scopes_are_named() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.on("search", scopes("crm.objects.contacts.read"))
        with pytest.raises(Halt, match=r"crm\.objects\.contacts\.read"):
            using(crm, pages)
        crm.on("batch/update", scopes("crm.objects.contacts.write"))
        findings = using(crm, lambda c: c.check([SELECTION]))
    assert [f.cure for f in findings if f.level is Level.ERROR] == [
        "grant one of these scopes to the service key or app: crm.objects.contacts.write"
    ]


def test_pitfall_25_without_the_right_to_companies() -> None:
    with ScriptedCrm(contact("1", associatedcompanyid="77", company="Acme")) as crm:
        crm.on("companies/batch/read", *[scopes("crm.objects.companies.read")] * 2)
        assert using(crm, pulled)[0].identity.company == "Acme"
        findings = using(crm, lambda c: c.check([SELECTION]))
    assert [f.level for f in findings if "companies" in f.what] == [Level.WARNING]


def test_pitfall_31_the_token_goes_nowhere_else() -> None:
    sources = Path(connectors.hubspot.__file__).parent.glob("*.py")
    assert not [path.name for path in sources if ".api_request(" in path.read_text()]
    with ScriptedCrm(contact("1")) as crm:
        read(crm, 1)
        assert {request.headers["authorization"] for request in crm.seen} == {f"Bearer {TOKEN}"}
        assert {request.headers["host"] for request in crm.seen} == {crm.url.removeprefix("http://")}


def test_pitfall_32_few_connections() -> None:
    with ScriptedCrm(*(contact(str(n), associatedcompanyid=str(n)) for n in range(1, 1_001))) as crm:
        using(crm, pulled)
        assert len(crm.seen) > 30
        assert crm.connections <= THREADS


def test_pitfall_33_no_call_waits_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wire = Wire(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN, timeout=(0.5, 0.05))
        with pytest.raises(InDoubt, match="ReadTimeout"):
            wire.send("POST", "/crm/v3/objects/contacts/search", {})
        wire.close()


def test_pitfall_34_reads_are_repeated_by_us() -> None:
    clock = StillClock(START)
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", Reply(503, b""), Reply(cut=True), Reply(502, b"<html>"), Reply(500, {}))
        assert len(read(crm, 1, clock=clock)) == 1
        assert clock.slept == [0.5, 1.0, 2.0, 4.0]
        crm.on("batch/read", *[Reply(503, b"")] * 5)
        with pytest.raises(Retry):
            read(crm, 1)
        assert len(crm.asked("batch/read")) == 10


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def act() -> None:
        connector = Connector(
            "hub", Options.model_validate({"access_token": TOKEN}), f"http://127.0.0.1:{port}", bench()
        )
        with pytest.raises(Retry, match="could not reach"):
            await connector.read([ref(1)], SELECTION)
        [finding] = await connector.check([SELECTION])
        assert finding.level is Level.ERROR
        await connector.aclose()

    asyncio.run(act())


def test_pitfall_35_html_instead_of_json() -> None:
    page = b"<html>\xe9 404 Not Found</html>"  # latin-1: the SDK fails to decode it
    with ScriptedCrm() as crm:
        crm.on("batch/read", Reply(404, page, {"Content-Type": "text/html;charset=iso-8859-1"}))
        with pytest.raises(Halt, match="HTTP 404"):
            read(crm, 1)
        crm.on("batch/read", *[Reply(200, b"<html>maintenance</html>")] * 5)
        with pytest.raises(Retry, match="without JSON"):
            read(crm, 1)


@pytest.mark.parametrize("body", [{}, {"results": None}, {"results": "x"}, {"results": [1]}])
def test_pitfall_36_nonsense_with_status_200(body: dict[str, Any]) -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/read", Reply(200, body))
        with pytest.raises(Retry, match="without results"):
            read(crm, 1)
        crm.on("batch/update", Reply(200, body))
        assert write(crm, put(1, Field.PHONE, PHONE))["1", Field.PHONE].status is WriteStatus.UNKNOWN


def test_pitfall_39_our_share_of_what_is_told() -> None:
    clock = StillClock(START)
    told = {"X-HubSpot-RateLimit-Max": "190", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}
    with ScriptedCrm(*(contact(str(n)) for n in range(1, 9_501))) as crm:
        crm.headers = told
        using(crm, pulled, clock, share=1.0)
        calls = len(crm.seen) - len(crm.asked("search"))
    assert calls == 2 + 190
    assert 10.0 < clock.time - START < 40.0


def test_pitfall_39_the_day_s_reserve() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "150"}
        with pytest.raises(RateLimited, match="reserve"):
            read(crm, 1)
        assert len(crm.asked("batch/read")) == 0
        assert len(read(crm, 1, daily_reserve=0.1)) == 1


# --- check and settings -------------------------------------------------------------------------


def test_check_of_a_good_portal() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "900"}
        findings = using(crm, lambda c: c.check([SELECTION]))
        assert [r.body for r in crm.asked("batch/update")] == [{"inputs": []}]
    assert {f.level for f in findings} == {Level.OK}
    text = " ".join(f.what for f in findings)
    assert "portal 44956899" in text
    assert "900 of 1000 calls" in text
    assert "1 contacts lack email or phone, or opted out" in text


@pytest.mark.parametrize("status", [500, 503, 423])
def test_a_check_that_was_not_answered_about_writing_learnt_nothing(status: int) -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/update", Reply(status, {}))
        [error] = [f for f in using(crm, lambda c: c.check([SELECTION])) if f.level is Level.ERROR]
    assert (error.passing, error.trouble) == (True, None)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nowhere", "no contact property 'nowhere'"),
        ("hs_email_domain", "read-only"),
        ("associatedcompanyid", "type number"),
    ],
)
def test_check_of_a_wrong_property(name: str, complaint: str) -> None:
    selection = Selection(object="contacts", fields={Field.EMAIL: FieldMap(property=name)})
    with ScriptedCrm(contact("1")) as crm:
        findings = using(crm, lambda c: c.check([selection]))
    assert any(complaint in f.what and f.level is Level.ERROR and f.cure for f in findings)


def test_both_path_families_have_every_route() -> None:
    for route in Route:
        assert "/v3/" in route.at("v3")[1] or route is Route.TOKEN
        assert re.search(r"/2026-0[39]", route.at("2026-09")[1])
    with ScriptedCrm(contact("1")) as crm:
        assert len(using(crm, pulled, api_version="2026-09")) == 1
        assert {r.path.split("/")[2] for r in crm.seen if "objects" in r.path} == {"objects"}


def test_c9_tokens_are_refreshed_where_they_will_be_after_february_2027() -> None:
    assert {Route.TOKEN.at(version) for version in ("v3", "2026-09")} == {("POST", "/oauth/2026-03/token")}


@pytest.mark.parametrize("options", [{}, {"client_id": "c"}, {"access_token": "t", **OAUTH}, {"acess_token": "t"}])
def test_one_way_in(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(options)


def test_secrets_are_not_shown() -> None:
    assert TOKEN not in repr(Options.model_validate({"access_token": TOKEN}))


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, connectors.hubspot; sys.exit('hubspot' in sys.modules or 'urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
