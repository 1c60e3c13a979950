"""The emulated HubSpot over a real socket: credentials, scopes, limits, what goes wrong on the line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from syncd.sandbox.hubspot import ALL_SCOPES, Token
from tests.sandbox.account import FAMILIES, Account, account, refusal


@pytest.fixture(scope="module", params=list(FAMILIES))
def shared(request: pytest.FixtureRequest) -> Iterator[Account]:
    """For tests that change nothing."""
    with account(300, family=request.param, unlimited=True) as one:
        yield one


@pytest.fixture(scope="module")
def plain() -> Iterator[Account]:
    """The same, on v3 paths only."""
    with account(300, unlimited=True) as one:
        yield one


# ---- credentials


@pytest.mark.parametrize("header", [None, "bearer {}", "Bearer  {}", "token {}", "{}", "Bearer pat-eu1-unknown"])
def test_credentials_are_taken_to_the_letter(plain: Account, header: str | None) -> None:
    token = plain.sandbox.hubspot.token
    headers = {"Authorization": header.format(token)} if header else {}
    answer = httpx.post(f"{plain.sandbox.urls['hubspot']}{plain.objects}/contacts/search", headers=headers, json={})
    assert refusal(answer, 401, "INVALID_AUTHENTICATION").startswith("Authentication credentials not found.")


def test_a_malformed_token_expired_in_1970(plain: Account) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    answer = plain.http.post(f"{plain.objects}/contacts/search", headers=headers, json={})
    assert "day(s) ago" in refusal(answer, 401, "EXPIRED_AUTHENTICATION")
    assert answer.json()["context"] == {"expire time": ["1970-01-01T00:00:00Z"]}


def test_credentials_are_checked_before_all_else(plain: Account) -> None:
    answer = plain.http.post(f"{plain.objects}/butterflies/search", headers={"Authorization": "no"}, content=b"{")
    assert answer.status_code == 401


def test_scopes() -> None:
    reader = Token(scopes=ALL_SCOPES - {"crm.objects.contacts.write", "crm.schemas.contacts.write"})
    with account(tokens=[reader]) as one:
        contact = one.lacking("email")[0]
        assert one.read(contact).status_code == 200
        assert one.http.get(f"{one.properties}/contacts").status_code == 200
        refused = one.update({contact: {"phone": "+442079460001"}})
        refusal(refused, 403, "MISSING_SCOPES")
        (entry,) = refused.json()["errors"]
        assert entry["context"]["requiredGranularScopes"] == ["crm.objects.contacts.write"]
        refusal(one.http.post(f"{one.properties}/contacts/groups", json={}), 403, "MISSING_SCOPES")


@pytest.mark.parametrize("path", ["/oauth/v1/token", "/oauth/v3/token", "/oauth/2026-03/token"])
def test_oauth_tokens_live_half_an_hour(path: str) -> None:
    with account() as one:
        app = one.sandbox.hubspot.oauth
        form = {
            "grant_type": "refresh_token",
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "refresh_token": app.refresh_token,
        }
        grant = one.http.post(path, data=form).json()
        assert (grant["token_type"], grant["expires_in"]) == ("bearer", 1800)
        one.http.headers["Authorization"] = f"Bearer {grant['access_token']}"
        answer = one.http.get(f"{one.info}/details")
        assert answer.headers["X-HubSpot-RateLimit-Max"] == "110"
        assert "X-HubSpot-RateLimit-Daily" not in answer.headers
        one.sandbox.clock.skip(1875)
        refusal(one.http.get(f"{one.info}/details"), 401, "EXPIRED_AUTHENTICATION")
        refused = one.http.post(path, data={**form, "refresh_token": "old"})
        assert (refused.status_code, refused.json()["status"]) == (400, "BAD_REFRESH_TOKEN")
        in_query = one.http.post(path, params=form)
        assert in_query.status_code == (400 if "2026" in path else 200)


# ---- limits


def test_five_searches_a_second_for_the_whole_account() -> None:
    tokens = [Token(), Token("pat-eu1-second", app_id="2")]
    with account(tokens=tokens) as one:
        answers = [one.search(limit=1) for _ in range(5)]
        one.http.headers["Authorization"] = "Bearer pat-eu1-second"
        refused = one.search(limit=1)
        assert {answer.status_code for answer in answers} == {200}
        assert refusal(refused, 429, "RATE_LIMITS") == "You have reached your secondly limit."
        for answer in (answers[0], refused):
            rates = {name for name in answer.headers if "ratelimit" in name}
            assert "x-hubspot-ratelimit-max" not in rates
            assert "retry-after" not in answer.headers
            assert answer.headers["x-hubspot-correlation-id"]
        one.sandbox.clock.skip(1.0)
        assert one.search(limit=1).status_code == 200


def test_a_hundred_calls_in_ten_seconds_for_each_app() -> None:
    with account(tokens=[Token(), Token("pat-eu1-second", app_id="2")]) as one:
        path = f"{one.info}/details"
        first = one.http.get(path).headers
        assert first["X-HubSpot-RateLimit-Max"] == "100"
        assert first["X-HubSpot-RateLimit-Remaining"] == "99"
        assert first["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
        assert (first["X-HubSpot-RateLimit-Daily"], first["X-HubSpot-RateLimit-Daily-Remaining"]) == (
            "250000",
            "249999",
        )
        for _ in range(99):
            assert one.http.get(path).status_code == 200
        refused = one.http.get(path)
        body = refused.json()
        assert refused.status_code == 429
        assert (body["policyName"], body["errorType"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
        assert body["message"] == "You have reached your ten_secondly_rolling limit."
        assert one.search(limit=1).status_code == 200
        assert one.http.get(path, headers={"Authorization": "Bearer pat-eu1-second"}).status_code == 200
        one.sandbox.clock.skip(10.0)
        assert one.http.get(path).status_code == 200


def test_the_day_ends_at_the_portals_midnight() -> None:
    with account() as one:
        gates = one.sandbox.hubspot.gates
        gates.daily = 2
        path = f"{one.info}/api-usage/daily/private-apps"
        assert one.http.get(path).status_code == 200
        (usage,) = one.http.get(path).json()["results"]
        assert (usage["usageLimit"], usage["currentUsage"]) == (2, 2)
        assert one.http.get(path).json()["policyName"] == "DAILY"
        assert one.search().json()["policyName"] == "DAILY"
        one.sandbox.clock.skip(gates.next_midnight().timestamp() - one.sandbox.clock.now() + 1)
        assert one.http.get(path).status_code == 200


def test_account_details(shared: Account) -> None:
    details = shared.http.get(f"{shared.info}/details").json()
    assert details["timeZone"] == "Europe/Paris"
    assert details["utcOffsetMilliseconds"] in {3_600_000, 7_200_000}
    assert isinstance(details["portalId"], int)


# ---- the line


@pytest.mark.parametrize(
    ("status", "wait"), [("423", None), ("477", "3600"), ("500", None), ("502", None), ("524", "7")]
)
def test_errors_of_the_line(status: str, wait: str | None) -> None:
    with account(faults=(f"hubspot_error:1:{status}" + (f"@{wait}" if wait else ""),)) as one:
        answer = one.search()
        assert (answer.status_code, answer.headers.get("Retry-After")) == (int(status), wait)
        assert one.search().status_code == 200


def test_refusals_by_order() -> None:
    orders = {
        "hubspot_unauthenticated": (401, "INVALID_AUTHENTICATION"),
        "hubspot_expired": (401, "EXPIRED_AUTHENTICATION"),
        "hubspot_forbidden:1:crm.objects.contacts.read": (403, "MISSING_SCOPES"),
        "hubspot_secondly": (429, "RATE_LIMITS"),
        "hubspot_daily": (429, None),
    }
    with account(unlimited=True) as one:
        for order, (status, category) in orders.items():
            one.sandbox.faults.add(order)
            refusal(one.search(), status, category)
        one.sandbox.faults.add("hubspot_burst")
        assert one.search().status_code == 200
        assert one.http.get(f"{one.info}/details").json()["policyName"] == "TEN_SECONDLY_ROLLING"
        one.sandbox.faults.add("hubspot_empty_results")
        assert one.search().json()["results"] == []


def test_answers_that_are_none() -> None:
    with account(unlimited=True) as one:
        one.sandbox.faults.add("hubspot_search_html")
        assert "<html>" in one.search().text
        one.sandbox.faults.add("hubspot_nonsense")
        assert one.search().json() == {}
        one.sandbox.faults.add("hubspot_plain")
        assert one.search().headers["content-type"].startswith("text/plain")


def test_connections_that_break() -> None:
    with account(unlimited=True) as one:
        one.sandbox.faults.add("hubspot_cut")
        with pytest.raises(httpx.TransportError):
            one.search()
        one.sandbox.faults.add("hubspot_torn")
        with pytest.raises(httpx.RemoteProtocolError):
            one.search()
        one.sandbox.faults.add("hubspot_silent")
        with pytest.raises(httpx.ReadTimeout):
            one.http.post(f"{one.objects}/contacts/search", json={}, timeout=0.05)
        one.sandbox.faults.add("hubspot_slow:1:30")
        with pytest.raises(httpx.ReadTimeout):
            one.http.post(f"{one.objects}/contacts/search", json={}, timeout=0.05)
        assert one.search().status_code == 200


def test_every_answer_is_compact_json_with_an_id(plain: Account) -> None:
    answer = plain.search(limit=1)
    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    assert json.dumps(answer.json(), ensure_ascii=False, separators=(",", ":")) == answer.text
    assert answer.headers["x-hubspot-correlation-id"] != plain.search(limit=1).headers["x-hubspot-correlation-id"]


def test_calls_are_counted_by_endpoint() -> None:
    with account() as one:
        one.search()
        one.read("1")
        one.read("2")
        assert one.sandbox.hubspot.calls == {"search": 1, "batch/read": 2}
        assert one.sandbox.hubspot.answers == {200: 1, 207: 2}
