"""FullEnrich's connector against the emulated FullEnrich, whose truth is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Skip
from syncd.contract.model import (
    Answer,
    Delivery,
    Field,
    Outcome,
    Source,
    Submission,
)
from syncd.contract.testing.samples import BOTH, EMAIL
from syncd.sandbox.fullenrich import KEY as FULLENRICH_KEY

from .stage import PATIENCE, Stage, agreeing, by_name, findable, on_fullenrich, seen, truth


def merged(answers: Sequence[Answer]) -> dict[tuple[str, Field], tuple[Outcome, set[str]]]:
    return {key: value for answer in answers for key, value in seen(answer).items()}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_fullenrich_finds_what_is_true_and_tells_what_it_costs(version: str) -> None:
    async def act(stage: Stage) -> None:
        people = stage.people(30)
        submission = stage.submission(*(stage.request(p, BOTH) for p in people))
        receipt = await stage.provider.submit(submission)
        answers = await stage.answers(submission)
        expected = {(f"attempt-{p.key}", f): truth(stage, "fullenrich", p, f) for p in people for f in BOTH}
        last = next(answer for answer in answers if answer.final)
        assert seen(last) == expected
        assert last.charged == stage.box.fullenrich.billed > 0
        assert {a.provider_id for a in answers} == {receipt.provider_id}
        by_key = {f"attempt-{p.key}": p for p in people}
        for answer in answers:
            for result in answer.results:
                assert result.said
                assert agreeing(replace(answer, results=(result,)), by_key[result.request_id])
        assert sum(a.unmatched for a in answers) == 0
        if version == "v2":
            singles = [a for a in answers if not a.final]
            assert len(singles) == len(people)
            assert merged(singles) == expected
        polled = await stage.provider.poll(
            Submission(id="batch-1", requests=submission.requests, callback_url="x", provider_id=receipt.provider_id)
        )
        assert polled is not None
        assert seen(stage.provider.parse(polled, submission)) == expected

    on_fullenrich(act, version=version)


def test_fullenrich_can_be_asked_by_name() -> None:
    async def act(stage: Stage) -> None:
        people = stage.people(10)
        answers = await stage.ask(*(stage.request(p, BOTH, by_name(p)) for p in people))
        assert merged(answers) == {
            (f"attempt-{p.key}", f): truth(stage, "fullenrich", p, f) for p in people for f in BOTH
        }

    on_fullenrich(act)


@pytest.mark.parametrize(
    ("faults", "unmatched"),
    [
        (("fullenrich_shuffled:*",), 0),
        (("fullenrich_no_custom:*",), 0),
        (("fullenrich_extra",), 1),
        (("fullenrich_unasked:*", "fullenrich_bad_dates:*", "fullenrich_phone_form:*:dashed"), 0),
        (("fullenrich_phone_no_region:*", "fullenrich_nothing_shape:*:empty"), 0),
        (("fullenrich_nothing_shape:*:null", "fullenrich_no_cost:*"), 0),
    ],
)
def test_case_50_fullenrich_results_in_every_shape(faults: tuple[str, ...], unmatched: int) -> None:
    async def act(stage: Stage) -> None:
        people = stage.people(12)
        answers = await stage.ask(*(stage.request(p, BOTH) for p in people))
        assert merged(answers) == {
            (f"attempt-{p.key}", f): truth(stage, "fullenrich", p, f) for p in people for f in BOTH
        }
        assert sum(a.unmatched for a in answers) == unmatched

    on_fullenrich(act, *faults)


def test_case_50_fullenrich_forgets_somebody() -> None:
    async def act(stage: Stage) -> None:
        answers = await stage.ask(*(stage.request(p, EMAIL) for p in stage.people(5)))
        last = next(a for a in answers if a.final)
        assert sum(r.outcome is Outcome.MISSING for r in last.results) == 1

    on_fullenrich(act, "fullenrich_short")


def test_case_49_fullenrich_speaks_of_a_stranger() -> None:
    async def act(stage: Stage) -> None:
        person = findable(stage, "fullenrich", Field.EMAIL)
        answers = await stage.ask(stage.request(person, BOTH))
        assert not any(agreeing(answer, person) for answer in answers)

    on_fullenrich(act, "fullenrich_stranger")


def test_case_28_fullenrich_runs_out_of_credits() -> None:
    async def act(stage: Stage) -> None:
        people = stage.people(20)
        submission = stage.submission(*(stage.request(p, EMAIL) for p in people))
        receipt = await stage.provider.submit(submission)
        last = next(a for a in await stage.answers(submission) if a.final)
        outcomes = [r.outcome for r in last.results]
        assert outcomes.count(Outcome.FOUND) == 3
        assert Outcome.NO_CREDITS in outcomes
        assert last.charged == stage.box.fullenrich.billed == 3
        polled = await stage.provider.poll(
            Submission(id="batch-1", requests=submission.requests, callback_url="x", provider_id=receipt.provider_id)
        )
        assert polled is not None
        assert seen(stage.provider.parse(polled, submission)) == seen(last)

    on_fullenrich(act, credits=3)


def test_case_64_fullenrich_is_canceled() -> None:
    async def act(stage: Stage) -> None:
        last = next(a for a in await stage.ask(*(stage.request(p, EMAIL) for p in stage.people(6))) if a.final)
        assert {r.outcome for r in last.results} <= {Outcome.FOUND, Outcome.FAILED, Outcome.NOT_FOUND}
        assert Outcome.FAILED in {r.outcome for r in last.results}

    on_fullenrich(act, "fullenrich_canceled:1:2")


@pytest.mark.parametrize("faults", [("fullenrich_stuck",), ("fullenrich_stuck", "fullenrich_in_progress_200:*")])
def test_case_62_fullenrich_is_still_running(faults: tuple[str, ...]) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(stage.people(1)[0], EMAIL))
        receipt = await stage.provider.submit(submission)
        running = Submission(
            id="batch-1", requests=submission.requests, callback_url="x", provider_id=receipt.provider_id
        )
        assert await stage.provider.poll(running) is None
        stage.box.faults.add("fullenrich_result_status")
        assert await stage.provider.poll(running) is None
        stage.box.faults.add("fullenrich_result_lost")
        with pytest.raises(Skip):
            await stage.provider.poll(running)
        for fault, error in (
            ("result_html", Halt),
            ("result_cut", Retry),
            ("result_garbled", Retry),
            ("limited", RateLimited),
        ):
            stage.box.faults.add(f"fullenrich_{fault}")
            with pytest.raises(error):
                await stage.provider.poll(running)

    on_fullenrich(act, *faults)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("fullenrich_cut", InDoubt),
        ("fullenrich_error", InDoubt),
        ("fullenrich_html", InDoubt),
        ("fullenrich_payment_required", Halt),
        ("fullenrich_key_revoked:*", Halt),
        ("fullenrich_limited", RateLimited),
    ],
)
def test_fullenrich_refuses_or_is_lost(fault: str, error: type[Exception]) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(stage.people(1)[0], EMAIL))
        with pytest.raises(error):
            await stage.provider.submit(submission)
        assert await stage.answers(submission) == []

    on_fullenrich(act, fault)


@pytest.mark.parametrize("fault", ["fullenrich_cut_after", "fullenrich_error_after", "fullenrich_empty_after"])
def test_case_17_fullenrich_in_doubt_is_resolved_by_its_webhook(fault: str) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(stage.people(1)[0], EMAIL))
        with pytest.raises(InDoubt):
            await stage.provider.submit(submission)
        assert any(a.final and a.provider_id for a in await stage.answers(submission))

    on_fullenrich(act, fault)


@pytest.mark.parametrize("fault", ["fullenrich_no_id", "fullenrich_early"])
def test_case_21_and_55_fullenrich_webhooks_tell_the_id(fault: str) -> None:
    async def act(stage: Stage) -> None:
        assert any(a.final and a.provider_id for a in await stage.ask(stage.request(stage.people(1)[0], EMAIL)))

    on_fullenrich(act, fault)


@pytest.mark.parametrize(
    ("fault", "right"),
    [
        ("fullenrich_signature_upper:*", True),
        ("fullenrich_signature_wrong:*", False),
        ("fullenrich_signature_missing:*", False),
        ("fullenrich_signature_prefixed:*", False),
    ],
)
def test_case_58_fullenrich_signatures(fault: str, right: bool) -> None:
    async def act(stage: Stage) -> None:
        await stage.provider.submit(stage.submission(stage.request(stage.people(1)[0], EMAIL)))
        async with asyncio.timeout(PATIENCE):
            await stage.box.fullenrich.settled()
        got = [
            Delivery(submission_id="batch-1", source=Source.CALLBACK, body=call.body, headers=call.headers)
            for call in stage.inbox.calls
        ]
        assert got
        assert all(stage.provider.authenticate(one) is right for one in got)

    on_fullenrich(act, fault)


def test_case_26_fullenrich_key_is_changed_while_a_job_runs() -> None:
    async def act(stage: Stage) -> None:
        answers = await stage.ask(stage.request(findable(stage, "fullenrich", Field.EMAIL), EMAIL))
        assert any(a.final for a in answers)  # `answers` has checked each signature

    on_fullenrich(
        act, "fullenrich_signature_old_key:*", key="new-key", old=FULLENRICH_KEY, keys=("new-key", FULLENRICH_KEY)
    )
