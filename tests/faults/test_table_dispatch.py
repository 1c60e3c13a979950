"""The fault table, F5 to F16: the paid call, with the real connectors where a vendor's answer is at stake."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors import zeliq
from syncd.config import Budget
from syncd.contract.errors import Skip, Split, Trouble
from syncd.contract.model import Outcome, Receipt, Submission
from syncd.contract.pacing import Pacer, Window
from syncd.contract.testing.server import Reply, Script, scripted
from syncd.daemon import Daemon
from syncd.ledger import connections, copies, submissions
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Lane, Parts
from tests.contract.bench import bench
from tests.contract.fake_provider import FakeProvider, said
from tests.unit.harness import EMAIL, ONE_BY_ONE, Harness

from .client import nobody, opened
from .conftest import Build

FOUND = {
    "contact": {"most_probable_email": "ada@acme.example.com", "most_probable_email_status": "valid"},
    "credit_used": 1,
}
NOTHING = {"reserved": 0, "charged": 0, "in_doubt": 0}


class Snapshots(FakeProvider):
    """Keeps a copy of the ledger as it is while the call is under way: what a crash would leave."""

    harness: Harness
    copy: Path

    async def submit(self, submission: Submission) -> Receipt:
        await asyncio.to_thread(copies.back_up, self.harness.path, self.copy)
        return await super().submit(submission)


@contextmanager
def on_the_line(harness: Harness, *replies: Reply, url: str | None = None) -> Iterator[Script]:
    """The real connector in place of the fake, talking to a vendor that follows a script."""
    with scripted(*replies) as script:
        options = zeliq.Options(api_key=SecretStr("zq-very-secret"))
        connector = zeliq.Connector("zeliq", options, url or script.url, bench(harness.clock))
        harness.parts = replace(
            harness.parts, lanes={"zeliq": Lane(provider=connector, pacer=Pacer((), harness.clock))}
        )
        try:
            yield script
        finally:
            harness.run(connector.aclose())


@pytest.fixture
def ready(build: Build) -> Harness:
    """One person whose e-mail is to be asked at Zeliq."""
    harness = build(providers=[FakeProvider("zeliq", capabilities=ONE_BY_ONE)], fields={EMAIL: ["zeliq"]})
    harness.person("Ada")
    harness.pull()
    harness.plan()
    return harness


def test_f05_crash_before_the_intent(ready: Harness) -> None:
    """I2: nothing happened, so nothing is doubtful; it is sent, once, by the next process."""
    ready.reopen()
    assert ready.recover() == 0
    assert ready.dispatch() == 1
    assert ready.state("501") == "sent"


def test_f06_crash_while_it_is_sent(tmp_path: Path) -> None:
    """I2: an intent without an outcome is in doubt and is never sent again; an answer resolves it."""
    provider = Snapshots("ann", capabilities=ONE_BY_ONE)
    provider.copy = tmp_path / "after" / "ledger.db"
    provider.copy.parent.mkdir()
    (tmp_path / "before").mkdir()
    with Harness(tmp_path / "before", providers=[provider], fields={EMAIL: ["ann"]}) as before:
        provider.harness = before
        ada = before.person("Ada")
        before.ask()
        crm, clock = before.crm, before.clock
    fresh = FakeProvider("ann", capabilities=ONE_BY_ONE)
    with Harness(provider.copy.parent, providers=[fresh], crm=crm, fields={EMAIL: ["ann"]}) as after:
        after.clock.time = clock.time
        assert after.recover() == 1
        assert after.state(ada) == "in_doubt"
        assert after.credits()["in_doubt"] == 1
        after.clock.time += 10 * 86_400
        after.sweep()
        assert after.dispatch() == 0, "whatever time passes: the policy is to ask a person"
        [submission] = provider.submitted
        provider.finds[ada, EMAIL] = ()
        after.deliver(provider.delivery(submission))
        after.inbox()
        assert after.state(ada) == "answered"


@pytest.mark.parametrize("reply", [Reply(cut=True), Reply(500), Reply(502), Reply(503), Reply(504)], ids=str)
def test_f07_an_answer_that_is_lost_or_ambiguous(ready: Harness, reply: Reply) -> None:
    """I2: in doubt, credits stay reserved, nothing is sent again."""
    with on_the_line(ready, reply) as vendor:
        ready.dispatch("zeliq")
        ready.clock.time += 3600
        assert ready.dispatch("zeliq") == 0
    assert [call.method for call in vendor.calls].count("POST") == 1
    assert ready.state("501") == "in_doubt"
    assert ready.credits() == {"reserved": 2, "charged": 0, "in_doubt": 2}


def test_f08_definitely_not_sent(ready: Harness) -> None:
    """I2, I4: a refused connection costs nothing: released, queued, with a pause before the next try."""
    with nobody() as port, on_the_line(ready, url=f"http://127.0.0.1:{port}"):
        ready.dispatch("zeliq")
        assert ready.parts.lanes["zeliq"].pacer.ready_in() > 0
    assert ready.state("501") == "queued"
    assert ready.credits() == NOTHING


def test_f09_too_many_calls(ready: Harness) -> None:
    """I8: released; the told limits are kept, and a restart neither forgets them nor the calls made."""
    limits = {"message": "slow down", "limits": {"perMinute": 3, "perHour": 50, "perDay": 200}}
    with on_the_line(ready, Reply(429, limits, {"retry-after": "40"})) as vendor:
        ready.dispatch("zeliq")
        assert ready.dispatch("zeliq") == 0
        assert 0 < ready.parts.lanes["zeliq"].pacer.ready_in() <= 40
    assert len(vendor.calls) == 1
    assert ready.state("501") == "queued"
    assert ready.credits() == NOTHING
    ready.reopen()
    told = ready.run(ready.ledger.read(connections.windows, "zeliq"))
    assert told[0] == Window(60.0, 3)
    assert len(ready.run(ready.ledger.read(submissions.calls_since, "zeliq", ready.clock.now() - 60))) == 1


def test_f10_one_bad_contact_in_a_bulk(build: Build) -> None:
    """I4: the bulk is halved until the culprit stands alone; everybody else is asked, in new calls."""

    class Picky(FakeProvider):
        async def submit(self, submission: Submission) -> Receipt:
            if any(one.identity.first_name == "Bad" for one in submission.requests):
                self.refusals.append(Split("one of them") if len(submission.requests) > 1 else Skip("this one"))
            return await super().submit(submission)

    provider = Picky("ann", capabilities=replace(ONE_BY_ONE, batch=4))
    harness = build(providers=[provider], fields={EMAIL: ["ann"]})
    good = [harness.person(name) for name in ("Ada", "Bo", "Cy")]
    bad = harness.person("Bad")
    harness.ask()
    harness.verify()
    assert [harness.state(one) for one in good] == ["sent"] * 3
    assert harness.job(bad) == ("done", "rejected_input")
    assert harness.credits()["reserved"] == 3


@pytest.mark.parametrize(("status", "trouble"), [(401, "credentials"), (403, "credentials"), (423, "blocked")])
def test_f11_a_revoked_key(ready: Harness, status: int, trouble: str) -> None:
    """I9: the circuit opens at the first refusal; jobs wait unpaid; callbacks are taken all the same."""
    ready.person("Bo")
    ready.pull()
    ready.plan()
    address = ready.parts.addresses.mint("zeliq", "earlier", expires=ready.clock.now() + 86_400)

    async def callback() -> int:
        async with opened(ready.parts) as client:
            return (await client.post(address, b'{"credit_used": 0}')).status

    with on_the_line(ready, Reply(status, {"message": "no"}), Reply(status, {"message": "no"})) as vendor:
        ready.dispatch("zeliq")
        ready.clock.time += 3600
        ready.dispatch("zeliq")
        assert ready.run(callback()) == 200
    assert 1 <= len(vendor.calls) <= 2, "those that were under way together"
    assert ready.run(ready.ledger.read(connections.trouble, "zeliq")) == trouble
    assert {ready.state("501"), ready.state("502")} == {"queued"}
    assert ready.credits() == NOTHING


def test_f12_credits_end_in_the_middle(build: Build) -> None:
    """I8: what was processed counts; what was not is queued unpaid, and nothing is sent without credits."""
    harness = build(providers=[FakeProvider("ann", capabilities=replace(ONE_BY_ONE, batch=2))], fields={EMAIL: ["ann"]})
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.ask()
    [bulk] = harness.fake.submitted
    first, second = bulk.requests
    words = [
        {"id": first.id, "field": EMAIL, "outcome": Outcome.NOT_FOUND},
        {"id": second.id, "field": EMAIL, "outcome": Outcome.NO_CREDITS},
    ]
    harness.call_back(bulk, said(words, charged=Decimal(0)))
    assert (harness.state(ada), harness.state(bo)) == ("answered", "queued")
    assert harness.dispatch() == 0
    assert harness.run(harness.ledger.read(connections.trouble, "ann")) is Trouble.CREDITS


@pytest.mark.parametrize("body", [b"", b"{", b'{"accepted": true}', b"[]", b"\xff\xfe"])
def test_f13_accepted_without_an_id(ready: Harness, body: bytes) -> None:
    """I2: what is not the vendor's answer is in doubt; our own address is enough to match the answer to the call."""
    with on_the_line(ready, Reply(200, body)) as vendor:
        ready.dispatch("zeliq")
        assert ready.dispatch("zeliq") == 0
        assert ready.state("501") == "in_doubt"
        address = vendor.calls[0].json["callbackUrl"]

        async def answer() -> int:
            async with opened(ready.parts) as client:
                return (await client.post(address, b'{"contact": null, "credit_used": 0}')).status

        assert ready.run(answer()) == 200
        ready.inbox()
    assert ready.state("501") == "answered"


