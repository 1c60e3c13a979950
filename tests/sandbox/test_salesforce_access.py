"""Getting into the emulated Salesforce org: logins, sessions, versions, limits, what goes wrong on the line."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import jwt
import pytest

from syncd.sandbox.salesforce import Keys
from syncd.sandbox.salesforce.access import JWT_GRANT

from .org import BASE, Org, answered, org, refusal

TOKEN = "/services/oauth2/token"
KEYS = Keys()


@pytest.fixture
def small() -> Iterator[Org]:
    with org(3, 3) as one:
        yield one


def grant(one: Org, name: str = "client_credentials", **form: str) -> httpx.Response:
    client = {"client_id": KEYS.client_id, "client_secret": KEYS.client_secret}
    return one.http.post(TOKEN, data={"grant_type": name, **client, **form}, headers={"Authorization": ""})


def denied(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 400, answer.text
    body = answer.json()
    return body["error"], body["error_description"]


# --- logins ---


def test_client_credentials_as_basic_or_form(small: Org) -> None:
    body = answered(grant(small))
    assert body["access_token"].startswith("00D")
    assert body["instance_url"] == small.sandbox.urls["salesforce"]
    assert body["token_type"] == "Bearer"
    assert body["id"].startswith("https://login.salesforce.com/id/00D")
    assert "refresh_token" not in body
    basic = small.http.post(TOKEN, data={"grant_type": "client_credentials"}, auth=(KEYS.client_id, "no"))
    assert denied(basic) == ("invalid_client", "invalid client credentials")
    assert denied(grant(small, client_id="nobody")) == ("invalid_client_id", "client identifier invalid")
    assert denied(grant(small, "telepathy")) == ("unsupported_grant_type", "grant type not supported")
    assert denied(grant(small, "password"))[0] == "unsupported_grant_type"


def test_client_credentials_are_served_only_by_the_orgs_own_host(small: Org) -> None:
    form = {"grant_type": "client_credentials", "client_id": KEYS.client_id, "client_secret": KEYS.client_secret}
    hosts = ("acme.my.salesforce.com", "login.salesforce.com")
    own, generic = (small.http.post(TOKEN, data=form, headers={"Host": host}) for host in hosts)
    assert answered(own)["instance_url"] == small.sandbox.urls["salesforce"]
    assert denied(generic) == ("invalid_grant", "request not supported on this domain")


def assertion(one: Org, **claims: object) -> str:
    usual = {"iss": KEYS.client_id, "sub": KEYS.username, "aud": "https://login.salesforce.com"}
    made = {**usual, "exp": f"{time.time() + 180:.0f}", **claims}
    return jwt.encode(made, one.vendor.access.private_key, algorithm="RS256")


def test_signed_assertions(small: Org) -> None:
    assert answered(grant(small, JWT_GRANT, assertion=assertion(small)))["access_token"]
    assert answered(grant(small, JWT_GRANT, assertion=assertion(small, exp=int(time.time()) + 100)))
    other = {
        "iss": "invalid_client_id",
        "sub": "invalid_grant",
        "aud": "invalid_grant",
        "exp": "invalid_grant",
    }
    for name, error in other.items():
        bad = assertion(small, **{name: "1" if name == "exp" else "someone-else"})
        assert denied(grant(small, JWT_GRANT, assertion=bad))[0] == error
    forged = jwt.encode({"iss": KEYS.client_id}, "a shared secret that is long enough for it", algorithm="HS256")
    assert denied(grant(small, JWT_GRANT, assertion=forged)) == ("invalid_grant", "invalid assertion")


def soap(one: Org, version: str, password: str = KEYS.password + KEYS.security_token) -> httpx.Response:
    body = f"<n1:username>{KEYS.username}</n1:username><n1:password>{password}</n1:password>"
    return one.http.post(f"/services/Soap/u/{version}", content=body, headers={"Content-Type": "text/xml"})


def test_soap_logins_end_with_version_64(small: Org) -> None:
    good = soap(small, "64.0")
    assert good.status_code == 200
    session = good.text.partition("<sessionId>")[2].partition("</sessionId>")[0]
    assert answered(small.get("/limits", headers={"Authorization": f"Bearer {session}"}))
    assert f"<serverUrl>{small.sandbox.urls['salesforce']}/services/Soap" in good.text
    late = soap(small, "65.0")
    assert late.status_code == 500
    assert "INVALID_OPERATION: The SOAP Login operation is not available" in late.text
    assert "<sf:exceptionCode>INVALID_LOGIN<" in soap(small, "59.0", "wrong").text


@pytest.mark.parametrize(("reason", "error"), [("no_user", "invalid_grant"), ("not_approved", "invalid_grant")])
def test_a_login_can_be_refused(small: Org, reason: str, error: str) -> None:
    small.sandbox.faults.add(f"salesforce_login_refused:1:{reason}")
    assert denied(grant(small))[0] == error
    assert grant(small).status_code == 200


def test_other_grants_if_the_org_allows_them() -> None:
    with org(1, 1, password_flow=True) as one:
        password = KEYS.password + KEYS.security_token
        assert answered(grant(one, "password", username=KEYS.username, password=password))
        assert denied(grant(one, "password", username=KEYS.username, password="x"))[1] == "authentication failure"
        assert answered(grant(one, "refresh_token", refresh_token=KEYS.refresh_token))


# --- sessions ---


def test_a_session_is_needed(small: Org) -> None:
    for header in ("", "Bearer 00Dwrong", "Bearer"):
        refusal(
            small.get("/limits", headers={"Authorization": header}),
            401,
            "INVALID_SESSION_ID" if header != "" else "INVALID_AUTH_HEADER",
        )
    refusal(small.get("/limits", headers={"Authorization": "Basic eA=="}), 401, "INVALID_AUTH_HEADER")
    del small.http.headers["Authorization"]
    refusal(small.get("/limits"), 401, "INVALID_SESSION_ID")


def test_sessions_end_with_time_without_a_call(small: Org) -> None:
    for _ in range(3):
        small.sandbox.clock.skip(7000)
        assert small.get("/limits").status_code == 200
    small.sandbox.clock.skip(7300)
    refusal(small.get("/limits"), 401, "INVALID_SESSION_ID")
    small.login()
    assert small.get("/limits").status_code == 200


def test_sessions_end_on_demand_or_after_some_calls(small: Org) -> None:
    small.sandbox.faults.add("salesforce_session_expired")
    refusal(small.get("/limits"), 401, "INVALID_SESSION_ID")
    refusal(small.get("/limits"), 401, "INVALID_SESSION_ID")
    small.login()
    small.vendor.access.close_all()
    refusal(small.get("/limits"), 401, "INVALID_SESSION_ID")
    with org(1, 1, session_calls=2) as one:
        assert [one.get("/limits").status_code for _ in range(3)] == [200, 200, 401]


def test_a_401_may_have_another_shape(small: Org) -> None:
    small.sandbox.faults.add("salesforce_odd_401:1:object")
    assert isinstance(small.get("/limits").json(), dict)
    small.sandbox.faults.add("salesforce_odd_401:1:html")
    assert small.get("/limits").headers["Content-Type"].startswith("text/html")


# --- versions ---


def test_versions_are_told_to_anybody(small: Org) -> None:
    answer = httpx.get(f"{small.sandbox.urls['salesforce']}/services/data/")
    versions = {one["version"]: one for one in answered(answer)}
    assert versions["66.0"] == {"label": "Spring '26", "url": BASE, "version": "66.0"}
    assert versions["31.0"]["label"] == "Summer '14"
    assert versions["68.0"]["label"] == "Winter '27"
    assert "Sforce-Limit-Info" not in answer.headers
    refusal(small.http.get("/services/data/v69.0/limits"), 404, "NOT_FOUND")
    refusal(small.http.get("/services/data/vv66.0/limits"), 404, "NOT_FOUND")
    refusal(small.http.get("/services/data/v30.0/limits"), 410, "GONE")


# --- limits ---


def test_every_answer_says_what_is_used(small: Org) -> None:
    for count, path in enumerate(("/limits/", "/nowhere", "/sobjects/Contact/rubbish"), 1):
        assert small.get(path).headers["Sforce-Limit-Info"] == f"api-usage={count}/115000"
    unknown = small.get("/limits", headers={"Authorization": "Bearer no"})
    assert unknown.headers["Sforce-Limit-Info"] == "api-usage=3/115000"
    assert answered(small.get("/limits"))["DailyApiRequests"] == {"Max": 115_000, "Remaining": 114_996}


def test_the_daily_limit_is_a_hard_stop_for_24_hours() -> None:
    with org(1, 1, daily_limit=5, per_app_limit=250) as one:
        one.vendor.usage.use_up(2)
        first = one.get("/limits")
        assert first.headers["Sforce-Limit-Info"] == "api-usage=3/5; per-app-api-usage=1/250(appName=syncd)"
        assert [one.get("/limits").status_code for _ in range(2)] == [200, 200]
        stopped = one.get("/limits")
        assert refusal(stopped, 403, "REQUEST_LIMIT_EXCEEDED") == "TotalRequests Limit exceeded."
        assert not {"retry-after"} & {name.lower() for name in stopped.headers}
        one.sandbox.clock.skip(86_400)
        one.login()
        assert one.get("/limits").status_code == 200


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        ("salesforce_daily_limit", "REQUEST_LIMIT_EXCEEDED", "TotalRequests"),
        ("salesforce_concurrent", "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn"),
        ("salesforce_concurrent:1:ConcurrentRequests", "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests"),
        ("salesforce_api_disabled", "API_DISABLED_FOR_ORG", "not enabled"),
    ],
)
def test_other_limits_on_demand(small: Org, fault: str, code: str, text: str) -> None:
    small.sandbox.faults.add(fault)
    assert text in refusal(small.get("/limits"), 403, code)
    assert small.get("/limits").status_code == 200


def test_the_date_of_an_answer_is_the_sandbox_clocks(small: Org) -> None:
    small.sandbox.clock.skip(10 * 86_400)
    small.login()
    (date,) = small.get("/limits").headers.get_list("Date")
    now = time.strftime("%a, %d %b %Y", time.gmtime(small.sandbox.clock.now()))
    assert date.startswith(now)
    assert date.endswith("GMT")


# --- the line ---


@pytest.mark.parametrize(
    ("status", "media"),
    [("503", "application/json"), ("500", "application/json"), ("502", "text/html"), ("420", "text/html")],
)
def test_errors_of_the_org_are_json_those_of_the_edge_pages(small: Org, status: str, media: str) -> None:
    small.sandbox.faults.add(f"salesforce_error:1:{status}")
    answer = small.get("/limits")
    assert answer.status_code == int(status)
    assert answer.headers["Content-Type"].startswith(media)
    assert small.get("/limits").status_code == 200


@pytest.mark.parametrize("fault", ["salesforce_cut", "salesforce_read_torn", "salesforce_silent"])
def test_connections_end_in_every_way(small: Org, fault: str) -> None:
    small.sandbox.faults.add(fault)
    with pytest.raises(httpx.TransportError):
        small.get("/limits", timeout=0.5)
    assert small.get("/limits").status_code == 200


@pytest.mark.parametrize(("fault", "text"), [("html", "<html>"), ("empty", ""), ("nonsense", "{}")])
def test_answers_may_be_nonsense(small: Org, fault: str, text: str) -> None:
    small.sandbox.faults.add(f"salesforce_query_{fault}")
    answer = small.query("SELECT Id FROM Contact")
    assert answer.status_code == 200
    assert answer.text.startswith(text)
    small.sandbox.faults.add("salesforce_query_timeout")
    refusal(small.query("SELECT Id FROM Contact"), 400, "QUERY_TIMEOUT")


def test_logins_fail_too(small: Org) -> None:
    small.sandbox.faults.add("salesforce_login_error:1:503")
    assert grant(small).status_code == 503
    small.sandbox.faults.add("salesforce_login_slow:1:0.01")
    assert grant(small).status_code == 200
