"""What several of these files take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from syncd.ledger.place import Url


@pytest.fixture
def url() -> Iterator[Url]:
    """A database that nothing is in, gone with the test."""
    from tests.postgres import needed  # noqa: PLC0415 - psycopg is not installed everywhere

    server = needed()
    made = server.empty()
    yield made
    server.drop(made)
