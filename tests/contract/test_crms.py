"""What every CRM owes the pipeline: the suite of the wheel, for each CRM in `crm_worlds`."""

from __future__ import annotations

import pytest

from syncd.contract.testing import CrmContract
from syncd.contract.testing.crms import Opens

from .crm_worlds import WORLDS


class TestCrms(CrmContract):
    """Those of ours, and the one that the pipeline's tests use."""

    @pytest.fixture(params=WORLDS)
    def world(self, request: pytest.FixtureRequest) -> Opens:
        return WORLDS[request.param]
