"""FullEnrich's connector: polls and signatures. Numbered tests are the cases that it must survive."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from pydantic import SecretStr

from connectors.fullenrich import Connector, Options
from syncd.contract.errors import Halt, RateLimited, Retry, Skip, Trouble
from syncd.contract.model import (
    Answer,
    Delivery,
    Outcome,
    Source,
    Submission,
)
from syncd.contract.testing.samples import delivery
from syncd.contract.testing.samples import submission as sub
from syncd.contract.testing.server import Call, Reply, scripted
from syncd.contract.testing.surroundings import tools, use

from .fullenrich_said import BLANK, FOUND, JOB, KEY, envelope, item, make

OLD_KEY = "fe-older-secret"


def error(code: str, status: int = 400, message: str = "no") -> Reply:
    return Reply(status, {"code": code, "message": message})


def poll(reply: Reply, provider_id: str | None = JOB) -> tuple[Delivery | None, list[Call]]:
    with scripted(reply) as script:
        got: Delivery | None = use(lambda: make(script.url), lambda c: c.poll(sub(provider_id=provider_id)))
    return got, script.calls


def parse(body: object, what: Submission | None = None, source: Source = Source.CALLBACK) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().parse(delivery(raw, source), what or sub())


def outcomes(answer: Answer) -> dict[str, Outcome]:
    return {f"{r.request_id} {r.field}": r.outcome for r in answer.results}


# --- polling ----------------------------------------------------------------------------------


def test_case_21_without_an_id_there_is_nothing_to_ask_with() -> None:
    assert poll(Reply(599), provider_id=None) == (None, [])


def test_poll_of_a_finished_job() -> None:
    body = envelope(item(info=FOUND))
    got, (call,) = poll(Reply(200, body))
    assert got is not None
    assert (got.submission_id, got.source, json.loads(got.body)) == ("batch-1", Source.POLL, body)
    assert (call.method, call.path, dict(call.query)) == ("GET", f"/api/v2/contact/enrich/bulk/{JOB}", {})
    assert make().authenticate(got)
    assert make().parse(got, sub()).final


def test_case_29_a_402_to_a_poll_is_a_result() -> None:
    body = envelope(item(info=FOUND), status="CREDITS_INSUFFICIENT")
    got, _ = poll(Reply(402, body))
    assert got is not None
    assert outcomes(make().parse(got, sub())) == {"attempt-1 email": Outcome.FOUND}


def test_case_29_a_402_that_is_an_error_halts() -> None:
    with pytest.raises(Halt) as caught:
        poll(error("error.credits", 402))
    assert caught.value.trouble is Trouble.CREDITS


@pytest.mark.parametrize(
    "reply",
    [
        error("error.enrichment.in_progress", 400, "Enrichment not ready, try again in 30 seconds"),
        Reply(200, {"status": "IN_PROGRESS", "cost": {"credits": 0}}),
        Reply(200, {"status": "CREATED"}),
    ],
)
def test_case_62_both_ways_to_say_running(reply: Reply) -> None:
    assert poll(reply)[0] is None


@pytest.mark.parametrize("status", ["RATE_LIMIT", "UNKNOWN", "FAKE_ENRICH", "", None, 7, []])
def test_case_64_statuses_that_are_no_end_keep_running(status: object) -> None:
    assert poll(Reply(200, envelope(item(info=BLANK), status=status)))[0] is None


@pytest.mark.parametrize("status", ["RATE_LIMIT", "UNKNOWN", "rate_limit"])
def test_a14_a_status_that_stays_for_an_hour_is_an_end(status: str) -> None:
    tools_ = tools()
    stays = Reply(200, envelope(item(info=BLANK), status=status, credits_used=0))

    async def act(connector: Connector) -> None:
        assert await connector.poll(sub(provider_id=JOB)) is None
        await tools_.clock.sleep(3_500)
        assert await connector.poll(sub(provider_id=JOB)) is None
        assert await connector.poll(sub(provider_id="another")) is None
        await tools_.clock.sleep(100)
        got = await connector.poll(sub(provider_id=JOB))
        assert got is not None
        assert outcomes(connector.parse(got, sub())) == {"attempt-1 email": Outcome.FAILED}
        assert await connector.poll(sub(provider_id="another")) is None

    with scripted(default=stays) as script:
        use(lambda: Connector("f", Options(api_key=SecretStr(KEY)), script.url, tools_), act)


@pytest.mark.parametrize(
    "running",
    [Reply(200, {"status": "IN_PROGRESS"}), error("error.enrichment.in_progress"), Reply(200, {"status": "X"})],
)
def test_a14_a_job_that_went_on_meanwhile_has_not_stayed(running: Reply) -> None:
    tools_ = tools()
    limited = Reply(200, envelope(status="RATE_LIMIT"))

    async def act(connector: Connector) -> None:
        for _ in range(3):
            assert await connector.poll(sub(provider_id=JOB)) is None
            await tools_.clock.sleep(3_000)

    with scripted(limited, running, limited) as script:
        use(lambda: Connector("f", Options(api_key=SecretStr(KEY)), script.url, tools_), act)


def test_case_64_canceled_is_an_end() -> None:
    assert poll(Reply(200, envelope(status="CANCELED")))[0] is not None


def test_case_65_lost_job_is_given_up_but_a_wrong_address_is_not() -> None:
    with pytest.raises(Skip):
        poll(error("error.enrichment.not_found", 404))
    with pytest.raises(Halt):
        poll(Reply(404, b"<html>", {"content-type": "text/html"}))
    with pytest.raises(Halt):
        poll(Reply(404))


@pytest.mark.parametrize("reply", [Reply(500), Reply(cut=True), Reply(200, b"{"), error("error.new", 400)])
def test_poll_may_be_repeated_when_it_fails(reply: Reply) -> None:
    with pytest.raises(Retry):
        poll(reply)


def test_case_33_polls_share_the_limit() -> None:
    with pytest.raises(RateLimited):
        poll(error("error.rate.limit", 429))


def test_an_id_is_quoted_in_the_path() -> None:
    got, (call,) = poll(Reply(200, {"status": "CREATED"}), provider_id="a/../b?c")
    assert got is None
    assert call.path == "/api/v2/contact/enrich/bulk/a%2F..%2Fb%3Fc"


# --- the signature ----------------------------------------------------------------------------


def signed(body: bytes, signature: str | None) -> Delivery:
    return delivery(body, headers={} if signature is None else {"x-signature-sha1": signature})


def sha1(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha1).hexdigest()


BODY = '{"status":"FINISHED","data":[{"name":"Grégoire"}]}'.encode()


def test_case_58_right_signature_in_any_case() -> None:
    assert make().authenticate(signed(BODY, sha1(BODY)))
    assert make().authenticate(signed(BODY, sha1(BODY).upper()))
    assert make().authenticate(signed(BODY, f" {sha1(BODY)} "))


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        sha1(BODY)[:-1],
        sha1(BODY) + "0",
        "sha1=" + sha1(BODY),
        sha1(BODY, "wrong"),
        "é" * 40,
        "\ud800",
        "0" * 40,
    ],
)
def test_case_58_wrong_or_missing_signature(signature: str | None) -> None:
    assert not make().authenticate(signed(BODY, signature))


def test_case_58_body_written_anew_by_a_proxy_has_another_signature() -> None:
    assert not make().authenticate(signed(json.dumps(json.loads(BODY)).encode(), sha1(BODY)))


def test_case_26_previous_key_signs_too_while_it_is_known() -> None:
    late = signed(BODY, sha1(BODY, OLD_KEY))
    assert not make().authenticate(late)
    rotated = make(previous_api_key=SecretStr(OLD_KEY))
    assert rotated.authenticate(late)
    assert rotated.authenticate(signed(BODY, sha1(BODY)))
