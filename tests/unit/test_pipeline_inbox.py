"""Inbox: answers before, beside and long after the call that they belong to."""

import asyncio
import json
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.contract.errors import Trouble
from syncd.contract.model import Answer, Delivery, EnrichmentResult, Outcome, Source, Submission
from syncd.ledger import arrivals, connections, ids, results
from syncd.ledger import inbox as mailbox
from syncd.ledger.store import Tx
from syncd.pipeline import inbox, verify
from tests.contract.fake_provider import CAPABILITIES, FakeProvider, said

from .conftest import Build
from .furnish import received
from .harness import EMAIL, ONE_BY_ONE, Harness
from .test_ledger_store import Held

VALUE = "ada@acme.example.com"


@pytest.fixture
def asked(build: Build) -> Harness:
    """Contact 501 is asked about at ann."""
    harness = build(fields={EMAIL: ["ann"]})
    harness.finds(harness.person(), EMAIL, VALUE)
    harness.ask()
    return harness


@pytest.fixture
def bulk(build: Build) -> Harness:
    """Contacts 501 to 503 are asked about in one call."""
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    return harness


def words(sent: Submission, *outcomes: str, final: bool = True, charged: int | None = None) -> bytes:
    """A body that says one thing of each request; "" for not a word."""
    results = []
    for request, outcome in zip(sent.requests, outcomes, strict=True):
        found = [{"value": f"{request.ref.id}@a.example.com", "grade": "valid"}] * (outcome == "found")
        results.append({"id": request.id, "field": "email", "outcome": outcome, "candidates": found})
    body = json.loads(said([r for r in results if r["outcome"]], final=final))
    return json.dumps({**body, "charged": None if charged is None else str(charged)}).encode()


class Eager(FakeProvider):
    """Calls back before the answer to the call itself is out; `said` is what arrives."""

    harness: Harness

    async def submit(self, submission: Submission):  # type: ignore[no-untyped-def]
        receipt = await super().submit(submission)
        await self.harness.ledger.write(arrivals.store, self.name, self.delivery(submission), now=0.0)
        await inbox.run_once(self.harness.parts)
        return receipt


class Newer(FakeProvider):
    """Reads what the older one could not."""

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        body = json.dumps(json.loads(delivery.body)["said"]).encode()
        return super().parse(replace(delivery, body=body), submission)


def test_a_callback_before_the_2xx_is_applied_and_the_2xx_adds_the_id(build: Build) -> None:
    fake = Eager("ann", capabilities=ONE_BY_ONE)
    harness = build(providers=[fake], fields={EMAIL: ["ann"]})
    fake.harness = harness
    ada = harness.person()
    harness.finds(ada, EMAIL, VALUE)
    harness.ask()
    assert (harness.state(ada), harness.submissions()) == ("answered", ["settled"])
    assert harness.sql("SELECT provider_id IS NOT NULL, charged_mc, reserved_mc FROM submission") == [(1, 1000, 0)]


def test_a_duplicate_is_applied_once(asked: Harness) -> None:
    sent = asked.fake.submitted[0]
    assert [asked.call_back(sent) for _ in range(3)] == [1, 0, 0]
    assert asked.sql("SELECT count(*), max(repeats) FROM delivery") == [(1, 2)]
    assert asked.sql("SELECT count(*) FROM result") == [(1,)]
    assert asked.credits()["charged"] == 1


def test_items_that_come_one_by_one_and_the_last_word_before_the_last_item(bulk: Harness) -> None:
    sent = bulk.fake.submitted[0]
    bulk.call_back(sent, words(sent, "found", "", "", final=False))
    assert [bulk.state(str(n)) for n in (501, 502, 503)] == ["answered", "sent", "sent"]
    bulk.call_back(sent, words(sent, "found", "found", "not_found", charged=2))
    assert [bulk.state(str(n)) for n in (501, 502, 503)] == ["answered"] * 3
    bulk.verify()
    bulk.call_back(sent, words(sent, "", "not_found", "", final=False))
    assert [bulk.state(str(n)) for n in (501, 502, 503)] == ["accepted", "accepted", "done"]
    assert bulk.credits() == {"reserved": 0, "charged": 2, "in_doubt": 0}
    assert bulk.submissions() == ["settled"]


