"""Zeliq's connector against the emulated Zeliq, whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from syncd.contract.errors import Garbled, Halt, InDoubt, RateLimited, Trouble
from syncd.contract.model import (
    Delivery,
    Field,
    Grade,
    Identity,
    Level,
    Outcome,
    Source,
)
from syncd.contract.testing.samples import EMAIL, PHONE
from syncd.contract.testing.surroundings import DictMemory

from .stage import Stage, agreeing, by_name, findable, identity_of, on_fullenrich, on_zeliq, seen, truth


@pytest.mark.parametrize("fields", [EMAIL, PHONE])
def test_zeliq_finds_what_is_true_and_tells_what_it_costs(fields: tuple[Field, ...]) -> None:
    async def act(stage: Stage) -> None:
        charged = Decimal(0)
        for person in stage.people(15):
            request = stage.request(person, fields)
            (answer,) = await stage.ask(request)
            assert seen(answer) == {(request.id, fields[0]): truth(stage, "zeliq", person, fields[0])}
            assert agreeing(answer, person)
            charged += answer.charged or 0
        assert charged == stage.box.zeliq.billed > 0

    on_zeliq(act)


def test_zeliq_can_be_asked_by_name_and_by_email() -> None:
    async def act(stage: Stage) -> None:
        for person in stage.people(8):
            (answer,) = await stage.ask(stage.request(person, EMAIL, by_name(person)))
            assert list(seen(answer).values()) == [truth(stage, "zeliq", person, Field.EMAIL)]
            assert agreeing(answer, person)
            if person.emails:
                (answer,) = await stage.ask(stage.request(person, PHONE, Identity(email=person.emails[0])))
                assert list(seen(answer).values()) == [truth(stage, "zeliq", person, Field.PHONE)]

    on_zeliq(act)


def test_case_15_zeliq_of_old_that_refuses_domain() -> None:
    memory = DictMemory()

    async def act(stage: Stage) -> None:
        person = findable(stage, "zeliq", Field.EMAIL)
        for calls in (2, 3):
            (answer,) = await stage.ask(stage.request(person, EMAIL, by_name(person)))
            assert answer.results[0].outcome is Outcome.FOUND
            assert stage.box.zeliq.calls["email"] == calls

    on_zeliq(act, "zeliq_no_domain:*", "zeliq_message_list:*", memory=memory)
    assert memory.kept == {"refused_properties": ["domain"]}


@pytest.mark.parametrize(
    "fault",
    [
        "zeliq_status:1:200",
        "zeliq_status:1:201",
        "zeliq_no_job_id",
        "zeliq_early",
    ],
)
def test_case_19_zeliq_accepts_in_many_ways(fault: str) -> None:
    async def act(stage: Stage) -> None:
        (answer,) = await stage.ask(stage.request(findable(stage, "zeliq", Field.EMAIL), EMAIL))
        assert answer.results[0].outcome is Outcome.FOUND

    on_zeliq(act, fault)


def test_case_19_zeliq_answers_at_once() -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(findable(stage, "zeliq", Field.EMAIL), EMAIL))
        receipt = await stage.provider.submit(submission)
        assert receipt.body is not None
        got = Delivery(submission_id="batch-1", source=Source.RECEIPT, body=receipt.body)
        assert stage.provider.parse(got, submission).results[0].outcome is Outcome.FOUND
        assert await stage.answers(submission) == []

    on_zeliq(act, "zeliq_result_in_body")


@pytest.mark.parametrize("fault", ["zeliq_cut_after", "zeliq_error_after", "zeliq_garbled_after", "zeliq_empty_after"])
def test_case_17_zeliq_in_doubt_is_resolved_by_the_callback(fault: str) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(findable(stage, "zeliq", Field.EMAIL), EMAIL))
        with pytest.raises(InDoubt):
            await stage.provider.submit(submission)
        (answer,) = await stage.answers(submission)
        assert answer.results[0].outcome is Outcome.FOUND
        assert stage.box.zeliq.calls["email"] == 1

    on_zeliq(act, fault)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("zeliq_cut", InDoubt), ("zeliq_error", InDoubt), ("zeliq_html", InDoubt), ("zeliq_limited", RateLimited)],
)
def test_zeliq_refuses_or_is_lost(fault: str, error: type[Exception]) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(stage.people(1)[0], EMAIL))
        with pytest.raises(error):
            await stage.provider.submit(submission)
        assert await stage.answers(submission) == []

    on_zeliq(act, fault)


def test_case_32_zeliq_tells_its_limits() -> None:
    async def act(stage: Stage) -> None:
        with pytest.raises(RateLimited) as caught:
            await stage.provider.submit(stage.submission(stage.request(stage.people(1)[0], EMAIL)))
        assert [(w.seconds, w.limit) for w in caught.value.windows] == [(60, 600), (3600, 2000), (86400, 6000)]
        assert caught.value.after == 30

    on_zeliq(act, "zeliq_limited", "zeliq_retry_after:*:30")


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("zeliq_no_credit", Trouble.CREDITS),
        ("zeliq_blocked:*", Trouble.BLOCKED),
        ("zeliq_key_revoked:*", Trouble.CREDENTIALS),
    ],
)
def test_zeliq_account_troubles(fault: str, trouble: Trouble) -> None:
    async def act(stage: Stage) -> None:
        with pytest.raises(Halt) as caught:
            await stage.provider.submit(stage.submission(stage.request(stage.people(1)[0], EMAIL)))
        assert caught.value.trouble is trouble
        (finding,) = await stage.provider.check()
        assert (finding.level is Level.ERROR) is (trouble is not Trouble.CREDITS)

    on_zeliq(act, fault)


def test_case_49_zeliq_speaks_of_a_stranger() -> None:
    async def act(stage: Stage) -> None:
        person = findable(stage, "zeliq", Field.EMAIL)
        for identity in (identity_of(person), by_name(person)):
            stage.box.faults.add("zeliq_stranger")
            with pytest.raises(Garbled) as caught:
                await stage.ask(stage.request(person, EMAIL, identity))
            assert caught.value.charged == 1

    on_zeliq(act)


@pytest.mark.parametrize("shape", ["null", "empty", "absent", "bare"])
def test_case_39_zeliq_finds_nothing(shape: str) -> None:
    async def act(stage: Stage) -> None:
        for fields in (EMAIL, PHONE):
            stage.box.faults.add(f"zeliq_nothing:1:{shape}")
            (answer,) = await stage.ask(stage.request(stage.people(1)[0], fields))
            assert [(r.outcome, r.candidates) for r in answer.results] == [(Outcome.NOT_FOUND, ())]
            assert answer.charged == 0

    on_zeliq(act)


@pytest.mark.parametrize(
    ("faults", "charged"),
    [
        (("zeliq_credit_text:*",), 1),
        (("zeliq_more_keys:*", "zeliq_safe_to_send:*", "zeliq_odd_status", "zeliq_several"), 1),
        (("zeliq_doubtful", "zeliq_several"), 1),
        (("zeliq_doubtful:1:unknown",), 1),
    ],
)
def test_zeliq_callbacks_of_every_kind_are_read(faults: tuple[str, ...], charged: int | None) -> None:
    async def act(stage: Stage) -> None:
        person = findable(stage, "zeliq", Field.EMAIL)
        (answer,) = await stage.ask(stage.request(person, EMAIL))
        assert (answer.charged, answer.results[0].outcome) == (charged, Outcome.FOUND)
        assert truth(stage, "zeliq", person, Field.EMAIL)[1] <= {c.value for c in answer.results[0].candidates}
        assert answer.results[0].candidates[0].grade is not Grade.INVALID

    on_zeliq(act, *faults)


@pytest.mark.parametrize(
    ("fault", "charged"),
    [("zeliq_credit_missing", None), ("zeliq_credit_absurd", None), ("zeliq_credit_absurd:1:1000", 1000)],
)
def test_a15_zeliq_tells_no_charge_that_fits(fault: str, charged: int | None) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(findable(stage, "zeliq", Field.EMAIL), EMAIL))
        await stage.provider.submit(submission)
        with pytest.raises(Garbled) as caught:
            await stage.answers(submission)
        assert caught.value.charged == charged

    on_zeliq(act, fault)


def test_case_69_zeliq_fails() -> None:
    async def act(stage: Stage) -> None:
        (answer,) = await stage.ask(stage.request(stage.people(1)[0], EMAIL))
        assert answer.results[0].outcome is Outcome.FAILED

    on_zeliq(act, "zeliq_failed:1:Provider failure")


@pytest.mark.parametrize("kind", ["malformed", "garbage", "array", "deep"])
@pytest.mark.parametrize("run", [on_zeliq, on_fullenrich])
def test_case_68_unreadable_callbacks_are_garbled(run: Callable[..., None], kind: str) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(stage.people(1)[0], EMAIL))
        await stage.provider.submit(submission)
        with pytest.raises(Garbled):
            await stage.answers(submission)

    run(act, f"{'zeliq_callback' if run is on_zeliq else 'fullenrich_webhook'}_{kind}:*")
