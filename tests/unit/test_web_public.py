"""The public listener on real sockets: what is genuine is on disk before it is thanked for; nothing else gets in."""

import asyncio
import gzip
import random
from contextlib import suppress
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncd.contract.model import ContactRef, Submission
from syncd.contract.reading import decode
from syncd.ledger import canaries
from syncd.ledger import inbox as mailbox
from syncd.ledger.arrivals import unpacked
from syncd.pipeline.address import CANARY, Addresses
from syncd.pipeline.canary import Canary
from syncd.web.public import READING_LIMIT
from tests.contract.fake_provider import SIGNATURE, FakeProvider, sign

from .audit import BODIES
from .callers import Line, Reply, at_the_door, changed, read_reply, target
from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, SECRET, Harness

LIMIT = 2000
SIGNED = replace(ONE_BY_ONE, body_limit=LIMIT)


@pytest.fixture
def asked(build: Build) -> Harness:
    """Contact 501 is asked about at ann; bob is another provider."""
    harness = build(providers=[FakeProvider("ann", capabilities=SIGNED), FakeProvider("bob")], fields={EMAIL: ["ann"]})
    harness.finds(harness.person(), EMAIL, "ada@acme.example.com")
    harness.ask()
    return harness


@pytest.fixture
def sent(asked: Harness) -> Submission:
    return asked.fake.submitted[0]


def ledger(harness: Harness) -> list[object]:
    return [harness.sql(f"SELECT * FROM {table}") for table in ("delivery", "submission", "job", "event", "result")]


def post(harness: Harness, where: str, body: bytes = b"{}", **headers: str) -> Reply:
    given = {SIGNATURE: sign(body), **headers}
    return at_the_door(harness, lambda line: line.call("POST", where, body, **given))


def kept(harness: Harness) -> list[bytes]:
    return [unpacked(*row) for row in harness.sql(BODIES)]


# --- what is genuine --------------------------------------------------------------------------


def test_a_callback_is_kept_and_thanked_for_and_applied_later(asked: Harness, sent: Submission) -> None:
    body = asked.fake.body(sent)
    reply = at_the_door(asked, lambda line: line.call_back(sent, body))
    assert (reply.status, reply.body) == (200, b'{"status":"ok"}')
    assert asked.sql("SELECT state, source, submission_id FROM delivery") == [("received", "callback", sent.id)]
    assert kept(asked) == [body]
    assert asked.state("501") == "sent", "understanding comes later"
    asked.finish()
    assert asked.held("501") == "ada@acme.example.com"
    assert asked.parts.tallies == {"callbacks_received": 1}


def test_duplicates_are_all_thanked_for_and_applied_once(asked: Harness, sent: Submission) -> None:
    body = asked.fake.body(sent)

    async def nine_at_once(line: Line) -> list[int]:
        replies = await asyncio.gather(*(line.call_back(sent, body) for _ in range(9)))
        return [reply.status for reply in replies]

    assert at_the_door(asked, nine_at_once) == [200] * 9
    assert asked.sql("SELECT repeats FROM delivery") == [(8,)]
    assert asked.inbox() == 1
    assert asked.parts.tallies == {"callbacks_received": 1, "callbacks_repeated": 8}


def test_it_rings_for_the_inbox_once_there_is_something_new(asked: Harness, sent: Submission) -> None:
    bell = asked.parts.bells.bells["inbox"] = asyncio.Event()
    body = asked.fake.body(sent)
    at_the_door(asked, lambda line: line.call_back(sent, body))
    assert bell.is_set()
    bell.clear()
    at_the_door(asked, lambda line: line.call_back(sent, body))
    assert not bell.is_set()


def test_an_older_secret_still_opens_and_a_forgotten_one_does_not(asked: Harness, sent: Submission) -> None:
    """Rotation: a new secret signs, the old one verifies what is still out."""
    for secrets, status in (["a new secret, and a long one " * 2, SECRET], 200), (["a new secret " * 4], 404):
        asked.parts = replace(asked.parts, addresses=Addresses("https://enrich.example.com", secrets))
        assert post(asked, target(sent), asked.fake.body(sent)).status == status


# --- forged addresses -------------------------------------------------------------------------


