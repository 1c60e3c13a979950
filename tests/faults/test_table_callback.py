"""The fault table, F17 to F31: the answer's way in, with the receiver on a real socket."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from connectors import fullenrich
from syncd.contract.model import Delivery, Outcome, Receipt, Source, Submission
from syncd.contract.pacing import Pacer
from syncd.contract.testing.server import Reply, Script, scripted
from syncd.ledger import arrivals
from syncd.ledger import inbox as mailbox
from syncd.ledger.store import Tx
from syncd.pipeline import inbox
from syncd.pipeline.parts import Lane
from tests.connectors.fullenrich_said import FOUND, JOB, KEY, envelope, item
from tests.contract.bench import bench
from tests.contract.fake_provider import FakeProvider, said
from tests.unit.harness import EMAIL, ONE_BY_ONE, Harness

from .client import DAY, Client, Said, asked_harness, opened, request, target, with_vendors
from .conftest import Build

T = TypeVar("T")
LATER = 3 * DAY
PROFILE = "https://www.linkedin.com/in/person0"  # of the contact that is asked about


def at_the_door(harness: Harness, *visits: Any) -> list[Any]:
    """Each visit is a function of the client; they happen one after the other."""

    async def main() -> list[Any]:
        async with opened(harness.parts) as client:
            return [await visit(client) for visit in visits]

    return harness.run(main())


def find(value: str = "ada@acme.example.com", credits_used: object = 1, **contact: object) -> bytes:
    """A callback of Zeliq's with an e-mail in it, which says by the profile whom it is about."""
    found = {"most_probable_email": value, "most_probable_email_status": "valid"}
    told = {**found, "linkedin_url": PROFILE, **contact}
    return json.dumps({"credit_used": credits_used, "contact": told}).encode()


def deliveries(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.sql("SELECT state, repeats FROM delivery ORDER BY id")


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Harness]:
    """One e-mail was asked for at Zeliq, whose own connector reads the answers."""
    harness, _ = asked_harness(tmp_path, 1)
    with harness:
        harness.parts = with_vendors(harness.parts)
        yield harness


@pytest.fixture
def bulk(build: Build) -> Harness:
    """Two people in one call."""
    harness = build(providers=[FakeProvider("ann", capabilities=replace(ONE_BY_ONE, batch=2))], fields={EMAIL: ["ann"]})
    harness.person("Ada")
    harness.person("Bo")
    harness.ask()
    return harness


def address(harness: Harness) -> str:
    return harness.fake.submitted[0].callback_url


