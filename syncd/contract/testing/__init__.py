"""The duties of the ports as a suite of tests, for the authors of connectors. Needs `pip install "syncd[testing]"`.

    class TestOwl(VendorContract):
        @pytest.fixture
        def bench(self) -> Iterator[Bench]:
            with scripted() as script:
                yield HttpBench(script, make, replies, body)

`docs/guides/add-a-provider.md` shows a whole one. In here: the suite, a bench, a server that answers as it is told, and
made-up people. Not in here: any kind of provider, and anything that the daemon uses.
"""

import pytest

pytest.register_assert_rewrite("syncd.contract.testing.providers")

from .bench import CHARGED, FOUND, KEY, Bench, HttpBench, Vendor  # noqa: E402 - the line above comes first
from .providers import ProviderContract, VendorContract  # noqa: E402
from .server import Call, Reply, Script, scripted  # noqa: E402
from .surroundings import DictMemory, StillClock, tools, use  # noqa: E402

__all__ = [
    "CHARGED",
    "FOUND",
    "KEY",
    "Bench",
    "Call",
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
