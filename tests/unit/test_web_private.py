"""The private listener: for the operator alone, and for looking only."""

import asyncio
import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from syncd.contract.errors import Trouble
from syncd.ledger import connections
from syncd.pipeline.canary import Canary
from syncd.web import private, public

from .callers import Line, Reply, at_the_desk, served
from .harness import EMAIL, Harness

PAGES = ["/", "/healthz", "/readyz", "/metrics", "/api/status"]
TOKEN = "the operator's token"


@pytest.fixture
def busy(harness: Harness) -> Harness:
    """One written, one under way, one connection in trouble, something counted."""
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.call_back(harness.fake.submitted[0])
    harness.finish()
    harness.run(
        harness.ledger.write(connections.halt, "crm", Trouble.CREDENTIALS, "<b>no key</b>", "give one", now=0.0)
    )
    harness.run(harness.ledger.write(lambda tx: tx.tally("callbacks_forged", 3)))
    return harness


def guarded(harness: Harness) -> Harness:
    admin = harness.settings.admin.model_copy(update={"token": SecretStr(TOKEN)})
    harness.reopen(replace(harness.settings, admin=admin))
    return harness


def get(harness: Harness, path: str, **headers: str) -> Reply:
    return at_the_desk(harness, lambda line: line.call("GET", path, b"", **headers))


def test_every_page_is_there_and_takes_care_of_the_browser(busy: Harness) -> None:
    async def look(line: Line) -> list[Reply]:
        return [await line.call("GET", page) for page in PAGES]

    replies = at_the_desk(busy, look)
    assert [r.status for r in replies] == [200, 200, 503, 200, 200]
    for reply in replies:
        policy = reply.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'"} <= {*policy}
        assert not any("unsafe" in rule or "*" in rule for rule in policy)
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_what_the_pages_say(busy: Harness) -> None:
    async def look(line: Line) -> list[str]:
        return [(await line.call("GET", page)).body.decode() for page in PAGES]

    overview, health, ready, metrics, status = at_the_desk(busy, look)
    assert health == "ok\n"
    assert ready == "crm: <b>no key</b>\n"
    assert "<b>no key</b>" not in overview
    assert "&lt;b&gt;no key&lt;/b&gt;" in overview
    assert "ada@acme" not in overview + metrics + status, "no personal data"
    assert 'syncd_jobs{field="email",reason="written",state="done",sync="people"} 1.0' in metrics
    assert 'syncd_credits{kind="charged",provider="ann"} 1.0' in metrics
    assert 'syncd_halted{connection="crm"} 1.0' in metrics
    assert 'syncd_events_total{name="callbacks_forged"} 3.0' in metrics
    told = json.loads(status)
    assert told["credits"]["ann"] == {
        "submissions": 2,
        "charged": 1.0,
        "reserved": 10.0,
        "in_doubt": 0.0,
        "assumed": 0.0,
    }
    assert told["connections"]["crm"]["cure"] == "give one"
    assert told["gate"] == []


def test_ready_when_nothing_is_in_the_way(harness: Harness) -> None:
    reply = get(harness, "/readyz")
    assert (reply.status, reply.body) == (200, b"ready\n")


@pytest.mark.parametrize("page", sorted({*PAGES} - {"/healthz"}))
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"bearer {TOKEN[:-1]}", "Bearer \xe9", "Basic x"],
)
def test_a_token_guards_every_page(harness: Harness, page: str, authorization: str) -> None:
    reply = get(guarded(harness), page, authorization=authorization)
    assert reply.status == 401
    assert TOKEN.encode() not in reply.body


def test_the_token_opens(harness: Harness) -> None:
    assert get(guarded(harness), "/api/status", authorization=f"Bearer {TOKEN}").status == 200


def test_n9_health_is_open_to_everybody(harness: Harness) -> None:
    for host in ("10.1.2.3:8081", "syncd.internal", "whoever.example.com"):
        reply = get(guarded(harness), "/healthz", host=host)
        assert (reply.status, reply.body) == (200, b"ok\n")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("syncd.internal:8081", 200),
        ("SYNCD.internal.", 200),
        ("a.ops.example.com", 200),
        ("ops.example.com", 400),
        ("10.1.2.3:8081", 200),
        ("[2001:db8::1]:8081", 200),
        ("evil.example.com", 400),
        ("10.1.2.3.evil.example.com", 400),
        ("", 400),
    ],
)
def test_n9_names_of_the_configuration_and_addresses_are_answered(harness: Harness, host: str, status: int) -> None:
    harness = guarded(harness)
    admin = harness.parts.settings.admin.model_copy(update={"hosts": ("syncd.internal", "*.ops.example.com")})
    harness.parts = replace(harness.parts, settings=replace(harness.parts.settings, admin=admin))
    reply = get(harness, "/api/status", host=host, authorization=f"Bearer {TOKEN}")
    assert reply.status == status
    assert status == 200 or b"admin.hosts" in reply.body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8081", 200),
        ("[::1]:8081", 200),
        ("evil.example.com", 400),
        ("127.0.0.1.evil.example.com", 400),
        ("", 400),
        ("localhost@evil.example.com", 400),
    ],
)
def test_only_known_names_are_answered(harness: Harness, host: str, status: int) -> None:
    """A page elsewhere that has rebound its name to this machine gets nothing."""
    assert get(harness, "/api/status", host=host).status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed_here(busy: Harness, method: str) -> None:
    before = busy.sql("SELECT * FROM job"), busy.sql("SELECT * FROM connection"), busy.sql("SELECT * FROM tally")

    async def try_all(line: Line) -> list[int]:
        return [(await line.call(method, page, b"{}")).status for page in PAGES]

    assert at_the_desk(busy, try_all) == [405] * len(PAGES)
    assert (
        busy.sql("SELECT * FROM job"),
        busy.sql("SELECT * FROM connection"),
        busy.sql("SELECT * FROM tally"),
    ) == before


def test_callbacks_do_not_come_in_here(busy: Harness) -> None:
    assert at_the_desk(busy, lambda line: line.call("POST", "/callbacks/ann", b"{}")).status == 404


def test_a_client_that_says_nothing_is_let_go(harness: Harness) -> None:
    async def wait(line: Line) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(b"POST /callbacks/ann HTTP/1.1\r\nhost:")
        rest = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return rest

    async def go() -> bytes:
        async with served(public.application(harness.parts, Canary()), head_deadline=0.05) as line:
            return await wait(line)

    assert harness.run(go()) == b""


def test_the_door_and_the_desk_are_two_ports(harness: Harness) -> None:
    async def go() -> tuple[int, int]:
        async with (
            served(public.application(harness.parts, Canary())) as public_,
            served(private.application(harness.parts)) as desk,
        ):
            return (await public_.call("GET", "/api/status")).status, (await desk.call("GET", "/api/status")).status

    assert harness.run(go()) == (404, 200)


@pytest.mark.parametrize("path", ["/healthz/", "/readyz/", "/metrics/", "/api/status/"])
def test_n7_nobody_is_sent_elsewhere_by_the_private_listener(harness: Harness, path: str) -> None:
    reply = at_the_desk(harness, lambda line: line.call("GET", path))
    assert (reply.status, "location" in reply.headers) == (404, False)
