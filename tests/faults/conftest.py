"""Houses for the tests of faults, closed and audited whatever happens."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.house import House

from .nursery import Nursery, memory

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Makes a house as a test wants it."""
    with ExitStack() as stack:
        yield lambda **wishes: stack.enter_context(House(tmp_path, **wishes))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where journeys are born."""
    with Nursery() as raised:
        yield raised


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Path]:
    """A folder that costs no disk: for what is killed, but keeps its power."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        yield Path(folder)


@pytest.fixture
def house(build: Build) -> House:
    """One provider, one call per person and field."""
    return build()
