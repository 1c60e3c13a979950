"""Harnesses for the tests of faults, closed and audited whatever happens."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.harness import Harness

from .fork_server import ForkServer, memory

Build = Callable[..., Harness]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Makes a harness as a test wants it."""
    with ExitStack() as stack:
        yield lambda **wishes: stack.enter_context(Harness(tmp_path, **wishes))


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    """Where journeys are born."""
    with ForkServer() as raised:
        yield raised


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Path]:
    """A folder that costs no disk: for what is killed, but keeps its power."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        yield Path(folder)


@pytest.fixture
def harness(build: Build) -> Harness:
    """One provider, one call per person and field."""
    return build()