def test_who_is_missing_from_the_last_word_is_missing_and_not_not_found(bulk: Harness) -> None:
    """A callback that leaves somebody out is not believed before the job was fetched, which happens at once."""
    sent = bulk.fake.submitted[0]
    left_out = words(sent, "found", "not_found", "", charged=1)
    bulk.call_back(sent, left_out)
    bulk.verify()
    assert (bulk.reason("502"), bulk.job("503"), bulk.submissions()) == ("not_found", ("sent", ""), ["accepted"])
    bulk.sweep()
    assert bulk.fake.polled == [sent.id]
    bulk.deliver(bulk.fake.delivery(sent, Source.POLL, body=left_out))
    bulk.inbox()
    bulk.verify()
    assert (bulk.reason("503"), bulk.submissions(), bulk.credits()["charged"]) == ("no_callback", ["settled"], 1)


def test_whom_a_callback_left_out_is_found_when_the_job_is_fetched(bulk: Harness) -> None:
    sent = bulk.fake.submitted[0]
    bulk.finds("503", EMAIL, VALUE)
    bulk.call_back(sent, words(sent, "not_found", "not_found", "", charged=0))
    bulk.fake.finished.add(sent.id)
    bulk.sweep()
    bulk.finish()
    assert (bulk.job("503"), bulk.credits()) == (("done", "written"), {"reserved": 0, "charged": 1, "in_doubt": 0})


