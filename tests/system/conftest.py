"""What several system tests compare with."""

from collections.abc import Callable
from functools import cache

import pytest

from .rig import Vendors, assert_right, run_once

Undisturbed = Callable[[int], dict[str, float]]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """By seed: what the providers bill when nothing goes wrong, in a world where nobody interferes."""

    @cache
    def bill(seed: int) -> dict[str, float]:
        with Vendors(tmp_path_factory.mktemp("undisturbed"), seed=seed) as vendors:
            run_once(vendors)
            assert_right(vendors)
            return vendors.bill()

    return bill