def test_f17_the_callback_is_quicker_than_the_answer(build: Build) -> None:
    """I1, I6: the address works from the intent on; the late acceptance adds the id and lowers nothing."""

    class Quick(FakeProvider):
        async def submit(self, submission: Submission) -> Receipt:
            receipt = await super().submit(submission)
            await harness.ledger.write(arrivals.store, "ann", self.delivery(submission), now=1.0)
            await inbox.run_once(harness.parts)
            return receipt

    harness = build(providers=[Quick("ann", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann"]})
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.ask()
    assert harness.state(ada) == "answered"
    assert harness.sql("SELECT state, provider_id IS NOT NULL FROM submission") == [("settled", 1)]


def test_f18_duplicates_at_once(asked: Harness) -> None:
    """I6: 200 each time, kept once, applied once."""
    url = address(asked)
    [answers] = at_the_door(asked, lambda client: asyncio.gather(*(client.post(url, find()) for _ in range(20))))
    assert {one.status for one in answers} == {200}
    assert deliveries(asked) == [("received", 19)]
    asked.finish()
    assert asked.held("501") == "ada@acme.example.com"
    assert asked.credits()["charged"] == 1


def test_f19_out_of_order(bulk: Harness) -> None:
    """I6: found beats not found beats pending, in any order; of two finds the first stands, both are kept."""
    bulk.fake.capabilities = replace(bulk.fake.capabilities, poll_after=None)  # the last word is believed at once
    [call] = bulk.fake.submitted
    ada, bo = call.requests

    def words(who: Any, *values: str, final: bool = False) -> bytes:
        outcome = Outcome.FOUND if values else Outcome.NOT_FOUND
        listed = [{"value": value, "grade": "valid"} for value in values]
        return said([{"id": who.id, "field": EMAIL, "outcome": outcome, "candidates": listed}], final=final)

    bulk.call_back(call, said([], final=True))
    assert {bulk.state("501"), bulk.state("502")} == {"answered"}
    bulk.call_back(call, words(ada, "ada@acme.example.com"))
    bulk.call_back(call, words(ada, "other@acme.example.com"))
    bulk.call_back(call, words(bo))
    bulk.call_back(call, said([], final=False))
    bulk.finish()
    assert bulk.held("501") == "ada@acme.example.com"
    assert bulk.job("502") == ("done", "no_callback")
    bulk.call_back(call, words(bo, "bo@acme.example.com"))
    bulk.finish()
    assert bulk.held("502") == "bo@acme.example.com"
    assert bulk.sql("SELECT count(*) FROM result WHERE outcome = 'found'") == [(3,)]


def test_f20_late(asked: Harness) -> None:
    """I1: days after it was given up it is still taken, for it was paid for; after `written` it changes nothing."""
    asked.clock.time += LATER
    asked.sweep()
    asked.verify()
    assert asked.job("501") == ("done", "no_callback")
    at_the_door(asked, lambda client: client.post(address(asked), find()))
    asked.finish()
    assert asked.job("501") == ("done", "written")
    at_the_door(asked, lambda client: client.post(address(asked), find("other@acme.example.com")))
    asked.finish()
    assert asked.held("501") == "ada@acme.example.com"


def test_f21_lost_where_nothing_can_be_polled(asked: Harness) -> None:
    """I4: ends as `no_callback`; the worst case stays counted as spent."""
    asked.clock.time += LATER
    asked.sweep()
    asked.verify()
    assert asked.job("501") == ("done", "no_callback")
    assert asked.credits() == {"reserved": 1, "charged": 0, "in_doubt": 0}


@contextmanager
def polled(harness: Harness, *replies: Reply, **options: Any) -> Iterator[Script]:
    """FullEnrich's connector behind the harness, at a vendor that follows a script."""
    with scripted(*replies) as script:
        settings = fullenrich.Options(api_key=SecretStr(KEY), **options)
        connector = fullenrich.Connector("fullenrich", settings, script.url, bench(harness.clock))
        lane = Lane(provider=connector, pacer=Pacer((), harness.clock))
        harness.parts = replace(harness.parts, lanes={"fullenrich": lane})
        try:
            yield script
        finally:
            harness.run(connector.aclose())


@pytest.fixture
def fullenriched(tmp_path: Path) -> Iterator[Harness]:
    harness, _ = asked_harness(tmp_path, 1, "fullenrich")
    with harness:
        yield harness


@pytest.mark.parametrize("status", [200, 402])
def test_f22_lost_where_it_can_be_polled(fullenriched: Harness, status: int) -> None:
    """I1, I4: asked for after a start, again while it runs, and taken even with a 402: that is a result."""
    attempt = fullenriched.fake.submitted[0].requests[0].id
    running = Reply(400, {"code": "error.enrichment.in_progress", "message": "not yet"})
    body = envelope(
        item(attempt, FOUND, linkedin_url=PROFILE), status="FINISHED" if status == 200 else "CREDITS_INSUFFICIENT"
    )
    with polled(fullenriched, running, Reply(status, body)) as vendor:
        fullenriched.recover()
        fullenriched.sweep()
        fullenriched.clock.time += 400
        fullenriched.sweep()
        fullenriched.finish()
    assert next(call.path.rpartition("/")[2] for call in vendor.calls).startswith("job-")
    assert len(vendor.calls) == 2
    assert fullenriched.held("501") == "ada@acme.example.com"


def test_f23_crash_between_the_disk_and_the_200(asked: Harness) -> None:
    """I1: the row is there; the vendor's repeat, or none at all, does no harm."""
    asked.deliver(Delivery(submission_id=asked.fake.submitted[0].id, source=Source.CALLBACK, body=find()))
    asked.reopen()
    asked.parts = with_vendors(asked.parts)
    [again] = at_the_door(asked, lambda client: client.post(address(asked), find()))
    assert again.status == 200
    assert deliveries(asked) == [("received", 1)]
    asked.finish()
    assert asked.credits()["charged"] == 1


def test_f24_the_ledger_is_full(asked: Harness) -> None:
    """I1: 503 and a time to come back, nothing kept by half; taken as soon as there is room."""

    def pages(tx: Tx, spare: int) -> None:
        used = tx._connection.execute("PRAGMA page_count").fetchone()[0]
        tx._connection.execute(f"PRAGMA max_page_count = {used + spare}")

    asked.run(asked.ledger.write(pages, 0))
    big = find(linkedin_url=random.Random(24).randbytes(50_000).hex())
    [refused] = at_the_door(asked, lambda client: client.post(address(asked), big))
    assert refused.status == 503
    assert b"retry-after: " in refused.head
    assert deliveries(asked) == []
    asked.run(asked.ledger.write(pages, 1000))
    [taken] = at_the_door(asked, lambda client: client.post(address(asked), big))
    assert taken.status == 200
    assert deliveries(asked) == [("received", 0)]


def test_f25_truncated(asked: Harness) -> None:
    """I1, I5: 400, so that a good copy may come; the bad one is kept aside and used for nothing."""
    [bad, good] = at_the_door(
        asked,
        lambda client: client.post(address(asked), find()[:-9]),
        lambda client: client.post(address(asked), find()),
    )
    assert (bad.status, good.status) == (400, 200)
    assert deliveries(asked) == [("quarantined", 0), ("received", 0)]
    asked.finish()
    assert asked.job("501") == ("done", "written")


def test_f26_another_shape(asked: Harness) -> None:
    """I4, I5: odd types and new keys are read; what can't be read is kept aside, and the job goes on waiting."""
    strange, known = b'{"kontakt": {"mail": "ada@acme.example.com"}}', find(credits_used="1", new_key=[1, {"a": None}])
    at_the_door(asked, lambda client: client.post(address(asked), strange))
    asked.finish()
    assert asked.state("501") == "sent"
    asked.recover()  # it is looked at again after a start, and here nothing has changed
    asked.finish()
    assert asked.state("501") == "sent"
    assert deliveries(asked) == [("quarantined", 0)]
    at_the_door(asked, lambda client: client.post(address(asked), known))
    asked.finish()
    assert asked.job("501") == ("done", "written")
    assert asked.credits()["charged"] == 1


def test_f27_forged(asked: Harness) -> None:
    """I6: 404 before a byte of the body is read; counted, not stored."""
    url = address(asked)
    forged = [url[:-1] + ("0" if url[-1] != "0" else "1"), url.partition("?")[0], url.replace("zeliq", "fullenrich")]

    def without_body(one: str) -> Any:
        head = request(one, b"").replace(b"content-length: 0", b"content-length: 50000")
        return lambda client: client.raw(head, within=2.0)

    answers = at_the_door(asked, *(without_body(one) for one in forged))
    assert [one.status for one in answers] == [404] * 3
    assert deliveries(asked) == []
    assert asked.parts.tallies["callbacks_forged"] == 3


def test_f28_a_leaked_address_with_other_data(asked: Harness) -> None:
    """I5, I6: another person's data is not written; once the answer is in, the address is worth nothing."""
    forged = find("eve@evil.example.com", linkedin_url="https://www.linkedin.com/in/eve")
    at_the_door(asked, lambda client: client.post(address(asked), forged))
    asked.finish()
    assert asked.job("501") == ("sent", ""), "what repeats nothing of the question is set aside"
    at_the_door(asked, lambda client: client.post(address(asked), find()))
    asked.finish()
    at_the_door(asked, lambda client: client.post(address(asked), find("eve@evil.example.com")))
    asked.finish()
    assert asked.held("501") == "ada@acme.example.com"
    assert [state for state, _ in deliveries(asked)] == ["quarantined", "applied", "surplus"]


def test_f29_the_vendor_mixes_people_up(asked: Harness) -> None:
    """I5: an echo that contradicts what we asked is never written."""
    paul = asked.crm.records["501"]
    paul.identity = replace(paul.identity, first_name="Paul", last_name="Durand")
    asked.crm.edit("501", "work_phone", "1")
    asked.pull()
    who = {"first_name": "Maria", "last_name": "Garcia"}
    at_the_door(asked, lambda client: client.post(address(asked), find(**who)))
    asked.finish()
    assert asked.job("501") == ("done", "identity_mismatch")
    assert asked.held("501") == ""


def test_f29_the_vendor_says_another_profile_of_the_same_name(asked: Harness) -> None:
    """I5: it may be the same person: nothing is written, and nothing that was paid for is lost."""
    who = {"first_name": "Person0", "last_name": "Test", "linkedin_url": "https://www.linkedin.com/in/somebody-else"}
    at_the_door(asked, lambda client: client.post(address(asked), find(**who)))
    asked.finish()
    assert asked.state("501") == "review"
    assert asked.held("501") == ""


def test_f29_a_paid_find_that_names_nobody_we_asked_about_is_set_aside(asked: Harness) -> None:
    """I5: nobody signs it and it repeats nothing: kept, counted, not taken for an answer of any kind."""
    wrong = find(first_name="Ada", linkedin_url="https://www.linkedin.com/in/somebody-else")
    at_the_door(asked, lambda client: client.post(address(asked), wrong))
    asked.finish()
    assert asked.job("501") == ("sent", "")
    assert (deliveries(asked), asked.held("501")) == ([("quarantined", 0)], "")
    assert asked.tally("paid_answers_set_aside") == 1


def sign(body: bytes, key: str = KEY) -> dict[str, str]:
    return {"x-signature-sha1": hmac.new(key.encode(), body, hashlib.sha1).hexdigest()}


def test_f30_a_wrong_signature_on_the_right_address(fullenriched: Harness) -> None:
    """I5, I6: 401 and kept aside; the truth is fetched. While a key is rotated, both keys are right."""
    attempt = fullenriched.fake.submitted[0].requests[0].id
    url, body = address(fullenriched), json.dumps(envelope(item(attempt, FOUND))).encode()
    with polled(fullenriched, Reply(200, envelope(item(attempt, FOUND))), previous_api_key=SecretStr("older")):
        [wrong] = at_the_door(fullenriched, lambda client: client.post(url, body, sign(body, "guessed")))
        fullenriched.inbox()
        assert wrong.status == 401
        assert fullenriched.state("501") == "sent"
        fullenriched.clock.time += 400
        fullenriched.sweep()
        fullenriched.inbox()
        assert fullenriched.state("501") == "answered"
        rotated = json.dumps(envelope(item(attempt, FOUND), status="FINISHED", credits_used=2)).encode()
        [old_key] = at_the_door(fullenriched, lambda client: client.post(url, rotated, sign(rotated, "older")))
        assert old_key.status == 200
    assert JOB


def test_f30_signed_with_a_key_that_was_not_known_yet(fullenriched: Harness) -> None:
    """I1, I5: a start does not make a wrong signature right; the key that it was signed with does."""
    url = address(fullenriched)
    body = json.dumps(envelope(item(fullenriched.fake.submitted[0].requests[0].id, FOUND))).encode()
    with polled(fullenriched):
        at_the_door(fullenriched, lambda client: client.post(url, body, sign(body, "newer")))
    told = "SELECT state, note FROM delivery"
    for options, found in (
        ({}, ("quarantined", mailbox.UNSIGNED)),
        ({"previous_api_key": SecretStr("newer")}, ("applied", "")),
    ):
        fullenriched.reopen()
        with polled(fullenriched, **options):
            fullenriched.recover()
            fullenriched.inbox()
        assert fullenriched.sql(told) == [found]
    assert fullenriched.state("501") == "answered"


def test_f31_a_body_that_never_ends(asked: Harness) -> None:
    """I1: cut off at the provider's cap, announced or not; nothing is kept; the next callback is answered."""
    url, cap = address(asked), asked.parts.lanes["zeliq"].provider.capabilities.body_limit
    lie = request(url, b"").replace(b"content-length: 0", f"content-length: {cap + 1}".encode())
    chunked = f"POST {target(url)} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    piece = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"

    def bomb(client: Client) -> Coroutine[Any, Any, Said]:
        return client.raw(chunked, *[piece] * (cap // 0x8000 + 2), within=5.0)

    announced, endless, honest = at_the_door(
        asked, lambda client: client.raw(lie, within=5.0), bomb, lambda client: client.post(url, find())
    )
    assert announced.status == 413
    assert endless.status in {413, 0}
    assert honest.status == 200
    assert deliveries(asked) == [("received", 0)]
    assert asked.parts.tallies["callbacks_too_large"] == 2
