"""The duties of the ports as a suite of tests, for the authors of connectors. Needs `pip install "syncd[testing]"`.

    class TestOwl(VendorContract):
        @pytest.fixture
        def bench(self) -> Iterator[Bench]:
            with scripted() as script:
                yield HttpBench(script, make, replies, body)

    class TestAtlas(CrmContract):
        @pytest.fixture
        def world(self) -> Opens:
            return atlas_world

`docs/guides/add-a-provider.md` and `add-a-crm.md` show how. In here: the suites, a bench, a server that answers as it
is told, and made-up people. Not in here: any kind of provider or CRM, and anything that the daemon uses.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"syncd.contract.testing.{name}" for name in ("providers", "crm_pulls", "crm_reads", "crm_world", "crm_writes"))
)

from .bench import CHARGED, FOUND, KEY, Bench, HttpBench, Vendor  # noqa: E402 - the line above comes first
from .crm_world import CrmWorld  # noqa: E402
from .crms import CrmContract  # noqa: E402
from .providers import ProviderContract, VendorContract  # noqa: E402
from .server import Call, Reply, Script, scripted  # noqa: E402
from .surroundings import DictMemory, StillClock, tools, use  # noqa: E402

__all__ = [
    "CHARGED",
    "FOUND",
    "KEY",
    "Bench",
    "Call",
    "CrmContract",
    "CrmWorld",
    "DictMemory",
    "HttpBench",
    "ProviderContract",
    "Reply",
    "Script",
    "StillClock",
    "Vendor",
    "VendorContract",
    "scripted",
    "tools",
    "use",
]