def forgeries(sent: Submission) -> dict[str, str]:
    mac = dict(p.split("=") for p in target(sent).partition("?")[2].split("&"))["m"]
    return {
        "no query": "/callbacks/ann",
        "another MAC": changed(sent, m="0" * 32),
        "a truncated MAC": changed(sent, m=mac[:-1]),
        "an extended MAC": changed(sent, m=mac + "0"),
        "an upper-case MAC": changed(sent, m=mac.upper()),
        "no MAC": changed(sent, m=None),
        "a blank MAC": changed(sent, m=""),
        "a MAC that is not ASCII": changed(sent, m="é" * 32),
        "a MAC with surrogates": changed(sent) + "&m=%ED%A0%80",
        "an unknown key": changed(sent, k="deadbeef"),
        "no key": changed(sent, k=None),
        "another contact": changed(sent, contactId="502"),
        "another CRM": changed(sent, crm="other"),
        "another field": changed(sent, field="phone"),
        "no contact": changed(sent, contactId=None),
        "another submission": changed(sent, a="0" * 32),
        "a later end": changed(sent, e="9999999999"),
        "an end that is no number": changed(sent, e="soon"),
        "the MAC twice": target(sent) + f"&m={mac}",
        "the contact twice": target(sent) + "&contactId=502",
        "another provider": changed(sent, "/callbacks/bob"),
        "no provider of ours": changed(sent, "/callbacks/zed"),
        "a canary of it": changed(sent, f"/callbacks/{CANARY}"),
        "a longer path": changed(sent, "/callbacks/ann/x"),
        "another path": changed(sent, "/callback/ann"),
    }


def test_a_forged_address_is_an_empty_404_and_leaves_nothing_but_a_count(asked: Harness, sent: Submission) -> None:
    before = ledger(asked)
    body = asked.fake.body(sent)

    async def try_all(line: Line) -> dict[str, tuple[int, bytes]]:
        replies = {}
        for name, where in forgeries(sent).items():
            reply = await line.call("POST", where, body, **{SIGNATURE: sign(body)})
            replies[name] = reply.status, reply.body
        return replies

    assert at_the_door(asked, try_all) == dict.fromkeys(forgeries(sent), (404, b""))
    assert ledger(asked) == before
    assert asked.parts.tallies == {"callbacks_forged": len(forgeries(sent)) - 2}, "a path that is none is no forgery"


def test_what_is_no_http_never_comes_in(asked: Harness, sent: Submission) -> None:
    raw = changed(sent).replace("&m=", "&m=\xff\xfe")
    assert post(asked, raw).status == 400
    assert asked.sql("SELECT * FROM delivery") == []


def test_an_address_ends(asked: Harness, sent: Submission) -> None:
    asked.clock.time += 60 * DAY - 1
    assert post(asked, target(sent), asked.fake.body(sent)).status == 200
    asked.clock.time += 2
    assert post(asked, target(sent), b'{"another": 1}').status == 404


def test_a_forgery_is_refused_before_its_body_is_read(asked: Harness, sent: Submission) -> None:
    """Nothing is waited for: the body is announced and never sent."""
    where = changed(sent, m="0" * 32)

    async def announce(line: Line) -> Reply:
        return await line.say(f"POST {where} HTTP/1.1\r\nhost: x\r\ncontent-length: 999999\r\n\r\n".encode())

    assert at_the_door(asked, announce, body_deadline=3600).status == 404


def test_blank_parameters_that_were_not_signed_harm_nobody(asked: Harness) -> None:
    """Absent and blank have the same MAC."""
    address = asked.parts.addresses.mint("ann", "s", expires=asked.clock.now() + 60)
    where = address.removeprefix("https://enrich.example.com") + "&field=&crm=&object=&contactId="
    assert post(asked, where).status == 200
    query = parse_qsl(where.partition("?")[2], keep_blank_values=True)
    checked = asked.parts.addresses.check("ann", query, now=0.0)
    assert checked is not None
    assert (checked.ref, checked.field) == (None, None)


def test_an_address_says_whom_it_is_about(asked: Harness) -> None:
    for ref in (None, ContactRef(connection="crm", object="contacts", id="5&0=1 é")):
        url = asked.parts.addresses.mint("ann", "s", expires=9e9, ref=ref, field=EMAIL)
        checked = asked.parts.addresses.check("ann", parse_qsl(urlsplit(url).query), now=0.0)
        assert checked is not None
        assert (checked.submission_id, checked.ref, checked.field) == ("s", ref, EMAIL)


# --- bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (10 * LIMIT, 413)])
def test_the_size_is_capped_as_told_and_as_sent(asked: Harness, sent: Submission, size: int, status: int) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    assert post(asked, target(sent), body).status == status

    async def chunked(line: Line) -> Reply:
        head = f"POST {target(sent)} HTTP/1.1\r\nhost: x\r\n{SIGNATURE}: {sign(body)}\r\n"
        head += "transfer-encoding: chunked\r\n\r\n"
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:700], body[700:]))
        return await line.say(head.encode() + pieces + b"0\r\n\r\n")

    assert at_the_door(asked, chunked).status == status
    assert len(asked.sql("SELECT id FROM delivery")) == (status == 200)


