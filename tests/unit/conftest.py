"""Harnesses for the tests of the pipeline, closed and audited whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog

from .by_hand import Tables
from .harness import EMAIL, Harness

Build = Callable[..., Harness]


@pytest.fixture(autouse=True)
def log_as_at_first() -> Iterator[None]:
    """A command that was run in this process has set up the log its own way."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Makes a harness as a test wants it."""
    with ExitStack() as stack:
        yield lambda **wishes: stack.enter_context(Harness(tmp_path, **wishes))


@pytest.fixture
def harness(build: Build) -> Harness:
    """One provider, one call per person and field."""
    return build()


@pytest.fixture
def written(build: Build) -> Harness:
    """Contact 501 was written, 502 was not found."""
    harness = build(fields={EMAIL: ["ann"]})
    harness.finds(harness.person("Ada"), EMAIL, "ada@acme.example.com")
    harness.person("Bo")
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert (harness.job("501"), harness.job("502")) == (("done", "written"), ("done", "not_found"))
    return harness


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    """A ledger without a pipeline, whose rows are put there by hand."""
    tables = Tables(tmp_path / "ledger.db")
    yield tables
    tables.close()
