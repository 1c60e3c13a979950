"""The duties of the Provider port, for every provider of ours, the pipeline's fake included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from syncd.contract.model import ASKED, Field
from syncd.contract.testing import Bench, ProviderContract, VendorContract
from syncd.contract.testing.samples import ADA, request

from .benches import FAKE, VENDORS


class TestFake(ProviderContract):
    """The pipeline's own fake. Nobody sends it anything odd."""

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with FAKE() as made:
            yield made


class TestVendors(VendorContract):
    """Connectors to real vendors."""

    @pytest.fixture(params=VENDORS)
    def bench(self, request: pytest.FixtureRequest) -> Iterator[Bench]:
        with VENDORS[request.param]() as made:
            yield made

    @pytest.mark.parametrize("field", ASKED)
    def test_they_are_told_what_they_need_and_no_more(self, bench: Bench, field: Field) -> None:
        more = replace(ADA, full_name="Ada Example", email="a@acme.example.com", country="FR")
        known = replace(more, phones=("+447700900123",))
        for way in bench.provider().questions(request(known, (field,))):
            told = way.told
            assert (told.full_name, told.country, told.employer_country) == (None, None, None)
            assert (told.emails, told.phones) == ((), ())