def test_an_endless_body_is_cut_at_the_cap(asked: Harness, sent: Submission) -> None:
    async def pour(line: Line) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(f"POST {target(sent)} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()
        reply = await asyncio.wait_for(read_reply(reader), 30)
        writer.close()
        return reply

    assert at_the_door(asked, pour).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x-gzip"])
def test_n6_a_body_that_can_not_be_unpacked_is_kept_and_not_thanked_for(
    asked: Harness, sent: Submission, encoding: str
) -> None:
    assert post(asked, target(sent), b"{}", content_encoding=encoding).status == 415
    assert asked.sql("SELECT state, body FROM delivery") == [("quarantined", b"{}")]
    assert asked.inbox() == 0


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_n6_a_compressed_callback_is_unpacked_and_read(asked: Harness, sent: Submission, encoding: str) -> None:
    body = asked.fake.body(sent)
    packed = gzip.compress(body)
    reply = post(asked, target(sent), packed, content_encoding=encoding, **{SIGNATURE: sign(body)})
    assert (reply.status, asked.inbox()) == (200, 1)


def test_n6_a_compressed_callback_is_capped_as_any_other(asked: Harness, sent: Submission) -> None:
    packed = gzip.compress(b" " * 3000)
    assert len(packed) < 100
    assert post(asked, target(sent), packed, content_encoding="gzip").status == 413
    assert asked.sql("SELECT * FROM delivery") == []


@pytest.mark.parametrize("encoding", ["Identity", "identity", "IDENTITY"])
def test_n6_the_name_of_no_encoding_is_read_in_any_case(asked: Harness, sent: Submission, encoding: str) -> None:
    assert post(asked, target(sent), asked.fake.body(sent), content_encoding=encoding).status == 200
    assert asked.inbox() == 1


def test_n6_a_byte_order_mark_is_no_harm() -> None:
    assert decode(b"\xef\xbb\xbf{}") == {}


def test_n6_a_callback_with_a_byte_order_mark_is_taken(asked: Harness, sent: Submission) -> None:
    body = b"\xef\xbb\xbf" + asked.fake.body(sent)
    assert post(asked, target(sent), body).status == 200
    assert asked.sql("SELECT state FROM delivery") == [("received",)]


@pytest.mark.parametrize("path", ["/callbacks/ann/", "/callbacks/ann//", "/callbacks//ann", "/callbacks/", "/healthz/"])
def test_n7_nobody_is_sent_elsewhere(asked: Harness, sent: Submission, path: str) -> None:
    for method in ("GET", "POST"):
        reply = at_the_door(asked, partial(Line.call, method=method, target=changed(sent, path), body=b"{}"))
        assert (reply.status, "location" in reply.headers) == (404, False)


@pytest.mark.parametrize("where", ["one", "many", "address", "trailer"])
def test_n5_a_head_is_cut_at_its_limit(asked: Harness, sent: Submission, where: str) -> None:
    async def pour(line: Line) -> int:
        _, writer = await asyncio.open_connection("127.0.0.1", line.port)
        start = f"POST {target(sent)} HTTP/1.1\r\nhost: x\r\n".encode()
        if where == "address":
            start = b"GET /"
        elif where == "trailer":
            start += b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-end: "
        writer.write(start)
        sent_bytes = 0
        part = b"x: y\r\n" * 10_000 if where == "many" else b"y" * 60_000
        with suppress(OSError):
            for _ in range(1000):
                writer.write(part)
                await writer.drain()
                sent_bytes += len(part)
        writer.close()
        return sent_bytes

    assert at_the_door(asked, pour) < 20 << 20  # what the kernel takes before it hears that nobody listens
    assert asked.sql("SELECT * FROM delivery") == []


def test_n5_a_long_head_below_the_limit_is_read(asked: Harness, sent: Submission) -> None:
    assert post(asked, target(sent), asked.fake.body(sent), x_long="y" * 60_000).status == 200


def test_a_body_that_drips_is_given_up(asked: Harness, sent: Submission) -> None:
    async def drip(line: Line) -> Reply:
        return await line.say(f"POST {target(sent)} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc".encode())

    assert at_the_door(asked, drip, body_deadline=0.05).status == 408
    assert asked.sql("SELECT * FROM delivery") == []
    assert asked.parts.tallies == {"callbacks_too_slow": 1}


def test_a_client_that_hangs_up_leaves_nothing(asked: Harness, sent: Submission) -> None:
    async def hang_up(line: Line) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(f"POST {target(sent)} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc".encode())
        await writer.drain()
        writer.close()
        await reader.read()
        return (await line.call_back(sent, asked.fake.body(sent))).status

    assert at_the_door(asked, hang_up) == 200, "and the next one is served"
    assert len(asked.sql("SELECT * FROM delivery")) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a": 1}x', b"[" * 1500, b"<html>"])
def test_what_is_no_json_is_kept_and_not_thanked_for(asked: Harness, sent: Submission, body: bytes) -> None:
    assert post(asked, target(sent), body).status == 400
    assert asked.sql("SELECT state, note FROM delivery") == [("quarantined", "not JSON")]
    assert kept(asked) == [body]
    assert asked.inbox() == 0
    assert post(asked, target(sent), asked.fake.body(sent)).status == 200, "a good copy may still come"
    assert asked.inbox() == 1


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", None])
def test_a_wrong_signature_is_kept_and_not_believed(asked: Harness, sent: Submission, signature: str | None) -> None:
    body = asked.fake.body(sent)
    headers = {} if signature is None else {SIGNATURE: signature}
    reply = at_the_door(asked, lambda line: line.call("POST", target(sent), body, **headers))
    assert (reply.status, reply.body) == (401, b"")
    assert asked.sql("SELECT state FROM delivery") == [("quarantined",)]
    assert asked.inbox() == 0
    assert asked.state("501") == "sent"


def test_a_ledger_that_can_not_keep_it_asks_for_it_again(asked: Harness, sent: Submission) -> None:
    def no_room(tx) -> None:  # type: ignore[no-untyped-def]
        pages = tx._connection.execute("PRAGMA page_count").fetchone()[0]
        tx._connection.execute(f"PRAGMA max_page_count = {pages}")

    body = asked.fake.body(sent)
    big = b'{"pad": "' + random.Random(1).randbytes(LIMIT // 2 - 10).hex().encode() + b'"}'
    asked.run(asked.ledger.write(no_room))

    async def until_full(line: Line) -> Reply:
        for n in range(40):
            reply = await line.call_back(sent, big[:-3] + b'%02d"}' % n)
            if reply.status != 200:
                return reply
        raise AssertionError("it never filled up")

    reply = at_the_door(asked, until_full)
    assert (reply.status, reply.headers["retry-after"]) == (503, "30")
    stored = len(asked.sql("SELECT id FROM delivery"))

    def room(tx) -> None:  # type: ignore[no-untyped-def]
        tx._connection.execute("PRAGMA max_page_count = 1000000")

    asked.run(asked.ledger.write(room))
    assert at_the_door(asked, lambda line: line.call_back(sent, body)).status == 200
    assert len(asked.sql("SELECT id FROM delivery")) == stored + 1


# --- how much of it is kept -------------------------------------------------------------------


def test_n8_of_what_is_wrongly_signed_the_beginning_is_kept_with_its_size_and_digest(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=replace(ONE_BY_ONE, body_limit=16 << 20))])
    harness.finds(harness.person(), EMAIL, "ada@acme.example.com")
    harness.ask()
    body = b'"' + b"x" * (8 << 20) + b'"'
    bodies = [body[:-2] + b'%d"' % n for n in range(3)]
    for one in bodies:
        assert post(harness, target(harness.fake.submitted[0]), one, **{SIGNATURE: "0" * 64}).status == 401
    kept = harness.sql("SELECT state, size, length(body), typeof(digest), substr(body, 1, 3) FROM delivery")
    assert kept == [("quarantined", len(bodies[0]), 4096, "integer", b'"xx')] * 3
    assert harness.path.stat().st_size + harness.path.with_name("ledger.db-wal").stat().st_size < 2 << 20


def test_n8_what_is_kept_in_part_is_not_read_again_and_what_is_whole_is(asked: Harness, sent: Submission) -> None:
    long = b'"' + b"x" * 4096 + b'"'
    asked.parts.lanes["ann"].provider.capabilities = replace(SIGNED, body_limit=10_000)
    for body in (b"{}", long):
        assert post(asked, target(sent), body, **{SIGNATURE: "0" * 64}).status == 401
    asked.recover()
    assert asked.sql("SELECT length(body), state FROM delivery") == [(2, "received"), (4096, "quarantined")]


@pytest.mark.parametrize("signature", ["right", "wrong"])
def test_n8_a_call_keeps_so_many_different_answers_and_no_more(
    asked: Harness, sent: Submission, signature: str
) -> None:
    async def flood(line: Line) -> list[int]:
        replies = []
        for n in range(60):
            body = b'{"n": %d}' % n
            headers = {} if signature == "right" else {SIGNATURE: "0" * 64}
            replies.append((await line.call("POST", target(sent), body, **{SIGNATURE: sign(body), **headers})).status)
        return replies

    replies = at_the_door(asked, flood)
    usual, over = (200, 429) if signature == "right" else (401, 429)
    assert replies == [usual] * 21 + [over] * 39
    assert len(asked.sql("SELECT id FROM delivery")) == 21
    assert asked.parts.tallies["callbacks_not_kept"] == 39
    assert post(asked, target(sent), b'{"n": 0}').status == (200 if signature == "right" else 429), "what is there is"


def test_n8_300_different_bodies_to_a_settled_call_are_gone(asked: Harness, sent: Submission) -> None:
    body = asked.fake.body(sent)
    assert post(asked, target(sent), body).status == 200
    asked.finish()
    before = ledger(asked)[1:]

    async def flood(line: Line) -> list[int]:
        return [(await line.call_back(sent, b'{"n": %d}' % n)).status for n in range(300)]

    replies = at_the_door(asked, flood)
    assert replies == [200] * 20 + [410] * 280
    asked.inbox()
    assert len(asked.sql("SELECT id FROM delivery")) <= 21
    assert ledger(asked)[1:] == before
    assert post(asked, target(sent), body).status == 200, "and a repeat is thanked for"


def test_n8_the_inbox_reads_pages_by_bytes(asked: Harness, sent: Submission) -> None:
    for n in range(6):
        body = b'{"n": %d, "pad": "%s"}' % (n, b"x" * 1000)
        assert post(asked, target(sent), body).status == 200

    def pages(tx, most):  # type: ignore[no-untyped-def]
        return [len(one.delivery.body) for one in mailbox.received(tx, mailbox.waiting(tx, 100, most))]

    whole = asked.run(asked.ledger.read(pages, 1 << 20))
    assert len(whole) == 6
    assert asked.run(asked.ledger.read(pages, sum(whole[:3]))) == whole[:3]
    assert asked.run(asked.ledger.read(pages, 1)) == whole[:1], "one at least"


def test_n8_bodies_that_are_read_at_once_have_a_limit_together(asked: Harness, sent: Submission) -> None:
    asked.parts.lanes["ann"].provider.capabilities = replace(SIGNED, body_limit=READING_LIMIT)

    async def two(line: Line) -> tuple[int, int, int]:
        head = f"POST {target(sent)} HTTP/1.1\r\nhost: x\r\ncontent-length: {READING_LIMIT}\r\n\r\n".encode()
        _, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(head + b"x" * 1000)
        await writer.drain()
        await asyncio.sleep(0.2)
        second = await line.say(head)
        healthy = await line.call("GET", "/healthz")
        writer.close()
        await asyncio.sleep(0.2)
        return second.status, healthy.status, (await line.call_back(sent, b"{}")).status

    assert at_the_door(asked, two) == (503, 200, 200)


# --- the rest of the listener -----------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_only_posts_come_in(asked: Harness, sent: Submission, method: str) -> None:
    reply = at_the_door(asked, lambda line: line.call(method, target(sent)))
    assert (reply.status, reply.body) == (404, b"")


def test_the_public_listener_tells_nothing_about_itself(asked: Harness) -> None:
    async def look(line: Line) -> list[Reply]:
        return [await line.call("GET", path) for path in ("/healthz", "/", "/metrics", "/api/status", "/docs")]

    replies = at_the_door(asked, look)
    assert [r.status for r in replies] == [200, 404, 404, 404, 404]
    assert all(r.body == b"" and "server" not in r.headers for r in replies)


def test_only_a_genuine_canary_lands(asked: Harness) -> None:
    canary = Canary()
    genuine = asked.parts.addresses.mint(CANARY, "nonce", expires=asked.clock.now() + 60)
    where = genuine.removeprefix("https://enrich.example.com")
    forged = where.replace("nonce", "other")
    asked.run(asked.ledger.write(canaries.sent, "nonce", now=asked.clock.now()))
    asked.run(asked.ledger.write(canaries.sent, "other", now=asked.clock.now()))
    replies = at_the_door(asked, lambda line: _both(line, forged, where), canary=canary)
    assert replies == [404, 200]
    assert asked.sql("SELECT nonce FROM canary WHERE arrived") == [("nonce",)]


async def _both(line: Line, *where: str) -> list[int]:
    return [(await line.call("POST", one)).status for one in where]
