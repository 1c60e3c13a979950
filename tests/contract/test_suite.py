"""The contract suite finds what it is for: each planted fault of a connector fails the duty that it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import almanac
import pytest
from test_almanac import REPLIES, body

from syncd.contract import ports
from syncd.contract.errors import Garbled, Halt, InDoubt, Retry, Trouble
from syncd.contract.model import Answer, Delivery, EnrichmentResult, Field, Outcome, Receipt, Source, Submission
from syncd.contract.ports import Provider
from syncd.contract.testing import KEY, Bench, HttpBench, Vendor, VendorContract, scripted, tools


class RepeatsWhatIsPaid(almanac.Connector):
    async def submit(self, submission: Submission) -> Receipt:
        await super().submit(submission)
        return await super().submit(submission)


class TakesALostCallForUnsent(almanac.Connector):
    async def submit(self, submission: Submission) -> Receipt:
        try:
            return await super().submit(submission)
        except InDoubt as error:
            raise Retry(str(error)) from error


class TellsTheKey(almanac.Connector):
    async def submit(self, submission: Submission) -> Receipt:
        try:
            return await super().submit(submission)
        except Halt as error:
            raise Halt(f"{error}: {KEY}", trouble=error.trouble, cure=error.cure) from error


class TakesWhatWasChargedForNotFound(almanac.Connector):
    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        try:
            return super().parse(delivery, submission)
        except Garbled:
            (request,) = submission.requests
            nothing = EnrichmentResult(request_id=request.id, field=Field.EMAIL, outcome=Outcome.NOT_FOUND)
            return Answer(results=(nothing,), final=True)


class TrustsTheVendor(almanac.Connector):
    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        answer = super().parse(delivery, submission)
        assert delivery.body.startswith(b'{"email": "ada')  # as if nothing else could come
        return answer


class ShowsTheKey(almanac.Connector):
    class Open(ports.Options):
        api_key: str

    Options: ClassVar[Any] = Open


SUITE = VendorContract()
Duty = Callable[[Bench], None]
BROKEN: dict[type[almanac.Connector], Duty] = {
    RepeatsWhatIsPaid: SUITE.test_submit_is_one_call,
    TakesALostCallForUnsent: SUITE.test_lost_answer_is_in_doubt,
    TakesWhatWasChargedForNotFound: SUITE.test_charged_for_nothing_is_never_not_found,
    TellsTheKey: lambda made: SUITE.test_account_trouble_halts_with_a_cure_and_without_the_key(
        made, Vendor.BAD_KEY, Trouble.CREDENTIALS
    ),
    TrustsTheVendor: SUITE.test_nothing_found_is_an_answer_too,
    ShowsTheKey: SUITE.test_options_hide_the_key,
}


@contextmanager
def bench(kind: type[almanac.Connector]) -> Iterator[Bench]:
    def make(url: str) -> Provider:
        return kind("a", almanac.Options.model_validate({"api_key": KEY}), url, tools())

    with scripted() as script:
        yield HttpBench(script, make, REPLIES, body, source=Source.RECEIPT)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_planted_fault_fails_the_duty_that_it_breaks(kind: type[almanac.Connector]) -> None:
    with bench(almanac.Connector) as sound:
        BROKEN[kind](sound)
    with bench(kind) as broken, pytest.raises((AssertionError, pytest.fail.Exception)):
        BROKEN[kind](broken)
