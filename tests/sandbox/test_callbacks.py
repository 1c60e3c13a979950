"""Callbacks over real sockets: the vendors' retry schedules, and everything that goes wrong on the way."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import pairwise
from typing import Any

import httpx
import pytest

from syncd.sandbox.background import Background
from syncd.sandbox.callbacks import guess_token
from syncd.sandbox.fullenrich import KEY as FULLENRICH_KEY
from syncd.sandbox.fullenrich import FullEnrich, sign
from syncd.sandbox.world import Find
from syncd.sandbox.zeliq import Zeliq
from tests.sandbox.bench import FAST, Bench, run_fullenrich, run_zeliq

MAIL = (Find("anna.abel@acme.example", "valid"),)
TOKEN = "5fZ0rT9wQx2mK7vB"


async def ask(bench: Bench[Zeliq], number: int = 0, path: str = f"/cb/{TOKEN}") -> httpx.Response:
    body = {"linkedin_url": bench.person(number, email=MAIL).linkedin_url, "callbackUrl": f"{bench.receiver.url}{path}"}
    answer = await bench.http.post("/api/contact/enrich/email", json=body)
    assert answer.status_code == 202
    return answer


async def start(bench: Bench[FullEnrich], count: int = 1, **more: Any) -> httpx.Response:
    people = [bench.person(number, email=MAIL) for number in range(count)]
    contacts = [
        {"linkedin_url": one.linkedin_url, "enrich_fields": ["contact.work_emails"], "custom": {"id": one.key}}
        for one in people
    ]
    body = {"name": "bulk", "webhook_url": f"{bench.receiver.url}/end", "data": contacts, **more}
    answer = await bench.http.post("/api/v2/contact/enrich/bulk", json=body)
    assert answer.status_code == 200
    return answer


# ---- retries


def test_zeliq_retries_eight_times_doubling_from_30_seconds() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.receiver.statuses = [500, 404, 302, 429, 503, 400, 401, 500, 500, 500]
        await ask(bench)
        await bench.settled()
        assert len(bench.receiver.posts) == 9
        assert len({post.body for post in bench.receiver.posts}) == 1
        tries = bench.vendor.courier.deliveries
        assert [one.attempt for one in tries] == list(range(9))
        gaps = [after.at - before.at for before, after in pairwise(tries)]
        assert all(gap >= 30 * 2**number for number, gap in enumerate(gaps))
        assert [letter.job for letter in bench.vendor.courier.given_up] == list(bench.vendor.jobs)
        assert bench.vendor.billed == 1  # paid for all the same

    run_zeliq(scenario, speed=60_000.0)


def test_no_retry_comes_earlier_or_later_than_scheduled() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.receiver.statuses = [500] * 3
        await ask(bench)
        bench.clock.skip(300)
        for number, pause in enumerate((30, 60, 120), start=1):
            await bench.receiver.wait(number)
            while len(bench.vendor.courier.deliveries) < number:
                await asyncio.sleep(0)  # the answer is on its way back
            bench.clock.skip(pause)
        await bench.settled()
        first, *_, last = bench.vendor.courier.deliveries
        assert last.status == 200
        assert 210 <= last.at - first.at < 240

    run_zeliq(scenario, speed=1.0)


@pytest.mark.parametrize(("refusals", "posts", "given_up"), [(2, 3, 0), (9, 6, 1)])
def test_fullenrich_retries_every_minute_up_to_five_times(refusals: int, posts: int, given_up: int) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.receiver.statuses = [503] * refusals
        await start(bench)
        await bench.settled()
        assert (len(bench.receiver.posts), len(bench.vendor.courier.given_up)) == (posts, given_up)
        gaps = [after.at - before.at for before, after in pairwise(bench.vendor.courier.deliveries)]
        assert all(gap >= 60 for gap in gaps)

    run_fullenrich(scenario)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/gone", "http://127.0.0.1:99999/", "http://xn--/", "http://"])
def test_a_receiver_that_is_not_there_is_retried(url: str) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        await start(bench, webhook_url=url)
        await bench.settled()
        assert [one.status for one in bench.vendor.courier.deliveries] == [None] * 6

    run_fullenrich(scenario, speed=60_000.0)


# ---- faults


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ("never", 0),
        ("duplicate", 2),
        ("duplicate:1:4", 5),
        ("repeat", 2),
        ("unheard", 2),
        ("unheard:1:3", 4),
        ("late", 1),
    ],
)
def test_how_often_a_callback_arrives(fault: str, posts: int) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.add(f"zeliq_callback_{fault}")
        await ask(bench)
        await bench.settled()
        assert len(bench.receiver.posts) == posts
        assert bench.vendor.billed == 1
        if fault == "late":
            start = bench.vendor.bills[0].at
            assert bench.vendor.courier.deliveries[0].at - start >= 14_400

    run_zeliq(scenario, speed=60_000.0)


def test_a_reordered_callback_is_overtaken() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on("zeliq_callback_reorder")
        await ask(bench, 0, "/first")
        while not bench.faults.taken["zeliq_callback_reorder"]:
            await asyncio.sleep(0)
        bench.faults.on("zeliq_early")
        await ask(bench, 1, "/second")
        await bench.settled()
        assert [post.path for post in bench.receiver.posts] == ["/second", "/first"]

    run_zeliq(scenario, speed=100.0)


@pytest.mark.parametrize("kind", ["malformed", "garbage", "array", "deep", "huge"])
def test_a_damaged_body_is_refused_and_comes_again_whole(kind: str) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on(f"zeliq_callback_{kind}", param=2)
        bench.receiver.statuses = [400, 413]
        await ask(bench)
        await bench.settled()
        first, second, third = bench.receiver.posts
        assert first.body == second.body != third.body
        assert third.json()["contact"]["most_probable_email"] == MAIL[0].value
        if kind == "huge":
            assert len(first.body) > 5_000_000
            assert first.json()["contact"] == third.json()["contact"]
        elif kind == "deep":
            with pytest.raises(RecursionError):
                json.loads(first.body)
        elif kind != "array":
            with pytest.raises(ValueError, match=r"."):
                json.loads(first.body)

    run_zeliq(scenario)


def test_a_wrong_content_type() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on("zeliq_callback_form")
        await ask(bench)
        await bench.settled()
        (post,) = bench.receiver.posts
        assert post.headers["content-type"] == "application/x-www-form-urlencoded"
        assert post.json()

    run_zeliq(scenario)


def test_a_forged_zeliq_callback_has_a_guessed_token() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on("zeliq_callback_forged")
        bench.receiver.statuses = [404]
        await ask(bench)
        await bench.settled()
        forged, real = bench.receiver.posts
        assert forged.path.startswith("/cb/")
        assert forged.path != real.path == f"/cb/{TOKEN}"
        assert len(forged.path) == len(real.path)
        assert forged.json()["contact"]["most_probable_email"] == "forged@forgery.test"
        assert [one.forged for one in bench.vendor.courier.deliveries] == [True, False]

    run_zeliq(scenario)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://x.example/cb/abcdefgh1234", "https://x.example/cb/"),
        ("https://x.example/cb?a=1&token=abcdefgh1234", "https://x.example/cb?a=1&token="),
    ],
)
def test_the_token_is_the_longest_part_of_the_url(url: str, kept: str) -> None:
    guess = guess_token(url, random.Random(1))
    assert guess.startswith(kept)
    assert guess != url
    assert len(guess) == len(url)


def test_a_forged_fullenrich_webhook_has_a_bad_signature() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_webhook_forged")
        bench.receiver.statuses = [401]
        await start(bench)
        await bench.settled()
        forged, real = bench.receiver.posts
        assert b"forgery.test" in forged.body
        assert forged.headers["x-signature-sha1"] != sign(forged.body, FULLENRICH_KEY)
        assert real.headers["x-signature-sha1"] == sign(real.body, FULLENRICH_KEY)

    run_fullenrich(scenario)


def test_malformed_webhooks_are_signed_as_sent() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_webhook_malformed")
        await start(bench)
        await bench.settled()
        (post,) = bench.receiver.posts
        assert post.headers["x-signature-sha1"] == sign(post.body, FULLENRICH_KEY)
        with pytest.raises(ValueError, match=r"."):
            post.json()

    run_fullenrich(scenario)


def test_faults_of_one_channel_leave_the_other_alone() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_contact_webhook_never", None)
        await start(bench, 3, webhook_events={"contact_finished": f"{bench.receiver.url}/each"})
        await bench.settled()
        assert [post.path for post in bench.receiver.posts] == ["/end"]

    run_fullenrich(scenario)


# ---- closing


def test_closing_leaves_jobs_and_callbacks_undone() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        await ask(bench)
        bench.receiver.statuses = [500]
        bench.faults.on("zeliq_early")
        await ask(bench, 1)
        assert bench.vendor.busy == 2
        await bench.vendor.aclose()
        assert (bench.vendor.busy, len(bench.receiver.posts)) == (0, 1)

    run_zeliq(scenario, speed=1.0)


def test_a_mistake_in_the_background_is_raised_at_the_end() -> None:
    async def mistake() -> None:
        raise LookupError("on purpose")

    async def scenario() -> None:
        background = Background()
        background.start(mistake())
        await background.settled()
        with pytest.raises(ExceptionGroup) as caught:
            await background.aclose()
        assert caught.group_contains(LookupError)

    asyncio.run(scenario())


# ---- many


def test_many_callbacks_share_eight_connections() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        people = [bench.person(number % 40, email=MAIL) for number in range(400)]
        for person in people:
            body = {"linkedin_url": person.linkedin_url, "callbackUrl": f"{bench.receiver.url}/cb"}
            assert (await bench.http.post("/api/contact/enrich/email", json=body)).status_code == 202
        await bench.settled()
        assert len(bench.receiver.posts) == 400
        assert {one.attempt for one in bench.vendor.courier.deliveries} == {0}
        assert bench.receiver.most_at_once <= 8

    run_zeliq(scenario, speed=FAST * 10)
