"""Houses for the tests of faults, closed and audited whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.house import House

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Makes a house as a test wants it."""
    with ExitStack() as stack:
        yield lambda **wishes: stack.enter_context(House(tmp_path, **wishes))


@pytest.fixture
def house(build: Build) -> House:
    """One provider, one call per person and field."""
    return build()
