"""Almanac under the contract suite of syncd: its duties, and what its vendor says."""

from collections.abc import Iterator, Mapping
from typing import Any

import almanac
import pytest
from pydantic import SecretStr

from syncd.contract.errors import InDoubt, Skip
from syncd.contract.model import Field, Source, Submission
from syncd.contract.ports import Provider
from syncd.contract.testing import KEY, Bench, HttpBench, Reply, Vendor, VendorContract, scripted, tools, use
from syncd.contract.testing.samples import submission

REPLIES = {
    Vendor.ACCEPTS: Reply(200, {"email": None, "credits": 0}),
    Vendor.LIMITED: Reply(429, {"message": "too many"}),
    Vendor.BAD_KEY: Reply(401, {"message": f"who is {KEY}?"}),
    Vendor.NO_CREDITS: Reply(402, {"message": "buy some"}),
    Vendor.BALANCE: Reply(200, {"credits": 7}),
}


def make(url: str) -> Provider:
    """An instance whose vendor is the scripted server."""
    return almanac.Connector("a", almanac.Options(api_key=SecretStr(KEY)), url, tools())


def body(asked: Submission, values: Mapping[Field, str], charged: int) -> dict[str, Any]:
    """What Almanac answers about these people."""
    told = asked.requests[0].identity
    person = {"profile": told.linkedin_url, "domain": told.domain}
    return {"email": values.get(Field.EMAIL), "status": "verified", "credits": charged, "person": person}


class TestAlmanac(VendorContract):
    """Every duty of a provider."""

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with scripted() as script:
            yield HttpBench(script, make, REPLIES, body, source=Source.RECEIPT)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(422, {"message": "no such profile"}), Skip),
        (Reply(200, b"<html>welcome</html>"), InDoubt),  # a page of a proxy's
        (Reply(302, headers={"location": "/login"}), InDoubt),
    ],
)
def test_each_other_answer_of_the_vendor(reply: Reply, error: type[Exception]) -> None:
    with scripted(default=reply) as script, pytest.raises(error):
        use(lambda: make(script.url), lambda connector: connector.submit(submission()))