def test_where_nothing_can_be_polled_whoever_is_left_out_is_missing_at_once(build: Build) -> None:
    silent = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, poll_after=None))
    harness = build(providers=[silent], fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.ask()
    harness.call_back(silent.submitted[0], said([], charged=Decimal(0)))
    harness.verify()
    assert harness.job(ada) == ("done", "no_callback")


def test_late_after_the_deadline_is_still_good(asked: Harness) -> None:
    asked.clock.time += 30 * 86_400
    asked.sweep()
    asked.verify()
    assert (asked.job("501"), asked.submissions()) == (("done", "no_callback"), ["expired"])
    assert asked.credits()["reserved"] == 1
    asked.call_back(asked.fake.submitted[0])
    asked.finish()
    assert (asked.job("501"), asked.held("501")) == (("done", "written"), VALUE)
    assert asked.credits() == {"reserved": 0, "charged": 1, "in_doubt": 0}


def test_late_after_it_was_written_is_kept_as_a_second_opinion(asked: Harness) -> None:
    sent = asked.fake.submitted[0]
    asked.call_back(sent)
    asked.finish()
    candidates = [{"value": "x@y.test", "grade": "valid"}]
    other = said([{"id": sent.requests[0].id, "field": "email", "outcome": "found", "candidates": candidates}])
    asked.call_back(sent, other)
    asked.finish()
    assert (asked.job("501"), asked.held("501")) == (("done", "written"), VALUE)
    assert len(asked.sql("SELECT id FROM result")) == 2


def test_what_is_about_no_call_of_ours_is_kept_aside(asked: Harness) -> None:
    stranger = Delivery(submission_id="0" * 32, source=Source.CALLBACK, body=b"{}")
    asked.deliver(stranger)
    assert asked.inbox() == 0
    assert asked.sql("SELECT state, note FROM delivery") == [("quarantined", "this ledger knows no such call")]
    asked.deliver(asked.fake.delivery(asked.fake.submitted[0], body=b'{"x":1}'), "ann")
    assert asked.inbox() == 0
    assert asked.tally("deliveries_quarantined") == 2
    assert asked.state("501") == "sent", "what can't be read changes nothing"


def test_what_nobody_could_read_is_read_by_a_version_that_can(asked: Harness) -> None:
    """At each start it is looked at once more; that it still can't be read is told and counted once."""
    sent = asked.fake.submitted[0]
    asked.deliver(asked.fake.delivery(sent, body=b'{"version": 2, "said": %s}' % asked.fake.body(sent)))
    asked.inbox()
    for _ in range(2):
        asked.reopen()
        asked.recover()
        assert asked.inbox() == 0
    assert asked.sql("SELECT state, note FROM delivery") == [("quarantined", "not an answer of the fake provider's")]
    assert asked.tally("deliveries_quarantined") == 1
    asked.fakes["ann"] = Newer("ann", capabilities=ONE_BY_ONE)
    asked.reopen()
    asked.recover()
    asked.finish()
    assert (asked.job("501"), asked.held("501")) == (("done", "written"), VALUE)


def test_one_unreadable_answer_does_not_stop_the_others(bulk: Harness) -> None:
    sent = bulk.fake.submitted[0]
    bulk.deliver(bulk.fake.delivery(sent, body=b"garbled"))
    bulk.deliver(bulk.fake.delivery(sent))
    assert bulk.inbox() == 3
    assert bulk.sql("SELECT state FROM delivery ORDER BY id") == [("quarantined",), ("applied",)]


def test_credits_that_ran_out_in_the_middle_stop_the_provider_and_lose_nobody(bulk: Harness) -> None:
    sent = bulk.fake.submitted[0]
    bulk.call_back(sent, words(sent, "found", "no_credits", "no_credits", charged=1))
    assert [bulk.state(str(n)) for n in (501, 502, 503)] == ["answered", "queued", "queued"]
    assert bulk.run(bulk.ledger.read(connections.trouble, "ann")) is Trouble.CREDITS
    bulk.clock.time += 60
    assert bulk.dispatch() == 0, "not before there are credits again"
    bulk.probe()
    assert bulk.dispatch() == 1
    assert [r.ref.id for r in bulk.fake.submitted[1].requests] == ["502", "503"]
    assert bulk.credits()["charged"] == 1


def test_an_answer_proves_that_the_call_was_made(asked: Harness) -> None:
    """It was in doubt, and then an answer that only says: still running."""
    harness = asked
    sent = harness.fake.submitted[0]
    harness.call_back(sent, said([], final=False))
    assert (harness.state("501"), harness.submissions()) == ("sent", ["accepted"])
    harness.call_back(sent, said([{"id": "stranger", "field": "email", "outcome": "found"}], final=False))
    assert harness.tally("items_unmatched") == 1


def test_an_answer_that_comes_while_it_is_decided_on_is_not_lost(build: Build) -> None:
    """Verify has read `not found`; the find is stored before verify acts."""
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.ask()
    sent = harness.fake.submitted[0]
    harness.call_back(sent, words(sent, Outcome.NOT_FOUND, final=False))

    async def race() -> None:
        harness.finds(ada, EMAIL, VALUE)
        await harness.ledger.write(arrivals.store, "ann", harness.fake.delivery(sent), now=0.0)
        held = Held()
        first = asyncio.create_task(harness.ledger.write(held))
        await asyncio.to_thread(held.inside.wait, 30)
        got = (await harness.ledger.read(received, 1))[0]
        answer = harness.fake.parse(got.delivery, sent)
        applying = asyncio.create_task(
            harness.ledger.write(mailbox.apply, got, answer, poll_at=None, deadline=0.0, now=0.0)
        )
        await asyncio.sleep(0)
        deciding = asyncio.create_task(verify.run_once(harness.parts))
        for _ in range(20):
            await harness.ledger.read(received, 1)
        held.go.set()
        await asyncio.gather(first, applying, deciding)
        await inbox.run_once(harness.parts)

    harness.run(race())
    assert harness.state(ada) == "accepted"


def test_what_is_applied_takes_less_room_and_is_all_there(asked: Harness) -> None:
    (submission,) = asked.fake.accepted.values()
    body = asked.fake.body(submission) + b" " * 1000
    assert asked.call_back(submission, body) == 1
    ((kept, size, sample),) = asked.sql("SELECT body, size, text FROM delivery JOIN sample ON sample.id = sample_id")
    assert (len(kept) < size, arrivals.unpacked(kept, sample)) == (True, body)


@pytest.mark.parametrize("sample", [b"", b'{"email":"","status":"DELIVERABLE"}', b"x" * 9_000])
@pytest.mark.parametrize("length", [2, 99, 100, 4_096, 4_097, 200_000])
def test_what_is_packed_is_read_as_it_came(length: int, sample: bytes) -> None:
    body = (b'{"email":"ada@example.com","status":"DELIVERABLE"}' * length)[:length]
    smaller = arrivals.packed(body, sample)
    assert (smaller is None) == (length < arrivals.PACKED_FROM)
    assert arrivals.unpacked(body if smaller is None else smaller, None if smaller is None else sample) == body
    assert arrivals.packed(random.Random(length).randbytes(length), sample) is None, "nothing is gained"


def test_an_answer_packed_by_an_older_sample_is_read_beside_a_newer_one(asked: Harness) -> None:
    """Another version of a connector has another sample."""
    (submission,) = asked.fake.accepted.values()
    bodies = [asked.fake.body(submission) + b" " * n for n in (1_000, 1_001)]
    for n, body in enumerate(bodies):
        delivery = replace(asked.fake.delivery(submission), body=body)
        sample = b"%d" % n + asked.fake.body(submission)
        asked.run(asked.ledger.write(arrivals.store, "ann", delivery, now=1.0, sample=sample))
    assert asked.sql("SELECT count(*), count(DISTINCT sample_id) FROM delivery") == [(2, 2)]
    ids = asked.run(asked.ledger.read(mailbox.waiting, 9))
    assert [got.delivery.body for got in asked.run(asked.ledger.read(mailbox.received, ids))] == bodies


def test_what_two_fields_of_a_request_share_is_kept_once_and_read_in_full(build: Build) -> None:
    """Whom it was asked about, and that the answer repeats it."""
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)])
    harness.person()
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    harness.answer_all()
    assert harness.sql("SELECT count(*), sum(iif(asked <> '', 1, 0)) FROM attempt") == [(2, 1)]
    ((told,),) = harness.sql("SELECT DISTINCT asked FROM question")
    assert json.loads(told)["ln"] == "Test"
    ((said, same),) = harness.sql("SELECT DISTINCT said, told FROM answer")
    assert (json.loads(said), same) == ([json.loads(told)], told)
    assert harness.sql("SELECT DISTINCT said FROM result") == [("{}",)]


def test_an_answer_that_says_something_else_of_the_person_keeps_the_difference(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.person()
    harness.ask()
    ((asked, job, call, request),) = harness.sql("SELECT asked, job_id, submission_id, request_id FROM question")
    told = results.load_identity(asked)
    said = (replace(told, last_name=None, full_name="Ada Byron", emails=("ada@example.com",)),)
    harness.clock.time += 60

    def answered(tx: Tx) -> None:
        (row,) = tx.packed("attempts_of_requests", requests=json.dumps([[call, ids.own_part(call, request)]]))
        result = EnrichmentResult(request_id="", field=EMAIL, outcome=Outcome.FOUND, said=said)
        results.add_many(tx, [results.Said(results.Attempt.of(row), result)], now=harness.clock.now())

    harness.run(harness.ledger.write(answered))
    ((kept,),) = harness.sql("SELECT said FROM result WHERE job_id = ?", job)
    assert json.loads(kept) == {"ln": None, "n": "Ada Byron", "es": ["ada@example.com"]}
    ((read, asked_at, at),) = harness.sql("SELECT said, asked_at, at FROM answer WHERE job_id = ?", job)
    assert (results.load_said(read), at - asked_at) == (said, 60.0)