def test_f13_accepted_with_the_result(ready: Harness) -> None:
    """I2: an acceptance that already holds the result is both."""
    with on_the_line(ready, Reply(200, FOUND)):
        ready.dispatch("zeliq")
        ready.inbox()
    assert ready.state("501") == "answered"
    assert ready.credits() == {"reserved": 0, "charged": 1, "in_doubt": 0}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_f14_a_redirect(ready: Harness, status: int) -> None:
    """I2: never followed; who has answered may have passed the call on."""
    with scripted(default=Reply(200, FOUND)) as elsewhere:
        with on_the_line(ready, Reply(status, b"", {"location": elsewhere.url})):
            ready.dispatch("zeliq")
        assert elsewhere.calls == []
    assert ready.state("501") == "in_doubt"
    assert ready.credits() == {"reserved": 2, "charged": 0, "in_doubt": 2}


class NoCanary(Canary):
    """Finds the way open without trying it."""

    async def run_once(self, parts: Parts) -> int:
        return int(not parts.gate.set("callbacks", ""))


def test_f15_sigterm_while_it_is_sent(build: Build) -> None:
    """I2: a call under way is finished and its outcome stored; no other one is begun."""

    class Slow(FakeProvider):
        async def submit(self, submission: Submission) -> Receipt:
            daemon.stop()
            harness.person("Bo")
            await asyncio.sleep(0.2)
            return await super().submit(submission)

    harness = build(providers=[Slow("ann", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann"]})
    ada = harness.person("Ada")

    async def run() -> Daemon:
        return Daemon(harness.parts, NoCanary())

    daemon = harness.run(run())
    harness.run(daemon.run())
    assert harness.state(ada) == "sent"
    assert harness.submissions() == ["accepted"]
    assert len(harness.fake.submitted) == 1


def test_f16_somebody_else_spends_our_balance(build: Build) -> None:
    """I8: our own budget counts what we reserved, whatever the balance says; a 402 halts and costs nothing."""
    harness = build(
        providers=[FakeProvider("zeliq", capabilities=ONE_BY_ONE)],
        fields={EMAIL: ["zeliq"]},
        budget=Budget(credits_per_day=Decimal(2)),
    )
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    harness.ask()
    assert len(harness.fake.submitted) == 2
    assert harness.credits()["reserved"] == 2
    harness.clock.time += 86_400
    with on_the_line(harness, Reply(402, {"message": "no credits"})):
        harness.dispatch("zeliq")
    assert harness.run(harness.ledger.read(connections.trouble, "zeliq")) is Trouble.CREDITS
    assert harness.credits()["reserved"] == 2
